"""Rows of a Program written one after another by compiled walks: commands with their operands, edges,
demands and shapes, straight into the final columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

ROW, OPERAND, DEMAND, EDGE, NEEDS, SHAPES, BASE, DRAM = range(8)  # entries of Rows.at
EXTENTS = 5  # that a shape may have


class Rows(NamedTuple):
    """Where a walk writes.

    at: how far it is: next row, operand, demand, edge, needs of the row, shapes of the operator; first
    row of the operator; the off-chip memory. commands: (4, rows) opcode, unit, shape, flags. starts:
    (3, rows + 1) of operands, demands and edges. operands: (7, entries) as assemble.OPERAND_COLUMNS;
    offset, extent: (entries, 4). demands: (2, entries) port, bytes. edges: (3, entries) predecessor
    relative to the operator, kind, lag. need: (2, ports) demands of the row so far. known: (shapes, 8)
    group, flags, extents and the next of the group, in the order met; heads: (2, groups) the first and
    the last one met of a group. target: (tensors, 2) Program row and address off chip.
    """

    at: Any
    commands: Any
    starts: Any
    operands: Any
    offset: Any
    extent: Any
    demands: Any
    edges: Any
    need: Any
    known: Any
    heads: Any
    target: Any


def shape_number(
    at: Any,
    known: Any,
    heads: Any,
    group: int,
    flags: int,
    e0: int,
    e1: int,
    e2: int,
    e3: int,
    e4: int,
) -> int:
    """Number, in the order met, of a shape of a group; -1 when there is no room for a new one."""
    number = heads[1, group]
    turn = 0
    while number >= 0:
        k = known[number]
        if k[2] == e0 and k[3] == e1 and k[4] == e2 and k[5] == e3 and k[6] == e4 and k[1] == flags:
            heads[1, group] = number
            return int(number)
        number = known[number, 7] if turn > 0 else heads[0, group]
        turn += 1
    number = at[SHAPES]
    if number == len(known):
        return -1
    at[SHAPES] += 1
    known[number, 0], known[number, 1] = group, flags
    known[number, 2], known[number, 3], known[number, 4] = e0, e1, e2
    known[number, 5], known[number, 6] = e3, e4
    known[number, 7] = heads[0, group]
    heads[0, group], heads[1, group] = number, number
    return int(number)


def row_of(at: Any, commands: Any, opcode: int, unit: int, shape: int, flags: int) -> int:
    """Begin the next row; its number in the operator."""
    row = at[ROW]
    commands[0, row], commands[1, row], commands[2, row], commands[3, row] = (
        opcode,
        unit,
        shape,
        flags,
    )
    return int(row - at[BASE])


def operand(
    at: Any,
    operands: Any,
    target: Any,
    tensor: int,
    memory: int,
    address: int,
    span: int,
    size: int,
    access: int,
    form: int,
) -> None:
    """The row's next operand; tensor: local. Off chip the address is relative to the tensor."""
    e = at[OPERAND]
    if memory == at[DRAM]:
        address += target[tensor, 1]
    operands[0, e], operands[1, e], operands[2, e] = target[tensor, 0], memory, address
    operands[3, e], operands[4, e], operands[5, e], operands[6, e] = span, size, access, form
    at[OPERAND] = e + 1


def region(
    at: Any,
    offset: Any,
    extent: Any,
    a: int,
    na: int,
    b: int,
    nb: int,
    c: int,
    nc: int,
    d: int,
    nd: int,
) -> None:
    """Offset and extent, dimension by dimension, of the operand written last."""
    e = at[OPERAND] - 1
    offset[e, 0], offset[e, 1], offset[e, 2], offset[e, 3] = a, b, c, d
    extent[e, 0], extent[e, 1], extent[e, 2], extent[e, 3] = na, nb, nc, nd


