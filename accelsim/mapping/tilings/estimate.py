"""What a tiling of a MAC operator takes, said once for numbers and for arrays.

Estimates only rank and lower bounds only prune: the cycles and joules that users see come from the
event engine and the accounts. How long a pass takes is the array's own closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.formats import FORMAT_INDEX, get
from accelsim.jit import choose
from accelsim.mapping.mapping import Geometry, Mapping, buffers_of, sum_format
from accelsim.mapping.placement import fused, is_private
from accelsim.mapping.tiles import packed_bytes
from accelsim.mapping.tilings.candidates import (
    Candidates,
    Ints,
    MCuts,
    candidates,
    m_cuts,
    ranges,
    tiles_of,
)
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.dataflows import AXES, dataflow
from accelsim.units.mac_array import MacArray

Floats = NDArray[np.float64]
ORDERS = ("mnk", "nmk")
CLOSE = 1.0202013400267558  # estimates within this factor of one another count as equal; then fewer passes win
LEVELS = np.cumprod(np.full(2100, CLOSE))  # no logarithm: its last bit differs between CPUs


class Task(NamedTuple):
    """One MAC operator to be tiled. formats: input, weight, output. reserve: bytes of the weight buffer
    that other operators' weights hold. cold: its weights are fetched."""

    chip: Chip
    geometry: Geometry
    formats: tuple[str, str, str]
    name: str
    reserve: int = 0
    cold: bool = True


class Variant(NamedTuple):
    """What all tilings of a set share. slots: of inputs, weights, outputs. split: as in Mapping."""

    dataflow: int
    slots: tuple[int, int, int]
    split: str = ""


class Setting:
    """What the estimate reads beside the tiling: elements, bytes, cycles of the array. Three numbers are of
    (m, n, k) or of (inputs, weights, outputs).

    lanes: sets of slots in one memory. pieces: a resident input is fetched tile by tile. cycle: a byte's
    off chip. drain: of the last pass. whole: bytes of the tensors; needed: of the input, those that some
    output reads. room: of the buffers. same: whether inputs and weights, inputs and outputs, weights and
    outputs share one. sum_room: of the columns' accumulators, -1 where sums lie with the outputs.
    """

    def __init__(self, task: Task, variant: Variant) -> None:
        chip, g, array = task.chip, task.geometry, task.chip.array
        buffers, clock, along = (
            buffers_of(chip),
            chip.clocks[array.clock],
            variant.split or array.split,
        )
        self.arrays, self.groups, self.sizes = array.count, g.groups, (g.m, g.n, g.k)
        self.bits = bits = [get(name).bits for name in task.formats]
        self.bits_sum = get(sum_format(array)).bits
        names, self.slots = (array.input, array.weight, array.output), variant.slots
        apart = [is_private(chip, name) for name in names]
        self.lanes = [
            array.count if along in axes and not private else 1
            for axes, private in zip(("mk", "nk", "mnk"), apart, strict=True)
        ]
        self.pieces = apart[0] and along != "n"
        self.limit_k = array.pass_limits(variant.dataflow, array.rate(*task.formats[:2]))[2]
        self.fused, self.cold = fused(array, along), int(task.cold)
        self.latency = chip.dma.setup + chip.dram.latency * clock
        self.cycle = clock / (chip.dram.bandwidth * chip.dram.efficiency)
        self.drain = array.rows + array.columns + array.epilogue_latency
        sides = zip((g.in_height, g.in_width), (g.out_height, g.out_width), g.reach, strict=True)
        tall, wide = (
            max(0, min(size, there) - 2 * reach) if g.convolution else size
            for size, there, reach in sides
        )
        plane = g.groups * g.batch * g.channels * bits[0] / 8
        self.needed = plane * tall * wide
        weights, outputs = g.groups * g.k * g.n, g.groups * g.m * g.n
        self.whole = plane * g.in_height * g.in_width, weights * bits[1] / 8, outputs * bits[2] / 8
        self.same = names[0] == names[1], names[0] == names[2], names[1] == names[2]
        reserve_i = task.reserve if self.same[0] else 0
        self.room = buffers.input - reserve_i, buffers.weight - task.reserve, buffers.output
        self.sum_room = buffers.sum_capacity if buffers.sums == "column" else -1


