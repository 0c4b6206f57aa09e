"""Values of a point: accuracy and signal to noise at the ages and temperatures that a sweep asks for."""

from __future__ import annotations

from math import isfinite
from typing import Any

from accelsim import api
from accelsim.chip import Chip
from accelsim.config.overrides import node_of
from accelsim.config.yaml_source import Place
from accelsim.job.reader import job_of
from accelsim.job.values import JobValues
from accelsim.mapping.homes import DEFAULT
from accelsim.results.comparison import values_over_age
from accelsim.results.result import Result, Values
from accelsim.store import ValuesSpec
from accelsim.workload import Workload

AgedRow = dict[str, float | None]


class Aging:
    """Inputs of a sweep, read once, and runs with them."""

    def __init__(self, spec: ValuesSpec) -> None:
        self.spec = spec
        given = {} if spec.drawn else {"input": spec.input}
        self.job = job_of(node_of({**spec.job, **given}, Place(spec.input)))
        self.values = JobValues(self.job, spec.images)
        self.shapes = dict(self.values.reading.shapes)

    def run(
        self, chip: Chip, workload: Workload, search: str | None, homes: str = DEFAULT
    ) -> tuple[Result, list[AgedRow]]:
        """A run with the inputs, as `accelsim run --input` makes it, and its values over age."""
        inputs, labels = self.values.inputs(workload)
        samples, check = self.values.samples(workload), self.job.reference_check
        how = (self.job.rounding, self.values.calibration, samples, check)
        result = api.run(
            chip,
            workload,
            inputs,
            labels=labels,
            search=search,
            homes=homes,
            rounding=self.job.rounding,
            calibration=self.values.calibration,
            samples=samples,
            reference_check=check,
        )

        def values(main: Result, other: Chip) -> Values:
            prepared = api.prepare(other, workload, inputs, *how)
            return api.values_of(main, other, {}, labels, prepared)

        found = values_over_age(
            chip, values, self.spec.ages, self.spec.temperatures or (298.15,), 1, result
        )
        analog = chip.crossbar is not None
        return result, [
            {
                "age_s": one.age if analog else None,
                "temperature_K": one.temperature if analog else None,
                "top1": one.top1[0],
                "signal_to_noise_db": _finite(one.decibels[0]),
            }
            for one in found
        ]


def worst(rows: list[AgedRow]) -> dict[str, float]:
    """The smallest top-1 and signal to noise over all ages and temperatures; none of exact outputs."""
    found: dict[str, float] = {}
    for name in ("top1", "signal_to_noise_db"):
        known = [value for row in rows if (value := row[name]) is not None]
        if known:
            found[name] = min(known)
    return found


def _finite(value: Any) -> float | None:
    """Rounded like result.json: the float reference's last bits differ between machines."""
    return round(float(value), 4) if isfinite(value) else None
