"""Array whose outputs stay in the elements: systolic or broadcast, one or two result registers.

Visiting order within a cycle as in stationary.py. Three kinds of state an element: operands on
their way, the sum with the stages of its multiply-accumulate, and the drain down the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.jit import Helpers, allocates_nothing, in_one_piece
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
from accelsim.rtl.word import Word, fit_word, put

Ints = NDArray[np.int64]


class Ports(NamedTuple):
    """What stands at the edges, cycle by cycle. a (cycles, rows, k lanes), b (cycles, columns, k lanes x output
    lanes): operands, before the skew (``hop`` cycles a row, one a column). mac, first, ends, used (cycles): multiply
    in this cycle; it starts a sum; the sum ends with this cycle; rows in use."""

    a: Ints
    b: Ints
    mac: Ints
    first: Ints
    ends: Ints
    used: Ints


class Numbers(NamedTuple):
    """Lanes of k, output lanes, hop, latency of a multiply-accumulate (the sum is read when it starts). double: a
    second register holds a finished sum. exit_row: counted from 1. word: of sums."""

    lanes: int
    wide: int
    hop: int
    latency: int
    systolic: int
    double: int
    exit_row: int
    word: Word


class Elements(NamedTuple):
    """Registers of all elements, by row and column. control: mac, first, rows in use at the end. stage: of a
    multiply-accumulate, the last one is the sum itself. done: rows in use, 0 where nothing ends. drain: the second
    register (double only). full, shift: of the drain. start (columns): of a drain. product: of one element."""

    a: Ints
    b: Ints
    control: Ints
    stage: Ints
    stage_valid: Ints
    done: Ints
    drain: Ints
    full: Ints
    shift: Ints
    start: Ints
    product: Ints


def at_rest(ports: Ports, size: Numbers) -> Elements:
    """The elements before the first edge."""
    grid = (ports.a.shape[1], ports.b.shape[1])
    shapes: tuple[tuple[int, ...], ...] = (
        (size.lanes,),
        (size.hop, size.lanes * size.wide),
        (3,),
        (size.latency, size.wide),
        (size.latency,),
        (size.latency,),
        (size.wide,),
        (),
        (),
    )
    whole = [*((*grid, *shape) for shape in shapes), (grid[1],), (size.wide,)]
    return Elements(*(np.zeros(shape, np.int64) for shape in whole))


def starts(e: Elements, size: Numbers, j: int) -> int:
    """Whether column j starts to drain: its last row has finished, a cycle later from second registers."""
    ends = 0
    for i in range(e.done.shape[0]):
        if e.done[i, j, size.latency - 1] == i + 1:
            ends = 1
    go = e.start[j] if size.double else ends
    e.start[j] = ends
    return go


def show(e: Elements, size: Numbers, j: int, out: Ints, out_valid: Ints) -> None:
    """The exit of column j shows what its row holds. out (columns, output lanes), out_valid: of one edge."""
    row = size.exit_row - 1
    if e.full[row, j]:
        out_valid[j] = 1
        put(out[j], e.drain[row, j] if size.double else e.stage[row, j, size.latency - 1])


def drain(e: Elements, size: Numbers, go: int, i: int, j: int) -> int:
    """Results move down the column; whether one moves into the element."""
    moves = 1 if i > 0 and (go or e.shift[i - 1, j]) else 0
    if go or e.shift[i, j]:
        e.full[i, j] = 0
    e.shift[i, j] = moves
    if moves:
        e.full[i, j] = e.full[i - 1, j]
    if size.double:
        if moves:
            put(e.drain[i, j], e.drain[i - 1, j])
        if e.done[i, j, size.latency - 1]:
            put(e.drain[i, j], e.stage[i, j, size.latency - 1])
            e.full[i, j] = 1
    return moves


def pass_on(ports: Ports, e: Elements, size: Numbers, now: int, i: int, j: int) -> None:
    """The operands come from the left and from above, or from the edges."""
    row_edge, column_edge = now, now
    if size.systolic:
        row_edge, column_edge = now - size.hop * i, now - j
    if size.systolic and j > 0:
        put(e.a[i, j], e.a[i, j - 1])
        put(e.control[i, j], e.control[i, j - 1])
    elif row_edge >= 0:
        active = 1 if i < ports.used[row_edge] else 0
        put(e.a[i, j], ports.a[row_edge, i])
        e.control[i, j, 0] = ports.mac[row_edge] * active
        e.control[i, j, 1] = ports.first[row_edge]
        e.control[i, j, 2] = ports.ends[row_edge] * ports.used[row_edge] * active
    else:
        e.control[i, j] = 0
    if size.systolic:
        for hold in range(size.hop - 1, 0, -1):
            put(e.b[i, j, hold], e.b[i, j, hold - 1])
    if size.systolic and i > 0:
        put(e.b[i, j, 0], e.b[i - 1, j, size.hop - 1])
    elif column_edge >= 0:
        put(e.b[i, j, 0], ports.b[column_edge, j])


def accumulate(e: Elements, size: Numbers, i: int, j: int) -> None:
    """The sum is read now and written ``latency`` edges later."""
    lanes, wide, last = size.lanes, size.wide, size.latency - 1
    for x in range(wide):
        total = 0 if e.control[i, j, 1] else e.stage[i, j, last, x]
        for lane in range(lanes):
            total += e.a[i, j, lane] * e.b[i, j, 0, lane * wide + x]
        e.product[x] = fit_word(total, size.word)
    for step in range(last, 0, -1):
        e.done[i, j, step] = e.done[i, j, step - 1]
        if step < last or e.stage_valid[i, j, step - 1]:
            put(e.stage[i, j, step], e.stage[i, j, step - 1])
        e.stage_valid[i, j, step] = e.stage_valid[i, j, step - 1]
    e.done[i, j, 0], e.stage_valid[i, j, 0] = e.control[i, j, 2], e.control[i, j, 0]
    if last > 0 or e.control[i, j, 0]:
        put(e.stage[i, j, 0], e.product)


@allocates_nothing
@in_one_piece
def output_cycles(ports: Ports, e: Elements, size: Numbers, out: Ints, out_valid: Ints) -> None:
    """Run len(ports.mac) cycles; out[t] (columns, output lanes), out_valid[t] is what the exit shows after edge t, of
    len(ports.mac) + 1."""
    rows, columns, last = len(e.full), len(e.start), size.latency - 1
    for now in range(len(ports.mac)):
        moment = now if size.double else now + 1
        for j in range(columns - 1, -1, -1):
            go = starts(e, size, j)
            if go or e.shift[size.exit_row - 1, j]:
                show(e, size, j, out[moment], out_valid[moment])
            for i in range(rows - 1, -1, -1):
                moves = drain(e, size, go, i, j)
                pass_on(ports, e, size, now, i, j)
                accumulate(e, size, i, j)
                if not size.double:
                    if moves:  # the drain runs through the sums
                        put(e.stage[i, j, last], e.stage[i - 1, j, last])
                    if e.done[i, j, last]:
                        e.full[i, j] = 1


STEPS: Helpers = (
    starts,
    (show, (put,)),
    (drain, (put,)),
    (pass_on, (put,)),
    (accumulate, (fit_word, put)),
    put,
)


class OutputArray(Twin):
    """Output stationary, systolic or broadcast."""

    one_bit = ("mac", "first", "ends")

    def signals(self, plan: Layout, passes: Sequence[TilePass]) -> Signals:
        """As Ports. With second result registers a short pass ends as late as its
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
        return Ports(a, b, mac, first, end, used)._asdict()

    def run(self, plan: Layout, signals: Signals, compile_loops: bool) -> tuple[Ints, Ints]:
        """What the exit shows after every edge."""
        array, lanes = plan.array, plan.held * plan.streamed
        out, valid = blank_exit(len(signals["mac"]), array.columns, lanes)
        size = Numbers(
            plan.lanes,
            lanes,
            array.hop_registers,
            array.mac_latency,
            int(array.structure == "systolic"),
            int(array.stationary_depth > 1),
            plan.exit_row,
            word_range(array),
        )
        ports = Ports(**signals)
        step = ready(output_cycles, compile_loops, STEPS)
        step(ports, at_rest(ports, size), size, out, valid)
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
