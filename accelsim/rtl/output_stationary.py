"""Array whose outputs stay in the elements: systolic or broadcast, one or two result registers.

Visiting order within a cycle as in stationary.py. Three kinds of state an element: operands on
their way, the sum with the stages of its multiply-accumulate, and the drain down the column.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.program.opcodes import Opcode
from accelsim.rtl.schedule import (
    Layout,
    TilePass,
    blank_exit,
    horizon,
    shape_rows,
    tiled,
    word_range,
)
from accelsim.rtl.twin import Signals, Twin, ready
from accelsim.rtl.word import fit_word

Ints = NDArray[np.int64]


def output_cycles(
    a: Ints,
    b: Ints,
    mac: Ints,
    first: Ints,
    end: Ints,
    used: Ints,
    sizes: tuple[int, int, int, int],
    systolic: int,
    double: int,
    exit_row: int,
    low: int,
    high: int,
    saturate: int,
    out: Ints,
    out_valid: Ints,
) -> None:
    """Run len(mac) cycles; out[t], out_valid[t] is what the exit shows after edge t.

    a (cycles, rows, k lanes), b (cycles, columns, k lanes x output lanes): operands at the edges,
    before the skew (``hop`` cycles a row, one a column). mac, first, end, used (cycles): multiply
    in this cycle; it starts a sum; the sum ends with this cycle; rows in use. sizes: k lanes,
    output lanes, hop, latency of a multiply-accumulate (the sum is read when it starts). double: a
    second register holds a finished sum. exit_row: counted from 1. out (cycles + 1, columns,
    output lanes).
    """
    cycles, rows = a.shape[0], a.shape[1]
    columns = b.shape[1]
    lanes, wide, hop, latency = sizes
    a_reg = np.zeros((rows, columns, lanes), np.int64)
    control = np.zeros((rows, columns, 3), np.int64)  # mac, first, rows in use at the end
    b_reg = np.zeros((rows, columns, hop, lanes * wide), np.int64)
    stage = np.zeros((rows, columns, latency, wide), np.int64)  # the last one is the sum itself
    stage_valid = np.zeros((rows, columns, latency), np.int64)
    done = np.zeros((rows, columns, latency), np.int64)  # rows in use, 0: nothing ends
    drain = np.zeros((rows, columns, wide), np.int64)  # second register (double only)
    full = np.zeros((rows, columns), np.int64)
    shift = np.zeros((rows, columns), np.int64)
    start = np.zeros(columns, np.int64)
    skew_row, skew_column = (hop, 1) if systolic else (0, 0)
    product = np.zeros(wide, np.int64)
    for now in range(cycles):
        for j in range(columns - 1, -1, -1):
            # a finished last row starts the column's drain, a cycle later from second registers
            ends = 0
            for i in range(rows):
                if done[i, j, latency - 1] == i + 1:
                    ends = 1
            go = start[j] if double else ends
            start[j] = ends
            take = 1 if go or shift[exit_row - 1, j] else 0
            moment = now if double else now + 1
            if take and full[exit_row - 1, j]:
                out_valid[moment, j] = 1
                if double:
                    out[moment, j] = drain[exit_row - 1, j]
                else:
                    out[moment, j] = stage[exit_row - 1, j, latency - 1]
            for i in range(rows - 1, -1, -1):
                moves = 1 if i > 0 and (go or shift[i - 1, j]) else 0
                leaves = 1 if go or shift[i, j] else 0
                shift[i, j] = moves
                finished = done[i, j, latency - 1]
                if leaves:
                    full[i, j] = 0
                if moves:
                    full[i, j] = full[i - 1, j]
                if double:
                    if moves:
                        drain[i, j] = drain[i - 1, j]
                    if finished:
                        drain[i, j] = stage[i, j, latency - 1]
                        full[i, j] = 1
                # operands
                row_edge, column_edge = now - skew_row * i, now - skew_column * j
                if systolic and j > 0:
                    a_reg[i, j] = a_reg[i, j - 1]
                    control[i, j] = control[i, j - 1]
                elif row_edge >= 0:
                    active = 1 if i < used[row_edge] else 0
                    a_reg[i, j] = a[row_edge, i]
                    control[i, j, 0] = mac[row_edge] * active
                    control[i, j, 1] = first[row_edge]
                    control[i, j, 2] = end[row_edge] * used[row_edge] * active
                else:
                    control[i, j] = 0
                if systolic:
                    for hold in range(hop - 1, 0, -1):
                        b_reg[i, j, hold] = b_reg[i, j, hold - 1]
                    if i > 0:
                        b_reg[i, j, 0] = b_reg[i - 1, j, hop - 1]
                    elif column_edge >= 0:
                        b_reg[i, j, 0] = b[column_edge, j]
                else:
                    b_reg[i, j, 0] = b[column_edge, j]
                # the sum is read now and written ``latency`` edges later
                for x in range(wide):
                    total = 0 if control[i, j, 1] else stage[i, j, latency - 1, x]
                    for lane in range(lanes):
                        total += a_reg[i, j, lane] * b_reg[i, j, 0, lane * wide + x]
                    product[x] = fit_word(total, low, high, saturate)
                for step in range(latency - 1, 0, -1):
                    done[i, j, step] = done[i, j, step - 1]
                    if step < latency - 1 or stage_valid[i, j, step - 1]:
                        stage[i, j, step] = stage[i, j, step - 1]
                    stage_valid[i, j, step] = stage_valid[i, j, step - 1]
                done[i, j, 0] = control[i, j, 2]
                stage_valid[i, j, 0] = control[i, j, 0]
                if latency > 1 or control[i, j, 0]:
                    stage[i, j, 0] = product
                if not double:
                    if moves:  # the drain runs through the sums
                        stage[i, j, latency - 1] = stage[i - 1, j, latency - 1]
                    if done[i, j, latency - 1]:
                        full[i, j] = 1


class OutputArray(Twin):
    """Output stationary, systolic or broadcast."""

    one_bit = ("mac", "first", "ends")

    def signals(self, plan: Layout, passes: Sequence[TilePass]) -> Signals:
        """As output_cycles takes them. With second result registers a short pass ends as late as its
        interval says (OutputStationary.times): nothing streams in the padding."""
        array, cycles = plan.array, horizon(plan, passes)
        shapes = shape_rows(array, plan.number, plan.rate, passes, Opcode.MATMUL, plan.exit_row)
        interval = array.cost(shapes).interval.tolist()
        a = np.zeros((cycles, array.rows, plan.lanes), np.int64)
        b = np.zeros((cycles, array.columns, plan.lanes * plan.streamed), np.int64)
        mac, first, end, used = np.zeros((4, cycles), np.int64)
        for index, one in enumerate(passes):
            steps, latency = plan.steps[index], array.mac_latency
            left = tiled(one.a.T, steps, plan.lanes, array.rows, 1)
            top = tiled(one.b, steps, plan.lanes, array.columns, plan.streamed)
            at = one.issue + latency * np.arange(steps)
            a[at], b[at], mac[at], first[at] = left, top, 1, 0
            first[one.issue] = 1
            final = int(at[-1])
            if array.stationary_depth > 1:
                final = one.issue + interval[index] - 1
            used[one.issue : final + 1] = plan.rows[index]
            end[final] = 1
        return {"a": a, "b": b, "mac": mac, "first": first, "ends": end, "used": used}

    def run(self, plan: Layout, signals: Signals, compile_loops: bool) -> tuple[Ints, Ints]:
        """What the exit shows after every edge."""
        array, lanes = plan.array, plan.held * plan.streamed
        out, valid = blank_exit(len(signals["mac"]), array.columns, lanes)
        ready(output_cycles, compile_loops)(
            *signals.values(),
            (plan.lanes, lanes, array.hop_registers, array.mac_latency),
            int(array.structure == "systolic"),
            int(array.stationary_depth > 1),
            plan.exit_row,
            *word_range(array),
            out,
            valid,
        )
        return out, valid

    def share(self, plan: Layout) -> tuple[int, ...]:
        """A result a used row, last row first."""
        return plan.rows

    def results(self, plan: Layout, index: int, seen: Ints) -> Ints:
        """(m, n) from (columns, rows, lanes)."""
        return seen[:, ::-1].transpose(1, 0, 2).reshape(plan.rows[index], -1)

    def verilog(self, plan: Layout) -> tuple[str, dict[str, int]]:
        """output_array."""
        array, widths = plan.array, self.widths(plan)
        return "output_array", {
            **self.common(plan),
            "WIDE": plan.held * plan.streamed,
            "AW": widths["a"],
            "BW": widths["b"],
            "HOP": array.hop_registers,
            "LATENCY": array.mac_latency,
            "DOUBLE": int(array.stationary_depth > 1),
            "SYSTOLIC": int(array.structure == "systolic"),
        }

    def widths(self, plan: Layout) -> dict[str, int]:
        """Bits of an input and of a weight word."""
        return {"a": get(plan.rate.input).bits, "b": get(plan.rate.weight).bits}


TWIN = OutputArray()
