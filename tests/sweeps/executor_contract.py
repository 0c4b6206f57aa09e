"""What every executor must keep. A test of one is a class that inherits ExecutorContract and gives
make(); tests of a user's own may do the same."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accelsim.errors import InputError
from accelsim.store import SweepSpec
from accelsim.store.folder import prepare
from accelsim.store.view import index
from accelsim.sweeps.context import context_of
from accelsim.sweeps.drive import Driving, SweepRun, run_sweep
from accelsim.sweeps.executors import Chunk, Done, Executor, Job
from accelsim.sweeps.identity import identity
from accelsim.sweeps.progress import Progress
from tests.sweeps.fakes import FAKE, points, sweep, view


class Silent(Progress):
    """Progress that says nothing."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        return


def run(
    folder: Path,
    executor: Executor,
    count: int = 20,
    spec: SweepSpec | None = None,
    evaluator: str = FAKE,
    fail_fast: bool = False,
    **special: int,
) -> SweepRun:
    """A sweep of fake points."""
    spec = spec or sweep(execution={"marks": str(folder.parent)})
    how = Driving(evaluator=evaluator, fail_fast=fail_fast, progress=Silent)
    return run_sweep(spec, points(count, **special), folder, executor, how)


def undisturbed(folder: Path, count: int, **special: int) -> str:
    """The view that a serial sweep of the same points gives."""
    from accelsim.sweeps.executors.serial import SerialExecutor

    run(folder, SerialExecutor(), count, **special)
    return view(folder)


class ExecutorContract:
    """Inherit, and give make()."""

    #: whether a point may take its worker with it
    survives = True

    def make(self, workers: int = 2) -> Executor:
        """A new executor."""
        raise NotImplementedError

    @pytest.fixture
    def started(self, tmp_path: Path) -> Iterator[Executor]:
        spec = sweep(execution={"delay": 0.02})
        prepare(tmp_path / "s", context_of(spec, identity(spec)), spec.text)
        with self.make() as executor:
            executor.start(Job(spec, str(tmp_path / "s"), evaluator=FAKE))
            yield executor

    def test_every_chunk_comes_back_once(self, started: Executor, tmp_path: Path) -> None:
        known = identity(sweep(execution={"delay": 0.02}))
        whole = points(4 * started.slots)
        chunks = {
            slot: Chunk(tuple(part), tuple(map(known.key, part)))
            for slot in range(started.slots)
            if (part := whole[4 * slot : 4 * slot + 4])
        }
        for slot, chunk in chunks.items():
            started.submit(slot, chunk)
        found = collect(started, len(chunks))
        assert sorted(done.slot for done in found) == sorted(chunks)
        written = set(index(tmp_path / "s").keys)
        for done in found:
            assert done.chunk == chunks[done.slot] and not done.died and not done.stopped
            assert [outcome.key for outcome in done.outcomes] == list(done.chunk.keys)
            assert done.seconds >= 4 * 0.02
            assert len(done.lines) == 4 or set(done.chunk.keys) <= written
        assert started.wait(0.05) == []

    def test_cancel_ends_behind_the_point(self, started: Executor) -> None:
        known = identity(sweep())
        whole = points(500)
        started.submit(0, Chunk(tuple(whole), tuple(map(known.key, whole))))
        if started.name != "serial":
            time.sleep(0.5)
        started.cancel()
        (done,) = collect(started, 1)
        assert done.stopped and len(done.outcomes) < 500

    def test_values_of_a_serial_run(self, tmp_path: Path) -> None:
        with_all: dict[str, Any] = {"fail": 3, "refuse": 4, "misfit": 5, "nan": 6, "raise": 8}
        wanted = undisturbed(tmp_path / "serial", 60, **with_all)
        done = run(tmp_path / "other", self.make(), 60, **with_all)
        assert view(tmp_path / "other") == wanted
        assert (done.done, done.failed, done.misfits, done.held) == (60, 4, 1, 0)
        again = run(tmp_path / "other", self.make(), 60, **with_all)
        assert (again.done, again.held) == (3, 57), "only points that went wrong run again"
        assert view(tmp_path / "other") == wanted

    def test_a_point_that_kills_is_a_record(self, tmp_path: Path) -> None:
        if not self.survives:
            pytest.skip("works in the driver's own process")
        done = run(tmp_path / "s", self.make(), 30, die=7, die_once=12)
        assert (done.done, done.failed) == (30, 1)
        failed = [
            record for record in index(tmp_path / "s").records() if record.failure is not None
        ]
        assert [record.failure.code for record in failed if record.failure] == ["worker.died"]
        assert dict(failed[0].point.sets)["x"] == 7

    def test_an_evaluator_that_cannot_begin(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot begin"):
            run(tmp_path / "s", self.make(), evaluator="tests.sweeps.fakes:Wrong")

    def test_close_leaves_nothing_and_may_come_twice(self, started: Executor) -> None:
        started.close()
        started.close()
        assert children() == []


def collect(executor: Executor, count: int, seconds: float = 60.0) -> list[Done]:
    """So many chunks that ended."""
    found: list[Done] = []
    until = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        found += executor.wait(0.2)
    assert len(found) == count
    return found


def children() -> list[str]:
    """Living processes that this one started to work on a sweep."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            ours = int(fields[1]) == os.getpid() and fields[0] != "Z"
            if ours and b"accelsim.sweeps.executors.process" in words:
                found.append(entry.name)
    return found
