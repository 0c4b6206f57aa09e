"""The reference engine: the same timing semantics as SimPy processes, written for reading.

One process a queue, one resource-like object a unit and a port. Start here to try a new arbiter:
write a ``choose`` function and pass it to run_reference. It gives the same Timeline as the event
engine, event for event, at about a thousandth of the speed.

Order within one tick is SimPy's own (time, priority, sequence), with the phases as priorities:
grant ends, requests, unit grants by unit number, port grants by port number.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import pairwise
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from accelsim.program.opcodes import Access, Arbiter, Edge, Why
from accelsim.program.table import Program
from accelsim.timing.costs import Times
from accelsim.timing.timeline import Timeline
from accelsim.units.stateful import SERVERS, STATE_WORDS, serve

Ints = NDArray[np.int64]
#: phases of a tick; unit and port grants add their number, so that lower numbers go first
GRANT_END, REQUEST, UNIT_GRANT, PORT_GRANT = 0, 1 << 20, 2 << 20, 3 << 20
Process = Generator[simpy.Event, Any, None]


class Request:
    """A command's bytes on one port, in beats still to move."""

    def __init__(self, unit: int, priority: int, beats: int, arrival: int) -> None:
        self.unit, self.priority, self.left, self.arrival = unit, priority, beats, arrival


Choose = Callable[[list[Request], int], Request]


def round_robin(waiting: list[Request], last_unit: int) -> Request:
    """The next unit number after the one served last, around the circle."""
    later = [request for request in waiting if request.unit > last_unit]
    return min(later or waiting, key=lambda request: request.unit)


def first_come(waiting: list[Request], last_unit: int) -> Request:
    """The oldest request; ties by unit priority, then number. It runs to completion."""
    return min(waiting, key=lambda request: (request.arrival, request.priority, request.unit))


def by_priority(waiting: list[Request], last_unit: int) -> Request:
    """The smallest unit priority, then the smallest unit number."""
    return min(waiting, key=lambda request: (request.priority, request.unit))


ARBITERS: dict[int, Choose] = {
    Arbiter.ROUND_ROBIN: round_robin,
    Arbiter.FIRST_COME: first_come,
    Arbiter.PRIORITY: by_priority,
}


class Port:
    """A shared port: one quantum at a time to the requester that ``choose`` picks."""

    def __init__(
        self, run: Reference, number: int, beat: int, quantum: int, choose: Choose
    ) -> None:
        self.run, self.beat, self.quantum, self.choose = run, beat, quantum, choose
        self.phase = PORT_GRANT + number
        self.waiting: list[Request] = []
        self.done: dict[int, Callable[[], None]] = {}
        self.busy = False
        self.last_unit = -1

    def request(self, unit: int, priority: int, beats: int, done: Callable[[], None]) -> None:
        """Ask for beats; ``done`` is called when the last one has moved."""
        self.waiting.append(Request(unit, priority, beats, int(self.run.env.now)))
        self.done[unit] = done
        if not self.busy:
            self.run.later(0, self.phase, self.grant)

    def grant(self, _: simpy.Event) -> None:
        if self.busy or not self.waiting:
            return
        self.busy = True
        chosen = self.choose(self.waiting, self.last_unit)
        whole = self.choose is first_come
        beats = chosen.left if whole else min(chosen.left, self.quantum)
        self.run.later(beats * self.beat, GRANT_END, lambda _: self.end(chosen, beats))

    def end(self, chosen: Request, beats: int) -> None:
        self.busy = False
        self.last_unit = chosen.unit
        chosen.left -= beats
        if chosen.left == 0:
            self.waiting.remove(chosen)
            self.done.pop(chosen.unit)()
        if self.waiting:
            self.run.later(0, self.phase, self.grant)


class Unit:
    """A unit: takes one command at a time from the queues that wait for it."""

    def __init__(self, run: Reference, number: int) -> None:
        self.run, self.number = run, number
        self.priority = run.program.units[number].priority
        self.free_at, self.busy, self.last_end, self.last = 0, False, 0, -1
        self.waiting: list[tuple[int, int, int, simpy.Event]] = []

    def request(self, priority: int, queue: int) -> simpy.Event:
        """Ask for the unit; the returned event happens when the command may issue."""
        turn = self.run.env.event()
        self.waiting.append((priority, int(self.run.env.now), queue, turn))
        self.wake()
        return turn

    def wake(self) -> None:
        if not self.busy:
            wait = max(0, self.free_at - int(self.run.env.now))
            self.run.later(wait, UNIT_GRANT + self.number, self.grant)

    def grant(self, _: simpy.Event) -> None:
        if self.busy or not self.waiting or self.free_at > self.run.env.now:
            return
        self.waiting.sort(key=lambda entry: entry[:3])
        self.busy = True
        self.run.fire(self.waiting.pop(0)[3])


