"""What a Plan takes: its cycles by the engine, its joules by the accounts, from rows as counts."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.energy import EnergyReport, charge, compact, counts_of, work_of
from accelsim.explore.planned import form_of
from accelsim.explore.streamed import SUMS, stream
from accelsim.mapping import Plan
from accelsim.mapping.counted import counted
from accelsim.mapping.size import commands_of
from accelsim.mapping.tilings.near import CYCLES, Rates
from accelsim.program.table import Program
from accelsim.timing import Timeline, simulate
from accelsim.timing.windows import by_visit
from accelsim.workload import VectorOperator, Workload

COMPILE_ABOVE = 300  # commands: many runs of the same size pay for loading the kernel
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Run:
    """A Plan, and what the workload takes under it. added: cycles that each operator adds to those before it.
    turned: whether tensors lie off chip in the other order of axes, by name. work: in the chip's memories."""

    def __init__(self, chip: Chip, workload: Workload, chosen: Plan) -> None:
        self.chip, self.workload, self.chosen = chip, workload, chosen
        self.commands = sum(commands_of(chip, workload, chosen).values())
        if form_of(chip, self.commands) == SUMS:
            passed = stream(chip, workload, chosen)
            ticks, tick_hz, work = passed.makespan, passed.tick_hz, passed.work
            ends, self.turned = passed.times.windows.end, passed.turned
        else:
            program, self.turned = counted(chip, workload, chosen)
            engine = "compiled" if len(program) > COMPILE_ABOVE else "auto"
            timeline = simulate(program, chip, engine)  # type: ignore[arg-type]
            ticks, tick_hz = timeline.makespan, timeline.tick_hz
            work, ends = work_of(program, timeline), _ends(program, timeline)
        self.work = compact(work, chip)
        clock = chip.clocks[chip.core.clock]
        self.cycles = ticks * clock / tick_hz
        added = np.diff(np.maximum.accumulate(ends), prepend=0).reshape(-1, len(workload.operators))
        self.added: Floats = added.sum(axis=0) * (clock / tick_hz)

    @cached_property
    def energy(self) -> EnergyReport:
        """Every joule."""
        return charge(counts_of(self.work, self.chip), self.chip)

    @property
    def joules(self) -> float:
        """At the chip boundary."""
        return self.energy.total

    def value(self, objective: str) -> float:
        """The number that a search makes small."""
        return value_of(objective, self.cycles, 0.0 if objective == "cycles" else self.joules)

    def figures(self, rates: Rates) -> Floats:
        """What each MAC operator adds to the figure, in cycles or joules as ``rates`` weigh them, with the vector
        operators behind it, which read as it wrote."""
        found = self.added * rates.cycle
        if rates != CYCLES:
            for each in self.energy.charges:
                for operator, joules in zip(each.operators, each.joules, strict=True):
                    if operator >= 0:  # static energy is no operator's: cycles count for it
                        found[operator] += joules
        kinds = enumerate(self.workload.operators)
        macs = [0 if isinstance(op, VectorOperator) else number for number, op in kinds]
        owner = np.maximum.accumulate(np.array(macs, np.int64))
        return np.bincount(owner, found, len(found)).astype(np.float64)


def _ends(program: Program, timeline: Timeline) -> Ints:
    """Ticks at which the commands of each operator have ended, group of images after group; 0 of one without."""
    program, visits = by_visit(program, len(program.operators))
    owner = program.commands.operator
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    ends = np.zeros(len(visits), np.int64)
    ends[owner[first]] = np.maximum.reduceat(timeline.end, first)
    return ends


def value_of(objective: str, cycles: float, joules: float) -> float:
    """The number that a search makes small."""
    if objective == "cycles":
        return cycles
    return joules if objective == "energy" else cycles * joules
