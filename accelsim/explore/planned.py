"""From a Plan to a checked Program and its Timeline, with what repeats planned and timed once.

Every run goes through run_plan(). Equal layers are listed a few times (mapping/fold.py); when the timing
engine cannot prove from them how the others run, more are listed, in the end all.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.chip import Chip
from accelsim.mapping import Plan, compile_program
from accelsim.mapping.counted import compile_counts
from accelsim.mapping.fold import fold, layers_of
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.timing import Timeline, simulate
from accelsim.timing.repeats import Unsettled
from accelsim.workload import Workload
from accelsim.workload.repeats import Layers

KEPT = (5, 9)  # layers listed, one trial after the other


@dataclass(frozen=True, slots=True)
class Planned:
    """program, timeline: validated, timed. layers: those of which only ``kept`` are listed, or None."""

    program: Program
    timeline: Timeline
    layers: Layers | None = None
    kept: int = 0


def run_plan(
    chip: Chip, workload: Workload, chosen: Plan, engine: str = "auto", folds: bool = True
) -> Planned:
    """The Program of a Plan, valid, and its Timeline. folds: whether equal layers may be listed once and
    noted; the SimPy engine takes Programs in full only. InputError for what does not fit."""
    layers = layers_of(chip, workload, chosen) if folds and engine != "simpy" else None
    for kept in KEPT:
        if layers is None or kept >= layers.count:
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
    program = compile_program(chip, workload, chosen=chosen)
    validate(program, workload, derived=True)
    return Planned(program, simulate(program, chip, engine))  # type: ignore[arg-type]


def run_counts(chip: Chip, workload: Workload, chosen: Plan, engine: str = "auto") -> Planned:
    """As run_plan, with rows as counts (mapping/counted.py) where every layer is listed: the same commands at
    the same ticks and the same work, in a Program that is neither validated nor executed. InputError as
    run_plan."""
    if layers_of(chip, workload, chosen) is not None:
        return run_plan(chip, workload, chosen, engine)
    program = compile_counts(chip, workload, chosen)
    return Planned(program, simulate(program, chip, engine))  # type: ignore[arg-type]
