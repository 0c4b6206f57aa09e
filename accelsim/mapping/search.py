"""Searching mappings: tile sizes, loop orders, dataflow, split over arrays, buffering, residency.

Every tiling has an estimate, which ranks it, and a lower bound, which no schedule of it beats. The
best are run, one operator alone, through the event engine and the accounts; a tiling whose bound
is no better than the best figure found is dropped unseen. Sizes do not depend on the buffers, so
a larger buffer only adds candidates. Nothing is random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.mapping.choose import choose_mapping, fits
from accelsim.mapping.mapping import Geometry, Mapping, slots_of
from accelsim.mapping.score import MCut, Scores, Tilings
from accelsim.units.mac_array import DATAFLOW_NAMES

Objective = Literal["cycles", "energy", "edp"]
OBJECTIVES: tuple[str, ...] = ("cycles", "energy", "edp")
BUDGET = 12  # engine runs an operator
FULL_RUN = 250  # passes of a mapping whose run counts as a whole one; shorter ones count for less
CHEAPEST = 0.05


class Run:
    """What one operator takes under a mapping, alone on the chip. account: gives its joules, which
    are only worked out where they are asked for."""

    def __init__(self, cycles: float, account: Callable[[], float]) -> None:
        self.cycles, self._account = cycles, account

    @cached_property
    def joules(self) -> float:
        """Joules at the chip boundary."""
        return self._account()

    def value(self, objective: str) -> float:
        """The number that a search makes small."""
        return (
            self.cycles if objective == "cycles" else value_of(objective, self.cycles, self.joules)
        )


Measure = Callable[[Mapping], Run]


@dataclass(frozen=True, slots=True)
class Rates:
    """Joules that the estimate charges: a byte off chip, a byte on chip, a cycle (static)."""

    far: float
    near: float
    cycle: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best mapping. cycles, joules: of it alone. default_cycles, default_joules: of the default
    mapping. bound_cycles: no mapping searched can beat it. seen: candidates; tried: engine runs;
    complete: whether every other candidate was tried or shown to be no better."""

    mapping: Mapping
    cycles: float
    joules: float
    default_cycles: float
    default_joules: float
    bound_cycles: float
    seen: int
    tried: int
    complete: bool


def value_of(objective: str, cycles: float, joules: float) -> float:
    """The number that a search makes small."""
    if objective == "cycles":
        return cycles
    return joules if objective == "energy" else cycles * joules


def search_operator(
    chip: Chip,
    geometry: Geometry,
    formats: tuple[str, str, str],
    name: str,
    measure: Measure,
    rates: Rates,
    objective: str = "cycles",
    budget: int = BUDGET,
    reserve: int = 0,
    cold: bool = True,
    seeds: tuple[Mapping, ...] = (),
) -> Found:
    """The best mapping of one operator that ``budget`` engine runs find (runs of few passes count
    for a part of one).

    seeds: mappings to try first, as those found for a smaller chip. InputError as choose_mapping.
    """
    default = choose_mapping(chip, geometry, formats, name, reserve, cold)
    start = measure(default)
    best, best_run = default, start
    tried, done = {default}, {work_of(geometry, default)}
    shapes: list[MCut] = []  # the same for every variant
    sets = []
    for flow, slots, split in _variants(chip):
        tilings = Tilings(
            chip, geometry, formats, flow, reserve, cold, slots, split, more=True, shapes=shapes
        )
        shapes = tilings.cuts
        sets.append(tilings.scores())
    guess = np.concatenate([_estimates(s, rates, objective) for s in sets])
    bound = np.concatenate([_bounds(s, rates, objective) for s in sets])
    floor_cycles = min((float(s.bound.min()) for s in sets if len(s.bound)), default=0.0)
    offsets = np.cumsum([0, *(len(s.cycles) for s in sets)])

    def mapping_at(index: int) -> Mapping:
        part = int(np.searchsorted(offsets, index, side="right")) - 1
        return sets[part].mapping(index - int(offsets[part]))

    def legal(mapping: Mapping) -> bool:
        return not fits(chip, geometry, mapping, formats, None if cold else 0, reserve)

    def consider(mapping: Mapping) -> None:
        nonlocal best, best_run
        same = work_of(geometry, mapping)
        if same in done:
            return
        done.add(same)
        run = measure(mapping)
        if run.value(objective) < best_run.value(objective):
            best, best_run = mapping, run

    for mapping in seeds:
        if mapping not in tried and legal(mapping):
            tried.add(mapping)
            consider(mapping)
    passes = np.concatenate([s.passes for s in sets])
    runs, complete = 0.0, True
    for index in _order(guess, passes):
        if bound[index] >= best_run.value(objective):
            continue
        if runs >= budget:
            complete = False
            break
        mapping = mapping_at(index)
        if mapping in tried or not legal(mapping):
            continue
        tried.add(mapping)
        runs += min(1.0, max(CHEAPEST, float(passes[index]) / FULL_RUN))
        consider(mapping)
    return Found(
        best,
        best_run.cycles,
        best_run.joules,
        start.cycles,
        start.joules,
        floor_cycles,
        len(guess),
        len(done),
        complete,
    )


