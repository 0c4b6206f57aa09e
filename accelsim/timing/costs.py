"""Times of every command in ticks, from the units' own closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.program.table import Program, Shapes

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Times:
    """Ticks from the issue, one entry a command: unit busy, first result, last result."""

    interval: Ints
    first: Ints
    last: Ints

    def take(self, rows: Ints) -> Times:
        """Some of them, in any order."""
        return Times(self.interval[rows], self.first[rows], self.last[rows])


def shape_rows(shapes: Shapes, chosen: NDArray[np.bool_]) -> Shapes:
    """The shape rows picked by a mask."""
    return Shapes(*(getattr(shapes, item.name)[chosen] for item in fields(Shapes)))


def command_times(
    program: Program, chip: Chip, activity: Mapping[str, NDArray[np.float64]] | None = None
) -> Times:
    """Ask every unit for the times of its unique shapes and spread them over the commands. activity:
    per-command columns from the values; "repeated": vectors read again, a whole number more of m."""
    repeated = (activity or {}).get("repeated")
    times = shape_times(
        program.shapes, program.unit_kinds, program.tick_hz, chip, repeated is not None
    ).take(program.commands.shape)
    if repeated is not None:
        _lengthen(program, chip, times, repeated)
    return times


def shape_times(
    shapes: Shapes, kinds: tuple[str, ...], tick_hz: int, chip: Chip, measured: bool = False
) -> Times:
    """Times of every shape. kinds: Program.unit_kinds. measured: without what a chip file states of reads again."""
    columns = [np.zeros(len(shapes.kind), np.int64) for _ in range(3)]
    for number, kind in enumerate(kinds):
        chosen = shapes.kind == number
        if not chosen.any():
            continue
        unit = chip.unit_of_kind(kind)
        cost = (unit.measured() if measured else unit).cost(shape_rows(shapes, chosen))
        period = tick_hz // chip.clock_of_kind(kind)
        for column, values in zip(columns, (cost.interval, cost.first, cost.last), strict=True):
            column[chosen] = values * period
    return Times(*columns)


def _lengthen(program: Program, chip: Chip, times: Times, repeated: NDArray[np.float64]) -> None:
    """Times of the commands that read vectors again: those of as many vectors more."""
    shape = program.commands.shape
    rows = np.flatnonzero(repeated)
    for number, kind in enumerate(program.unit_kinds):
        mine = rows[program.shapes.kind[shape[rows]] == number]
        if not len(mine):
            continue
        more = Shapes(
            *(getattr(program.shapes, item.name)[shape[mine]].copy() for item in fields(Shapes))
        )
        more.extents[:, 0] += repeated[mine].astype(np.int64)
        cost = chip.unit_of_kind(kind).measured().cost(more)
        period = program.tick_hz // chip.clock_of_kind(kind)
        for column, values in zip(
            (times.interval, times.first, times.last),
            (cost.interval, cost.first, cost.last),
            strict=True,
        ):
            column[mine] = values * period
