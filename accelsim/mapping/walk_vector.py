"""A vector operator's commands by one walk over its tiles: what emit_vector.py builds from columns.

For operators whose inputs and output have at most four axes and whose inputs are read in proportion;
others keep to emit_vector.py. Written for compiled code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip, Machine
from accelsim.chip.machine import memory_of
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.emit_vector import PICKED, PIECES, four
from accelsim.mapping.mac_sizes import cut, packed
from accelsim.mapping.mapping import slots_of
from accelsim.mapping.walk_rows import (
    ROW_HELPERS,
    edge,
    operand,
    region,
    row_done,
    row_of,
    shape_number,
    want,
)
from accelsim.mapping.walk_tables import occupied
from accelsim.mapping.writer import GROUPS, MOST_SHAPES, Bounds, Writer, Written
from accelsim.program.opcodes import Access, Edge, Opcode
from accelsim.workload import VectorOperator
from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS

Ints = NDArray[np.int64]
LOAD, STORE, VECTOR = int(Opcode.LOAD), int(Opcode.STORE), int(Opcode.VECTOR)
READ, WRITE = int(Access.READ), int(Access.WRITE)
DATA, SLOT = int(Edge.DATA), int(Edge.SLOT)


class VectorWalk(NamedTuple):
    """An operator of the vector unit on a chip, as whole numbers; inputs are in a table beside it."""

    batch: int
    channels: int
    height: int
    width: int
    rank: int
    pool: int
    stride: int
    pad: int
    kernel: int
    work: int
    halves_rows: int  # few channels: rows are cut to make tiles
    bits: int
    form: int
    in_slots: int
    out_slots: int
    room_in: int
    room_out: int
    one_buffer: int
    parity: int
    memory_in: int
    memory_out: int
    memory_dram: int
    in_read: int
    in_write: int
    out_read: int
    out_write: int
    dram_read: int
    dram_write: int
    unit_load: int
    unit_vector: int
    unit_store: int


#: columns of the table of inputs: four axes, bits, format, rank, bytes of the largest part, address
A0, BITS, FORM, RANK, SPAN, AT = 0, 4, 5, 6, 7, 8


def axis_part(low: int, size: int, out: int, into: int) -> tuple[int, int]:
    """The part of an input axis that a part of the output axis reads (emit_vector.part)."""
    if into == out:
        return low, size
    first = min(low * into // max(1, out), into - 1)
    return first, max((low + size) * into // max(1, out), first + 1) - first


def row_part(v: Any, low: int, size: int, into: int) -> tuple[int, int]:
    """The rows of an input that rows of the output read: those under its windows for a pool."""
    if v.pool == 0:
        return axis_part(low, size, v.height, into)
    first = min(max(low * v.stride - v.pad, 0), into - 1)
    end = min(max((low + size - 1) * v.stride - v.pad + v.kernel, first + 1), into)
    return first, end - first


def most_parts(v: Any, inputs: Any, count: int, rows: int) -> int:
    """Bytes of the largest part of each input into its SPAN; their sum."""
    total = 0
    for i in range(len(inputs)):
        images, deep, tall, low = 0, 0, 0, 0
        for b in range(v.batch):
            images = max(images, axis_part(b, 1, v.batch, inputs[i, A0])[1])
        while low < v.channels:
            deep = max(
                deep, axis_part(low, min(count, v.channels - low), v.channels, inputs[i, A0 + 1])[1]
            )
            low += count
        low = 0
        while low < v.height:
            tall = max(tall, row_part(v, low, min(rows, v.height - low), inputs[i, A0 + 2])[1])
            low += rows
        inputs[i, SPAN] = cut(images * deep * tall * inputs[i, A0 + 3] * inputs[i, BITS], 8)
        total += inputs[i, SPAN]
    return total


def vector_tiles(v: Any, inputs: Any, tile: Any) -> int:
    """Channels, rows, output bytes of a tile and number of tiles, into ``tile``; 0 when none fits."""
    count, rows = max(1, min(v.channels, cut(v.channels * v.batch, PIECES))), v.height
    if v.halves_rows:
        rows = cut(v.height, cut(PIECES, v.channels * v.batch))
    while True:
        size_in = most_parts(v, inputs, count, rows)
        size_out = cut(count * rows * v.width * v.bits, 8)
        if size_in * v.in_slots <= v.room_in and size_out * v.out_slots <= v.room_out:
            break
        if count > 1:
            count = cut(count, 2)
        elif rows > 1:
            rows = cut(rows, 2)
        else:
            return 0
    tile[0], tile[1], tile[2] = count, rows, size_out
    tile[3] = v.batch * cut(v.channels, count) * cut(v.height, rows)
    return 1


def box_region(
    at: Any,
    offset: Any,
    extent: Any,
    rank: int,
    b: int,
    nb: int,
    c: int,
    nc: int,
    h: int,
    nh: int,
    w: int,
    nw: int,
) -> None:
    """The region of a box in the axes of a tensor of a rank."""
    if rank == 4:
        region(at, offset, extent, b, nb, c, nc, h, nh, w, nw)
    elif rank == 3:
        region(at, offset, extent, c, nc, h, nh, w, nw, 0, 1)
    elif rank == 2:
        region(at, offset, extent, h, nh, w, nw, 0, 1, 0, 1)
    else:
        region(at, offset, extent, w, nw, 0, 1, 0, 1, 0, 1)


def walk_vector(
    v: Any,
    inputs: Any,
    tile: Any,
    at: Any,
    commands: Any,
    starts: Any,
    operands: Any,
    offset: Any,
    extent: Any,
    demands: Any,
    edges: Any,
    need: Any,
    known: Any,
    heads: Any,
    target: Any,
    entries: Any,
    exits: Any,
    ends: Any,
) -> int:
    """Write the operator's rows, as walk_mac does."""
    many, jobs, out_bytes = len(inputs), tile[3], tile[2]
    size_in = 0
    for i in range(many):
        inputs[i, AT] = size_in
        size_in += inputs[i, SPAN] * v.in_slots
    out_base = size_in if v.one_buffer else 0
    if v.parity:
        out_base = v.room_out * (1 + v.one_buffer) - out_bytes * v.out_slots
        if v.one_buffer:
            out_base -= size_in
        for i in range(many):
            inputs[i, AT] += v.room_in * (1 + v.one_buffer) - size_in
    per_job = many + 2
    total = v.batch * v.channels * v.height * v.width
    whole_out, done, job = packed(total, v.bits), 0, 0
    moved, box = np.zeros(many, np.int64), np.zeros((many, 6), np.int64)
    for b in range(v.batch):
        for c in range(0, v.channels, tile[0]):
            nc = min(tile[0], v.channels - c)
            for h in range(0, v.height, tile[1]):
                nh = min(tile[1], v.height - h)
                elements = nc * nh * v.width
                stored = packed(elements, v.bits)
                first, vector = job * per_job, job * per_job + many
                out_at = out_base + job % v.out_slots * out_bytes
                read = 0
                for i in range(many):
                    box[i, 0], box[i, 1] = axis_part(b, 1, v.batch, inputs[i, A0])
                    box[i, 2], box[i, 3] = axis_part(c, nc, v.channels, inputs[i, A0 + 1])
                    box[i, 4], box[i, 5] = row_part(v, h, nh, inputs[i, A0 + 2])
                    wide, form = inputs[i, A0 + 3], inputs[i, FORM]
                    moved[i] = packed(box[i, 1] * box[i, 3] * box[i, 5] * wide, inputs[i, BITS])
                    read += moved[i]
                    shape = shape_number(at, known, heads, i, 0, moved[i], 0, 0, 0, 0)
                    if shape < 0:
                        return 0
                    row_of(at, commands, LOAD, v.unit_load, shape, 0)
                    whole = inputs[i, A0] * inputs[i, A0 + 1] * inputs[i, A0 + 2] * wide
                    for side in range(2):
                        if side == 0:
                            operand(
                                at,
                                operands,
                                target,
                                i,
                                v.memory_dram,
                                0,
                                packed(whole, inputs[i, BITS]),
                                moved[i],
                                READ,
                                form,
                            )
                        else:
                            operand(
                                at,
                                operands,
                                target,
                                i,
                                v.memory_in,
                                inputs[i, AT] + job % v.in_slots * inputs[i, SPAN],
                                inputs[i, SPAN],
                                moved[i],
                                WRITE,
                                form,
                            )
                        box_region(
                            at,
                            offset,
                            extent,
                            inputs[i, RANK],
                            box[i, 0],
                            box[i, 1],
                            box[i, 2],
                            box[i, 3],
                            box[i, 4],
                            box[i, 5],
                            0,
                            wide,
                        )
                    want(at, need, v.in_write, moved[i])
                    want(at, need, v.dram_read, moved[i])
                    if job >= v.in_slots:
                        edge(at, edges, vector - v.in_slots * per_job, SLOT, 0)
                    row_done(at, need, demands, starts)
                work = (done + elements) * v.work // total - done * v.work // total
                done += elements
                shape = shape_number(at, known, heads, many, 0, elements, work, 0, 0, 0)
                if shape < 0:
                    return 0
                row_of(at, commands, VECTOR, v.unit_vector, shape, 0)
                for i in range(many):
                    operand(
                        at,
                        operands,
                        target,
                        i,
                        v.memory_in,
                        inputs[i, AT] + job % v.in_slots * inputs[i, SPAN],
                        inputs[i, SPAN],
                        moved[i],
                        READ,
                        inputs[i, FORM],
                    )
                    box_region(
                        at,
                        offset,
                        extent,
                        inputs[i, RANK],
                        box[i, 0],
                        box[i, 1],
                        box[i, 2],
                        box[i, 3],
                        box[i, 4],
                        box[i, 5],
                        0,
                        inputs[i, A0 + 3],
                    )
                    edge(at, edges, first + i, DATA, 0)
                want(at, need, v.in_read, read)
                operand(
                    at,
                    operands,
                    target,
                    many,
                    v.memory_out,
                    out_at,
                    out_bytes,
                    stored,
                    WRITE,
                    v.form,
                )
                box_region(at, offset, extent, v.rank, b, 1, c, nc, h, nh, 0, v.width)
                want(at, need, v.out_write, stored)
                if job >= v.out_slots:
                    edge(at, edges, vector + 1 - v.out_slots * per_job, SLOT, 0)
                row_done(at, need, demands, starts)
                shape = shape_number(at, known, heads, many + 1, 0, stored, 0, 0, 0, 0)
                if shape < 0:
                    return 0
                row_of(at, commands, STORE, v.unit_store, shape, 0)
                operand(
                    at,
                    operands,
                    target,
                    many,
                    v.memory_out,
                    out_at,
                    out_bytes,
                    stored,
                    READ,
                    v.form,
                )
                box_region(at, offset, extent, v.rank, b, 1, c, nc, h, nh, 0, v.width)
                operand(
                    at, operands, target, many, v.memory_dram, 0, whole_out, stored, WRITE, v.form
                )
                box_region(at, offset, extent, v.rank, b, 1, c, nc, h, nh, 0, v.width)
                want(at, need, v.out_read, stored)
                want(at, need, v.dram_write, stored)
                edge(at, edges, vector, DATA, 0)
                row_done(at, need, demands, starts)
                job += 1
    count = 0
    for i in range(many):
        for slot in range(min(v.in_slots, jobs)):
            last = (jobs - 1 - slot) // v.in_slots * v.in_slots + slot
            count = occupied(
                entries,
                exits,
                count,
                slot * per_job + i,
                v.memory_in,
                inputs[i, AT] + slot * inputs[i, SPAN],
                inputs[i, SPAN],
                last * per_job + many,
                -1,
                -1,
            )
    for slot in range(min(v.out_slots, jobs)):
        last = (jobs - 1 - slot) // v.out_slots * v.out_slots + slot
        count = occupied(
            entries,
            exits,
            count,
            slot * per_job + many,
            v.memory_out,
            out_base + slot * out_bytes,
            out_bytes,
            last * per_job + many + 1,
            -1,
            -1,
        )
    ends[0], ends[1] = count, jobs * per_job - 1
    return 1


