"""Closed estimates of every tiling of a MAC operator at once, as arrays.

Axes: cuts of m, sizes of n, sizes of k. Estimates only rank; lower bounds only prune. The cycles
and joules that users see come from the event engine and the accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.formats import get
from accelsim.mapping.mapping import (
    Geometry,
    Mapping,
    buffers_of,
    slots_of,
    sum_format,
)
from accelsim.mapping.placement import fused
from accelsim.mapping.tiles import box_bytes, k_tiles, m_tiles
from accelsim.units.mac_array import Dataflow, MacArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CLOSE = 1.0202013400267558  # estimates within this factor of one another count as equal; then fewer passes win
LEVELS = np.cumprod(np.full(2100, CLOSE))  # no logarithm: its last bit differs between CPUs
Order = Literal["mnk", "nmk"]


def cuts(total: int, step: int, least: int) -> list[int]:
    """Tile sizes from the whole down by halves, rounded up to multiples of ``step``."""
    sizes: list[int] = []
    parts = 1
    while True:
        share = -(-total // parts)
        size = min(total, -(-share // step) * step)
        if size not in sizes:
            sizes.append(size)
        if size <= least or parts > total:
            return sizes
        parts *= 2


@dataclass(frozen=True, slots=True)
class MCut:
    """One way to cut m, with the sums that the scores need."""

    batch: int
    height: int
    width: int
    tiles: int
    largest: int
    plane_max: int  # input elements of one channel, largest tile
    plane_sum: int  # and summed over tiles
    sizes: Ints


def m_shapes(geometry: Geometry, held: int) -> list[tuple[int, int, int]]:
    """Cuts of m: images, then rows, then parts of a row. held: outputs a column can keep."""
    shapes: list[tuple[int, int, int]] = []
    if geometry.batch > 1:
        shapes += [
            (b, geometry.out_height, geometry.out_width)
            for b in cuts(geometry.batch, 1, 2)
            if b > 1
        ]
    heights = cuts(geometry.out_height, 1, 1)
    fitting = held // geometry.out_width
    if 0 < fitting < geometry.out_height:
        heights.append(fitting)
    shapes += [(1, h, geometry.out_width) for h in sorted(set(heights), reverse=True)]
    shapes += [(1, 1, w) for w in cuts(geometry.out_width, 1, 1)[1:]]
    return [
        shape for shape in shapes if geometry.batch * -(-geometry.out_height // shape[1]) <= 1 << 16
    ]


def m_cuts(geometry: Geometry, held: int) -> list[MCut]:
    """m_shapes() with the sums that the scores need."""
    found = []
    one = np.ones(1, np.int64)
    for batch, height, width in m_shapes(geometry, held):
        tiles = m_tiles(geometry, batch, height, width)
        planes = box_bytes(tiles, one, 8)[:, 0]
        found.append(
            MCut(
                batch,
                height,
                width,
                len(tiles.first),
                int(tiles.size.max()),
                int(planes.max()),
                int(planes.sum()),
                tiles.size,
            )
        )
    return found


def sizes_n(
    g: Geometry, array: MacArray, limits: tuple[int, int, int], along: str, more: bool = False
) -> list[int]:
    """Tile sizes along n. along: the dimension dealt to several arrays. more: finer ones, too."""
    step = limits[1] or 1
    shares = array.count if along == "n" else 1
    sizes = set(cuts(-(-g.n // shares), step, step))
    if more:
        sizes |= {min(g.n, step * 3 * (1 << i)) for i in range(8)}
        sizes |= set(cuts(g.n, step, step))
    return sorted({min(g.n, size) for size in sizes}, reverse=True)


def sizes_k(
    g: Geometry, array: MacArray, limits: tuple[int, int, int], along: str, more: bool = False
) -> list[int]:
    """Tile sizes along k, as sizes_n."""
    sizes = {min(g.k, c * g.kernel) for c in cuts(g.channels, 1, 1)}
    if along == "k" and array.count > 1:
        sizes = {k for k in sizes if k * array.count <= g.k + k} or sizes
    if limits[2]:
        sizes.add(min(g.k, limits[2]))
        if more:
            sizes |= {min(g.k, limits[2] * (1 << i)) for i in range(12)}
    return sorted(sizes, reverse=True)


@dataclass(slots=True)
class Scores:
    """Candidates that fit by estimate, best first, as columns; mapping(i) makes the i-th."""

    cycles: Floats  # estimate, what overlaps left out: ranks the default mapping
    guess: Floats  # estimate with latencies and drains: ranks a search
    bound: Floats  # no schedule of this mapping takes fewer cycles
    moved: Floats  # bytes off chip
    least: Floats  # bytes off chip that no schedule of this mapping avoids
    passes: Floats
    near: Floats  # bytes read and written in buffers and accumulators
    which: Ints  # (candidates, 6): cut, n, k, order, keep input, keep weights
    tilings: Tilings

    def mapping(self, index: int) -> Mapping:
        """The mapping of one candidate."""
        t = self.tilings
        cut, n, k, order, keep_i, keep_w = self.which[index].tolist()
        m = t.cuts[cut]
        return Mapping(
            t.dataflow,
            m.batch,
            m.height,
            m.width,
            t.n_sizes[n],
            t.k_sizes[k],
            ("mnk", "nmk")[order],
            bool(keep_i),
            bool(keep_w),
            *t.slots,
            t.split,  # type: ignore[arg-type]
        )


class Tilings:
    """Scores the tilings of one operator on one chip for one dataflow and split.

    formats: input, weight, output. reserve: bytes of the weight buffer that other operators'
    weights hold. cold: weights are fetched. more: finer sizes for a search, which contain the
    coarse ones. shapes: cuts of m, if known.
    """

    def __init__(
        self,
        chip: Chip,
        geometry: Geometry,
        formats: tuple[str, str, str],
        dataflow: int,
        reserve: int,
        cold: bool,
        slots: tuple[int, int, int] | None = None,
        split: str = "",
        more: bool = False,
        shapes: list[MCut] | None = None,
    ) -> None:
        self.chip, self.geometry, self.formats, self.cold = chip, geometry, formats, cold
        self.dataflow, self.split = dataflow, split
        array = self.array = chip.array
        self.along = split or array.split
        self.rate = array.rate(formats[0], formats[1])
        self.limits = array.pass_limits(dataflow, self.rate)
        self.bits = [get(name).bits for name in formats]
        self.sum_bits = get(sum_format(array)).bits
        self.buffers = buffers_of(chip)
        self.reserve = reserve
        self.slots = slots or (
            slots_of(chip, array.input),
            slots_of(chip, array.weight),
            slots_of(chip, array.output),
        )
        clock = chip.clocks[array.clock]
        self.latency = chip.dma.setup + chip.dram.latency * clock
        self.bytes_per_cycle = chip.dram.bandwidth * chip.dram.efficiency / clock
        held = array.accumulator.depth if self.buffers.sums == "column" else 1 << 62
        self.cuts = shapes or m_cuts(geometry, held)
        self.n_sizes = sizes_n(geometry, array, self.limits, self.along, more)
        self.k_sizes = sizes_k(geometry, array, self.limits, self.along, more)

    # -- arrays over (cut, n, k) -----------------------------------------------------------------

    def _streams(self) -> tuple[Floats, Floats]:
        """(cycles of all passes of one group as ranked, cycles no schedule beats)."""
        g, array = self.geometry, self.array
        double = array.stationary_depth > 1
        limit_m, limit_n, limit_k = self.limits
        n_tiles = [_parts(g.n, n) for n in self.n_sizes]
        k_tiles_ = [_parts(g.k, k) for k in self.k_sizes]
        along = self.rate.factor

        def rows_of(k: int) -> int:
            return min(array.rows, -(-k // max(1, limit_k // array.rows)))

        if self.dataflow == Dataflow.WEIGHT_STATIONARY:
            blocks = np.array([_blocks(parts, limit_n) for parts in n_tiles], np.float64)
            used = sorted({rows_of(k) for parts in k_tiles_ for k, _ in parts})
            total = np.array(
                [
                    [float((np.maximum(c.sizes, r) if double else c.sizes + r).sum()) for r in used]
                    for c in self.cuts
                ]
            )
            plain = np.array(
                [
                    float(c.sizes.sum() + (0 if double else r * len(c.sizes)))
                    for c in self.cuts
                    for r in used
                ]
            ).reshape(total.shape)
            weight = np.zeros((len(used), len(k_tiles_)))
            for column, parts in enumerate(k_tiles_):
                for k, count in parts:
                    weight[used.index(rows_of(k)), column] += count * -(-k // limit_k)
            return (
                (total @ weight)[:, None, :] * blocks[None, :, None],
                (plain @ weight)[:, None, :] * blocks[None, :, None],
            )
        blocks_m = np.array([float((-(-c.sizes // limit_m)).sum()) for c in self.cuts])
        if self.dataflow == Dataflow.OUTPUT_STATIONARY:
            lanes = array.dot * (along if self.rate.along == "k" else 1)
            blocks = np.array([_blocks(parts, limit_n) for parts in n_tiles], np.float64)
            ranked, least = np.zeros(len(k_tiles_)), np.zeros(len(k_tiles_))
            for column, parts in enumerate(k_tiles_):
                for k, count in parts:
                    issue = (-(-k // lanes) - 1) * array.mac_latency + 1
                    ranked[column] += count * (
                        max(issue, array.rows) if double else issue + array.rows - 1
                    )
                    least[column] += count * issue
            return tuple(
                blocks_m[:, None, None] * blocks[None, :, None] * part[None, None, :]
                for part in (ranked, least)
            )  # type: ignore[return-value]
        lanes = array.simd * (along if self.rate.along == "n" else 1)
        ranked = np.zeros((len(n_tiles), len(k_tiles_)))
        least = np.zeros_like(ranked)
        for i, parts in enumerate(n_tiles):
            for j, deep in enumerate(k_tiles_):
                for (n, a), (k, b) in product(parts, deep):
                    steps, rows, count = -(-n // lanes), rows_of(k), a * b * -(-k // limit_k)
                    ranked[i, j] += count * (max(steps, rows) if double else steps + rows)
                    least[i, j] += count * steps
        return blocks_m[:, None, None] * ranked, blocks_m[:, None, None] * least

    def _passes(self) -> Floats:
        """Passes of one group."""
        limit_m, limit_n, limit_k = self.limits
        g = self.geometry
        count_m = [int((-(-c.sizes // limit_m)).sum()) if limit_m else c.tiles for c in self.cuts]
        count_n = [_blocks(_parts(g.n, n), limit_n or g.n) for n in self.n_sizes]
        count_k = [_blocks(_parts(g.k, k), limit_k or g.k) for k in self.k_sizes]
        whole = np.array(count_m, np.float64)[:, None, None] * np.array(count_n)[:, None] * count_k
        return np.asarray(whole, np.float64)

    def scores(self) -> Scores:
        """Every candidate that fits by estimate, best estimate of cycles first."""
        g, array, bits = self.geometry, self.array, self.bits
        tiles_m = np.array([c.tiles for c in self.cuts])[:, None, None]
        tiles_n = np.array([-(-g.n // n) for n in self.n_sizes])[None, :, None]
        tiles_k = np.array([-(-g.k // k) for k in self.k_sizes])[None, None, :]
        whole = {"m": tiles_m, "n": tiles_n, "k": tiles_k}
        steps = dict(whole)
        steps[self.along] = -(-whole[self.along] // array.count)
        share = steps[self.along] / whole[self.along]
        ranked, least = self._streams()
        compute, least = g.groups * ranked * share, g.groups * least / array.count
        n = np.array(self.n_sizes, np.float64)[None, :, None]
        k = np.array(self.k_sizes, np.float64)[None, None, :]
        channels = [k_tiles(g, size).channels for size in self.k_sizes]
        deepest = np.array([int(c.max()) for c in channels])[None, None, :]
        all_channels = np.array([int(c.sum()) for c in channels])[None, None, :]
        plane_max = np.array([c.plane_max for c in self.cuts])[:, None, None]
        plane_sum = np.array([c.plane_sum for c in self.cuts])[:, None, None]
        largest = np.array([c.largest for c in self.cuts])[:, None, None]
        slot_i = -(-plane_max * deepest * bits[0] // 8)
        streamed_i = g.groups * plane_sum * all_channels * bits[0] / 8
        whole_i = g.groups * g.batch * g.in_height * g.in_width * g.channels * bits[0] / 8
        tall, wide = (
            max(0, min(size, there) - 2 * reach) if g.convolution else size
            for size, there, reach in (
                (g.in_height, g.out_height, g.reach[0]),
                (g.in_width, g.out_width, g.reach[1]),
            )
        )
        needed_i = g.groups * g.batch * tall * wide * g.channels * bits[0] / 8
        drain = array.rows + array.columns + array.epilogue_latency
        slot_w = -(-k * n * bits[1] // 8)
        whole_w = g.groups * g.k * g.n * bits[1] / 8
        elements = n * largest
        out = g.groups * g.m * g.n * bits[2] / 8
        passes = self._passes() + 0.0 * (tiles_n + tiles_k)
        near = self._near(passes)
        shape = np.broadcast_shapes(compute.shape, passes.shape)
        one_pass = (tiles_k == 1) & (
            np.array([not self.limits[2] or size <= self.limits[2] for size in self.k_sizes])[
                None, None, :
            ]
        )
        columns: list[list[NDArray[np.float64]]] = [[] for _ in range(7)]
        which = []
        for order, keep_i, keep_w in product((0, 1), (True, False), (True, False)):
            if not self.cold and not keep_w:
                continue
            several = steps["k"] > 1
            turned_i = several if order == 0 else several | (steps["m"] * steps["k"] > 1)
            turned_w = (several | (steps["n"] * steps["k"] > 1)) if order == 0 else several
            again_i = np.where(turned_i, steps["n"], 1)
            again_w = np.where(turned_w, steps["m"], 1)
            fit = np.broadcast_to(
                self._fit(
                    keep_i,
                    keep_w,
                    tiles_m,
                    slot_i,
                    slot_w,
                    whole_i,
                    whole_w,
                    elements,
                    streamed_i,
                    one_pass,
                ),
                shape,
            )
            if not fit.any():
                continue
            times_i = np.ones_like(again_i) if keep_i else again_i
            times_w = np.ones_like(again_w) if keep_w else again_w
            bytes_i = whole_i if keep_i else streamed_i * times_i
            bytes_w = whole_w * times_w if self.cold else 0.0 * times_w
            moved = out + bytes_i + bytes_w
            loads_i = g.groups * tiles_m * tiles_k * times_i
            loads_w = g.groups * tiles_n * tiles_k * times_w if self.cold else 0 * times_w
            stores = g.groups * tiles_m * tiles_n
            traffic = moved / self.bytes_per_cycle
            certain = out + bytes_w + (needed_i if keep_i else streamed_i * times_i)
            for size, count in ((bytes_i, loads_i), (bytes_w, loads_w), (out, stores)):
                traffic = np.maximum(traffic, size / self.bytes_per_cycle + count * self.latency)
            edge = (np.minimum(slot_i, whole_i) if keep_i else slot_i) + elements * bits[2] / 8
            edge = edge + (np.minimum(slot_w, whole_w) if self.cold else 0.0)
            fill = edge / self.bytes_per_cycle
            overlapped = np.maximum(compute, traffic) if min(self.slots) > 1 else compute + traffic
            at = np.nonzero(fit)
            jobs = stores * tiles_k / self.array.count
            turns = 1.0 if min(self.slots) > 1 else jobs
            guess = overlapped + fill + turns * (2 * self.latency + drain)
            bound = np.maximum(least, certain / self.bytes_per_cycle)
            for column, values in zip(
                columns,
                (overlapped + fill, guess, bound, moved, certain, passes, near),
                strict=True,
            ):
                column.append(np.broadcast_to(values, shape)[at])
            flags = [np.full(len(at[0]), int(value)) for value in (order, keep_i, keep_w)]
            which.append(np.stack([*at, *flags], axis=1))
        if not which:
            empty = np.zeros(0)
            return Scores(*(empty,) * 7, np.zeros((0, 6), np.int64), self)
        cycles, guess, bound, moved, certain, passes, near = (
            np.concatenate(column) for column in columns
        )
        rows = np.concatenate(which).astype(np.int64)
        place = rows[:, 0]
        for axis, size in ((1, shape[1]), (2, shape[2])):
            place = place * size + rows[:, axis]
        # ties: the grid's order, then the variants' (order, keep input, keep weights)
        variant = (rows[:, 3] * 2 + 1 - rows[:, 4]) * 2 + 1 - rows[:, 5]
        level = LEVELS.searchsorted(cycles, side="right")
        best = np.lexsort((variant, place, moved, passes, level))
        return Scores(
            cycles[best],
            guess[best],
            bound[best],
            moved[best],
            certain[best],
            passes[best],
            near[best],
            rows[best],
            self,
        )

    def _near(self, passes: Floats) -> Floats:
        """Bytes that passes read and write on chip: an estimate for ranking by energy."""
        g = self.geometry
        a, b, s = (bits / 8 for bits in (self.bits[0], self.bits[1], self.sum_bits))
        _, limit_n, limit_k = self.limits
        blocks_n = np.array([_blocks(_parts(g.n, n), limit_n or g.n) for n in self.n_sizes])
        blocks_k = np.array([_blocks(_parts(g.k, k), limit_k or g.k) for k in self.k_sizes])
        blocks_m = passes / (blocks_n[None, :, None] * blocks_k[None, None, :])
        inputs = g.m * g.k * a * blocks_n[None, :, None]
        weights = g.k * g.n * b * blocks_m
        sums = g.m * g.n * s * (2 * blocks_k[None, None, :] - 1)
        return np.asarray(g.groups * (inputs + weights + sums), np.float64)

    def _fit(
        self,
        keep_i: bool,
        keep_w: bool,
        tiles_m: Ints,
        slot_i: Ints,
        slot_w: Floats,
        whole_i: float,
        whole_w: float,
        elements: Floats,
        streamed_i: Floats,
        one_pass: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Whether the tiles fit the buffers, by estimate; placement decides exactly."""
        array, chip, zero = self.array, self.chip, np.zeros_like(elements)
        several = array.count if array.count > 1 else 1

        def private(memory: str) -> bool:
            return getattr(chip.memories[memory], "scope", "shared") == "private"

        def lanes(split: bool, memory: str) -> int:
            return several if split and not private(memory) else 1

        pieces = streamed_i if private(array.input) and self.along != "n" else whole_i
        size_i = (
            pieces + tiles_m * 8
            if keep_i
            else (lanes(self.along in "mk", array.input) * self.slots[0] * slot_i)
        )
        size_w = (
            whole_w + 64
            if keep_w
            else (lanes(self.along in "nk", array.weight) * self.slots[1] * slot_w)
        )
        finished = fused(array, self.along)
        sums_slots = np.where(one_pass & finished, 0, 1 if finished else self.slots[2])
        wide = elements * self.sum_bits / 8
        out_lanes = lanes(True, array.output)
        size_o = out_lanes * self.slots[2] * elements * self.bits[2] / 8
        legal = np.ones(np.broadcast_shapes(elements.shape, one_pass.shape), bool)
        if self.buffers.sums == "column":
            legal = ~((sums_slots > 0) & (wide * sums_slots > self.buffers.sum_capacity))
            size_o = size_o + zero
        else:
            size_o = size_o + out_lanes * sums_slots * wide
        size = {"i": size_i + zero, "w": (size_w if self.cold else 0.0) + zero, "o": size_o}
        room = {"i": self.buffers.input, "w": self.buffers.weight, "o": self.buffers.output}
        for group in self.buffers.shared:
            limit = room[group[0]] - (self.reserve if "w" in group else 0)
            legal = legal & (sum(size[letter] for letter in group) <= limit)
        return legal


def _parts(total: int, size: int) -> list[tuple[int, int]]:
    """(size, how many) of the tiles of an extent."""
    full, rest = divmod(total, size)
    return [(size, full)] * (full > 0) + [(rest, 1)] * (rest > 0)


def _blocks(parts: list[tuple[int, int]], limit: int) -> int:
    return sum(count * -(-size // limit) for size, count in parts)
