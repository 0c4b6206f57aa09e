"""A MAC operator under a mapping as the numbers that its loop nest reads, and its rows."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine
from accelsim.chip.machine import all_of, beside, serving
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.cores import lead, loaded_together, sending
from accelsim.mapping.mapping import Geometry, Mapping, array_for
from accelsim.mapping.placement import Placement, fused, place
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.rows import mac, mac_op
from accelsim.mapping.rows.record import Nest, Route, What, cut
from accelsim.mapping.tiles import MOST_K, MOST_M, MOST_N, PIECES, WEIGHTS
from accelsim.program.opcodes import Opcode
from accelsim.units.dataflows import dataflow

Ints = NDArray[np.int64]
LETTERS = "mnk"
LOAD, STORE, TRANSFER, PRELOAD, MATMUL, ACCUMULATE, REQUANTIZE = (
    int(Opcode[name])
    for name in ("LOAD", "STORE", "TRANSFER", "PRELOAD", "MATMUL", "ACCUMULATE", "REQUANTIZE")
)
STATIONARY = {"none": mac_op.NOTHING, "weight": mac_op.WEIGHTS, "input": mac_op.INPUTS}


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
        self.units = all_of(chip, self.array.name)[: self.array.count]
        self.tiles = layout.tiles.counts
        self.column = layout.sums_area.memory.endswith(".accumulators")

    def op(self) -> mac_op.Op:
        """What the nest reads."""
        g, layout = self.geometry, self.layout
        t = layout.tiles
        several = self.array.count > 1 and self.array.split == "k"
        return mac_op.Op(
            self.loops(),
            self.passes(),
            self._input(),
            self._weight(),
            self._sums(),
            self._output(),
            self._kept(),
            Route(mac_op.LOAD_INPUT, mac_op.DMA_INPUT, 1, 0),
            Route(mac_op.LOAD_WEIGHT, mac_op.DMA_WEIGHT, 1, 0),
            Route(mac_op.RELOAD, mac_op.DMA_INPUT, 1, 0),
            Route(mac_op.SPILL, mac_op.DMA_OUTPUT, 0, 0),
            Route(mac_op.STORE, mac_op.DMA_OUTPUT, 0, 0),
            t.m,
            t.n,
            t.k,
            t.pieces,
            t.weights,
            self._owned(),
            int(self.cold),
            min(self.array.count, self.tiles[2]) if several else 1,
            layout.gathered_at,
            sending(self.chip, self.array.count) if layout.gathered_at >= 0 else 0,
            *self._engines(),
            g.groups * self.tiles[0] * self.tiles[1],
            g.channels,
            (g.m, g.n),
            g.rank,
        )

    def loops(self) -> mac_op.Loops:
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
        return mac_op.Loops(count, self.tiles, steps, _three(stride), dealt, mine, below, total)

    def passes(self) -> mac_op.Pass:
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
        return mac_op.Pass(
            limit,
            (most[1] if stays == mac_op.WEIGHTS else most[0], most[2]),
            stays,
            array.stationary_depth,
            array.register_bytes // array.stationary_depth,
            self.mapping.dataflow,
            exit_row,
            int(fused(array)),
            mac_op.Slide(*(window or (1, 1, 1, 1, 0))),
        )

    def state(self, op: mac_op.Op) -> mac_op.State:
        """Before the first job."""
        inputs, weights = (
            np.zeros(1 + buffer.stays * buffer.keys * self.array.count, np.int64)
            for buffer in (op.input, op.weight)
        )
        known = np.full(mac_op.KNOWN * self.array.count, -1, np.int64)
        kept = np.zeros(1 + op.weight.keys * (op.kept.memory >= 0), np.int64)
        return mac_op.State(np.zeros(3, np.int64), inputs, weights, kept, known)

    def most(self, op: mac_op.Op) -> tuple[int, int]:
        """Commands and operands of the largest job."""
        passes = prod(self._most_cuts())
        commands = 5 + (1 + 2 * (op.gathered >= 0)) * op.summands + 2 * passes
        return commands, 1 + 2 * (commands + self.array.count) + 2 * passes

    def _most_cuts(self) -> tuple[int, int, int]:
        most = self.layout.tiles.found
        sizes = most[MOST_M], most[MOST_N], most[MOST_K]
        return _three([cut(*pair) for pair in zip(sizes, self.layout.limits, strict=True)])

    def _memories(self, name: str) -> list[int]:
        index = self.machine.memory_index
        return [index[beside(self.chip, name, i)] for i in range(self.array.count)]

    def _engines(self) -> tuple[int, int]:
        """Arrays that one DMA engine serves, and engines that leave results at home: of those with tiles of m or n."""
        near = serving(self.chip, self.chip.dma.name)
        dealt = [self.tiles[LETTERS.index(self.array.split)], self.array.count]
        return near, 1 if self.array.split == "k" else cut(min(dealt), near)

    def _serving(self, name: str, channel: str = "") -> list[int]:
        """The unit of that name, or its channel, that serves each instance."""
        index = self.machine.unit_index
        return [index[beside(self.chip, name, i) + channel] for i in range(self.array.count)]

    def _owned(self) -> Ints:
        key = ("owned", self.array.count, self.column)
        if key not in self.chip.memo:
            self.chip.memo[key] = self._instances()
        found: Ints = self.chip.memo[key]
        return found

    def _instances(self) -> Ints:
        """Memories and units of every instance."""
        array, index, units = self.array, self.machine.memory_index, self.machine.unit_index
        chip, dma, count = self.chip, self.chip.dma.name, range(self.array.count)
        sums = self._memories(array.output)
        if self.column:
            sums = [index[f"{name}.accumulators"] for name in self.units]
        owned = {
            mac_op.INPUTS_AT: self._memories(array.input),
            mac_op.WEIGHTS_AT: self._memories(array.weight),
            mac_op.SUMS_AT: sums,
            mac_op.CODES_AT: self._memories(array.output),
            mac_op.REGISTERS_AT: [index[f"{name}.registers"] for name in self.units],
            mac_op.ARRAY: [units[name] for name in self.units],
            mac_op.LOADER: [units[f"{name}.preload"] for name in self.units],
            mac_op.FINISHER: self._serving(chip.vector_unit.name),
            mac_op.DMA_INPUT: self._serving(dma, ".input"),
            mac_op.DMA_WEIGHT: self._serving(dma, ".weight"),
            mac_op.DMA_OUTPUT: self._serving(dma, ".output"),
            mac_op.LEAD_INPUT: [lead(chip, beside(chip, array.input, i), 1) for i in count],
            mac_op.LEAD_WEIGHT: [lead(chip, beside(chip, array.weight, i), 1) for i in count],
            mac_op.LEAD_OUTPUT: [lead(chip, beside(chip, array.output, i), 0) for i in count],
        }
        columns = [owned[which] for which in range(mac_op.OWN)]
        return np.array(columns, np.int64).T.ravel()

    def _input(self) -> mac_op.Buffer:
        g, layout, slots = self.geometry, self.layout, self.mapping.input_slots
        form, bits = FORMAT_INDEX[self.formats[0]], layout.input_bits
        total = g.groups * g.batch * g.channels * g.in_height * g.in_width
        keys = g.groups * self.tiles[2] * self.tiles[0]
        return mac_op.Buffer(
            What(mac_op.INPUT, bits, form),
            What(mac_op.LOWERED, bits, form),
            layout.input_area.base,
            layout.input_slot,
            slots,
            slots * layout.input_slot if layout.input_lanes > 1 else 0,
            int(layout.input_resident),
            layout.tiles.found[PIECES],
            int(layout.input_split),
            serving(self.chip, self.array.input),
            loaded_together(self.chip, self.array.input),
            keys,
            get(self.formats[0]).bytes_for(total),
            int(layout.input_here),
        )

    def _weight(self) -> mac_op.Buffer:
        g, layout, slots = self.geometry, self.layout, self.mapping.weight_slots
        what = What(mac_op.WEIGHT_MATRIX, layout.weight_bits, FORMAT_INDEX[self.formats[1]])
        keys = g.groups * self.tiles[2] * self.tiles[1]
        return mac_op.Buffer(
            what,
            what,
            layout.weight_area.base,
            layout.weight_slot,
            slots,
            slots * layout.weight_slot if layout.weight_lanes > 1 else 0,
            int(self.mapping.weight_resident or not self.cold),
            layout.tiles.found[WEIGHTS],
            int(layout.weight_split),
            serving(self.chip, self.array.weight),
            loaded_together(self.chip, self.array.weight),
            keys,
            get(self.formats[1]).bytes_for(g.groups * g.k * g.n),
            0,
        )

    def _kept(self) -> mac_op.Kept:
        kept, group = self.layout.kept, self.layout.tiles.found[WEIGHTS]
        if kept is None:
            return mac_op.Kept(-1, 0, 0, 0)
        memory = self.machine.memory_index[kept.memory]
        return mac_op.Kept(memory, kept.address, group, int(kept.there))

    def _sums(self) -> mac_op.Buffer:
        layout, wide = self.layout, self.layout.sum_format
        what = What(mac_op.SUMS, get(wide).bits, FORMAT_INDEX[wide])
        slots = max(1, layout.sums_slots)
        apart = layout.output_lanes > 1 and not self.column
        lane, near = slots * layout.sums_slot if apart else 0, serving(self.chip, self.array.output)
        return _results(what, layout.sums_area.base, layout.sums_slot, slots, (lane, near), 0)

    def _output(self) -> mac_op.Buffer:
        g, layout, slots = self.geometry, self.layout, self.mapping.output_slots
        name = self.formats[2]
        what = What(mac_op.OUTPUT_MATRIX, get(name).bits, FORMAT_INDEX[name])
        near = serving(self.chip, self.array.output)
        lane = slots * layout.out_slot if layout.output_lanes > 1 else 0
        whole = get(name).bytes_for(g.groups * g.m * g.n)
        place = layout.output_area.base, layout.out_slot
        return _results(what, *place, slots, (lane, near), whole)


def _results(
    what: What, base: int, size: int, slots: int, lanes: tuple[int, int], whole: int
) -> mac_op.Buffer:
    """A buffer of results. lanes: bytes between the slots of two instances, and how many instances share one."""
    lane, near = lanes
    return mac_op.Buffer(what, what, base, size, slots, lane, 0, 0, 1, near, 1, 0, whole, 0)


def _three(values: list[int]) -> tuple[int, int, int]:
    first, second, third = values
    return first, second, third


@lru_cache(maxsize=64)
def styles_of(formats: tuple[str, str, str], sums: str) -> Ints:
    """Opcode, formats and flags of each style of rows. formats: of input, weight, output."""
    a, b, out, wide = (FORMAT_INDEX[name] for name in (*formats, sums))
    table = {
        mac_op.LOAD_INPUT: (LOAD, a, -1, -1, 0),
        mac_op.LOAD_WEIGHT: (LOAD, b, -1, -1, 0),
        mac_op.RELOAD: (LOAD, wide, -1, -1, 0),
        mac_op.SPILL: (STORE, wide, -1, -1, 0),
        mac_op.STORE: (STORE, out, -1, -1, 0),
        mac_op.PRELOAD: (PRELOAD, a, b, -1, 0),
        mac_op.ADD: (ACCUMULATE, wide, -1, wide, 0),
        mac_op.REQUANTIZE: (REQUANTIZE, wide, -1, out, 0),
        mac_op.SEND: (TRANSFER, wide, -1, -1, 0),
        **{mac_op.MATMUL + flags: (MATMUL, a, b, out, flags) for flags in range(8)},
    }
    return np.array([table[style] for style in range(mac_op.MATMUL + 8)], np.int64)
