"""Tile passes at given cycles: the edge signals that they make, and reading the results back.

Both the register-transfer model and the Verilog take these signals, cycle by cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.dataflow import Dataflow
from accelsim.units.mac_array import MacArray, Rate

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TilePass:
    """a: (m, k) input codes. b: (k, n) weight codes. issue: cycle of the MATMUL. preload: cycle
    of its PRELOAD, -1 where outputs are stationary or the slot already holds the tile. slot:
    stationary slot."""

    a: Ints
    b: Ints
    issue: int = 0
    preload: int = -1
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array runs one dataflow in one format pair. lanes: products an element adds a cycle.
    held, streamed: output lanes of an element from its stationary and from its streamed operand
    (output stationary: held 1). rows, columns, steps: used by each pass. exit_row: from 1."""

    array: MacArray
    dataflow: int
    rate: Rate
    lanes: int
    held: int
    streamed: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    steps: tuple[int, ...]
    exit_row: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What one pass was seen to do. first, last: edges of its first and last result, counted from
    its issue. results: (m, n), or None when the exit did not show the right number of them."""

    first: int
    last: int
    results: Ints | None


def shape_rows(
    array: MacArray,
    dataflow: int,
    rate: Rate,
    passes: Sequence[TilePass],
    opcode: Opcode,
    exit_row: int = 0,
) -> Shapes:
    """The Program shape rows of the passes (their PRELOADs or their MATMULs)."""
    count = len(passes)
    extents = np.zeros((count, 8), np.int64)
    for index, one in enumerate(passes):
        m, k, n = one.a.shape[0], one.a.shape[1], one.b.shape[1]
        if opcode == Opcode.PRELOAD:
            m, n = (0, n) if dataflow == Dataflow.WEIGHT_STATIONARY else (m, 0)
        extents[index, :5] = m, n, k, dataflow, exit_row
    column = np.zeros(count, np.int64)
    return Shapes(
        column,
        column + opcode,
        column,
        column + FORMAT_INDEX[rate.input],
        column + FORMAT_INDEX[rate.weight],
        column - 1,
        extents,
    )


def layout(array: MacArray, dataflow: int, rate: Rate, passes: Sequence[TilePass]) -> Layout:
    """Layout of a run of passes; with a bypass the exit is under the most rows any of them uses."""
    rows, columns, steps = array.used(shape_rows(array, dataflow, rate, passes, Opcode.MATMUL))
    lanes = array.dot * (rate.factor if rate.along == "k" else 1)
    wide = array.simd * (rate.factor if rate.along == "n" else 1)
    held = wide if dataflow == Dataflow.WEIGHT_STATIONARY else 1
    return Layout(
        array,
        dataflow,
        rate,
        lanes,
        held,
        1 if held > 1 else wide,
        tuple(rows.tolist()),
        tuple(columns.tolist()),
        tuple(steps.tolist()),
        int(rows.max()) if array.bypass else array.rows,
    )


def earliest(
    array: MacArray,
    dataflow: int,
    rate: Rate,
    tiles: Sequence[tuple[Ints, Ints]],
    depth: int | None = None,
) -> list[TilePass]:
    """The passes a, b of ``tiles`` one after the other, each as early as the closed forms allow.

    depth: stationary slots in use, default all of the array's.
    """
    depth = array.stationary_depth if depth is None else depth
    bare = [TilePass(a, b) for a, b in tiles]
    plan = layout(array, dataflow, rate, bare)
    shapes = shape_rows(array, dataflow, rate, bare, Opcode.MATMUL, plan.exit_row)
    interval = array.cost(shapes).interval.tolist()
    if dataflow == Dataflow.OUTPUT_STATIONARY:
        starts = np.concatenate([[0], np.cumsum(interval)])
        return [TilePass(a, b, int(s)) for (a, b), s in zip(tiles, starts[:-1], strict=True)]
    loading = array.cost(shape_rows(array, dataflow, rate, bare, Opcode.PRELOAD)).interval.tolist()
    passes: list[TilePass] = []
    preload_free = array_free = 0
    for index, (a, b) in enumerate(tiles):
        preload = preload_free
        if index >= depth:
            old = index - depth
            lag = array.slot_lag(dataflow, plan.rows[index])
            preload = max(preload, passes[old].issue + interval[old] + lag)
        issue = max(preload + loading[index], array_free)
        passes.append(TilePass(a, b, issue, preload, index % depth))
        preload_free, array_free = preload + loading[index], issue + interval[index]
    return passes


def _tiled(values: Ints, rows: int, lanes: int, columns: int, wide: int) -> Ints:
    """(k, n) codes as (rows, columns, lanes x wide), zero where the tile ends."""
    padded = np.zeros((rows * lanes, columns * wide), np.int64)
    padded[: values.shape[0], : values.shape[1]] = values
    cut = padded.reshape(rows, lanes, columns, wide)
    return cut.transpose(0, 2, 1, 3).reshape(rows, columns, lanes * wide)


@dataclass(slots=True)
class StationarySignals:
    """Edge signals of an array with a stationary operand; stationary_cycles says what they mean."""

    stream: Ints
    valid: Ints
    slot: Ints
    load: Ints
    load_start: Ints
    load_slot: Ints
    load_values: Ints


@dataclass(slots=True)
class OutputSignals:
    """Edge signals of an output-stationary array; output_cycles says what they mean."""

    a: Ints
    b: Ints
    mac: Ints
    first: Ints
    end: Ints
    used: Ints


def _horizon(plan: Layout, passes: Sequence[TilePass]) -> int:
    """Cycles after which nothing moves any more."""
    array = plan.array
    steps = max(plan.steps) * array.mac_latency + array.rows
    rows = (array.hop_registers + array.mac_latency + 1) * (array.rows + 1)
    return max(p.issue for p in passes) + steps + 2 * rows + array.columns + array.tree_levels + 2


def stationary_signals(plan: Layout, passes: Sequence[TilePass]) -> StationarySignals:
    """Signals of weight- or input-stationary passes."""
    array, cycles = plan.array, _horizon(plan, passes)
    flags = np.zeros((5, cycles), np.int64)
    stream = np.zeros((cycles, array.rows, plan.lanes * plan.streamed), np.int64)
    values = np.zeros((cycles, array.columns, plan.lanes * plan.held), np.int64)
    valid, slot, load, load_start, load_slot = flags
    for index, one in enumerate(passes):
        weights = plan.dataflow == Dataflow.WEIGHT_STATIONARY
        kept, moving = (one.b, one.a.T) if weights else (one.a.T, one.b)
        steps, rows = plan.steps[index], plan.rows[index]
        span = slice(one.issue, one.issue + steps)
        cut = _tiled(moving, array.rows, plan.lanes, steps, plan.streamed)
        stream[span] = cut.transpose(1, 0, 2)
        valid[span], slot[span] = 1, one.slot
        if one.preload >= 0:
            tile = _tiled(kept, rows, plan.lanes, array.columns, plan.held)
            span = slice(one.preload, one.preload + rows)
            # a systolic column shifts down: the value of the last row enters first
            values[span] = tile[::-1] if array.structure == "systolic" else tile
            load[span], load_slot[span] = 1, one.slot
            load_start[one.preload] = 1
    return StationarySignals(stream, valid, slot, load, load_start, load_slot, values)


def output_signals(plan: Layout, passes: Sequence[TilePass]) -> OutputSignals:
    """Signals of output-stationary passes. With second result registers a short pass ends as late
    as its interval says (MacArray.cost): nothing streams in the padding."""
    array, cycles = plan.array, _horizon(plan, passes)
    shapes = shape_rows(array, plan.dataflow, plan.rate, passes, Opcode.MATMUL, plan.exit_row)
    interval = array.cost(shapes).interval.tolist()
    a = np.zeros((cycles, array.rows, plan.lanes), np.int64)
    b = np.zeros((cycles, array.columns, plan.lanes * plan.streamed), np.int64)
    mac, first, end, used = np.zeros((4, cycles), np.int64)
    for index, one in enumerate(passes):
        steps, latency = plan.steps[index], array.mac_latency
        left = _tiled(one.a.T, steps, plan.lanes, array.rows, 1)
        top = _tiled(one.b, steps, plan.lanes, array.columns, plan.streamed)
        at = one.issue + latency * np.arange(steps)
        a[at], b[at], mac[at], first[at] = left, top, 1, 0
        first[one.issue] = 1
        final = int(at[-1])
        if array.stationary_depth > 1:
            final = one.issue + interval[index] - 1
        used[one.issue : final + 1] = plan.rows[index]
        end[final] = 1
    return OutputSignals(a, b, mac, first, end, used)


def read_back(plan: Layout, passes: Sequence[TilePass], out: Ints, out_valid: Ints) -> list[Trace]:
    """Traces of the passes from what the exit showed after every edge.

    out (edges, columns, lanes), out_valid (edges, columns). Results leave a column in the order
    of the passes; a pass shows one result a step (output stationary: one a used row, last row
    first) in every column, used or not.
    """
    output = plan.dataflow == Dataflow.OUTPUT_STATIONARY
    share = plan.rows if output else plan.steps
    edges = [np.flatnonzero(out_valid[:, j]) for j in range(plan.array.columns)]
    whole = all(len(column) == sum(share) for column in edges)
    traces, taken = [], 0
    for index, one in enumerate(passes):
        columns = plan.columns[index]
        if not whole:
            traces.append(Trace(-1, -1, None))
            continue
        at = np.stack([edges[j][taken : taken + share[index]] for j in range(columns)])
        taken += share[index]
        seen = out[at, np.arange(columns)[:, None]]  # (columns, share, lanes)
        m, n = one.a.shape[0], one.b.shape[1]
        if output:
            flat = seen[:, ::-1].transpose(1, 0, 2).reshape(m, -1)
        elif plan.dataflow == Dataflow.WEIGHT_STATIONARY:
            flat = seen.transpose(1, 0, 2).reshape(m, -1)
        else:
            flat = seen.reshape(m, -1)
        first, last = int(at.min()) - one.issue, int(at.max()) - one.issue
        traces.append(Trace(first, last, flat[:, :n]))
    return traces
