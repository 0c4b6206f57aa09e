"""Everything that the event engine reads and changes, one field an argument of run_events.

Plain code gets lists (scalar access is ten times faster), compiled code int64 arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.opcodes import Access
from accelsim.program.table import Program, plain_int64
from accelsim.timing.costs import Times
from accelsim.timing.events import HEAP_SIZE, MARK, PHASE
from accelsim.units.stateful import SERVERS, STATE_WORDS

Ints = NDArray[np.int64]


def columns_for(arrays: bool, *columns: Ints) -> list[Any]:
    """Columns as int64 arrays or as lists."""
    if arrays:
        return [np.ascontiguousarray(column, np.int64) for column in columns]
    return [column.tolist() for column in columns]


def blank(arrays: bool, size: int, value: int = 0) -> Any:
    """A new column of one value; zeros take memory only where they are written."""
    if not arrays:
        return [value] * size
    return np.full(size, value, np.int64) if value else np.zeros(size, np.int64)


@dataclass(slots=True)
class EventState:
    """Arguments of run_events after the budget, in its order; see there."""

    misc: Any
    h_time: Any
    h_key: Any
    h_stamp: Any
    unit: Any
    queue: Any
    interval: Any
    drain: Any
    first: Any
    served: Any
    address: Any
    size: Any
    writes: Any
    out_start: Any
    out_succ: Any
    out_kind: Any
    out_lag: Any
    out_edge: Any
    pending: Any
    dep_at: Any
    dep_why: Any
    dep_ref: Any
    dep_edge: Any
    dem_start: Any
    dem_port: Any
    dem_beats: Any
    q_items: Any
    q_head: Any
    q_stop: Any
    q_issue: Any
    q_last: Any
    q_wait: Any
    q_ready: Any
    q_priority: Any
    u_free: Any
    u_busy: Any
    u_end: Any
    u_last: Any
    u_left: Any
    u_wait: Any
    u_priority: Any
    u_server: Any
    uq_start: Any
    uq_queue: Any
    state: Any
    p_arbiter: Any
    p_quantum: Any
    p_beat: Any
    p_active: Any
    p_holder: Any
    p_from: Any
    p_granted: Any
    p_stamp: Any
    p_last: Any
    p_left: Any
    p_arrival: Any
    p_asking: Any
    issue: Any
    first_at: Any
    release: Any
    end: Any
    why: Any
    ref: Any

    def arguments(self) -> list[Any]:
        """The fields in order."""
        return [getattr(self, item.name) for item in fields(self)]

    def results(self) -> list[Ints]:
        """issue, first, release, end, why, ref, interval of every command."""
        columns = (
            self.issue,
            self.first_at,
            self.release,
            self.end,
            self.why,
            self.ref,
            self.interval,
        )
        return [np.asarray(column, np.int64) for column in columns]


def demand_beats(program: Program) -> Ints:
    """Beats of every demand."""
    width = np.array([port.width for port in program.ports] or [1], np.int64)
    return -(-program.demands.bytes // width[program.demands.port])


def initial_state(
    program: Program, times: Times, arrays: bool, words: Ints | None = None, compiled: bool = False
) -> EventState:
    """The state before anything has happened. words: initial words of the stateful units. compiled:
    kernels are at hand."""
    commands = program.commands
    count, units = len(program), len(program.units)
    queues, ports = len(program.queues), max(1, len(program.ports))
    size, writes = _first_operands(program)
    order = np.argsort(commands.queue, kind="stable")
    head = np.searchsorted(commands.queue[order], np.arange(queues))
    stop = np.searchsorted(commands.queue[order], np.arange(queues), side="right")
    pending = np.diff(program.dependencies.start)
    ready = [
        int(order[h]) for h, s in zip(head, stop, strict=True) if h < s and pending[order[h]] == 0
    ]
    room = 8 * (queues + units + ports) + 4 * int(np.diff(program.demands.start).max(initial=0))
    heap = [blank(arrays, room + count * 4) for _ in range(3)]
    for slot, row in enumerate(sorted(ready)):
        heap[1][slot] = PHASE + row
    misc = blank(arrays, 3)
    misc[HEAP_SIZE], misc[MARK] = len(ready), -1
    columns = columns_for(
        arrays,
        commands.unit,
        commands.queue,
        times.interval.copy(),
        times.last - times.interval,
        times.first.copy(),
        commands.served,
        commands.address,
        size,
        writes,
        *_reverse_edges(program, compiled),
        pending,
    )
    dep = [
        blank(arrays, count),
        blank(arrays, count),
        blank(arrays, count, -1),
        blank(arrays, count),
    ]
    demands = columns_for(arrays, *_moving_demands(program, compiled))
    priority = np.array([row.priority for row in program.queues], np.int64)
    queue = [
        *columns_for(arrays, order, head, stop),
        blank(arrays, queues),
        blank(arrays, queues, -1),
        blank(arrays, queues),
        blank(arrays, queues),
        *columns_for(arrays, priority),
    ]
    rank = np.array([row.priority for row in program.units], np.int64)
    server = np.array([SERVERS[row.serve] for row in program.units], np.int64)
    memory = np.zeros(units * STATE_WORDS, np.int64) if words is None else words.astype(np.int64)
    unit = [
        blank(arrays, units),
        blank(arrays, units),
        blank(arrays, units),
        blank(arrays, units, -1),
        blank(arrays, units),
        blank(arrays, units),
        *columns_for(arrays, rank, server, *_feeding_queues(program), memory),
    ]
    rows = program.ports
    static = [
        np.array([getattr(row, name) for row in rows] or [1], np.int64)
        for name in ("arbiter", "quantum", "beat")
    ]
    port = [
        *columns_for(arrays, *static),
        blank(arrays, ports),
        blank(arrays, ports, -1),
        blank(arrays, ports),
        blank(arrays, ports),
        blank(arrays, ports),
        blank(arrays, ports, -1),
        *(blank(arrays, ports * units) for _ in range(3)),
    ]
    out = [blank(arrays, count, -1) for _ in range(6)]
    return EventState(misc, *heap, *columns, *dep, *demands, *queue, *unit, *port, *out)


def _feeding_queues(program: Program) -> tuple[Ints, Ints]:
    """The queues that feed each unit, in order: start by unit, queue."""
    pairs = np.zeros((len(program.units), max(1, len(program.queues))), bool)
    pairs[program.commands.unit, program.commands.queue] = True
    start = np.zeros(len(program.units) + 1, np.int64)
    np.cumsum(pairs.sum(axis=1), out=start[1:])
    return start, pairs.nonzero()[1].astype(np.int64)


def reverse_edges(
    start: Any,
    predecessor: Any,
    kind: Any,
    lag: Any,
    out_start: Any,
    out_successor: Any,
    out_kind: Any,
    out_lag: Any,
    out_edge: Any,
) -> None:
    """_reverse_edges() in two passes. out_start: zeros."""
    rows = len(start) - 1
    for j in range(len(predecessor)):
        out_start[predecessor[j] + 1] += 1
    for i in range(rows):
        out_start[i + 1] += out_start[i]
    for i in range(rows):
        for j in range(start[i], start[i + 1]):
            p = predecessor[j]
            at = out_start[p]
            out_start[p] += 1
            out_successor[at], out_kind[at], out_lag[at], out_edge[at] = i, kind[j], lag[j], j
    for i in range(rows, 0, -1):
        out_start[i] = out_start[i - 1]
    out_start[0] = 0


def moving_demands(
    start: Any, port: Any, size: Any, width: Any, out_start: Any, out_port: Any, out_beats: Any
) -> int:
    """_moving_demands() in one pass; how many there are."""
    at = 0
    for i in range(len(start) - 1):
        for j in range(start[i], start[i + 1]):
            if size[j] > 0:
                out_port[at] = port[j]
                out_beats[at] = -(-size[j] // width[port[j]])
                at += 1
        out_start[i + 1] = at
    return at


def _reverse_edges(program: Program, compiled: bool) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Dependencies by predecessor: start, successor, kind, lag, and the original entry."""
    edges = program.dependencies
    if compiled:
        entries, empty = len(edges.kind), np.empty
        out = (np.zeros(len(program) + 1, np.int64), *(empty(entries, np.int64) for _ in range(4)))
        columns = plain_int64(edges.start, edges.predecessor, edges.kind, edges.lag)
        jit.compiled(reverse_edges)(*columns, *out)
        return out  # type: ignore[return-value]
    successor = np.repeat(np.arange(len(program)), np.diff(edges.start))
    order = np.argsort(edges.predecessor, kind="stable")
    start = np.zeros(len(program) + 1, np.int64)
    np.cumsum(np.bincount(edges.predecessor, minlength=len(program)), out=start[1:])
    return start, successor[order], edges.kind[order], edges.lag[order], order.astype(np.int64)


