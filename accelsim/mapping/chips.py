"""What a chip file can say and no mapping uses yet: refused, never left aside."""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.errors import Problem


def unmapped(chip: Chip) -> list[Problem]:
    """Keys of the chip that no Program would make use of."""
    return [
        Problem(
            "mapping.chip",
            f"{name} is filled from {memory.behind}, and no mapping uses memory between a buffer and off-chip "
            "memory yet",
            f"leave {memory.behind} and the key behind out to run this chip",
            path=f"memories.{name}.behind",
            file=chip.source,
        )
        for name, memory in chip.memories.items()
        if memory.behind and chip.memories[memory.behind].part != "dram"
    ]
