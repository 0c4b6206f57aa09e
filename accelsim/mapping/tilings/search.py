"""Mappings of one operator that a search tries: tile sizes, loop orders, dataflow, split over arrays, slots, residency.

Every tiling has an estimate, which ranks it, and a lower bound, which no schedule of it beats. Sizes do not depend on
the buffers, so a larger buffer only adds candidates. Nothing is random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from accelsim.chip import Chip
from accelsim.mapping.mapping import Geometry, Mapping, slots_of
from accelsim.mapping.tilings.default import counts_of, legal, own_best
from accelsim.mapping.tilings.near import CHOICES, Limits, Near, Rates
from accelsim.mapping.tilings.setting import Setting, Task, Variant, setting_of
from accelsim.mapping.tilings.tables import Tilings
from accelsim.units.dataflows import dataflows

HOPELESS = 1.5  # times the best estimate: tilings that are estimated above are not tried
SLACK = 0.01  # part of the best figure by which estimates may be off, beside what runs show of them, at first


@dataclass(frozen=True, slots=True)
class Found:
    """The best mapping. cycles: that it adds to the workload's; default_cycles: that the default mapping added.
    bound_cycles: alone, no mapping searched takes fewer. seen: candidates; tried: of them, in runs."""

    mapping: Mapping
    cycles: float
    default_cycles: float
    bound_cycles: float
    seen: int
    tried: int


class Proposals:
    """Mappings of one operator to try, one after the other, as the figures of those before have it.

    rates: what the figure is made of, as far as the estimate knows it. first: the mapping that it has. value: its
    figure, of ``count`` equal operators together. seeds: to try before all others. off: what figures were above
    estimates, at least.
    """

    def __init__(
        self,
        task: Task,
        rates: Rates,
        first: Mapping,
        value: float,
        count: int = 1,
        seeds: tuple[Mapping, ...] = (),
    ) -> None:
        self.task, self.rates, self.count = task, rates, count
        self.best, self.value = first, value
        self.done = {work_of(task.geometry, first)}
        self.guess = self.off = float("nan")
        self._wanted, self._variants = list(seeds), list[tuple[Variant, bool, Setting]]()
        for variant in variants(task.chip):
            own = own_best(task, variant)
            self._wanted += own or []
            if own is None:
                self._variants.append((variant, True, setting_of(task, variant)))
        self._rank()

    def _rank(self) -> None:
        sets = [Tilings(self.task, *each) for each in self._variants]
        self.seen = sum(CHOICES * one.size for one in sets)
        self.bound_cycles = min((one.bound for one in sets), default=0.0)
        near, best = list[Near](), np.inf
        for one in sets:
            limits = Limits(HOPELESS * best, HOPELESS, self.value / self.count)
            near.append(one.near(limits, self.rates))
            best = min(best, float(near[-1].value.min(initial=np.inf)))
        self._queue = _queue(self._wanted, sets, near, HOPELESS * best)
        self._ahead = next(self._queue, None)

    def lies(self, turned: tuple[bool, ...]) -> None:
        """How the tensors lie now, as Task has it: where otherwise than before, estimates are others."""
        if turned != self.task.turned:
            self.task = self.task._replace(turned=turned)
            self._wanted = []
            self._rank()

    def next(self, slack: float = SLACK) -> Mapping | None:
        """The next to try; None where none promises less than the best: by its bound, or by its estimate, were that
        off by as little as any was. slack: part of the best figure by which it may be off more."""
        while self._ahead is not None:
            mapping, guess, bound = self._ahead
            if guess * self.count + self.off > self.value * (1 + slack):
                return None
            self._ahead = next(self._queue, None)
            if bound * self.count >= self.value:
                continue
            work = work_of(self.task.geometry, mapping)
            if work not in self.done and legal(self.task, mapping):
                self.done.add(work)
                self.guess = guess * self.count
                return mapping
        return None

    def took(self, mapping: Mapping, value: float) -> None:
        """The figure of a mapping that was tried."""
        off = value - self.guess
        self.off = off if np.isnan(self.off) else min(self.off, off)
        if value < self.value:
            self.best, self.value = mapping, value


def _queue(
    wanted: list[Mapping], sets: list[Tilings], found: list[Near], most: float
) -> Iterator[tuple[Mapping, float, float]]:
    """Mappings with estimate (up to ``most``) and bound, best first, behind those that are ``wanted``. Of those of one
    estimate on equal tiles, which seldom differ, the first."""
    for mapping in wanted:
        yield mapping, float("nan"), 0.0
    if not sets:
        return
    owner = np.repeat(np.arange(len(found)), [len(one.number) for one in found])
    value, bound, moved, passes, number = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("value", "bound", "moved", "passes", "number")
    )
    choice, tile = np.divmod(number, np.array([one.size for one in sets])[owner])
    seen: set[tuple[float, int, int]] = set()
    for at in np.lexsort((choice, tile, owner, passes, moved, value)).tolist():
        part = int(owner[at])
        alike = float(value[at]), part, int(tile[at])
        if alike[0] > most:
            return
        if alike not in seen:
            seen.add(alike)
            yield sets[part].mapping(int(number[at])), alike[0], float(bound[at])


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
        dealt = [(s, c) for c in counts for s in (splits if c != 1 else [""])]
    return [
        Variant(flow.number, slot, split, count)
        for flow, slot, (split, count) in product(known, slots, dealt)
    ]
