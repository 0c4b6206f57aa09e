"""The contract of an executor: where chunks of points are worked on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from accelsim.errors import Problem
from accelsim.store import Point, Record, SweepSpec

#: what evaluates points unless a test brings its own
EVALUATOR = "accelsim.sweeps.evaluate:Evaluator"


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker must know; can be pickled.

    evaluator: "module:callable" that takes (spec, cache_folder) and gives an object whose evaluate(point) gives
    the Record of a point. store: folder where workers that see it write their shards. prepare: kernels are
    worth loading: they are compiled before workers start, and serve each from its first point.
    """

    spec: SweepSpec
    store: str
    cache_folder: str | None = None
    evaluator: str = EVALUATOR
    tries: int = 2
    prepare: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Points to do in this order, with their keys."""

    points: tuple[Point, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the driver learns of a point. code: of the failure, "" for measures. values: the sweep's
    objectives, None where there is none."""

    key: str
    code: str
    fits: bool
    values: tuple[float | None, ...]
    message: str = ""


@dataclass(slots=True)
class Done:
    """What came of a chunk.

    outcomes: of the points done, the first ones of the chunk unless ``ordered`` is False. lines: records that
    the driver must write; empty where the worker wrote them. seconds: of work. died: the worker ended before
    the chunk did. stopped: it was asked to stop. error: why nothing more can be written.
    """

    slot: int
    chunk: Chunk
    outcomes: list[Outcome] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0
    died: str = ""
    stopped: bool = False
    error: Problem | None = None


class Interrupted(BaseException):
    """A point in work is given up; no error of the point, and nothing is recorded of it."""


class Executor(ABC):
    """Works on chunks in a fixed number of slots.

    Rules: start() comes first, once. A slot has one chunk at a time; its Done comes from wait() exactly once,
    whatever happens to the worker. Chunks of one slot are done by one worker where that is possible, so that
    its caches serve neighbours. A record is in the store, or in Done.lines, before its outcome is given. After
    cancel() running chunks end behind the point in work and give a Done with ``stopped``. close() leaves
    no process behind; it may be called at any time, twice, and by ``with``.
    """

    #: how --executor and sweep files call it
    name: ClassVar[str]
    #: whether outcomes of a chunk whose worker died are its first points
    ordered: ClassVar[bool] = True
    #: whether points are worked on in the driver's own thread
    inline: ClassVar[bool] = False
    #: chunks that can be worked on at once; known after start()
    slots: int = 1

    def __init__(self, workers: int | None = None, settings: dict[str, Any] | None = None) -> None:
        """workers: how many, None for what the executor takes for all. settings: of the sweep file's
        execution, without executor and workers. InputError for settings that it does not know."""
        self.workers, self.settings = workers, dict(settings or {})

    @abstractmethod
    def start(self, job: Job) -> None:
        """Make everything ready. InputError when that cannot be (a library or cluster is missing)."""

    @abstractmethod
    def submit(self, slot: int, chunk: Chunk) -> None:
        """Begin a chunk in a free slot."""

    @abstractmethod
    def wait(self, timeout: float) -> list[Done]:
        """Chunks that have ended, waiting at most about so many seconds for the first; a serial
        executor works here."""

    @abstractmethod
    def cancel(self) -> None:
        """Ask running chunks to end behind their point."""

    def interrupt(self) -> None:
        """Give up points in work, between two of their operators: their chunks end with ``stopped``, the
        points have no record. Called after cancel(), from a signal handler where ``inline``; an executor
        that cannot do it does nothing."""
        return

    @abstractmethod
    def close(self) -> None:
        """End everything at once."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def outcome_of(record: Record, objectives: tuple[str, ...]) -> Outcome:
    """What the driver learns of a record."""
    failure = record.failure
    if failure is not None:
        return Outcome(
            record.key, failure.code, failure.fits, (None,) * len(objectives), failure.message
        )
    return Outcome(
        record.key, "", True, tuple(record.measures.get(n.removeprefix("-")) for n in objectives)
    )
