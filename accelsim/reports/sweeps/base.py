"""What a plot is given and what it gives back. docs/adding_a_plot.md is the guide."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from accelsim.errors import InputError
from accelsim.reports.sweeps.context import Context, better_when_larger
from accelsim.reports.sweeps.statistics import designs_of
from accelsim.reports.sweeps.table import JOIN, Bools, Floats, Ints, Table, joined
from accelsim.results.result import Result
from accelsim.store import Point

Rerun = Callable[[Point], Result]


class NotDrawn(Exception):
    """A store cannot answer a plot's question; the text says why, in one line."""


@dataclass(frozen=True)
class View:
    """A sweep as plots see it. points: as stored. context: the question. rerun: runs a point again for
    plots that need its Timeline; None where that is not possible,
    for the reason why_no_rerun. letters: that other designs have before this view's. All of it is read
    only."""

    points: Table
    context: Context
    rerun: Rerun | None = None
    why_no_rerun: str = "the sweep's files are not at hand"
    letters: int = 0

    @property
    def without_rerun(self) -> str:
        """The reason of plots that need a rerun."""
        return f"needs its designs run again, and {self.why_no_rerun}"

    def run(self, row: int) -> Result:
        """A design run again, each once. NotDrawn where that is not possible."""
        held: dict[int, Result] = self.__dict__.setdefault("_held", {})
        if row not in held:
            if self.rerun is None:
                raise NotDrawn(self.without_rerun)
            try:
                held[row] = self.rerun(self.designs.point(row))
            except InputError as error:
                raise NotDrawn(f"a design cannot be run again: {error.problems[0]}") from None
        return held[row]

    @cached_property
    def designs(self) -> Table:
        """Points that differ in the seed alone as one row, with confidence intervals. Axes of keys that do
        not determine each other are a column of their own, "KEY+KEY"."""
        return joined(designs_of(self.points), self.context.axes)

    @cached_property
    def cut(self) -> Bools:
        """(designs,) which break a constraint. One whose measure is not known breaks it."""
        found = np.zeros(len(self.designs), bool)
        for name, sign, bound in self.context.constraints:
            if name == "fits":
                found |= ~self.designs.fits
                continue
            value = self.designs.measure(name)
            with np.errstate(invalid="ignore"):
                found |= ~(value <= bound if sign == "<=" else value >= bound)
        return found

    @cached_property
    def good(self) -> Bools:
        """(designs,) that have measures and break no constraint."""
        return self.designs.ok & ~self.cut

    def varied(self, rows: Bools | None = None) -> list[str]:
        """Keys with two values or more among rows (default: all designs), in the sweep's order. Of keys that
        always change together only the first."""
        if rows is None:
            return list(self._varied)
        designs = self.designs
        axes = {JOIN.join(axis): axis for axis in self.context.axes}
        named = [
            key for name, axis in axes.items() for key in ([name] if name in designs.sets else axis)
        ]
        inner = {
            key
            for name, axis in axes.items()
            if name in designs.sets
            for key in axis
            if name != key
        }
        order = [
            key
            for key in dict.fromkeys([*named, *sorted(designs.sets)])
            if key in designs.sets and key not in inner
        ]
        kept: list[str] = []
        groups: list[tuple[Ints, int]] = []
        for key in order:
            codes = designs.sets[key].codes[rows].astype(np.int64) + 1
            size = len(designs.sets[key].values) + 1
            count = _different(codes, size)
            if count < 2:
                continue
            if any(
                _different(held * size + codes, other * size) == count == _different(held, other)
                for held, other in groups
            ):
                continue
            kept.append(key)
            groups.append((codes, size))
        return kept

    @cached_property
    def _varied(self) -> list[str]:
        return self.varied(np.ones(len(self.designs), bool))

    def cost(self, objective: str) -> Floats:
        """(designs,) the objective, smaller being better."""
        value = self.designs.measure(objective.lstrip("-"))
        return -value if better_when_larger(objective) else value

    def best(self, objective: str, rows: Bools) -> int | None:
        """The one of rows that is best in an objective, of equals the best in the sweep's first objective, then
        the first; None where none has it."""
        cost = np.where(rows, self.cost(objective), np.nan)
        if not np.isfinite(cost).any():
            return None
        equal = np.flatnonzero(cost == np.nanmin(cost))
        other = self.cost(self.context.objectives[0])[equal]
        return int(equal[np.nanargmin(other)] if np.isfinite(other).any() else equal[0])


def _different(codes: Ints, size: int) -> int:
    """How many different numbers below size there are."""
    return int(np.count_nonzero(np.bincount(codes))) if size < 1 << 20 else len(np.unique(codes))


@dataclass(slots=True)
class Drawn:
    """A picture with its points.

    figure: a matplotlib Figure, None for a table only. head, rows: the points that are seen, units in
    the head; no NaN (leave the cell empty, ""). answer: what the picture shows, one sentence computed
    from the points. boundary: "device", "core", "chip" or several, "" without joules. notes: what a reader
    must know (what is left out, how it was computed). chips: names of bases in the picture, works:
    of workloads; empty: all. table: head and lines for the page, of a plot without a picture.
    """

    figure: Any
    head: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    answer: str
    boundary: str = ""
    notes: Sequence[str] = ()
    chips: Sequence[str] = ()
    works: Sequence[str] = ()
    table: tuple[Sequence[str], Sequence[Sequence[str]]] | None = None


class Plot(ABC):
    """One kind of picture of a sweep; the class has no state.

    name: what --plot takes, a-z and _. title: of the picture. question: what it answers, one sentence.
    options: what may follow the name after a colon, for messages; "" where nothing may.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    options: ClassVar[str] = ""

    @abstractmethod
    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        """The picture of a sweep.

        view: read only. options: words after the name ("heatmap:KEY,KEY,MEASURE"), stripped; a wrong one is
        an InputError. NotDrawn with a one-line reason where the store cannot answer. The same view gives the
        same bytes. Text is 8 pt or larger, the figure as wide as style.COLUMN_INCHES; technologies differ
        in shape or hatch as well as colour; axes carry units. The caption is added by the caller.
        """
