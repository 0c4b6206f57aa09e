"""The walk behind hazards.py: commands in order, over a shadow of every memory.

Written once, for lists (plain) and for arrays (compiled).
"""

from __future__ import annotations

from typing import Any

from accelsim.program.opcodes import Access

READ, WRITE = int(Access.READ), int(Access.WRITE)
DATA, SLOT, START = 0, 1, 2
#: kinds of finding
UNWRITTEN, OTHER, RAW, WAR, WAW, REGION = 1, 2, 3, 4, 5, 6


def scan(
    count: int,
    hubs: int,
    hub: Any,
    unit: Any,
    queue: Any,
    place: Any,
    alone: Any,
    edge_start: Any,
    edge_pred: Any,
    edge_kind: Any,
    op_start: Any,
    op_root: Any,
    op_tensor: Any,
    op_low: Any,
    op_high: Any,
    op_access: Any,
    rank: int,
    op_offset: Any,
    op_extent: Any,
    writer: Any,
    writer_op: Any,
    holder: Any,
    run_end: Any,
    head: Any,
    owned: Any,
    cell_unit: Any,
    cell_place: Any,
    cell_next: Any,
    cell_sure: Any,
    direct: Any,
    queue_last: Any,
    unit_last: Any,
    known: Any,
    found_row: Any,
    found_kind: Any,
) -> int:
    """Walk the commands in order; returns how many findings were written (at most len(found_row)),
    or -1 when the cells of readers ran out.

    place: number of the command among its unit's. alone: 1 where one queue feeds the unit.
    known: for each command what it knows at its issue of every hub, a unit numbered by ``hub``: the
    place + 1 of its last command released, then of its last command ended. direct: (queue, unit,
    2) the same for other units, from edges of the queue's own commands only.

    Neighbouring segments with one story are a run: run_end is its end at its first segment, else 0.
    A run has its writer (-1 none, -2 resident), the tensor in it, and a list of cells, each a unit
    that read it and that command's place + 1; owned: the first cell is this run's alone. cell_sure:
    the reader knew that the writer had ended, so whoever knows that the reader is done knows it too.
    """
    found, cells = 0, 0
    units, wide = len(unit_last), 2 * hubs
    for i in range(count):
        base = i * wide
        u = unit[i]
        q = queue[i]
        p = queue_last[q]
        if p >= 0:
            for x in range(wide):
                known[base + x] = known[p * wide + x]
        if alone[u] == 1 and unit_last[u] >= 0:
            if unit_last[u] != p:
                p = unit_last[u]
                for x in range(wide):
                    if known[p * wide + x] > known[base + x]:
                        known[base + x] = known[p * wide + x]
            if hub[u] >= 0:
                known[base + hub[u]] = place[i]
        for j in range(edge_start[i], edge_start[i + 1]):
            p = edge_pred[j]
            for x in range(wide):
                if known[p * wide + x] > known[base + x]:
                    known[base + x] = known[p * wide + x]
            v = unit[p]
            h = hub[v]
            if h < 0:
                at = (q * units + v) * 2
                if edge_kind[j] != START and place[p] + 1 > direct[at]:
                    direct[at] = place[p] + 1
                if edge_kind[j] == DATA and place[p] + 1 > direct[at + 1]:
                    direct[at + 1] = place[p] + 1
                continue
            if edge_kind[j] != START and place[p] + 1 > known[base + h]:
                known[base + h] = place[p] + 1
            if edge_kind[j] == DATA and place[p] + 1 > known[base + hubs + h]:
                known[base + hubs + h] = place[p] + 1
        for turn in range(2):
            for j in range(op_start[i], op_start[i + 1]):
                access = op_access[j]
                if (turn == 0 and access == WRITE) or (turn == 1 and access == READ):
                    continue
                low = op_low[j]
                high = op_high[j]
                if low >= high:
                    continue
                s = low
                while run_end[s] == 0:
                    s -= 1
                while s < high:  # runs that share segments with low .. high
                    end = run_end[s]
                    cut = s
                    if s < low:
                        cut = low
                    elif end > high:
                        cut = high
                    if cut > s:  # the run sticks out: cut it in two with one story
                        run_end[s] = cut
                        run_end[cut] = end
                        writer[cut] = writer[s]
                        writer_op[cut] = writer_op[s]
                        holder[cut] = holder[s]
                        head[cut] = head[s]
                        owned[s] = 0
                        owned[cut] = 0
                        if cut == low:
                            s = cut
                            continue
                        end = cut
                    w = writer[s]
                    kind = 0
                    ended = 0
                    if w >= 0:
                        v = unit[w]
                        h = hub[v]
                        ended = (
                            known[base + hubs + h] if h >= 0 else direct[(q * units + v) * 2 + 1]
                        )
                        early = ended < place[w] + 1 and not (v == u and alone[u] == 1)
                    else:
                        early = False
                    if turn == 0:
                        if w == -1:
                            kind = UNWRITTEN
                        elif holder[s] != op_root[j]:
                            kind = OTHER
                        elif early:
                            kind = RAW
                        elif w >= 0 and op_tensor[writer_op[s]] == op_tensor[j]:
                            inside = 1
                            around = 1
                            for x in range(rank):
                                a0 = op_offset[writer_op[s] * rank + x]
                                a1 = a0 + op_extent[writer_op[s] * rank + x]
                                b0 = op_offset[j * rank + x]
                                b1 = b0 + op_extent[j * rank + x]
                                if a0 < b0 or a1 > b1:
                                    inside = 0
                                if b0 < a0 or b1 > a1:
                                    around = 0
                            if inside == 0 and around == 0:
                                kind = REGION
                        c = head[s]
                        sure = 0
                        if w >= 0 and ended >= place[w] + 1 and alone[u] == 1:
                            sure = 1
                        if c >= 0 and cell_unit[c] == u:
                            if owned[s] == 1:
                                cell_place[c] = place[i] + 1
                                cell_sure[c] = sure
                            else:
                                c = cell_next[c]
                        if c < 0 or owned[s] == 0 or cell_unit[c] != u:
                            if cells == len(cell_unit):
                                return -1
                            cell_unit[cells] = u
                            cell_place[cells] = place[i] + 1
                            cell_next[cells] = c
                            cell_sure[cells] = sure
                            head[s] = cells
                            owned[s] = 1
                            cells += 1
                    else:
                        c = head[s]
                        while c >= 0:
                            v = cell_unit[c]
                            h = hub[v]
                            released = known[base + h] if h >= 0 else direct[(q * units + v) * 2]
                            if cell_place[c] > released and not (
                                v == u and (alone[u] == 1 or cell_place[c] == place[i] + 1)
                            ):
                                kind = WAR
                            elif cell_sure[c] == 1 and cell_place[c] <= released:
                                early = False
                            c = cell_next[c]
                        if early and kind == 0:
                            kind = WAW
                        if s > low:
                            run_end[s] = 0
                    if (
                        kind > 0
                        and found < len(found_row)
                        and not (
                            found > 0
                            and found_row[found - 1] == i
                            and found_kind[found - 1] == kind
                        )
                    ):
                        found_row[found] = i
                        found_kind[found] = kind
                        found += 1
                    s = end
                if turn == 1:
                    run_end[low] = high
                    writer[low] = i
                    writer_op[low] = j
                    holder[low] = op_root[j]
                    head[low] = -1
        queue_last[q] = i
        unit_last[u] = i
    return found