def _first_operands(program: Program) -> tuple[Ints, Ints]:
    """For stateful commands: bytes of the first operand, and whether it is written."""
    operands = program.operands
    size, writes = np.zeros(len(program), np.int64), np.zeros(len(program), np.int64)
    if not program.commands.served.any():
        return size, writes
    has = np.diff(operands.start) > 0
    first = operands.start[:-1][has]
    size[has] = operands.bytes[first]
    writes[has] = (operands.access[first] == Access.WRITE).astype(np.int64)
    return size, writes


def _moving_demands(program: Program, compiled: bool) -> tuple[Ints, Ints, Ints]:
    """Demands that move something: start, port, beats."""
    if compiled:
        d = program.demands
        first = np.zeros(len(program) + 1, np.int64)
        ports, moved = np.empty(len(d.port), np.int64), np.empty(len(d.port), np.int64)
        width = np.array([port.width for port in program.ports] or [1], np.int64)
        count = jit.compiled(moving_demands)(
            *plain_int64(d.start, d.port, d.bytes), width, first, ports, moved
        )
        return first, ports[:count], moved[:count]
    beats = demand_beats(program)
    keep = beats > 0
    rows = np.repeat(np.arange(len(program)), np.diff(program.demands.start))[keep]
    start = np.zeros(len(program) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(program)), out=start[1:])
    return start, program.demands.port[keep], beats[keep]
