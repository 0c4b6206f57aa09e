"""A MAC operator under a mapping as the numbers that its loop nest reads, and its rows."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine
from accelsim.chip.machine import memory_of
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.mapping import Geometry, Mapping, array_for
from accelsim.mapping.placement import Placement, fused, place
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.rows import mac
from accelsim.mapping.rows.record import Nest, Route, What, cut
from accelsim.mapping.tiles import MOST_K, MOST_M, MOST_N, PIECES, WEIGHTS
from accelsim.program.opcodes import Opcode
from accelsim.units.base import instance_names
from accelsim.units.dataflows import dataflow

Ints = NDArray[np.int64]
LETTERS = "mnk"
LOAD, STORE, PRELOAD, MATMUL, ACCUMULATE, REQUANTIZE = (
    int(Opcode[name]) for name in ("LOAD", "STORE", "PRELOAD", "MATMUL", "ACCUMULATE", "REQUANTIZE")
)
STATIONARY = {"none": mac.NOTHING, "weight": mac.WEIGHTS, "input": mac.INPUTS}


def mac_nest(
    chip: Chip,
    machine: Machine,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    parity: int,
    weight_address: int | None,
    room: Room = UNDIVIDED,
) -> Nest:
    """What writes the rows of one operator. formats: of input, weight, output. parity: 0 fills its room from below,
    1 from above. weight_address: where weights lie that are not fetched."""
    layout = place(chip, geometry, mapping, formats, parity, weight_address, room)
    build = Builder(chip, machine, geometry, mapping, formats, layout, weight_address is None)
    op, styles = build.op(), styles_of(formats, layout.sum_format)
    return Nest(mac.mac_rows, mac.MAC_HELPERS, op, build.state(op), styles, build.most(op))


class Builder:
    """An operator's numbers, part by part."""

    def __init__(
        self,
        chip: Chip,
        machine: Machine,
        geometry: Geometry,
        mapping: Mapping,
        formats: tuple[str, str, str],
        layout: Placement,
        cold: bool,
    ) -> None:
        self.chip, self.machine, self.geometry, self.mapping = chip, machine, geometry, mapping
        self.array = array_for(chip.array, mapping.split, mapping.arrays)
        self.formats, self.layout, self.cold = formats, layout, cold
        self.units = instance_names(self.array.name, chip.array.count)[: self.array.count]
        self.tiles = layout.tiles.counts
        self.column = layout.sums_area.memory.endswith(".accumulators")

    def op(self) -> mac.Op:
        """What the nest reads."""
        g, layout = self.geometry, self.layout
        t = layout.tiles
        several = self.array.count > 1 and self.array.split == "k"
        return mac.Op(
            self.loops(),
            self.passes(),
            self._input(),
            self._weight(),
            self._sums(),
            self._output(),
            self._route(mac.LOAD_INPUT, "input", 1),
            self._route(mac.LOAD_WEIGHT, "weight", 1),
            self._route(mac.RELOAD, "input", 1),
            self._route(mac.SPILL, "output", 0),
            self._route(mac.STORE, "output", 0),
            t.m,
            t.n,
            t.k,
            t.pieces,
            t.weights,
            self._owned(),
            int(self.cold),
            min(self.array.count, self.tiles[2]) if several else 1,
            self.machine.unit_index[self.chip.vector_unit.name],
            g.channels,
            (g.m, g.n),
            g.rank,
        )

    def loops(self) -> mac.Loops:
        """The loops over tiles in the mapping's order, dealt along the array's split."""
        count, split = self.array.count, self.array.split
        dealt = _three([count if letter == split else 1 for letter in LETTERS])
        steps = _three([cut(*pair) for pair in zip(self.tiles, dealt, strict=True)])
        stride, below = [0, 0, 0], 1
        for letter in reversed(self.mapping.order):
            axis = LETTERS.index(letter)
            stride[axis], below = below, below * steps[axis]
        mine = _three([int(side > 1) for side in dealt])
        total = self.geometry.groups * below
        return mac.Loops(count, self.tiles, steps, _three(stride), dealt, mine, below, total)

    def passes(self) -> mac.Pass:
        """What a pass does at most."""
        array, layout, limit = self.array, self.layout, self.layout.limits
        most = self._most_cuts()
        flow = dataflow(self.mapping.dataflow)
        window, stays = flow.window(self.geometry), STATIONARY[flow.stays]
        exit_row = flow.code(array, self.geometry, self.mapping) if window else 0
        if array.bypass and window is None:  # results of all passes leave under one row
            axis, most_of = (2, MOST_K) if limit[2] else (0, MOST_M)
            longest = min(limit[axis], layout.tiles.found[most_of])
            exit_row = max(1, cut(longest, limit[axis] // array.rows))
        return mac.Pass(
            limit,
            (most[1] if stays == mac.WEIGHTS else most[0], most[2]),
            stays,
            array.stationary_depth,
            array.register_bytes // array.stationary_depth,
            self.mapping.dataflow,
            exit_row,
            int(fused(array)),
            mac.Slide(*(window or (1, 1, 1, 1, 0))),
        )

    def state(self, op: mac.Op) -> mac.State:
        """Before the first job."""
        inputs, weights = (
            np.zeros(1 + buffer.stays * buffer.keys * self.array.count, np.int64)
            for buffer in (op.input, op.weight)
        )
        known = np.full(mac.KNOWN * self.array.count, -1, np.int64)
        return mac.State(np.zeros(2, np.int64), inputs, weights, known)

    def most(self, op: mac.Op) -> tuple[int, int]:
        """Commands and operands of the largest job."""
        passes = prod(self._most_cuts())
        commands = 5 + op.summands + 2 * passes
        return commands, 2 * (commands + self.array.count) + 2 * passes

    def _most_cuts(self) -> tuple[int, int, int]:
        most = self.layout.tiles.found
        sizes = most[MOST_M], most[MOST_N], most[MOST_K]
        return _three([cut(*pair) for pair in zip(sizes, self.layout.limits, strict=True)])

    def _route(self, style: int, channel: str, inward: int) -> Route:
        return Route(style, self.machine.unit_index[f"{self.chip.dma.name}.{channel}"], inward)

    def _memories(self, name: str) -> list[int]:
        index = self.machine.memory_index
        return [index[memory_of(self.chip, name, i)] for i in range(self.array.count)]

    def _private(self, name: str) -> bool:
        return len(set(self._memories(name))) > 1

    def _owned(self) -> Ints:
        key = ("owned", self.array.count, self.column)
        if key not in self.chip.memo:
            self.chip.memo[key] = self._instances()
        found: Ints = self.chip.memo[key]
        return found

    def _instances(self) -> Ints:
        """Memories and units of every instance."""
        array, index, units = self.array, self.machine.memory_index, self.machine.unit_index
        sums = self._memories(array.output)
        if self.column:
            sums = [index[f"{name}.accumulators"] for name in self.units]
        owned = {
            mac.INPUTS_AT: self._memories(array.input),
            mac.WEIGHTS_AT: self._memories(array.weight),
            mac.SUMS_AT: sums,
            mac.CODES_AT: self._memories(array.output),
            mac.REGISTERS_AT: [index[f"{name}.registers"] for name in self.units],
            mac.ARRAY: [units[name] for name in self.units],
            mac.LOADER: [units[f"{name}.preload"] for name in self.units],
        }
        columns = [owned[which] for which in range(mac.OWN)]
        return np.array(columns, np.int64).T.ravel()

    def _input(self) -> mac.Buffer:
        g, layout, slots = self.geometry, self.layout, self.mapping.input_slots
        private = self._private(self.array.input)
        form, bits = FORMAT_INDEX[self.formats[0]], layout.input_bits
        total = g.groups * g.batch * g.channels * g.in_height * g.in_width
        keys = g.groups * self.tiles[2] * self.tiles[0]
        return mac.Buffer(
            What(mac.INPUT, bits, form),
            What(mac.LOWERED, bits, form),
            layout.input_area.base,
            layout.input_slot,
            slots,
            slots * layout.input_slot if layout.input_lanes > 1 else 0,
            int(layout.input_resident),
            layout.tiles.found[PIECES],
            int(layout.input_split),
            int(private),
            keys,
            get(self.formats[0]).bytes_for(total),
            int(layout.input_here),
        )

    def _weight(self) -> mac.Buffer:
        g, layout, slots = self.geometry, self.layout, self.mapping.weight_slots
        private = self._private(self.array.weight)
        what = What(mac.WEIGHT_MATRIX, layout.weight_bits, FORMAT_INDEX[self.formats[1]])
        keys = g.groups * self.tiles[2] * self.tiles[1]
        return mac.Buffer(
            what,
            what,
            layout.weight_area.base,
            layout.weight_slot,
            slots,
            slots * layout.weight_slot if layout.weight_lanes > 1 else 0,
            int(self.mapping.weight_resident or not self.cold),
            layout.tiles.found[WEIGHTS],
            int(layout.weight_split),
            int(private),
            keys,
            get(self.formats[1]).bytes_for(g.groups * g.k * g.n),
            0,
        )

    def _sums(self) -> mac.Buffer:
        layout, wide = self.layout, self.layout.sum_format
        what = What(mac.SUMS, get(wide).bits, FORMAT_INDEX[wide])
        slots = max(1, layout.sums_slots)
        apart = layout.output_lanes > 1 and not self.column
        lane = slots * layout.sums_slot if apart else 0
        return _results(what, layout.sums_area.base, layout.sums_slot, slots, lane, 0)

    def _output(self) -> mac.Buffer:
        g, layout, slots = self.geometry, self.layout, self.mapping.output_slots
        name = self.formats[2]
        what = What(mac.OUTPUT_MATRIX, get(name).bits, FORMAT_INDEX[name])
        lane = slots * layout.out_slot if layout.output_lanes > 1 else 0
        whole = get(name).bytes_for(g.groups * g.m * g.n)
        return _results(what, layout.output_area.base, layout.out_slot, slots, lane, whole)


def _results(what: What, base: int, size: int, slots: int, lane: int, whole: int) -> mac.Buffer:
    return mac.Buffer(what, what, base, size, slots, lane, 0, 0, 1, 1, 0, whole, 0)


def _three(values: list[int]) -> tuple[int, int, int]:
    first, second, third = values
    return first, second, third


@lru_cache(maxsize=64)
def styles_of(formats: tuple[str, str, str], sums: str) -> Ints:
    """Opcode, formats and flags of each style of rows. formats: of input, weight, output."""
    a, b, out, wide = (FORMAT_INDEX[name] for name in (*formats, sums))
    table = {
        mac.LOAD_INPUT: (LOAD, a, -1, -1, 0),
        mac.LOAD_WEIGHT: (LOAD, b, -1, -1, 0),
        mac.RELOAD: (LOAD, wide, -1, -1, 0),
        mac.SPILL: (STORE, wide, -1, -1, 0),
        mac.STORE: (STORE, out, -1, -1, 0),
        mac.PRELOAD: (PRELOAD, a, b, -1, 0),
        mac.ADD: (ACCUMULATE, wide, -1, wide, 0),
        mac.REQUANTIZE: (REQUANTIZE, wide, -1, out, 0),
        **{mac.MATMUL + flags: (MATMUL, a, b, out, flags) for flags in range(8)},
    }
    return np.array([table[style] for style in range(mac.MATMUL + 8)], np.int64)
