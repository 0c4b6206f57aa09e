"""Parts of the on-chip buffers for operators that run at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from accelsim.chip import Chip
from accelsim.mapping.rows.record import ADDRESS, MEMORY, Segment


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
    for row, offset in offsets.items():
        operands[operands[:, MEMORY] == row, ADDRESS] += offset
    return replace(segment, operands=operands)
