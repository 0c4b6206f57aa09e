"""Running a sweep: what the store lacks is handed to an executor, chunk by chunk, until it lacks nothing."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from accelsim.errors import InputError, Problem
from accelsim.store import Failure, Point, Record, SweepSpec
from accelsim.store.columns import Columns, columns, fresh
from accelsim.store.folder import driving, prepare, unwritable
from accelsim.store.shards import ShardWriter, repair
from accelsim.store.view import Follower, Index, index
from accelsim.sweeps.context import context_of
from accelsim.sweeps.executors.base import EVALUATOR, Chunk, Done, Executor, Job, outcome_of
from accelsim.sweeps.identity import Identity, identity
from accelsim.sweeps.progress import progress_for
from accelsim.sweeps.schedule import Schedule

LOOK = 2.0  # seconds between two looks for other drivers' points
PATIENCE = 1.0  # seconds that points in work get after Ctrl-C before they are given up between two operators
GRACE = 60.0  # seconds after which what still works is left to itself
DEATHS = 2  # workers that one point may take with it


@dataclass(slots=True)
class SweepRun:
    """What running a sweep came to.

    keys: of all its points. held: points that the store had. done: run now. failed, misfits: among those run
    now. stopped: by Ctrl-C; dropped: points in work then that were not waited for. notes: for a person.
    """

    folder: Path
    keys: list[str]
    held: int = 0
    done: int = 0
    failed: int = 0
    misfits: int = 0
    stopped: bool = False
    dropped: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    columns: Columns | None = None


@dataclass(frozen=True, slots=True)
class Driving:
    """How the points of a sweep are run. fresh: without what the store holds. fail_fast: end at the first point that
    fails. sets, job: what the sweep was asked with, for the context. evaluator, cache_folder, prepare: as in
    executors.base.Job. progress: makes a Progress from (total, held, objectives)."""

    fresh: bool = False
    fail_fast: bool = False
    sets: tuple[str, ...] = ()
    job: dict[str, Any] | None = None
    evaluator: str = EVALUATOR
    cache_folder: str | None = None
    prepare: bool = False
    progress: Callable[..., Any] = progress_for


def run_sweep(
    spec: SweepSpec, points: Iterable[Point], folder: str | Path, executor: Executor, how: Driving
) -> SweepRun:
    """Run the points that the store of a folder lacks.

    points: of the spec, in the order to run them in. InputError when the store cannot hold them, when a worker
    cannot begin, or with fail_fast at the first point that fails.
    """
    begin = time.monotonic()
    place, known = Path(folder), identity(spec)
    prepare(place, context_of(spec, known, how.sets, how.job), spec.text, how.fresh)
    with driving(place) as alone:
        drive = _Drive(spec, list(points), place, executor, known)
        work = Job(
            spec, str(place.absolute()), how.cache_folder, how.evaluator, prepare=how.prepare
        )
        drive.backwards, drive.fail_fast = not alone, how.fail_fast
        with Stopper() as stopper, executor:
            drive.go(work, stopper, how.progress)
        drive.finish()
    drive.run.seconds = time.monotonic() - begin
    return drive.run


class Stopper:
    """Ctrl-C or a scheduler's SIGTERM asks to stop; a second one ends at once. told: called then, in the
    handler, so that work in this very thread can be given up."""

    def __init__(self) -> None:
        self.asked = False
        self.told: Callable[[], None] = lambda: None
        self.old: dict[int, Any] = {}

    def __enter__(self) -> Stopper:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.old[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.told()


class _Drive:
    """One driver at work."""

    def __init__(
        self,
        spec: SweepSpec,
        points: list[Point],
        folder: Path,
        executor: Executor,
        known: Identity,
    ) -> None:
        self.spec, self.folder, self.executor, self.identity = spec, folder, executor, known
        keys = [known.key(point) for point in points]
        self.run = SweepRun(folder, list(dict.fromkeys(keys)))
        self.run.notes += repair(folder)
        settled, sizes = self._held()
        self.follower = Follower(folder, sizes)
        self.wanted = {
            key: point for key, point in zip(keys, points, strict=True) if key not in settled
        }
        self.keys = list(self.wanted)
        self.number = {key: number for number, key in enumerate(self.keys)}
        self.finished = bytearray(len(self.keys))
        self.run.held = len(self.run.keys) - len(self.keys)
        self.deaths: dict[str, int] = {}
        self.backwards = self.fail_fast = False
        self.writer: ShardWriter | None = None

    def _held(self) -> tuple[set[str], dict[str, int]]:
        """Settled keys of the store, from the sidecar where it is up to date."""
        sidecar = fresh(self.folder)
        if sidecar is not None and not sidecar.head["wrong"]:
            return {key.decode() for key in sidecar.keys.tolist()}, sidecar.sizes
        made: Index = index(self.folder)
        self.run.notes += made.notes
        return made.settled(), made.sizes

    def go(self, job: Job, stopper: Stopper, progress: Callable[..., Any]) -> None:
        """Work until nothing is left, or until asked to stop."""
        if not self.keys:
            return
        self.executor.start(job)
        self.writer = ShardWriter(self.folder)
        try:
            with progress(len(self.run.keys), self.run.held, self.spec.objectives) as self.progress:
                self._loop(stopper)
        finally:
            self.writer.close()

    def _loop(self, stopper: Stopper) -> None:
        slots = self.executor.slots
        self.schedule = Schedule(len(self.keys), slots, self.backwards)
        free, busy, looked = list(range(slots)), 0, time.monotonic()
        until = patience = float("inf")

        def told() -> None:
            self.progress.tell(
                f"finishing {busy:,} points, then the sweep stops; Ctrl-C again leaves them"
            )
            if self.executor.inline:
                self.executor.interrupt()

        stopper.told = told
        while True:
            if stopper.asked and not self.run.stopped:
                self.run.stopped, until = True, time.monotonic() + GRACE
                patience = time.monotonic() + PATIENCE
                self.executor.cancel()
            if time.monotonic() > patience:
                patience = float("inf")
                self.executor.interrupt()
            if not self.run.stopped:
                waiting = []
                for slot in free:
                    numbers = self.schedule.next(slot, lambda number: bool(self.finished[number]))
                    if numbers:
                        self.executor.submit(slot, self._chunk(numbers))
                        busy += 1
                    else:
                        waiting.append(slot)
                free = waiting
            if busy == 0:
                return
            if time.monotonic() > until:
                self.run.dropped = busy
                return
            for done in self.executor.wait(0.5):
                busy -= 1
                free.append(done.slot)
                self._take(done)
            if time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                self._look()
            self.progress.tick()

    def _chunk(self, numbers: list[int]) -> Chunk:
        keys = tuple(self.keys[number] for number in numbers)
        return Chunk(tuple(self.wanted[key] for key in keys), keys)

    def _look(self) -> None:
        """Leave out what other drivers have done."""
        own = self.executor.shards() if hasattr(self.executor, "shards") else set()
        for key in self.follower.news(own | {self.writer.path.name if self.writer else ""}):
            number = self.number.get(key)
            if number is not None and not self.finished[number]:
                self.finished[number] = 1
                self.run.held += 1
                self.progress.held += 1

    def _take(self, done: Done) -> None:
        """What came of a chunk."""
        self._write(done.lines)
        self.schedule.note(len(done.outcomes), done.seconds)
        for outcome in done.outcomes:
            number = self.number.get(outcome.key, -1)
            if number < 0:
                raise InputError(
                    Problem(
                        "sweep.changed",
                        "a worker has another accelsim, or another chip or "
                        "workload, than the sweep began with",
                        "change nothing while a sweep runs; the same command begins anew",
                        file=self.spec.source,
                    )
                )
            if self.finished[number]:
                continue
            self.finished[number] = 1
            self.run.done += 1
            self.run.failed += bool(outcome.code) and outcome.fits
            self.run.misfits += not outcome.fits
            point = self.wanted[outcome.key]
            self.progress.note(
                outcome, lambda point=point: f"{point.base} on {point.work}", point.work
            )
            if self.fail_fast and outcome.code and outcome.fits:
                raise InputError(
                    Problem(
                        "sweep.failed",
                        f"{label(point)}: {outcome.message} ({outcome.code})",
                        "without --fail-fast the others go on",
                        file=self.spec.source,
                    )
                )
        if done.error is not None:
            raise InputError(done.error)
        if done.died:
            self._dead(done)

    def _dead(self, done: Done) -> None:
        """A worker died: its points are handed out again, the one that it died of once only."""
        known = {outcome.key for outcome in done.outcomes}
        left = [
            key
            for key in done.chunk.keys
            if key not in known and not self.finished[self.number[key]]
        ]
        if not left:
            return
        if not self.executor.ordered and len(left) > 1:
            for key in left:
                self.schedule.repeat([self.number[key]])
            return
        first = left[0]
        self.deaths[first] = self.deaths.get(first, 0) + 1
        if self.deaths[first] < DEATHS:
            self.schedule.repeat([self.number[key] for key in left])
            return
        record = Record(
            first,
            self.identity.model,
            self.wanted[first],
            failure=Failure("worker.died", done.died),
            run={"tries": DEATHS},
        )
        if len(left) > 1:
            self.schedule.repeat([self.number[key] for key in left[1:]])
        self._take(
            Done(done.slot, done.chunk, [outcome_of(record, self.spec.objectives)], [record.line()])
        )

    def _write(self, lines: list[str]) -> None:
        assert self.writer is not None
        try:
            for line in lines:
                self.writer.append(line)
        except OSError as error:
            raise unwritable(self.folder, error) from None

    def finish(self) -> None:
        """Bring the columns up to date."""
        made = columns(self.folder)
        self.run.columns = made
        if made.head["conflicts"]:
            self.run.notes.append(
                f"{len(made.head['conflicts'])} points have records that disagree, first "
                f"{made.head['conflicts'][0]}: the evaluation is not deterministic"
            )


def label(point: Point) -> str:
    """A point in a line."""
    sets = ", ".join(f"{key}={value}" for key, value in point.sets)
    seed = f", seed {point.seed}" if point.seed else ""
    search = f", search {point.search}" if point.search else ""
    return f"{point.base} on {point.work}{': ' + sets if sets else ''}{search}{seed}"
