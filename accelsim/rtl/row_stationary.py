"""Row-stationary sets of elements with scratchpads, every element at every clock edge.

Element (d, j, g): place d up the chain of a sum, output row j, group g of filters. All elements of place d do
what those of place d - 1 did ``hop`` cycles before. Within a cycle places are visited from the last to the
first, so that the one below still shows what it had before the edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.rtl.schedule import Layout, TilePass, blank_exit, word_range
from accelsim.rtl.twin import Signals, Twin, ready
from accelsim.rtl.word import fit_word
from accelsim.units.dataflows.row_stationary import Fold, Turns, fold_of, turns_of

Ints = NDArray[np.int64]


def row_cycles(
    valid: Ints,
    fresh: Ints,
    starts: Ints,
    ends: Ints,
    tap: Ints,
    keep: Ints,
    turn: Ints,
    slot: Ints,
    words: Ints,
    load: Ints,
    load_place: Ints,
    load_group: Ints,
    load_tap: Ints,
    load_turn: Ints,
    load_slot: Ints,
    load_values: Ints,
    sizes: tuple[int, int, int, int, int, int, int, int, int],
    low: int,
    high: int,
    saturate: int,
    out: Ints,
    out_valid: Ints,
) -> None:
    """Run len(valid) cycles; out[t], out_valid[t] is what the tops of the columns show after edge t.

    Of place 0 (cycles): valid: multiply. fresh: take a word of the input. starts, ends: the product begins,
    completes its element's part of a sum. tap, turn: of the filter word and sum. keep: place of the input
    word. slot: stationary slot. words (cycles, places x rows): the input for every place, by output row, before
    the skew of ``hop`` cycles a place. load, load_place, load_group, load_tap, load_turn, load_values (cycles,
    lanes), load_slot (cycles): filter words, each to the elements of all output rows. sizes: places, output
    rows, groups, taps, words of inputs, filters, slots, latency, hop. out (cycles + 1, rows x groups, 1).
    """
    places, rows, groups, taps, inputs, filters, slots, latency, hop = sizes
    pads = np.zeros((places, groups, slots, taps * filters), np.int64)
    held = np.zeros((places, rows, inputs), np.int64)
    sums = np.zeros((places, rows, groups, filters), np.int64)
    stage = np.zeros((places, rows, groups, latency), np.int64)
    flags = np.zeros((places, latency, 3), np.int64)  # valid, ends, turn
    up = np.zeros((places, rows, groups, hop), np.int64)
    up_valid = np.zeros((places, hop), np.int64)
    for now in range(len(valid)):
        for d in range(places - 1, -1, -1):
            # a sum moves up; the last stage's result joins what comes from below
            for s in range(hop - 1, 0, -1):
                up_valid[d, s] = up_valid[d, s - 1]
                up[d, :, :, s] = up[d, :, :, s - 1]
            for s in range(latency - 1, 0, -1):
                flags[d, s] = flags[d, s - 1]
                stage[d, :, :, s] = stage[d, :, :, s - 1]
            at = now - hop * d
            use = valid[at] if at >= 0 else 0
            flags[d, 0, 0] = use
            if use:
                flags[d, 0, 1], flags[d, 0, 2] = ends[at], turn[at]
                for j in range(rows):
                    if fresh[at]:
                        held[d, j, keep[at]] = words[at, d * rows + j]
                    for g in range(groups):
                        weight = pads[d, g, slot[at], tap[at] * filters + turn[at]]
                        before = 0 if starts[at] else sums[d, j, g, turn[at]]
                        total = before + weight * held[d, j, keep[at]]
                        stage[d, j, g, 0] = fit_word(total, low, high, saturate)
            up_valid[d, 0] = flags[d, latency - 1, 0] * flags[d, latency - 1, 1]
            if flags[d, latency - 1, 0]:
                for j in range(rows):
                    for g in range(groups):
                        total = stage[d, j, g, latency - 1]
                        sums[d, j, g, flags[d, latency - 1, 2]] = total
                        if d > 0:
                            total = fit_word(total + up[d - 1, j, g, hop - 1], low, high, saturate)
                        up[d, j, g, 0] = total
        for lane in range(load.shape[1]):
            if load[now, lane]:
                where = load_tap[now, lane] * filters + load_turn[now, lane]
                pads[load_place[now, lane], load_group[now, lane], load_slot[now], where] = (
                    load_values[now, lane]
                )
        for j in range(rows):
            for g in range(groups):
                out_valid[now + 1, j * groups + g] = up_valid[places - 1, 0]
                out[now + 1, j * groups + g, 0] = up[places - 1, j, g, 0]


class RowArray(Twin):
    """Row stationary. All passes of a run have chains of one length and one number of groups."""

    one_bit = ("valid", "fresh", "starts", "ends", "load")

    def signals(self, plan: Layout, passes: Sequence[TilePass]) -> Signals:
        """As row_cycles takes them."""
        size = Sizes(plan)
        cycles = max(one.issue + plan.steps[i] for i, one in enumerate(passes))
        cycles += plan.array.mac_latency + (size.places + 1) * plan.array.hop_registers
        lanes = size.lanes
        made: Signals = {name: np.zeros(cycles, np.int64) for name in self.one_bit[:4] + PLACES}
        made["words"] = np.zeros((cycles, size.places * size.rows), np.int64)
        loads: Signals = {name: np.zeros((cycles, lanes), np.int64) for name in ("load", *LOADS)}
        loads["load_slot"] = np.zeros(cycles, np.int64)
        loads["load_values"] = np.zeros((cycles, lanes), np.int64)
        for index, one in enumerate(passes):
            work = Pass(plan, index, one)
            work.stream(made, size)
            if one.preload >= 0:
                work.load(loads, lanes)
        return made | loads

    def run(self, plan: Layout, signals: Signals, compile_loops: bool) -> tuple[Ints, Ints]:
        """What the tops of the columns show after every edge."""
        size, array = Sizes(plan), plan.array
        out, valid = blank_exit(len(signals["valid"]), size.rows * size.groups, 1)
        sizes = (*size.numbers(), array.stationary_depth, array.mac_latency, array.hop_registers)
        step = ready(row_cycles, compile_loops)
        step(*signals.values(), sizes, *word_range(array), out, valid)
        return out, valid

    def share(self, plan: Layout) -> tuple[int, ...]:
        """A result a filter of each window in every column, used or not."""
        turns = turns_of(plan.array, plan.shapes)
        return tuple((turns.windows * turns.filters).tolist())

    def results(self, plan: Layout, index: int, seen: Ints) -> Ints:
        """(m, n) from (output rows x groups, windows x filters, 1)."""
        fold, turns = fold_of(plan.shapes), turns_of(plan.array, plan.shapes)
        high, images = int(fold.height[index]), int(fold.images[index])
        groups, filters = int(fold.groups[index]), int(turns.filters[index])
        shown = seen.reshape(high, groups, images, -1, filters)
        return shown.transpose(2, 0, 3, 1, 4).reshape(-1, groups * filters)

    def verilog(self, plan: Layout) -> tuple[str, dict[str, int]]:
        """row_array."""
        size, array, bits = Sizes(plan), plan.array, self.widths(plan)
        return "row_array", {
            "PLACES": size.places,
            "ROWS": size.rows,
            "GROUPS": size.groups,
            "COLUMNS": size.rows * size.groups,
            "TAPS": size.taps,
            "INPUTS": size.inputs,
            "FILTERS": size.filters,
            "SLOTS": array.stationary_depth,
            "LATENCY": array.mac_latency,
            "HOP": array.hop_registers,
            "BUS": size.lanes,
            "AW": bits["words"],
            "BW": bits["load_values"],
            "PW": array.accumulator.bits,
            "SATURATE": int(array.accumulator.overflow == "saturate"),
        }

    def widths(self, plan: Layout) -> dict[str, int]:
        """Bits of an input and of a filter word."""
        return {"words": get(plan.rate.input).bits, "load_values": get(plan.rate.weight).bits}


PLACES = ("tap", "keep", "turn", "slot")
LOADS = ("load_place", "load_group", "load_tap", "load_turn")


class Sizes:
    """What the elements of a run need: places of a chain, output rows, groups, taps, words of inputs, filters;
    lanes: filter words a cycle."""

    def __init__(self, plan: Layout) -> None:
        fold, turns = fold_of(plan.shapes), turns_of(plan.array, plan.shapes)
        self.places, self.rows = max(plan.rows), int(fold.height.max())
        self.groups, self.taps = int(fold.groups.max()), int(turns.taps.max())
        self.inputs, self.filters = self.taps, int(turns.filters.max())
        pads = plan.array.scratchpads
        assert pads is not None and len(set(plan.rows)) == 1 and len(set(fold.groups.tolist())) == 1
        self.lanes = max(1, pads.bus // get(plan.rate.weight).bits)

    def numbers(self) -> tuple[int, int, int, int, int, int]:
        """Of an element and of the array, as row_cycles takes them."""
        return self.places, self.rows, self.groups, self.taps, self.inputs, self.filters


class Pass:
    """One pass of a run as signals."""

    def __init__(self, plan: Layout, index: int, one: TilePass) -> None:
        def at(record: Fold | Turns) -> list[int]:
            return [int(column[index]) for column in record]

        fold, turns = (
            Fold._make(at(fold_of(plan.shapes))),
            Turns._make(at(turns_of(plan.array, plan.shapes))),
        )
        self.one, self.fold, self.turns = one, fold, turns
        high, wide = int(fold.kernel_height), int(fold.kernel_width)
        sets, channels = int(turns.chain) // high, int(turns.channels)
        deep = one.a.shape[1] // (high * wide)
        padded = np.zeros((one.a.shape[0], sets * channels, high, wide), np.int64)
        padded[:, :deep] = one.a.reshape(-1, deep, high, wide)
        #: (images, output rows, outputs of a row, sets, channels, kernel rows, kernel columns)
        self.input = padded.reshape(
            int(fold.images), int(fold.height), -1, sets, channels, high, wide
        )

    def stream(self, made: Signals, size: Sizes) -> None:
        """The products of a pass, one after another: image, window, channel, column of the kernel, filter."""
        fold, turns = self.fold, self.turns
        images, height, width, _, channels, _, wide = self.input.shape
        filters, step, stride = int(turns.filters), int(turns.turn), int(fold.stride_width)
        now = self.one.issue
        for image in range(images):
            for window in range(width):
                for tap in range(channels * wide):
                    channel, column = divmod(tap, wide)
                    new = window == 0 or column >= wide - stride
                    for turn in range(filters):
                        made["valid"][now + turn], made["turn"][now + turn] = 1, turn
                        made["tap"][now + turn] = tap
                        made["keep"][now + turn] = (
                            channel * wide + (window * stride + column) % wide
                        )
                        made["slot"][now + turn] = self.one.slot
                        made["starts"][now + turn] = tap == 0
                        made["ends"][now + turn] = tap == channels * wide - 1
                    if new:
                        made["fresh"][now] = 1
                        word = self.input[image, :, window, :, channel, :, column]
                        flat = word.transpose(1, 2, 0).reshape(-1, height)
                        row = made["words"][now].reshape(size.places, size.rows)
                        row[:, :height] = flat
                    now += step

    def load(self, loads: Signals, lanes: int) -> None:
        """The filter words, k after k, of all filters each."""
        turns, fold = self.turns, self.fold
        high, wide, channels = int(fold.kernel_height), int(fold.kernel_width), int(turns.channels)
        now, lane = self.one.preload, 0
        for k, row in enumerate(self.one.b.tolist()):
            channel, line, column = k // (high * wide), k // wide % high, k % wide
            for n, value in enumerate(row):
                loads["load"][now, lane] = 1
                loads["load_place"][now, lane] = channel // channels * high + line
                loads["load_group"][now, lane] = n // int(turns.filters)
                loads["load_tap"][now, lane] = channel % channels * wide + column
                loads["load_turn"][now, lane] = n % int(turns.filters)
                loads["load_values"][now, lane] = value
                loads["load_slot"][now] = self.one.slot
                lane += 1
                if lane == lanes:
                    now, lane = now + 1, 0


TWIN = RowArray()
