"""Hazards: sequential execution in program order is the meaning; concurrency may not change it.

Every two commands that touch the same bytes, one of them writing, must be ordered by what the
timing semantics guarantee. Each command carries, per unit, the last command known to have been
released, and the last known to have ended, when it issues; a shadow of every memory keeps the
last writer and the last reader of each segment of bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.formats import get
from accelsim.program.opcodes import Access
from accelsim.program.table import Program

if TYPE_CHECKING:
    from accelsim.program.validate import Findings

Ints = NDArray[np.int64]
COMPILE_ABOVE = 250_000  # commands times units
READ, WRITE = int(Access.READ), int(Access.WRITE)
DATA, SLOT, START = 0, 1, 2
#: kinds of finding
UNWRITTEN, OTHER, RAW, WAR, WAW, REGION = 1, 2, 3, 4, 5, 6
MESSAGES = {
    UNWRITTEN: ("program.unwritten", "reads bytes that nothing has written"),
    OTHER: ("program.clobbered", "reads bytes that hold another tensor"),
    RAW: ("program.read_early", "may read before the command that writes has ended"),
    WAR: ("program.overwrite", "may overwrite bytes that an earlier command still reads"),
    WAW: ("program.write_order", "may write before an earlier write of the same bytes has ended"),
    REGION: ("program.region", "reads a region that its source did not write"),
}


def scan(count: int, units: int, unit: Any, queue: Any, place: Any, alone: Any, edge_start: Any,
         edge_pred: Any, edge_kind: Any, op_start: Any, op_root: Any, op_tensor: Any, op_low: Any,
         op_high: Any, op_access: Any, rank: int, op_offset: Any, op_extent: Any, writer: Any,
         writer_op: Any, holder: Any, readers: Any, queue_last: Any, unit_last: Any, released: Any,
         ended: Any, found_row: Any, found_kind: Any) -> int:  # fmt: skip
    """Walk the commands in order; returns how many findings were written (at most len(found_row)).

    place: number of the command among its unit's. alone: 1 where one queue feeds the unit.
    writer: last writing command of a segment (-1 none, -2 resident). holder: tensor in it.
    readers: (segment x units) last reader's place + 1. released, ended: (command x units), the
    place + 1 of the unit's last command known to be so at the issue.
    """
    found = 0
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
        if p >= 0 and alone[u] == 1:
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
                            if ended[base + v] < place[w] + 1 and not (v == u and alone[u] == 1):
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
                            if ended[base + v] < place[w] + 1 and not (v == u and alone[u] == 1):
                                kind = WAW
                        for v in range(units):
                            if readers[s * units + v] > released[base + v] and not (
                                v == u and (alone[u] == 1 or readers[s * units + v] == place[i] + 1)
                            ):
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


def roots(program: Program) -> Ints:
    """The tensor version that each tensor row is a view of, all views followed."""
    root = []
    for seen in range(len(program.tensors)):
        while program.tensors[seen].view_of >= 0:
            seen = program.tensors[seen].view_of
        root.append(seen)
    return np.array(root, np.int64)


def segments(program: Program) -> tuple[Ints, Ints, int, Ints, Ints]:
    """Every footprint as a range of elementary segments: low, high of each operand, how many
    segments there are, and low, high of each resident."""
    o = program.operands
    wide = 1 + max([memory.bytes for memory in program.memories] or [0])
    base = np.arange(len(program.memories), dtype=np.int64) * wide
    if wide * max(1, len(program.memories)) > 1 << 62:
        base = np.arange(len(program.memories), dtype=np.int64) * (1 << 40)
    begin = base[o.memory] + o.address
    end = begin + o.span
    kept = [(r.memory, r.address, r.span) for r in program.residents]
    r_begin = np.array([base[m] + a for m, a, _ in kept], np.int64)
    r_end = r_begin + np.array([s for _, _, s in kept], np.int64)
    # each side alone first: a memory's tiles begin and end at few places
    edges = np.unique(np.concatenate([*map(np.unique, (begin, end)), r_begin, r_end]))

    def find(values: Ints) -> Ints:
        return edges.searchsorted(values).astype(np.int64, copy=False)

    return find(begin), find(end), len(edges), find(r_begin), find(r_end)


def _region_tensor(program: Program) -> Ints:
    """Tensor row of each operand, for comparing regions; a number of its own for operands whose
    footprint is a whole tensor but whose region is a part of it (off-chip tensors)."""
    o = program.operands
    elements = np.array([int(np.prod(t.shape)) for t in program.tensors], np.int64)
    bits = np.array([get(t.format).bits for t in program.tensors], np.int64)
    part = np.prod(o.extent, axis=1) < elements[o.tensor]
    part &= o.span >= (-(-elements * bits // 8))[o.tensor]
    number = o.tensor.copy()
    rows = np.flatnonzero(part)
    number[rows] = -1 - rows
    return number


def check_hazards(f: Findings) -> None:
    """Find reads before writes and writes too early, over every memory."""
    p = f.program
    count, units = len(p), len(p.units)
    c, o, d = p.commands, p.operands, p.dependencies
    if count == 0 or not (o.span.any() or p.residents):
        return
    low, high, total, r_low, r_high = segments(p)
    root = roots(p)
    order = np.argsort(c.unit, kind="stable")
    place = np.empty(count, np.int64)
    sorted_unit = c.unit[order]
    place[order] = np.arange(count) - np.searchsorted(sorted_unit, sorted_unit)
    pairs = np.unique(c.unit * max(1, len(p.queues)) + c.queue)
    alone = (np.bincount(pairs // max(1, len(p.queues)), minlength=units) <= 1).astype(np.int64)
    writer, holder = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
    for resident, a, b in zip(p.residents, r_low.tolist(), r_high.tolist(), strict=True):
        if resident.at_start:
            writer[a:b], holder[a:b] = -2, root[resident.tensor]
    fast = count * units > COMPILE_ABOVE
    zeros = [np.zeros(n, np.int64) for n in (total, total * units)]
    known = [np.zeros(count * units, np.int32) for _ in range(2)]  # the large ones: half the bytes
    columns = [
        c.unit, c.queue, place, alone, d.start, d.predecessor, d.kind, o.start, root[o.tensor],
        _region_tensor(p), low, high, o.access,
    ]  # fmt: skip
    state: list[Any] = [writer, zeros[0], holder, zeros[1], np.full(len(p.queues), -1, np.int64),
             np.full(units, -1, np.int64), *known, np.zeros(100, np.int64),
             np.zeros(100, np.int64)]  # fmt: skip
    flat = [o.offset.ravel(), o.extent.ravel()]
    if fast:
        kernel = jit.compiled(scan)
    else:
        kernel = scan
        columns, state, flat = ([x.tolist() for x in part] for part in (columns, state, flat))
    found = kernel(count, units, *columns, o.offset.shape[1], *flat, *state)
    rows, kinds = np.asarray(state[8][:found]), np.asarray(state[9][:found])
    for kind, (code, message) in MESSAGES.items():
        f.rows(code, np.unique(rows[kinds == kind]), message)
    final = np.asarray(state[2])
    for resident, a, b in zip(p.residents, r_low.tolist(), r_high.tolist(), strict=True):
        if resident.at_end and (final[a:b] != root[resident.tensor]).any():
            f.one("program.resident", p.tensors[resident.tensor].name,
                  f"is not in {p.memories[resident.memory].name} at the end")  # fmt: skip
