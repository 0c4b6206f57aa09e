"""Runs that figures are computed from: each made once, as counts where nothing reads a table, priced anew where only
prices differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from accelsim.chip import Chip
from accelsim.energy import Work, charge, counts_of
from accelsim.errors import InputError
from accelsim.explore.homes import best, readings
from accelsim.explore.planned import run_counts
from accelsim.explore.streamed import Streamed
from accelsim.explore.units import is_mixed
from accelsim.job import Job, job_yaml
from accelsim.job.made import Made, chips_of
from accelsim.mapping import Plan
from accelsim.mapping.units import choices_of
from accelsim.results.result import Result
from accelsim.results.summary import summarise
from accelsim.validation.measures import CHIP, VALUES


@dataclass(frozen=True, slots=True)
class Bare:
    """A chip that nothing runs on."""

    chip: Chip


@dataclass(frozen=True, slots=True)
class Tried:
    """A Plan and what its run came to; prices say whether it is taken."""

    chosen: Plan
    sums: Streamed

    @property
    def work(self) -> Work:
        """What was done."""
        return self.sums.work


class Runs:
    """Of jobs."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.tried: dict[object, list[Tried]] = {}

    def of(self, job: Job, needs: str) -> Any:
        """The run of a job: a Result, with values where they are needed, or its chip alone where nothing else is.
        InputError as the job has it."""
        if needs == CHIP:
            return Bare(chips_of(job)[0])
        key = job_yaml(job)
        if key not in self.results:
            try:
                self.results[key] = self.result(job, needs == VALUES)
            except InputError as error:
                self.results[key] = error
        found = self.results[key]
        if isinstance(found, InputError):
            raise found
        return found

    def result(self, job: Job, valued: bool) -> Result:
        """What accelsim.run() gives of the job, without a table of its Program."""
        made = Made(job)
        chip, work = made.chips[0], made.workload
        if valued or made.inputs is not None or job.search is not None or is_mixed(chip):
            return made.whole()
        key = (chip.timing_form, job_yaml(replace(job, set={})))
        if key not in self.tried:
            self.tried[key] = tries(made)
        tried = self.tried[key]
        prices = [charge(counts_of(one.work, chip), chip) for one in tried]
        taken = best(
            (one.work.seconds, each.total) for one, each in zip(tried, prices, strict=True)
        )
        one, energy = tried[taken], prices[taken]
        energy.check(work.macs)
        rows = summarise(one.sums, chip, work, energy, one.chosen.mappings)
        return Result(chip, work, one.sums, one.chosen, one.sums.units, energy, rows, None, {})


def tries(made: Made) -> list[Tried]:
    """The Plans of which prices choose one, each run as counts and checked."""
    chip, work = made.chips[0], made.workload
    given, homes = made.given(chip, work)

    def read(chosen: Plan) -> Tried:
        planned = run_counts(chip, work, chosen)
        planned.check()
        if isinstance(planned, Streamed):
            return Tried(chosen, planned)
        return Tried(chosen, planned.sums(chip, len(work.operators)))

    if given is None:
        return readings(chip, work, read, homes=homes)
    on = choices_of(chip, work, given.on)
    return readings(chip, work, read, given.mappings, homes, on, given.images)