def estimate(e: Setting, tile: Any, compute: Any, least: Any, variant: Any) -> Any:
    """cycles (what overlaps left out), guess (latencies and drains too), bound (no schedule takes fewer),
    bytes off chip, bytes off chip that no schedule avoids, passes, bytes moved on chip, whether the tiles
    fit (placement decides exactly): of one tiling, or of arrays of them.

    tile: of m, (tiles, tiles of an array, passes, largest, plane of the largest, of all); of n, (tiles, of
    an array, passes, size); of k, (tiles, of an array, passes, size, channels of the deepest, of all).
    compute, least: cycles of the arrays, as ranked and at least. variant: order (0: mnk, 1: nmk), keep
    input, keep weights.
    """
    (tiles_m, step_m, passes_m, largest, plane_most, plane_all), wide, deep = tile
    tiles_n, step_n, passes_n, size_n = wide
    tiles_k, step_k, passes_k, size_k, deepest, channels = deep
    order, keep_i, keep_w = variant
    whole_i, whole_w, out = e.whole
    # bytes off chip: a tile is fetched again where another one took its slot in between
    slot_i = packed_bytes(plane_most * deepest, e.bits[0])
    slot_w = packed_bytes(size_k * size_n, e.bits[1])
    streamed = e.groups * plane_all * channels * (e.bits[0] / 8)
    outputs = size_n * largest
    turned_i = (step_k > 1) | ((order == 1) & (step_m * step_k > 1))
    turned_w = (step_k > 1) | ((order == 0) & (step_n * step_k > 1))
    times_i = choose(turned_i & (keep_i == 0), step_n, 1)
    times_w = choose(turned_w & (keep_w == 0), step_m, 1)
    bytes_i = choose(keep_i, whole_i, streamed * times_i)
    bytes_w = e.cold * (whole_w * times_w)
    moved = out + bytes_i + bytes_w
    certain = out + bytes_w + choose(keep_i, e.needed, streamed * times_i)
    # cycles of transfers: the bandwidth's, or those of one operand's one after another
    stores = e.groups * tiles_m * tiles_n
    loads_i = e.groups * tiles_m * tiles_k * times_i
    loads_w = e.cold * (e.groups * tiles_n * tiles_k) * times_w
    traffic = np.maximum(
        bytes_i * e.cycle + loads_i * e.latency, bytes_w * e.cycle + loads_w * e.latency
    )
    traffic = np.maximum(traffic, np.maximum(moved * e.cycle, out * e.cycle + stores * e.latency))
    edge = choose(keep_i, np.minimum(slot_i, whole_i), slot_i) + outputs * (e.bits[2] / 8)
    fill = (edge + e.cold * np.minimum(slot_w, whole_w)) * e.cycle
    single = min(e.slots[0], min(e.slots[1], e.slots[2])) == 1
    cycles = choose(single, compute + traffic, np.maximum(compute, traffic)) + fill
    turns = choose(single, stores * tiles_k / e.arrays, 1.0)
    guess = cycles + turns * (2 * e.latency + e.drain)
    bound = np.maximum(least, certain * e.cycle)
    # bytes on chip
    m_all, n_all, k_all = e.sizes
    near_i = m_all * k_all * (e.bits[0] / 8) * passes_n
    near_w = k_all * n_all * (e.bits[1] / 8) * passes_m
    near = e.groups * (near_i + near_w + m_all * n_all * (e.bits_sum / 8) * (2 * passes_k - 1))
    # room
    one_pass = (tiles_k == 1) & ((e.limit_k == 0) | (size_k <= e.limit_k))
    sums = choose(e.fused, choose(one_pass, 0, 1), e.slots[2]) * (outputs * (e.bits_sum / 8))
    resident = choose(e.pieces, streamed, whole_i) + tiles_m * 8
    size_i = choose(keep_i, resident, e.lanes[0] * e.slots[0] * slot_i)
    size_w = e.cold * choose(keep_w, whole_w + 64, e.lanes[1] * e.slots[1] * slot_w)
    column = e.sum_room >= 0
    size_o = e.lanes[2] * (e.slots[2] * outputs * (e.bits[2] / 8) + choose(column, 0.0, sums))
    iw, io, wo = e.same
    fits = ((not column) | (sums <= e.sum_room)) & ((e.cold == 1) | (keep_w == 1))
    fits = fits & (size_i + iw * size_w + io * size_o <= e.room[0])
    fits = fits & (iw | (size_w + wo * size_o <= e.room[1]))
    fits = fits & (io | wo | (size_o <= e.room[2]))
    return cycles, guess, bound, moved, certain, passes_m * passes_n * passes_k, near, fits


