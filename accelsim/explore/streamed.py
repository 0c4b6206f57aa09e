"""A run whose rows pass: timed, counted and charged as they come, and left behind.

What is kept does not grow with a layer's tiles: sums by operator, unit, shape and port, and the rows that the command
memory may hold (docs/decisions/0008). The sums are those of the table, to the tick and the byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit, resources
from accelsim.chip import Chip
from accelsim.energy.counts import Moving, Work, kinds_of, links_of, tally
from accelsim.errors import ConservationError
from accelsim.mapping import Plan
from accelsim.mapping.counted import check_sums, products_of
from accelsim.mapping.passing import Chunk, Passing, Survey
from accelsim.mapping.size import PREPARED_BYTES
from accelsim.program.opcodes import Access
from accelsim.timing.bounds import hold_bounds
from accelsim.timing.costs import shape_times
from accelsim.timing.engine import port_ticks, refuse_range
from accelsim.timing.operators import (
    END,
    MATMUL,
    MVM,
    READ_OFF_CHIP,
    WRITTEN_OFF_CHIP,
    OperatorTimes,
    Timed,
    blank_table,
    of_all,
    operator_ticks,
)
from accelsim.timing.pull import SEVERAL
from accelsim.timing.ring import Ended, Passed, RingEngine, bounded, ring_size
from accelsim.timing.timeline import COLUMNS, UnitTimes, unit_ticks
from accelsim.timing.windows import Computing, Windows
from accelsim.workload import Workload

Ints = NDArray[np.int64]
SUMS = "sums"  # what is kept of such a run
ENTRY_BYTES = 300  # of a row in the ring, with its edges and what it knows of others


@dataclass(frozen=True)
class Streamed:
    """What a run came to, as explore.planned.Planned says it: commands, ticks, where units' and operators' time went,
    what was done, and which tensors lie off chip in the other order of their axes. layers, kept: none are left out."""

    commands: int
    makespan: int
    tick_hz: int
    units: UnitTimes
    work: Work
    times: OperatorTimes
    turned: dict[str, bool]
    layers: None = None
    kept: int = 0
    form: str = SUMS

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all sums, in the place of a Program that was never there."""
        work, total = self.work, hashlib.sha256()
        total.update(f"{self.commands} {self.makespan} {self.tick_hz}".encode())
        sums = (self.units.table, self.times.table, self.times.computing)
        for column in (*sums, work.shapes.extents, work.runs, work.read, work.written):
            total.update(np.ascontiguousarray(column).data)
        return total.hexdigest()

    def check(self) -> None:
        """Nothing: a run that passed was checked as it ended."""

    def operators(self, chip: Chip, count: int) -> OperatorTimes:
        """When each of the operators ran."""
        return self.times


def stream(chip: Chip, workload: Workload, chosen: Plan) -> Streamed:
    """The run of a Plan. InputError for what does not fit; ConservationError where sums are not the workload's."""
    rows = Passing(chip, workload, chosen)
    survey = rows.survey()
    ahead = bounded(chip.commands_ahead, survey.rows)
    resources.require(
        PREPARED_BYTES + ENTRY_BYTES * ring_size(ahead, survey.most),
        f"{survey.rows:,} commands that pass a command memory of {ahead:,}",
        "make the chip's commands_ahead smaller",
        workload.source,
    )
    users = survey.moves.sum(axis=0)
    user = np.where(users > 1, SEVERAL, np.where(users == 1, survey.moves.argmax(axis=0), -1))
    made = rows.machine
    engine = RingEngine(
        made.units, made.ports, user.astype(np.int64), ahead, survey.most, survey.rows, rows.fast
    )
    counted, clocked = Counting(rows, survey), Clocking(rows)
    chunks = rows.chunks(survey)
    while not engine.over:
        while engine.wants():
            chunk = next(chunks)
            counted.add(chunk)
            engine.add(counted.passed(chunk))
        engine.run()
        for ended in engine.ended():
            clocked.add(ended)
        clocked.settle(engine.until())
    for _ in chunks:  # nothing is left; what the rows left behind is checked
        raise ConservationError("there are more rows than were seen at first")
    return _result(rows, counted, clocked, survey)


def _result(rows: Passing, counted: Counting, clocked: Clocking, survey: Survey) -> Streamed:
    """The sums, checked as every run's are."""
    made, makespan = rows.machine, clocked.makespan
    counted.check()
    units = UnitTimes(made.units, clocked.units, makespan)
    busy = {
        row.name: int(ticks) for row, ticks in zip(made.units, clocked.units[:, 0], strict=True)
    }
    moved = zip(made.ports, counted.busy.tolist(), strict=False)
    hold_bounds({**busy, **{row.name: ticks for row, ticks in moved}}, makespan)
    many = len(rows.workload.operators)
    windows = Windows.of(clocked.table[END], np.tile(np.arange(many), rows.parts.turns))
    table = of_all(clocked.table, many)
    table[READ_OFF_CHIP], table[WRITTEN_OFF_CHIP] = counted.off_chip
    operators = OperatorTimes(table, clocked.computing.ticks(windows), windows)
    seconds = makespan / made.tick_hz
    work = counted.work(seconds)
    turned = rows.reader.transfers.lies(rows.parts.named)
    return Streamed(survey.rows, makespan, made.tick_hz, units, work, operators, turned)


