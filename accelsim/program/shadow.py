"""The walk over a Program's operands, commands in order, that knows which must wait for which.

A shadow of every memory keeps, for each run of bytes with one story, its last writer and who has read
it since; every command carries what it knows of others when it issues. What it touches and does not
know to be done is a need: derive() in dependencies.py makes an edge of it, hazards.py a finding.
Written once, for lists (plain) and for arrays (compiled).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from accelsim import jit
from accelsim.program.opcodes import Access, Edge

READ, WRITE = int(Access.READ), int(Access.WRITE)
DATA, SLOT, START = int(Edge.DATA), int(Edge.SLOT), int(Edge.START)
#: kinds of finding
UNWRITTEN, OTHER, RAW, WAR, WAW, REGION = 1, 2, 3, 4, 5, 6


class Rows(NamedTuple):
    """A Program's columns. place: number of the command among its unit's. lag: ticks between a release
    and the overwriting by this command. edge_*: the edges that are stated already. op_root, op_number:
    the tensor version of an operand, and what tells regions that may be compared. low, high: its
    footprint in elementary segments. offset, extent: rank numbers of each operand."""

    unit: Any
    queue: Any
    place: Any
    lag: Any
    edge_start: Any
    edge_pred: Any
    edge_kind: Any
    op_start: Any
    op_root: Any
    op_number: Any
    op_access: Any
    low: Any
    high: Any
    offset: Any
    extent: Any
    rank: int


class State(NamedTuple):
    """What the walk keeps. Records of several numbers lie one after another, in the order of the names
    below.

    segment (SEGMENT each): of a memory's elementary segments. cell (CELL each): readers of runs. unit
    (UNIT each). table: for each row, of every hub, the place + 1 of its last command that the row knows to
    be released when it issues, then of its last one known to have ended; hubs: how many. queue_last: row.
    asked: units that the row at hand must wait for. fault, edge (FOUND each): findings, of which only the
    first are noted, and edges. used: how many. derive: 1 where a need becomes an edge that holds from then
    on, and is no finding.
    """

    segment: Any
    cell: Any
    unit: Any
    table: Any
    hubs: int
    queue_last: Any
    asked: Any
    fault: Any
    edge: Any
    used: Any
    derive: int


# Of a segment: neighbours with one story are a run. END: its end, at its first segment, else 0. WRITER:
# row (-1 none, -2 resident), BY: its operand; HOLDER: the tensor in it; HEAD: its first reader, -1 for
# none; OWNED: 1 where that reader's cell is this run's alone.
END, WRITER, BY, HOLDER, HEAD, OWNED = range(6)
SEGMENT = 6
# Of a reader: its UNIT_OF, its ROW, the NEXT cell; SURE: whoever knows that it is done knows that the
# run's writer had ended.
UNIT_OF, ROW, NEXT, SURE = range(4)
CELL = 4
# Of a unit: number of the HUB, -1 for none; ALONE: 1 where one queue feeds it; LAST: row; what the row at
# hand knows of it from its own edges: RELEASED, ENDED (of hubs the table says it); rows that the row at
# hand must wait for: for the end of UNTIL (WHY: a kind of finding), for the release of AFTER.
HUB, ALONE, LAST, RELEASED, ENDED, UNTIL, WHY, AFTER = range(8)
UNIT = 8
FOUND = 3  # row, kind (of finding, or Edge), the row that it should have waited for (-1 for none)


@jit.allocates_nothing
def scan(rows: Rows, state: State) -> bool:
    """Walk the commands in order; False when the cells of readers, or room for edges, ran out.

    One long function: helpers that take records of arrays cost 0.2 us a call for counting references.
    """
    unit, queue, place, lags, edge_start, edge_pred, edge_kind = rows[:7]
    op_start, op_root, op_number, op_access, op_low, op_high, offset, extent, rank = rows[7:]
    segment, cell, units, table, hubs, queue_last, asked, fault, edge, used, derive = state
    wide, cells, faults, edges = 2 * hubs, 0, 0, 0
    for i in range(len(unit)):
        u, q, asks, lag = unit[i], queue[i], 0, lags[i]
        base, alone = i * wide, units[UNIT * unit[i] + ALONE] == 1
        p, last = queue_last[q], units[UNIT * u + LAST]
        if p >= 0:
            merge(table, base, p * wide, wide)
        if alone and last >= 0:
            if last != p:
                merge(table, base, last * wide, wide)
            if units[UNIT * u + HUB] >= 0:
                table[base + units[UNIT * u + HUB]] = place[i]
        for e in range(edge_start[i], edge_start[i + 1]):
            p = edge_pred[e]
            merge(table, base, p * wide, wide)
            learn(table, base, hubs, units, unit[p], place[p] + 1, edge_kind[e])
        for turn in range(2):
            for j in range(op_start[i], op_start[i + 1]):
                low, high, root = op_low[j], op_high[j], op_root[j]
                if low >= high or op_access[j] == (WRITE if turn == 0 else READ):
                    continue
                s = low
                while segment[SEGMENT * s + END] == 0:
                    s -= 1
                if s < low:
                    divide(segment, s, low)
                s = low
                while s < high:
                    at = SEGMENT * s
                    if segment[at + END] > high:
                        divide(segment, s, high)
                    w, held, early, over = segment[at + WRITER], False, False, False
                    if w >= 0:
                        over = known(table, base, hubs, units, unit[w], ENDED) > place[w]
                        early = not over and not (unit[w] == u and alone)
                    c = segment[at + HEAD]
                    if turn == 0:
                        if cells * CELL == len(cell):
                            return False
                        kind = 0
                        if w == -1:
                            kind = UNWRITTEN
                        elif segment[at + HOLDER] != root:
                            kind = OTHER
                        elif not early and w >= 0 and op_number[segment[at + BY]] == op_number[j]:
                            kind = REGION * apart(offset, extent, segment[at + BY], j, rank)
                        if kind > 0:
                            faults = note(fault, faults, i, kind, w)
                        elif early:
                            asks = ask(units, asked, asks, unit[w], w, RAW)
                        sure = alone and (over or (early and derive == 1))
                        cells = read_by(segment, at, cell, cells, u, i, sure)
                    else:
                        while c >= 0:
                            v, r = cell[c + UNIT_OF], cell[c + ROW]
                            if r != i:
                                if not (v == u and alone) and (
                                    lag > 0
                                    or known(table, base, hubs, units, v, RELEASED) <= place[r]
                                ):
                                    asks = ask(units, asked, asks, v, r, WAR)
                                    held = True
                                if cell[c + SURE] == 1:
                                    early = False
                            c = cell[c + NEXT]
                        if early and not (held and derive == 0):
                            asks = ask(units, asked, asks, unit[w], w, WAW)
                        if s > low:
                            segment[SEGMENT * low + END] = segment[at + END]
                            segment[at + END] = 0
                    s = segment[at + END] if turn == 0 else segment[SEGMENT * low + END]
                if turn == 1:
                    at = SEGMENT * low
                    segment[at + WRITER] = i
                    segment[at + BY] = j
                    segment[at + HOLDER] = root
                    segment[at + HEAD] = -1
        if derive == 1 and FOUND * (edges + 2 * asks) > len(edge):
            return False
        for x in range(asks):
            v = asked[x]
            at = UNIT * v
            until, why, after = units[at + UNTIL], units[at + WHY], units[at + AFTER]
            units[at + UNTIL], units[at + AFTER] = -1, -1
            if derive == 0:
                if until >= 0:
                    faults = note(fault, faults, i, why, until)
                if after >= 0:
                    faults = note(fault, faults, i, WAR, after)
                continue
            if until >= 0 and known(table, base, hubs, units, v, ENDED) <= place[until]:
                edges = put(edge, edges, i, DATA, until)
                merge(table, base, until * wide, wide)
                learn(table, base, hubs, units, v, place[until] + 1, DATA)
            if after >= 0 and (
                lag > 0 or known(table, base, hubs, units, v, RELEASED) <= place[after]
            ):
                edges = put(edge, edges, i, SLOT, after)
                merge(table, base, after * wide, wide)
                learn(table, base, hubs, units, v, place[after] + 1, SLOT)
        for x in range(asks):
            units[UNIT * asked[x] + RELEASED], units[UNIT * asked[x] + ENDED] = 0, 0
        for e in range(edge_start[i], edge_start[i + 1]):
            at = UNIT * unit[edge_pred[e]]
            units[at + RELEASED], units[at + ENDED] = 0, 0
        queue_last[q] = i
        units[UNIT * u + LAST] = i
    used[0], used[1] = faults, edges
    return True


def merge(table: Any, base: int, other: int, wide: int) -> None:
    """What another row knows, a row knows too."""
    for x in range(wide):
        if table[other + x] > table[base + x]:
            table[base + x] = table[other + x]


def learn(table: Any, base: int, hubs: int, units: Any, v: int, done: int, kind: int) -> None:
    """A row knows that unit v's commands before place ``done`` are released, by DATA that they ended."""
    h = units[UNIT * v + HUB]
    if kind == START:
        return
    if h < 0:
        units[UNIT * v + RELEASED] = max(units[UNIT * v + RELEASED], done)
        if kind == DATA:
            units[UNIT * v + ENDED] = max(units[UNIT * v + ENDED], done)
        return
    if done > table[base + h]:
        table[base + h] = done
    if kind == DATA and done > table[base + hubs + h]:
        table[base + hubs + h] = done