def matrix(
    at: Any,
    operands: Any,
    target: Any,
    offset: Any,
    extent: Any,
    tensor: int,
    memory: int,
    address: int,
    span: int,
    size: int,
    access: int,
    form: int,
    g: int,
    a: int,
    na: int,
    b: int,
    nb: int,
) -> None:
    """operand() with the region (group g, a .. a + na, b .. b + nb)."""
    operand(at, operands, target, tensor, memory, address, span, size, access, form)
    region(at, offset, extent, g, 1, a, na, b, nb, 0, 1)


def want(at: Any, need: Any, port: int, size: int) -> None:
    """Bytes of the row through a port; none through port -1."""
    if port >= 0:
        count = at[NEEDS]
        for i in range(count):
            if need[0, i] == port:
                need[1, i] += size
                return
        need[0, count], need[1, count] = port, size
        at[NEEDS] = count + 1


def edge(at: Any, edges: Any, predecessor: int, kind: int, lag: int) -> None:
    """An edge of the row; none on predecessor -1."""
    if predecessor >= 0:
        e = at[EDGE]
        edges[0, e], edges[1, e], edges[2, e] = predecessor, kind, lag
        at[EDGE] = e + 1


def row_done(at: Any, need: Any, demands: Any, starts: Any) -> None:
    """End the row: its demands by port."""
    row, d = at[ROW], at[DEMAND]
    first = d
    for i in range(at[NEEDS]):
        port, size = need[0, i], need[1, i]
        j = d
        while j > first and demands[0, j - 1] > port:
            demands[0, j], demands[1, j] = demands[0, j - 1], demands[1, j - 1]
            j -= 1
        demands[0, j], demands[1, j] = port, size
        d += 1
    at[NEEDS], at[DEMAND], at[ROW] = 0, d, row + 1
    starts[0, row + 1], starts[1, row + 1], starts[2, row + 1] = at[OPERAND], d, at[EDGE]


def before_shape(known: Any, a: int, b: int) -> bool:
    """Whether shape a is numbered before b: by group, then extents, then flags."""
    if known[a, 0] != known[b, 0]:
        return bool(known[a, 0] < known[b, 0])
    for x in range(2, 2 + EXTENTS):
        if known[a, x] != known[b, x]:
            return bool(known[a, x] < known[b, x])
    return bool(known[a, 1] < known[b, 1])


def number_shapes(
    at: Any,
    commands: Any,
    known: Any,
    base: int,
    order: Any,
    rank: Any,
    kinds: Any,
    table: Any,
    extents: Any,
) -> None:
    """Number the operator's shapes from ``base`` on, in its rows too, and write them into the shape
    table. order, rank: scratch. kinds: (groups, 5) kind, opcode and formats. table: (6, shapes)."""
    count = at[SHAPES]
    for i in range(count):
        j = i
        while j > 0 and before_shape(known, i, order[j - 1]):
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    for i in range(count):
        number, to = order[i], base + i
        rank[number] = to
        group = known[number, 0]
        table[0, to], table[1, to], table[2, to] = (
            kinds[group, 0],
            kinds[group, 1],
            known[number, 1],
        )
        table[3, to], table[4, to], table[5, to] = kinds[group, 2], kinds[group, 3], kinds[group, 4]
        for x in range(EXTENTS):
            extents[to, x] = known[number, 2 + x]
    for row in range(at[BASE], at[ROW]):
        commands[2, row] = rank[commands[2, row]]


