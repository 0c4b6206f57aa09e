"""One MAC operator under one mapping as whole numbers, and its sizes: tiles, slots, areas, passes.

What placement.py works out from columns, for walk_mac.py and for quick plans; written for compiled
code. Chips with one array only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

NOTHING, WEIGHTS, INPUTS = 0, 1, 2  # what stays in the elements


class MacWalk(NamedTuple):
    """One operator under one mapping on one chip, as whole numbers. Sizes in bytes, limits of a pass
    0 where there is none, order: the loops' letters as 0 m, 1 n, 2 k, outermost first."""

    groups: int
    batch: int
    out_height: int
    out_width: int
    n: int
    channels: int
    kernel: int
    in_height: int
    in_width: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    reach_h: int
    reach_w: int
    rank: int
    dataflow: int
    tile_batch: int
    tile_height: int
    tile_width: int
    tile_n: int
    tile_k: int
    order_0: int
    order_1: int
    order_2: int
    input_resident: int
    weight_resident: int
    input_slots: int
    weight_slots: int
    output_slots: int
    bits_a: int
    bits_b: int
    bits_out: int
    bits_sum: int
    format_a: int
    format_b: int
    format_out: int
    format_sum: int
    limit_m: int
    limit_n: int
    limit_k: int
    stays: int
    depth: int
    fused: int
    column_sums: int
    held_rows: int  # rows of the array when results leave under one row for all passes, else 0
    register_slot: int
    slot_lag: int
    cold: int
    weight_address: int
    parity: int
    memory_dram: int
    memory_input: int
    memory_weight: int
    memory_sums: int
    memory_output: int
    memory_registers: int
    room_input: int
    room_weight: int
    room_sums: int
    room_output: int
    dram_read: int
    dram_write: int
    input_read: int
    input_write: int
    weight_read: int
    weight_write: int
    sums_read: int
    sums_write: int
    output_read: int
    output_write: int
    unit_input: int
    unit_weight: int
    unit_output: int
    unit_array: int
    unit_preload: int
    unit_vector: int


#: entries of the sizes that mac_sizes() works out
(
    TILES_M,
    TILES_N,
    TILES_K,
    SLOT_INPUT,
    SLOT_WEIGHT,
    SLOT_SUMS,
    SLOT_OUT,
    SLOTS_SUMS,
    SPILLS,
    SIZE_INPUT,
    SIZE_WEIGHT,
    SIZE_SUMS,
    SIZE_OUT,
    BASE_INPUT,
    BASE_WEIGHT,
    BASE_SUMS,
    BASE_OUT,
    PASSES,
    EXIT_ROW,
    PIECES,
) = range(20)
SIZES = 20


