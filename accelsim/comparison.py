"""compare(): chips side by side on one workload, as they are and made alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import api
from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.mapping.homes import DEFAULT
from accelsim.matching import RULES, made_alike, model_of
from accelsim.results import comparison as sides
from accelsim.results.comparison import Comparison, Matching
from accelsim.results.result import Result, Values
from accelsim.workload import Workload

ROOM = 298.15  # K


def compare(
    chips: Sequence[Chip | str | Path],
    workload: Workload | str | Path,
    inputs: Mapping[str, NDArray[np.generic]] | None = None,
    *,
    match: str | Sequence[str] = (),
    labels: NDArray[np.integer] | None = None,
    ages: Sequence[float] = (),
    temperatures: Sequence[float] = (ROOM,),
    programmings: int = 1,
    homes: str = DEFAULT,
) -> Comparison:
    """Chips, digital or analog, on one workload; the first is the measure of the others.

    match: "memory", "area", "latency", or several of them, each on top of those before: the same chips made
    alike are compared too after each, in ``matched`` (accelsim/matching). inputs, labels: as run() takes them.
    ages (s), temperatures (K), programmings (seeds): of the values on crossbars. homes: as run() takes it.
    InputError for anything wrong with the input.
    """
    by = wanted(match)
    made = [chip if isinstance(chip, Chip) else api.load_chip(chip) for chip in chips]
    work = workload if isinstance(workload, Workload) else api.load_workload(workload)

    def run(chip: Chip, inputs: Any = None, weights: str | None = None) -> Result:
        valued = labels if inputs is not None else None
        return api.run(chip, work, inputs, labels=valued, weights=weights, homes=homes)

    def values(result: Result, chip: Chip) -> Values:
        return api.values_of(result, chip, inputs or {}, labels)

    asked = Question(by, tuple(ages), tuple(temperatures), programmings)
    return side_by_side(made, work, (run, values), inputs, asked)


@dataclass(frozen=True, slots=True)
class Question:
    """by: rules of accelsim.matching. ages (s), temperatures (K), programmings: of the values on crossbars."""

    by: tuple[str, ...] = ()
    ages: tuple[float, ...] = ()
    temperatures: tuple[float, ...] = (ROOM,)
    programmings: int = 1


def side_by_side(
    chips: Sequence[Chip],
    work: Workload,
    how: tuple[sides.Runs, sides.Reads],
    inputs: Mapping[str, NDArray[np.generic]] | None,
    asked: Question,
) -> Comparison:
    """The Comparison of chips. how: what runs a chip, and what reads its values again, as
    results.comparison.compare() takes them."""
    if not chips:
        raise InputError(
            Problem("compare.chips", "there is no chip to compare", "name two", file="compare")
        )
    run, values = how
    found = sides.compare(
        chips,
        run,
        values,
        inputs,
        work.inferences,
        asked.ages,
        asked.temperatures,
        asked.programmings,
    )
    if asked.by:
        found.matched = list(_matched(found, asked.by, work, inputs, run))
    return found


def wanted(match: str | Sequence[str]) -> tuple[str, ...]:
    """Names of rules, from "memory, latency" or a list; InputError for an unknown or repeated
    one."""
    listed = [part.strip() for part in match.split(",")] if isinstance(match, str) else list(match)
    listed = [part for part in listed if part]
    for number, name in enumerate(listed):
        if name not in RULES:
            raise InputError(
                Problem(
                    "match.rule",
                    f"there is no way to match by {name!r}",
                    "write one or more of " + ", ".join(RULES),
                    file="--match",
                )
            )
        if name in listed[:number]:
            raise InputError(
                Problem("match.twice", f"{name} stands twice", "keep one", file="--match")
            )
    return tuple(listed)


def _matched(
    found: Comparison, by: tuple[str, ...], work: Workload, inputs: Any, run: sides.Runs
) -> Iterator[Matching]:
    """The same chips made alike, after each rule."""
    model = model_of([side.chip for side in found.sides])
    before, chips = found.sides, [side.chip for side in found.sides]
    stages = made_alike(chips, by, work, lambda chip: run(chip).seconds)
    for number, (rule, stage) in enumerate(zip(by, stages, strict=True), 1):
        made = []
        for side, alike in zip(before, stage, strict=True):
            if not alike.changes:
                made.append(replace(side, changed=[], reached=[]) if side.changed else side)
                continue
            other = sides.side_of(alike.chip, run, inputs)
            other.changed = [(change.key, change.before, change.after) for change in alike.changes]
            other.reached = alike.reached
            made.append(other)
        yield Matching(by[:number], model, RULES[rule], Comparison(made, found.batch))
        before = made
