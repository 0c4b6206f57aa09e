"""A sweep as a job asks for it: its file with what the job says, its points, and what runs them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from accelsim import jit, shipped
from accelsim.errors import InputError
from accelsim.escaping import file_stem
from accelsim.job.reader import set_texts
from accelsim.job.record import Job
from accelsim.store import Point, SweepSpec
from accelsim.store.folder import SWEEP, context
from accelsim.sweeps.context import context_of
from accelsim.sweeps.drive import Driving, SweepRun, run_sweep
from accelsim.sweeps.executors import executor_named
from accelsim.sweeps.executors.base import EVALUATOR, Executor
from accelsim.sweeps.file import load_sweep
from accelsim.sweeps.identity import identity
from accelsim.sweeps.order import ordered
from accelsim.sweeps.shared import shared
from accelsim.sweeps.space import count, points
from accelsim.sweeps.validate import check

WARM = 50  # points that are worth kernels compiled before


@dataclass(frozen=True, slots=True)
class How:
    """Where and by what a sweep's points are run; none of it changes a figure.

    store: the folder, None for sweep_NAME. workers, executor, address: None for what the file says. fresh: take
    away what the store holds. limit: only the first so many points. evaluator: in the simulator's place, for
    tests.
    """

    store: str | None = None
    workers: int | None = None
    executor: str | None = None
    address: str | None = None
    fail_fast: bool = False
    fresh: bool = False
    limit: int | None = None
    evaluator: str = EVALUATOR


@dataclass(frozen=True, slots=True)
class Asked:
    """A sweep ready to run: spec, its store's folder, its points in their order, who runs them."""

    spec: SweepSpec
    folder: str
    points: list[Point]
    executor: Executor


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    spec: SweepSpec
    run: SweepRun


def asked_of(job: Job, how: How) -> Asked:
    """The sweep of a job; InputError with every problem."""
    assert job.sweep is not None
    path = shipped.find("sweep", job.sweep)
    spec = load_sweep(path, set_texts(job), job)
    folder = how.store or f"sweep_{file_stem(spec.name)}"
    if _checked(Path(folder), spec, job):
        count(spec)
    else:
        check(spec)
    listed = ordered(spec, islice(points(spec), how.limit))
    return Asked(spec, folder, listed, _executor(spec, how))


def run_points(job: Job, how: How) -> Done:
    """Run the points of a job's sweep that its store lacks."""
    asked = asked_of(job, how)
    kept = jit.cache_folder()
    cache = None if kept is None else str(kept.parent / "parts")
    driving = Driving(
        fresh=how.fresh,
        fail_fast=how.fail_fast,
        sets=tuple(set_texts(job)),
        job=shared(job),
        evaluator=how.evaluator,
        cache_folder=cache,
        prepare=how.evaluator == EVALUATOR and len(asked.points) > WARM,
    )
    run = run_sweep(asked.spec, asked.points, asked.folder, asked.executor, driving)
    return Done(asked.spec, run)


def _checked(folder: Path, spec: SweepSpec, job: Job) -> bool:
    """Whether the store was begun by the very same sweep: its chips need not be built again."""
    try:
        wanted = context_of(spec, identity(spec), tuple(set_texts(job)), shared(job))
        same: bool = context(folder) == json.loads(json.dumps(wanted))
        return same and (folder / SWEEP).read_text("utf-8") == spec.text
    except (InputError, OSError, ValueError):
        return False


def _executor(spec: SweepSpec, how: How) -> Executor:
    """What runs the points: options first, then the file, then all cores of this machine."""
    settings = dict(spec.execution)
    own = settings.pop("executor", "local")
    workers = how.workers or settings.pop("workers", None)
    settings.pop("workers", None)
    wanted = "dask" if how.address is not None else how.executor or str(own)
    if wanted != own:
        settings = {}
    if how.address is not None:
        settings["address"] = how.address
    return executor_named(wanted, workers, settings)
