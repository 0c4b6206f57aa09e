"""A sweep's points: how many there are, and which, in one fixed order.

Order: bases, workloads, axes as the file lists them (the last fastest), seeds. Samples come in their own
order in place of the axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, product

import numpy as np
from numpy.typing import NDArray

from accelsim.config.sweep_combinations import (
    HOMES,
    MOST_POINTS,
    SEARCH,
    Combinations,
    TooMany,
    applies,
    combinations,
)
from accelsim.errors import InputError, Problem
from accelsim.noise import Stream
from accelsim.store.measures import MEASURES
from accelsim.store.record import Point
from accelsim.store.spec import Base, Plain, SweepSpec, Work

Sets = tuple[tuple[str, Plain], ...]


def count(spec: SweepSpec) -> int:
    """How many points there are; a grid of any size is counted, not listed. InputError when there are
    more than 4,000,000, or none."""
    try:
        total = _count(spec)
    except TooMany:
        raise _refused(spec, f"makes more than {MOST_POINTS:,} points") from None
    if total > MOST_POINTS:
        raise _refused(spec, f"makes {total:,} points, at most {MOST_POINTS:,} are run")
    if total == 0:
        raise InputError(
            Problem("sweep.empty", "leaves no point to run", "exclude less", "exclude", spec.source)
        )
    return total


def _refused(spec: SweepSpec, message: str) -> InputError:
    file, line, column = (
        spec.axes[0].places[0] if spec.axes and spec.axes[0].places else (spec.source, 0, 0)
    )
    return InputError(
        Problem(
            "sweep.points",
            message,
            "vary less, or sample: {sobol: 1024}",
            "vary",
            file,
            line,
            column,
        )
    )


def _count(spec: SweepSpec) -> int:
    drawn = spec.points * len(spec.works) * sum(len(seeds_of(spec, base)) for base in spec.bases)
    if drawn > MOST_POINTS:
        return drawn
    total = 0
    for base in spec.bases:
        seeds = len(seeds_of(spec, base))
        if spec.sampling != "grid":
            total += seeds * sum(len(list(_samples(spec, base, work))) for work in spec.works)
            continue
        by_work = _by_work(spec)
        first = 0
        for number, work in enumerate(spec.works):
            if number == 0 or by_work:
                first = combinations(spec, base, work.name).count()
            total += seeds * first
    return total


def _by_work(spec: SweepSpec) -> bool:
    """Whether workloads differ in their combinations."""
    return any(key == "workload" for rule in spec.exclude for key, _ in rule)


def points(spec: SweepSpec) -> Iterator[Point]:
    """Every point, each once. The order is fixed."""
    for base in spec.bases:
        seeds = seeds_of(spec, base)
        for work in spec.works:
            name = work.name
            for sets, search in _designs(spec, base, work):
                for seed in seeds:
                    yield Point(base.name, name, sets, search, seed)


def seeds_of(spec: SweepSpec, base: Base) -> range:
    """Seeds of every design of a base: several only where something that is measured is random."""
    random = (
        base.analog
        and spec.values is not None
        and any(MEASURES[name].random for name in spec.measures)
    )
    return range(spec.seed, spec.seed + (spec.repeats if random else 1))


def _designs(spec: SweepSpec, base: Base, work: Work) -> Iterator[tuple[Sets, str | None]]:
    searched = any(SEARCH in axis.keys for axis in spec.axes if applies(axis, base))
    homes = ((HOMES, spec.homes),) if spec.homes else ()
    for pairs in _samples(spec, base, work) if spec.sampling != "grid" else _grid(spec, base, work):
        varied = list(chain.from_iterable(pairs))
        said = () if any(key == HOMES for key, _ in varied) else homes
        flat = sorted((*said, *varied), key=_key)
        yield _split(flat, spec) if searched else (tuple(flat), spec.search)


def _key(pair: tuple[str, Plain]) -> str:
    return pair[0]


def _split(flat: list[tuple[str, Plain]], spec: SweepSpec) -> tuple[Sets, str | None]:
    """Sets without the run's own key, and that."""
    own = [value for key, value in flat if key == SEARCH]
    search = spec.search if not own else None if own[0] in (None, "none") else str(own[0])
    return tuple(pair for pair in flat if pair[0] != SEARCH), search


def _grid(spec: SweepSpec, base: Base, work: Work) -> Iterator[tuple[Sets, ...]]:
    found = combinations(spec, base, work.name)
    return product(*(axis.pairs for axis in found.axes)) if found.plain else found.walk()


def _samples(spec: SweepSpec, base: Base, work: Work) -> Iterator[tuple[Sets, ...]]:
    """The samples' steps on one base, each combination once. Every base and workload sees the same
    samples, so that they differ in nothing else."""
    return samples(spec, combinations(spec, base, work.name))


def samples(spec: SweepSpec, found: Combinations) -> Iterator[tuple[Sets, ...]]:
    """The samples' steps that a base's combinations allow, each once."""
    steps = _steps(spec, found)
    if steps.shape[1]:
        _, first = np.unique(steps, axis=0, return_index=True)
        steps = steps[np.sort(first)]
    else:
        steps = steps[:1]
    seen = set()
    for row in steps.tolist():
        chosen = found.chosen(row)
        if chosen is None:
            continue
        key = tuple(map(id, chosen))
        if key not in seen:
            seen.add(key)
            yield chosen


def _steps(spec: SweepSpec, found: Combinations) -> NDArray[np.int64]:
    """(samples, axes of the base): which step of each axis a sample takes."""
    cube = _unit_cube(
        spec.sampling, spec.points, max(1, len(spec.axes)), spec.sample_seed, spec.source
    )
    unit = cube[:, [axis.number for axis in found.axes]]
    sizes = np.array([len(axis.pairs) for axis in found.axes], np.int64)
    return np.minimum((unit * sizes).astype(np.int64), sizes - 1)


@lru_cache(maxsize=2)
def _unit_cube(
    sampling: str, number: int, axes: int, seed: int, source: str
) -> NDArray[np.float64]:
    """(number, axes) numbers in [0, 1), a function of the sampling's seed alone."""
    if sampling == "random":
        return Stream(seed, ("sweep",)).uniform((number, axes))
    try:
        from scipy.stats import qmc
    except ImportError:
        raise InputError(
            Problem(
                "sweep.scipy",
                "Sobol samples need scipy",
                "pip install 'accelsim[sampling]', or sample: {random: 100}",
                "sample",
                source,
            )
        ) from None
    power = max(0, (number - 1).bit_length())
    cube = qmc.Sobol(axes, scramble=True, seed=seed).random_base2(power)
    return np.asarray(cube[:number], np.float64)