class Counting:
    """What rows do, added up before they run: executions, bytes, ticks of ports."""

    def __init__(self, rows: Passing, survey: Survey) -> None:
        made, operators = rows.machine, len(rows.workload.operators)
        self.rows, self.survey, self.made = rows, survey, made
        self.times = shape_times(survey.shapes, made.unit_kinds, made.tick_hz, rows.chip)
        self.names, self.kind = kinds_of(row.name for row in made.memories)
        shapes = len(survey.shapes.kind)
        self.runs = np.zeros((operators + 1, shapes), np.int64)
        self.read, self.written = (
            np.zeros((len(self.names), operators + 1), np.int64) for _ in range(2)
        )
        self.links, self.link = links_of(
            (row.name for row in made.memories), (row.name for row in made.ports)
        )
        self.carried = np.zeros((len(self.links), operators + 1), np.int64)
        self.off_chip = np.zeros((2, operators), np.int64)
        self.dram = made.memory_index[rows.chip.far]
        ports = made.ports
        self.busy = np.zeros(max(1, len(ports)), np.int64)
        self.width, self.beat = (
            np.array([getattr(port, name) for port in ports] or [1], np.int64)
            for name in ("width", "beat")
        )
        self.ticks = 0.0  # of all rows one behind another
        self.tally = jit.compiled(tally) if rows.fast else tally
        self.port_ticks = jit.compiled(port_ticks) if rows.fast else port_ticks

    def add(self, c: Chunk) -> None:
        """Add up a chunk. InputError where all rows together end behind the engine's integers."""
        owner = np.full(len(c.unit), c.operator, np.int64)
        moving = Moving(owner, c.shape, c.start, c.memory, c.access, c.bytes, self.kind)
        self.tally(0, len(c.unit), 0, moving, self.runs, self.read, self.written)
        far = c.memory == self.dram
        for side, access in enumerate((Access.READ, Access.WRITE)):
            self.off_chip[side, c.operator] += c.bytes[far & (c.access == access)].sum()
        d = c.demands
        for number in range(len(self.links)):
            self.carried[number, c.operator + 1] += d.bytes[self.link[d.port] == number].sum()
        self.port_ticks(d.port, d.bytes, self.width, self.beat, self.busy)
        self.ticks += float(self.times.last[c.shape].sum(dtype=np.float64))
        refuse_range(self.ticks + float(self.busy.sum(dtype=np.float64)), self.made.tick_hz)

    def passed(self, c: Chunk) -> Passed:
        """A chunk as the engine takes it."""
        visit = c.turn * len(self.rows.workload.operators) + c.operator
        owner = np.full(len(c.unit), visit, np.int64)
        opcode = self.survey.shapes.opcode[c.shape]
        return Passed(c.unit, owner, opcode, self.times.take(c.shape), c.edges, c.demands)

    def check(self) -> None:
        """ConservationError unless every operator computes all its products and stores all its results."""
        reader = self.rows.reader
        done = self.runs[1:] @ products_of(self.survey.shapes)
        check_sums(done, self.rows.workload, reader.transfers.written, self.rows.parts)

    def work(self, seconds: float) -> Work:
        """What energy reads."""
        runs = np.asarray(self.runs, np.float64)
        nothing = np.zeros_like(self.carried)
        sides = ((self.read, self.carried), (self.written, nothing))
        read, written = (8.0 * np.concatenate(side).astype(np.float64) for side in sides)
        shapes, kinds, names = self.survey.shapes, self.made.unit_kinds, (*self.names, *self.links)
        return Work(shapes, kinds, names, runs, read, written, None, {}, seconds)


class Clocking:
    """When rows ran, added up as they end, by operator and group of images."""

    def __init__(self, rows: Passing) -> None:
        operators = rows.parts.turns * len(rows.workload.operators)
        self.units = np.zeros((len(rows.machine.units), COLUMNS), np.int64)
        self.table = blank_table(operators)
        self.before = np.zeros((2, len(self.units)), np.int64)
        self.computing, self.makespan = Computing(operators), 0
        self.unit_ticks = jit.compiled(unit_ticks) if rows.fast else unit_ticks
        self.operator_ticks = jit.compiled(operator_ticks) if rows.fast else operator_ticks
        self.none: Any = np.zeros(0, np.int64)

    def add(self, e: Ended) -> None:
        """Rows that have ended."""
        count, none = len(e.unit), self.none
        times = (e.issue, e.release, e.end, e.interval, e.why)
        sound = self.unit_ticks(e.unit, *times[:4], e.why, 0, self.units)
        start = np.zeros(count + 1, np.int64)
        timed = Timed(e.opcode, e.unit, e.operator, *times, start, none, none, none)
        sound &= self.operator_ticks(0, count, 0, 0, timed, -1, self.before, self.table)
        if not sound:
            raise ConservationError("rows of a unit do not issue in order")
        opcode, issue, interval, end = (
            np.asarray(c, np.int64) for c in (e.opcode, e.issue, e.interval, e.end)
        )
        macs = (opcode == MATMUL) | (opcode == MVM)
        self.computing.add(issue[macs], (issue + interval)[macs])
        self.makespan = max(self.makespan, int(end.max(initial=0)))

    def settle(self, until: int) -> None:
        """Rows that come issue at that tick or later."""
        self.computing.settle(min(until, self.makespan + 1), self.table[END])
