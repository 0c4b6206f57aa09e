"""The walk over a Program's commands, in order, that knows which must wait for which.

Commands in sequence are what a Program means; all that concurrency asks is who waits for whom. A shadow of
every memory keeps, for each run of bytes with one story, the row that wrote it last and the rows that have
read it since. Each row (command) carries what it knows, when it issues, of the rows before it: how far
every unit has come, in commands released and in commands ended. It has that from the row before it in
its queue, from the row before it on its unit, and from those that its edges name. Whoever touches bytes must
know that their writer has ended, and whoever writes them that their readers have let go of them. A row that enters
the command memory knows that those which had to leave it have ended. What a row does not know is a need: in
deriving it becomes an edge, and the row knows (dependencies.py); in checking it is a finding (hazards.py).

Written once, for lists (plain) and for arrays (compiled).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from accelsim import jit
from accelsim.program.opcodes import Access, Edge

READ, WRITE = int(Access.READ), int(Access.WRITE)
DATA, SLOT, START = int(Edge.DATA), int(Edge.SLOT), int(Edge.START)
#: kinds of finding
UNWRITTEN, OTHER, RAW, WAR, WAW, REGION = 1, 2, 3, 4, 5, 6
#: writers of segments that no row wrote
NONE, RESIDENT = -1, -2

Column: TypeAlias = list[int]  # in machine code an array of int64


class Stated(NamedTuple):
    """Of commands: their queues, and the edges that they have already."""

    queue: Column
    start: Column
    earlier: Column
    kind: Column


class Operands(NamedTuple):
    """Columns of operands. start: of each command. root, number: the tensor version, and what tells regions
    that may be compared. low, high: footprint in elementary segments. offset, extent: rank numbers of each."""

    start: Column
    root: Column
    number: Column
    access: Column
    low: Column
    high: Column
    offset: Column
    extent: Column
    rank: int


class Segments(NamedTuple):
    """The shadow: elementary segments of all memories. Neighbours with one story are a run, told at its first.
    end: the run's, 0 elsewhere. writer: row, NONE or RESIDENT; by: its operand; holder: the tensor in it.
    head: the first of its readers, -1 for none; owned: 1 where that one is of no other run."""

    end: Column
    writer: Column
    by: Column
    holder: Column
    head: Column
    owned: Column


class Readers(NamedTuple):
    """Cells of linked lists. sure: 1 where whoever knows that the row is done knows that the run's writer had
    ended. used: how many cells are."""

    row: Column
    next: Column
    sure: Column
    used: Column


class Known(NamedTuple):
    """Rows, and what they know of units, as place + 1 of the last command; a row's entry lies at its number & mask.
    ahead: a row knows that those so many before it have ended. unit: of each row its stream, which are commands of
    one unit from one queue, issued and released in order (the unit itself where it has one queue); place: which it
    is of that. lag: ticks between a release and the overwriting by this row. sums: of streams, 1 where sums of
    their own are read as they come, pass behind pass. table:
    of each row, what it knows to be released of every hub, then what it knows to have ended. hub: number of
    each unit, -1 for none. released, ended: what the row at hand knows of the other units, from its own
    edges."""

    unit: Column
    place: Column
    lag: Column
    sums: Column
    table: Column
    hubs: int
    hub: Column
    released: Column
    ended: Column
    mask: int
    ahead: int


class Needs(NamedTuple):
    """What the row at hand must wait for. asked: units, as many as used says. Of each unit the last row that
    must have ended (until; why: a kind of finding) and that must be released (after), -1 for none. derive: 1
    where a need becomes an edge that holds from then on, and is no finding."""

    asked: Column
    until: Column
    why: Column
    after: Column
    used: Column
    derive: int


class Found(NamedTuple):
    """Edges, or findings: row, kind (Edge, or of finding), the row that it should have waited for, a negative
    number for none. used: how many."""

    row: Column
    kind: Column
    earlier: Column
    used: Column


class Last(NamedTuple):
    """The row before the one at hand in every queue and on every unit, -1 for none."""

    queue: Column
    unit: Column


class State(NamedTuple):
    """What the walk keeps. at: the row to go on with, and whether only its needs are left to settle."""

    last: Last
    segments: Segments
    readers: Readers
    known: Known
    needs: Needs
    faults: Found
    edges: Found
    at: Column


@jit.allocates_nothing
@jit.in_one_piece
def scan(stated: Stated, o: Operands, state: State, first: int) -> bool:
    """Walk the commands in order, from ``state.at`` on; False when the cells of readers, or room for edges, may not
    be enough for the next one. first: number of the columns' first command."""
    last, segments, readers, known, needs, faults, edges, at = state
    access, low, high = o.access, o.low, o.high
    settling = at[1] == 1
    for i in range(at[0], first + len(stated.queue)):
        x = i - first
        begin, end = o.start[x], o.start[x + 1]
        if not settling:
            cells = 0
            for j in range(begin, end):
                if access[j] != WRITE and low[j] < high[j]:
                    cells += high[j] - low[j]
            if readers.used[0] + cells > len(readers.row):
                at[0], at[1] = i, 0
                return False
            inherit(stated, last, known, i, x)
            for j in range(begin, end):
                if access[j] != WRITE and low[j] < high[j]:
                    read(o, segments, readers, known, needs, faults, i, j)
            for j in range(begin, end):
                if access[j] != READ and low[j] < high[j]:
                    write(o, segments, readers, known, needs, i, j)
        settling = False
        if not settle(known, needs, faults, edges, i):
            at[0], at[1] = i, 1
            return False
        for e in range(stated.start[x], stated.start[x + 1]):
            u = known.unit[stated.earlier[e] & known.mask]
            known.released[u], known.ended[u] = 0, 0
    at[0], at[1] = first + len(stated.queue), 0
    return True