def cut(total: int, size: int) -> int:
    """Tiles of at most ``size`` that cover ``total``."""
    return -(-total // size)


def packed(elements: int, bits: int) -> int:
    """Whole bytes of so many elements."""
    return (elements * bits + 7) // 8


def box(w: Any, tile: int) -> tuple[int, int, int, int, int, int, int, int]:
    """(first, size, batch0, images, row0, row1, column0, column1) of an m tile."""
    count_w, count_h = cut(w.out_width, w.tile_width), cut(w.out_height, w.tile_height)
    b0 = tile // (count_w * count_h) * w.tile_batch
    h0 = tile // count_w % count_h * w.tile_height
    w0 = tile % count_w * w.tile_width
    nb = min(w.tile_batch, w.batch - b0)
    nh = min(w.tile_height, w.out_height - h0)
    nw = min(w.tile_width, w.out_width - w0)
    row0 = min(max(h0 * w.stride_h - w.pad_h, 0), w.in_height - 1)
    row1 = min(max((h0 + nh - 1) * w.stride_h - w.pad_h + w.reach_h, row0 + 1), w.in_height)
    column0 = min(max(w0 * w.stride_w - w.pad_w, 0), w.in_width - 1)
    column1 = min(max((w0 + nw - 1) * w.stride_w - w.pad_w + w.reach_w, column0 + 1), w.in_width)
    first = b0 * w.out_height * w.out_width + nb * (h0 * w.out_width) + nb * nh * w0
    return first, nb * nh * nw, b0, nb, row0, row1, column0, column1


def cuts_of(total: int, size: int, limit: int) -> int:
    """Cuts of at most ``limit`` of all tiles of ``size`` that cover ``total``."""
    if limit == 0:
        return cut(total, size)
    full, rest = total // size, total % size
    return full * cut(size, limit) + cut(rest, limit)


def mac_sizes(w: Any, sizes: Any) -> None:
    """Tiles, slots, areas and addresses of an operator (placement.place), into ``sizes``."""
    tiles_m = (
        cut(w.batch, w.tile_batch)
        * cut(w.out_height, w.tile_height)
        * cut(w.out_width, w.tile_width)
    )
    k = w.channels * w.kernel
    tiles_n, tiles_k = cut(w.n, w.tile_n), cut(k, w.tile_k)
    most_channels, all_channels = 0, 0
    for tile in range(tiles_k):
        first = tile * w.tile_k
        channels = cut(min(first + w.tile_k, k), w.kernel) - first // w.kernel
        most_channels = max(most_channels, channels)
    most_plane, most_m, passes_m = 0, 0, 0
    for tile in range(tiles_m):
        _, size, _, images, row0, row1, column0, column1 = box(w, tile)
        most_plane = max(most_plane, images * (row1 - row0) * (column1 - column0))
        most_m = max(most_m, size)
        passes_m += cut(size, w.limit_m) if w.limit_m else 1
    most_k = min(w.tile_k, k)
    held = most_m * min(w.tile_n, w.n)
    one_pass = tiles_k == 1 and (w.limit_k == 0 or most_k <= w.limit_k)
    spills = tiles_k > 1 and w.order_2 != 2
    sums_slots = w.output_slots
    if w.fused and one_pass:
        sums_slots = 0
    elif w.fused and not spills:
        sums_slots = 1
    sizes[TILES_M], sizes[TILES_N], sizes[TILES_K] = tiles_m, tiles_n, tiles_k
    sizes[SLOT_INPUT] = packed(most_plane * most_channels, w.bits_a)
    sizes[SLOT_WEIGHT] = packed(most_k * min(w.tile_n, w.n), w.bits_b)
    sizes[SLOT_SUMS], sizes[SLOT_OUT] = packed(held, w.bits_sum), packed(held, w.bits_out)
    sizes[SLOTS_SUMS], sizes[SPILLS] = sums_slots, int(spills)
    sizes[SIZE_INPUT] = w.input_slots * sizes[SLOT_INPUT]
    sizes[PIECES] = 0
    if w.input_resident:
        total, known = 0, 0
        for tile in range(tiles_m):
            _, _, b0, images, row0, row1, _, _ = box(w, tile)
            begin = b0 * w.in_height + row0
            fresh = max(begin, known) if images == 1 else begin
            known = max(known, (b0 + images - 1) * w.in_height + row1)
            plane = images * (row1 - min(fresh - b0 * w.in_height, row1)) * w.in_width
            for deep in range(tiles_k):
                first = deep * w.tile_k
                all_channels = cut(min(first + w.tile_k, k), w.kernel) - first // w.kernel
                total += packed(plane * all_channels, w.bits_a)
        sizes[PIECES] = total
        sizes[SIZE_INPUT] = w.groups * total
    sizes[SIZE_WEIGHT] = w.weight_slots * sizes[SLOT_WEIGHT]
    if w.weight_resident or w.cold == 0:
        total = 0
        for deep in range(tiles_k):
            for wide in range(tiles_n):
                total += packed(
                    min(w.tile_k, k - deep * w.tile_k) * min(w.tile_n, w.n - wide * w.tile_n),
                    w.bits_b,
                )
        sizes[SIZE_WEIGHT] = w.groups * total
    sizes[SIZE_SUMS] = sums_slots * sizes[SLOT_SUMS]
    sizes[SIZE_OUT] = w.output_slots * sizes[SLOT_OUT]
    sums_apart = w.memory_sums if sums_slots > 0 else w.memory_output
    weights = sizes[SIZE_WEIGHT] if w.cold else 0  # those that stay lie where all weights do
    below_w = sizes[SIZE_INPUT] if w.memory_weight == w.memory_input else 0
    below_s = (sizes[SIZE_INPUT] if sums_apart == w.memory_input else 0) + (
        weights if sums_apart == w.memory_weight else 0
    )
    below_o = (
        (sizes[SIZE_INPUT] if w.memory_output == w.memory_input else 0)
        + (weights if w.memory_output == w.memory_weight else 0)
        + (sizes[SIZE_SUMS] if w.memory_output == sums_apart else 0)
    )
    room_sums = w.room_sums if sums_slots > 0 else w.room_output
    up = w.parity == 0
    sizes[BASE_INPUT] = 0 if up else w.room_input - sizes[SIZE_INPUT]
    sizes[BASE_WEIGHT] = below_w if up else w.room_weight - below_w - sizes[SIZE_WEIGHT]
    sizes[BASE_SUMS] = below_s if up else room_sums - below_s - sizes[SIZE_SUMS]
    sizes[BASE_OUT] = below_o if up else w.room_output - below_o - sizes[SIZE_OUT]
    if w.cold == 0:
        sizes[BASE_WEIGHT] = w.weight_address
    sizes[PASSES] = (
        w.groups * passes_m * cuts_of(w.n, w.tile_n, w.limit_n) * cuts_of(k, w.tile_k, w.limit_k)
    )
    sizes[EXIT_ROW] = 0
    if w.held_rows:
        most, limit = (most_k, w.limit_k) if w.limit_k else (most_m, w.limit_m)
        sizes[EXIT_ROW] = cut(min(most, limit), limit // w.held_rows)


SIZE_HELPERS = (cut, packed, (box, (cut,)), (cuts_of, (cut,)))