class Columns:
    """The Program's columns as plain lists: reading an array one number at a time is slow."""

    def __init__(self, program: Program, times: Times) -> None:
        commands, operands = program.commands, program.operands
        edges, demands = program.dependencies, program.demands
        self.unit, self.served = commands.unit.tolist(), commands.served.tolist()
        self.address = commands.address.tolist()
        self.interval, self.first = times.interval.tolist(), times.first.tolist()
        self.last = times.last.tolist()
        edge = list(
            zip(edges.predecessor.tolist(), edges.kind.tolist(), edges.lag.tolist(), strict=True)
        )
        self.edges = _by_row(edge, edges.start)
        width = [row.width for row in program.ports]
        moved = zip(demands.port.tolist(), demands.bytes.tolist(), strict=True)
        self.demands = _by_row(
            [(port, -(-size // width[port])) for port, size in moved], demands.start
        )
        self.operand_start = operands.start.tolist()


def _by_row(entries: list[Any], start: Ints) -> list[list[Any]]:
    bounds = start.tolist()
    return [entries[low:high] for low, high in pairwise(bounds)]


class Reference:
    """Runs one Program; the columns it fills are a Timeline's."""

    def __init__(
        self, program: Program, times: Times, state: Ints | None, arbiters: dict[int, Choose]
    ) -> None:
        self.env = simpy.Environment()
        self.program, self.columns = program, Columns(program, times)
        words = len(program.units) * STATE_WORDS
        self.state = np.zeros(words, np.int64) if state is None else state.astype(np.int64)
        count = len(program)
        self.first, self.why, self.ref = ([0] * count for _ in range(3))
        #: by Edge kind; a time is -1 until it is known
        self.end, self.release, self.issue = ([-1] * count for _ in range(3))
        self.at = (self.end, self.release, self.issue)
        self.interval = self.columns.interval
        #: what others wait for: the end of a command (or its release), its issue
        self.finished: dict[int, simpy.Event] = {}
        self.issued: dict[int, simpy.Event] = {}
        #: the command memory: when all up to a row that has left it had ended, by row; who waits for that
        self.left: list[int] = []
        self.leaving: dict[int, simpy.Event] = {}
        self.ahead = program.commands_ahead or count
        self.units = [Unit(self, u) for u in range(len(program.units))]
        self.ports = [
            Port(self, number, row.beat, row.quantum, arbiters[row.arbiter])
            for number, row in enumerate(program.ports)
        ]
        rows: list[list[int]] = [[] for _ in program.queues]
        for row, queue in enumerate(program.commands.queue.tolist()):
            rows[queue].append(row)
        for queue, mine in enumerate(rows):
            self.env.process(self.queue(queue, mine))

    def later(self, delay: int, priority: int, action: Callable[[simpy.Event], None]) -> None:
        """Do something after ``delay`` ticks, in the given phase of that tick."""
        event = self.moment(delay, priority)
        event.callbacks.append(action)

    def moment(self, delay: int, priority: int) -> simpy.Event:
        """An event that happens after ``delay`` ticks, in the given phase of that tick."""
        event = simpy.Event(self.env)
        event._ok, event._value = True, None
        self.env.schedule(event, priority, delay)  # type: ignore[arg-type]
        return event

    def fire(self, event: simpy.Event | None) -> None:
        """Let an event happen now, before any other phase goes on."""
        if event is not None:
            event._ok, event._value = True, None
            self.env.schedule(event, GRANT_END)  # type: ignore[arg-type]

    def queue(self, queue: int, rows: list[int]) -> Process:
        """Issue the queue's commands in order."""
        columns, priority = self.columns, self.program.queues[queue].priority
        before, before_at = -1, 0
        for row in rows:
            at, why, whom = 0, int(Why.NONE), -1
            for past, kind, lag in columns.edges[row]:
                known = self.at[kind]
                if known[past] < 0:
                    awaited = self.issued if kind == Edge.START else self.finished
                    yield awaited.setdefault(past, self.env.event())
                when, cause = known[past] + lag, kind + 1
                if when > at or (when == at and when > 0 and cause < why):
                    at, why, whom = when, cause, past
            if (oldest := row - self.ahead) >= 0:
                if oldest >= len(self.left):
                    yield self.leaving.setdefault(oldest, self.env.event())
                if self.left[oldest] > at:
                    at, why, whom = self.left[oldest], int(Why.QUEUE), oldest
            if before_at > at:
                at, why, whom = before_at, int(Why.QUEUE), before
            if at > self.env.now:
                yield self.moment(at - int(self.env.now), REQUEST)
            unit = self.units[columns.unit[row]]
            yield unit.request(priority, queue)
            now = int(self.env.now)
            if unit.free_at > at:
                why, whom = int(Why.UNIT), unit.last
            self.issue[row], self.why[row], self.ref[row] = now, why, whom
            unit.last = row
            before, before_at = row, now
            self.fire(self.issued.pop(row, None))
            if columns.served[row]:
                columns.interval[row], columns.first[row], columns.last[row] = self.ask(row, now)
            self.move(row, unit)

    def move(self, row: int, unit: Unit) -> None:
        """Ask every port for the command's bytes at once; it finishes with the last of them."""
        moves = [(port, beats) for port, beats in self.columns.demands[row] if beats]
        left = len(moves)

        def done() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.finish(row, unit)

        for port, beats in moves:
            self.ports[port].request(unit.number, unit.priority, beats, done)
        if not moves:
            self.finish(row, unit)

    def finish(self, row: int, unit: Unit) -> None:
        """All bytes have moved: the rest of the command's times follow from its shape."""
        columns, issue = self.columns, self.issue[row]
        release = max(issue + columns.interval[row], int(self.env.now))
        end = max(release + columns.last[row] - columns.interval[row], unit.last_end)
        self.release[row], self.end[row] = release, end
        self.first[row] = min(issue + columns.first[row], end)
        unit.free_at, unit.last_end, unit.busy = release, end, False
        self.fire(self.finished.pop(row, None))
        self.leave()
        if unit.waiting:
            unit.wake()

    def leave(self) -> None:
        """Rows that are over, with all before them, leave the command memory."""
        while (row := len(self.left)) < len(self.end) and self.end[row] >= 0:
            self.left.append(max(self.end[row], self.left[-1] if self.left else 0))
            self.fire(self.leaving.pop(row, None))

    def ask(self, row: int, now: int) -> tuple[int, int, int]:
        """Times of a stateful command, asked for at its issue."""
        program, columns = self.program, self.columns
        unit, entry = columns.unit[row], columns.operand_start[row]
        some = entry < columns.operand_start[row + 1]
        size = int(program.operands.bytes[entry]) if some else 0
        write = int(program.operands.access[entry] == Access.WRITE) if some else 0
        return serve(
            SERVERS[program.units[unit].serve],
            self.state,
            unit * STATE_WORDS,
            columns.address[row],
            size,
            write,
            now,
        )


def run_reference(
    program: Program,
    times: Times,
    state: Ints | None = None,
    arbiters: dict[int, Choose] | None = None,
) -> Timeline:
    """The Timeline of a Program by SimPy. arbiters: replaces or adds entries of ARBITERS."""
    run = Reference(program, times, state, {**ARBITERS, **(arbiters or {})})
    run.env.run()
    columns = [
        np.array(column, np.int64)
        for column in (run.issue, run.first, run.release, run.end, run.why, run.ref)
    ]
    busy = np.zeros(len(program.ports), np.int64)
    rows = program.demands
    for port, size in zip(rows.port.tolist(), rows.bytes.tolist(), strict=True):
        busy[port] += -(-size // program.ports[port].width) * program.ports[port].beat
    makespan = int(columns[3].max()) if len(program) else 0
    issue, first, release, end, why, ref = columns
    return Timeline(
        issue,
        first,
        release,
        end,
        why,
        ref,
        np.array(run.interval, np.int64),
        program.tick_hz,
        makespan,
        busy,
        "simpy",
    )