def places(unit: Any, queue: Any, place: Any, alone: Any, first: Any, count: Any) -> None:
    """Number of each command among its unit's, and whether one queue feeds the unit. first: -1 and
    count: 0 for every unit."""
    for i in range(len(unit)):
        u = unit[i]
        place[i] = count[u]
        count[u] += 1
        if first[u] < 0:
            first[u] = queue[i]
        elif first[u] != queue[i]:
            alone[u] = 0


def collect(memory: Any, address: Any, span: Any, base: Any, table: Any, found: Any) -> int:
    """Distinct ends of footprints, base[memory] + address and + span, into ``found``; how many.

    table: a hash table of a power of two entries, -1, more than twice as long as ``found``, which
    takes them all or the answer is -1.
    """
    mask, count = len(table) - 1, 0
    last_low, last_high = -1, -1
    for j in range(len(memory)):
        low = base[memory[j]] + address[j]
        high = low + span[j]
        if low == last_low and high == last_high:
            continue
        last_low, last_high = low, high
        for key in (low, high):
            at = (key * 0x9E3779B1 ^ key >> 15) & mask
            while table[at] >= 0 and table[at] != key:
                at = (at + 1) & mask
            if table[at] < 0:
                if count == len(found):
                    return -1
                table[at] = key
                found[count] = key
                count += 1
    return count


def locate(
    memory: Any,
    address: Any,
    span: Any,
    base: Any,
    edges: Any,
    table: Any,
    index: Any,
    tensor: Any,
    extent: Any,
    elements: Any,
    whole: Any,
    low: Any,
    high: Any,
    number: Any,
) -> None:
    """Position of every footprint's ends among the sorted ``edges``; and _region_tensor's number."""
    mask = len(table) - 1
    for at in range(len(table)):
        table[at] = -1
    for position in range(len(edges)):
        key = edges[position]
        at = (key * 0x9E3779B1 ^ key >> 15) & mask
        while table[at] >= 0:
            at = (at + 1) & mask
        table[at] = key
        index[at] = position
    rank = extent.shape[1]
    for j in range(len(memory)):
        key = base[memory[j]] + address[j]
        at = (key * 0x9E3779B1 ^ key >> 15) & mask
        while table[at] != key:
            at = (at + 1) & mask
        low[j] = index[at]
        key += span[j]
        at = (key * 0x9E3779B1 ^ key >> 15) & mask
        while table[at] != key:
            at = (at + 1) & mask
        high[j] = index[at]
        if j >= len(extent):
            continue
        t, inside = tensor[j], 1
        for x in range(rank):
            inside *= extent[j, x]
        number[j] = -1 - j if inside < elements[t] and span[j] >= whole[t] else t
