"""The event engine: shared ports in quanta, several queues a unit, stateful units.

Phases at one tick, in this order: ends of port grants (0), requests (1), unit grants (2), port
grants (3). Every decision is a function of who waits, never of the order in the heap. The
semantics are docs/timing_engine.md; reference.py says the same with SimPy.
"""

from __future__ import annotations

from typing import Any

from accelsim.timing.heap import pop, push
from accelsim.units.stateful import STATE_WORDS, serve, serve_open_page

PHASE = 1 << 40
DATA, SLOT, START = 0, 1, 2
ROUND_ROBIN, FIRST_COME, PRIORITY = 0, 1, 2
WHY_NONE, WHY_QUEUE, WHY_UNIT = 0, 4, 5
HEAP_SIZE, ISSUED, MARK = 0, 1, 2


def choose_requester(
    arbiter: int,
    base: int,
    count: int,
    units: int,
    last: int,
    asking: Any,
    arrival: Any,
    priority: Any,
) -> int:
    """The unit that a port serves next, of the ``count`` in asking[base:]."""
    best = asking[base]
    for x in range(1, count):
        u = asking[base + x]
        if arbiter == ROUND_ROBIN:
            if (u - last - 1) % units < (best - last - 1) % units:
                best = u
            continue
        if arbiter == FIRST_COME and arrival[base + u] != arrival[base + best]:
            if arrival[base + u] < arrival[base + best]:
                best = u
        elif priority[u] < priority[best] or (priority[u] == priority[best] and u < best):
            best = u
    return int(best)


