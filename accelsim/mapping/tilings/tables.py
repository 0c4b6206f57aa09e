"""All tilings of an operator that share a Variant, with their estimates as columns."""

from __future__ import annotations

from functools import cached_property, lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from accelsim import jit
from accelsim.formats import get
from accelsim.mapping.mapping import Geometry, Mapping, array_for
from accelsim.mapping.tilings.candidates import Candidates, Ints, MCuts, candidates, m_cuts, ranges
from accelsim.mapping.tilings.estimate import (
    Choice,
    Estimate,
    Floats,
    KTile,
    MTile,
    NTile,
    Tile,
    estimate,
)
from accelsim.mapping.tilings.near import (
    CHOICES,
    COMPILE_ABOVE,
    CYCLES,
    NEAR,
    Limits,
    Near,
    Packed,
    Rates,
    by_columns,
    by_kernel,
    near_best,
)
from accelsim.mapping.tilings.passes import passes_of
from accelsim.mapping.tilings.setting import Setting, Streams, Task, Variant, setting_of
from accelsim.units.mac_array import MacArray

ORDERS = ("mnk", "nmk")
CLOSE = 0.01  # estimates within this part of the best count as equal: then fewer bytes off chip win


class Tables(NamedTuple):
    """What the estimate reads of all tilings, as arrays over (cut of m, size of n, size of k)."""

    cuts: MCuts
    sizes: Candidates
    tile: Tile
    packed: Packed


class Runs(NamedTuple):
    """Pieces of a box off chip: elements of each, and what all distances between their beginnings are multiples
    of."""

    size: Any
    pitch: Any

    def rounded(self, bits: int, burst: int) -> Floats:
        """Bytes that bursts move over the bytes of the pieces, wherever those may begin. burst: in bits."""
        size = np.asarray(self.size) * bits
        aligned = np.gcd(np.gcd(size, self.pitch * bits), burst)
        return np.asarray((size + burst - aligned) / size, np.float64)


