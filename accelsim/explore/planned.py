"""From a Plan to a checked run, with what repeats planned and timed once, and what is large as its rows pass.

Every run goes through run_plan(). Equal layers are listed a few times (mapping/fold.py); when the timing
engine cannot prove from them how the others run, more are listed, in the end all. Where those are many, no table
of them is made (streamed.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, machine
from accelsim.energy.counts import Work, work_of
from accelsim.errors import one_of
from accelsim.explore.streamed import SUMS, Streamed, stream
from accelsim.mapping import Plan, compile_program
from accelsim.mapping.counted import compile_counts
from accelsim.mapping.fold import fold, layers_of
from accelsim.mapping.size import commands_of, fits_memory
from accelsim.program.digest import program_digest
from accelsim.program.repeats import commands_of as listed_commands
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.timing import Timeline, simulate
from accelsim.timing.bounds import check_bounds
from accelsim.timing.engine import ENGINES
from accelsim.timing.operators import OperatorTimes, operator_times
from accelsim.timing.repeats import Unsettled
from accelsim.timing.timeline import UnitTimes
from accelsim.workload import Workload
from accelsim.workload.repeats import Layers

TABLE, COUNTS = "table", "counts"  # what is kept of a run, beside SUMS
FORMS = (TABLE, COUNTS, SUMS)
KEPT = (5, 9)  # layers listed, one trial after the other
LISTED = 300_000  # commands of a Program whose table is made where nothing asks for it
MOST_UNITS = 1024  # each tick of a stream looks at all of them


@dataclass(frozen=True)
class Planned:
    """program, timeline: validated, timed. layers: those of which only ``kept`` are listed, or None. activity:
    columns from the values. counts: the Program is one of counts (mapping/counted.py), neither validated nor
    executed."""

    program: Program
    timeline: Timeline
    layers: Layers | None = None
    kept: int = 0
    activity: Mapping[str, NDArray[np.float64]] | None = None
    counts: bool = False

    @property
    def form(self) -> str:
        """What is kept of the run."""
        return COUNTS if self.counts else TABLE

    @property
    def commands(self) -> int:
        """How many commands ran."""
        return listed_commands(self.program)

    @property
    def makespan(self) -> int:
        """Ticks from the start to the last result."""
        return self.timeline.makespan

    @property
    def tick_hz(self) -> int:
        """Ticks a second."""
        return self.timeline.tick_hz

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the Program."""
        return program_digest(self.program)

    @cached_property
    def units(self) -> UnitTimes:
        """Where each unit's time went. ConservationError where the run is not sound."""
        check_bounds(self.program, self.timeline)
        return self.timeline.units(self.program)

    def check(self) -> None:
        """ConservationError where units' times do not add up or the run is shorter than its work allows."""
        self.units  # noqa: B018 - made and held against its bounds

    @cached_property
    def work(self) -> Work:
        """What was done."""
        return work_of(self.program, self.timeline, self.activity)

    def operators(self, chip: Chip, count: int) -> OperatorTimes:
        """When each of so many operators ran."""
        return operator_times(self.program, chip.far, self.timeline, count)

    def sums(self, chip: Chip, count: int) -> Streamed:
        """What the run of so many operators came to, without its table."""
        times = self.operators(chip, count)
        return Streamed(
            *(self.commands, self.makespan, self.tick_hz, self.units, self.work, times, {})
        )


def run_plan(
    chip: Chip,
    workload: Workload,
    chosen: Plan,
    engine: str = "auto",
    folds: bool = True,
    form: str = "",
) -> Planned | Streamed:
    """The run of a Plan: a Program, valid, and its Timeline, or what a large one came to. folds: whether equal
    layers may be listed once and noted; the SimPy engine takes Programs in full only. form: what is kept (TABLE,
    COUNTS, SUMS), by size where nothing is said. InputError for what does not fit, and for unknown words."""
    one_of("form", form, ("", *FORMS))
    one_of("engine", engine, ENGINES)
    layers = layers_of(chip, workload, chosen) if folds and engine != "simpy" else None
    counts = commands_of(chip, workload, chosen)
    for kept in KEPT if form in ("", TABLE) else ():
        if layers is None or kept >= layers.count:
            break
        if not form and large(chip, _listed(counts, layers, kept)):
            break
        made = fold(chip, workload, chosen, layers, kept)
        if made is None:
            break
        validate(made.program, made.workload, derived=True)
        try:
            timeline = simulate(made.program, chip, engine)  # type: ignore[arg-type]
        except Unsettled:
            continue
        return Planned(made.program, timeline, layers, kept)
    form = form or form_of(chip, sum(counts.values()), engine)
    if form == SUMS:
        return stream(chip, workload, chosen)
    if form == COUNTS:
        return _counts(chip, workload, chosen, engine)
    program = compile_program(chip, workload, chosen=chosen)
    validate(program, workload, derived=True)
    return Planned(program, simulate(program, chip, engine))  # type: ignore[arg-type]


def _listed(counts: Mapping[str, int], layers: Layers, kept: int) -> int:
    """Commands with so many of equal layers. counts: of every operator, in order."""
    sizes = list(counts.values())
    first, stop = (layers.first + n * layers.length for n in (kept, layers.count))
    return sum(sizes[:first]) + sum(sizes[stop:])


def large(chip: Chip, commands: int) -> bool:
    """Whether so many commands are more than a table is made of where nothing asks for it, or than there is memory
    for."""
    return commands > LISTED or not fits_memory(commands, len(machine(chip).units))


def form_of(chip: Chip, commands: int, engine: str = "auto") -> str:
    """What is kept of a run of so many commands: TABLE; where they are large SUMS, timed as rows pass, or COUNTS on
    more units than a stream looks at."""
    if engine not in ("auto", "compiled") or not large(chip, commands):
        return TABLE
    return SUMS if len(machine(chip).units) <= MOST_UNITS else COUNTS


def run_counts(
    chip: Chip, workload: Workload, chosen: Plan, engine: str = "auto"
) -> Planned | Streamed:
    """As run_plan, with rows as counts (mapping/counted.py) where every layer is listed: the same commands at
    the same ticks and the same work, in a Program that is neither validated nor executed. InputError as
    run_plan."""
    if layers_of(chip, workload, chosen) is not None:
        return run_plan(chip, workload, chosen, engine)
    if form_of(chip, sum(commands_of(chip, workload, chosen).values()), engine) == SUMS:
        return stream(chip, workload, chosen)
    return _counts(chip, workload, chosen, engine)


def _counts(chip: Chip, workload: Workload, chosen: Plan, engine: str) -> Planned:
    """A run without a table of what commands touch."""
    program = compile_counts(chip, workload, chosen)
    return Planned(program, simulate(program, chip, engine), counts=True)  # type: ignore[arg-type]
