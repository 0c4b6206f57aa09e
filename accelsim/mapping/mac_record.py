"""Chips, mappings and operators as the whole numbers that walks and quick plans take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip, Machine
from accelsim.chip.machine import memory_of
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.dataflows import DATAFLOWS
from accelsim.mapping.mac_sizes import (
    INPUTS,
    NOTHING,
    PASSES,
    SIZE_HELPERS,
    SIZES,
    TILES_K,
    TILES_M,
    TILES_N,
    WEIGHTS,
    MacWalk,
    mac_sizes,
)
from accelsim.mapping.mapping import Geometry, Mapping, sum_format
from accelsim.mapping.placement import capacity, fused
from accelsim.mapping.walk_mac import (
    INPUT,
    SHAPE_INPUT,
    SHAPE_MATMUL,
    SHAPE_PRELOAD,
    SHAPE_RELOAD,
    SHAPE_REQUANTIZE,
    SHAPE_SPILL,
    SHAPE_STORE,
    SHAPE_WEIGHT,
    WALK_HELPERS,
    WEIGHT_MATRIX,
    walk_mac,
)
from accelsim.mapping.writer import GROUPS, MOST_SHAPES, Bounds, Writer, Written
from accelsim.program.opcodes import Opcode

Ints = NDArray[np.int64]
STAYS = {"none": NOTHING, "weight": WEIGHTS, "input": INPUTS}
LETTERS = "mnk"


def walked(chip: Chip) -> bool:
    """Whether walks write this chip's MAC operators."""
    return chip.mac_array is None or chip.array.count == 1


class WalkedMac:
    """An operator that a walk writes: MacEmitter for chips with one array."""

    def __init__(
        self,
        chip: Chip,
        machine: Machine,
        geometry: Geometry,
        mapping: Mapping,
        formats: tuple[str, str, str],
        parity: int,
        weight_address: int | None,
    ) -> None:
        self.walk = record(chip, machine, geometry, mapping, formats, parity, weight_address)
        self.reads = (
            {INPUT: 0, WEIGHT_MATRIX: 1} if self.walk.cold else {INPUT: 0}
        )  # the first job's
        self.kinds = _kinds(chip, machine, formats)
        self.sizes = np.zeros(SIZES, np.int64)
        jit.compiled(mac_sizes, SIZE_HELPERS)(self.walk, self.sizes)

    def bounds(self) -> Bounds:
        """Room that its rows take at most."""
        s = self.sizes
        jobs, passes = self.walk.groups * int(s[TILES_M] * s[TILES_N] * s[TILES_K]), int(s[PASSES])
        return Bounds(
            5 * jobs + 2 * passes,
            10 * jobs + 6 * passes,
            10 * jobs + 6 * passes,
            10 * jobs + 4 * passes,
            MOST_SHAPES,
        )

    def write(self, writer: Writer, tensors: list[int]) -> Written | None:
        """Its rows; None when it has more shapes than there is room for."""
        w = self.walk
        most = w.input_slots + w.weight_slots + w.depth + 2 * w.output_slots
        table, ends = np.empty((2, most, 6), np.int64), np.zeros(2, np.int64)
        out = writer.begin(tensors)
        if not jit.compiled(walk_mac, WALK_HELPERS)(w, self.sizes, *out, table[0], table[1], ends):
            return None
        return writer.end(
            out, self.kinds, table[0, : ends[0]], table[1, : ends[0]], self.reads, int(ends[1])
        )


def record(
    chip: Chip,
    machine: Machine,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    parity: int,
    weight_address: int | None,
) -> MacWalk:
    """One operator under one mapping on a chip with one array."""
    g, array, dma = geometry, chip.array, chip.dma
    wide = sum_format(array)
    names = (array.input, array.weight, array.output)
    homes = [memory_of(chip, name, 0) for name in names]
    column = array.accumulator.location == "column"
    sums = f"{array.name}.accumulators" if column else homes[2]
    limits = array.pass_limits(mapping.dataflow, array.rate(formats[0], formats[1]))
    index, read, write = machine.memory_index, machine.read_port, machine.write_port
    units = machine.unit_index
    fields = (
        g.groups,
        g.batch,
        g.out_height,
        g.out_width,
        g.n,
        g.channels,
        g.kernel,
        g.in_height,
        g.in_width,
        *g.stride,
        *g.pad,
        *g.reach,
        g.rank,
        mapping.dataflow,
        mapping.batch,
        mapping.height,
        mapping.width,
        mapping.n,
        mapping.k,
        *(LETTERS.index(letter) for letter in mapping.order),
        int(mapping.input_resident),
        int(mapping.weight_resident),
        mapping.input_slots,
        mapping.weight_slots,
        mapping.output_slots,
        *(get(name).bits for name in (*formats, wide)),
        *(FORMAT_INDEX[name] for name in (*formats, wide)),
        *limits,
        STAYS[DATAFLOWS[mapping.dataflow].stationary],
        array.stationary_depth,
        int(fused(array)),
        int(column),
        array.rows if array.bypass else 0,
        array.register_bytes // array.stationary_depth,
        array.slot_lag(mapping.dataflow) * (machine.tick_hz // chip.clocks[array.clock]),
        int(weight_address is None),
        weight_address or 0,
        parity,
        index[dma.memory],
        *(index[name] for name in homes[:2]),
        index[sums],
        index[homes[2]],
        index[f"{array.name}.registers"],
        *(capacity(chip, name) for name in (*names[:2], sums if column else names[2], names[2])),
        read(dma.memory),
        write(dma.memory),
        *(port(name) for name in homes[:2] for port in (read, write)),
        *((-1, -1) if column else (read(sums), write(sums))),
        read(homes[2]),
        write(homes[2]),
        *(units[f"{dma.name}.{channel}"] for channel in ("input", "weight", "output")),
        units[array.name],
        units[f"{array.name}.preload"],
        units[chip.vector_unit.name],
    )
    return MacWalk(*fields)


def _kinds(chip: Chip, machine: Machine, formats: tuple[str, str, str]) -> Ints:
    """Unit kind, opcode and formats of each group of shapes."""
    array, kinds = chip.array, machine.kind_index
    a, b, out, wide = (FORMAT_INDEX[name] for name in (*formats, sum_format(array)))
    dma, vector = kinds[chip.dma.name], kinds[chip.vector_unit.name]
    table = np.zeros((GROUPS, 5), np.int64)
    table[SHAPE_INPUT] = dma, Opcode.LOAD, a, -1, -1
    table[SHAPE_WEIGHT] = dma, Opcode.LOAD, b, -1, -1
    table[SHAPE_MATMUL] = kinds[array.name], Opcode.MATMUL, a, b, out
    table[SHAPE_PRELOAD] = kinds[f"{array.name}.preload"], Opcode.PRELOAD, a, b, -1
    table[SHAPE_REQUANTIZE] = vector, Opcode.REQUANTIZE, wide, -1, out
    table[SHAPE_STORE] = dma, Opcode.STORE, out, -1, -1
    table[SHAPE_SPILL] = dma, Opcode.STORE, wide, -1, -1
    table[SHAPE_RELOAD] = dma, Opcode.LOAD, wide, -1, -1
    return table