def inherit(stated: Stated, last: Last, known: Known, i: int, x: int) -> None:
    """What a row, the x-th of the columns, knows from its queue, its unit and its stated edges."""
    mine = i & known.mask
    q, u, gone = stated.queue[x], known.unit[mine], i - known.ahead
    before, same = last.queue[q], last.unit[u]
    take_over(known, i, before if before > gone else -1)
    if same > gone and same >= 0:
        if same != before:
            merge(known, i, same)
        if known.hub[u] >= 0:
            known.table[2 * known.hubs * mine + known.hub[u]] = known.place[mine]
    for e in range(stated.start[x], stated.start[x + 1]):
        follow(known, i, stated.earlier[e], stated.kind[e])
    last.queue[q], last.unit[u] = i, i


def take_over(known: Known, i: int, other: int) -> None:
    """A row that knows nothing yet knows what another one does (-1: of none)."""
    table, wide = known.table, 2 * known.hubs
    here, there = (i & known.mask) * wide, (other & known.mask) * wide
    for x in range(wide):
        table[here + x] = table[there + x] if other >= 0 else 0


def merge(known: Known, i: int, other: int) -> None:
    """What another row knows, a row knows too."""
    table, wide = known.table, 2 * known.hubs
    here, there = (i & known.mask) * wide, (other & known.mask) * wide
    for x in range(wide):
        table[here + x] = max(table[here + x], table[there + x])


def follow(known: Known, i: int, p: int, kind: int) -> None:
    """An edge: row i knows what row p knew, that p and those before it on its unit are released, and by
    DATA that they have ended."""
    if p <= i - known.ahead:
        return
    merge(known, i, p)
    if kind == START:
        return
    v, done = known.unit[p & known.mask], known.place[p & known.mask] + 1
    h = known.hub[v]
    if h < 0:
        known.released[v] = max(known.released[v], done)
        if kind == DATA:
            known.ended[v] = max(known.ended[v], done)
        return
    at = 2 * known.hubs * (i & known.mask) + h
    if done > known.table[at]:
        known.table[at] = done
    if kind == DATA and done > known.table[at + known.hubs]:
        known.table[at + known.hubs] = done


def knows(known: Known, i: int, r: int, kind: int) -> bool:
    """Whether row i knows that row r has ended (DATA), or is released (SLOT)."""
    if r <= i - known.ahead:
        return True
    v = known.unit[r & known.mask]
    h = known.hub[v]
    if h >= 0:
        at = 2 * known.hubs * (i & known.mask) + h
        done = known.table[at + known.hubs if kind == DATA else at]
    else:
        done = known.ended[v] if kind == DATA else known.released[v]
    return done > known.place[r & known.mask]