def known(table: Any, base: int, hubs: int, units: Any, v: int, what: int) -> Any:
    """Place + 1 of unit v's last command that a row knows to be RELEASED, or ENDED."""
    h = units[UNIT * v + HUB]
    if h < 0:
        return units[UNIT * v + what]
    return table[base + h + (hubs if what == ENDED else 0)] + 0 * h


def divide(segment: Any, s: int, at: int) -> None:
    """Cut a run in two with one story."""
    old, new = SEGMENT * s, SEGMENT * at
    for x in range(SEGMENT):
        segment[new + x] = segment[old + x]
    segment[old + END] = at
    segment[old + OWNED], segment[new + OWNED] = 0, 0


def read_by(segment: Any, at: int, cell: Any, cells: int, u: int, i: int, sure: bool) -> int:
    """Note that row i read a run; cells taken. Its unit's cell is used again where no other run has it."""
    c = segment[at + HEAD]
    if c >= 0 and cell[c + UNIT_OF] == u:
        if segment[at + OWNED] == 1:
            cell[c + ROW], cell[c + SURE] = i, int(sure)
            return cells
        c = cell[c + NEXT]
    new = CELL * cells
    cell[new + UNIT_OF], cell[new + ROW], cell[new + NEXT], cell[new + SURE] = u, i, c, int(sure)
    segment[at + HEAD], segment[at + OWNED] = new, 1
    return cells + 1


