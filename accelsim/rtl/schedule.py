"""Tile passes at given cycles, how an array lays them out, and the earliest legal ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.rtl.word import Word
from accelsim.units.dataflows import dataflow
from accelsim.units.mac_array import MacArray, Rate

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TilePass:
    """a: (m, k) input codes. b: (k, n) weight codes. issue: cycle of the MATMUL. preload: cycle
    of its PRELOAD, -1 where outputs are stationary or the slot already holds the tile. slot:
    stationary slot. code: the shape's fifth extent where the dataflow has one of its own."""

    a: Ints
    b: Ints
    issue: int = 0
    preload: int = -1
    slot: int = 0
    code: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array runs one dataflow (its number) in one format pair. lanes: products an element adds a cycle.
    held, streamed: output lanes of an element from its stationary and from its streamed operand
    (output stationary: held 1). rows, columns, steps: used by each pass. exit_row: from 1. shapes: of the
    MATMULs."""

    array: MacArray
    number: int
    rate: Rate
    lanes: int
    held: int
    streamed: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    steps: tuple[int, ...]
    exit_row: int
    shapes: Shapes


@dataclass(frozen=True, slots=True)
class Trace:
    """What one pass was seen to do. first, last: edges of its first and last result, counted from
    its issue. results: (m, n), or None when the exit did not show the right number of them."""

    first: int
    last: int
    results: Ints | None


def shape_rows(
    array: MacArray,
    number: int,
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
            m, n = (0, n) if dataflow(number).stays == "weight" else (m, 0)
        extents[index, :5] = m, n, k, number, one.code or exit_row
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


def layout(array: MacArray, number: int, rate: Rate, passes: Sequence[TilePass]) -> Layout:
    """Layout of a run of passes; with a bypass the exit is under the most rows any of them uses."""
    shapes = shape_rows(array, number, rate, passes, Opcode.MATMUL)
    rows, columns, steps = array.used(shapes)
    lanes = array.dot * (rate.factor if rate.along == "k" else 1)
    wide = array.simd * (rate.factor if rate.along == "n" else 1)
    held = wide if dataflow(number).stays == "weight" else 1
    return Layout(
        array,
        number,
        rate,
        lanes,
        held,
        1 if held > 1 else wide,
        tuple(rows.tolist()),
        tuple(columns.tolist()),
        tuple(steps.tolist()),
        int(rows.max()) if array.bypass else array.rows,
        shapes,
    )


def earliest(
    array: MacArray,
    number: int,
    rate: Rate,
    tiles: Sequence[tuple[Ints, Ints]],
    depth: int | None = None,
    codes: Sequence[int] = (),
) -> list[TilePass]:
    """The passes a, b of ``tiles`` one after the other, each as early as the closed forms allow.

    depth: stationary slots in use, default all of the array's. codes: of the passes, where they have any.
    """
    depth = array.stationary_depth if depth is None else depth
    own = list(codes) or [0] * len(tiles)
    bare = [TilePass(a, b, code=code) for (a, b), code in zip(tiles, own, strict=True)]
    plan = layout(array, number, rate, bare)
    shapes = shape_rows(array, number, rate, bare, Opcode.MATMUL, plan.exit_row)
    interval = array.cost(shapes).interval.tolist()
    if dataflow(number).stays == "none":
        starts = np.concatenate([[0], np.cumsum(interval)])
        return [replace(one, issue=int(s)) for one, s in zip(bare, starts[:-1], strict=True)]
    loading = array.cost(shape_rows(array, number, rate, bare, Opcode.PRELOAD)).interval.tolist()
    passes: list[TilePass] = []
    preload_free = array_free = 0
    for index, one in enumerate(bare):
        preload = preload_free
        if index >= depth:
            old = index - depth
            lag = array.slot_lag(number, plan.rows[index])
            preload = max(preload, passes[old].issue + interval[old] + lag)
        issue = max(preload + loading[index], array_free)
        passes.append(replace(one, issue=issue, preload=preload, slot=index % depth))
        preload_free, array_free = preload + loading[index], issue + interval[index]
    return passes


def tiled(values: Ints, rows: int, lanes: int, columns: int, wide: int) -> Ints:
    """(k, n) codes as (rows, columns, lanes x wide), zero where the tile ends."""
    padded = np.zeros((rows * lanes, columns * wide), np.int64)
    padded[: values.shape[0], : values.shape[1]] = values
    cut = padded.reshape(rows, lanes, columns, wide)
    return cut.transpose(0, 2, 1, 3).reshape(rows, columns, lanes * wide)


def horizon(plan: Layout, passes: Sequence[TilePass]) -> int:
    """Cycles after which nothing moves any more."""
    array = plan.array
    steps = max(plan.steps) * array.mac_latency + array.rows
    rows = (array.hop_registers + array.mac_latency + 1) * (array.rows + 1)
    return max(p.issue for p in passes) + steps + 2 * rows + array.columns + array.tree_levels + 2


def blank_exit(cycles: int, columns: int, lanes: int) -> tuple[Ints, Ints]:
    """(out, out_valid) with nothing in them yet."""
    return (
        np.zeros((cycles + 1, columns, lanes), np.int64),
        np.zeros((cycles + 1, columns), np.int64),
    )


def word_range(array: MacArray) -> Word:
    """What the array's accumulators hold."""
    half = 1 << (array.accumulator.bits - 1)
    return Word(-half, half - 1, int(array.accumulator.overflow == "saturate"))
