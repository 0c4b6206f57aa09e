"""Row-stationary sets of elements with scratchpads, every element at every clock edge.

Element (d, j, g): place d up the chain of a sum, output row j, group g of filters. All elements of place d do
what those of place d - 1 did ``hop`` cycles before. Within a cycle places are visited from the last to the
first, so that the one below still shows what it had before the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.jit import Helpers
from accelsim.rtl.schedule import Layout, TilePass, blank_exit, word_range
from accelsim.rtl.twin import Signals, Twin, ready
from accelsim.rtl.word import Word, fit_word
from accelsim.units.dataflows.row_stationary import Fold, Turns, fold_of, turns_of

Ints = NDArray[np.int64]


class Work(NamedTuple):
    """What place 0 is told, a number a cycle. valid: multiply. fresh: take a word of the input. starts, ends: the
    product begins, completes its element's part of a sum. tap, turn: of the filter word and sum. keep: place of
    the input word. slot: stationary slot. words (cycles, places x rows): the input for every place, by output row,
    before the skew of ``hop`` cycles a place."""

    valid: Ints
    fresh: Ints
    starts: Ints
    ends: Ints
    tap: Ints
    keep: Ints
    turn: Ints
    slot: Ints
    words: Ints


class Loads(NamedTuple):
    """Filter words (cycles, lanes), each to the elements of all output rows; load_slot (cycles)."""

    load: Ints
    load_place: Ints
    load_group: Ints
    load_tap: Ints
    load_turn: Ints
    load_slot: Ints
    load_values: Ints


class Numbers(NamedTuple):
    """Places of a chain, output rows, groups, taps, words of inputs, filters, slots, latency, hop; of sums the
    word."""

    places: int
    rows: int
    groups: int
    taps: int
    inputs: int
    filters: int
    slots: int
    latency: int
    hop: int
    word: Word


class Elements(NamedTuple):
    """Registers of all elements, by place first. flags: of each multiplier's stage valid, ends, turn. up: sums on
    their way to the next place."""

    pads: Ints
    held: Ints
    sums: Ints
    stage: Ints
    flags: Ints
    up: Ints
    up_valid: Ints


def at_rest(size: Numbers) -> Elements:
    """The elements before the first edge."""
    chain = (size.places, size.rows, size.groups)
    return Elements(
        np.zeros((size.places, size.groups, size.slots, size.taps * size.filters), np.int64),
        np.zeros((size.places, size.rows, size.inputs), np.int64),
        np.zeros((*chain, size.filters), np.int64),
        np.zeros((*chain, size.latency), np.int64),
        np.zeros((size.places, size.latency, 3), np.int64),
        np.zeros((*chain, size.hop), np.int64),
        np.zeros((size.places, size.hop), np.int64),
    )


def shift(e: Elements, size: Numbers, d: int) -> None:
    """Sums and products of place d go one register on."""
    for s in range(size.hop - 1, 0, -1):
        e.up_valid[d, s] = e.up_valid[d, s - 1]
        e.up[d, :, :, s] = e.up[d, :, :, s - 1]
    for s in range(size.latency - 1, 0, -1):
        e.flags[d, s] = e.flags[d, s - 1]
        e.stage[d, :, :, s] = e.stage[d, :, :, s - 1]


def multiply(work: Work, e: Elements, size: Numbers, d: int, at: int) -> None:
    """Place d multiplies what place 0 did at cycle ``at``, if it did."""
    use = work.valid[at] if at >= 0 else 0
    e.flags[d, 0, 0] = use
    if not use:
        return
    e.flags[d, 0, 1], e.flags[d, 0, 2] = work.ends[at], work.turn[at]
    for j in range(size.rows):
        if work.fresh[at]:
            e.held[d, j, work.keep[at]] = work.words[at, d * size.rows + j]
        for g in range(size.groups):
            weight = e.pads[d, g, work.slot[at], work.tap[at] * size.filters + work.turn[at]]
            before = 0 if work.starts[at] else e.sums[d, j, g, work.turn[at]]
            total = before + weight * e.held[d, j, work.keep[at]]
            e.stage[d, j, g, 0] = fit_word(total, size.word)


def rise(e: Elements, size: Numbers, d: int) -> None:
    """The last stage's result of place d joins what comes from below."""
    last = size.latency - 1
    e.up_valid[d, 0] = e.flags[d, last, 0] * e.flags[d, last, 1]
    if not e.flags[d, last, 0]:
        return
    for j in range(size.rows):
        for g in range(size.groups):
            total = e.stage[d, j, g, last]
            e.sums[d, j, g, e.flags[d, last, 2]] = total
            if d > 0:
                below = e.up[d - 1, j, g, size.hop - 1]
                total = fit_word(total + below, size.word)
            e.up[d, j, g, 0] = total


def take(loads: Loads, e: Elements, size: Numbers, now: int) -> None:
    """Filter words of a cycle go into the scratchpads."""
    for lane in range(loads.load.shape[1]):
        if loads.load[now, lane]:
            word = loads.load_tap[now, lane] * size.filters + loads.load_turn[now, lane]
            place, group = loads.load_place[now, lane], loads.load_group[now, lane]
            e.pads[place, group, loads.load_slot[now], word] = loads.load_values[now, lane]


def row_cycles(
    work: Work, loads: Loads, e: Elements, size: Numbers, out: Ints, out_valid: Ints
) -> None:
    """Run len(work.valid) cycles; out[t] (rows x groups, 1), out_valid[t] is what the tops of the columns show
    after edge t, of len(work.valid) + 1."""
    top = size.places - 1
    for now in range(len(work.valid)):
        for d in range(top, -1, -1):
            shift(e, size, d)
            multiply(work, e, size, d, now - size.hop * d)
            rise(e, size, d)
        take(loads, e, size, now)
        for j in range(size.rows):
            for g in range(size.groups):
                out_valid[now + 1, j * size.groups + g] = e.up_valid[top, 0]
                out[now + 1, j * size.groups + g, 0] = e.up[top, j, g, 0]


STEPS: Helpers = (shift, (multiply, (fit_word,)), (rise, (fit_word,)), take)


class RowArray(Twin):
    """Row stationary. All passes of a run have chains of one length and one number of groups."""

    one_bit = ("valid", "fresh", "starts", "ends", "load")

    def signals(self, plan: Layout, passes: Sequence[TilePass]) -> Signals:
        """As row_cycles takes them."""
        size = Sizes(plan)
        cycles = max(one.issue + plan.steps[i] for i, one in enumerate(passes))
        cycles += plan.array.mac_latency + (size.places + 1) * plan.array.hop_registers
        lanes = size.lanes
        made: Signals = {name: np.zeros(cycles, np.int64) for name in Work._fields}
        made["words"] = np.zeros((cycles, size.places * size.rows), np.int64)
        loads: Signals = {name: np.zeros((cycles, lanes), np.int64) for name in Loads._fields}
        loads["load_slot"] = np.zeros(cycles, np.int64)
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
        own = array.stationary_depth, array.mac_latency, array.hop_registers
        whole = Numbers(*size.numbers(), *own, word_range(array))
        work, loads = (
            record(*(signals[name] for name in record._fields)) for record in (Work, Loads)
        )
        step = ready(row_cycles, compile_loops, STEPS)
        step(work, loads, at_rest(whole), whole, out, valid)
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
