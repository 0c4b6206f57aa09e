"""The single pass: when no port and no unit is contended, program order resolves every time."""

from __future__ import annotations

from typing import Any

DATA, SLOT, START = 0, 1, 2
WHY_NONE, WHY_QUEUE, WHY_UNIT = 0, 4, 5


def run_in_order(
    begin: int,
    stop: int,
    unit: Any,
    queue: Any,
    busy: Any,
    drain: Any,
    first: Any,
    edge_start: Any,
    edge_pred: Any,
    edge_kind: Any,
    edge_lag: Any,
    issue: Any,
    first_at: Any,
    release: Any,
    end: Any,
    why: Any,
    ref: Any,
    unit_free: Any,
    unit_end: Any,
    unit_last: Any,
    queue_issue: Any,
    queue_last: Any,
) -> None:
    """Times of commands begin .. stop. busy: interval or port time, the longer, in ticks.

    unit_free, unit_end, unit_last and queue_issue, queue_last carry the state between calls.
    Works on lists (plain) and int64 arrays (compiled) alike.
    """
    for i in range(begin, stop):
        at = 0
        cause = WHY_NONE
        whom = -1
        for j in range(edge_start[i], edge_start[i + 1]):
            p = edge_pred[j]
            kind = edge_kind[j]
            if kind == DATA:
                t = end[p] + edge_lag[j]
            elif kind == SLOT:
                t = release[p] + edge_lag[j]
            else:
                t = issue[p] + edge_lag[j]
            if t > at or (t == at and t > 0 and kind + 1 < cause):
                at = t
                cause = kind + 1
                whom = p
        q = queue[i]
        if queue_issue[q] > at:
            at = queue_issue[q]
            cause = WHY_QUEUE
            whom = queue_last[q]
        u = unit[i]
        if unit_free[u] > at:
            at = unit_free[u]
            cause = WHY_UNIT
            whom = unit_last[u]
        done = at + busy[i]
        last = done + drain[i]
        if last < unit_end[u]:
            last = unit_end[u]
        issue[i] = at
        release[i] = done
        end[i] = last
        early = at + first[i]
        first_at[i] = early if early < last else last
        why[i] = cause
        ref[i] = whom
        unit_free[u] = done
        unit_end[u] = last
        unit_last[u] = i
        queue_issue[q] = at
        queue_last[q] = i