def pieces(tiles: dict[int, int], limit: int, whole: bool = False) -> dict[int, int]:
    """The passes of tiles along one dimension: how many of each size. limit: 0 where it streams. whole: the
    shorter last pass of a tile counts as one of the limit."""
    if not limit:
        return tiles
    found: dict[int, int] = {}
    for size, count in tiles.items():
        full, rest = divmod(size, limit)
        if whole and full and rest:
            full, rest = full + 1, 0
        if full:
            found[limit] = found.get(limit, 0) + full * count
        if rest:
            found[rest] = found.get(rest, 0) + count
    return found


class Passes(NamedTuple):
    """Of all passes of one group, for every (cut of m, size of n, size of k): cycles as ranked and at
    least. m, n, k: passes along each dimension."""

    cycles: Floats
    least: Floats
    m: Ints
    n: Ints
    k: Ints


def passes_of(
    array: MacArray, pair: tuple[str, str], number: int, g: Geometry, sizes: Candidates
) -> Passes:
    """Every pass's cycles, as the array itself says.

    A pass waits for its stationary values, or hides them behind the pass before; at the very least each
    stationary tile comes once. Ranked, the last pass along k of a tile is charged at full height: what is
    fetched for it is latency that the estimate does not see, and exact heights choose slower mappings.
    """
    limits = array.pass_limits(number, array.rate(*pair))
    rows_hold = AXES.index(dataflow(number).rows)
    tiles = (
        m_cuts(g, sizes.held).sizes,
        [tiles_of(g.n, n) for n in sizes.n],
        [tiles_of(g.k, k) for k in sizes.k],
    )
    seen, counts, tall = [], [], np.zeros((0, 0))
    for axis, (every, limit) in enumerate(zip(tiles, limits, strict=True)):
        cut = [pieces(one, limit) for one in every]
        most = [max(one) if array.bypass and axis == rows_hold else 0 for one in cut]
        kinds: dict[tuple[int, int], int] = {}
        for one, top in zip(cut, most, strict=True):
            for size in one:
                kinds.setdefault((size, top), len(kinds))
        count = np.zeros((len(cut), len(kinds)))
        for row, (one, top) in enumerate(zip(cut, most, strict=True)):
            for size, many in one.items():
                count[row, kinds[size, top]] = many
        if axis == 2:
            tall = np.zeros_like(count)
            for row, (one, top) in enumerate(zip(every, most, strict=True)):
                for size, many in pieces(one, limit, whole=True).items():
                    tall[row, kinds[size, top]] = many
        seen.append(np.array(list(kinds)).reshape(-1, 2))
        counts.append(count)
    matmul, preload = _intervals(array, pair, number, seen, limits[rows_hold])
    m, n, k = (count.sum(axis=1) for count in counts)

    def total(cycles: Floats, deep: Floats) -> Floats:
        return np.tensordot(counts[0], counts[1] @ (cycles @ deep.T), 1)

    least = total(matmul, counts[2])
    if array.stationary_depth > 1:
        return Passes(total(np.maximum(matmul, preload), tall), least, m, n, k)
    again = m[:, None, None] if limits[0] == 0 else n[:, None]  # the dimension that streams
    loads = total(preload, counts[2]) / again
    return Passes(total(matmul + preload, tall), least + loads, m, n, k)


