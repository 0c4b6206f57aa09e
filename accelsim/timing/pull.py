"""The pull engine: one queue a unit, one unit a queue, nothing stateful, ports of any arbiter.

A unit's next command waits for one earlier command at a time, the first of its dependencies that is not over
yet, so that there is no list of events and no table of successors. Ports that one unit alone uses are part of
how long its commands hold it; only shared ports have grants. The ticks are those of events.py, whose order of
things in a tick is kept: ends of grants, issues until no command is ready any more, grants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.table import PortRow, Program, UnitRow
from accelsim.timing.costs import Times
from accelsim.timing.event_state import blank, columns_for
from accelsim.timing.records import (
    UNBOUNDED,
    Demanded,
    Edges,
    Found,
    Moves,
    PullPorts,
    PullRows,
    PullUnits,
    Ring,
    of_window,
)

Ints = NDArray[np.int64]
DATA, SLOT, START = 0, 1, 2
ROUND_ROBIN, FIRST_COME, PRIORITY = 0, 1, 2
WHY_NONE, WHY_QUEUE, WHY_UNIT = 0, 4, 5
NEVER = 1 << 62
NOBODY, SEVERAL = -1, -2
ROOM = -2  # what a unit waits for whose next command is not in the command memory
WHOLE = -1  # mask of a ring that holds everything
DONE, NOW, OLDEST, KNOWN, ALL, ASKED, INSIDE = range(7)
STATES = 7
MOST_UNITS = 64  # each tick looks at all units; beyond, a heap of events is quicker


@jit.allocates_nothing
def run_pull(
    budget: int, rows: PullRows, units: PullUnits, ports: PullPorts, found: Found, progress: Any
) -> None:
    """Go through at most ``budget`` ticks in which something happens. progress: commands that are over
    (DONE), the tick to look at, NEVER after the last one (NOW); the first command that is in the command memory
    (OLDEST), commands that are known so far (KNOWN) and whether they are all (ALL). Where more must be known before
    the tick can go on it stops in the middle of it: units to look at (ASKED), and that it did (INSIDE)."""
    priority, head, _, _, _, _, _, _, busy, last, _, _, todo, finished = units
    shared, arbiter, quantum, beat, port_end, holder, since = ports[:7]
    granted, port_last, active, left, arrival = ports[7:]
    many, none = len(head), len(shared)
    now, done, soon = progress[NOW], progress[DONE], progress[NOW]
    for _ in range(budget):
        if now == NEVER:
            break
        over, asked = 0, progress[ASKED]
        again = progress[INSIDE] == 1
        progress[INSIDE], progress[ASKED] = 0, 0
        for x in range(none):
            p = shared[x]
            if again or port_end[p] != now:
                continue
            u = holder[p]
            left[p * many + u] -= granted[p]
            holder[p] = NOBODY
            port_last[p] = u
            port_end[p] = NEVER
            if left[p * many + u] == 0:
                active[p] -= 1
                busy[u] -= 1
                if busy[u] == 0:
                    finished[over] = last[u]
                    over += 1
        if now == 0 and not again:
            for u in range(many):
                if head[u] >= 0:
                    todo[asked] = u
                    asked += 1
        while over > 0 or asked > 0 or again or soon == now:
            if over > 0 or asked > 0 or again:
                if not again:
                    asked = settle(rows, units, found, over, asked, now)
                    done += over
                    if leave(rows, found, progress):
                        progress[NOW], progress[DONE] = now, done
                        progress[INSIDE], progress[ASKED] = 1, asked
                        return
                again = False
                look(rows, units, found, progress[OLDEST], asked)
            over, asked, soon = issue(rows, units, ports, found, now)
        tick, now = now, soon
        for x in range(none):
            p = shared[x]
            if active[p] > 0 and holder[p] < 0:
                u = next_served(arbiter[p], port_last[p], p * many, left, arrival, priority)
                beats = left[p * many + u]
                if active[p] > 1 and arbiter[p] != FIRST_COME and beats > quantum[p]:
                    beats = quantum[p]
                holder[p], since[p], granted[p] = u, tick, beats
                port_end[p] = tick + beats * beat[p]
            if port_end[p] < now:
                now = port_end[p]
    progress[NOW] = now
    progress[DONE] = done


def settle(rows: PullRows, units: PullUnits, found: Found, over: int, asked: int, now: int) -> int:
    """The times of commands that are over (units.finished); how many units are to be looked at then (units.todo),
    ``asked`` of them before: those that wait for one of them, and those whose next command may go on."""
    unit, hold, drain, first = rows[:4]
    _, head, _, _, _, _, _, waits_for, _, _, free, unit_end, todo, done = units
    issued, first_at, release, end, _, _ = found
    many, mask = len(head), rows.ring.row
    for x in range(over):
        row = done[x]
        i = row & mask
        u = unit[i]
        t = issued[i] + hold[i]
        if now > t:
            t = now
        release[i] = t
        free[u] = t
        early = issued[i] + first[i]
        t += drain[i]
        if t < unit_end[u]:
            t = unit_end[u]
        end[i] = t
        unit_end[u] = t
        first_at[i] = early if early < t else t
        for v in range(many):
            if waits_for[v] == row:
                todo[asked] = v
                asked += 1
        if waits_for[u] < 0 and head[u] >= 0:
            todo[asked] = u
            asked += 1
    return asked


def leave(rows: PullRows, found: Found, progress: Any) -> bool:
    """Commands that are over, with all before them, leave the command memory. Whether more must be known."""
    ahead, mask = rows.ring.ahead, rows.ring.row
    known = progress[KNOWN]
    if ahead == UNBOUNDED:
        return False
    release, end, gone, row = found.release, found.end, rows.gone, progress[OLDEST]
    while row < known and release[row & mask] >= 0:
        gone[row & mask] = end[row & mask]
        if row > 0 and gone[(row - 1) & mask] > end[row & mask]:
            gone[row & mask] = gone[(row - 1) & mask]
        row += 1
    progress[OLDEST] = row
    return bool(progress[ALL] == 0 and row + ahead > known)


def look(rows: PullRows, units: PullUnits, found: Found, oldest: int, asked: int) -> None:
    """Next commands of units (units.todo, and those that wait for room in the command memory) go on through what they
    wait for: to the first that is not over, or to when they issue. oldest: command in the command memory."""
    start, row, of, lag = rows.edges
    _, head, ready, at, cause, whom, place, waits_for, busy, _, free, _, todo, _ = units
    mask, entry, _, ahead = rows.ring
    issued, release, end, gone = found.issue, found.release, found.end, rows.gone
    if ahead != UNBOUNDED:
        for u in range(len(head)):
            if waits_for[u] == ROOM and head[u] < oldest + ahead:
                todo[asked] = u
                asked += 1
    for x in range(asked):
        u = todo[x]
        i = head[u]
        if busy[u] > 0 or ready[u] != NEVER:
            continue
        if i >= oldest + ahead:
            waits_for[u] = ROOM
            continue
        a, reason, earlier, blocked = at[u], cause[u], whom[u], -1
        if i >= ahead and gone[(i - ahead) & mask] > a:
            a, reason, earlier = gone[(i - ahead) & mask], WHY_QUEUE, i - ahead
        last = start[(i + 1) & mask]
        for j in range(place[u], last):
            p, kind = row[j & entry], of[j & entry]
            t = issued[p & mask] if kind == START else release[p & mask]
            if t < 0:
                blocked = p
                place[u] = j
                break
            if kind == DATA:
                t = end[p & mask]
            t += lag[j & entry]
            if t > a or (t == a and t > 0 and kind + 1 < reason):
                a, reason, earlier = t, kind + 1, p
        at[u], cause[u], whom[u], waits_for[u] = a, reason, earlier, blocked
        if blocked < 0:
            place[u] = last
            ready[u] = a if a > free[u] else free[u]


def issue(
    rows: PullRows, units: PullUnits, ports: PullPorts, found: Found, now: int
) -> tuple[int, int, int]:
    """Issue what is ready now; how many commands are over with that (units.finished), how many units are to be
    looked at (units.todo), and when the next command is ready."""
    later, edges, moves = rows[4:7]
    mask, _, _, ahead = rows.ring
    _, head, ready, at, cause, whom, place, waits_for, busy, last, free, _, todo, finished = units
    issued, why, ref = found.issue, found.why, found.ref
    many, over, asked, soon = len(head), 0, 0, NEVER
    for u in range(many):
        when = ready[u]
        if when != now:
            if when < soon:
                soon = when
            continue
        i, before = head[u], last[u]
        a, reason, earlier = at[u], cause[u], whom[u]
        if before >= 0 and before > i - ahead and issued[before & mask] > a:
            a, reason, earlier = issued[before & mask], WHY_QUEUE, before
        if free[u] > a:
            reason, earlier = WHY_UNIT, before
        issued[i & mask], why[i & mask], ref[i & mask] = now, reason, earlier
        ready[u], last[u] = NEVER, i
        at[u], cause[u], whom[u] = 0, WHY_NONE, -1
        then = head[u] = later[i & mask]
        if then >= 0:
            place[u] = edges.start[then & mask]
        count = busy[u] = moves.start[(i + 1) & mask] - moves.start[i & mask]
        if count == 0:
            finished[over] = i
            over += 1
            continue
        for v in range(many):
            if waits_for[v] == i:  # for the start of a command that still moves something
                todo[asked] = v
                asked += 1
        move(rows, ports, many, i, u, now)
    return over, asked, soon


def move(rows: PullRows, ports: PullPorts, many: int, row: int, unit: int, now: int) -> None:
    """A unit asks the ports for what its command moves; a long grant of another's ends with the quantum at work.
    many: units."""
    start, port, size = rows.moves
    _, arbiter, quantum, beat, port_end, holder, since, granted, _, active, left, arrival = ports
    mask, entry = rows.ring.row, rows.ring.move
    for j in range(start[row & mask], start[(row + 1) & mask]):
        p = port[j & entry]
        left[p * many + unit] = size[j & entry]
        arrival[p * many + unit] = now
        active[p] += 1
        if holder[p] >= 0 and arbiter[p] != FIRST_COME and granted[p] > quantum[p]:
            ticks = quantum[p] * beat[p]
            beats = (now - since[p] + ticks - 1) // ticks * quantum[p]
            if beats < granted[p]:
                granted[p] = beats
                port_end[p] = since[p] + beats * beat[p]


def next_served(arbiter: int, last: int, base: int, left: Any, arrival: Any, priority: Any) -> int:
    """The unit that a port serves next, of those with beats left: events.choose_requester()."""
    many, best = len(priority), -1
    if arbiter == ROUND_ROBIN:
        for x in range(many):
            u = last + 1 + x
            if u >= many:
                u -= many
            if left[base + u] > 0:
                return u
    for u in range(many):
        if left[base + u] == 0:
            continue
        if best < 0:
            best = u
        elif arbiter == FIRST_COME and arrival[base + u] != arrival[base + best]:
            if arrival[base + u] < arrival[base + best]:
                best = u
        elif priority[u] < priority[best]:
            best = u
    return best


@jit.allocates_nothing
def port_users(unit: Any, demanded: Demanded, user: Any) -> None:
    """Note the only unit that each port has, or SEVERAL. user: by port, NOBODY before."""
    start, port, size = demanded[:3]
    for i in range(len(unit)):
        for j in range(start[i], start[i + 1]):
            if size[j] > 0:
                p = port[j]
                if user[p] == NOBODY:
                    user[p] = unit[i]
                elif user[p] != unit[i]:
                    user[p] = SEVERAL


@jit.allocates_nothing
def lay_out(
    rows: PullRows, demanded: Demanded, user: Any, units: PullUnits, tail: Any, begin: int
) -> None:
    """Commands from ``begin`` on become known: their moves over shared ports, hold (interval before), later, and
    what their units do next. demanded: of them alone. tail: by unit the last command known, NOBODY before any."""
    unit, hold, later, moves = rows.unit, rows.hold, rows.later, rows.moves
    start, port, size, width, beat = demanded
    mask, _, entry, _ = rows.ring
    at = moves.start[begin & mask]
    for x in range(len(start) - 1):
        row = begin + x
        i = row & mask
        for j in range(start[x], start[x + 1]):
            if size[j] > 0:
                p = port[j]
                beats = -(-size[j] // width[p])
                if user[p] == SEVERAL:
                    moves.port[at & entry] = p
                    moves.beats[at & entry] = beats
                    at += 1
                elif beats * beat[p] > hold[i]:
                    hold[i] = beats * beat[p]
        moves.start[(row + 1) & mask] = at
        later[i] = NOBODY
        u = unit[i]
        if units.head[u] < 0:
            units.head[u] = row
            units.place[u] = rows.edges.start[i]
            units.waits_for[u] = ROOM
        else:
            later[tail[u] & mask] = row
        tail[u] = row


#: what run_pull calls, for jit.compiled
PULLING: jit.Helpers = (settle, leave, look, (issue, (move,)), next_served)


def pulled(program: Program, times: Times, fast: bool, ticks: int) -> list[Ints]:
    """issue, first, release, end, why, ref, interval of every command. ticks: to go through in one call."""
    d, count = program.demands, len(program)
    unit, *carried = columns_for(fast, program.commands.unit, d.start, d.port, d.bytes)
    demanded = Demanded(*carried, *of_ports(program.ports, fast, "width", "beat"))
    user = blank(fast, max(1, len(program.ports)), NOBODY)
    (jit.compiled(port_users) if fast else port_users)(unit, demanded, user)
    rows, units = _rows(program, times, fast, unit), units_of(program.units, fast, len(user))
    tail = blank(fast, len(program.units), NOBODY)
    (jit.compiled(lay_out) if fast else lay_out)(rows, demanded, user, units, tail, 0)
    ports = ports_of(program.ports, fast, user, len(program.units))
    issue, release = blank(fast, count, -1), blank(fast, count, -1)
    first, end, why, ref = (room(fast, count) for _ in range(4))
    found, progress = Found(issue, first, release, end, why, ref), blank(fast, STATES)
    progress[KNOWN], progress[ALL] = count, 1
    kernel = jit.compiled(run_pull, PULLING) if fast else run_pull
    while progress[NOW] != NEVER:
        kernel(ticks, rows, units, ports, found, progress)
    if progress[DONE] != count:
        raise RuntimeError(f"{count - int(progress[DONE])} commands never became ready")
    return [*(np.asarray(column, np.int64) for column in found), times.interval]


def room(arrays: bool, size: int) -> Any:
    """A new column whose values do not matter."""
    return np.empty(size, np.int64) if arrays else [0] * size


def of_ports(rows: Sequence[PortRow], fast: bool, *names: str) -> list[Any]:
    """Columns of what ports say of themselves."""
    return columns_for(
        fast, *(np.array([getattr(row, name) for row in rows] or [1], np.int64) for name in names)
    )


def _rows(program: Program, times: Times, fast: bool, unit: Any) -> PullRows:
    """What is known of commands, without what lay_out() adds."""
    e, count, entries = program.dependencies, len(program), len(program.demands.port)
    hold, drain, first, *edges = columns_for(
        fast,
        times.interval.copy(),
        times.last - times.interval,
        times.first,
        *(e.start, e.predecessor, e.kind, e.lag),
    )
    moves = Moves(blank(fast, count + 1), room(fast, entries), room(fast, entries))
    ahead = of_window(program.commands_ahead, count)
    gone = room(fast, 0 if ahead == UNBOUNDED else count)
    ring = Ring(WHOLE, WHOLE, WHOLE, ahead)
    return PullRows(unit, hold, drain, first, room(fast, count), Edges(*edges), moves, ring, gone)


def units_of(rows: Sequence[UnitRow], fast: bool, ports: int) -> PullUnits:
    """Units before their first command."""
    (priority,) = columns_for(fast, np.array([row.priority for row in rows], np.int64))
    before = [blank(fast, len(rows), value) for value in (-1, NEVER, 0, WHY_NONE, -1, 0)]
    behind = [blank(fast, len(rows), value) for value in (-1, 0, -1, 0, 0)]
    room = [blank(fast, size) for size in (5 * len(rows), len(rows) + ports)]
    return PullUnits(*[priority, *before, *behind, *room])


def ports_of(rows: Sequence[PortRow], fast: bool, user: Any, units: int) -> PullPorts:
    """Ports that nobody has asked. user: as port_users() says."""
    count = len(user)
    shared = np.array([port for port in range(count) if user[port] == SEVERAL], np.int64)
    return PullPorts(
        *columns_for(fast, shared),
        *of_ports(rows, fast, "arbiter", "quantum", "beat"),
        *(blank(fast, count, value) for value in (NEVER, NOBODY, 0, 0, -1, 0)),
        *(blank(fast, count * units) for _ in range(2)),
    )