def run_events(
    budget: int,
    misc: Any,
    h_time: Any,
    h_key: Any,
    h_stamp: Any,
    unit: Any,
    queue: Any,
    interval: Any,
    drain: Any,
    first: Any,
    served: Any,
    address: Any,
    size: Any,
    writes: Any,
    out_start: Any,
    out_succ: Any,
    out_kind: Any,
    out_lag: Any,
    out_edge: Any,
    pending: Any,
    dep_at: Any,
    dep_why: Any,
    dep_ref: Any,
    dep_edge: Any,
    dem_start: Any,
    dem_port: Any,
    dem_beats: Any,
    q_items: Any,
    q_head: Any,
    q_stop: Any,
    q_issue: Any,
    q_last: Any,
    q_wait: Any,
    q_ready: Any,
    q_priority: Any,
    u_free: Any,
    u_busy: Any,
    u_end: Any,
    u_last: Any,
    u_left: Any,
    u_wait: Any,
    u_priority: Any,
    u_server: Any,
    uq_start: Any,
    uq_queue: Any,
    state: Any,
    p_arbiter: Any,
    p_quantum: Any,
    p_beat: Any,
    p_active: Any,
    p_holder: Any,
    p_from: Any,
    p_granted: Any,
    p_stamp: Any,
    p_last: Any,
    p_left: Any,
    p_arrival: Any,
    p_asking: Any,
    issue: Any,
    first_at: Any,
    release: Any,
    end: Any,
    why: Any,
    ref: Any,
) -> int:
    """Handle at most ``budget`` events, or until command misc[MARK] has issued; returns how many
    commands have issued so far.

    Columns are lists (plain) or int64 arrays (compiled). Everything that must survive a call is
    in them, so that the caller can stop between calls.
    """
    units = len(u_free)
    heap = misc[HEAP_SIZE]
    mark = misc[MARK]
    issued = -1
    for _ in range(budget):
        if heap == 0 or (issued == mark and issued >= 0):
            break
        now = h_time[0]
        key = h_key[0]
        stamp = h_stamp[0]
        heap = pop(h_time, h_key, h_stamp, heap)
        phase = key // PHASE
        who = key % PHASE
        issued = -1
        final = -1
        if phase == 0:
            if stamp != p_stamp[who]:
                continue
            u = p_holder[who]
            slot = who * units + u
            p_left[slot] -= p_granted[who]
            p_holder[who] = -1
            p_last[who] = u
            if p_left[slot] == 0:
                p_active[who] -= 1
                x = who * units
                while p_asking[x] != u:
                    x += 1
                p_asking[x] = p_asking[who * units + p_active[who]]
                u_left[u] -= 1
                if u_left[u] == 0:
                    final = u_last[u]
            if p_active[who] > 0:
                heap = push(h_time, h_key, h_stamp, heap, now, 3 * PHASE + who, 0)
        elif phase == 1:
            q = queue[who]
            u = unit[who]
            q_wait[q] = 1
            q_ready[q] = now
            u_wait[u] += 1
            if u_busy[u] == 0:
                at = u_free[u] if u_free[u] > now else now
                heap = push(h_time, h_key, h_stamp, heap, at, 2 * PHASE + u, 0)
        elif phase == 2:
            if u_busy[who] == 1 or u_free[who] > now or u_wait[who] == 0:
                continue
            best = -1
            for x in range(uq_start[who], uq_start[who + 1]):
                q = uq_queue[x]
                if q_wait[q] == 0 or unit[q_items[q_head[q]]] != who:
                    continue
                if (
                    best < 0
                    or q_priority[q] < q_priority[best]
                    or (q_priority[q] == q_priority[best] and q_ready[q] < q_ready[best])
                ):
                    best = q
            issued = q_items[q_head[best]]
        else:
            if p_holder[who] >= 0 or p_active[who] == 0:
                continue
            base = who * units
            u = choose_requester(
                p_arbiter[who],
                base,
                p_active[who],
                units,
                p_last[who],
                p_asking,
                p_arrival,
                u_priority,
            )
            beats = p_left[base + u]
            if p_active[who] > 1 and p_arbiter[who] != FIRST_COME and beats > p_quantum[who]:
                beats = p_quantum[who]
            p_holder[who] = u
            p_from[who] = now
            p_granted[who] = beats
            p_stamp[who] += 1
            heap = push(h_time, h_key, h_stamp, heap, now + beats * p_beat[who], who, p_stamp[who])
            continue

        if issued >= 0:
            i = issued
            q = queue[i]
            u = unit[i]
            q_wait[q] = 0
            u_wait[u] -= 1
            at = 0
            cause = WHY_NONE
            whom = -1
            if dep_at[i] > 0:
                at = dep_at[i]
                cause = dep_why[i]
                whom = dep_ref[i]
            if q_issue[q] > at:
                at = q_issue[q]
                cause = WHY_QUEUE
                whom = q_last[q]
            if u_free[u] > at:
                cause = WHY_UNIT
                whom = u_last[u]
            issue[i] = now
            why[i] = cause
            ref[i] = whom
            if served[i] == 1:
                a, b, c = serve(
                    u_server[u], state, u * STATE_WORDS, address[i], size[i], writes[i], now
                )
                interval[i] = a
                first[i] = b
                drain[i] = c - a
            q_issue[q] = now
            q_last[q] = i
            q_head[q] += 1
            u_last[u] = i
            misc[ISSUED] += 1
            if q_head[q] < q_stop[q]:
                j = q_items[q_head[q]]
                if pending[j] == 0:
                    at = dep_at[j] if dep_at[j] > now else now
                    heap = push(h_time, h_key, h_stamp, heap, at, PHASE + j, 0)
            count = dem_start[i + 1] - dem_start[i]
            if count == 0:
                final = i
            else:
                u_busy[u] = 1
                u_left[u] = count
                for d in range(dem_start[i], dem_start[i + 1]):
                    p = dem_port[d]
                    p_left[p * units + u] = dem_beats[d]
                    p_arrival[p * units + u] = now
                    p_asking[p * units + p_active[p]] = u
                    p_active[p] += 1
                    if p_holder[p] < 0:
                        heap = push(h_time, h_key, h_stamp, heap, now, 3 * PHASE + p, 0)
                    elif p_arbiter[p] != FIRST_COME and p_granted[p] > p_quantum[p]:
                        ticks = p_quantum[p] * p_beat[p]
                        rounds = (now - p_from[p] + ticks - 1) // ticks
                        beats = rounds * p_quantum[p]
                        if beats < p_granted[p]:
                            p_granted[p] = beats
                            p_stamp[p] += 1
                            heap = push(
                                h_time,
                                h_key,
                                h_stamp,
                                heap,
                                p_from[p] + beats * p_beat[p],
                                p,
                                p_stamp[p],
                            )
        done = 0
        last = 0
        if final >= 0:
            u = unit[final]
            done = issue[final] + interval[final]
            if now > done:
                done = now
            last = done + drain[final]
            if last < u_end[u]:
                last = u_end[u]
            release[final] = done
            end[final] = last
            early = issue[final] + first[final]
            first_at[final] = early if early < last else last
            u_busy[u] = 0
            u_free[u] = done
            u_end[u] = last
            if u_wait[u] > 0:
                heap = push(h_time, h_key, h_stamp, heap, done, 2 * PHASE + u, 0)
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
            at += out_lag[e]
            j = out_succ[e]
            if at > dep_at[j] or (
                at == dep_at[j]
                and at > 0
                and (
                    kind + 1 < dep_why[j] or (kind + 1 == dep_why[j] and out_edge[e] < dep_edge[j])
                )
            ):
                dep_at[j] = at
                dep_why[j] = kind + 1
                dep_ref[j] = source
                dep_edge[j] = out_edge[e]
            pending[j] -= 1
            if pending[j] == 0:
                q = queue[j]
                if q_items[q_head[q]] == j:
                    at = dep_at[j] if dep_at[j] > q_issue[q] else q_issue[q]
                    heap = push(h_time, h_key, h_stamp, heap, at, PHASE + j, 0)
    misc[HEAP_SIZE] = heap
    return int(misc[ISSUED])


#: what run_events calls, for jit.compiled
HELPERS = (push, pop, choose_requester, (serve, (serve_open_page,)))
