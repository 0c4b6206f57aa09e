"""The event engine's state (records.py) before anything has happened.

Plain code gets lists (scalar access is ten times faster), compiled code int64 arrays.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.opcodes import Access
from accelsim.program.table import Program, plain_int64
from accelsim.timing.costs import Times
from accelsim.timing.events import PHASE, REQUEST
from accelsim.timing.records import (
    Costs,
    Edges,
    EventState,
    Found,
    Heap,
    Moves,
    Ports,
    Queues,
    Successors,
    Units,
    Waits,
    of_window,
)
from accelsim.units.stateful import SERVERS, STATE_WORDS

Ints = NDArray[np.int64]
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


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


def demand_beats(program: Program) -> Ints:
    """Beats of every demand."""
    width = np.array([port.width for port in program.ports] or [1], np.int64)
    return -(-program.demands.bytes // width[program.demands.port])


def initial_state(
    program: Program, times: Times, arrays: bool, words: Ints | None = None, compiled: bool = False
) -> EventState:
    """The state before anything has happened. words: initial words of the stateful units. compiled:
    kernels are at hand."""
    commands, count = program.commands, len(program)
    ahead = of_window(program.commands_ahead, len(program))
    pending = np.diff(program.dependencies.start)
    pending[ahead:] += 1  # for room in the command memory
    queues = _queues(program, arrays)
    return EventState(
        progress=columns_for(arrays, np.array([0, -1, ahead, 0, 0]))[0],
        heap=_heap(program, arrays, pending, queues),
        costs=Costs(
            *columns_for(
                arrays,
                commands.unit,
                commands.queue,
                times.interval.copy(),
                times.last - times.interval,
                times.first.copy(),
                commands.served,
                commands.address,
                *_first_operands(program),
            )
        ),
        successors=Successors(*columns_for(arrays, *_reverse_edges(program, compiled))),
        waits=Waits(
            *columns_for(arrays, pending),
            *(blank(arrays, count, value) for value in (0, 0, -1, 0)),
        ),
        moves=Moves(*columns_for(arrays, *_moving_demands(program, compiled))),
        queues=queues,
        units=_units(program, arrays, words),
        ports=_ports(program, arrays),
        found=found_columns(arrays, count, -1),
    )


def found_columns(arrays: bool, count: int, value: int) -> Found:
    """Room for what an engine finds."""
    return Found(*(blank(arrays, count, value) for _ in Found._fields))


def _heap(program: Program, arrays: bool, pending: Ints, queues: Queues) -> Heap:
    """The requests of commands that wait for nothing, with room for all that may ever be pending."""
    most = int(np.diff(program.demands.start).max(initial=0))
    places = len(program.units) + len(program.queues) + max(1, len(program.ports))
    room = 8 * places + 4 * most + 4 * len(program)
    ready = [
        int(queues.items[h])
        for h, s in zip(queues.head, queues.stop, strict=True)
        if h < s and pending[queues.items[h]] == 0
    ]
    heap = Heap(blank(arrays, room), blank(arrays, room), blank(arrays, 1))
    for slot, row in enumerate(sorted(ready)):
        heap.key[slot] = REQUEST * PHASE + row
    heap.size[0] = len(ready)
    return heap


def _queues(program: Program, arrays: bool) -> Queues:
    queue, count = program.commands.queue, len(program.queues)
    order = np.argsort(queue, kind="stable")
    head, stop = (np.searchsorted(queue[order], np.arange(count), side) for side in SIDES)
    priority = np.array([row.priority for row in program.queues], np.int64)
    items, first, end, rank = columns_for(arrays, order, head, stop, priority)
    issue, last, waits, ready = (blank(arrays, count, value) for value in (0, -1, 0, 0))
    return Queues(items, first, end, issue, last, waits, ready, rank)


def _units(program: Program, arrays: bool, words: Ints | None) -> Units:
    rows = program.units
    rank = np.array([row.priority for row in rows], np.int64)
    server = np.array([SERVERS[row.serve] for row in rows], np.int64)
    memory = np.zeros(len(rows) * STATE_WORDS, np.int64) if words is None else words.copy()
    blanks = [blank(arrays, len(rows), value) for value in (0, 0, 0, -1, 0, 0)]
    return Units(*blanks, *columns_for(arrays, rank, server, *_feeding_queues(program), memory))


def _ports(program: Program, arrays: bool) -> Ports:
    rows, units = program.ports, len(program.units)
    count = max(1, len(rows))
    static = [
        np.array([getattr(row, name) for row in rows] or [1], np.int64)
        for name in ("arbiter", "quantum", "beat")
    ]
    return Ports(
        *columns_for(arrays, *static),
        *(blank(arrays, count, value) for value in (0, -1, 0, 0, -1, -1)),
        *(blank(arrays, count * units) for _ in range(3)),
    )


def _feeding_queues(program: Program) -> tuple[Ints, Ints]:
    """The queues that feed each unit, in order: start by unit, queue."""
    queues = max(1, len(program.queues))
    pairs = np.unique(program.commands.unit * queues + program.commands.queue)
    start = np.zeros(len(program.units) + 1, np.int64)
    np.cumsum(np.bincount(pairs // queues, minlength=len(program.units)), out=start[1:])
    return start, pairs % queues


@jit.allocates_nothing
def reverse_edges(edges: Edges, out: Successors) -> None:
    """_reverse_edges() in two passes. out.start: zeros."""
    start, place = edges.start, out.start
    rows = len(start) - 1
    for j in range(len(edges.row)):
        place[edges.row[j] + 1] += 1
    for i in range(rows):
        place[i + 1] += place[i]
    for i in range(rows):
        for j in range(start[i], start[i + 1]):
            p = edges.row[j]
            at = place[p]
            place[p] += 1
            out.row[at], out.kind[at], out.lag[at], out.edge[at] = i, edges.kind[j], edges.lag[j], j
    for i in range(rows, 0, -1):
        place[i] = place[i - 1]
    place[0] = 0


@jit.allocates_nothing
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


def _reverse_edges(program: Program, compiled: bool) -> Successors:
    """Dependencies by predecessor: start, successor, kind, lag, and the original entry."""
    edges = program.dependencies
    if compiled:
        entries, empty = len(edges.kind), np.empty
        start = np.zeros(len(program) + 1, np.int64)
        out = Successors(start, *(empty(entries, np.int64) for _ in range(4)))
        columns = plain_int64(edges.start, edges.predecessor, edges.kind, edges.lag)
        jit.compiled(reverse_edges)(Edges(*columns), out)
        return out
    successor = np.repeat(np.arange(len(program)), np.diff(edges.start))
    order = np.argsort(edges.predecessor, kind="stable")
    start = np.zeros(len(program) + 1, np.int64)
    np.cumsum(np.bincount(edges.predecessor, minlength=len(program)), out=start[1:])
    return Successors(
        start, successor[order], edges.kind[order], edges.lag[order], order.astype(np.int64)
    )


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
