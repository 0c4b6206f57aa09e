"""Figures computed beside published ones: each with its error, what it rests on, and whether it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accelsim.constants.rows import components
from accelsim.errors import InputError
from accelsim.validation.measures import MEASURES, used_rows
from accelsim.validation.reader import number_of
from accelsim.validation.record import Case, Figure
from accelsim.validation.runs import Runs
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

    def over(self, value: float) -> float:
        """A computed value over the published one, as time, energy, bytes or area: of a rate or an efficiency,
        published over computed."""
        published = self.figure.published
        if not MEASURES[self.figure.compute].inverse:
            return value / published
        return published / value if value else float("inf")

    @property
    def error(self) -> float:
        """Relative: below 0 where too little time, energy, bytes or area was computed."""
        return self.over(self.computed) - 1

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
    """Whether a row of the tables that the figure rests on came from this chip."""
    own = [key for key, row in components().items() if case.rows_from in row.get("from", ())]
    return any(key in source for key in own for source in used_rows(result, figure))


def summaries(found: Iterable[Outcome]) -> list[Summary]:
    """By tier, those that have counted figures."""
    return summed((one.figure.tier, one.chip, one.error) for one in found if one.counted)


def summed(counted: Iterable[tuple[str, str, float]]) -> list[Summary]:
    """Summaries of (tier, chip, error) of counted figures."""
    every, made = list(counted), []
    for tier in TIERS:
        mine = [(chip, error) for of, chip, error in every if of == tier]
        if not mine:
            continue
        errors = np.array([error for _, error in mine])
        sizes = np.abs(errors)
        made.append(
            Summary(
                *(tier, len(mine), len({chip for chip, _ in mine})),
                *(float(np.median(sizes)), float(np.quantile(sizes, 0.9)), float(sizes.max())),
                float(np.median(errors)),
            )
        )
    return made
