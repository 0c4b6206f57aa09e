"""The default mapping by one compiled walk over all tilings, for chips with one array.

The same estimate as score.py's, number for number, without its arrays: tests/mapping/test_walk.py
holds one against the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip, machine
from accelsim.mapping.mac_record import record
from accelsim.mapping.mac_sizes import (
    INPUTS,
    SIZE_HELPERS,
    SIZE_INPUT,
    SIZE_OUT,
    SIZE_SUMS,
    SIZE_WEIGHT,
    SIZES,
    SLOTS_SUMS,
    WEIGHTS,
    MacWalk,
    mac_sizes,
)
from accelsim.mapping.mapping import Geometry, Mapping, buffers_of, slots_of
from accelsim.mapping.score import LEVELS, m_shapes, sizes_k, sizes_n

Ints = NDArray[np.int64]
ORDERS = ("mnk", "nmk")


class Estimate(NamedTuple):
    """What the estimate reads beside the operator: of the array, rows, whether preloads overlap, cycles
    of a product, products an element adds and outputs it holds; of the memory, bytes a cycle and cycles
    of latency; of the buffers, bytes there (input, weight, output), 1 where two of them are one, bytes
    of column accumulators (-1: sums lie in the output buffer), bytes reserved in the weight buffer.
    fetch_all: a resident input is fetched tile by tile."""

    rows: int
    double: int
    mac_latency: int
    deep_lanes: int
    wide_lanes: int
    bytes_per_cycle: float
    latency: float
    room_i: int
    room_w: int
    room_o: int
    shared_iw: int
    shared_io: int
    shared_wo: int
    sum_capacity: int
    reserve: int
    fetch_all: int


def ceil_of(a: int, b: int) -> int:
    """a / b rounded up."""
    return -(-a // b)


def blocks(total: int, size: int, limit: int) -> int:
    """Ranges of at most ``limit`` in all tiles of ``size``; 0: one a tile."""
    if limit == 0:
        return ceil_of(total, size)
    return total // size * ceil_of(size, limit) + ceil_of(total % size, limit)


def used_rows(k: int, rows: int, limit_k: int) -> int:
    """Rows that a pass of so many products fills."""
    return min(rows, ceil_of(k, max(1, limit_k // rows)))


def stretch(out: int, tile: int, stride: int, pad: int, reach: int, limit: int, found: Any) -> None:
    """Sum and maximum, over the tiles along one side, of the input that each needs."""
    total, most, low = 0, 0, 0
    while low < out:
        count = min(tile, out - low)
        begin = min(max(low * stride - pad, 0), limit - 1)
        end = min(max((low + count - 1) * stride - pad + reach, begin + 1), limit)
        total += end - begin
        most = max(most, end - begin)
        low += tile
    found[0], found[1] = total, most


def height_cycles(w: Any, e: Any, sizes: Any, counts: Any, tall: int, k: int) -> int:
    """Cycles of streaming all m tiles once past stationary weights of one pass height."""
    rows, total = used_rows(k, e.rows, w.limit_k), 0
    for i in range(tall):
        total += counts[i] * (max(sizes[i], rows) if e.double else sizes[i] + rows)
    return total


def best_tiling(
    w: Any,
    e: Any,
    shapes: Any,
    n_sizes: Any,
    k_sizes: Any,
    levels: Any,
    slots: Any,
    after: Any,
    best: Any,
) -> int:
    """The tiling with the smallest estimate that fits by estimate, into ``best``; 0 when there is none.

    shapes: (cuts, 3) batch, height, width. after: only tilings behind this key. best: cut, n, k, order,
    keep input, keep weights; its key: level, passes, bytes, place, variant.
    """
    found, sizes, counts = np.zeros(2, np.int64), np.zeros(8, np.int64), np.zeros(8, np.int64)
    out_m, depth_k = w.batch * w.out_height * w.out_width, w.channels * w.kernel
    whole_i = w.groups * w.batch * w.in_height * w.in_width * w.channels * w.bits_a / 8
    whole_w = w.groups * depth_k * w.n * w.bits_b / 8
    out = w.groups * out_m * w.n * w.bits_out / 8
    overlap = min(slots[0], min(slots[1], slots[2])) > 1
    any_found = 0
    level_high = np.inf
    for cut in range(len(shapes)):
        nb, nh, nw = shapes[cut, 0], shapes[cut, 1], shapes[cut, 2]
        stretch(w.out_height, nh, w.stride_h, w.pad_h, w.reach_h, w.in_height, found)
        rows_sum, rows_max = found[0], found[1]
        stretch(w.out_width, nw, w.stride_w, w.pad_w, w.reach_w, w.in_width, found)
        plane_sum, plane_max = w.batch * rows_sum * found[0], nb * rows_max * found[1]
        tall = 0
        for b in range(2):
            size_b, count_b = (nb, w.batch // nb) if b == 0 else (w.batch % nb, 1)
            for h in range(2):
                size_h, count_h = (nh, w.out_height // nh) if h == 0 else (w.out_height % nh, 1)
                for x in range(2):
                    size_w, count_w = (nw, w.out_width // nw) if x == 0 else (w.out_width % nw, 1)
                    if size_b * size_h * size_w > 0:
                        sizes[tall] = size_b * size_h * size_w
                        counts[tall] = count_b * count_h * count_w
                        tall += 1
        largest, tiles_m, blocks_m = nb * nh * nw, 0, 0
        for i in range(tall):
            tiles_m += counts[i]
            blocks_m += counts[i] * (ceil_of(sizes[i], w.limit_m) if w.limit_m else 1)
        for wide in range(len(n_sizes)):
            n = n_sizes[wide]
            tiles_n, blocks_n = ceil_of(w.n, n), blocks(w.n, n, w.limit_n if w.limit_n else w.n)
            elements = float(n) * largest
            for deep in range(len(k_sizes)):
                k = k_sizes[deep]
                tiles_k, rest = ceil_of(depth_k, k), depth_k % k
                deepest, all_channels = 0, 0
                low = 0
                while low < depth_k:
                    channels = ceil_of(min(low + k, depth_k), w.kernel) - low // w.kernel
                    deepest, all_channels = max(deepest, channels), all_channels + channels
                    low += k
                full = depth_k // k
                if w.stays == WEIGHTS:
                    ranked = (
                        height_cycles(w, e, sizes, counts, tall, k) * full * ceil_of(k, w.limit_k)
                    )
                    if rest:
                        ranked += height_cycles(w, e, sizes, counts, tall, rest) * ceil_of(
                            rest, w.limit_k
                        )
                    compute = float(ranked) * blocks(w.n, n, w.limit_n)
                elif w.stays == INPUTS:
                    ranked = 0
                    for i in range(2):
                        size_n, count_n = (n, w.n // n) if i == 0 else (w.n % n, 1)
                        steps = ceil_of(size_n, e.wide_lanes)
                        for j in range(2):
                            size_k, count_k = (k, full) if j == 0 else (rest, 1)
                            if size_n and size_k:
                                rows = used_rows(size_k, e.rows, w.limit_k)
                                ranked += (
                                    count_n
                                    * count_k
                                    * ceil_of(size_k, w.limit_k)
                                    * (max(steps, rows) if e.double else steps + rows)
                                )
                    compute = float(blocks_m) * ranked
                else:
                    ranked = 0
                    for j in range(2):
                        size_k, count_k = (k, full) if j == 0 else (rest, 1)
                        if size_k:
                            issue = (ceil_of(size_k, e.deep_lanes) - 1) * e.mac_latency + 1
                            ranked += count_k * (
                                max(issue, e.rows) if e.double else issue + e.rows - 1
                            )
                    compute = float(blocks_m) * blocks(w.n, n, w.limit_n) * ranked
                compute = w.groups * compute
                passes = (
                    float(blocks_m)
                    * blocks_n
                    * blocks(depth_k, k, w.limit_k if w.limit_k else depth_k)
                )
                slot_i = ceil_of(plane_max * deepest * w.bits_a, 8)
                streamed = w.groups * plane_sum * all_channels * w.bits_a / 8
                slot_w = float(ceil_of(k * n * w.bits_b, 8))
                one_pass = tiles_k == 1 and (w.limit_k == 0 or k <= w.limit_k)
                sums_slots = 0 if one_pass and w.fused else (1 if w.fused else slots[2])
                spread = elements * w.bits_sum / 8
                size_o = slots[2] * elements * w.bits_out / 8
                if e.sum_capacity >= 0:
                    if sums_slots > 0 and spread * sums_slots > e.sum_capacity:
                        continue
                else:
                    size_o = size_o + sums_slots * spread
                for variant in range(8):
                    order, keep_i, keep_w = variant // 4, variant // 2 % 2 == 0, variant % 2 == 0
                    if w.cold == 0 and not keep_w:
                        continue
                    size_i = (
                        (streamed if e.fetch_all else whole_i) + tiles_m * 8
                        if keep_i
                        else float(slots[0] * slot_i)
                    )
                    size_w = (whole_w + 64 if keep_w else slots[1] * slot_w) if w.cold else 0.0
                    if not fits_rooms(e, size_i, size_w, size_o):
                        continue
                    again_i, again_w = 1, 1
                    if not keep_i and (tiles_k > 1 or (order == 1 and tiles_m * tiles_k > 1)):
                        again_i = tiles_n
                    if not keep_w and (tiles_k > 1 or (order == 0 and tiles_n * tiles_k > 1)):
                        again_w = tiles_m
                    bytes_i = whole_i if keep_i else streamed * again_i
                    bytes_w = whole_w * again_w if w.cold else 0.0
                    moved = out + bytes_i + bytes_w
                    loads_w = w.groups * tiles_n * tiles_k * again_w if w.cold else 0
                    traffic = moved / e.bytes_per_cycle
                    traffic = max(
                        traffic,
                        bytes_i / e.bytes_per_cycle
                        + w.groups * tiles_m * tiles_k * again_i * e.latency,
                    )
                    traffic = max(traffic, bytes_w / e.bytes_per_cycle + loads_w * e.latency)
                    traffic = max(
                        traffic, out / e.bytes_per_cycle + w.groups * tiles_m * tiles_n * e.latency
                    )
                    edge = (min(float(slot_i), whole_i) if keep_i else float(slot_i)) + (
                        elements * w.bits_out / 8
                    )
                    edge = edge + (min(slot_w, whole_w) if w.cold else 0.0)
                    cycles = max(compute, traffic) if overlap else compute + traffic
                    cycles = cycles + edge / e.bytes_per_cycle
                    if cycles >= level_high:
                        continue
                    level = np.searchsorted(levels, cycles, side="right")
                    place = float((cut * len(n_sizes) + wide) * len(k_sizes) + deep)
                    if not behind(after, level, passes, moved, place, variant):
                        continue
                    if any_found and behind(best[6:], level, passes, moved, place, variant):
                        continue
                    any_found = 1
                    best[0], best[1], best[2], best[3], best[4], best[5] = (
                        cut,
                        wide,
                        deep,
                        order,
                        keep_i,
                        keep_w,
                    )
                    best[6], best[7], best[8], best[9], best[10] = (
                        level,
                        passes,
                        moved,
                        place,
                        variant,
                    )
                    level_high = levels[level] if level < len(levels) else np.inf
    return any_found


def behind(
    key: Any, level: float, passes: float, moved: float, place: float, variant: float
) -> bool:
    """Whether a tiling comes after ``key`` in the order: level, passes, bytes, place, variant."""
    if level != key[0]:
        return bool(level > key[0])
    if passes != key[1]:
        return bool(passes > key[1])
    if moved != key[2]:
        return bool(moved > key[2])
    if place != key[3]:
        return bool(place > key[3])
    return bool(variant > key[4])


def fits_rooms(e: Any, size_i: float, size_w: float, size_o: float) -> bool:
    """Whether tiles of those bytes fit the buffers, shared ones counted together."""
    need_i = size_i + (size_w if e.shared_iw else 0.0) + (size_o if e.shared_io else 0.0)
    if need_i > e.room_i - (e.reserve if e.shared_iw else 0):
        return False
    if not e.shared_iw:
        need_w = size_w + (size_o if e.shared_wo else 0.0)
        if need_w > e.room_w - e.reserve:
            return False
    return bool(e.shared_io or e.shared_wo or size_o <= e.room_o)


CHOICE_HELPERS = (
    ceil_of,
    (blocks, (ceil_of,)),
    (used_rows, (ceil_of,)),
    stretch,
    (height_cycles, ((used_rows, (ceil_of,)),)),
    behind,
    fits_rooms,
)


def estimate_of(chip: Chip, formats: tuple[str, str, str], reserve: int) -> Estimate:
    """What the estimate reads of a chip."""
    array, buffers = chip.array, buffers_of(chip)
    rate, clock = array.rate(formats[0], formats[1]), chip.clocks[array.clock]
    private = getattr(chip.memories[array.input], "scope", "shared") == "private"
    return Estimate(
        array.rows,
        int(array.stationary_depth > 1),
        array.mac_latency,
        array.dot * (rate.factor if rate.along == "k" else 1),
        array.simd * (rate.factor if rate.along == "n" else 1),
        chip.dram.bandwidth * chip.dram.efficiency / clock,
        chip.dma.setup + chip.dram.latency * clock,
        buffers.input,
        buffers.weight,
        buffers.output,
        int(array.input == array.weight),
        int(array.input == array.output),
        int(array.weight == array.output),
        buffers.sum_capacity if buffers.sums == "column" else -1,
        reserve,
        int(private and array.split != "n"),
    )


def quick_choice(
    chip: Chip,
    geometry: Geometry,
    formats: tuple[str, str, str],
    reserve: int,
    cold: bool,
    dataflow: int,
) -> Mapping | None:
    """choose_mapping() for a chip with one array; None when nothing fits."""
    array, buffers = chip.array, buffers_of(chip)
    slots = (
        slots_of(chip, array.input),
        slots_of(chip, array.weight),
        slots_of(chip, array.output),
    )
    limits = array.pass_limits(dataflow, array.rate(formats[0], formats[1]))
    held = array.accumulator.depth if buffers.sums == "column" else 1 << 62
    shapes = m_shapes(geometry, held)
    n_sizes, k_sizes = sizes_n(geometry, array, limits, "n"), sizes_k(geometry, array, limits, "n")
    blank = Mapping(dataflow, 1, 1, 1, 1, 1, "mnk", False, False, *slots)
    w = record(chip, machine(chip), geometry, blank, formats, 0, None if cold else 0)
    estimate = estimate_of(chip, formats, reserve)
    after, best = np.full(5, -1.0), np.zeros(11)
    columns = [np.array(part, np.int64) for part in (shapes, n_sizes, k_sizes, slots)]
    while jit.compiled(best_tiling, CHOICE_HELPERS)(
        w, estimate, *columns[:3], LEVELS, columns[3], after, best
    ):
        cut, n, k, order, keep_i, keep_w = (int(x) for x in best[:6])
        mapping = Mapping(
            dataflow,
            *shapes[cut],
            n_sizes[n],
            k_sizes[k],
            ORDERS[order],  # type: ignore[arg-type]
            bool(keep_i),
            bool(keep_w),
            *slots,
        )
        if _fits(chip, w, mapping, reserve):
            return mapping
        after = best[6:].copy()
    return None


def _fits(chip: Chip, w: MacWalk, mapping: Mapping, reserve: int) -> bool:
    """fits() of choose.py, of numbers."""
    sizes = np.zeros(SIZES, np.int64)
    tiled = w._replace(
        tile_batch=mapping.batch,
        tile_height=mapping.height,
        tile_width=mapping.width,
        tile_n=mapping.n,
        tile_k=mapping.k,
        order_1=1 if mapping.order == "mnk" else 0,
        order_0=0 if mapping.order == "mnk" else 1,
        input_resident=int(mapping.input_resident),
        weight_resident=int(mapping.weight_resident),
    )
    jit.compiled(mac_sizes, SIZE_HELPERS)(tiled, sizes)
    sums = w.memory_sums if sizes[SLOTS_SUMS] else w.memory_output
    need: dict[int, int] = {}
    for memory, size in (
        (w.memory_input, SIZE_INPUT),
        (w.memory_weight, SIZE_WEIGHT),
        (sums, SIZE_SUMS),
        (w.memory_output, SIZE_OUT),
    ):
        need[memory] = need.get(memory, 0) + int(sizes[size])
    room = {
        w.memory_sums: w.room_sums,
        w.memory_input: w.room_input,
        w.memory_weight: w.room_weight,
        w.memory_output: w.room_output,
    }
    if w.cold == 0:  # all weights of the workload lie in their buffer, this operator's among them
        own = -(-w.groups * w.channels * w.kernel * w.n * w.bits_b // 8)
        need[w.memory_weight] -= own
    room[w.memory_weight] -= reserve
    return all(size <= room[memory] for memory, size in need.items())
