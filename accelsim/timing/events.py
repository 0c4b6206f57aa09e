"""The event engine: shared ports in quanta, several queues a unit, stateful units.

Phases at one tick, in this order: ends of port grants (0), requests (1), unit grants (2), port
grants (3). Every decision is a function of who waits, never of the order in the heap. The
semantics are docs/timing_engine.md; reference.py says the same with SimPy.
"""

from __future__ import annotations

from typing import Any

from accelsim import jit
from accelsim.timing.heap import pop, push
from accelsim.timing.records import Costs, EventState, Heap, Moves, Ports, Queues, Units
from accelsim.units.stateful import STATE_WORDS, serve, serve_open_page

PHASE = 1 << 40
GRANT_END, REQUEST, UNIT_GRANT, PORT_GRANT = 0, 1, 2, 3
DATA, SLOT, START = 0, 1, 2
ROUND_ROBIN, FIRST_COME, PRIORITY = 0, 1, 2
WHY_NONE, WHY_QUEUE, WHY_UNIT = 0, 4, 5
ISSUED, MARK, AHEAD, OLDEST, GONE = range(5)


@jit.allocates_nothing
def run_events(budget: int, state: EventState) -> int:
    """Handle at most ``budget`` events, or until command progress[MARK] has issued; returns how many
    commands have issued so far."""
    progress, heap, costs, _, _, _, queues, units, ports, _ = state
    times, keys, size = heap
    unit, queue = costs[:2]
    u_free, u_busy, _, u_last, u_left, u_waiting, u_priority = units[:7]
    _, _, _, active, holder, _, granted, grant_end, p_last, p_left, _, asking = ports
    q_waits, q_ready = queues.waits, queues.ready
    many, mark, issued = len(u_free), progress[MARK], -1
    for _ in range(budget):
        if size[0] == 0 or (issued == mark and issued >= 0):
            break
        now, key = times[0], keys[0]
        pop(heap)
        phase, who = key // PHASE, key % PHASE
        issued = final = -1
        if phase == REQUEST:
            q, u = queue[who], unit[who]
            q_waits[q] = 1
            q_ready[q] = now
            u_waiting[u] += 1
            if u_busy[u] == 0:
                now = u_free[u] if u_free[u] > now else now
                if size[0] == 0 or times[0] > now:  # the next event of all
                    phase, issued, who = UNIT_GRANT, who, u
                else:
                    push(heap, now, UNIT_GRANT * PHASE + u)
        if phase == UNIT_GRANT:
            if u_busy[who] == 1 or u_free[who] > now or u_waiting[who] == 0:
                continue
            if issued < 0 or u_waiting[who] > 1:
                issued = next_row(queues, units, unit, who)
            final = issue(state, issued, who, now)
        elif phase == PORT_GRANT:
            if holder[who] < 0 and active[who] > 0:
                grant(heap, ports, u_priority, who, now)
        elif phase == GRANT_END and grant_end[who] == now:  # not cut
            grant_end[who] = -1
            u, base = holder[who], who * many
            p_left[base + u] -= granted[who]
            holder[who] = -1
            p_last[who] = u
            if p_left[base + u] == 0:
                active[who] -= 1
                x = base
                while asking[x] != u:
                    x += 1
                asking[x] = asking[base + active[who]]
                u_left[u] -= 1
                if u_left[u] == 0:
                    final = u_last[u]
            if active[who] > 0:
                if final < 0 and (size[0] == 0 or times[0] > now):  # the next event of all
                    grant(heap, ports, u_priority, who, now)
                else:
                    push(heap, now, PORT_GRANT * PHASE + who)
        if issued >= 0 or final >= 0:
            go_on(state, issued, final, now)
    return int(progress[ISSUED])


def grant(heap: Heap, ports: Ports, priority: Any, port: int, now: int) -> None:
    """A free port serves one of the units that ask."""
    arbiter, quantum, beat, active, holder, since, granted, end, _, left, _, _ = ports
    u = ports.asking[port * len(priority)]
    if active[port] > 1:
        u = choose_requester(ports, priority, port)
    beats = left[port * len(priority) + u]
    if active[port] > 1 and arbiter[port] != FIRST_COME and beats > quantum[port]:
        beats = quantum[port]
    holder[port] = u
    since[port] = now
    granted[port] = beats
    end[port] = now + beats * beat[port]
    push(heap, end[port], GRANT_END * PHASE + port)


