"""Another order of a Program's commands: queues are in order, so the order decides what overlaps.

``listed`` lets every unit take the oldest of its commands whose predecessors are done, with the units' own
times and without contention for ports; ``reordered`` writes the Program down in that order, with the
dependencies that it has there. Commands of one operator on one unit keep their order. What the new order takes
is for the engine to say.
"""

from __future__ import annotations

from dataclasses import fields, replace
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.program.dependencies import dependencies
from accelsim.program.hazards import derived
from accelsim.program.opcodes import Edge
from accelsim.program.table import Commands, Demands, Dependencies, Operands, Program, QueueRow

Ints = NDArray[np.int64]
FREE, READY = 0, 1


def listed(program: Program, interval: Ints, last: Ints) -> Ints:
    """Rows in the order in which they start. interval, last: ticks of every command."""
    commands, edges = program.commands, _in_any_order(program)
    count, unit = len(program), commands.unit.tolist()
    after: list[list[tuple[int, int, int]]] = [[] for _ in range(count)]
    missing = np.diff(edges.start).tolist()
    owner = np.repeat(np.arange(count), np.diff(edges.start)).tolist()
    for row, before, kind, lag in zip(
        owner, edges.predecessor.tolist(), edges.kind.tolist(), edges.lag.tolist(), strict=True
    ):
        after[before].append((row, kind, lag))
    latest: dict[tuple[int, int], int] = {}
    for row, key in enumerate(zip(commands.operator.tolist(), unit, strict=True)):
        if key in latest:
            after[latest[key]].append((row, int(Edge.START), 0))
            missing[row] += 1
        latest[key] = row
    held, ends = interval.tolist(), last.tolist()
    ready_at, start = [0] * count, [0] * count
    waiting: list[list[int]] = [[] for _ in program.units]
    free = [0] * len(program.units)
    events = [(0, READY, row) for row in range(count) if not missing[row]]
    order = []
    while events:
        now, kind, item = heappop(events)
        where = item
        if kind == READY:
            where = unit[item]
            heappush(waiting[where], item)
        if free[where] > now or not waiting[where]:
            continue
        row = heappop(waiting[where])
        start[row], free[where] = now, now + held[row]
        order.append(row)
        heappush(events, (free[where], FREE, where))
        for follower, edge, lag in after[row]:
            event = now + lag
            if edge != Edge.START:
                event += ends[row]
            ready_at[follower] = max(ready_at[follower], event)
            missing[follower] -= 1
            if not missing[follower]:
                heappush(events, (ready_at[follower], READY, follower))
    return np.array(order, np.int64)


def _in_any_order(program: Program) -> Dependencies:
    """What must wait for what where units may take commands of other operators first: no command knows
    of any but its own operator's on its unit."""
    c, units = program.commands, len(program.units)
    pairs, queue = np.unique((c.operator + 1) * units + c.unit, return_inverse=True)
    queues = tuple(QueueRow(str(pair)) for pair in pairs.tolist())
    apart = replace(program, commands=replace(c, queue=queue.astype(np.int64)), queues=queues)
    return dependencies(apart, np.zeros(len(program), np.int64))


def reordered(program: Program, order: Ints) -> Program:
    """The same Program with its rows in another order. ProgramError where one would stand before what it
    waits for. Commands that write over registers which passes still read (PRELOAD) are not moved."""
    c, o = program.commands, program.operands
    commands = Commands(**{item.name: getattr(c, item.name)[order] for item in fields(Commands)})
    operands = Operands(**_picked(o, o.start, order))
    moved = replace(program, commands=commands, operands=operands, blocks=())
    demands = Demands(**_picked(program.demands, program.demands.start, order))
    return replace(derived(moved, np.zeros(len(order), np.int64)), demands=demands)


def _picked(table: Any, start: Ints, order: Ints) -> dict[str, Ints]:
    """Columns of a table in compressed-row form for rows in another order."""
    size = np.diff(start)[order]
    begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    entries = np.repeat(start[order] - begin[:-1], size) + np.arange(begin[-1])
    columns = {
        item.name: getattr(table, item.name)[entries]
        for item in fields(table)
        if item.name != "start"
    }
    return {"start": begin, **columns}
