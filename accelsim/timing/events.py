"""The event engine: shared ports in quanta, several queues a unit, stateful units.

Phases at one tick, in this order: ends of port grants (0), requests (1), unit grants (2), port
grants (3). Every decision is a function of who waits, never of the order in the heap. The
semantics are docs/timing_engine.md; reference.py says the same with SimPy.
"""

from __future__ import annotations

from typing import Any

from accelsim.timing.heap import pop, push
from accelsim.timing.records import Costs, EventState, Ports, Queues, Units
from accelsim.units.stateful import STATE_WORDS, serve, serve_open_page

PHASE = 1 << 40
GRANT_END, REQUEST, UNIT_GRANT, PORT_GRANT = 0, 1, 2, 3
DATA, SLOT, START = 0, 1, 2
ROUND_ROBIN, FIRST_COME, PRIORITY = 0, 1, 2
WHY_NONE, WHY_QUEUE, WHY_UNIT = 0, 4, 5
ISSUED, MARK = 0, 1


def run_events(budget: int, state: EventState) -> int:
    """Handle at most ``budget`` events, or until command progress[MARK] has issued; returns how many
    commands have issued so far.

    The heap is changed here only: in compiled code a helper that calls helpers with records counts
    references to each of their columns at every call, which made the engine thirty times slower.
    """
    progress, events, costs, out, waits, moves, queues, units, ports, found = state
    h_time, h_key, h_stamp, h_size = events
    unit, queue, interval, drain, first, served = costs[:6]
    out_start, out_row, out_kind, out_lag, out_edge = out
    pending, wait_at, wait_why, wait_ref, wait_edge = waits
    move_start, move_port, move_beats = moves
    q_items, q_head, q_stop, q_issue, q_last, q_waits, q_ready, _ = queues
    u_free, u_busy, u_end, u_last, u_left, u_waiting, u_priority = units[:7]
    p_arbiter, p_quantum, p_beat, p_active, p_holder, p_from = ports[:6]
    p_granted, p_stamp, p_last, p_left, p_arrival, p_asking = ports[6:]
    issue, first_at, release, end, why, ref = found
    many = len(u_free)
    done = last = 0
    heap, mark, issued = h_size[0], progress[MARK], -1
    for _ in range(budget):
        if heap == 0 or (issued == mark and issued >= 0):
            break
        now, key, stamp = h_time[0], h_key[0], h_stamp[0]
        heap = pop(h_time, h_key, h_stamp, heap)
        phase = key // PHASE
        who = key % PHASE
        issued = -1
        final = -1
        if phase == GRANT_END:
            if stamp != p_stamp[who]:
                continue
            u = p_holder[who]
            slot = who * many + u
            p_left[slot] -= p_granted[who]
            p_holder[who] = -1
            p_last[who] = u
            if p_left[slot] == 0:
                p_active[who] -= 1
                x = who * many
                while p_asking[x] != u:
                    x += 1
                p_asking[x] = p_asking[who * many + p_active[who]]
                u_left[u] -= 1
                if u_left[u] == 0:
                    final = u_last[u]
            if p_active[who] > 0:
                heap = push(h_time, h_key, h_stamp, heap, now, PORT_GRANT * PHASE + who, 0)
        elif phase == REQUEST:
            q = queue[who]
            u = unit[who]
            q_waits[q] = 1
            q_ready[q] = now
            u_waiting[u] += 1
            if u_busy[u] == 0:
                at = u_free[u] if u_free[u] > now else now
                heap = push(h_time, h_key, h_stamp, heap, at, UNIT_GRANT * PHASE + u, 0)
            continue
        elif phase == UNIT_GRANT:
            if u_busy[who] == 1 or u_free[who] > now or u_waiting[who] == 0:
                continue
            issued = next_row(queues, units, unit, who)
        else:
            if p_holder[who] >= 0 or p_active[who] == 0:
                continue
            u = choose_requester(ports, u_priority, who)
            beats = p_left[who * many + u]
            if p_active[who] > 1 and p_arbiter[who] != FIRST_COME and beats > p_quantum[who]:
                beats = p_quantum[who]
            p_holder[who] = u
            p_from[who] = now
            p_granted[who] = beats
            p_stamp[who] += 1
            at = now + beats * p_beat[who]
            heap = push(h_time, h_key, h_stamp, heap, at, GRANT_END * PHASE + who, p_stamp[who])
            continue

        if issued >= 0:
            q = queue[issued]
            at = wait_at[issued]
            cause = wait_why[issued]
            whom = wait_ref[issued]
            if at == 0:
                cause = WHY_NONE
                whom = -1
            if q_issue[q] > at:
                at = q_issue[q]
                cause = WHY_QUEUE
                whom = q_last[q]
            if u_free[who] > at:
                cause = WHY_UNIT
                whom = u_last[who]
            issue[issued] = now
            why[issued] = cause
            ref[issued] = whom
            q_waits[q] = 0
            q_issue[q] = now
            q_last[q] = issued
            q_head[q] += 1
            u_waiting[who] -= 1
            u_last[who] = issued
            if served[issued] == 1:
                ask(costs, units, issued, who, now)
            progress[ISSUED] += 1
            if q_head[q] < q_stop[q]:
                j = q_items[q_head[q]]
                if pending[j] == 0:
                    at = wait_at[j] if wait_at[j] > now else now
                    heap = push(h_time, h_key, h_stamp, heap, at, REQUEST * PHASE + j, 0)
            count = move_start[issued + 1] - move_start[issued]
            if count == 0:
                final = issued
            else:
                u_busy[who] = 1
                u_left[who] = count
            for d in range(move_start[issued], move_start[issued + 1]):
                p = move_port[d]
                slot = p * many + who
                p_left[slot] = move_beats[d]
                p_arrival[slot] = now
                p_asking[p * many + p_active[p]] = who
                p_active[p] += 1
                if p_holder[p] < 0:
                    heap = push(h_time, h_key, h_stamp, heap, now, PORT_GRANT * PHASE + p, 0)
                else:
                    at = cut_grant(ports, p, now)
                    if at >= 0:
                        heap = push(h_time, h_key, h_stamp, heap, at, p, p_stamp[p])
        if final >= 0:
            u = unit[final]
            done = issue[final] + interval[final]
            if now > done:
                done = now
            last = done + drain[final]
            if last < u_end[u]:
                last = u_end[u]
            early = issue[final] + first[final]
            first_at[final] = early if early < last else last
            release[final] = done
            end[final] = last
            u_busy[u] = 0
            u_free[u] = done
            u_end[u] = last
            if u_waiting[u] > 0:
                heap = push(h_time, h_key, h_stamp, heap, done, UNIT_GRANT * PHASE + u, 0)
        source = issued if issued >= 0 else final
        if source < 0:
            continue
        for e in range(out_start[source], out_start[source + 1]):
            kind = out_kind[e]
            if kind == START:
                if issued < 0:
                    continue
                at = issue[source]
            else:
                if final < 0:
                    continue
                at = last if kind == DATA else done
            j = out_row[e]
            at += out_lag[e]
            kind += 1
            if at > wait_at[j] or (
                at == wait_at[j]
                and at > 0
                and (kind < wait_why[j] or (kind == wait_why[j] and out_edge[e] < wait_edge[j]))
            ):
                wait_at[j] = at
                wait_why[j] = kind
                wait_ref[j] = source
                wait_edge[j] = out_edge[e]
            pending[j] -= 1
            if pending[j] == 0:
                q = queue[j]
                if q_items[q_head[q]] == j:
                    at = wait_at[j] if wait_at[j] > q_issue[q] else q_issue[q]
                    heap = push(h_time, h_key, h_stamp, heap, at, REQUEST * PHASE + j, 0)
    h_size[0] = heap
    return int(progress[ISSUED])


def next_row(queues: Queues, units: Units, unit_of: Any, unit: int) -> int:
    """The command that a unit takes: of the first rank, of those the longest waiting, of those the lowest
    queue's."""
    items, head, priority, ready = queues.items, queues.head, queues.priority, queues.ready
    best = -1
    for x in range(units.feed_start[unit], units.feed_start[unit + 1]):
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
    p.stamp[port] += 1
    return int(p.since[port] + beats * p.beat[port])


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
HELPERS = (
    push,
    pop,
    next_row,
    (ask, ((serve, (serve_open_page,)),)),
    cut_grant,
    choose_requester,
)