def work_of(geometry: Geometry, mapping: Mapping) -> tuple[object, ...]:
    """What a mapping makes of an operator: mappings that differ only in the order of loops that run once
    have the same Program, and one run speaks for all."""
    sizes = {
        "m": (mapping.m, geometry.m),
        "n": (mapping.n, geometry.n),
        "k": (mapping.k, geometry.k),
    }
    loops = "".join(axis for axis in mapping.order if sizes[axis][0] < sizes[axis][1])
    return loops, mapping.order[2] == "k", replace(mapping, order="mnk")


def _order(guess: NDArray[np.float64], passes: NDArray[np.float64]) -> Iterator[int]:
    """All candidates: two by their estimate, then one by fewest passes, and so on. What the estimate
    does not see, latencies between passes, grows with their number."""
    first = np.lexsort((np.arange(len(guess)), guess))
    second = np.lexsort((guess, passes))
    seen = np.zeros(len(guess), bool)
    for turn in range(len(guess)):
        for index in (*first[2 * turn : 2 * turn + 2].tolist(), int(second[turn])):
            if not seen[index]:
                seen[index] = True
                yield index


def _variants(chip: Chip) -> list[tuple[int, tuple[int, int, int], str]]:
    """(dataflow, slots, split) to try: the chip's own first; slots never more than the buffers
    keep."""
    array = chip.array
    own = [slots_of(chip, name) for name in (array.input, array.weight, array.output)]
    flows = sorted(range(len(DATAFLOW_NAMES)), key=lambda f: DATAFLOW_NAMES[f] != array.dataflow)
    slots = [(own[0], own[1], own[2])]
    if max(own) > 1:
        slots.append((1, 1, 1))
    splits = [array.split, *(s for s in "mnk" if s != array.split)] if array.count > 1 else [""]
    return [
        (flow, slot, "" if split == array.split else split)
        for flow, slot, split in product(flows, slots, splits)
    ]


def _estimates(scores: Scores, rates: Rates, objective: str) -> NDArray[np.float64]:
    joules = scores.moved * rates.far + scores.near * rates.near + scores.guess * rates.cycle
    return _value(objective, scores.guess, joules)


def _bounds(scores: Scores, rates: Rates, objective: str) -> NDArray[np.float64]:
    """What no schedule beats: off-chip bytes and static energy are certain, the rest is not."""
    joules = scores.least * rates.far + scores.bound * rates.cycle
    return _value(objective, scores.bound, joules)


def _value(
    objective: str, cycles: NDArray[np.float64], joules: NDArray[np.float64]
) -> NDArray[np.float64]:
    if objective == "cycles":
        return cycles
    return joules if objective == "energy" else cycles * joules
