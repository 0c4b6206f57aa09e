"""The pull engine: one queue a unit, one unit a queue, nothing stateful, ports of any arbiter.

A unit's next command waits for one earlier command at a time, the first of its dependencies that is not over
yet, so that there is no list of events and no table of successors. Ports that one unit alone uses are part of
how long its commands hold it; only shared ports have grants. The ticks are those of events.py, whose order of
things in a tick is kept: ends of grants, issues until no command is ready any more, grants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.table import Program
from accelsim.timing.costs import Times
from accelsim.timing.event_state import blank, columns_for
from accelsim.timing.records import (
    Demanded,
    Edges,
    Found,
    Moves,
    PullPorts,
    PullRows,
    PullUnits,
)

Ints = NDArray[np.int64]
DATA, SLOT, START = 0, 1, 2
ROUND_ROBIN, FIRST_COME, PRIORITY = 0, 1, 2
WHY_NONE, WHY_QUEUE, WHY_UNIT = 0, 4, 5
NEVER = 1 << 62
NOBODY, SEVERAL = -1, -2
DONE, NOW = 0, 1
MOST_UNITS = 64  # each tick looks at all units; beyond, a heap of events is quicker


@jit.allocates_nothing
def run_pull(
    budget: int, rows: PullRows, units: PullUnits, ports: PullPorts, found: Found, progress: Any
) -> None:
    """Go through at most ``budget`` ticks in which something happens. progress: commands that are over
    (DONE), and the tick to look at, NEVER after the last one (NOW)."""
    priority, head, _, _, _, _, _, _, busy, last, _, _, todo, finished = units
    shared, arbiter, quantum, beat, port_end, holder, since = ports[:7]
    granted, port_last, active, left, arrival = ports[7:]
    many, none = len(head), len(shared)
    now, done, soon = progress[NOW], progress[DONE], progress[NOW]
    for _ in range(budget):
        if now == NEVER:
            break
        over, asked = 0, 0
        for x in range(none):
            p = shared[x]
            if port_end[p] != now:
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
        if now == 0:
            for u in range(many):
                if head[u] >= 0:
                    todo[asked] = u
                    asked += 1
        while over > 0 or asked > 0 or soon == now:
            if over > 0 or asked > 0:
                look(rows, units, found, over, asked, now)
                done += over
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


def look(rows: PullRows, units: PullUnits, found: Found, over: int, asked: int, now: int) -> None:
    """The times of commands that are over (units.finished); then what waits for them and the next commands
    of units.todo go on through what they wait for: to the first that is not over, or to when they issue."""
    unit, hold, drain, first, _, edges, _ = rows
    start, row, of, lag = edges
    _, head, ready, at, cause, whom, place, waits_for, busy, _, free, unit_end, todo, done = units
    issued, first_at, release, end, _, _ = found
    many = len(head)
    for x in range(over):
        i = done[x]
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
            if waits_for[v] == i:
                todo[asked] = v
                asked += 1
        if waits_for[u] < 0 and head[u] >= 0:
            todo[asked] = u
            asked += 1
    for x in range(asked):
        u = todo[x]
        if busy[u] > 0 or ready[u] != NEVER:
            continue
        last = start[head[u] + 1]
        a, reason, earlier, blocked = at[u], cause[u], whom[u], -1
        for j in range(place[u], last):
            p, kind = row[j], of[j]
            t = issued[p] if kind == START else release[p]
            if t < 0:
                blocked = p
                place[u] = j
                break
            if kind == DATA:
                t = end[p]
            t += lag[j]
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
    later, edges, moves = rows[4:]
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
        if before >= 0 and issued[before] > a:
            a, reason, earlier = issued[before], WHY_QUEUE, before
        if free[u] > a:
            reason, earlier = WHY_UNIT, before
        issued[i], why[i], ref[i] = now, reason, earlier
        ready[u], last[u] = NEVER, i
        at[u], cause[u], whom[u] = 0, WHY_NONE, -1
        then = head[u] = later[i]
        if then >= 0:
            place[u] = edges.start[then]
        count = busy[u] = moves.start[i + 1] - moves.start[i]
        if count == 0:
            finished[over] = i
            over += 1
            continue
        for v in range(many):
            if waits_for[v] == i:  # for the start of a command that still moves something
                todo[asked] = v
                asked += 1
        move(moves, ports, many, i, u, now)
    return over, asked, soon


def move(moves: Moves, ports: PullPorts, many: int, row: int, unit: int, now: int) -> None:
    """A unit asks the ports for what its command moves; a long grant of another's ends with the quantum at work.
    many: units."""
    start, port, size = moves
    _, arbiter, quantum, beat, port_end, holder, since, granted, _, active, left, arrival = ports
    for j in range(start[row], start[row + 1]):
        p = port[j]
        left[p * many + unit] = size[j]
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
def lay_out(rows: PullRows, demanded: Demanded, user: Any, head: Any, tail: Any) -> None:
    """Fill in the moves over shared ports, hold (interval before), later and head. user: by port its only
    unit, NOBODY before, or SEVERAL. tail: NOBODY by unit before."""
    unit, hold, later, moves = rows.unit, rows.hold, rows.later, rows.moves
    start, port, size, width, beat = demanded
    count = len(unit)
    for i in range(count):
        for j in range(start[i], start[i + 1]):
            if size[j] > 0:
                p = port[j]
                if user[p] == NOBODY:
                    user[p] = unit[i]
                elif user[p] != unit[i]:
                    user[p] = SEVERAL
    at = 0
    for i in range(count):
        for j in range(start[i], start[i + 1]):
            if size[j] > 0:
                p = port[j]
                beats = -(-size[j] // width[p])
                if user[p] == SEVERAL:
                    moves.port[at] = p
                    moves.beats[at] = beats
                    at += 1
                elif beats * beat[p] > hold[i]:
                    hold[i] = beats * beat[p]
        moves.start[i + 1] = at
        later[i] = NOBODY
        u = unit[i]
        if tail[u] < 0:
            head[u] = i
        else:
            later[tail[u]] = i
        tail[u] = i


#: what run_pull calls, for jit.compiled
PULLING: jit.Helpers = (look, (issue, (move,)), next_served)


def pulled(program: Program, times: Times, fast: bool, ticks: int) -> list[Ints]:
    """issue, first, release, end, why, ref, interval of every command. ticks: to go through in one call."""
    user, head = (
        blank(fast, max(1, len(program.ports)), NOBODY),
        blank(fast, len(program.units), -1),
    )
    rows = _rows(program, times, fast, user, head)
    units = _units(program, fast, head)
    ports = _ports(program, fast, user)
    issue, release = blank(fast, len(program), -1), blank(fast, len(program), -1)
    first, end, why, ref = (room(fast, len(program)) for _ in range(4))
    found, progress = Found(issue, first, release, end, why, ref), blank(fast, 2)
    kernel = jit.compiled(run_pull, PULLING) if fast else run_pull
    while progress[NOW] != NEVER:
        kernel(ticks, rows, units, ports, found, progress)
    if progress[DONE] != len(program):
        raise RuntimeError(f"{len(program) - int(progress[DONE])} commands never became ready")
    return [*(np.asarray(column, np.int64) for column in found), times.interval]


def room(arrays: bool, size: int) -> Any:
    """A new column whose values do not matter."""
    return np.empty(size, np.int64) if arrays else [0] * size


def _of_ports(program: Program, fast: bool, *names: str) -> list[Any]:
    rows = [
        np.array([getattr(port, name) for port in program.ports] or [1], np.int64) for name in names
    ]
    return columns_for(fast, *rows)


def _rows(program: Program, times: Times, fast: bool, user: Any, head: Any) -> PullRows:
    """What is known of commands; fills in who uses each port, and the first command of each unit."""
    d, e = program.demands, program.dependencies
    count, entries = len(program), len(d.port)
    unit, hold, drain, first, *edges = columns_for(
        fast,
        program.commands.unit,
        times.interval.copy(),
        times.last - times.interval,
        times.first,
        e.start,
        e.predecessor,
        e.kind,
        e.lag,
    )
    moves = Moves(blank(fast, count + 1), room(fast, entries), room(fast, entries))
    rows = PullRows(unit, hold, drain, first, room(fast, count), Edges(*edges), moves)
    demanded = Demanded(
        *columns_for(fast, d.start, d.port, d.bytes), *_of_ports(program, fast, "width", "beat")
    )
    lay = jit.compiled(lay_out) if fast else lay_out
    lay(rows, demanded, user, head, blank(fast, len(head), NOBODY))
    return rows


def _units(program: Program, fast: bool, head: Any) -> PullUnits:
    rows, start = program.units, program.dependencies.start
    priority, place = columns_for(
        fast,
        np.array([row.priority for row in rows], np.int64),
        np.array([start[row] if row >= 0 else 0 for row in head], np.int64),
    )
    before = [blank(fast, len(rows), value) for value in (NEVER, 0, WHY_NONE, -1)]
    behind = [blank(fast, len(rows), value) for value in (-1, 0, -1, 0, 0)]
    room = [blank(fast, size) for size in (4 * len(rows), len(rows) + len(program.ports))]
    return PullUnits(*[priority, head, *before, place, *behind, *room])


def _ports(program: Program, fast: bool, user: Any) -> PullPorts:
    count = len(user)
    shared = np.array([port for port in range(count) if user[port] == SEVERAL], np.int64)
    return PullPorts(
        *columns_for(fast, shared),
        *_of_ports(program, fast, "arbiter", "quantum", "beat"),
        *(blank(fast, count, value) for value in (NEVER, NOBODY, 0, 0, -1, 0)),
        *(blank(fast, count * len(program.units)) for _ in range(2)),
    )
