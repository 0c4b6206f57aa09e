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

from accelsim.chip import Chip
from accelsim.mapping.cores import adds_up
from accelsim.mapping.mapping import Geometry, Mapping, array_for, slots_of
from accelsim.mapping.tilings.default import choose_mapping, counts_of, legal, own_best
from accelsim.mapping.tilings.estimate import Floats
from accelsim.mapping.tilings.setting import Task, Variant
from accelsim.mapping.tilings.tables import Tilings
from accelsim.units.dataflows import dataflows

Objective = Literal["cycles", "energy", "edp"]
OBJECTIVES: tuple[str, ...] = ("cycles", "energy", "edp")
BUDGET = 12  # engine runs an operator
FULL_RUN = 250  # passes of a mapping whose run counts as a whole one; shorter ones count for less
CHEAPEST = 0.05
HOPELESS = 1.5  # times the best figure found: tilings that are estimated above are not run


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
    task: Task,
    measure: Measure,
    rates: Rates,
    objective: str = "cycles",
    budget: int = BUDGET,
    seeds: tuple[Mapping, ...] = (),
) -> Found:
    """The best mapping of one operator that ``budget`` engine runs find (runs of few passes count
    for a part of one).

    seeds: mappings to try first, as those found for a smaller chip. InputError as choose_mapping.
    """
    default = choose_mapping(task)
    trial = _Trial(task, measure, objective, default)
    for mapping in seeds:
        trial.run(mapping)
    sets, own = [], 0
    for variant in variants(task.chip):
        best = own_best(task, variant)
        if best is None:
            sets.append(Tilings(task, variant, more=True))
        else:
            own += sum(trial.run(mapping) for mapping in best)
    which = [s.ordered(np.flatnonzero(s.columns.fits)) for s in sets]
    pairs = list(zip(sets, which, strict=True))
    guess = np.concatenate([estimates(s, rates, objective)[at] for s, at in pairs])
    bound = np.concatenate([bounds(s, rates, objective)[at] for s, at in pairs])
    passes = np.concatenate([s.columns.passes[at] for s, at in pairs])
    offsets = np.cumsum([0, *(len(at) for at in which)])
    runs, lowest = 0.0, bound.min(initial=np.inf)
    complete = not own  # of a dataflow's own ones only the best is tried
    for index in _order(guess, passes):
        value = trial.best_run.value(objective)
        if value <= lowest:
            break
        if bound[index] >= value:
            continue
        if runs >= budget or guess[index] > value * HOPELESS:
            complete = False
            break
        part = int(np.searchsorted(offsets, index, side="right")) - 1
        if trial.run(sets[part].mapping(which[part][index - offsets[part]])):
            runs += min(1.0, max(CHEAPEST, float(passes[index]) / FULL_RUN))
    return Found(
        trial.best,
        trial.best_run.cycles,
        trial.best_run.joules,
        trial.start.cycles,
        trial.start.joules,
        min(
            [
                trial.best_run.cycles,
                *(float(s.columns.bound[at].min()) for s, at in pairs if len(at)),
            ]
        ),
        len(guess),
        len(trial.done),
        complete,
    )


class _Trial:
    """The best mapping so far, and what was run."""

    def __init__(self, task: Task, measure: Measure, objective: str, default: Mapping) -> None:
        self.task, self.measure, self.objective = task, measure, objective
        self.best, self.tried = default, {default}
        self.start = self.best_run = measure(default)
        self.done = {work_of(task.geometry, default)}

    def run(self, mapping: Mapping) -> bool:
        """Try a mapping; whether it is a legal one that was not seen."""
        if mapping in self.tried or not legal(self.task, mapping):
            return False
        self.tried.add(mapping)
        same = work_of(self.task.geometry, mapping)
        if same not in self.done:
            self.done.add(same)
            run = self.measure(mapping)
            if run.value(self.objective) < self.best_run.value(self.objective):
                self.best, self.best_run = mapping, run
        return True


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


def _order(guess: Floats, passes: Floats) -> Iterator[int]:
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


def variants(chip: Chip) -> list[Variant]:
    """What to try: the chip's own first; slots never more than the buffers keep."""
    array = chip.array
    own = [slots_of(chip, name) for name in (array.input, array.weight, array.output)]
    able = [flow for flow in dataflows().values() if not flow.refuses(array)]
    known = sorted(able, key=lambda flow: flow.name != array.dataflow)
    slots = [(own[0], own[1], own[2])]
    if max(own) > 1:
        slots.append((1, 1, 1))
    dealt = [("", 0)]
    if array.count > 1:
        splits = ["", *(s for s in "mnk" if s != array.split)]
        counts = [0, *(count for count in counts_of(array.count) if count < array.count)]
        dealt = [
            (s, c)
            for c in counts
            for s in (splits if c != 1 else [""])
            if adds_up(chip, array_for(array, s, c))
        ]
    return [
        Variant(flow.number, slot, split, count)
        for flow, slot, (split, count) in product(known, slots, dealt)
    ]


def estimates(tilings: Tilings, rates: Rates, objective: str) -> Floats:
    """What ranks the tilings."""
    t = tilings.columns
    joules = t.moved * rates.far + t.near * rates.near + t.cycles * rates.cycle
    return _value(objective, t.cycles, joules)


def bounds(tilings: Tilings, rates: Rates, objective: str) -> Floats:
    """What no schedule beats: off-chip bytes and static energy are certain, the rest is not."""
    t = tilings.columns
    return _value(objective, t.bound, t.certain * rates.far + t.bound * rates.cycle)


def _value(objective: str, cycles: Floats, joules: Floats) -> Floats:
    if objective == "cycles":
        return cycles
    return joules if objective == "energy" else cycles * joules
