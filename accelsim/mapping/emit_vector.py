"""A vector operator's commands: load a tile of each input, compute, store.

Tiles are boxes of the output. A pool reads the rows under its windows; any other operator the part
of each input that lies in proportion: the same box of an equal shape, all of a broadcast axis, the
whole of a reduced one. Where elements change place (a gather, a concatenation) the part stands for
the elements that are read, with the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine
from accelsim.chip.machine import memory_of
from accelsim.errors import InputError, Problem
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.assemble import Assembler, Entry, Exit, Segment
from accelsim.mapping.mapping import slots_of
from accelsim.mapping.shapes import ShapeRows
from accelsim.mapping.tiles import packed_bytes, starts
from accelsim.program.opcodes import Access, Edge, Opcode
from accelsim.workload import VectorOperator
from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS

Ints = NDArray[np.int64]
Box = tuple[tuple[Ints | int, Ints | int], ...]
Shape = tuple[int, int, int, int]
PICKED = ("gather", "slice")  # only as much of the first input is read as comes out
PIECES = 4  # tiles to aim at, so that loads, work and stores overlap


def four(shape: tuple[int, ...], rank: int = 0) -> Shape:
    """A shape as (images, channels, rows, columns): leading ones added, or leading axes merged.

    rank: of the shape it is broadcast to, which adds leading ones first.
    """
    whole = (*(1,) * max(0, 4 - len(shape), rank - len(shape)), *shape)
    return int(np.prod(whole[:-3], dtype=object)), whole[-3], whole[-2], whole[-1]


def own(box: Box, rank: int) -> Box:
    """A box of four() in a tensor's own axes."""
    return box[max(0, 4 - rank) :]


