"""A MAC operator's commands by one walk over its jobs and passes, for chips with one array.

What emit_mac.py builds from columns, this writes row by row: the same commands, operands, edges and
demands in the same order (tests/mapping/test_walk.py). Written for compiled code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.mapping.mac_sizes import (
    BASE_INPUT,
    BASE_OUT,
    BASE_SUMS,
    BASE_WEIGHT,
    EXIT_ROW,
    INPUTS,
    NOTHING,
    PIECES,
    SLOT_INPUT,
    SLOT_OUT,
    SLOT_SUMS,
    SLOT_WEIGHT,
    SLOTS_SUMS,
    TILES_K,
    TILES_M,
    TILES_N,
    WEIGHTS,
    box,
    cut,
    packed,
)
from accelsim.mapping.walk_results import RESULT_HELPERS, begin_input, write_results
from accelsim.mapping.walk_rows import (
    ROW_HELPERS,
    edge,
    matrix,
    operand,
    region,
    row_done,
    row_of,
    shape_number,
    want,
)
from accelsim.mapping.walk_tables import (
    TABLE_HELPERS,
    input_pieces,
    loop_place,
    note_uses,
    tile_count,
    weight_offsets,
)
from accelsim.program.opcodes import Access, Edge, Flag, Opcode

LOAD, STORE, PRELOAD = int(Opcode.LOAD), int(Opcode.STORE), int(Opcode.PRELOAD)
MATMUL, REQUANTIZE = int(Opcode.MATMUL), int(Opcode.REQUANTIZE)
READ, WRITE, ACCUMULATE = int(Access.READ), int(Access.WRITE), int(Access.ACCUMULATE)
DATA, SLOT = int(Edge.DATA), int(Edge.SLOT)
FIRST_K, LAST_K, FUSED = int(Flag.FIRST_K), int(Flag.LAST_K), int(Flag.FUSED)
INPUT, LOWERED, WEIGHT_MATRIX, OUTPUT_MATRIX, SUMS = 0, 1, 3, 5, 6
#: groups of shapes, in the order in which emit_mac.py numbers them
(
    SHAPE_INPUT,
    SHAPE_WEIGHT,
    SHAPE_MATMUL,
    SHAPE_PRELOAD,
    SHAPE_REQUANTIZE,
    SHAPE_STORE,
    SHAPE_SPILL,
    SHAPE_RELOAD,
) = range(8)


def walk_mac(
    w: Any,
    sizes: Any,
    at: Any,
    commands: Any,
    starts: Any,
    operands: Any,
    offset: Any,
    extent: Any,
    demands: Any,
    edges: Any,
    need: Any,
    known: Any,
    heads: Any,
    target: Any,
    entries: Any,
    exits: Any,
    ends: Any,
) -> int:
    """Write the operator's rows (walk_rows.Rows); 1, or 0 when there is no room for its shapes.

    entries: (entries, 4) row, memory, start, end; exits: (exits, 6) memory, start, end, up to three
    rows, -1 for none. ends: number of entries, of exits, the row that completes the output.
    """
    tm, tn, tk = sizes[TILES_M], sizes[TILES_N], sizes[TILES_K]
    depth_k = w.channels * w.kernel
    piece_row, first_piece, loader, plane, offs = input_pieces(w, tm, tk)
    weight_offs = weight_offsets(w, tn, tk)
    group_bytes = weight_offs[len(weight_offs) - 1]
    in_places = w.groups * tk * tm if w.input_resident else 1
    w_places = w.groups * tk * tn if w.weight_resident else 1
    in_table, in_waits = np.full(in_places, -1, np.int64), np.ones(in_places, np.int64)
    w_table, w_waits = np.full(w_places, -1, np.int64), np.ones(w_places, np.int64)
    count_0 = tile_count(w.order_0, tm, tn, tk)
    count_1, count_2 = tile_count(w.order_1, tm, tn, tk), tile_count(w.order_2, tm, tn, tk)
    inner = 1  # turns of the loops inside k: a sum that they interrupt is spilled
    if w.order_0 == 2:
        inner = count_1 * count_2
    elif w.order_1 == 2:
        inner = count_2
    spilling = tk > 1 and inner > 1
    spilled = np.full(w.groups * tm * tn if spilling else 1, -1, np.int64)
    whole_w = packed(w.groups * depth_k * w.n, w.bits_b)
    out_m = w.batch * w.out_height * w.out_width
    word = cut(w.bits_sum, 8)
    slots_o, slots_s = w.output_slots, sizes[SLOTS_SUMS]
    in_first, in_reader = np.full(w.input_slots, -1, np.int64), np.full(w.input_slots, -1, np.int64)
    w_first, w_reader = np.full(w.weight_slots, -1, np.int64), np.full(w.weight_slots, -1, np.int64)
    reg_first, reg_last = np.full(w.depth, -1, np.int64), np.full(w.depth, -1, np.int64)
    visit_store, visit_quant = np.full(slots_o, -1, np.int64), np.full(slots_o, -1, np.int64)
    visit_pass = np.full(slots_o, -1, np.int64)
    sums_use = np.full(
        (max(1, slots_s), 4), -1, np.int64
    )  # first row; last pass, requantize, store
    out_use = np.full((slots_o, 4), -1, np.int64)
    in_key, in_number, in_slot, in_row, in_wait = -1, -1, 0, -1, 1
    w_key, w_number, w_slot, w_row, w_wait = -1, -1, 0, -1, 1
    held_0, held_1, held_2, held_3 = -1, -1, -1, -1
    preloads, reg_slot, preload_row, preload_wait = -1, 0, -1, 0
    visit, visit_key, slot_o, slot_s, ready, visit_first = -1, -1, 0, 0, 0, -1
    before_store, before_quant, before_pass = -1, -1, -1
    in_last, w_last, last_store = -1, -1, -1
    jobs = count_0 * count_1 * count_2
    for turn in range(w.groups * jobs):
        g, job = turn // jobs, turn % jobs
        m, n, k = loop_place(w, job, count_1, count_2)
        key = (g * tm + m) * tn + n
        after = -1
        if turn + 1 < w.groups * jobs:
            next_g, next_job = (turn + 1) // jobs, (turn + 1) % jobs
            next_m, next_n, _ = loop_place(w, next_job, count_1, count_2)
            after = (next_g * tm + next_m) * tn + next_n
        begins, stops = key != visit_key, key != after
        loads_sums = begins and k > 0
        spills, finishes = stops and k < tk - 1, stops and k == tk - 1
        first_m, size_m, b0, images, row0, row1, column0, column1 = box(w, m)
        n_low, k_low = n * w.tile_n, k * w.tile_k
        size_n, size_k = min(w.tile_n, w.n - n_low), min(w.tile_k, depth_k - k_low)
        channel0 = k_low // w.kernel
        channels = cut(k_low + size_k, w.kernel) - channel0
        elements = size_m * size_n
        if begins:
            visit += 1
            visit_key, ready = key, 0
            slot_o = visit % slots_o
            slot_s = slot_o % slots_s if slots_s > 0 else 0
            before_store, before_quant = visit_store[slot_o], visit_quant[slot_o]
            before_pass, visit_first = visit_pass[slot_o], -1
        sums_at = sizes[BASE_SUMS] + slot_s * sizes[SLOT_SUMS]
        out_at = sizes[BASE_OUT] + slot_o * sizes[SLOT_OUT]
        tile, fetch, in_at, in_span = m, False, 0, sizes[SLOT_INPUT]
        if w.input_resident:
            tile = loader[m]
        number = (g * tk + k) * tm + tile
        fetch = in_table[number] < 0 if w.input_resident else number != in_key
        in_key = number
        if fetch:
            if w.input_resident:
                _, _, b0_p, images_p, _, row1_p, _, _ = box(w, tile)
                row0_p, column0_p, column1_p = piece_row[tile], 0, w.in_width
                size = packed(plane[tile] * channels, w.bits_a)
                in_at, in_span = sizes[BASE_INPUT] + g * sizes[PIECES] + offs[k * tm + tile], size
            else:
                b0_p, images_p, row0_p, row1_p = b0, images, row0, row1
                column0_p, column1_p = column0, column1
                size = packed(images * (row1 - row0) * (column1 - column0) * channels, w.bits_a)
                in_number += 1
                in_slot = in_number % w.input_slots
                in_at = sizes[BASE_INPUT] + in_slot * sizes[SLOT_INPUT]
            in_row = begin_input(
                w,
                at,
                commands,
                operands,
                offset,
                extent,
                need,
                known,
                heads,
                target,
                g,
                channel0,
                channels,
                b0_p,
                images_p,
                row0_p,
                row1_p,
                column0_p,
                column1_p,
                in_at,
                in_span,
                size,
            )
            if in_row < 0:
                return 0
            if w.input_resident:
                in_table[number] = in_row
                in_waits[number] = 0
                if in_first[0] < 0:
                    in_first[0] = in_row
            else:
                edge(at, edges, in_reader[in_slot], SLOT, 0)
                in_reader[in_slot], in_wait = -1, 0
                if in_first[in_slot] < 0:
                    in_first[in_slot] = in_row
            row_done(at, need, demands, starts)
        if w.input_resident:
            in_row, in_wait = in_table[number], in_waits[number]
            low = offs[k * tm + first_piece[m]]
            in_at = sizes[BASE_INPUT] + g * sizes[PIECES] + low
            in_span = offs[k * tm + m + 1] - low
        else:
            in_at, in_span = sizes[BASE_INPUT] + in_slot * sizes[SLOT_INPUT], sizes[SLOT_INPUT]
        # -- the weight tile
        w_place = (g * tk + k) * tn + n
        weight_size = packed(size_k * size_n, w.bits_b)
        fixed = w.weight_resident or w.cold == 0
        if fixed:
            w_at = sizes[BASE_WEIGHT] + g * group_bytes + weight_offs[k * tn + n]
            w_span = weight_size
        else:
            w_at, w_span = 0, sizes[SLOT_WEIGHT]
        if w.cold:
            fetch = w_table[w_place] < 0 if w.weight_resident else w_place != w_key
            w_key = w_place
            if fetch:
                if w.weight_resident == 0:
                    w_number += 1
                    w_slot = w_number % w.weight_slots
                    w_at = sizes[BASE_WEIGHT] + w_slot * sizes[SLOT_WEIGHT]
                shape = shape_number(at, known, heads, SHAPE_WEIGHT, 0, weight_size, 0, 0, 0, 0)
                if shape < 0:
                    return 0
                w_row = row_of(at, commands, LOAD, w.unit_weight, shape, 0)
                matrix(
                    at,
                    operands,
                    target,
                    offset,
                    extent,
                    WEIGHT_MATRIX,
                    w.memory_dram,
                    0,
                    whole_w,
                    weight_size,
                    READ,
                    w.format_b,
                    g,
                    k_low,
                    size_k,
                    n_low,
                    size_n,
                )
                matrix(
                    at,
                    operands,
                    target,
                    offset,
                    extent,
                    WEIGHT_MATRIX,
                    w.memory_weight,
                    w_at,
                    w_span,
                    weight_size,
                    WRITE,
                    w.format_b,
                    g,
                    k_low,
                    size_k,
                    n_low,
                    size_n,
                )
                want(at, need, w.weight_write, weight_size)
                want(at, need, w.dram_read, weight_size)
                if w.weight_resident:
                    w_table[w_place] = w_row
                    w_waits[w_place] = 0
                    if w_first[0] < 0:
                        w_first[0] = w_row
                else:
                    edge(at, edges, w_reader[w_slot], SLOT, 0)
                    w_reader[w_slot], w_wait = -1, 0
                    if w_first[w_slot] < 0:
                        w_first[w_slot] = w_row
                row_done(at, need, demands, starts)
            if w.weight_resident:
                w_row, w_wait = w_table[w_place], w_waits[w_place]
            else:
                w_at = sizes[BASE_WEIGHT] + w_slot * sizes[SLOT_WEIGHT]
        # -- partial sums of an earlier visit
        sums_row = -1
        sums_size = packed(elements, w.bits_sum)
        far = (g * out_m * w.n + n_low * out_m + first_m * size_n) * word
        if loads_sums:
            shape = shape_number(at, known, heads, SHAPE_RELOAD, 0, sums_size, 0, 0, 0, 0)
            if shape < 0:
                return 0
            sums_row = row_of(at, commands, LOAD, w.unit_input, shape, 0)
            matrix(
                at,
                operands,
                target,
                offset,
                extent,
                SUMS,
                w.memory_dram,
                far,
                elements * word,
                sums_size,
                READ,
                w.format_sum,
                g,
                first_m,
                size_m,
                n_low,
                size_n,
            )
            matrix(
                at,
                operands,
                target,
                offset,
                extent,
                SUMS,
                w.memory_sums,
                sums_at,
                sums_size,
                sums_size,
                WRITE,
                w.format_sum,
                g,
                first_m,
                size_m,
                n_low,
                size_n,
            )
            want(at, need, w.sums_write, sums_size)
            want(at, need, w.dram_read, sums_size)
            edge(at, edges, spilled[key], DATA, 0)
            edge(at, edges, before_store, SLOT, 0)
            if w.fused:
                edge(at, edges, before_pass, SLOT, 0)
            row_done(at, need, demands, starts)
            visit_first = sums_row
        # -- the passes
        last_preload, last_pass = -1, -1
        cut_m = cut(size_m, w.limit_m) if w.limit_m else 1
        cut_n = cut(size_n, w.limit_n) if w.limit_n else 1
        cut_k = cut(size_k, w.limit_k) if w.limit_k else 1
        for im in range(cut_m):
            m0 = im * w.limit_m
            pm = min(w.limit_m, size_m - m0) if w.limit_m else size_m
            for i_n in range(cut_n):
                n0 = i_n * w.limit_n
                pn = min(w.limit_n, size_n - n0) if w.limit_n else size_n
                for ik in range(cut_k):
                    k0 = ik * w.limit_k
                    pk = min(w.limit_k, size_k - k0) if w.limit_k else size_k
                    moved_a, moved_b = packed(pm * pk, w.bits_a), packed(pk * pn, w.bits_b)
                    if w.stays != NOTHING:
                        own, index = (n, i_n) if w.stays == WEIGHTS else (m, im)
                        if held_0 != g * tk + k or held_1 != own or held_2 != index or held_3 != ik:
                            held_0, held_1, held_2, held_3 = g * tk + k, own, index, ik
                            preloads += 1
                            reg_slot = preloads % w.depth
                            if w.stays == WEIGHTS:
                                shape = shape_number(
                                    at, known, heads, SHAPE_PRELOAD, 0, 0, pn, pk, w.dataflow, 0
                                )
                            else:
                                shape = shape_number(
                                    at, known, heads, SHAPE_PRELOAD, 0, pm, 0, pk, w.dataflow, 0
                                )
                            if shape < 0:
                                return 0
                            preload_row = row_of(at, commands, PRELOAD, w.unit_preload, shape, 0)
                            if w.stays == WEIGHTS:
                                matrix(
                                    at,
                                    operands,
                                    target,
                                    offset,
                                    extent,
                                    WEIGHT_MATRIX,
                                    w.memory_weight,
                                    w_at,
                                    w_span,
                                    moved_b,
                                    READ,
                                    w.format_b,
                                    g,
                                    k_low + k0,
                                    pk,
                                    n_low + n0,
                                    pn,
                                )
                                matrix(
                                    at,
                                    operands,
                                    target,
                                    offset,
                                    extent,
                                    WEIGHT_MATRIX,
                                    w.memory_registers,
                                    reg_slot * w.register_slot,
                                    w.register_slot,
                                    moved_b,
                                    WRITE,
                                    w.format_b,
                                    g,
                                    k_low + k0,
                                    pk,
                                    n_low + n0,
                                    pn,
                                )
                                want(at, need, w.weight_read, moved_b)
                                if w_wait == 0:
                                    edge(at, edges, w_row, DATA, 0)
                                    w_wait = 1
                            else:
                                matrix(
                                    at,
                                    operands,
                                    target,
                                    offset,
                                    extent,
                                    LOWERED,
                                    w.memory_input,
                                    in_at,
                                    in_span,
                                    moved_a,
                                    READ,
                                    w.format_a,
                                    g,
                                    first_m + m0,
                                    pm,
                                    k_low + k0,
                                    pk,
                                )
                                matrix(
                                    at,
                                    operands,
                                    target,
                                    offset,
                                    extent,
                                    LOWERED,
                                    w.memory_registers,
                                    reg_slot * w.register_slot,
                                    w.register_slot,
                                    moved_a,
                                    WRITE,
                                    w.format_a,
                                    g,
                                    first_m + m0,
                                    pm,
                                    k_low + k0,
                                    pk,
                                )
                                want(at, need, w.input_read, moved_a)
                                if in_wait == 0:
                                    edge(at, edges, in_row, DATA, 0)
                                    in_wait = 1
                            edge(at, edges, reg_last[reg_slot], SLOT, w.slot_lag)
                            if reg_first[reg_slot] < 0:
                                reg_first[reg_slot] = preload_row
                            row_done(at, need, demands, starts)
                            last_preload, preload_wait = preload_row, 0
                    first = k == 0 and k0 == 0
                    last = k == tk - 1 and k0 + pk == size_k
                    final = last and w.fused
                    flags = (
                        (FIRST_K if first else 0)
                        + (LAST_K if last else 0)
                        + (FUSED if final else 0)
                    )
                    shape = shape_number(
                        at,
                        known,
                        heads,
                        SHAPE_MATMUL,
                        flags,
                        pm,
                        pn,
                        pk,
                        w.dataflow,
                        sizes[EXIT_ROW],
                    )
                    if shape < 0:
                        return 0
                    row = row_of(at, commands, MATMUL, w.unit_array, shape, flags)
                    if w.stays == INPUTS:
                        operand(
                            at,
                            operands,
                            target,
                            LOWERED,
                            w.memory_registers,
                            reg_slot * w.register_slot,
                            w.register_slot,
                            moved_a,
                            READ,
                            w.format_a,
                        )
                        if preload_wait == 0:
                            edge(at, edges, preload_row, DATA, 0)
                            preload_wait = 1
                    else:
                        operand(
                            at,
                            operands,
                            target,
                            LOWERED,
                            w.memory_input,
                            in_at,
                            in_span,
                            moved_a,
                            READ,
                            w.format_a,
                        )
                        want(at, need, w.input_read, moved_a)
                        if in_wait == 0:
                            edge(at, edges, in_row, DATA, 0)
                            in_wait = 1
                    region(at, offset, extent, g, 1, first_m + m0, pm, k_low + k0, pk, 0, 1)
                    if w.stays == WEIGHTS:
                        operand(
                            at,
                            operands,
                            target,
                            WEIGHT_MATRIX,
                            w.memory_registers,
                            reg_slot * w.register_slot,
                            w.register_slot,
                            moved_b,
                            READ,
                            w.format_b,
                        )
                        if preload_wait == 0:
                            edge(at, edges, preload_row, DATA, 0)
                            preload_wait = 1
                    else:
                        operand(
                            at,
                            operands,
                            target,
                            WEIGHT_MATRIX,
                            w.memory_weight,
                            w_at,
                            w_span,
                            moved_b,
                            READ,
                            w.format_b,
                        )
                        want(at, need, w.weight_read, moved_b)
                        if w_wait == 0 and w.cold:
                            edge(at, edges, w_row, DATA, 0)
                            w_wait = 1
                    region(at, offset, extent, g, 1, k_low + k0, pk, n_low + n0, pn, 0, 1)
                    done = n0 * size_m + m0 * pn
                    if slots_s > 0 and not (first and final):
                        size = packed(pm * pn, w.bits_sum)
                        access = WRITE if first else (READ if final else ACCUMULATE)
                        low = done * w.bits_sum // 8
                        matrix(
                            at,
                            operands,
                            target,
                            offset,
                            extent,
                            SUMS,
                            w.memory_sums,
                            sums_at + low,
                            packed(done + pm * pn, w.bits_sum) - low,
                            size,
                            access,
                            w.format_sum,
                            g,
                            first_m + m0,
                            pm,
                            n_low + n0,
                            pn,
                        )
                        if access != WRITE:
                            want(at, need, w.sums_read, size)
                        if access != READ:
                            want(at, need, w.sums_write, size)
                    if final:
                        size = packed(pm * pn, w.bits_out)
                        low = done * w.bits_out // 8
                        matrix(
                            at,
                            operands,
                            target,
                            offset,
                            extent,
                            OUTPUT_MATRIX,
                            w.memory_output,
                            out_at + low,
                            packed(done + pm * pn, w.bits_out) - low,
                            size,
                            WRITE,
                            w.format_out,
                            g,
                            first_m + m0,
                            pm,
                            n_low + n0,
                            pn,
                        )
                        want(at, need, w.output_write, size)
                    if last_pass < 0 and loads_sums:
                        edge(at, edges, sums_row, DATA, 0)
                    if w.fused and last and ready == 0:
                        edge(at, edges, before_store, SLOT, 0)
                        ready = 1
                    if last_pass < 0 and begins:
                        if w.fused == 0:
                            edge(at, edges, before_quant, SLOT, 0)
                        if spilling and not loads_sums:
                            edge(at, edges, before_store, SLOT, 0)
                            if w.fused:
                                edge(at, edges, before_pass, SLOT, 0)
                        if visit_first < 0:
                            visit_first = row
                    row_done(at, need, demands, starts)
                    last_pass = row
                    reg_last[reg_slot] = row
        in_used = last_preload if w.stays == INPUTS else last_pass
        w_used = last_preload if w.stays == WEIGHTS else last_pass
        if w.input_resident:
            in_waits[number] = in_wait
            in_last = max(in_last, in_used)
        else:
            in_reader[in_slot] = max(in_reader[in_slot], in_used)
        if w.cold and w.weight_resident:
            w_waits[w_place] = w_wait
            w_last = max(w_last, w_used)
        elif w.cold:
            w_reader[w_slot] = max(w_reader[w_slot], w_used)
        quantized, stored = write_results(
            w,
            at,
            commands,
            starts,
            operands,
            offset,
            extent,
            demands,
            edges,
            need,
            known,
            heads,
            target,
            g,
            first_m,
            size_m,
            n_low,
            size_n,
            sums_at,
            out_at,
            far,
            finishes,
            spills,
            last_pass,
            before_store,
        )
        if (finishes or spills) and stored < 0:
            return 0
        if spills:
            spilled[key] = stored
        if stops:
            visit_store[slot_o], visit_quant[slot_o], visit_pass[slot_o] = (
                stored,
                quantized,
                last_pass,
            )
            if slots_s > 0:
                use = sums_use[slot_s]
                if use[0] < 0:
                    use[0] = visit_first
                use[1], use[2], use[3] = last_pass, quantized, stored
            if finishes:
                use = out_use[slot_o]
                if use[0] < 0:
                    use[0] = visit_first if w.fused else quantized
                use[1], use[2], use[3] = last_pass, quantized, stored
            last_store = max(last_store, stored)
    count = note_uses(
        w,
        sizes,
        entries,
        exits,
        in_first,
        in_reader,
        in_last,
        w_first,
        w_reader,
        w_last,
        reg_first,
        reg_last,
        sums_use,
        out_use,
    )
    ends[0], ends[1] = count, last_store
    return 1


#: what walk_mac calls, for jit.compiled
WALK_HELPERS = (
    *ROW_HELPERS,
    cut,
    packed,
    (box, (cut,)),
    *TABLE_HELPERS,
    (begin_input, RESULT_HELPERS),
    (write_results, RESULT_HELPERS),
)