def read(
    o: Operands,
    segments: Segments,
    readers: Readers,
    known: Known,
    needs: Needs,
    faults: Found,
    i: int,
    j: int,
) -> None:
    """Row i reads operand j: the runs under it must be written, with that tensor, by rows that have ended."""
    unit, end, mask, u = known.unit, segments.end, known.mask, known.unit[i & known.mask]
    s, high = o.low[j], o.high[j]
    adds = known.sums[u] == 1 or o.access[j] != READ
    cut(segments, s, high)
    while s < high:
        w, over, early, kind = segments.writer[s], False, False, 0
        if w >= 0:
            over = knows(known, i, w, DATA)
            early = not over and not (adds and unit[w & mask] == u)
        if w == NONE:
            kind = UNWRITTEN
        elif segments.holder[s] != o.root[j]:
            kind = OTHER
        elif w >= 0 and not early and o.rank > 0 and apart(o, segments.by[s], j):
            kind = REGION
        if kind > 0:
            note(faults, i, kind, w)
        elif early:
            ask(needs, unit[w & mask], w, RAW)
        sure = over or (early and needs.derive == 1)
        add_reader(segments, readers, known, s, i, sure)
        s = end[s]


def write(
    o: Operands, segments: Segments, readers: Readers, known: Known, needs: Needs, i: int, j: int
) -> None:
    """Row i writes operand j: the readers of the runs under it must have let go, their writers have ended. They
    are one run from then on."""
    unit, end, mask, u = known.unit, segments.end, known.mask, known.unit[i & known.mask]
    low, high = o.low[j], o.high[j]
    cut(segments, low, high)
    s = low
    while s < high:
        c, w = segments.head[s], segments.writer[s]
        settled = c >= 0 and wait_for_readers(readers, known, needs, i, c)
        early = w >= 0 and not settled and not knows(known, i, w, DATA)
        if early and unit[w & mask] != u:
            ask(needs, unit[w & mask], w, WAW)
        after = end[s]
        end[s] = 0
        s = after
    end[low] = high
    segments.writer[low], segments.by[low] = i, j
    segments.holder[low], segments.head[low] = o.root[j], -1


def wait_for_readers(readers: Readers, known: Known, needs: Needs, i: int, c: int) -> bool:
    """Row i overwrites what the rows in cell c and the next ones read. Whether that settles the writing
    before, too: it had ended when one of them read, or (of findings) one is enough."""
    mask, gone = known.mask, i - known.ahead
    u, settled = known.unit[i & mask], False
    lag = known.lag[i & mask]
    while c >= 0:
        r = readers.row[c]
        if r != i:
            settled = settled or readers.sure[c] == 1
            ordered = r <= gone or known.unit[r & mask] == u
            if not ordered and (lag > 0 or not knows(known, i, r, SLOT)):
                ask(needs, known.unit[r & mask], r, WAR)
                settled = settled or needs.derive == 0
        c = readers.next[c]
    return settled


def settle(known: Known, needs: Needs, faults: Found, edges: Found, i: int) -> bool:
    """A row's needs become edges, or findings; False when room for edges ran out."""
    asks = needs.used[0]
    if needs.derive == 1 and edges.used[0] + 2 * asks > len(edges.row):
        return False
    needs.used[0] = 0
    for x in range(asks):
        v = needs.asked[x]
        for kind in (DATA, SLOT):
            r = needs.until[v] if kind == DATA else needs.after[v]
            if r < 0:
                continue
            if needs.derive == 0:
                note(faults, i, needs.why[v] if kind == DATA else WAR, r)
            elif not knows(known, i, r, kind) or (kind == SLOT and known.lag[i & known.mask] > 0):
                put(edges, i, kind, r)
                follow(known, i, r, kind)
        needs.until[v], needs.after[v] = -1, -1
    for x in range(asks):
        known.released[needs.asked[x]], known.ended[needs.asked[x]] = 0, 0
    return True


