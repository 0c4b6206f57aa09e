"""A second opinion on hazards: every elementary segment of every footprint, one by one, with all that
every command knows of every unit. Slow and simple; program/shadow.py must find the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.program.dependencies import in_segments, region_tensors, roots_of, touches_of
from accelsim.program.hazards import MESSAGES
from accelsim.program.opcodes import Opcode
from accelsim.program.shadow import (
    DATA,
    OTHER,
    RAW,
    READ,
    REGION,
    START,
    UNWRITTEN,
    WAR,
    WAW,
    WRITE,
)
from accelsim.program.table import Program

ROOM = 100_000


def scan(
    count: int,
    units: int,
    unit: Any,
    queue: Any,
    place: Any,
    sums: Any,
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
    readers: Any,
    queue_last: Any,
    unit_last: Any,
    released: Any,
    ended: Any,
    found_row: Any,
    found_kind: Any,
    ahead: int,
) -> int:
    """Walk the commands in order; returns how many findings were written (at most len(found_row)).

    unit: a number for each pair of unit and queue, whose commands are in order. place: number of the
    command among its unit's. sums: 1 where it reads sums of its own as they come, pass behind pass.
    writer: last writing command of a segment (-1 none, -2 resident). holder: tensor in it.
    readers: (segment x units) last reader's place + 1. released, ended: (command x units), the
    place + 1 of the unit's last command known to be so at the issue. ahead: Program.commands_ahead, or more
    than there are.
    """
    found, gone = 0, [0] * units
    for i in range(count):
        base = i * units
        u = unit[i]
        q = queue[i]
        p = queue_last[q]
        if p >= 0:
            for x in range(units):
                released[base + x] = released[p * units + x]
                ended[base + x] = ended[p * units + x]
        p = unit_last[u]
        if p >= 0:
            for x in range(units):
                if released[p * units + x] > released[base + x]:
                    released[base + x] = released[p * units + x]
                if ended[p * units + x] > ended[base + x]:
                    ended[base + x] = ended[p * units + x]
            released[base + u] = place[i]
        for j in range(edge_start[i], edge_start[i + 1]):
            p = edge_pred[j]
            for x in range(units):
                if released[p * units + x] > released[base + x]:
                    released[base + x] = released[p * units + x]
                if ended[p * units + x] > ended[base + x]:
                    ended[base + x] = ended[p * units + x]
            v = unit[p]
            if edge_kind[j] != START and place[p] + 1 > released[base + v]:
                released[base + v] = place[p] + 1
            if edge_kind[j] == DATA and place[p] + 1 > ended[base + v]:
                ended[base + v] = place[p] + 1
        if i >= ahead:
            gone[unit[i - ahead]] += 1
            for v in range(units):
                released[base + v] = max(released[base + v], gone[v])
                ended[base + v] = max(ended[base + v], gone[v])
        for turn in range(2):
            for j in range(op_start[i], op_start[i + 1]):
                access = op_access[j]
                if (turn == 0 and access == WRITE) or (turn == 1 and access == READ):
                    continue
                for s in range(op_low[j], op_high[j]):
                    w = writer[s]
                    kind = 0
                    if turn == 0:
                        if w == -1:
                            kind = UNWRITTEN
                        elif holder[s] != op_root[j]:
                            kind = OTHER
                        elif w >= 0:
                            v = unit[w]
                            if ended[base + v] < place[w] + 1 and not (
                                v == u and (sums[u] == 1 or access != READ)
                            ):
                                kind = RAW
                            elif op_tensor[writer_op[s]] == op_tensor[j]:
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
                        if readers[s * units + u] < place[i] + 1:
                            readers[s * units + u] = place[i] + 1
                    else:
                        if w >= 0:
                            v = unit[w]
                            if ended[base + v] < place[w] + 1 and v != u:
                                kind = WAW
                        for v in range(units):
                            if readers[s * units + v] > released[base + v] and v != u:
                                kind = WAR
                            readers[s * units + v] = 0
                        writer[s] = i
                        writer_op[s] = j
                        holder[s] = op_root[j]
                    if kind > 0 and found < len(found_row):
                        found_row[found] = i
                        found_kind[found] = kind
                        found += 1
        queue_last[q] = i
        unit_last[u] = i
    return found


def hazards(program: Program) -> set[tuple[int, str]]:
    """(row, code) of every hazard; and (-1, "program.resident") when something is gone at the end."""
    p, c, o, d = program, program.commands, program.operands, program.dependencies
    pairs = list(zip(c.unit.tolist(), c.queue.tolist(), strict=True))
    streams = {pair: number for number, pair in enumerate(sorted(set(pairs)))}
    count, units = len(p), len(streams)
    touched = touches_of(p)
    low, high, total = in_segments(touched.low, touched.high, fast=False)
    (low, r_low), (high, r_high) = (np.split(x, [len(o.tensor)]) for x in (low, high))
    root = roots_of(p.tensors)
    stream, seen = np.array([streams[pair] for pair in pairs], np.int64), [0] * units
    place = np.zeros(count, np.int64)
    for i, unit in enumerate(stream.tolist()):
        place[i] = seen[unit]
        seen[unit] += 1
    adders = {Opcode.MATMUL, Opcode.MVM}
    sums = np.array([bool(adders & set(p.units[unit].opcodes)) for unit, _ in streams], np.int64)
    writer, holder = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
    for resident, a, b in zip(p.residents, r_low.tolist(), r_high.tolist(), strict=True):
        if resident.at_start:
            writer[a:b], holder[a:b] = -2, root[resident.tensor]
    state = [
        writer,
        np.zeros(total, np.int64),
        holder,
        np.zeros(total * units, np.int64),
        np.full(len(p.queues), -1, np.int64),
        np.full(units, -1, np.int64),
        *(np.zeros(count * units, np.int64) for _ in range(2)),
        np.zeros(ROOM, np.int64),
        np.zeros(ROOM, np.int64),
    ]
    columns = [
        stream,
        c.queue,
        place,
        sums,
        d.start,
        d.predecessor,
        d.kind,
        o.start,
        root[o.tensor],
        region_tensors(p),
        low,
        high,
        o.access,
    ]
    lists = [
        [x.tolist() for x in part]
        for part in (columns, (o.offset.ravel(), o.extent.ravel()), state)
    ]
    ahead = p.commands_ahead or count
    found = scan(count, units, *lists[0], o.offset.shape[1], *lists[1], *lists[2], ahead)
    rows, kinds = lists[2][8][:found], lists[2][9][:found]
    final = np.array(lists[2][2])
    gone = {
        (-1, "program.resident")
        for resident, a, b in zip(p.residents, r_low.tolist(), r_high.tolist(), strict=True)
        if resident.at_end and (final[a:b] != root[resident.tensor]).any()
    }
    return {(row, MESSAGES[kind][0]) for row, kind in zip(rows, kinds, strict=True)} | gone
