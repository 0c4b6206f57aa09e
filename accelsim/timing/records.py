"""What the engines read and change, as NamedTuples of columns: lists in plain code, int64 arrays in compiled.

Everything that must survive a call of an engine is in them, so that the caller can stop between calls.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Heap(NamedTuple):
    """Pending events, smallest (time, key) first. size: how many, in its only element."""

    time: Any
    key: Any
    size: Any


class Costs(NamedTuple):
    """Of every command: unit, queue, ticks (drain: of the last result behind the interval), and what its
    stateful unit asks for: whether it is served, address and bytes, whether they are written."""

    unit: Any
    queue: Any
    interval: Any
    drain: Any
    first: Any
    served: Any
    address: Any
    size: Any
    writes: Any


class Successors(NamedTuple):
    """Dependencies by predecessor. edge: the entry of the Program's table."""

    start: Any
    row: Any
    kind: Any
    lag: Any
    edge: Any


class Waits(NamedTuple):
    """Of every command: dependencies that are still open, and of those that are met the last: when, Why, for
    which command, by which entry."""

    pending: Any
    at: Any
    why: Any
    ref: Any
    edge: Any


class Moves(NamedTuple):
    """Demands that move something: start by command, port, beats."""

    start: Any
    port: Any
    beats: Any


class Queues(NamedTuple):
    """Commands in order of queues; of every queue the next of them and the end, the last issue (when, which
    command), whether the next one waits for its unit and since when, and its rank."""

    items: Any
    head: Any
    stop: Any
    issue: Any
    last: Any
    waits: Any
    ready: Any
    priority: Any


class Units(NamedTuple):
    """Of every unit: when it is free, whether it is busy, its last result, its last command, ports that still
    serve that, queues that wait, rank and server; the queues that feed it; words of its own state."""

    free: Any
    busy: Any
    end: Any
    last: Any
    left: Any
    waiting: Any
    priority: Any
    server: Any
    feed_start: Any
    feed: Any
    words: Any


class Ports(NamedTuple):
    """Of every port: arbiter, beats of a quantum, ticks of a beat; units that ask; the grant at work: whose (-1:
    none), since when, beats, its end (-1: over); whose was the last. By port and unit: beats left, when it asked; by
    port: the units that ask, in no order."""

    arbiter: Any
    quantum: Any
    beat: Any
    active: Any
    holder: Any
    since: Any
    granted: Any
    end: Any
    last: Any
    left: Any
    arrival: Any
    asking: Any


class Found(NamedTuple):
    """Of every command: issue, first result, release, last result, why it waited, and for which command."""

    issue: Any
    first: Any
    release: Any
    end: Any
    why: Any
    ref: Any


class EventState(NamedTuple):
    """All that run_events reads and changes. progress: commands issued (ISSUED), the command whose issue
    ends a call (MARK; -1: none), entries of the command memory (AHEAD), the first command that has not left it
    (OLDEST), and when those before it had ended (GONE)."""

    progress: Any
    heap: Heap
    costs: Costs
    successors: Successors
    waits: Waits
    moves: Moves
    queues: Queues
    units: Units
    ports: Ports
    found: Found

    def check(self) -> None:
        """RuntimeError unless every command has issued."""
        left = len(self.found.issue) - int(self.progress[0])
        if left:
            raise RuntimeError(f"{left} commands never became ready")

    def results(self) -> list[Ints]:
        """issue, first, release, end, why, ref, interval of every command."""
        return [np.asarray(column, np.int64) for column in (*self.found, self.costs.interval)]


class Edges(NamedTuple):
    """Dependencies by command, as the Program lists them."""

    start: Any
    row: Any
    kind: Any
    lag: Any


class OrderState(NamedTuple):
    """All that run_in_order reads and changes. busy: interval or port time of a command, the longer; of units
    when they are free, their last result and command; of queues the last issue and its command. ahead: entries of
    the command memory (of_window()); gone: when all that have left it had ended, the only element."""

    unit: Any
    queue: Any
    busy: Any
    drain: Any
    first: Any
    edges: Edges
    found: Found
    unit_free: Any
    unit_end: Any
    unit_last: Any
    queue_issue: Any
    queue_last: Any
    ahead: Any
    gone: Any


UNBOUNDED = 1 << 61  # entries of a command memory that holds every row


def of_window(ahead: int, commands: int) -> int:
    """Entries of a Program's command memory, as engines take them: UNBOUNDED where all commands have room."""
    return ahead if 0 < ahead < commands else UNBOUNDED


class Demanded(NamedTuple):
    """The Program's demands: start by command, port, bytes; and of every port bytes and ticks of a beat."""

    start: Any
    port: Any
    size: Any
    width: Any
    beat: Any


class Ring(NamedTuple):
    """Where a number's entry lies: number & row, & edge, & move, of commands, edges and moves. ahead: entries of the
    command memory (of_window())."""

    row: int
    edge: int
    move: int
    ahead: int


class PullRows(NamedTuple):
    """Of every command: unit; interval or time of the ports that are its unit's alone, the longer; drain; first
    result; the next command of its unit (-1: none known). moves: over shared ports. gone: when it and all before it
    had ended, where the command memory is bounded."""

    unit: Any
    hold: Any
    drain: Any
    first: Any
    later: Any
    edges: Edges
    moves: Moves
    ring: Ring
    gone: Any


class PullUnits(NamedTuple):
    """Of every unit: rank; its next command (-1: none), when that issues (NEVER: not known), and of the dependencies
    looked at so far the last: when, Why, for which command; the dependency to look at, and the command that it
    waits for (-1: none, ROOM: to be in the command memory). Shared ports that still serve it, its last command, when
    it is free, its last result. todo, finished: room for lists of units to look at and of commands that are over."""

    priority: Any
    head: Any
    ready: Any
    at: Any
    cause: Any
    whom: Any
    place: Any
    waits_for: Any
    busy: Any
    last: Any
    free: Any
    end: Any
    todo: Any
    finished: Any


class PullPorts(NamedTuple):
    """shared: numbers of the ports that several units use. Of every port: arbiter, beats of a quantum, ticks of a
    beat; the grant at work: its end, whose, since when, beats; whose was the last; units that ask. By port and
    unit: beats left, when it asked."""

    shared: Any
    arbiter: Any
    quantum: Any
    beat: Any
    end: Any
    holder: Any
    since: Any
    granted: Any
    last: Any
    active: Any
    left: Any
    arrival: Any
