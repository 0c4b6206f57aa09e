"""Cycles of the passes of tilings: what the array says of each, and the ports that it reads and writes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.mapping import Geometry, sum_format
from accelsim.mapping.tilings.candidates import Candidates, Ints, m_cuts, tiles_of
from accelsim.mapping.tilings.setting import Stream, Streams
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.dataflows import AXES, dataflow
from accelsim.units.mac_array import MacArray

Floats = NDArray[np.float64]


def pieces(tiles: dict[int, int], limit: int) -> dict[int, int]:
    """The passes of tiles along one dimension: how many of each size. limit: 0 where it streams."""
    if not limit:
        return tiles
    found: dict[int, int] = {}
    for size, count in tiles.items():
        full, rest = divmod(size, limit)
        if full:
            found[limit] = found.get(limit, 0) + full * count
        if rest:
            found[rest] = found.get(rest, 0) + count
    return found


class Passes(NamedTuple):
    """Of one group. cycles: of the array, (cuts of m, sizes of n, sizes of k), as ports let it; settled: where what
    stays is there already; load: of a PRELOAD, on average; carried: of the busiest port, for all arrays; least:
    what they are at the very least, were ports no matter. m, n, k: passes of each cut or size."""

    cycles: Floats
    settled: Floats
    load: Floats
    carried: Floats
    least: Floats
    m: Ints
    n: Ints
    k: Ints


class Kinds(NamedTuple):
    """Passes that differ along one dimension. table: (kinds, 2), size and most size of its tiles where results
    of all passes leave under one row, else 0. many: (cuts or sizes, kinds), how many of each."""

    table: Ints
    many: Floats


def kinds_of(every: list[dict[int, int]], limit: int, under_one_row: bool) -> Kinds:
    """The passes of cuts or sizes. every: tiles of each, by size."""
    cut = [pieces(one, limit) for one in every]
    most = [max(one) if under_one_row else 0 for one in cut]
    kinds: dict[tuple[int, int], int] = {}
    for one, top in zip(cut, most, strict=True):
        for size in one:
            kinds.setdefault((size, top), len(kinds))
    count = np.zeros((len(cut), len(kinds)))
    for row, (one, top) in enumerate(zip(cut, most, strict=True)):
        for size, many in one.items():
            count[row, kinds[size, top]] = many
    return Kinds(np.array(list(kinds)).reshape(-1, 2), count)


def passes_of(
    array: MacArray,
    formats: tuple[str, str, str],
    number: int,
    g: Geometry,
    sizes: Candidates,
    streams: Streams,
) -> Passes:
    """Every pass's cycles, as the array itself says, longer where a port takes longer.

    A pass waits for its stationary values, or hides them behind the pass before; at the very least each
    stationary tile comes once. formats: of inputs, weights, outputs.
    """
    limits = array.pass_limits(number, array.rate(*formats[:2]))
    rows_hold = AXES.index(dataflow(number).rows)
    tiles = (
        list(m_cuts(g, sizes.m).sizes),
        [tiles_of(g.n, n) for n in sizes.n],
        [tiles_of(g.k, k) for k in sizes.k],
    )
    axes = [
        kinds_of(every, limit, array.bypass and axis == rows_hold)
        for axis, (every, limit) in enumerate(zip(tiles, limits, strict=True))
    ]
    matmul, preload = _intervals(array, formats[:2], number, axes, limits[rows_hold])
    m, n, k = (axis.many.sum(axis=1).astype(np.int64) for axis in axes)

    def total(cycles: Floats) -> Floats:
        cycles = np.broadcast_to(cycles, matmul.shape)
        return np.tensordot(axes[0].many, axes[1].many @ (cycles @ axes[2].many.T), 1)

    def each(kinds: list[Floats]) -> Floats:
        first, middle, last, only = (total(kind) for kind in kinds)
        return np.where(k == 1, only, (np.maximum(k - 2, 0) * middle + first + last) / k)

    least = total(matmul)
    if array.stationary_depth == 1:
        again = m[:, None, None] if limits[0] == 0 else n[:, None]  # the dimension that streams
        least = least + total(preload) / again
    beats = _beats(streams, number, axes, (*formats, sum_format(array)))
    load = np.maximum(preload, beats.load)
    work = [np.maximum(matmul, port) for port in beats.work]
    if array.stationary_depth > 1:
        pairs = zip(work, beats.both, strict=True)
        together = [np.maximum(np.maximum(one, load), both) for one, both in pairs]
    else:
        together = [one + load for one in work]
    settled, carried = each(work), each(beats.carried)
    alone = total(load) / (m[:, None, None] * n[:, None] * k)
    return Passes(each(together), settled, alone, carried, least, m, n, k)


def _intervals(
    array: MacArray, pair: tuple[str, str], number: int, axes: list[Kinds], limit: int
) -> tuple[Floats, Floats]:
    """Cycles of MATMULs and PRELOADs of every (m, n, k) of sizes, by the array's own closed form."""
    shape = tuple(len(axis.table) for axis in axes)
    extents = np.zeros((2, *shape, 8), np.int64)
    for at, axis in enumerate(axes):
        column = [1, 1, 1]
        column[at] = -1
        extents[..., at] = axis.table[:, 0].reshape(column)
        extents[..., 4] += -(-axis.table[:, 1].reshape(column) // (limit // array.rows))
    extents[..., 3] = number
    extents = extents.reshape(-1, 8)
    zero = np.zeros(len(extents), np.int64)
    code = np.repeat([int(Opcode.MATMUL), int(Opcode.PRELOAD)], len(zero) // 2)
    a, b = (zero + FORMAT_INDEX[name] for name in pair)
    cost = array.cost(Shapes(zero, code, zero, a, b, zero - 1, extents))
    matmul, preload = cost.interval.reshape(2, *shape).astype(np.float64)
    nothing_held = dataflow(number).stays == "none"
    return matmul, np.zeros_like(preload) if nothing_held else preload


class Beats(NamedTuple):
    """Cycles of the ports that take longest. load: of a PRELOAD. work: of a pass that is the first of its sums, in
    between, the last one, the only one. both: of PRELOAD and pass, where one port serves them. carried: the same
    of all arrays."""

    load: Any
    work: list[Any]
    both: list[Any]
    carried: list[Any]


def _beats(streams: Streams, number: int, axes: list[Kinds], formats: tuple[str, ...]) -> Beats:
    """What ports take of every (m, n, k) of sizes. formats: of inputs, weights, outputs, sums."""
    m, n, k = (
        axis.table[:, 0].astype(np.float64).reshape([-1 if i == number else 1 for i in range(3)])
        for number, axis in enumerate(axes)
    )
    a, b, c, wide = (get(name).bits / 8 for name in formats)
    read = [(streams.input_read, m * k * a), (streams.weight_read, k * n * b)]
    stays = dataflow(number).stays
    loaded = {"weight": read[1:], "input": read[:1], "none": []}[stays]
    moved = {"weight": read[:1], "input": read[1:], "none": read}[stays]
    get_sums, put_sums = (streams.sums_read, m * n * wide), (streams.sums_write, m * n * wide)
    done = (streams.codes_write, m * n * c) if streams.finished else put_sums
    ends = ([put_sums], [get_sums, put_sums], [get_sums, done], [done])
    load = _busy(streams, loaded)
    work = [_busy(streams, [*moved, *more]) for more in ends]
    shares = _shares(streams)
    both = [[x + y for x, y in zip(load, one, strict=True)] for one in work]
    carried = [[x * share for x, share in zip(one, shares, strict=True)] for one in both]
    return Beats(
        _longest(load),
        *([_longest(one) for one in kinds] for kinds in (work, both, carried)),
    )


def _shares(streams: Streams) -> list[float]:
    """Of all arrays' passes, those that pass one instance of each port."""
    found = [1.0] * streams.ports
    for stream in streams[:5]:
        if stream.port >= 0:
            found[stream.port] = stream.share
    return found


def _busy(streams: Streams, items: list[tuple[Stream, Any]]) -> list[Any]:
    """Cycles for which one command holds each port. items: streams and bytes."""
    size: list[Any] = [0.0] * streams.ports
    beat: list[tuple[int, float]] = [(1, 0.0)] * streams.ports
    for stream, moved in items:
        if stream.port >= 0:
            size[stream.port] = size[stream.port] + moved
            beat[stream.port] = stream.width, stream.beat
    return [np.ceil(s / width) * time for s, (width, time) in zip(size, beat, strict=True)]


def _longest(busy: list[Any]) -> Any:
    longest: Any = 0.0
    for one in busy:
        longest = np.maximum(longest, one)
    return longest
