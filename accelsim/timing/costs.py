"""Times of every command in ticks, from the units' own closed forms."""

from __future__ import annotations

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


def command_times(program: Program, chip: Chip) -> Times:
    """Ask every unit for the times of its unique shapes and spread them over the commands."""
    shapes = program.shapes
    rows = len(shapes.kind)
    columns = [np.zeros(rows, np.int64) for _ in range(3)]
    for number, kind in enumerate(program.unit_kinds):
        chosen = shapes.kind == number
        if not chosen.any():
            continue
        cost = chip.unit_of_kind(kind).cost(shape_rows(shapes, chosen))
        period = program.tick_hz // chip.clock_of_kind(kind)
        for column, values in zip(columns, (cost.interval, cost.first, cost.last), strict=True):
            column[chosen] = values * period
    shape = program.commands.shape
    return Times(*(column[shape] for column in columns))
