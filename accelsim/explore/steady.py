"""Runs of a workload back to back: the rows of one run, request after request, in one Program.

Three ways are timed: requests in turn, as the rows stand, at the addresses of the one and with slots of their own; and
with those slots in the order in which commands issue when no request is behind another in a queue
(program/requests.py). The shortest interval stands, and none is longer than a run alone, after which the next may
begin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip
from accelsim.energy import EnergyReport, charge, counts_of, work_of
from accelsim.errors import InputError, Problem
from accelsim.mapping import Plan, compile_program
from accelsim.mapping.programs import release_lag
from accelsim.mapping.size import check_commands
from accelsim.mapping.tensors import updates
from accelsim.program.blocks import row_hashes
from accelsim.program.hazards import derived
from accelsim.program.requests import Slots, apart, in_order, in_requests, slots_of
from accelsim.program.table import BlockRow, Program
from accelsim.program.validate import validate
from accelsim.timing import Timeline, simulate
from accelsim.timing.bounds import lower_bounds
from accelsim.timing.costs import command_times
from accelsim.timing.events import HELPERS, run_events
from accelsim.timing.repeats import period
from accelsim.workload import Workload

Ints = NDArray[np.int64]
MOST_ROWS = 2_000_000  # of the first Program that is made, but for three runs at least
MORE_RUNS, MORE_ROWS = 160, 500_000  # of longer ones, made until the state of the engine repeats
CLOSE = 1.001  # of the busiest unit's or port's work: no other way is tried
TURNS, LEAST_TURNS = 12, 3  # runs after which an order may repeat, and how often it must be seen to


@dataclass(frozen=True, slots=True)
class Steady:
    """Runs back to back. first: seconds to the first run's last result. seconds: from one run's last result to the
    next's. energy: of one run, with leakage and background over that time; statistics stand for values. proved:
    the state of the engine repeats, and so do the seconds; else they are the mean of ``measured`` of ``runs``."""

    first: float
    seconds: float
    energy: EnergyReport
    proved: bool
    measured: int
    runs: int


@dataclass(frozen=True, slots=True)
class Lasting:
    """A run as long as that is charged for it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Alone:
    """One run: its Program and what that takes alone. pace: ticks that its busiest unit or port works, below which no
    interval lies. slots: for runs so far apart."""

    chip: Chip
    program: Program
    timeline: Timeline
    pace: int
    slots: Slots

    @property
    def inside(self) -> int:
        """Runs at work at once when one begins every pace."""
        return self.timeline.makespan // self.pace + 1


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests in an order. order: rows as requests in turn have them. ends: ticks of each one's last result.
    interval: ticks from one to the next, as the engine's state repeats (proved), or the mean over the last
    ``measured``, those left out that nothing follows."""

    program: Program
    order: Ints
    ends: Ints
    interval: float
    proved: bool
    measured: int


def steady(chip: Chip, workload: Workload, chosen: Plan) -> Steady:
    """Runs of a workload back to back on a chip, as planned for one. InputError for what does not fit, and for a
    training step, whose runs are not independent."""
    if updates(workload):
        raise InputError(
            Problem(
                "steady.updates",
                "changes stored tensors: each step reads what the one before wrote",
                "run it once",
                workload.name,
                workload.source,
            )
        )
    one = alone(chip, workload, chosen)
    ways = ((False, None), (False, one.slots), (True, one.slots))
    best = _settled(one, *ways[0])
    for free, slots in ways[1:]:
        if best.interval > CLOSE * one.pace:
            best = min(best, _settled(one, free, slots), key=lambda way: way.interval)
    validate(best.program, workload, derived=True)
    hz, ticks, first = one.program.tick_hz, best.interval, int(best.ends[0])
    proved, measured, runs = best.proved, best.measured, len(best.ends)
    if ticks >= one.timeline.makespan:
        first = ticks = one.timeline.makespan
        proved, measured, runs = True, 0, 1
    counts = counts_of(work_of(one.program, Lasting(ticks / hz)), chip)
    energy = charge(counts, chip)
    energy.check(workload.macs)
    return Steady(first / hz, ticks / hz, energy, proved, measured, runs)


def alone(chip: Chip, workload: Workload, chosen: Plan) -> Alone:
    """One run of a workload. InputError for what does not fit."""
    program = compile_program(chip, workload, chosen=chosen)
    timeline = simulate(program, chip)
    pace = max(1, *lower_bounds(program, timeline).values())
    slots = slots_of(program, timeline.issue, timeline.end, pace)
    return Alone(chip, program, timeline, pace, slots)


def _settled(one: Alone, free: bool, slots: Slots | None) -> Stream:
    """Runs in an order, as many as it takes until the state of the engine repeats, if it does. free, slots: as
    stream() takes them."""
    length = len(one.program)
    runs = max(3, min(one.inside + 4, MOST_ROWS // length))
    while True:
        check_commands(runs * length, len(one.program.units), f"in {runs} runs back to back")
        found = stream(one, runs, free, slots)
        if found.proved or 2 * runs > MORE_RUNS or 2 * runs * length > MORE_ROWS:
            return found
        runs *= 2


def stream(one: Alone, runs: int, free: bool, slots: Slots | None) -> Stream:
    """So many runs: in turn, or in the order in which their commands issue where runs are not behind others in
    queues (free). slots: None where all have the addresses of the one."""
    chip, length = one.chip, len(one.program)
    program = in_requests(one.program, runs, slots)
    lag, order = release_lag(chip, program), np.arange(len(program))
    if free:
        order = np.argsort(simulate(apart(program, lag), chip).issue, kind="stable")
    made = in_order(program, order, lag) if free else derived(program, lag)
    ends = np.zeros(runs, np.int64)
    np.maximum.at(ends, made.commands.request, simulate(made, chip).end)
    first, last = runs // 2, max(runs // 2 + 1, runs - 1 - one.inside)
    proof = _proof(chip, made, order, length)
    mean = max(float(one.pace), float(ends[last] - ends[first]) / (last - first))
    return Stream(
        made, order, ends, mean if proof is None else proof, proof is not None, last - first
    )


def _proof(chip: Chip, program: Program, order: Ints, length: int) -> float | None:
    """Ticks from one request to the next, where the state of the engine shows that it goes on so. length: rows of a
    request."""
    hashes = row_hashes(program)
    for turn in range(length, min(TURNS * length + 1, len(program)), length):
        block = _block(order, hashes, turn)
        if block is not None:
            fast = jit.fits(run_events, HELPERS, len(program), jit.COMMANDS_ABOVE)
            found = period(program, command_times(program, chip), block, fast)
            return None if found is None else found[0] * length / (found[1] * turn)
    return None


def _block(order: Ints, hashes: NDArray[np.uint64], turn: int) -> BlockRow | None:
    """The longest run of rows that so many rows later come again in later requests."""
    same = (order[turn:] == order[:-turn] + turn) & (hashes[turn:] == hashes[:-turn])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    low, high = edges[::2], edges[1::2]
    if not len(low):
        return None
    at = int(np.argmax(high - low))
    turns = int(high[at] - low[at]) // turn + 1
    return BlockRow(int(low[at]), turn, turns) if turns >= LEAST_TURNS else None
