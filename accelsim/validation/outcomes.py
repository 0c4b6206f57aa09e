"""Figures computed beside published ones: each with its error, what it rests on, and whether it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accelsim.chip import Chip
from accelsim.constants.rows import components
from accelsim.energy import area, charge
from accelsim.energy.counts import counts_of
from accelsim.errors import InputError
from accelsim.explore.homes import plan_at_home
from accelsim.explore.planned import run_counts
from accelsim.job import Job, job_yaml
from accelsim.job.made import Made, chips_of
from accelsim.results.result import Result
from accelsim.results.summary import summarise
from accelsim.validation.measures import CHIP, ENERGY, MEASURES, PROGRAM, TIME, VALUES
from accelsim.validation.reader import number_of
from accelsim.validation.record import Case, Figure
from accelsim.validation.tiers import SHOWN, TIERS

#: relative; a figure that an assumed number moves by more says more of that number than of the program
MOVES = 0.15
FACTORS = (0.5, 2.0)
COUNTED, INPUT = "counted", "input"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A figure of a chip beside what was computed, both in its measure's unit. low, high: with each assumed number in
    turn at half and at double. moved_by: the assumed number that moves it most, "" for none. status: "counted", or why
    it is not. failed: what stopped the run, "" for nothing; computed is nan then."""

    chip: str
    figure: Figure
    computed: float
    low: float
    high: float
    moved_by: str
    status: str
    failed: str = ""

    @property
    def error(self) -> float:
        """Relative: above 0 where more was computed than published."""
        return self.computed / self.figure.published - 1

    @property
    def counted(self) -> bool:
        return self.status == COUNTED


@dataclass(frozen=True, slots=True)
class Summary:
    """Errors of a tier's counted figures, relative: median, 90 % and worst of their sizes, and the signed median."""

    tier: str
    figures: int
    chips: int
    median: float
    most: float
    worst: float
    signed: float


class Runs:
    """Runs of jobs, each made once; those of chips that take the same time are priced alone."""

    def __init__(self) -> None:
        self.made: dict[object, Any] = {}

    def of(self, job: Job, needs: str) -> Any:
        """The run of a job, or as much of it as is needed. InputError as the job has it."""
        key = (job_yaml(job), needs)
        if key not in self.made:
            try:
                self.made[key] = self.make(job, needs)
            except InputError as error:
                self.made[key] = error
        found = self.made[key]
        if isinstance(found, InputError):
            raise found
        return found

    def make(self, job: Job, needs: str) -> Any:
        """A Result, in full where its Program or its values are read."""
        if needs == CHIP:
            return Bare(chips_of(job)[0])
        made = Made(job)
        if needs in (PROGRAM, VALUES):
            return made.whole()
        chip = made.chips[0]
        alike = (chip.timing_form, job_yaml(replace(job, set={})))
        if alike not in self.made:
            self.made[alike] = counted(made)
        found: Result = self.made[alike]
        if needs == TIME or found.chip == chip:
            return found
        energy = charge(counts_of(found.planned.work, chip), chip)
        return replace(found, chip=chip, energy=energy)


@dataclass(frozen=True, slots=True)
class Bare:
    """A chip that nothing runs on."""

    chip: Chip


def counted(made: Made) -> Result:
    """A job's run without values, from counts of its commands."""
    chip, work = made.chips[0], made.workload
    mappings, homes = made.mapped(chip, work)
    chosen = plan_at_home(chip, work, mappings, homes)
    planned = run_counts(chip, work, chosen)
    planned.check()
    energy = charge(counts_of(planned.work, chip), chip)
    energy.check(work.macs)
    rows = summarise(planned, chip, work, energy, chosen.mappings)
    return Result(chip, work, planned, chosen, planned.units, energy, rows, None, {})


def outcomes(
    case: Case, tier: str = "", progress: Callable[[str], None] | None = None
) -> Iterator[Outcome]:
    """Every figure of a chip, or those of a tier, in the file's order."""
    runs = Runs()
    for figure in case.figures:
        if tier in ("", figure.tier):
            if progress is not None:
                progress(f"{case.name}: {figure.name}")
            yield outcome(case, figure, runs)


def outcome(case: Case, figure: Figure, runs: Runs) -> Outcome:
    """One figure."""
    measure = MEASURES[figure.compute]
    try:
        result = runs.of(figure.run, measure.needs)
        nominal = measure.of(result, figure)
    except InputError as error:
        nan = float("nan")
        problem = error.problems[0]
        return Outcome(case.name, figure, nan, nan, nan, "", "does not run", str(problem))
    found: dict[tuple[Any, ...], float] = {(): nominal}
    varied = {} if figure.tier in SHOWN or figure.uses else case.assumed
    for key, value in varied.items():
        if key in figure.run.set:
            continue
        for factor in FACTORS:
            job = replace(figure.run, set={**figure.run.set, key: scaled(value, factor)})
            try:
                found[key, factor] = measure.of(runs.of(job, measure.needs), figure)
            except InputError:
                continue  # half of it does not hold what the run needs, or is no value there
    most = max(found, key=lambda at: abs(found[at] - nominal))
    by = most[0] if most and found[most] != nominal else ""
    status = _status(case, figure, result, found, nominal)
    return Outcome(case.name, figure, nominal, min(found.values()), max(found.values()), by, status)


def scaled(value: Any, factor: float) -> Any:
    """A number or a quantity of a chip file times a factor; whole numbers stay whole, from 1 on."""
    number, unit = number_of(value) or (0.0, "")
    if isinstance(value, int):
        return max(1, round(value * factor))
    return f"{number * factor:.12g} {unit}" if unit else number * factor


def _status(
    case: Case, figure: Figure, result: Any, found: dict[Any, float], nominal: float
) -> str:
    if figure.tier in SHOWN:
        return figure.tier
    if figure.uses or from_chip(case, figure, result):
        return INPUT
    if figure.confidence == "mem":
        return "remembered"
    if figure.shapes == "assumed":
        return "shapes assumed"
    worst = max(found, key=lambda at: abs(found[at] - nominal))
    if abs(found[worst] - nominal) > MOVES * abs(nominal):
        return f"rests on {worst[0]}"
    return COUNTED


def from_chip(case: Case, figure: Figure, result: Any) -> bool:
    """Whether a row of the tables that the figure used came from this chip."""
    needs = MEASURES[figure.compute].needs
    if needs not in (CHIP, ENERGY):
        return False
    own = [key for key, row in components().items() if row.get("from") == case.rows_from]
    if needs == CHIP:
        used: Iterable[str] = {row.source for row in area(result.chip)}
    else:
        used = {charge.price.source for charge in result.energy.charges}
    return any(key in source for key in own for source in used)


def summaries(found: Iterable[Outcome]) -> list[Summary]:
    """By tier, those that have counted figures."""
    every = [one for one in found if one.counted]
    made = []
    for tier in TIERS:
        mine = [one for one in every if one.figure.tier == tier]
        if not mine:
            continue
        errors = np.array([one.error for one in mine])
        sizes = np.abs(errors)
        made.append(
            Summary(
                *(tier, len(mine), len({one.chip for one in mine})),
                *(float(np.median(sizes)), float(np.quantile(sizes, 0.9)), float(sizes.max())),
                float(np.median(errors)),
            )
        )
    return made