def whole_bursts(size: Any, burst: int) -> Floats:
    """Bytes that bursts move over the bytes of a piece that starts on one. size, burst: in bits."""
    return np.asarray(-(-size // burst) * burst / size, np.float64)


def _matrix(rows: Ints, columns: Ints, wide: int) -> tuple[Runs, Runs]:
    """A part of a matrix, row by row."""
    runs = Runs(np.where(columns == wide, rows, 1) * columns, wide)
    return runs, runs


def _input_runs(g: Geometry, rows: Ints, columns: Ints, channels: Ints) -> tuple[Runs, Runs]:
    """A box of an input: images row-major and with channels innermost, a matrix row-major."""
    if not g.convolution:
        return _matrix(rows, channels, g.k)
    every, wide = g.channels * g.groups, columns == g.in_width
    plane = np.where(wide & (rows == g.in_height), channels, 1) * np.where(wide, rows, 1) * columns
    deep = np.where(channels == every, np.where(wide, rows, 1) * columns, 1) * channels
    return Runs(plane, np.where(wide, g.in_height * g.in_width, g.in_width)), Runs(deep, every)


def _output_runs(g: Geometry, most: Ints, n: Ints) -> tuple[Runs, Runs]:
    """A tile of outputs: as _input_runs() has them."""
    if not g.convolution:
        return _matrix(most, n, g.n)
    plane, every = g.out_height * g.out_width, g.n * g.groups
    inside = np.minimum(most, plane)
    whole = np.where(inside == plane, n, 1) * inside
    return Runs(whole, plane), Runs(np.where(n == every, most, 1) * n, every)


class OffChip(NamedTuple):
    """How tensors lie off chip. burst: bytes. stored, turned: as Task has them."""

    burst: int
    stored: bool
    turned: tuple[bool, ...]


def _factors(
    g: Geometry, cuts: MCuts, sizes: Candidates, bits: list[int], far: OffChip
) -> list[Floats]:
    """Bytes off chip over bytes: of an input that streams, that stays, of weights, of outputs.

    Which way a tensor lies all that touch it decide together: unless it is known, images take the mean of both;
    matrices count as row-major, as vector operators read and write them.
    """
    n, k = np.array(sizes.n, np.int64)[:, None], np.array(sizes.k, np.int64)
    tiles, most, rows, columns = cuts.table[[0, 1, 6, 7]][:, :, None, None]
    channels = np.minimum(-(-k // g.kernel), g.channels)
    every = cuts.table[5, :, None, None] // g.in_width  # rows of all images
    new = np.minimum(rows, np.maximum(-(-every // np.minimum(tiles, every)), 1))
    pairs = (
        (_input_runs(g, rows, columns, channels), bits[0], 0),
        (_input_runs(g, new, np.full_like(columns, g.in_width), channels), bits[0], 0),
        (_output_runs(g, most, n), bits[2], 1),
    )

    def rounded(runs: tuple[Runs, Runs], bits: int, of: int) -> Floats:
        rows, channels = (run.rounded(bits, 8 * far.burst) for run in runs)
        if not g.convolution:
            return rows
        return (rows, channels)[far.turned[of]] if far.turned else np.sqrt(rows * channels)

    streamed, resident, outputs = (rounded(*pair) for pair in pairs)
    weights = whole_bursts(n * k * bits[1], 8 * far.burst)
    if not far.stored:
        weights = _matrix(k, n, g.n)[0].rounded(bits[1], 8 * far.burst)
    return [streamed, resident, weights, outputs]


@lru_cache(maxsize=1024)  # sweeps and searches ask again for another memory, other slots
def tables_of(
    array: MacArray,
    formats: tuple[str, str, str],
    dataflow: int,
    g: Geometry,
    streams: Streams,
    far: OffChip,
    more: bool,
) -> Tables:
    """The tables of an operator on the arrays that work."""
    rate = array.rate(*formats[:2])
    limits, along = array.pass_limits(dataflow, rate), array.split if array.count > 1 else ""
    sizes = candidates(g, array, limits, along, more, array.adder(rate) is not None)
    cuts, passes = m_cuts(g, sizes.m), passes_of(array, formats, dataflow, g, sizes, streams)
    begin, end, start = ranges(g.k, sizes.k)
    channel0, channels = begin // g.kernel, -(-end // g.kernel) - begin // g.kernel
    new = np.ones(len(begin), bool)  # a tile after another of the same channels finds them there
    new[1:] = (np.diff(channel0) != 0) | (np.diff(channels) != 0)
    new[start] = True
    deepest, needed = np.maximum.reduceat(channels, start), np.add.reduceat(channels * new, start)
    runs = np.add.reduceat(new.astype(np.int64), start)
    n, k = np.array(sizes.n, np.int64), np.array(sizes.k, np.int64)
    tiles = [cuts.table[0, :, None, None], -(-g.n // n[:, None]), -(-g.k // k)]
    dealt = [array.count if axis == array.split else 1 for axis in "mnk"]
    steps = [-(-t // d) for t, d in zip(tiles, dealt, strict=True)]
    share = prod(steps) / prod(tiles)  # of the busiest array
    tile = Tile(
        MTile(tiles[0], steps[0], passes.m[:, None, None], *cuts.table[1:6, :, None, None]),
        NTile(tiles[1], steps[1], passes.n[:, None], n[:, None]),
        KTile(tiles[2], steps[2], passes.k, k, runs, np.minimum(runs, steps[2]), deepest, needed),
        g.groups * passes.cycles * share,
        g.groups * passes.settled * share,
        passes.load,
        g.groups * passes.carried,
        g.groups * passes.least / array.count,
        *_factors(g, cuts, sizes, [get(name).bits for name in formats], far),
    )
    return Tables(cuts, sizes, tile, packed(tile))


def packed(tile: Tile) -> Packed:
    """The tables of a Tile of arrays."""
    m, n, k = (np.stack([np.ravel(column) for column in part], axis=1) for part in tile[:3])
    rest = np.empty((*tile.cycles.shape, len(tile) - 3))
    for at, column in enumerate(tile[3:]):
        rest[..., at] = column
    return Packed(m, n, k, rest)


class Tilings:
    """The tilings of one operator that share a Variant. more: finer sizes for a search, which contain the
    coarse ones. setting: setting_of() the two, where it is known.

    A tiling's number counts (order, keep input, keep weights, cut, n, k), the last one fastest.
    """

    def __init__(
        self, task: Task, variant: Variant, more: bool = False, setting: Setting | None = None
    ) -> None:
        self.variant, self.setting = variant, setting or setting_of(task, variant)
        array = array_for(task.chip.array, variant.split, variant.arrays)
        self.arrays, self.groups = array.count, task.geometry.groups
        self.tables = tables_of(
            array,
            task.formats,
            variant.dataflow,
            task.geometry,
            self.setting.streams,
            OffChip(task.chip.dram.burst, task.stored, task.turned),
            more,
        )
        self.size = self.tables.tile.cycles.size
        self.shape = (2, 2, 2, *self.tables.tile.cycles.shape)

    @property
    def floor(self) -> float:
        """Cycles that none of the tilings is estimated below."""
        tile = self.tables.tile
        return float(np.maximum(tile.settled, tile.carried).min())

    @property
    def bound(self) -> float:
        """Cycles that no schedule of a tiling beats."""
        return max(float(self.tables.tile.least.min()), self.setting.needs)

    @cached_property
    def columns(self) -> Estimate:
        """The estimate of every tiling."""
        bits = ((0, 1), (1, 0), (1, 0))  # the tensors that stay come first
        which = Choice(*(np.reshape(b, (2, *(1,) * (5 - axis))) for axis, b in enumerate(bits)))
        columns = estimate(self.setting, self.tables.tile, which)
        table = np.empty((len(Estimate._fields), *self.shape))
        for row, column in zip(table, columns, strict=True):
            row[...] = column
        table = table.reshape(len(table), -1)
        cycles, bound, moved, certain, passes, near, fits = table
        return Estimate(cycles, bound, moved, certain, passes, near, fits > 0)

    @cached_property
    def quick(self) -> Near:
        """The tilings whose estimate is CLOSE to the best."""
        return self.near(Limits(close=1 + CLOSE))

    def near(self, limits: Limits, rates: Rates = CYCLES) -> Near:
        """The tilings that count."""
        kernel = (near_best, NEAR)
        if jit.fits(*kernel, CHOICES * self.size, COMPILE_ABOVE):
            return by_kernel(self.setting, self.tables.packed, rates, limits)
        return by_columns(self.columns, rates, limits)

    def mapping(self, number: int) -> Mapping:
        """The mapping of one tiling."""
        order, drop_i, drop_w, cut, n, k = np.unravel_index(number, self.shape)
        v = self.variant
        return Mapping(
            v.dataflow,
            *self.tables.cuts.shapes[cut],
            self.tables.sizes.n[n],
            self.tables.sizes.k[k],
            ORDERS[order],  # type: ignore[arg-type]
            not drop_i,
            not drop_w,
            *v.slots,
            v.split,  # type: ignore[arg-type]
            arrays=v.arrays,
        )
