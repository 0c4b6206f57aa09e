"""A job made ready: its chips, its workload and its values, and runs of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from accelsim import api
from accelsim.chip import Chip
from accelsim.config.mapping_file import MappingFile, load_mapping_file
from accelsim.errors import InputError, Problem
from accelsim.explore.steady import steady
from accelsim.job.reader import job_yaml, set_texts
from accelsim.job.record import Job
from accelsim.job.values import JobValues
from accelsim.mapping.homes import DEFAULT
from accelsim.results.labels import with_own_names
from accelsim.results.result import Result, Values
from accelsim.workload import Workload


class Made:
    """A job's parts. chips: as the job has changed them. workload, inputs, labels: of its values."""

    def __init__(self, job: Job) -> None:
        self.job, self.values = job, JobValues(job)
        self.chips = chips_of(job)
        self.workload = self.values.workload()
        self.inputs, self.labels = self.values.inputs(self.workload)

    def run(
        self,
        chip: Chip,
        workload: Workload | None = None,
        inputs: Any = None,
        weights: str | None = None,
        keep: bool = False,
        progress: api.Progress | None = None,
        on: Mapping[str, str] | None = None,
    ) -> Result:
        """A run of a chip as the job asks for it. workload: in place of the job's. inputs: None computes no
        values. on: units of operators beside those of the mapping file."""
        job, work = self.job, self.workload if workload is None else workload
        valued = inputs is not None
        given, homes = self.given(chip, work)
        return api.run(
            chip,
            work,
            inputs,
            labels=self.labels if valued else None,
            engine=job.engine,
            weights=weights,
            mappings=given.mappings if given else None,
            rounding=job.rounding,
            search=job.search,
            budget=job.budget,
            progress=progress,
            fold=job.fold,
            calibration=self.values.calibration if valued else None,
            samples=self.values.samples(work) if valued else None,
            reference_check=job.reference_check,
            keep=keep,
            homes=homes,
            on={**(given.on if given else {}), **(on or {})},
            images=given.images if given else None,
        )

    def given(self, chip: Chip, workload: Workload) -> tuple[MappingFile | None, str]:
        """What the job's mapping file says, None without one, and where tensors stand."""
        job = self.job
        given = None if job.mapping is None else load_mapping_file(job.mapping, chip, workload)
        return given, job.homes or (given.homes if given else None) or DEFAULT

    def run_on(self, chip: Chip, inputs: Any = None, weights: str | None = None) -> Result:
        """A run of the job's workload on a chip, as comparisons ask for it."""
        return self.run(chip, None, inputs, weights)

    def whole(self, progress: api.Progress | None = None, keep: bool = False) -> Result:
        """The run of the job's one chip, which says what job it was of."""
        result = self.run(self.chips[0], inputs=self.inputs, keep=keep, progress=progress)
        if self.job.throughput:
            result.steady = steady(result.chip, self.workload, result.plan)
        result.job = job_yaml(self.job)
        return result

    def read_again(self, result: Result, chip: Chip) -> Values:
        """The values of a run's Program on crossbars of another age, temperature or seed."""
        prepared = api.prepare(
            chip,
            result.workload,
            self.inputs,
            self.job.rounding,
            self.values.calibration,
            self.values.samples(result.workload),
            self.job.reference_check,
        )
        return api.values_of(result, chip, {}, self.labels, prepared)


def chips_of(job: Job) -> list[Chip]:
    """The job's chips, changed as it says. Of several, a replaced value goes to each that has its key, and to
    one at least."""
    texts = set_texts(job)
    if len(job.chip) == 1:
        return [_asked(job, api.load_chip(job.chip[0], texts))]
    made, failed, used = [], [], []
    for name in job.chip:
        taken = []
        for text in texts:
            try:
                api.load_chip(name, [text])
            except InputError as error:
                if any(problem.code != "set.path" for problem in error.problems):
                    raise  # the chip has the key, and the value is wrong
                failed.append(error)
                continue
            taken.append(text)
        used += taken
        made.append(_asked(job, api.load_chip(name, taken)))
    if any(text not in used for text in texts):
        raise failed[0]
    return with_own_names(made)


def _asked(job: Job, chip: Chip) -> Chip:
    """A chip at the job's operating point, with its weights where it says and cells of its seed."""
    if job.point is not None:
        chip = at_point(chip, job.point)
    if job.weights is not None:
        chip = chip.at_weights(job.weights)
    return seeded(chip, job.seed)


def seeded(chip: Chip, seed: int) -> Chip:
    """The chip with other cells: a seed is added to that of its crossbars."""
    crossbar = chip.crossbar
    if not seed or crossbar is None:
        return chip
    made = dataclasses.replace(crossbar, clock_hz=0, seed=crossbar.seed + seed)
    return dataclasses.replace(chip, units={**chip.units, crossbar.name: made})


def at_point(chip: Chip, name: str) -> Chip:
    """The chip at an operating point; InputError with the choices."""
    names: Sequence[str] = [item.name for item in chip.operating_points]
    if name not in names:
        listed = ", ".join(names) or "the chip file names none"
        raise InputError(
            Problem(
                "run.point",
                f"no operating point {name!r}",
                f"write one of: {listed}",
                file="--point",
            )
        )
    return chip.at(name)
