"""What a Plan takes: its cycles by the engine, its joules by the accounts, from rows as counts."""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.energy import account, charge, counts_of
from accelsim.explore.planned import passes
from accelsim.explore.streamed import stream
from accelsim.mapping import Plan
from accelsim.mapping.counted import compile_counts
from accelsim.mapping.size import commands_of
from accelsim.mapping.tilings.search import Run
from accelsim.timing import simulate
from accelsim.workload import Workload

COMPILE_ABOVE = 300  # commands: many runs of the same size pay for loading the kernel


def whole(chip: Chip, workload: Workload, chosen: Plan) -> tuple[float, float]:
    """(cycles of the array's clock, joules at the chip boundary) of a Plan."""
    run = run_of(chip, workload, chosen)
    return run.cycles, run.joules


def run_of(chip: Chip, workload: Workload, chosen: Plan) -> Run:
    """What a Plan takes."""
    clock = chip.clocks[chip.core.clock]
    if passes(chip, sum(commands_of(chip, workload, chosen).values())):
        passed = stream(chip, workload, chosen)
        cycles = passed.makespan * clock / passed.tick_hz
        return Run(cycles, lambda: charge(counts_of(passed.work, chip), chip).total)
    program = compile_counts(chip, workload, chosen)
    engine = "compiled" if len(program) > COMPILE_ABOVE else "auto"
    timeline = simulate(program, chip, engine)  # type: ignore[arg-type]
    cycles = timeline.makespan * clock / timeline.tick_hz
    return Run(cycles, lambda: account(program, chip, timeline).total)
