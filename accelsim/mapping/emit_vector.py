"""A vector operator's commands: load a tile of each input, compute, store."""

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

Ints = NDArray[np.int64]
Box = tuple[tuple[Ints | int, Ints | int], ...]
POOLS = ("max_pool", "average_pool")
PIECES = 4  # tiles to aim at, so that loads, work and stores overlap


def four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A shape as (batch, channels, height, width), trailing ones added."""
    padded = (*shape, 1, 1, 1, 1)
    return padded[0], padded[1], padded[2], padded[3]


@dataclass(frozen=True, slots=True)
class Tiling:
    """Output tiles of one image, ``channels`` channels and ``rows`` rows; bytes of the largest."""

    channels: int
    rows: int
    in_bytes: int
    out_bytes: int
    in_slots: int
    out_slots: int


def _in_rows(op: VectorOperator, row0: Ints, rows: Ints) -> tuple[Ints, Ints]:
    height = four(op.input_shape)[2]
    if op.kind not in POOLS:
        if op.kind == "global_average_pool":
            return np.zeros_like(row0), np.full_like(row0, height)
        return row0, row0 + rows
    low = np.clip(row0 * op.stride[0] - op.padding[0], 0, height - 1)
    high = (row0 + rows - 1) * op.stride[0] - op.padding[0] + op.kernel[0]
    return low, np.clip(high, low + 1, height)


def tile_vector(op: VectorOperator, chip: Chip, in_bits: int, out_bits: int) -> Tiling:
    """The largest tiles that fit the vector unit's buffers, at least PIECES of them if possible."""
    unit = chip.vector_unit
    batch, channels, height, width = four(op.output_shape)
    in_width = four(op.input_shape)[3]
    in_slots, out_slots = slots_of(chip, unit.input), slots_of(chip, unit.output)
    room_in, room_out = chip.memories[unit.input].size, chip.memories[unit.output].size
    if unit.input == unit.output:
        room_in, room_out = room_in // 2, room_out // 2

    def sizes(count: int, rows: int) -> tuple[int, int]:
        low, high = _in_rows(op, *starts(height, rows))
        tall = int((high - low).max())
        return -(-count * tall * in_width * in_bits // 8), -(-count * rows * width * out_bits // 8)

    def fits(count: int, rows: int) -> bool:
        size_in, size_out = sizes(count, rows)
        return (size_in * in_slots * len(op.inputs) <= room_in
                and size_out * out_slots <= room_out)  # fmt: skip

    count, rows = max(1, min(channels, -(-channels * batch // PIECES))), height
    while count > 1 and not fits(count, rows):
        count = -(-count // 2)
    while rows > 1 and not fits(count, rows):
        rows = -(-rows // 2)
    if not fits(count, rows):
        size_in, size_out = sizes(count, rows)
        raise InputError(
            Problem(
                "mapping.vector.fits",
                f"one row of {op.name} needs {size_in * in_slots * len(op.inputs)} bytes of "
                f"{unit.input} and {size_out * out_slots} bytes of {unit.output}",
                "make the buffers larger",
            )
        )
    size_in, size_out = sizes(count, rows)
    return Tiling(count, rows, size_in, size_out, in_slots, out_slots)


class VectorEmitter:
    """Builds the Segment of one vector operator. Local tensors: inputs, then the output."""

    def __init__(self, chip: Chip, machine: Machine, op: VectorOperator, formats: tuple[str, str],
                 parity: int) -> None:  # fmt: skip
        self.chip, self.machine, self.op, self.formats = chip, machine, op, formats
        self.bits = (get(formats[0]).bits, get(formats[1]).bits)
        self.tiling = tile_vector(op, chip, *self.bits)
        t, unit = self.tiling, chip.vector_unit
        size_in = t.in_bytes * t.in_slots * len(op.inputs)
        size_out = t.out_bytes * t.out_slots
        if parity:
            self.in_base = chip.memories[unit.input].size - size_in
            self.out_base = chip.memories[unit.output].size - size_out
            if unit.input == unit.output:
                self.out_base -= size_in
        else:
            self.in_base, self.out_base = 0, size_in if unit.input == unit.output else 0

    def emit(self) -> Segment:
        """The segment: for each tile LOADs, VECTOR, STORE."""
        op, t = self.op, self.tiling
        batch, channels, height, width = four(op.output_shape)
        c0, nc = starts(channels, t.channels)
        h0, nh = starts(height, t.rows)
        grid = np.indices((batch, len(c0), len(h0))).reshape(3, -1)
        image, c0, nc, h0, nh = grid[0], c0[grid[1]], nc[grid[1]], h0[grid[2]], nh[grid[2]]
        row0, row1 = _in_rows(op, h0, nh)
        in_width = four(op.input_shape)[3]
        jobs = len(image)
        per_job = len(op.inputs) + 2
        base = np.arange(jobs, dtype=np.int64) * per_job
        self.job = np.arange(jobs, dtype=np.int64)
        self.vector, self.store = base + per_job - 2, base + per_job - 1
        loads = [base + i for i in range(len(op.inputs))]
        box_in = ((image, 1), (c0, nc), (row0, row1 - row0), (0, in_width))
        box_out = ((image, 1), (c0, nc), (h0, nh), (0, width))
        bytes_in = packed_bytes(nc * (row1 - row0) * in_width, self.bits[0])
        bytes_out = packed_bytes(nc * nh * width, self.bits[1])
        assembler, shapes = Assembler(jobs * per_job), ShapeRows()
        entries: list[Entry] = []
        exits: list[Exit] = []
        for i, rows in enumerate(loads):
            self._load(assembler, shapes, rows, i, box_in, bytes_in, entries, exits)
        self._compute(assembler, shapes, box_in, box_out, bytes_in, bytes_out, nc * nh * width)
        for rows in loads:
            assembler.depend(self.vector, rows, Edge.DATA)
        self._put(assembler, shapes, box_out, bytes_out, entries, exits)
        segment = assembler.build(shapes.columns())
        segment.entries, segment.exits = entries, exits
        segment.reads = {i: int(rows[0]) for i, rows in enumerate(loads)}
        segment.last_store = int(self.store[-1])
        return segment

    def _near(self, side: str) -> tuple[int, str]:
        unit = self.chip.vector_unit
        name = memory_of(self.chip, unit.input if side == "input" else unit.output, 0)
        return self.machine.memory_index[name], name

    def _in_address(self, which: int) -> Ints:
        t = self.tiling
        return self.in_base + (which * t.in_slots + self.job % t.in_slots) * t.in_bytes

    def _out_address(self) -> Ints:
        return self.out_base + self.job % self.tiling.out_slots * self.tiling.out_bytes

    def _load(self, assembler: Assembler, shapes: ShapeRows, rows: Ints, which: int,
              box: Box, size: Ints, entries: list[Entry], exits: list[Exit]) -> None:  # fmt: skip
        memory, name = self._near("input")
        self._move(assembler, shapes, rows, Opcode.LOAD, "input", which, box, size,
                   (memory, self.machine.write_port(name), self._in_address(which),
                    self.tiling.in_bytes), 0)  # fmt: skip
        slots = self.tiling.in_slots
        before = np.where(self.job >= slots, self.vector[self.job - slots], -1)
        assembler.depend(rows, before, Edge.SLOT)
        for slot in range(min(slots, len(rows))):
            start = self.in_base + (which * slots + slot) * self.tiling.in_bytes
            end = start + self.tiling.in_bytes
            last = (len(rows) - 1 - slot) // slots * slots + slot
            entries.append(Entry(int(rows[slot]), memory, start, end))
            exits.append(Exit(memory, start, end, (int(self.vector[last]),)))

    def _move(self, assembler: Assembler, shapes: ShapeRows, rows: Ints, opcode: int,
              channel: str, tensor: int, box: Box, size: Ints,
              near: tuple[int, int, Ints, int], side: int) -> None:  # fmt: skip
        machine, dma = self.machine, self.chip.dma
        number = FORMAT_INDEX[self.formats[side]]
        shape = shapes.unique(machine.kind_index[dma.name], opcode, (number, -1, -1), (size,))
        assembler.command(rows, opcode, machine.unit_index[f"{dma.name}.{channel}"], shape)
        memory, port, address, span = near
        whole = four(self.op.input_shape if side == 0 else self.op.output_shape)
        total = get(self.formats[side]).bytes_for(int(np.prod(whole)))
        load = opcode == Opcode.LOAD
        far = (machine.memory_index[dma.memory], np.zeros_like(rows), total)
        pairs = [far, (memory, address, span)]
        for (where, low, extent), access in zip(
            pairs if load else pairs[::-1], (Access.READ, Access.WRITE), strict=True
        ):
            assembler.operand(rows, tensor=tensor, memory=where, address=low, span=extent,
                              bytes=size, access=access, format=number, region=box)  # fmt: skip
        assembler.demand(rows, port, size)
        side_port = machine.read_port if load else machine.write_port
        assembler.demand(rows, side_port(dma.memory), size)

    def _compute(self, assembler: Assembler, shapes: ShapeRows, box_in: Box, box_out: Box,
                 bytes_in: Ints, bytes_out: Ints, elements: Ints) -> None:  # fmt: skip
        op, unit = self.op, self.chip.vector_unit
        work = elements * max(1, op.work // max(1, op.elements))
        formats = (FORMAT_INDEX[self.formats[0]], -1, FORMAT_INDEX[self.formats[1]])
        shape = shapes.unique(self.machine.kind_index[unit.name], Opcode.VECTOR, formats,
                              (elements, work))  # fmt: skip
        rows = self.vector
        assembler.command(rows, Opcode.VECTOR, self.machine.unit_index[unit.name], shape)
        memory, name = self._near("input")
        for which in range(len(op.inputs)):
            assembler.operand(rows, tensor=which, memory=memory, address=self._in_address(which),
                              span=self.tiling.in_bytes, bytes=bytes_in, access=Access.READ,
                              format=formats[0], region=box_in)  # fmt: skip
        assembler.demand(rows, self.machine.read_port(name), bytes_in * len(op.inputs))
        memory, name = self._near("output")
        assembler.operand(rows, tensor=len(op.inputs), memory=memory, address=self._out_address(),
                          span=self.tiling.out_bytes, bytes=bytes_out, access=Access.WRITE,
                          format=formats[2], region=box_out)  # fmt: skip
        assembler.demand(rows, self.machine.write_port(name), bytes_out)

    def _put(self, assembler: Assembler, shapes: ShapeRows, box: Box, size: Ints,
             entries: list[Entry], exits: list[Exit]) -> None:  # fmt: skip
        memory, name = self._near("output")
        self._move(assembler, shapes, self.store, Opcode.STORE, "output", len(self.op.inputs),
                   box, size, (memory, self.machine.read_port(name), self._out_address(),
                               self.tiling.out_bytes), 1)  # fmt: skip
        assembler.depend(self.store, self.vector, Edge.DATA)
        slots = self.tiling.out_slots
        before = np.where(self.job >= slots, self.store[self.job - slots], -1)
        assembler.depend(self.vector, before, Edge.SLOT)
        for slot in range(min(slots, len(self.job))):
            start = self.out_base + slot * self.tiling.out_bytes
            last = (len(self.job) - 1 - slot) // slots * slots + slot
            entries.append(Entry(int(self.vector[slot]), memory, start, start + self.tiling.out_bytes))
            exits.append(Exit(memory, start, start + self.tiling.out_bytes, (int(self.store[last]),)))
