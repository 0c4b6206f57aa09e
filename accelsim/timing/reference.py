"""The reference engine: the same timing semantics as SimPy processes, written for reading.

One process a queue, one resource-like object a unit and a port. Start here to try a new arbiter:
write a ``choose`` function and pass it to run_reference. It gives the same Timeline as the event
engine, event for event, at about a thousandth of the speed.

Order within one tick is SimPy's own (time, priority, sequence), with the phases as priorities:
grant ends, requests, unit grants by unit number, port grants by port number.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from accelsim.program.opcodes import Arbiter, Edge, Why
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

    def __init__(self, run: Reference, number: int, beat: int, quantum: int,
                 choose: Choose) -> None:  # fmt: skip
        self.run, self.beat, self.quantum, self.choose = run, beat, quantum, choose
        self.phase = PORT_GRANT + number
        self.waiting: list[Request] = []
        self.done: dict[int, simpy.Event] = {}
        self.busy = False
        self.last_unit = -1

    def request(self, unit: int, priority: int, beats: int) -> simpy.Event:
        """Ask for beats; the returned event happens when the last one has moved."""
        self.waiting.append(Request(unit, priority, beats, int(self.run.env.now)))
        self.done[unit] = self.run.env.event()
        self.run.later(0, self.phase, self.grant)
        return self.done[unit]

    def grant(self) -> None:
        if self.busy or not self.waiting:
            return
        self.busy = True
        chosen = self.choose(self.waiting, self.last_unit)
        whole = self.choose is first_come
        beats = chosen.left if whole else min(chosen.left, self.quantum)
        self.run.later(beats * self.beat, GRANT_END, lambda: self.end(chosen, beats))

    def end(self, chosen: Request, beats: int) -> None:
        self.busy = False
        self.last_unit = chosen.unit
        chosen.left -= beats
        if chosen.left == 0:
            self.waiting.remove(chosen)
            self.run.fire(self.done.pop(chosen.unit))
        self.run.later(0, self.phase, self.grant)


class Unit:
    """A unit: takes one command at a time from the queues that wait for it."""

    def __init__(self, run: Reference, number: int) -> None:
        self.run, self.number = run, number
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

    def grant(self) -> None:
        if self.busy or not self.waiting or self.free_at > self.run.env.now:
            return
        self.waiting.sort(key=lambda entry: entry[:3])
        self.busy = True
        self.run.fire(self.waiting.pop(0)[3])


class Reference:
    """Runs one Program; the columns it fills are a Timeline's."""

    def __init__(self, program: Program, times: Times, state: Ints | None,
                 arbiters: dict[int, Choose]) -> None:  # fmt: skip
        self.env = simpy.Environment()
        self.program, self.times = program, times
        words = len(program.units) * STATE_WORDS
        self.state = np.zeros(words, np.int64) if state is None else state.astype(np.int64)
        count = len(program)
        self.issue, self.first, self.release, self.end, self.why, self.ref = (
            [0] * count for _ in range(6)
        )
        self.interval = times.interval.tolist()
        self.events = [
            {kind: self.env.event() for kind in (Edge.DATA, Edge.SLOT, Edge.START)}
            for _ in range(count)
        ]
        self.units = [Unit(self, u) for u in range(len(program.units))]
        self.ports = [Port(self, number, row.beat, row.quantum, arbiters[row.arbiter])
                      for number, row in enumerate(program.ports)]  # fmt: skip
        rows: list[list[int]] = [[] for _ in program.queues]
        for row, queue in enumerate(program.commands.queue.tolist()):
            rows[queue].append(row)
        for queue, mine in enumerate(rows):
            self.env.process(self.queue(queue, mine))

    def later(self, delay: int, priority: int, action: Callable[[], None]) -> None:
        """Do something after ``delay`` ticks, in the given phase of that tick."""
        event = self.env.event()
        event._ok, event._value = True, None
        event.callbacks.append(lambda _: action())
        self.env.schedule(event, priority, delay)  # type: ignore[arg-type]

    def fire(self, event: simpy.Event) -> None:
        """Let an event happen now, before any other phase goes on."""
        event._ok, event._value = True, None
        self.env.schedule(event, GRANT_END)  # type: ignore[arg-type]

    def queue(self, queue: int, rows: list[int]) -> Process:
        """Issue the queue's commands in order."""
        program = self.program
        before, before_at = -1, 0
        for row in rows:
            at, why, whom = 0, Why.NONE, -1
            edges = program.dependencies
            for entry in range(int(edges.start[row]), int(edges.start[row + 1])):
                past = int(edges.predecessor[entry])
                kind, lag = Edge(int(edges.kind[entry])), int(edges.lag[entry])
                yield self.events[past][kind]
                when = {Edge.DATA: self.end, Edge.SLOT: self.release,
                        Edge.START: self.issue}[kind][past] + lag  # fmt: skip
                cause = Why(kind + 1)
                if when > at or (when == at and when > 0 and cause < why):
                    at, why, whom = when, cause, past
            if before_at > at:
                at, why, whom = before_at, Why.QUEUE, before
            phase = self.env.event()
            phase._ok, phase._value = True, None
            wait = max(0, at - int(self.env.now))
            self.env.schedule(phase, REQUEST, wait)  # type: ignore[arg-type]
            yield phase
            unit = self.units[int(program.commands.unit[row])]
            yield unit.request(program.queues[queue].priority, queue)
            now = int(self.env.now)
            if unit.free_at > at:
                why, whom = Why.UNIT, unit.last
            self.issue[row], self.why[row], self.ref[row] = now, int(why), whom
            unit.last = row
            before, before_at = row, now
            self.events[row][Edge.START].succeed()
            self.env.process(self.command(row, unit))

    def command(self, row: int, unit: Unit) -> Process:
        """One command on its unit, from the issue to the last result."""
        program = self.program
        now = int(self.env.now)
        interval, first = int(self.times.interval[row]), int(self.times.first[row])
        last = int(self.times.last[row])
        if program.commands.served[row]:
            interval, first, last = self.ask(row, now)
        self.interval[row] = interval
        moves = []
        demands = program.demands
        for entry in range(int(demands.start[row]), int(demands.start[row + 1])):
            number = int(demands.port[entry])
            beats = -(-int(demands.bytes[entry]) // program.ports[number].width)
            if beats:
                priority = program.units[unit.number].priority
                moves.append(self.ports[number].request(unit.number, priority, beats))
        yield from moves
        release = max(now + interval, int(self.env.now))
        end = max(release + last - interval, unit.last_end)
        self.release[row], self.end[row] = release, end
        self.first[row] = min(now + first, end)
        unit.free_at, unit.last_end, unit.busy = release, end, False
        self.events[row][Edge.SLOT].succeed()
        self.events[row][Edge.DATA].succeed()
        if unit.waiting:
            unit.wake()

    def ask(self, row: int, now: int) -> tuple[int, int, int]:
        """Times of a stateful command, asked for at its issue."""
        program = self.program
        unit = int(program.commands.unit[row])
        entry = int(program.operands.start[row])
        some = entry < int(program.operands.start[row + 1])
        size = int(program.operands.bytes[entry]) if some else 0
        write = int(program.operands.access[entry] == 1) if some else 0
        return serve(SERVERS[program.units[unit].serve], self.state, unit * STATE_WORDS,
                     int(program.commands.address[row]), size, write, now)  # fmt: skip


def run_reference(program: Program, times: Times, state: Ints | None = None,
                  arbiters: dict[int, Choose] | None = None) -> Timeline:  # fmt: skip
    """The Timeline of a Program by SimPy. arbiters: replaces or adds entries of ARBITERS."""
    run = Reference(program, times, state, {**ARBITERS, **(arbiters or {})})
    run.env.run()
    columns = [np.array(column, np.int64) for column in
               (run.issue, run.first, run.release, run.end, run.why, run.ref)]  # fmt: skip
    busy = np.zeros(len(program.ports), np.int64)
    rows = program.demands
    for port, size in zip(rows.port.tolist(), rows.bytes.tolist(), strict=True):
        busy[port] += -(-size // program.ports[port].width) * program.ports[port].beat
    makespan = int(columns[3].max()) if len(program) else 0
    issue, first, release, end, why, ref = columns
    return Timeline(issue, first, release, end, why, ref, np.array(run.interval, np.int64),
                    program.tick_hz, makespan, busy, "simpy")  # fmt: skip