ROWS = (row_part, (axis_part,))
TILE_HELPERS = ((most_parts, (axis_part, ROWS, cut)), cut)
VECTOR_HELPERS = (*ROW_HELPERS, axis_part, ROWS, (box_region, (region,)), packed, occupied)


class WalkedVector:
    """A vector operator that a walk writes: VectorEmitter for the plain kinds."""

    def __init__(self, walk: VectorWalk, inputs: Ints, tile: Ints, kinds: Ints) -> None:
        self.walk, self.inputs, self.tile, self.kinds = walk, inputs, tile, kinds

    def bounds(self) -> Bounds:
        """The sizes of its rows."""
        many, jobs = len(self.inputs), int(self.tile[3])
        return Bounds(
            (many + 2) * jobs,
            (3 * many + 3) * jobs,
            (2 * many + 4) * jobs,
            (2 * many + 3) * jobs,
            min(MOST_SHAPES, (many + 2) * jobs),
        )

    def write(self, writer: Writer, tensors: list[int]) -> Written | None:
        """Its rows; None when it has more shapes than there is room for."""
        many, w = len(self.inputs), self.walk
        table = np.empty((2, many * w.in_slots + w.out_slots, 6), np.int64)
        ends, out = np.zeros(2, np.int64), writer.begin(tensors)
        if not jit.compiled(walk_vector, VECTOR_HELPERS)(
            w, self.inputs, self.tile, *out, table[0], table[1], ends
        ):
            return None
        return writer.end(
            out,
            self.kinds,
            table[0, : ends[0]],
            table[1, : ends[0]],
            {i: i for i in range(many)},
            int(ends[1]),
        )


