"""Worker processes on this machine, one a core unless told otherwise."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from accelsim import resources
from accelsim.errors import InputError, Problem
from accelsim.store.shards import lines, parse
from accelsim.sweeps.executors.base import Chunk, Done, Executor, Job, outcome_of
from accelsim.sweeps.executors.process import STOP
from accelsim.sweeps.warm import cold

#: one thread of linear algebra a worker: workers are as many as cores
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
STARTS = 3  # workers of a slot that may end by themselves before their first chunk
KILLS = 30  # that may be killed before it
MOST = 4096  # workers


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Slot:
    """One worker process and what it works on."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.wire: Connection | None = None
        self.shard, self.size, self.starts = "", 0, 0
        self.chunk: Chunk | None = None


class LocalExecutor(Executor):
    """Processes that are started anew (never forked), in a group of their own so that Ctrl-C reaches the
    driver alone. Each writes its own shard. One that dies gives a Done with what its shard holds
    of the chunk, and another takes its place."""

    name = "local"

    def start(self, job: Job) -> None:
        if self.settings:
            raise InputError(
                Problem(
                    "sweep.execution",
                    f"the local executor has no {min(self.settings)}",
                    "write {executor: local, workers: 2}",
                    "execution",
                )
            )
        self.job = job
        self.slots = min(MOST, self.workers or cores())
        self.places = [_Slot() for _ in range(self.slots)]
        analog = any(base.analog for base in job.spec.bases)
        if job.prepare and cold(analog):
            _prepare(analog)
        for place in self.places:
            self._spawn(place)

    def _spawn(self, place: _Slot) -> None:
        place.starts += 1
        ours, theirs = socket.socketpair()
        with theirs:
            command = [
                sys.executable,
                "-m",
                "accelsim.sweeps.executors.process",
                str(theirs.fileno()),
            ]
            place.process = subprocess.Popen(
                command,
                env=environment(self.slots),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        place.wire, place.shard, place.size = Connection(ours.detach()), "", 0
        with contextlib.suppress(OSError):  # wait() finds that it has died
            place.wire.send(self.job)
            if place.chunk is not None:
                place.wire.send(place.chunk)

    def submit(self, slot: int, chunk: Chunk) -> None:
        place = self.places[slot]
        assert place.chunk is None and place.wire is not None, "the slot is taken"
        place.chunk = chunk
        with contextlib.suppress(OSError):  # wait() finds that it has died
            place.wire.send(chunk)

    def wait(self, timeout: float) -> list[Done]:
        busy = {
            place.wire: (slot, place)
            for slot, place in enumerate(self.places)
            if place.wire is not None
        }
        found = []
        for wire in wait(list(busy), timeout):
            slot, place = busy[wire]  # type: ignore[index]
            try:
                message = place.wire.recv() if place.wire is not None else None
            except (EOFError, OSError):
                message = None
            done = self._died(slot, place) if message is None else self._said(slot, place, message)
            if done is not None:
                found.append(done)
        return found

    def _said(self, slot: int, place: _Slot, message: Any) -> Done | None:
        """A worker's message: the name of its shard, the end of a chunk, or why it cannot begin."""
        if isinstance(message, tuple) and message and isinstance(message[0], Problem):
            raise InputError(message)
        if isinstance(message, str):
            if "\n" in message:
                raise RuntimeError(f"a worker cannot begin:\n{message}")
            place.shard = message
            return None
        assert place.chunk is not None
        outcomes, seconds, stopped, error, place.size = message
        done = Done(slot, place.chunk, outcomes, [], seconds, "", stopped, error)
        place.chunk, place.starts = None, 0
        return done

    def _died(self, slot: int, place: _Slot) -> Done | None:
        """Put another worker in a dead one's place; what it had done of its chunk is in its shard."""
        status = self._end(place)
        chunk, shard = place.chunk, place.shard
        if not shard:
            if place.starts >= (KILLS if status.startswith("signal") else STARTS):
                raise InputError(
                    Problem(
                        "sweep.workers",
                        f"worker processes end at once ({status})",
                        "try --executor serial to see why",
                        "execution",
                    )
                )
            self._spawn(place)
            return None
        place.chunk = None
        done = None
        if chunk is not None:
            done = Done(slot, chunk, died=f"a worker process ended: {status}")
            path, wanted = Path(self.job.store) / shard, set(chunk.keys)
            for line in lines(path, place.size) if path.exists() else ():
                record = parse(line, path, 0)
                if not isinstance(record, str) and record.key in wanted:
                    done.outcomes.append(outcome_of(record, self.job.spec.objectives))
        self._spawn(place)
        return done

    def shards(self) -> set[str]:
        """Names of the shards that the workers write now."""
        return {place.shard for place in self.places}

    def cancel(self) -> None:
        for place in self.places:
            if place.wire is not None and place.chunk is not None:
                try:
                    place.wire.send(STOP)
                except OSError:
                    continue

    def interrupt(self) -> None:
        for place in self.places:
            if place.process is not None and place.chunk is not None and place.shard:
                place.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        for place in getattr(self, "places", ()):
            if place.wire is not None and place.chunk is None:
                place.wire.close()  # it ends by itself, its shard brought to the disk
        for place in getattr(self, "places", ()):
            self._end(place)

    @staticmethod
    def _end(place: _Slot) -> str:
        """See a worker off, and how it went."""
        process, wire = place.process, place.wire
        place.process = place.wire = None
        if process is None:
            return ""
        if wire is not None and not wire.closed:
            wire.close()
            if place.chunk is not None and process.poll() is None:
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    process.kill()
        try:
            code = process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return f"signal {-code}" if code < 0 else f"status {code}"


def environment(workers: int = 1) -> dict[str, str]:
    """The environment of one of so many workers: this one's module path, one thread of linear algebra, its part
    of the memory."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    memory = str(resources.allowed_bytes() // workers)
    return {
        **os.environ,
        **dict.fromkeys(THREADS, "1"),
        "PYTHONPATH": path,
        resources.VARIABLE: memory,
    }


def _prepare(analog: bool) -> None:
    """Compile the kernels once, in a process of its own, before workers would each do it."""
    subprocess.run(
        [sys.executable, "-m", "accelsim.sweeps.warm", *(["analog"] if analog else [])],
        env=environment(),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
