"""The default mapping of a MAC operator: the fastest legal tiling by a closed estimate.

Candidates are scored all at once: cycles of the array, bytes off chip, and what cannot overlap.
The estimate only ranks; the cycles that users see come from the event engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import log

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.mapping import (
    Geometry,
    Mapping,
    buffers_of,
    dataflow_named,
    slots_of,
    sum_format,
)
from accelsim.mapping.placement import capacity, fused, place
from accelsim.mapping.tiles import box_bytes, k_tiles, m_tiles
from accelsim.units.mac_array import Dataflow

CLOSE = 0.02  # estimates nearer than this count as equal; then fewer passes win


def _cuts(total: int, step: int, least: int) -> list[int]:
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
class _MCut:
    """One way to cut m, with the sums that the score needs."""

    batch: int
    height: int
    width: int
    tiles: int
    largest: int
    plane_max: int  # input elements of one channel, largest tile
    plane_sum: int  # and summed over tiles
    sizes: NDArray[np.int64]


def _m_cuts(geometry: Geometry, held: int) -> list[_MCut]:
    shapes: list[tuple[int, int, int]] = []
    if geometry.batch > 1:
        shapes += [(b, geometry.out_height, geometry.out_width)
                   for b in _cuts(geometry.batch, 1, 2) if b > 1]  # fmt: skip
    heights = _cuts(geometry.out_height, 1, 1)
    fitting = held // geometry.out_width
    if 0 < fitting < geometry.out_height:
        heights.append(fitting)
    shapes += [(1, h, geometry.out_width) for h in sorted(set(heights), reverse=True)]
    shapes += [(1, 1, w) for w in _cuts(geometry.out_width, 1, 1)[1:]]
    cuts = []
    one = np.ones(1, np.int64)
    for batch, height, width in shapes:
        if geometry.batch * -(-geometry.out_height // height) > 1 << 16:
            continue
        tiles = m_tiles(geometry, batch, height, width)
        planes = box_bytes(tiles, one, 8)[:, 0]
        cuts.append(_MCut(batch, height, width, len(tiles.first), int(tiles.size.max()),
                          int(planes.max()), int(planes.sum()), tiles.size))  # fmt: skip
    return cuts


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: tuple[int, int, float, int]  # cycles in steps of CLOSE, passes, bytes, number
    mapping: Mapping


class Chooser:
    """Scores the tilings of one operator on one chip for one dataflow."""

    def __init__(self, chip: Chip, geometry: Geometry, formats: tuple[str, str, str],
                 dataflow: int, reserve: int, cold: bool) -> None:  # fmt: skip
        self.chip, self.geometry, self.formats, self.cold = chip, geometry, formats, cold
        self.dataflow = dataflow
        array = self.array = chip.array
        self.rate = array.rate(formats[0], formats[1])
        self.limits = array.pass_limits(dataflow, self.rate)
        self.bits = [get(name).bits for name in formats]
        self.sum_bits = get(sum_format(array)).bits
        self.buffers = buffers_of(chip)
        self.reserve = reserve
        self.slots = (slots_of(chip, array.input), slots_of(chip, array.weight),
                      slots_of(chip, array.output))  # fmt: skip
        clock = chip.clocks[array.clock]
        self.latency = chip.dma.setup + chip.dram.latency * clock
        self.bytes_per_cycle = chip.dram.bandwidth * chip.dram.efficiency / clock

    def candidates(self) -> list[Mapping]:
        """Legal-looking mappings, best first."""
        geometry, array = self.geometry, self.array
        held = 1 << 62
        if self.buffers.sums == "column":
            held = array.accumulator.depth
        step_n = self.limits[1] or 1
        shares = array.count if array.split == "n" else 1
        n_sizes = _cuts(-(-geometry.n // shares), step_n, step_n)
        if shares > 1:
            n_sizes = sorted({min(geometry.n, s) for s in n_sizes}, reverse=True)
        k_sizes = [min(geometry.k, c * geometry.kernel)
                   for c in _cuts(geometry.channels, 1, 1)]  # fmt: skip
        if array.split == "k" and array.count > 1:
            k_sizes = [k for k in k_sizes if k * array.count <= geometry.k + k] or k_sizes
        if self.limits[2]:
            k_sizes.append(min(geometry.k, self.limits[2]))
        k_sizes = sorted(set(k_sizes), reverse=True)
        found: list[_Candidate] = []
        for cut, n, k in product(_m_cuts(geometry, held), n_sizes, k_sizes):
            found += self._score(cut, n, k, len(found))
        found.sort(key=lambda item: item.score)
        return [item.mapping for item in found]

    def _compute(self, cut: _MCut, n_sizes: list[int], k_sizes: list[int]) -> float:
        """Array cycles of all passes of one group on one instance's share."""
        array = self.array
        depth = array.stationary_depth
        limit_m, limit_n, limit_k = self.limits
        along = self.rate.factor
        if self.dataflow == Dataflow.WEIGHT_STATIONARY:
            blocks_n = sum(-(-n // limit_n) for n in n_sizes)
            total = 0.0
            for k in k_sizes:
                rows = min(array.rows, -(-k // max(1, limit_k // array.rows)))
                stream = np.maximum(cut.sizes, rows) if depth > 1 else cut.sizes + rows
                total += -(-k // limit_k) * float(stream.sum())
            return total * blocks_n
        blocks_m = float((-(-cut.sizes // limit_m)).sum())
        if self.dataflow == Dataflow.OUTPUT_STATIONARY:
            lanes = array.dot * (along if self.rate.along == "k" else 1)
            issues = [(-(-k // lanes) - 1) * array.mac_latency + 1 for k in k_sizes]
            streams = [max(s, array.rows) if depth > 1 else s + array.rows - 1 for s in issues]
            return float(blocks_m) * sum(-(-n // limit_n) for n in n_sizes) * sum(streams)
        lanes = array.simd * (along if self.rate.along == "n" else 1)
        total = 0.0
        for n in n_sizes:
            steps = -(-n // lanes)
            for k in k_sizes:
                rows = min(array.rows, -(-k // max(1, limit_k // array.rows)))
                period = max(steps, rows) if depth > 1 else steps + rows
                total += -(-k // limit_k) * period
        return float(total * blocks_m)

    def _passes(self, cut: _MCut, n_sizes: list[int], k_sizes: list[int]) -> int:
        """Passes of one group."""
        limit_m, limit_n, limit_k = self.limits
        count = int((-(-cut.sizes // limit_m)).sum()) if limit_m else cut.tiles
        count *= sum(-(-n // limit_n) for n in n_sizes) if limit_n else len(n_sizes)
        return count * (sum(-(-k // limit_k) for k in k_sizes) if limit_k else len(k_sizes))

    def _score(self, cut: _MCut, n: int, k: int, number: int) -> list[_Candidate]:
        g, array, bits = self.geometry, self.array, self.bits
        n_tiles, k_tile_count = -(-g.n // n), -(-g.k // k)
        n_sizes = [n] * (n_tiles - 1) + [g.n - n * (n_tiles - 1)]
        k_sizes = [k] * (k_tile_count - 1) + [g.k - k * (k_tile_count - 1)]
        tiles = {"m": cut.tiles, "n": n_tiles, "k": k_tile_count}
        steps = dict(tiles)
        steps[array.split] = -(-tiles[array.split] // array.count)
        share = steps[array.split] / tiles[array.split]
        compute = g.groups * self._compute(cut, n_sizes, k_sizes) * share
        channels = k_tiles(g, k)
        slot_i = -(-cut.plane_max * int(channels.channels.max()) * bits[0] // 8)
        streamed_i = g.groups * cut.plane_sum * int(channels.channels.sum()) * bits[0] / 8
        whole_i = g.groups * g.batch * g.in_height * g.in_width * g.channels * bits[0] / 8
        slot_w = -(-k * n * bits[1] // 8)
        whole_w = g.groups * g.k * g.n * bits[1] / 8
        elements = n * cut.largest
        out = g.groups * g.m * g.n * bits[2] / 8
        results: list[_Candidate] = []
        for order, keep_i, keep_w in product(("mnk", "nmk"), (True, False), (True, False)):
            if not self.cold and not keep_w:
                continue
            again_i = steps["n"] if (
                steps["k"] > 1 or (order == "nmk" and steps["m"] * steps["k"] > 1)
            ) else 1  # fmt: skip
            again_w = steps["m"] if (
                steps["k"] > 1 or (order == "mnk" and steps["n"] * steps["k"] > 1)
            ) else 1  # fmt: skip
            size = self._sizes(cut, keep_i, keep_w, slot_i, slot_w, whole_i, whole_w, elements,
                               streamed_i, one_pass=k_tile_count == 1
                               and (not self.limits[2] or k <= self.limits[2]))  # fmt: skip
            if not self._fits(size):
                continue
            again = (1 if keep_i else again_i, 1 if keep_w else again_w)
            bytes_i = whole_i if keep_i else streamed_i * again_i
            bytes_w = whole_w * again[1] if self.cold else 0.0
            moved = out + bytes_i + bytes_w
            loads_i = g.groups * cut.tiles * k_tile_count * again[0]
            loads_w = g.groups * n_tiles * k_tile_count * again[1] if self.cold else 0
            stores = g.groups * cut.tiles * n_tiles
            channels_busy = [
                size / self.bytes_per_cycle + count * self.latency
                for size, count in ((bytes_i, loads_i), (bytes_w, loads_w), (out, stores))
            ]
            traffic = max(moved / self.bytes_per_cycle, *channels_busy)
            edge = (slot_i if not keep_i else min(slot_i, whole_i)) + elements * bits[2] / 8
            edge += min(slot_w, whole_w) if self.cold else 0.0
            fill = edge / self.bytes_per_cycle
            overlapped = max(compute, traffic) if min(self.slots) > 1 else compute + traffic
            passes = self._passes(cut, n_sizes, k_sizes)
            mapping = Mapping(self.dataflow, cut.batch, cut.height, cut.width, n, k,
                              order, keep_i, keep_w, *self.slots)  # type: ignore[arg-type]  # fmt: skip
            results.append(_Candidate(
                (int(log(overlapped + fill) / CLOSE), passes, moved, number + len(results)), mapping
            ))
        return results

    def _sizes(self, cut: _MCut, keep_i: bool, keep_w: bool, slot_i: int, slot_w: int,
               whole_i: float, whole_w: float, elements: int, streamed_i: float,
               one_pass: bool) -> dict[str, float]:  # fmt: skip
        array, chip = self.array, self.chip
        several = array.count if array.count > 1 else 1

        def lanes(split: bool, memory: str) -> int:
            private = getattr(chip.memories[memory], "scope", "shared") == "private"
            return several if split and not private else 1

        private_i = getattr(chip.memories[array.input], "scope", "shared") == "private"
        pieces = streamed_i if private_i and array.split != "n" else whole_i
        size_i = pieces + cut.tiles * 8 if keep_i else (
            lanes(array.split in "mk", array.input) * self.slots[0] * slot_i)  # fmt: skip
        size_w = whole_w + 64 if keep_w else (
            lanes(array.split in "nk", array.weight) * self.slots[1] * slot_w)  # fmt: skip
        finished = fused(array)
        sums_slots = 0 if one_pass and finished else (1 if finished else self.slots[2])
        wide = elements * self.sum_bits / 8
        out_lanes = lanes(True, array.output)
        size_o = out_lanes * self.slots[2] * elements * self.bits[2] / 8
        if self.buffers.sums == "column":
            if sums_slots and wide * sums_slots > self.buffers.sum_capacity:
                return {"i": float("inf"), "w": 0.0, "o": 0.0}
        else:
            size_o += out_lanes * sums_slots * wide
        return {"i": size_i, "w": size_w if self.cold else 0.0, "o": size_o}

    def _fits(self, size: dict[str, float]) -> bool:
        room = {"i": self.buffers.input, "w": self.buffers.weight, "o": self.buffers.output}
        return all(
            sum(size[letter] for letter in group)
            <= room[group[0]] - (self.reserve if "w" in group else 0)
            for group in self.buffers.shared
        )  # fmt: skip


def fits(chip: Chip, geometry: Geometry, mapping: Mapping, formats: tuple[str, str, str],
         weight_address: int | None = None, reserve: int = 0) -> dict[str, tuple[int, int]]:  # fmt: skip
    """Memories that are too small for a mapping: name -> (bytes needed, bytes there)."""
    needs = place(chip, geometry, mapping, formats, 0, weight_address).needs()
    short = {}
    for memory, size in needs.items():
        room = capacity(chip, memory)
        if weight_address is not None and memory == chip.array.weight:
            room, size = room - reserve, size - _resident_weight_bytes(geometry, formats)
        if size > room:
            short[memory] = (size, room)
    return short


def _resident_weight_bytes(geometry: Geometry, formats: tuple[str, str, str]) -> int:
    return get(formats[1]).bytes_for(geometry.groups * geometry.k * geometry.n)


def choose_mapping(chip: Chip, geometry: Geometry, formats: tuple[str, str, str], name: str,
                   reserve: int = 0, cold: bool = True, dataflow: str | None = None) -> Mapping:  # fmt: skip
    """The default mapping; InputError when not even the smallest tile fits the buffers."""
    flow = dataflow_named(dataflow or chip.array.dataflow)
    chooser = Chooser(chip, geometry, formats, flow, reserve, cold)
    for mapping in chooser.candidates():
        if not fits(chip, geometry, mapping, formats, None if cold else 0, reserve):
            return mapping
    array = chip.array
    raise InputError(
        Problem(
            "mapping.fits",
            f"no tile of {name} fits the buffers {array.input} ({chooser.buffers.input} bytes), "
            f"{array.weight} ({chooser.buffers.weight}), {array.output} "
            f"({chooser.buffers.output})",
            "make the buffers larger or buffering: single",
        )
    )