def walked_vector(
    chip: Chip, machine: Machine, op: VectorOperator, formats: tuple[str, ...], parity: int
) -> WalkedVector | None:
    """A walk for an operator; None for one that needs emit_vector.py."""
    ranks = [len(shape) for shape in (*op.input_shapes, op.output_shape)]
    if max(ranks) > 4 or min(ranks) < 1 or len(op.inputs) > GROUPS - 2:
        return None
    if op.kind in PICKED or op.kind == "append":
        return None
    unit, dma = chip.vector_unit, chip.dma
    bits, numbers = [get(name).bits for name in formats], [FORMAT_INDEX[name] for name in formats]
    inputs = np.array(
        [
            [*four(shape, ranks[-1]), bits[i], numbers[i], ranks[i], 0, 0]
            for i, shape in enumerate(op.input_shapes)
        ],
        np.int64,
    )
    homes = memory_of(chip, unit.input, 0), memory_of(chip, unit.output, 0)
    shape = four(op.output_shape)
    one = unit.input == unit.output
    pool = op.kind in POOLS
    rooms = [chip.memories[name].size // (1 + one) for name in (unit.input, unit.output)]
    read, write, units = machine.read_port, machine.write_port, machine.unit_index
    fields = (
        *shape,
        ranks[-1],
        int(pool),
        op.stride[0],
        op.padding[0],
        op.kernel[0],
        op.work,
        int(shape[0] * shape[1] < PIECES and VECTOR_KINDS[op.kind].access != "reduce"),
        bits[-1],
        numbers[-1],
        slots_of(chip, unit.input),
        slots_of(chip, unit.output),
        *rooms,
        int(one),
        parity,
        *(machine.memory_index[name] for name in (*homes, dma.memory)),
        read(homes[0]),
        write(homes[0]),
        read(homes[1]),
        write(homes[1]),
        read(dma.memory),
        write(dma.memory),
        units[f"{dma.name}.input"],
        units[unit.name],
        units[f"{dma.name}.output"],
    )
    if one and chip.memories[unit.input].size % 2:
        return None
    walk, tile = VectorWalk(*fields), np.zeros(4, np.int64)
    if not jit.compiled(vector_tiles, TILE_HELPERS)(walk, inputs, tile):
        return None
    kinds = np.zeros((GROUPS, 5), np.int64)
    many, kind = len(op.inputs), machine.kind_index
    for i in range(many):
        kinds[i] = kind[dma.name], LOAD, numbers[i], -1, -1
    kinds[many] = kind[unit.name], VECTOR, numbers[0], -1, numbers[-1]
    kinds[many + 1] = kind[dma.name], STORE, numbers[-1], -1, -1
    return WalkedVector(walk, inputs, tile, kinds)