def issue(state: EventState, row: int, unit: int, now: int) -> int:
    """A command issues; itself where it moves nothing through ports, so that it is over, else -1."""
    progress, heap, costs, _, waits, moves, queues, units, ports, found = state
    items, head, stop, issued, last, q_waits, _, _ = queues
    pending, wait_at, wait_why, wait_ref, _ = waits
    free, busy, _, u_last, left, waiting = units[:6]
    q, at, cause, whom = costs.queue[row], wait_at[row], wait_why[row], wait_ref[row]
    if at == 0:
        cause = WHY_NONE
        whom = -1
    if issued[q] > at:
        at = issued[q]
        cause = WHY_QUEUE
        whom = last[q]
    if free[unit] > at:
        cause = WHY_UNIT
        whom = u_last[unit]
    found.issue[row] = now
    found.why[row] = cause
    found.ref[row] = whom
    q_waits[q] = 0
    issued[q] = now
    last[q] = row
    head[q] += 1
    waiting[unit] -= 1
    u_last[unit] = row
    if costs.served[row] == 1:
        ask(costs, units, row, unit, now)
    progress[ISSUED] += 1
    if head[q] < stop[q]:
        j = items[head[q]]
        if pending[j] == 0:
            at = wait_at[j]
            push(heap, at if at > now else now, REQUEST * PHASE + j)
    count = moves.start[row + 1] - moves.start[row]
    if count == 0:
        return row
    busy[unit] = 1
    left[unit] = count
    move(heap, moves, ports, len(free), row, unit, now)
    return -1


def move(heap: Heap, moves: Moves, ports: Ports, many: int, row: int, unit: int, now: int) -> None:
    """A unit asks the ports for what its command moves. many: units."""
    start, port, beats = moves
    _, _, _, active, holder, _, _, _, _, left, arrival, asking = ports
    for d in range(start[row], start[row + 1]):
        p = port[d]
        slot = p * many + unit
        left[slot] = beats[d]
        arrival[slot] = now
        asking[p * many + active[p]] = unit
        active[p] += 1
        if holder[p] < 0:
            push(heap, now, PORT_GRANT * PHASE + p)
        else:
            at = cut_grant(ports, p, now)
            if at >= 0:
                push(heap, at, GRANT_END * PHASE + p)


def go_on(state: EventState, issued: int, final: int, now: int) -> None:
    """A command has just issued, or is over, or both (-1: has not): its times, and what waits for it."""
    _, heap, costs, successors, waits, _, queues, units, _, found = state
    start, row, of, lag, edge = successors
    pending, wait_at, wait_why, wait_ref, wait_edge = waits
    source, done, last = issued, now, now
    if final >= 0:
        unit, _, interval, drain, first = costs[:5]
        free, busy, u_end, _, _, waiting = units[:6]
        source, u = final, unit[final]
        begin = found.issue[final]
        if begin + interval[final] > done:
            done = begin + interval[final]
        last = done + drain[final]
        if last < u_end[u]:
            last = u_end[u]
        early = begin + first[final]
        found.first[final] = early if early < last else last
        found.release[final] = done
        found.end[final] = last
        busy[u] = 0
        free[u] = done
        u_end[u] = last
        if waiting[u] > 0:
            push(heap, done, UNIT_GRANT * PHASE + u)
    for e in range(start[source], start[source + 1]):
        kind = of[e]
        if kind == START:
            if issued < 0:
                continue
            at = now
        else:
            if final < 0:
                continue
            at = last if kind == DATA else done
        j = row[e]
        at += lag[e]
        kind += 1
        if at > wait_at[j] or (
            at == wait_at[j]
            and at > 0
            and (kind < wait_why[j] or (kind == wait_why[j] and edge[e] < wait_edge[j]))
        ):
            wait_at[j] = at
            wait_why[j] = kind
            wait_ref[j] = source
            wait_edge[j] = edge[e]
        pending[j] -= 1
        if pending[j] == 0:
            q = costs.queue[j]
            if queues.items[queues.head[q]] == j:
                at = wait_at[j] if wait_at[j] > queues.issue[q] else queues.issue[q]
                push(heap, at, REQUEST * PHASE + j)
    if final >= 0 and state.progress[OLDEST] + state.progress[AHEAD] < len(found.end):
        leave(state)


