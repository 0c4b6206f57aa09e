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


def shape_rows(shapes: Shapes, chosen: NDArray[np.bool_]) -> Shapes:
    """The shape rows picked by a mask."""
    return Shapes(*(getattr(shapes, item.name)[chosen] for item in fields(Shapes)))


def command_times(
    program: Program, chip: Chip, activity: Mapping[str, NDArray[np.float64]] | None = None
) -> Times:
    """Ask every unit for the times of its unique shapes and spread them over the commands. activity:
    per-command columns from the values; "repeated": vectors read again, a whole number more of m."""
    repeated = (activity or {}).get("repeated")
    shapes = program.shapes
    rows = len(shapes.kind)
    columns = [np.zeros(rows, np.int64) for _ in range(3)]
    for number, kind in enumerate(program.unit_kinds):
        chosen = shapes.kind == number
        if not chosen.any():
            continue
        unit = chip.unit_of_kind(kind)
        cost = (unit if repeated is None else unit.measured()).cost(shape_rows(shapes, chosen))
        period = program.tick_hz // chip.clock_of_kind(kind)
        for column, values in zip(columns, (cost.interval, cost.first, cost.last), strict=True):
            column[chosen] = values * period
    shape = program.commands.shape
    times = Times(*(column[shape] for column in columns))
    if repeated is not None:
        _lengthen(program, chip, times, repeated)
    return times


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
