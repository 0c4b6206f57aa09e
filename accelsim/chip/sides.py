"""A chip as operators see it that run on one of its units that multiply.

MAC arrays and crossbars may share a core, or stand in cores of their own with vector units and DMA engines. Each of
them gives a side of the chip: that unit, and what serves it. An operator is planned on one side, under the names of
the whole chip, so that all operators' rows go into one Program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from accelsim.chip.cores import scope_of
from accelsim.chip.routes import MULTIPLIERS, graph
from accelsim.chip.seen import SERVING, nearest

if TYPE_CHECKING:
    from accelsim.chip.chip import Chip
    from accelsim.units.base import Unit


def sides(chip: Chip) -> Mapping[str, Chip]:
    """The side of every unit that multiplies, by the unit's name, in the order of the file: the chip with no other such
    unit, with the vector units and DMA engines of the nearest core around it that has some; with weights as its core
    has them. The chip itself where that is all it has."""
    units = [unit for unit in chip.units.values() if unit.part in MULTIPLIERS]
    return {unit.name: _side(chip, unit) for unit in units}


def _side(chip: Chip, unit: Unit) -> Chip:
    scope = scope_of(unit.name)
    kept = [unit, *(one for part in SERVING for one in nearest(chip, scope, part))]
    weights = chip.weights_of(scope)
    if len(kept) == len(chip.units) and weights == chip.weights:
        return chip
    names = {one.name for one in kept}
    made = replace(
        chip,
        units={name: one for name, one in chip.units.items() if name in names},
        weights=weights,  # type: ignore[arg-type]
        core_weights={},
    )
    made.memo["graph"] = graph(chip)  # instances and ways are those of the whole chip
    return made