def leave(state: EventState) -> None:
    """Commands that are over, with all before them, leave the command memory; as many others enter it."""
    progress, heap, costs, _, waits, _, queues, _, _, found = state
    pending, wait_at, wait_why, wait_ref, wait_edge = waits
    oldest, gone, ahead = progress[OLDEST], progress[GONE], progress[AHEAD]
    last = len(found.end) - ahead
    while oldest < last and found.release[oldest] >= 0:
        if found.end[oldest] > gone:
            gone = found.end[oldest]
        j = oldest + ahead
        if gone > wait_at[j]:
            wait_at[j], wait_why[j], wait_ref[j], wait_edge[j] = gone, WHY_QUEUE, oldest, 0
        pending[j] -= 1
        q = costs.queue[j]
        if pending[j] == 0 and queues.items[queues.head[q]] == j:
            at = wait_at[j] if wait_at[j] > queues.issue[q] else queues.issue[q]
            push(heap, at, REQUEST * PHASE + j)
        oldest += 1
    progress[OLDEST], progress[GONE] = oldest, gone


def next_row(queues: Queues, units: Units, unit_of: Any, unit: int) -> int:
    """The command that a unit takes: of the first rank, of those the longest waiting, of those the lowest
    queue's."""
    items, head, _, _, _, _, ready, priority = queues
    begin, stop = units.feed_start[unit], units.feed_start[unit + 1]
    if stop == begin + 1:
        return int(items[head[units.feed[begin]]])
    best = -1
    for x in range(begin, stop):
        q = units.feed[x]
        if queues.waits[q] == 0 or unit_of[items[head[q]]] != unit:
            continue
        if (
            best < 0
            or priority[q] < priority[best]
            or (priority[q] == priority[best] and ready[q] < ready[best])
        ):
            best = q
    return int(items[head[best]])


def ask(costs: Costs, units: Units, row: int, unit: int, now: int) -> None:
    """A stateful unit says how long a command takes."""
    address, size, writes = costs.address[row], costs.size[row], costs.writes[row]
    base = unit * STATE_WORDS
    interval, first, last = serve(units.server[unit], units.words, base, address, size, writes, now)
    costs.interval[row] = interval
    costs.first[row] = first
    costs.drain[row] = last - interval


def cut_grant(p: Ports, port: int, now: int) -> int:
    """Another unit asks: a long grant ends with the quantum at work. When, or -1 where it stays."""
    quantum = p.quantum[port]
    if p.arbiter[port] == FIRST_COME or p.granted[port] <= quantum:
        return -1
    ticks = quantum * p.beat[port]
    beats = (now - p.since[port] + ticks - 1) // ticks * quantum
    if beats >= p.granted[port]:
        return -1
    p.granted[port] = beats
    p.end[port] = p.since[port] + beats * p.beat[port]
    return int(p.end[port])


def choose_requester(p: Ports, priority: Any, port: int) -> int:
    """The unit that a port serves next, of those that ask. priority: of units."""
    many, last = len(priority), p.last[port]
    base, arbiter, asking, arrival = port * many, p.arbiter[port], p.asking, p.arrival
    best = asking[base]
    for x in range(base + 1, base + p.active[port]):
        u = asking[x]
        if arbiter == ROUND_ROBIN:
            if (u - last - 1) % many < (best - last - 1) % many:
                best = u
            continue
        if arbiter == FIRST_COME and arrival[base + u] != arrival[base + best]:
            if arrival[base + u] < arrival[base + best]:
                best = u
        elif priority[u] < priority[best] or (priority[u] == priority[best] and u < best):
            best = u
    return int(best)


#: what run_events calls, for jit.compiled
HELPERS: jit.Helpers = (
    pop,
    next_row,
    push,
    (grant, (push, choose_requester)),
    (issue, (push, (ask, ((serve, (serve_open_page,)),)), (move, (push, cut_grant)))),
    (go_on, (push, (leave, (push,)))),
)