def cut(segments: Segments, low: int, high: int) -> None:
    """Runs begin at two segments: those around them are cut in two with one story."""
    end = segments.end
    for at in (low, high):
        if end[at] == 0:
            s = at - 1
            while end[s] == 0:
                s -= 1
            end[at], end[s] = end[s], at
            segments.writer[at], segments.by[at] = segments.writer[s], segments.by[s]
            segments.holder[at], segments.head[at] = segments.holder[s], segments.head[s]
            segments.owned[s], segments.owned[at] = 0, 0


def add_reader(
    segments: Segments, readers: Readers, known: Known, s: int, i: int, sure: bool
) -> None:
    """Row i reads a run. Its unit's cell, or that of a row that is known to have ended, is used again where no other
    run has it."""
    c, unit, mask = segments.head[s], known.unit, known.mask
    if c >= 0 and (
        readers.row[c] <= i - known.ahead or unit[readers.row[c] & mask] == unit[i & mask]
    ):
        if segments.owned[s] == 1:
            readers.row[c], readers.sure[c] = i, int(sure)
            return
        c = readers.next[c]
    new = readers.used[0]
    readers.row[new], readers.next[new], readers.sure[new] = i, c, int(sure)
    readers.used[0] = new + 1
    segments.head[s], segments.owned[s] = new, 1


@jit.allocates_nothing
def count_cells(segments: Segments, readers: Readers, gone: int) -> int:
    """Cells that copy_cells() writes."""
    s, count = 0, 0
    while s < len(segments.end):
        c = segments.head[s]
        while c >= 0:
            count += readers.row[c] > gone
            c = readers.next[c]
        s = segments.end[s]
    return count


@jit.allocates_nothing
def copy_cells(segments: Segments, readers: Readers, new: Readers, gone: int) -> None:
    """Give every run a list of its own in new cells, without the rows up to ``gone``."""
    s, at = 0, new.used[0]
    while s < len(segments.end):
        c, before = segments.head[s], -1
        segments.head[s], segments.owned[s] = -1, 1
        while c >= 0:
            if readers.row[c] > gone:
                new.row[at], new.next[at], new.sure[at] = readers.row[c], -1, readers.sure[c]
                if before < 0:
                    segments.head[s] = at
                else:
                    new.next[before] = at
                before = at
                at += 1
            c = readers.next[c]
        s = segments.end[s]
    new.used[0] = at


def apart(o: Operands, a: int, b: int) -> bool:
    """Whether neither of two operands' regions lies inside the other, if they can be compared."""
    if o.number[a] != o.number[b]:
        return False
    offset, extent, rank = o.offset, o.extent, o.rank
    inside, around = True, True
    a, b = a * rank, b * rank
    for x in range(rank):
        a0, b0 = offset[a + x], offset[b + x]
        a1, b1 = a0 + extent[a + x], b0 + extent[b + x]
        inside = inside and a0 >= b0 and a1 <= b1
        around = around and b0 >= a0 and b1 <= a1
    return not (inside or around)


def ask(needs: Needs, v: int, row: int, why: int) -> None:
    """The row at hand must wait for the release (WAR) or the end of a row of unit v."""
    if needs.until[v] < 0 and needs.after[v] < 0:
        needs.asked[needs.used[0]] = v
        needs.used[0] += 1
    if why == WAR:
        needs.after[v] = max(needs.after[v], row)
    elif row > needs.until[v]:
        needs.until[v], needs.why[v] = row, why


def note(faults: Found, i: int, kind: int, earlier: int) -> None:
    """A finding, one of a kind for a row; only the first ones, as many as there is room for."""
    last = faults.used[0] - 1
    if last >= 0 and faults.row[last] == i and faults.kind[last] == kind:
        return
    if last + 1 < len(faults.row):
        put(faults, i, kind, earlier)


def put(found: Found, i: int, kind: int, earlier: int) -> None:
    """An edge, or a finding."""
    at = found.used[0]
    found.row[at], found.kind[at], found.earlier[at] = i, kind, earlier
    found.used[0] = at + 1


_FOLLOW, _NOTE = (follow, (merge,)), (note, (put,))
HELPERS: jit.Helpers = (
    (inherit, (take_over, merge, _FOLLOW)),
    (read, (cut, knows, apart, _NOTE, ask, add_reader)),
    (write, (cut, (wait_for_readers, (knows, ask)), knows, ask)),
    (settle, (knows, _FOLLOW, _NOTE, put)),
)