def lay_in(
    at: Any,
    commands: Any,
    starts: Any,
    operands: Any,
    offset: Any,
    extent: Any,
    demands: Any,
    edges: Any,
    need: Any,
    target: Any,
    shape_base: int,
    own_commands: Any,
    operand_count: Any,
    own_operands: Any,
    demand_count: Any,
    own_demands: Any,
    own_edges: Any,
) -> None:
    """Write a segment's rows (assemble.Segment)."""
    count = own_commands.shape[1]
    first = np.zeros(count + 1, np.int64)
    for i in range(own_edges.shape[1]):
        first[own_edges[0, i] + 1] += 1
    for row in range(count):
        first[row + 1] += first[row]
    place, by_row = first.copy(), np.empty(own_edges.shape[1], np.int64)
    for i in range(own_edges.shape[1]):
        by_row[place[own_edges[0, i]]] = i
        place[own_edges[0, i]] += 1
    o, d, c, p = 0, 0, own_commands, own_operands
    for row in range(count):
        row_of(at, commands, c[0, row], c[1, row], c[2, row] + shape_base, c[3, row])
        for i in range(o, o + operand_count[row]):
            operand(
                at, operands, target, p[0, i], p[1, i], p[2, i], p[3, i], p[4, i], p[5, i], p[6, i]
            )
            region(
                at,
                offset,
                extent,
                p[7, i],
                p[8, i],
                p[9, i],
                p[10, i],
                p[11, i],
                p[12, i],
                p[13, i],
                p[14, i],
            )
        o += operand_count[row]
        for i in range(d, d + demand_count[row]):
            want(at, need, own_demands[0, i], own_demands[1, i])
        d += demand_count[row]
        for j in range(first[row], first[row + 1]):
            i = by_row[j]
            edge(at, edges, own_edges[1, i], own_edges[2, i], own_edges[3, i])
        row_done(at, need, demands, starts)


def repeat_rows(
    at: Any,
    c: Any,
    starts: Any,
    o: Any,
    offset: Any,
    extent: Any,
    demands: Any,
    target: Any,
    row: int,
    count: int,
    old: Any,
) -> None:
    """Write rows row .. row + count once more. old: target of their own tensors."""
    here, e, d = at[ROW], at[OPERAND], at[DEMAND]
    low, high = starts[0, row], starts[0, row + count]
    low_d, high_d = starts[1, row], starts[1, row + count]
    shift, shift_d = e - low, d - low_d
    for x in range(4):
        for i in range(count):
            c[x, here + i] = c[x, row + i]
    for i in range(count):
        starts[0, here + i + 1] = starts[0, row + i + 1] + shift
        starts[1, here + i + 1] = starts[1, row + i + 1] + shift_d
    for x in range(1, 7):
        for i in range(low, high):
            o[x, i + shift] = o[x, i]
    last, x = -1, 0
    for i in range(low, high):
        if o[0, i] != last:
            last, x = o[0, i], 0
            while old[x, 0] != last:
                x += 1
        o[0, i + shift] = target[x, 0]
        if o[1, i] == at[DRAM]:
            o[2, i + shift] += target[x, 1] - old[x, 1]
        for y in range(4):
            offset[i + shift, y], extent[i + shift, y] = offset[i, y], extent[i, y]
    for i in range(low_d, high_d):
        demands[0, i + shift_d], demands[1, i + shift_d] = demands[0, i], demands[1, i]
    at[ROW], at[OPERAND], at[DEMAND] = here + count, high + shift, high_d + shift_d


def merge_edges(
    source: Any, edges: Any, row: int, count: int, base: int, extra: Any, start: Any, table: Any
) -> None:
    """Edges of the rows base .. base + count: those of rows row .. row + count in ``source``'s starts,
    and behind them a row's ``extra`` ones (4, entries: row, predecessor, kind, lag, by row)."""
    at, x = start[base], 0
    for i in range(count):
        for j in range(source[2, row + i], source[2, row + i + 1]):
            table[0, at], table[1, at], table[2, at] = edges[0, j] + base, edges[1, j], edges[2, j]
            at += 1
        while x < extra.shape[1] and extra[0, x] == i:
            table[0, at], table[1, at], table[2, at] = extra[1, x] + base, extra[2, x], extra[3, x]
            at += 1
            x += 1
        start[base + i + 1] = at


MATRIX = (matrix, (operand, region))
#: what the walks call, for jit.compiled
ROW_HELPERS = (shape_number, row_of, operand, MATRIX, region, want, edge, row_done)
NUMBERING = (before_shape,)
LAYING = (row_of, operand, region, want, edge, row_done)
