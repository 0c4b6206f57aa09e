"""The single pass: when no port and no unit is contended, program order resolves every time."""

from __future__ import annotations

from accelsim import jit
from accelsim.timing.records import OrderState

DATA, SLOT, START = 0, 1, 2
WHY_NONE, WHY_QUEUE, WHY_UNIT = 0, 4, 5


@jit.allocates_nothing
def run_in_order(begin: int, stop: int, state: OrderState) -> None:
    """Times of commands begin .. stop."""
    unit, queue, busy, drain, first, edges, found = state[:7]
    unit_free, unit_end, unit_last, queue_issue, queue_last, ahead, gone = state[7:]
    left = gone[0]
    edge_start, edge_pred, edge_kind, edge_lag = edges
    issue, first_at, release, end, why, ref = found
    for i in range(begin, stop):
        at, cause, whom = 0, WHY_NONE, -1
        for j in range(edge_start[i], edge_start[i + 1]):
            p, kind = edge_pred[j], edge_kind[j]
            if kind == DATA:
                t = end[p] + edge_lag[j]
            elif kind == SLOT:
                t = release[p] + edge_lag[j]
            else:
                t = issue[p] + edge_lag[j]
            if t > at or (t == at and t > 0 and kind + 1 < cause):
                at, cause, whom = t, kind + 1, p
        q, u = queue[i], unit[i]
        if i >= ahead:
            if end[i - ahead] > left:
                left = end[i - ahead]
            if left > at:
                at, cause, whom = left, WHY_QUEUE, i - ahead
        if queue_issue[q] > at:
            at, cause, whom = queue_issue[q], WHY_QUEUE, queue_last[q]
        if unit_free[u] > at:
            at, cause, whom = unit_free[u], WHY_UNIT, unit_last[u]
        done = at + busy[i]
        last = done + drain[i]
        if last < unit_end[u]:
            last = unit_end[u]
        issue[i], release[i], end[i] = at, done, last
        early = at + first[i]
        first_at[i] = early if early < last else last
        why[i], ref[i] = cause, whom
        unit_free[u], unit_end[u], unit_last[u] = done, last, i
        queue_issue[q], queue_last[q] = at, i
    gone[0] = left
