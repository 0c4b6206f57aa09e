"""Tables of walk_mac.py: pieces of a resident input, places of weight tiles, loops, and who touches
which bytes first and last. Written for compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.mapping.mac_sizes import (
    BASE_INPUT,
    BASE_OUT,
    BASE_SUMS,
    BASE_WEIGHT,
    SIZE_INPUT,
    SIZE_WEIGHT,
    SLOT_INPUT,
    SLOT_OUT,
    SLOT_SUMS,
    SLOT_WEIGHT,
    SLOTS_SUMS,
    box,
    cut,
    packed,
)


def pieces_of(w: Any, tiles: int, row0: Any, first_piece: Any, loader: Any, plane: Any) -> None:
    """Pieces of a resident input (tiles.resident_pieces): new rows, who is read first, who loads."""
    known, latest, before = 0, 0, 0
    for tile in range(tiles):
        _, _, b0, images, low, high, _, _ = box(w, tile)
        begin = b0 * w.in_height + low
        fresh = max(begin, known) if images == 1 else begin
        row0[tile] = min(fresh - b0 * w.in_height, high)
        end = (b0 + images - 1) * w.in_height + high
        known = max(known, end)
        plane[tile] = images * (high - row0[tile]) * w.in_width
        if plane[tile] > 0:
            latest = tile
        loader[tile] = latest
        first_piece[tile] = -1
        while True:  # the first tile whose piece ends behind where this one begins
            _, _, b1, images, _, high, _, _ = box(w, before)
            if (b1 + images - 1) * w.in_height + high > begin:
                break
            before += 1
        first_piece[tile] = before


def input_pieces(w: Any, tm: int, tk: int) -> tuple[Any, Any, Any, Any, Any]:
    """pieces_of() in new arrays, and where each piece (k tile, m tile) begins; nothing for an input that
    streams."""
    many = tm if w.input_resident else 0
    row0, first_piece, loader, plane = (
        np.zeros(many, np.int64),
        np.zeros(many, np.int64),
        np.zeros(many, np.int64),
        np.zeros(many, np.int64),
    )
    offs = np.zeros(tk * many + 1, np.int64)
    if w.input_resident:
        pieces_of(w, tm, row0, first_piece, loader, plane)
        for deep in range(tk):
            low = deep * w.tile_k
            channels = cut(min(low + w.tile_k, w.channels * w.kernel), w.kernel) - low // w.kernel
            for tile in range(tm):
                at = deep * tm + tile
                offs[at + 1] = offs[at] + packed(plane[tile] * channels, w.bits_a)
    return row0, first_piece, loader, plane, offs


def weight_offsets(w: Any, tn: int, tk: int) -> Any:
    """Where each weight tile (k tile, n tile) of a group begins when all of them stay."""
    if w.weight_resident == 0 and w.cold:
        return np.zeros(1, np.int64)
    offs = np.zeros(tk * tn + 1, np.int64)
    for deep in range(tk):
        for wide in range(tn):
            size = packed(
                min(w.tile_k, w.channels * w.kernel - deep * w.tile_k)
                * min(w.tile_n, w.n - wide * w.tile_n),
                w.bits_b,
            )
            offs[deep * tn + wide + 1] = offs[deep * tn + wide] + size
    return offs


def tile_count(letter: int, tm: int, tn: int, tk: int) -> int:
    """Tiles along one of the loops' letters."""
    return tm if letter == 0 else (tn if letter == 1 else tk)


def loop_place(w: Any, job: int, count_1: int, count_2: int) -> tuple[int, int, int]:
    """(m, n, k) tile of a job of a group."""
    i0, i1, i2 = job // (count_1 * count_2), job // count_2 % count_1, job % count_2
    m = i0 if w.order_0 == 0 else (i1 if w.order_1 == 0 else i2)
    n = i0 if w.order_0 == 1 else (i1 if w.order_1 == 1 else i2)
    k = i0 if w.order_0 == 2 else (i1 if w.order_1 == 2 else i2)
    return m, n, k


def note_uses(
    w: Any,
    sizes: Any,
    entries: Any,
    exits: Any,
    in_first: Any,
    in_reader: Any,
    in_last: int,
    w_first: Any,
    w_reader: Any,
    w_last: int,
    reg_first: Any,
    reg_last: Any,
    sums_use: Any,
    out_use: Any,
) -> int:
    """Entries and exits of every slot that was used, or of what stays; their number."""
    count = 0
    if w.input_resident:
        count = occupied(
            entries,
            exits,
            count,
            in_first[0],
            w.memory_input,
            sizes[BASE_INPUT],
            sizes[SIZE_INPUT],
            in_last,
            -1,
            -1,
        )
    else:
        for slot in range(w.input_slots):
            count = occupied(
                entries,
                exits,
                count,
                in_first[slot],
                w.memory_input,
                sizes[BASE_INPUT] + slot * sizes[SLOT_INPUT],
                sizes[SLOT_INPUT],
                in_reader[slot],
                -1,
                -1,
            )
    if w.cold and w.weight_resident:
        count = occupied(
            entries,
            exits,
            count,
            w_first[0],
            w.memory_weight,
            sizes[BASE_WEIGHT],
            sizes[SIZE_WEIGHT],
            w_last,
            -1,
            -1,
        )
    elif w.cold:
        for slot in range(w.weight_slots):
            count = occupied(
                entries,
                exits,
                count,
                w_first[slot],
                w.memory_weight,
                sizes[BASE_WEIGHT] + slot * sizes[SLOT_WEIGHT],
                sizes[SLOT_WEIGHT],
                w_reader[slot],
                -1,
                -1,
            )
    for slot in range(w.depth):
        count = occupied(
            entries,
            exits,
            count,
            reg_first[slot],
            w.memory_registers,
            slot * w.register_slot,
            w.register_slot,
            reg_last[slot],
            -1,
            -1,
        )
    for slot in range(sizes[SLOTS_SUMS]):
        use = sums_use[slot]
        count = occupied(
            entries,
            exits,
            count,
            use[0],
            w.memory_sums,
            sizes[BASE_SUMS] + slot * sizes[SLOT_SUMS],
            sizes[SLOT_SUMS],
            use[1],
            use[2],
            use[3],
        )
    for slot in range(w.output_slots):
        use = out_use[slot]
        count = occupied(
            entries,
            exits,
            count,
            use[0],
            w.memory_output,
            sizes[BASE_OUT] + slot * sizes[SLOT_OUT],
            sizes[SLOT_OUT],
            use[1],
            use[2],
            use[3],
        )
    return count


def occupied(
    entries: Any,
    exits: Any,
    count: int,
    first: int,
    memory: int,
    start: int,
    size: int,
    used_0: int,
    used_1: int,
    used_2: int,
) -> int:
    """Note that bytes are written first by row ``first`` and used last by up to three rows."""
    if first < 0:
        return count
    e, x = entries[count], exits[count]
    e[0], e[1], e[2], e[3] = first, memory, start, start + size
    x[0], x[1], x[2], x[3], x[4], x[5] = memory, start, start + size, used_0, used_1, used_2
    return count + 1


BOX = (box, (cut,))
PIECES = (pieces_of, (BOX,))
TABLE_HELPERS = (
    (input_pieces, (PIECES, cut, packed)),
    (weight_offsets, (packed,)),
    tile_count,
    loop_place,
    (note_uses, (occupied,)),
)