def _intervals(
    array: MacArray, pair: tuple[str, str], number: int, seen: list[Ints], limit: int
) -> tuple[Floats, Floats]:
    """Cycles of MATMULs and PRELOADs of every (m, n, k) of sizes, by the array's own closed form."""
    shape = tuple(len(kinds) for kinds in seen)
    extents = np.zeros((2, *shape, 8), np.int64)
    for axis, kinds in enumerate(seen):
        column = [1, 1, 1]
        column[axis] = -1
        extents[..., axis] = kinds[:, 0].reshape(column)
        extents[..., 4] += -(-kinds[:, 1].reshape(column) // (limit // array.rows))
    extents[..., 3] = number
    extents = extents.reshape(-1, 8)
    zero = np.zeros(len(extents), np.int64)
    code = np.repeat([int(Opcode.MATMUL), int(Opcode.PRELOAD)], len(zero) // 2)
    a, b = (zero + FORMAT_INDEX[name] for name in pair)
    cost = array.cost(Shapes(zero, code, zero, a, b, zero - 1, extents))
    matmul, preload = cost.interval.reshape(2, *shape).astype(np.float64)
    nothing_held = dataflow(number).stays == "none"
    return matmul, np.zeros_like(preload) if nothing_held else preload


class Tables(NamedTuple):
    """What the estimate reads of all tilings. tile, compute, least: as estimate() takes them, as arrays over
    (cut of m, size of n, size of k)."""

    cuts: MCuts
    sizes: Candidates
    tile: tuple[tuple[Ints, ...], ...]
    compute: Floats
    least: Floats


@lru_cache(maxsize=1024)  # sweeps and searches ask again for another memory, other slots
def tables_of(
    array: MacArray, pair: tuple[str, str], number: int, g: Geometry, along: str, more: bool
) -> Tables:
    """The tables of an operator on an array. along: the dimension dealt to several arrays."""
    sizes = candidates(g, array, array.pass_limits(number, array.rate(*pair)), along, more)
    cuts, passes = m_cuts(g, sizes.held), passes_of(array, pair, number, g, sizes)
    begin, end, start = ranges(g.k, sizes.k)
    channels = -(-end // g.kernel) - begin // g.kernel
    deepest, channels = np.maximum.reduceat(channels, start), np.add.reduceat(channels, start)
    n, k = np.array(sizes.n, np.int64), np.array(sizes.k, np.int64)
    tiles = [cuts.table[0, :, None, None], -(-g.n // n[:, None]), -(-g.k // k)]
    dealt = [array.count if axis == along else 1 for axis in "mnk"]
    steps = [-(-t // d) for t, d in zip(tiles, dealt, strict=True)]
    tile = (
        (tiles[0], steps[0], passes.m[:, None, None], *cuts.table[1:, :, None, None]),
        (tiles[1], steps[1], passes.n[:, None], n[:, None]),
        (tiles[2], steps[2], passes.k, k, deepest, channels),
    )
    share = prod(steps) / prod(tiles)  # of the busiest array
    compute, least = g.groups * passes.cycles * share, g.groups * passes.least / array.count
    return Tables(cuts, sizes, tile, compute, least)


class Tilings:
    """The tilings of one operator that share a Variant, with their estimates as columns. more: finer
    sizes for a search, which contain the coarse ones.

    A tiling's number counts (order, keep input, keep weights, cut, n, k), the last one fastest.
    """

    def __init__(self, task: Task, variant: Variant, more: bool = False) -> None:
        array, self.variant = task.chip.array, variant
        along, pair = variant.split or array.split, task.formats[:2]
        self.tables = tables_of(array, pair, variant.dataflow, task.geometry, along, more)
        bits = ((0, 1), (1, 0), (1, 0))  # the tensors that stay come first
        which = tuple(np.reshape(b, (2, *(1,) * (5 - axis))) for axis, b in enumerate(bits))
        self.shape = (2, 2, 2, *self.tables.compute.shape)
        columns = estimate(Setting(task, variant), *self.tables[2:], which)
        table = np.empty((8, *self.shape))
        for row, column in zip(table, columns, strict=True):
            row[...] = column
        table = table.reshape(8, -1)
        self.cycles, self.guess, self.bound, self.moved, self.certain, self.passes, self.near = (
            table[:7]
        )
        self.fits = table[7] > 0

    def ordered(self, some: Ints) -> Ints:
        """Some tilings, best first."""
        variant, place = np.divmod(some, self.cycles.size // 8)
        level = LEVELS.searchsorted(self.cycles[some], side="right")
        return some[np.lexsort((variant, place, self.moved[some], self.passes[some], level))]

    def ranked(self) -> Iterator[int]:
        """The tilings that fit by estimate, best first; seldom more than the first is wanted."""
        left = np.flatnonzero(self.fits)
        if len(left):
            level = LEVELS.searchsorted(self.cycles[left].min(), side="right")
            best = self.cycles[left] < LEVELS[level]
            yield from self.ordered(left[best]).tolist()
            yield from self.ordered(left[~best]).tolist()

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
        )
