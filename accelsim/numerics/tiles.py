"""Tile passes as rows: what each computes, and which rows may be computed together.

Rows are merged only from what stands in them: neighbours with the same output box and adjoining k
ranges, then adjoining n or m ranges. Integers without saturation give the same sums whatever the
order, so a merged product is exact; a row that was altered simply does not adjoin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.program.coverage import groups_of
from accelsim.program.opcodes import Flag
from accelsim.program.table import Program

Ints = NDArray[np.int64]
G, M, N, K = 0, 1, 2, 3


@dataclass(slots=True)
class Boxes:
    """Columns over (merged) passes. low, size: (passes, 4) over (group, m, n, k). flags: Flag
    bits. sums: tensor row of the sums (third operand). first_row: the command it stems from."""

    low: Ints
    size: Ints
    flags: Ints
    sums: Ints
    first_row: Ints

    def __len__(self) -> int:
        return len(self.flags)

    @property
    def macs(self) -> int:
        """Products of all boxes."""
        return int(np.prod(self.size, axis=1, dtype=np.int64).sum())


def boxes_of(program: Program, rows: Ints) -> Boxes:
    """The boxes that MATMUL or MVM rows compute: m, n from the third operand, k from the first
    and second where all agree; the shape's extents say how much of it."""
    o = program.operands
    entry = o.start[rows]
    extents = program.shapes.extents[program.commands.shape[rows]]
    low = np.stack(
        [o.offset[entry + 2, 0], o.offset[entry, 1], o.offset[entry + 1, 2], o.offset[entry, 2]],
        axis=1,
    )
    size = np.stack([groups_of(program, rows), extents[:, 0], extents[:, 1], extents[:, 2]], axis=1)
    return Boxes(low, size, program.commands.flags[rows], o.tensor[entry + 2], rows)


def _joined(boxes: Boxes, follows: NDArray[np.bool_], axis: int) -> Boxes:
    """Boxes with every run of followers merged along an axis; flags of the run are or-ed."""
    start = np.flatnonzero(~follows)
    size = boxes.size[start].copy()
    size[:, axis] = np.add.reduceat(boxes.size[:, axis], start)
    flags = np.bitwise_or.reduceat(boxes.flags, start)
    return Boxes(boxes.low[start], size, flags, boxes.sums[start], boxes.first_row[start])


def _adjoin(boxes: Boxes, axis: int) -> NDArray[np.bool_]:
    """Whether each box continues the one before it along an axis and is equal otherwise."""
    follows = np.zeros(len(boxes), bool)
    if len(boxes) < 2:
        return follows
    low, size = boxes.low, boxes.size
    others = [x for x in range(4) if x != axis]
    same = (low[1:, others] == low[:-1, others]).all(axis=1)
    same &= (size[1:, others] == size[:-1, others]).all(axis=1)
    same &= low[1:, axis] == low[:-1, axis] + size[:-1, axis]
    follows[1:] = same & (boxes.sums[1:] == boxes.sums[:-1])
    return follows


def merged(boxes: Boxes) -> Boxes:
    """Fewer, larger boxes with the same sums, for arithmetic that does not depend on order."""
    if len(boxes) == 0:
        return boxes
    begins = (boxes.flags & Flag.FIRST_K) != 0
    ends = (boxes.flags & Flag.LAST_K) != 0
    follows = _adjoin(boxes, K) & ~begins
    follows[1:] &= ~ends[:-1]
    boxes = _joined(boxes, follows, K)
    for axis in (N, M):
        follows = _adjoin(boxes, axis)
        follows[1:] &= boxes.flags[1:] == boxes.flags[:-1]
        boxes = _joined(boxes, follows, axis)
    return boxes