def apart(offset: Any, extent: Any, a: int, b: int, rank: int) -> int:
    """1 where neither of two operands' regions lies inside the other, else 0."""
    inside, around = True, True
    for x in range(rank):
        a0, b0 = offset[a * rank + x], offset[b * rank + x]
        a1, b1 = a0 + extent[a * rank + x], b0 + extent[b * rank + x]
        inside = inside and a0 >= b0 and a1 <= b1
        around = around and b0 >= a0 and b1 <= a1
    return 0 if inside or around else 1


def ask(units: Any, asked: Any, asks: int, v: int, row: int, why: int) -> int:
    """The row at hand must wait for the release (WAR) or the end of a row of unit v; units asked."""
    at = UNIT * v
    if units[at + UNTIL] < 0 and units[at + AFTER] < 0:
        asked[asks] = v
        asks += 1
    if why == WAR:
        units[at + AFTER] = max(units[at + AFTER], row)
    elif row > units[at + UNTIL]:
        units[at + UNTIL], units[at + WHY] = row, why
    return asks


def note(found: Any, listed: int, i: int, kind: int, earlier: int) -> int:
    """A finding, one of a kind for a row; how many there are."""
    at = FOUND * listed
    if listed > 0 and found[at - FOUND] == i and found[at - FOUND + 1] == kind:
        return listed
    return put(found, listed, i, kind, earlier) if at < len(found) else listed


def put(found: Any, listed: int, i: int, kind: int, earlier: int) -> int:
    """An edge, or a finding; how many there are."""
    at = FOUND * listed
    found[at], found[at + 1], found[at + 2] = i, kind, earlier
    return listed + 1


HELPERS: jit.Helpers = (merge, learn, known, divide, apart, read_by, ask, put, (note, (put,)))


@jit.allocates_nothing
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


@jit.allocates_nothing
def collect(low: Any, high: Any, table: Any, found: Any) -> int:
    """Distinct ends of footprints into ``found``; how many.

    table: a hash table of a power of two entries, -1, more than twice as long as ``found``, which
    takes them all or the answer is -1.
    """
    mask, count = len(table) - 1, 0
    last_low, last_high = -1, -1
    for j in range(len(low)):
        if low[j] == last_low and high[j] == last_high:
            continue
        last_low, last_high = low[j], high[j]
        for key in (last_low, last_high):
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


@jit.allocates_nothing
def locate(values: Any, edges: Any, table: Any, index: Any, found: Any) -> None:
    """Position of every value among the sorted ``edges``. table, index: a hash table as collect()'s."""
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
    for j in range(len(values)):
        key = values[j]
        at = (key * 0x9E3779B1 ^ key >> 15) & mask
        while table[at] != key:
            at = (at + 1) & mask
        found[j] = index[at]


@jit.allocates_nothing
def add_up(
    start: Any,
    memory: Any,
    access: Any,
    size: Any,
    read: Any,
    write: Any,
    moved: Any,
    first: Any,
    port: Any,
    total: Any,
) -> int:
    """Bytes of each command on each port, ports rising: ``first`` of each command, ``port`` and ``total``;
    how many. read, write: ports of the memories, -1 for none. moved: 0 for every port."""
    count = 0
    for i in range(len(start) - 1):
        begin = count
        first[i] = count
        for j in range(start[i], start[i + 1]):
            for side in range(2):
                p = read[memory[j]] if side == 0 else write[memory[j]]
                if p < 0 or access[j] == (WRITE if side == 0 else READ):
                    continue
                at = count
                while at > begin and port[at - 1] > p:
                    at -= 1
                if at == begin or port[at - 1] != p:
                    for x in range(count, at, -1):
                        port[x] = port[x - 1]
                    port[at] = p
                    count += 1
                moved[p] += size[j]
        for x in range(begin, count):
            total[x] = moved[port[x]]
            moved[port[x]] = 0
    first[len(start) - 1] = count
    return count
