"""Area of what has a sourced constant: multipliers, adders, registers, cells, converters, SRAM banks.

Vector units, DMA, control, wires and the off-chip interface have none and are left out; a total
is therefore a lower bound, and is called one where it is shown.
"""

from __future__ import annotations

from dataclasses import replace

from accelsim.chip import Chip
from accelsim.chip.machine import copies
from accelsim.constants.price import AreaRow


def area(chip: Chip) -> list[AreaRow]:
    """Rows that add up to the area known. A family without area rows gives no logic."""
    rows: list[AreaRow] = []
    for unit in chip.units.values():
        standing = chip.standing(unit.name)
        rows += [
            row if standing == 1 else replace(row, area=standing * row.area)
            for row in unit.areas(chip.technology)
        ]
    for memory in chip.memories.values():
        rows += memory.areas(chip.technology, copies(chip, memory))
    return rows


__all__ = ["AreaRow", "area"]
