"""Lower bounds on the makespan: each unit's work, each port's bytes, the longest chain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from accelsim.errors import ConservationError
from accelsim.program.repeats import spans
from accelsim.program.table import Program
from accelsim.timing.timeline import Timeline


def lower_bounds(program: Program, timeline: Timeline) -> dict[str, int]:
    """Ticks that no schedule of these commands can beat, by the unit or port that sets them."""
    busy = np.zeros(len(program.units), np.int64)
    for part in spans(program):
        here = slice(part.first, part.stop)
        np.add.at(busy, program.commands.unit[here], timeline.interval[here])
    bounds = {row.name: int(ticks) for row, ticks in zip(program.units, busy, strict=True)}
    for row, ticks in zip(program.ports, timeline.port_busy.tolist(), strict=True):
        bounds[row.name] = int(ticks)
    return bounds


def check_bounds(program: Program, timeline: Timeline) -> None:
    """Raise ConservationError when the makespan is below a lower bound."""
    hold_bounds(lower_bounds(program, timeline), timeline.makespan)


def hold_bounds(bounds: Mapping[str, int], makespan: int) -> None:
    """Raise ConservationError when a makespan is below one of them."""
    for name, ticks in bounds.items():
        if makespan < ticks:
            raise ConservationError(
                f"the makespan of {makespan} ticks is below {name}'s own {ticks}"
            )