def part(low: Ints, size: Ints, out: int, into: int) -> tuple[Ints, Ints]:
    """The part of an input axis that a part of the output axis reads: offset and size."""
    if into == out:
        return low, size
    first = np.minimum(low * into // max(1, out), into - 1)
    return first, np.maximum((low + size) * into // max(1, out), first + 1) - first


def picked(low: Ints, size: Ints, into: int) -> tuple[Ints, Ints]:
    """As much of an input axis as a part of the output: it stands for what is picked."""
    size = np.minimum(size, into)
    return np.minimum(low, into - size), size


@dataclass(frozen=True, slots=True)
class Tiling:
    """Output tiles of one image, ``channels`` channels and ``rows`` rows; bytes of the largest part
    of each input that is read, and of the output."""

    channels: int
    rows: int
    in_bytes: tuple[int, ...]
    out_bytes: int
    in_slots: int
    out_slots: int


def read_inputs(op: VectorOperator) -> range:
    """Numbers of the inputs that are fetched: all, but for a cache only what is appended to it."""
    return range(1, 2) if op.kind == "append" else range(len(op.inputs))


def made_shape(op: VectorOperator) -> Shape:
    """The shape of what is computed and stored."""
    return four(op.input_shapes[1] if op.kind == "append" else op.output_shape)


def _in_rows(op: VectorOperator, which: int, row0: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Rows of an input that output rows read: first, count."""
    height = four(op.input_shapes[which], len(op.output_shape))[2]
    if op.kind in PICKED and which == 0:
        return picked(row0, rows, height)
    if op.kind not in POOLS:
        return part(row0, rows, made_shape(op)[2], height)
    low = np.clip(row0 * op.stride[0] - op.padding[0], 0, height - 1)
    high = (row0 + rows - 1) * op.stride[0] - op.padding[0] + op.kernel[0]
    return low, np.clip(high, low + 1, height) - low


def _axis(
    op: VectorOperator, which: int, low: Ints, size: Ints, out: int, into: int
) -> tuple[Ints, Ints]:
    if op.kind in PICKED and which == 0:
        return picked(low, size, into)
    return part(low, size, out, into)


def in_box(op: VectorOperator, which: int, box: Box) -> Box:
    """The box of an input that an output box reads, both of four()."""
    out = made_shape(op)
    shape = four(op.input_shapes[which], len(op.output_shape))
    axes = [
        _axis(op, which, np.asarray(low), np.asarray(size), out[axis], shape[axis])
        for axis, (low, size) in enumerate(box)
    ]
    axes[2] = _in_rows(op, which, np.asarray(box[2][0]), np.asarray(box[2][1]))
    wide = min(shape[3], out[3]) if op.kind in PICKED and which == 0 else shape[3]
    axes[3] = (np.asarray(0), np.asarray(wide))
    return tuple(axes)


def tile_vector(op: VectorOperator, chip: Chip, in_bits: tuple[int, ...], out_bits: int) -> Tiling:
    """The largest tiles that fit the vector unit's buffers, at least PIECES of them if possible."""
    unit = chip.vector_unit
    batch, channels, height, width = made_shape(op)
    in_slots, out_slots = slots_of(chip, unit.input), slots_of(chip, unit.output)
    room_in, room_out = chip.memories[unit.input].size, chip.memories[unit.output].size
    if unit.input == unit.output:
        room_in, room_out = room_in // 2, room_out // 2

    def sizes(count: int, rows: int) -> tuple[tuple[int, ...], int]:
        c0, nc = starts(channels, count)
        h0, nh = starts(height, rows)
        found = []
        for which in read_inputs(op):
            shape = four(op.input_shapes[which], len(op.output_shape))
            one = np.ones(batch, np.int64)
            images = int(_axis(op, which, np.arange(batch), one, batch, shape[0])[1].max())
            deep = int(_axis(op, which, c0, nc, channels, shape[1])[1].max())
            tall = int(_in_rows(op, which, h0, nh)[1].max())
            wide = min(shape[3], width) if op.kind in PICKED and which == 0 else shape[3]
            found.append(-(-images * deep * tall * wide * in_bits[which] // 8))
        return tuple(found), -(-count * rows * width * out_bits // 8)

    def fits(count: int, rows: int) -> bool:
        size_in, size_out = sizes(count, rows)
        return sum(size_in) * in_slots <= room_in and size_out * out_slots <= room_out

    count, rows = max(1, min(channels, -(-channels * batch // PIECES))), height
    if channels * batch < PIECES and VECTOR_KINDS[op.kind].access != "reduce":
        rows = -(-height // -(-PIECES // (channels * batch)))
    while count > 1 and not fits(count, rows):
        count = -(-count // 2)
    while rows > 1 and not fits(count, rows):
        rows = -(-rows // 2)
    size_in, size_out = sizes(count, rows)
    if not fits(count, rows):
        raise InputError(
            Problem(
                "mapping.vector.fits",
                f"one row of {op.name} needs {sum(size_in) * in_slots} bytes of "
                f"{unit.input} and {size_out * out_slots} bytes of {unit.output}",
                "make the buffers larger",
            )
        )
    return Tiling(count, rows, size_in, size_out, in_slots, out_slots)


class VectorEmitter:
    """Builds the Segment of one vector operator. Local tensors: inputs, then the output.

    formats: of each input, then of the output.
    """

    def __init__(
        self,
        chip: Chip,
        machine: Machine,
        op: VectorOperator,
        formats: tuple[str, ...],
        parity: int,
    ) -> None:
        self.chip, self.machine, self.op, self.formats = chip, machine, op, formats
        bits = tuple(get(name).bits for name in formats)
        self.bits = bits
        self.reads = read_inputs(op)
        self.tiling = tile_vector(op, chip, bits[:-1], bits[-1])
        t, unit = self.tiling, chip.vector_unit
        sizes = np.array(t.in_bytes, np.int64) * t.in_slots
        self.in_base = (np.cumsum(sizes) - sizes).tolist()
        size_in, size_out = int(sizes.sum()), t.out_bytes * t.out_slots
        self.out_base = 0
        if parity:
            top = chip.memories[unit.input].size - size_in
            self.in_base = [top + base for base in self.in_base]
            self.out_base = chip.memories[unit.output].size - size_out
            if unit.input == unit.output:
                self.out_base -= size_in
        elif unit.input == unit.output:
            self.out_base = size_in

    def emit(self) -> Segment:
        """The segment: for each tile LOADs, VECTOR, STORE."""
        op, t = self.op, self.tiling
        batch, channels, height, width = made_shape(op)
        c0, nc = starts(channels, t.channels)
        h0, nh = starts(height, t.rows)
        grid = np.indices((batch, len(c0), len(h0))).reshape(3, -1)
        one = np.ones(grid.shape[1], np.int64)
        box_out: Box = (
            (grid[0], one),
            (c0[grid[1]], nc[grid[1]]),
            (h0[grid[2]], nh[grid[2]]),
            (one * 0, one * width),
        )
        jobs, per_job = len(one), len(self.reads) + 2
        base = np.arange(jobs, dtype=np.int64) * per_job
        self.job = np.arange(jobs, dtype=np.int64)
        self.vector, self.store = base + per_job - 2, base + per_job - 1
        loads = [base + i for i in range(len(self.reads))]
        elements = _elements(box_out)
        self.boxes = [in_box(op, which, box_out) for which in self.reads]
        self.moved = [
            packed_bytes(_elements(box), self.bits[which])
            for which, box in zip(self.reads, self.boxes, strict=True)
        ]
        stored = packed_bytes(elements, self.bits[-1])
        assembler, shapes = Assembler(jobs * per_job), ShapeRows()
        entries: list[Entry] = []
        exits: list[Exit] = []
        for i, rows in enumerate(loads):
            self._load(assembler, shapes, rows, i, entries, exits)
        place = self._placed(box_out)
        self._compute(assembler, shapes, place, stored, elements)
        for rows in loads:
            assembler.depend(self.vector, rows, Edge.DATA)
        self._put(assembler, shapes, place, stored, entries, exits)
        segment = assembler.build(shapes.columns())
        segment.entries, segment.exits = entries, exits
        segment.reads = {which: int(rows[0]) for which, rows in zip(self.reads, loads, strict=True)}
        segment.last_store = int(self.store[-1])
        return segment

    def _placed(self, box: Box) -> Box:
        """Where a computed box stands in the output, in the output's own axes."""
        if self.op.kind == "append":
            whole, new = four(self.op.output_shape), made_shape(self.op)
            box = tuple(
                (low + whole[axis] - new[axis], size) for axis, (low, size) in enumerate(box)
            )
        return own(box, len(self.op.output_shape))

    def _near(self, side: str) -> tuple[int, str]:
        unit = self.chip.vector_unit
        name = memory_of(self.chip, unit.input if side == "input" else unit.output, 0)
        return self.machine.memory_index[name], name

    def _in_address(self, index: int) -> Ints:
        t = self.tiling
        return np.asarray(self.in_base[index] + self.job % t.in_slots * t.in_bytes[index], np.int64)

    def _out_address(self) -> Ints:
        return self.out_base + self.job % self.tiling.out_slots * self.tiling.out_bytes

    def _load(
        self,
        assembler: Assembler,
        shapes: ShapeRows,
        rows: Ints,
        index: int,
        entries: list[Entry],
        exits: list[Exit],
    ) -> None:
        memory, name = self._near("input")
        which, span = self.reads[index], self.tiling.in_bytes[index]
        shape = self.op.input_shapes[which]
        self._move(
            assembler,
            shapes,
            rows,
            Opcode.LOAD,
            "input",
            which,
            own(self.boxes[index], len(shape)),
            self.moved[index],
            (memory, self.machine.write_port(name), self._in_address(index), span),
            shape,
        )
        slots = self.tiling.in_slots
        before = np.where(self.job >= slots, self.vector[np.maximum(self.job - slots, 0)], -1)
        assembler.depend(rows, before, Edge.SLOT)
        for slot in range(min(slots, len(rows))):
            start = self.in_base[index] + slot * span
            last = (len(rows) - 1 - slot) // slots * slots + slot
            entries.append(Entry(int(rows[slot]), memory, start, start + span))
            exits.append(Exit(memory, start, start + span, (int(self.vector[last]),)))

    def _move(
        self,
        assembler: Assembler,
        shapes: ShapeRows,
        rows: Ints,
        opcode: int,
        channel: str,
        tensor: int,
        box: Box,
        size: Ints,
        near: tuple[int, int, Ints, int],
        whole: tuple[int, ...],
    ) -> None:
        machine, dma = self.machine, self.chip.dma
        number = FORMAT_INDEX[self.formats[tensor]]
        shape = shapes.unique(machine.kind_index[dma.name], opcode, (number, -1, -1), (size,))
        assembler.command(rows, opcode, machine.unit_index[f"{dma.name}.{channel}"], shape)
        memory, port, address, span = near
        total = get(self.formats[tensor]).bytes_for(int(np.prod(whole)))
        load = opcode == Opcode.LOAD
        far = (machine.memory_index[dma.memory], np.zeros_like(rows), total)
        pairs = [far, (memory, address, span)]
        for (where, low, extent), access in zip(
            pairs if load else pairs[::-1], (Access.READ, Access.WRITE), strict=True
        ):
            assembler.operand(
                rows,
                tensor=tensor,
                memory=where,
                address=low,
                span=extent,
                bytes=size,
                access=access,
                format=number,
                region=box,
            )
        assembler.demand(rows, port, size)
        side_port = machine.read_port if load else machine.write_port
        assembler.demand(rows, side_port(dma.memory), size)

    def _compute(
        self, assembler: Assembler, shapes: ShapeRows, box_out: Box, stored: Ints, elements: Ints
    ) -> None:
        op, unit = self.op, self.chip.vector_unit
        first, out = FORMAT_INDEX[self.formats[self.reads[0]]], FORMAT_INDEX[self.formats[-1]]
        # in shares that add up to the operator's work whatever the tiles
        reach = np.cumsum(elements)
        work = np.diff(reach * op.work // max(1, int(reach[-1])), prepend=0)
        shape = shapes.unique(
            self.machine.kind_index[unit.name], Opcode.VECTOR, (first, -1, out), (elements, work)
        )
        rows = self.vector
        assembler.command(rows, Opcode.VECTOR, self.machine.unit_index[unit.name], shape)
        memory, name = self._near("input")
        for index, which in enumerate(self.reads):
            rank = len(op.input_shapes[which])
            assembler.operand(
                rows,
                tensor=which,
                memory=memory,
                address=self._in_address(index),
                span=self.tiling.in_bytes[index],
                bytes=self.moved[index],
                access=Access.READ,
                format=FORMAT_INDEX[self.formats[which]],
                region=own(self.boxes[index], rank),
            )
        assembler.demand(rows, self.machine.read_port(name), np.sum(self.moved, axis=0))
        memory, name = self._near("output")
        assembler.operand(
            rows,
            tensor=len(op.inputs),
            memory=memory,
            address=self._out_address(),
            span=self.tiling.out_bytes,
            bytes=stored,
            access=Access.WRITE,
            format=out,
            region=box_out,
        )
        assembler.demand(rows, self.machine.write_port(name), stored)

    def _put(
        self,
        assembler: Assembler,
        shapes: ShapeRows,
        box: Box,
        size: Ints,
        entries: list[Entry],
        exits: list[Exit],
    ) -> None:
        memory, name = self._near("output")
        self._move(
            assembler,
            shapes,
            self.store,
            Opcode.STORE,
            "output",
            len(self.op.inputs),
            box,
            size,
            (memory, self.machine.read_port(name), self._out_address(), self.tiling.out_bytes),
            self.op.output_shape,
        )
        assembler.depend(self.store, self.vector, Edge.DATA)
        slots = self.tiling.out_slots
        before = np.where(self.job >= slots, self.store[np.maximum(self.job - slots, 0)], -1)
        assembler.depend(self.vector, before, Edge.SLOT)
        for slot in range(min(slots, len(self.job))):
            start = self.out_base + slot * self.tiling.out_bytes
            last = (len(self.job) - 1 - slot) // slots * slots + slot
            entries.append(
                Entry(int(self.vector[slot]), memory, start, start + self.tiling.out_bytes)
            )
            exits.append(
                Exit(memory, start, start + self.tiling.out_bytes, (int(self.store[last]),))
            )


def _elements(box: Box) -> Ints:
    """Elements of each box."""
    (_, images), (_, channels), (_, rows), (_, columns) = box
    return np.asarray(images * channels * rows * columns, np.int64)
