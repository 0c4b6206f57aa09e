"""Parts of the on-chip buffers for operators that run at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from accelsim.chip import Chip
from accelsim.mapping.assemble import OPERAND_COLUMNS, Segment


@dataclass(frozen=True, slots=True)
class Areas:
    """chip: with memories of one part's size, for which operators are planned. part: the number of an
    operator's part, by name."""

    chip: Chip
    part: Mapping[str, int]

    def placed(self, segment: Segment, operator: str, memories: Mapping[str, int]) -> Segment:
        """The operator's segment in its part. memories: rows by name."""
        unit, vector = self.chip.crossbar, self.chip.vector_unit
        assert unit is not None
        return moved(
            segment,
            {
                memories[name]: self.part[operator] * self.chip.memories[name].size
                for name in {unit.input, unit.output, vector.input, vector.output}
            },
        )


def moved(segment: Segment, offsets: Mapping[int, int]) -> Segment:
    """The segment with its addresses in some memories (by row) moved up by so many bytes."""
    operands = segment.operands.copy()
    memory, address = (OPERAND_COLUMNS.index(name) for name in ("memory", "address"))
    for row, offset in offsets.items():
        operands[address, operands[memory] == row] += offset

    def shifted(item: Any) -> Any:
        offset = offsets.get(item.memory, 0)
        return replace(item, start=item.start + offset, end=item.end + offset)

    return replace(
        segment,
        operands=operands,
        entries=[shifted(item) for item in segment.entries],
        exits=[shifted(item) for item in segment.exits],
    )
