"""Systolic array with a stationary operand (weights or inputs), every element at every clock edge.

The loops are plain Python and compile as they stand. Within one cycle elements are visited from
the last row and column to the first, so that a neighbour above or to the left still shows the
value it had before the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.jit import Helpers, allocates_nothing, in_one_piece
from accelsim.rtl import broadcast
from accelsim.rtl.broadcast import Ports
from accelsim.rtl.schedule import Layout, TilePass, blank_exit, horizon, tiled, word_range
from accelsim.rtl.twin import Signals, Twin, ready
from accelsim.rtl.word import Word, fit_word, put
from accelsim.units.dataflows import dataflow

Ints = NDArray[np.int64]


class Numbers(NamedTuple):
    """Lanes of k, of the held operand, of the stream; hop (registers of the partial sum a row); slots; exit row,
    counted from 1; of sums the word."""

    lanes: int
    held: int
    streamed: int
    hop: int
    slots: int
    exit_row: int
    word: Word


class Elements(NamedTuple):
    """Registers of all elements, by row and column: the streamed operand with its valid bit and slot, partial sums on
    their way down, whether a preload was taken, the stationary operand."""

    a: Ints
    a_valid: Ints
    a_slot: Ints
    sums: Ints
    sum_valid: Ints
    taken: Ints
    store: Ints


def at_rest(ports: Ports, size: Numbers) -> Elements:
    """The elements before the first edge."""
    grid = (ports.stream.shape[1], ports.load_values.shape[1])
    shapes: tuple[tuple[int, ...], ...] = (
        (size.lanes * size.streamed,),
        (),
        (),
        (size.hop, size.held * size.streamed),
        (size.hop,),
        (),
        (size.slots, size.lanes * size.held),
    )
    return Elements(*(np.zeros((*grid, *shape), np.int64) for shape in shapes))


def pass_on(ports: Ports, e: Elements, size: Numbers, now: int, i: int, j: int) -> None:
    """The stream operand, its valid bit and slot come from the left, ``hop`` cycles later a row."""
    edge = now - size.hop * i
    if j > 0:
        put(e.a[i, j], e.a[i, j - 1])
        e.a_valid[i, j], e.a_slot[i, j] = e.a_valid[i, j - 1], e.a_slot[i, j - 1]
    elif edge >= 0:
        put(e.a[i, j], ports.stream[edge, i])
        e.a_valid[i, j], e.a_slot[i, j] = ports.valid[edge], ports.slot[edge]
    else:
        e.a_valid[i, j], e.a_slot[i, j] = 0, 0


def add(e: Elements, size: Numbers, i: int, j: int) -> None:
    """The products join the sum from above, which takes hop registers on its way down."""
    lanes, held, streamed, hop = size.lanes, size.held, size.streamed, size.hop
    for stage in range(hop - 1, 0, -1):
        put(e.sums[i, j, stage], e.sums[i, j, stage - 1])
        e.sum_valid[i, j, stage] = e.sum_valid[i, j, stage - 1]
    slot = e.a_slot[i, j]
    for x in range(held):
        for y in range(streamed):
            total = e.sums[i - 1, j, hop - 1, x * streamed + y] if i > 0 else 0
            for lane in range(lanes):
                weight = e.store[i, j, slot, lane * held + x]
                total += weight * e.a[i, j, lane * streamed + y]
            e.sums[i, j, 0, x * streamed + y] = fit_word(total, size.word)
    e.sum_valid[i, j, 0] = e.a_valid[i, j]


def preload(ports: Ports, e: Elements, now: int, i: int, j: int) -> None:
    """A column-wide enable, a cycle later a column; a row takes what the row above pushes out."""
    top = now - j
    enable = ports.load[top] if top >= 0 else 0
    if enable and i > 0:
        enable = 0 if ports.load_start[top] else e.taken[i - 1, j]
    e.taken[i, j] = enable
    if not enable:
        return
    target = ports.load_slot[top]
    if e.a_valid[i, j] and e.a_slot[i, j] == target:  # hold rule: in use, not written
        return
    if i > 0:
        put(e.store[i, j, target], e.store[i - 1, j, target])
    else:
        put(e.store[i, j, target], ports.load_values[top, j])


@allocates_nothing
@in_one_piece
def stationary_cycles(ports: Ports, e: Elements, size: Numbers, out: Ints, out_valid: Ints) -> None:
    """Run len(ports.valid) cycles; out[t] (columns, held x stream lanes), out_valid[t] is what the exit shows after
    edge t, of len(ports.valid) + 1."""
    rows, columns = e.taken.shape
    for now in range(len(ports.valid)):
        for i in range(rows - 1, -1, -1):
            for j in range(columns - 1, -1, -1):
                pass_on(ports, e, size, now, i, j)
                add(e, size, i, j)
                preload(ports, e, now, i, j)
        for j in range(columns):
            out_valid[now + 1, j] = e.sum_valid[size.exit_row - 1, j, size.hop - 1]
            put(out[now + 1, j], e.sums[size.exit_row - 1, j, size.hop - 1])


STEPS: Helpers = ((pass_on, (put,)), (add, (fit_word, put)), (preload, (put,)), put)


class Stationary(Twin):
    """Weight or input stationary, systolic or broadcast."""

    one_bit = ("valid", "load", "load_start")

    def signals(self, plan: Layout, passes: Sequence[TilePass]) -> Signals:
        """As Ports."""
        array, cycles = plan.array, horizon(plan, passes)
        valid, slot, load, load_start, load_slot = np.zeros((5, cycles), np.int64)
        stream = np.zeros((cycles, array.rows, plan.lanes * plan.streamed), np.int64)
        values = np.zeros((cycles, array.columns, plan.lanes * plan.held), np.int64)
        for index, one in enumerate(passes):
            weights = dataflow(plan.number).stays == "weight"
            kept, moving = (one.b, one.a.T) if weights else (one.a.T, one.b)
            steps, rows = plan.steps[index], plan.rows[index]
            span = slice(one.issue, one.issue + steps)
            cut = tiled(moving, array.rows, plan.lanes, steps, plan.streamed)
            stream[span] = cut.transpose(1, 0, 2)
            valid[span], slot[span] = 1, one.slot
            if one.preload >= 0:
                tile = tiled(kept, rows, plan.lanes, array.columns, plan.held)
                span = slice(one.preload, one.preload + rows)
                # a systolic column shifts down: the value of the last row enters first
                values[span] = tile[::-1] if array.structure == "systolic" else tile
                load[span], load_slot[span] = 1, one.slot
                load_start[one.preload] = 1
        return Ports(stream, valid, slot, load, load_start, load_slot, values)._asdict()

    def run(self, plan: Layout, signals: Signals, compile_loops: bool) -> tuple[Ints, Ints]:
        """What the exit shows after every edge."""
        array, lanes = plan.array, (plan.lanes, plan.held, plan.streamed)
        ports, word = Ports(**signals), word_range(array)
        out, valid = blank_exit(len(ports.valid), array.columns, plan.held * plan.streamed)
        if array.structure == "systolic":
            hop, slots = array.row_latency, array.stationary_depth
            size = Numbers(*lanes, hop, slots, plan.exit_row, word)
            step = ready(stationary_cycles, compile_loops, STEPS)
            step(ports, at_rest(ports, size), size, out, valid)
        else:
            levels = (array.rows * array.dot - 1).bit_length()
            latency, slots = array.mac_latency, array.stationary_depth
            tree = broadcast.Numbers(*lanes, array.dot, latency, slots, levels, word)
            step = ready(broadcast.broadcast_cycles, compile_loops, broadcast.STEPS)
            step(ports, broadcast.at_rest(ports, tree), tree, out, valid)
        return out, valid

    def share(self, plan: Layout) -> tuple[int, ...]:
        """A result a step in every column, used or not."""
        return plan.steps

    def results(self, plan: Layout, index: int, seen: Ints) -> Ints:
        """(m, n) from (columns, steps, lanes)."""
        if dataflow(plan.number).stays == "weight":
            return seen.transpose(1, 0, 2).reshape(plan.steps[index], -1)
        return seen.reshape(plan.columns[index], -1)

    def verilog(self, plan: Layout) -> tuple[str, dict[str, int]]:
        """stationary_array or broadcast_array."""
        array, widths = plan.array, self.widths(plan)
        shared = self.common(plan) | {
            "HELD": plan.held,
            "STREAMED": plan.streamed,
            "SW": widths["stream"],
            "KW": widths["load_values"],
            "SLOTS": array.stationary_depth,
        }
        if array.structure == "systolic":
            return "stationary_array", {**shared, "HOP": array.row_latency}
        levels = {"LEVELS": array.tree_levels}
        return "broadcast_array", {
            **shared,
            "LEAVES": array.dot,
            "LATENCY": array.mac_latency,
            **levels,
        }

    def widths(self, plan: Layout) -> dict[str, int]:
        """Bits of a streamed and of a stationary word."""
        bits = get(plan.rate.input).bits, get(plan.rate.weight).bits
        stream, kept = bits if dataflow(plan.number).stays == "weight" else bits[::-1]
        return {"stream": stream, "load_values": kept}


TWIN = Stationary()
