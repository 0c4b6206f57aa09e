"""Systolic array with a stationary operand (weights or inputs), every element at every clock edge.

The loops are plain Python and compile as they stand. Within one cycle elements are visited from
the last row and column to the first, so that a neighbour above or to the left still shows the
value it had before the edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.rtl.broadcast import broadcast_cycles
from accelsim.rtl.schedule import Layout, TilePass, blank_exit, horizon, tiled, word_range
from accelsim.rtl.twin import Signals, Twin, ready
from accelsim.rtl.word import fit_word
from accelsim.units.dataflows import dataflow

Ints = NDArray[np.int64]


def stationary_cycles(
    stream: Ints,
    valid: Ints,
    slot: Ints,
    load: Ints,
    load_start: Ints,
    load_slot: Ints,
    load_values: Ints,
    sizes: tuple[int, int, int, int, int],
    exit_row: int,
    low: int,
    high: int,
    saturate: int,
    out: Ints,
    out_valid: Ints,
) -> None:
    """Run len(valid) cycles; out[t], out_valid[t] is what the exit shows after edge t.

    stream (cycles, rows, k lanes x stream lanes): operands at the left edge, before the skew of
    ``hop`` cycles a row. valid, slot (cycles): whether, and which stationary slot they meet.
    load, load_start, load_slot (cycles), load_values (cycles, columns, k lanes x held lanes): the
    preload at the top edge, before the skew of one cycle a column. sizes: k lanes, held lanes,
    stream lanes, hop (registers of the partial sum a row), slots. exit_row: counted from 1.
    out (cycles + 1, columns, held x stream lanes).
    """
    cycles, rows = stream.shape[0], stream.shape[1]
    columns = load_values.shape[1]
    lanes, held, streamed, hop, slots = sizes
    a_reg = np.zeros((rows, columns, lanes * streamed), np.int64)
    a_valid = np.zeros((rows, columns), np.int64)
    a_slot = np.zeros((rows, columns), np.int64)
    sums = np.zeros((rows, columns, hop, held * streamed), np.int64)
    sum_valid = np.zeros((rows, columns, hop), np.int64)
    taken = np.zeros((rows, columns), np.int64)
    store = np.zeros((rows, columns, slots, lanes * held), np.int64)
    for now in range(cycles):
        for i in range(rows - 1, -1, -1):
            edge = now - hop * i
            for j in range(columns - 1, -1, -1):
                # stream operand, its valid bit and slot select, from the left
                if j > 0:
                    use, which = a_valid[i, j - 1], a_slot[i, j - 1]
                    a_reg[i, j] = a_reg[i, j - 1]
                elif edge >= 0:
                    use, which = valid[edge], slot[edge]
                    a_reg[i, j] = stream[edge, i]
                else:
                    use, which = 0, 0
                a_valid[i, j] = use
                a_slot[i, j] = which
                # multiply, add to the sum from above, hop registers on the way down
                for stage in range(hop - 1, 0, -1):
                    sums[i, j, stage] = sums[i, j, stage - 1]
                    sum_valid[i, j, stage] = sum_valid[i, j, stage - 1]
                for x in range(held):
                    for y in range(streamed):
                        total = sums[i - 1, j, hop - 1, x * streamed + y] if i > 0 else 0
                        for lane in range(lanes):
                            total += (
                                store[i, j, which, lane * held + x]
                                * a_reg[i, j, lane * streamed + y]
                            )
                        sums[i, j, 0, x * streamed + y] = fit_word(total, low, high, saturate)
                sum_valid[i, j, 0] = use
                # preload: a column-wide enable; a row takes what the row above pushes out
                top = now - j
                enable = load[top] if top >= 0 else 0
                if enable and i > 0:
                    enable = 0 if load_start[top] else taken[i - 1, j]
                taken[i, j] = enable
                if enable:
                    target = load_slot[top]
                    if not (use and which == target):  # hold rule: in use, not written
                        if i > 0:
                            store[i, j, target] = store[i - 1, j, target]
                        else:
                            store[i, j, target] = load_values[top, j]
        for j in range(columns):
            out_valid[now + 1, j] = sum_valid[exit_row - 1, j, hop - 1]
            out[now + 1, j] = sums[exit_row - 1, j, hop - 1]


class Stationary(Twin):
    """Weight or input stationary, systolic or broadcast."""

    one_bit = ("valid", "load", "load_start")

    def signals(self, plan: Layout, passes: Sequence[TilePass]) -> Signals:
        """As stationary_cycles takes them."""
        array, cycles = plan.array, horizon(plan, passes)
        flags = np.zeros((5, cycles), np.int64)
        stream = np.zeros((cycles, array.rows, plan.lanes * plan.streamed), np.int64)
        values = np.zeros((cycles, array.columns, plan.lanes * plan.held), np.int64)
        valid, slot, load, load_start, load_slot = flags
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
        return {
            "stream": stream,
            "valid": valid,
            "slot": slot,
            "load": load,
            "load_start": load_start,
            "load_slot": load_slot,
            "load_values": values,
        }

    def run(self, plan: Layout, signals: Signals, compile_loops: bool) -> tuple[Ints, Ints]:
        """What the exit shows after every edge."""
        array, lanes = plan.array, (plan.lanes, plan.held, plan.streamed)
        ports, word = tuple(signals.values()), word_range(array)
        out, valid = blank_exit(len(signals["valid"]), array.columns, plan.held * plan.streamed)
        if array.structure == "systolic":
            sizes = (*lanes, array.row_latency, array.stationary_depth)
            step = ready(stationary_cycles, compile_loops)
            step(*ports, sizes, plan.exit_row, *word, out, valid)
        else:
            tree = (*lanes, array.dot, array.mac_latency, array.stationary_depth)
            ready(broadcast_cycles, compile_loops)(*ports, tree, *word, out, valid)
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
