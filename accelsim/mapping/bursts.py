"""What a transfer off chip really moves: whole bursts of every contiguous piece.

Every tensor starts on a burst and lies row-major in its own dimensions, or with its channels innermost (a
matrix column by column), whichever moves fewer bursts over the whole plan; inputs and outputs too, as the
host writes and reads them. A region is as many pieces as it has runs of neighbours, and every piece is
moved in the bursts that its own addresses touch. Constants are laid out before the run in the order of
the plan: a tile of stored weights, like a tile of spilled sums, is one piece that starts on a burst.
On-chip bytes stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.formats import FORMAT_NAMES, get
from accelsim.program.table import Program, TensorRow
from accelsim.units.dram import bursts_touched
from accelsim.workload import Conv2d, Gemm, Workload

Ints = NDArray[np.int64]
RANK = 4
OWN, PIECE, PLANES, TRANSPOSED = range(4)
#: by rank of a tensor, the other order of its axes
OTHER_ORDER = {2: (1, 0, 2, 3), 3: (0, 2, 1, 3), 4: (0, 2, 3, 1)}
_BITS = np.array([get(name).bits for name in FORMAT_NAMES], np.int64)


@dataclass(frozen=True, slots=True)
class Layouts:
    """Of each tensor row: how its regions are given (OWN dimensions, one PIECE, a matrix of a
    convolution's PLANES, TRANSPOSED), its dimensions there, (rows, 4), filters of a group; the row whose
    bytes it shares, and in what other order of axes they may lie, (rows, 4), its own where in none."""

    kind: Ints
    dims: Ints
    filters: Ints
    root: Ints
    other: Ints


@dataclass(frozen=True, slots=True)
class Regions:
    """Of each off-chip operand: offset, extent and dimensions, (operands, 4), and bits an element."""

    offset: Ints
    extent: Ints
    dims: Ints
    bits: Ints

    def ordered(self, axes: Ints) -> Regions:
        """With the axes in another order, (operands, 4)."""
        offset, extent, dims = (
            np.take_along_axis(table, axes, 1) for table in (self.offset, self.extent, self.dims)
        )
        return Regions(offset, extent, dims, self.bits)

    def bursts(self, burst: int) -> Ints:
        """Bursts of ``burst`` bytes that each moves."""
        stride = np.ones_like(self.dims)
        stride[:, :-1] = np.cumprod(self.dims[:, :0:-1], axis=1)[:, ::-1]
        run, outer = np.ones(len(self.bits), np.int64), self.extent.copy()
        whole = np.ones(len(self.bits), bool)
        for axis in range(RANK - 1, -1, -1):  # a run goes on while all of the dimension is taken
            run = np.where(whole, self.extent[:, axis] * stride[:, axis], run)
            outer[whole, axis] = 1
            whole = whole & (self.extent[:, axis] == self.dims[:, axis])
        start = (self.offset * stride).sum(axis=1)
        return _pieces(
            start * self.bits, run * self.bits, outer, stride * self.bits[:, None], burst * 8
        )


def in_bursts(program: Program, chip: Chip, workload: Workload) -> Program:
    """The Program with the bytes of every off-chip operand in whole bursts."""
    o = program.operands
    far = np.flatnonzero(o.memory == [row.name for row in program.memories].index(chip.dma.memory))
    if not len(far):
        return program
    burst = chip.dram.burst
    moved = burst * _bursts(program, layouts(program.tensors, workload), far, burst)
    size = o.bytes.copy()
    size[far] = moved
    return replace(program, operands=replace(o, bytes=size))


def layouts(tensors: tuple[TensorRow, ...], workload: Workload) -> Layouts:
    """How the tensors of a Program lie off chip."""
    count = len(tensors)
    kind, filters, root = np.full(count, OWN), np.ones(count, np.int64), np.arange(count)
    dims, other = np.ones((count, RANK), np.int64), np.tile(np.arange(RANK), (count, 1))
    for number, row in enumerate(tensors):
        op = workload.operators[row.operator] if row.operator >= 0 else None
        shape, rank = row.shape, len(row.shape)
        if row.view_of >= 0:
            root[number] = root[row.view_of]
        if row.view == "sums" or (row.view == "weight" and row.view_of < 0) or rank > RANK:
            kind[number] = PIECE
            continue
        if row.view == "weight" and isinstance(op, Gemm) and op.weight_transposed:
            kind[number], shape = TRANSPOSED, (shape[0], shape[2], shape[1])
        elif row.view == "matrix" and isinstance(op, Conv2d):
            plane = op.out_height * op.out_width
            kind[number], shape, filters[number] = PLANES, (op.batch, op.filters, plane), op.n
            rank = RANK
        dims[number, : len(shape)] = shape
        if row.view in ("", "matrix", "weight") and rank in OTHER_ORDER:
            other[number] = OTHER_ORDER[rank]
    for number, row in enumerate(tensors):  # a view that counts elements keeps its bytes row-major
        if row.view not in ("", "matrix", "weight", "lowered"):
            other[root == root[number]] = np.arange(RANK)
    return Layouts(kind, dims, filters, root, other)


def _bursts(program: Program, where: Layouts, far: Ints, burst: int) -> Ints:
    """Bursts that each of those operands moves."""
    o = program.operands
    tensor, size = o.tensor[far], o.bytes[far]
    regions = _regions(o.offset[far], o.extent[far], where, tensor, _BITS[o.format[far]])
    found = -(-size // burst)
    fits = np.flatnonzero(
        (where.kind[tensor] != PIECE)
        & (-(-regions.extent.prod(axis=1) * regions.bits // 8) == size)
        & (regions.offset + regions.extent <= regions.dims).all(axis=1)
    )
    regions = Regions(
        *(table[fits] for table in (regions.offset, regions.extent, regions.dims, regions.bits))
    )
    first = regions.bursts(burst)
    second = regions.ordered(where.other[tensor[fits]]).bursts(burst)
    root = where.root[tensor[fits]]
    gain = np.zeros(len(program.tensors), np.int64)
    np.add.at(gain, root, first - second)
    found[fits] = np.where(gain[root] > 0, second, first)
    return found


def _regions(offset: Ints, extent: Ints, where: Layouts, tensor: Ints, bits: Ints) -> Regions:
    """Regions in the dimensions in which the tensors lie."""
    offset, extent, dims = offset.copy(), extent.copy(), where.dims[tensor]
    swap = np.flatnonzero(where.kind[tensor] == TRANSPOSED)
    for table in (offset, extent):
        table[swap, 1], table[swap, 2] = table[swap, 2], table[swap, 1].copy()
    conv = np.flatnonzero(
        where.kind[tensor] == PLANES
    )  # (group, m, n) of (image, channel, position)
    (g, m, n, _), (groups, rows, wide, one) = offset[conv].T, extent[conv].T
    plane = dims[conv, 2]
    images, inside = -(-rows // plane), np.minimum(rows, plane)
    channel = g * where.filters[tensor[conv]] + n
    offset[conv] = np.stack([m // plane, channel, m % plane, 0 * m], axis=1)
    extent[conv] = np.stack([images, groups * wide, inside, one], axis=1)
    return Regions(offset, extent, dims, bits)


def _pieces(start: Ints, run: Ints, outer: Ints, stride: Ints, burst: int) -> Ints:
    """Bursts (of ``burst`` bits) of the runs of each region: outer (regions, 4) is how many there are
    along each dimension, stride (regions, 4) the bits between them. The dimension with the most is
    counted in closed form, the others one by one."""
    rows = np.arange(len(outer))
    long = outer.argmax(axis=1)
    count, pitch = outer[rows, long], stride[rows, long]
    rest = outer.copy()
    rest[rows, long] = 1
    lanes = rest.prod(axis=1)
    owner = np.repeat(rows, lanes)
    turn = np.arange(len(owner)) - np.repeat(np.cumsum(lanes) - lanes, lanes)
    first = start[owner]
    for axis in range(RANK - 1, -1, -1):
        turn, place = turn // rest[owner, axis], turn % rest[owner, axis]
        first = first + place * stride[owner, axis]
    found = np.zeros(len(outer), np.int64)
    np.add.at(found, owner, bursts_touched(first, run[owner], count[owner], pitch[owner], burst))
    return found
