"""PCM cells by published statistics: programming error, drift, read noise.

The programming error is what is left after program-and-verify; a process of pulses reproduces it
and is never added to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from accelsim import jit
from accelsim.devices.base import ROOM, Cells, Device, Floats
from accelsim.devices.statistical_kernels import (
    PROGRAM,
    READ,
    Programming,
    Reading,
    encoded,
    program_cells,
    read_cells,
)
from accelsim.noise import Stream, exp, log, power
from accelsim.noise.quick import Singles, quick_normal

TABLE = Path(__file__).parent / "tables" / "statistical.json"
PART = 1 << 15  # cells at a time
LN2 = 0.6931471805599453
NONE = np.zeros(0, np.float32)  # deviates of an effect that is off
SMALLEST = 1e-9  # of g_max: below it ln x and x**-0.65 take their limits


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of x (0..1) in one of the forms that tables/statistical.json names."""

    record: Any

    def __call__(self, x: Floats) -> Floats:
        return _evaluate(self.record, np.maximum(np.asarray(x, np.float64), SMALLEST))


def _evaluate(record: dict[str, Any], x: Floats) -> Floats:
    if "poly" in record:
        total = np.full_like(x, record["poly"][-1])
        for coefficient in record["poly"][-2::-1]:
            total = total * x + coefficient
        return np.asarray(total, np.float64)
    if "clamp_log" in record:
        slope, intercept, low, high = record["clamp_log"]
        return np.asarray(np.clip(slope * log(x) + intercept, low, high), np.float64)
    if "power" in record:
        factor, exponent, high = record["power"]
        return np.asarray(np.minimum(factor * power(x, np.full_like(x, exponent)), high))
    if "times" in record:
        return np.asarray(record["times"] * _evaluate(record["of"], x), np.float64)
    if "points" in record:
        at, values = record["points"]
        return np.asarray(np.interp(x, at, values), np.float64)
    if "below" in record:
        return np.where(
            x < record["below"], _evaluate(record["then"], x), _evaluate(record["else"], x)
        )
    raise ValueError(f"no such curve: {sorted(record)}")


@dataclass(frozen=True, slots=True)
class Statistical(Device):
    """reference_time: seconds from programming at which the programmed conductance holds and from
    which drift counts. drift, noise: whether those effects are on. Curves give siemens through
    g_max: programming in units of g_max, read relative to the conductance."""

    kind: ClassVar[str] = "statistical"
    name: str
    g_max: float
    read_time: float
    reference_time: float
    programming: Curve
    drift_mean: Curve
    drift_sd: Curve
    read_noise: Curve
    source: str = ""
    pulses: str = ""
    confidence: str = "pub"
    programming_error: bool = True
    drift: bool = True
    noise: bool = True

    def program(self, target: Floats, stream: Stream) -> Cells:
        """g_p = max(g_T + sigma(x) xi, 0); each cell's drift exponent |mean(x) + sd(x) xi| too."""
        goal = self._checked(target)
        found = (
            np.empty(goal.shape) if self.programming_error else goal
        )  # in C order, whatever the targets' is
        exponent = np.empty(goal.shape) if self.drift else np.zeros(goal.shape)
        errors, own = stream.of("programming"), stream.of("exponent")
        curves = [encoded(c.record) for c in (self.programming, self.drift_mean, self.drift_sd)]
        fast = all(c is not None for c in curves) and jit.worthwhile(
            program_cells, PROGRAM, goal.size
        )
        for part in _parts(goal.size):
            one, g, nu = goal.ravel()[part], found.reshape(-1)[part], exponent.reshape(-1)[part]
            error = quick_normal(errors, one.size, part.start) if self.programming_error else NONE
            spread = quick_normal(own, one.size, part.start) if self.drift else NONE
            if fast:
                law = Programming(self.g_max, SMALLEST, *curves)
                jit.compiled(program_cells, PROGRAM)(one, law, error, spread, g, nu)
            else:
                self._program_plain(one, error, spread, g, nu)
        return Cells(goal, found, {"exponent": exponent})

    def _program_plain(
        self, goal: Floats, error: Singles, own: Singles, found: Floats, exponent: Floats
    ) -> None:
        if len(error):
            found[:] = np.maximum(goal + self.write_sigma(goal) * error, 0.0)
        if len(own):
            x = goal / self.g_max
            exponent[:] = np.abs(self.drift_mean(x) + self.drift_sd(x) * own)

    def read(self, cells: Cells, age: float, stream: Stream, temperature: float = ROOM) -> Floats:
        """Conductances as one read sees them, in parts that stay in the cache."""
        _check_age(age)
        shape = cells.conductance.shape
        g, exponent = cells.conductance.ravel(), cells.state["exponent"].ravel()
        found, curve = np.empty(g.size), encoded(self.read_noise.record)
        span, factor = self._log_age(age), self._noise_factor(age)
        fast = curve is not None and jit.worthwhile(read_cells, READ, g.size)
        for part in _parts(g.size):
            deviates = quick_normal(stream, g[part].size, part.start) if self.noise else NONE
            if fast:
                law = Reading(self.g_max, SMALLEST, curve, span, factor)
                read = jit.compiled(read_cells, READ)
                read(g[part], exponent[part], law, deviates, found[part])
                continue
            one = Cells(g[part], g[part], {"exponent": exponent[part]})
            now = self.drifted(one, age, temperature)
            if self.noise:
                now = now + self._sigma(one, now, age) * deviates
            found[part] = np.maximum(now, 0.0)
        return found.reshape(shape)

    def with_effects(self, programming: bool, drift: bool, noise: bool) -> Statistical:
        """The model with some effects off."""
        return replace(self, programming_error=programming, drift=drift, noise=noise)

    def noisier(self, factor: float) -> Statistical:
        """The model with programming error and read noise that many times as large."""

        def times(curve: Curve) -> Curve:
            record, factors = curve.record, factor
            if "times" in record:
                record, factors = record["of"], factor * record["times"]
            return Curve({"times": factors, "of": record})

        return replace(self, programming=times(self.programming), read_noise=times(self.read_noise))

    @property
    def temperatures(self) -> tuple[float, float]:
        """The fits hold near room temperature only."""
        return 283.0, 313.5

    def written(self, target: Floats, conductance: Floats, stream: Stream) -> Cells:
        """Cells at those conductances, each with its own drift exponent."""
        exponent = np.zeros_like(conductance)
        if self.drift:
            x = np.minimum(conductance / self.g_max, 1.0)
            deviates = stream.of("exponent").normal(conductance.shape)
            exponent = np.abs(self.drift_mean(x) + self.drift_sd(x) * deviates)
        return Cells(target, conductance, {"exponent": exponent})

    def verify_sigma(self, conductance: Floats) -> Floats:
        """Q(x) sqrt(ln 2): the read noise of one read time, right after a pulse."""
        if not self.noise:
            return np.zeros_like(conductance)
        return np.asarray(
            conductance * self.read_noise(conductance / self.g_max) * LN2**0.5, np.float64
        )

    def write_sigma(self, target: Floats) -> Floats:
        """The published sigma(x), siemens."""
        return 1e-6 * self.programming(
            np.asarray(target, np.float64) / self.g_max
        )  # in microsiemens

    def drifted(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """g_p ((age + t0) / t0)**-nu; the fits hold near room temperature only."""
        del temperature
        _check_age(age)
        if not self.drift:
            return cells.conductance
        return cells.conductance * exp(-cells.state["exponent"] * self._log_age(age))

    def _log_age(self, age: float) -> float:
        """ln of (age + t0) / t0; 0 without drift."""
        ratio = (age + self.reference_time) / self.reference_time
        return float(log(np.array([ratio]))[0]) if self.drift else 0.0

    def _noise_factor(self, age: float) -> float:
        span = (age + self.reference_time + self.read_time) / (2.0 * self.read_time)
        return float(np.sqrt(log(np.array([span])))[0])

    def noise_span(self, age: float) -> float:
        """Counted from the reference time, as the drift is."""
        return age + self.reference_time

    def read_sigma(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """Q(x_p) sqrt(ln((age + t0 + t_read) / (2 t_read))) of the drifted conductance."""
        if not self.noise:
            return np.zeros_like(cells.conductance)
        return self._sigma(cells, self.drifted(cells, age, temperature), age)

    def _sigma(self, cells: Cells, now: Floats, age: float) -> Floats:
        relative = self.read_noise(cells.conductance / self.g_max)
        return np.asarray(now * relative * self._noise_factor(age), np.float64)


def _parts(count: int) -> list[slice]:
    """Ranges of so many cells that their steps stay in the cache."""
    return [slice(low, low + PART) for low in range(0, count, PART)]


def _check_age(age: float) -> None:
    if not np.isfinite(age) or age < 0:
        raise ValueError("an age is a finite number of seconds from programming on, 0 or more")


@lru_cache(maxsize=16)
def statistical(name: str) -> Statistical:
    """The named model of tables/statistical.json; KeyError with the names for any other."""
    models = json.loads(TABLE.read_text("utf-8"))["models"]
    if name not in models:
        raise KeyError(f"no statistical device {name!r}; there are {', '.join(models)}")
    return from_record(name, models[name])


def from_record(name: str, row: dict[str, Any]) -> Statistical:
    """The model of one record of the table; KeyError or TypeError for anything else."""
    return Statistical(
        name,
        row["g_max_us"] * 1e-6,
        row["read_s"],
        row["reference_s"],
        Curve(row["programming"]),
        Curve(row["drift_mean"]),
        Curve(row["drift_sd"]),
        Curve(row["read"]),
        row["source"],
        row.get("pulses", ""),
        row.get("confidence", "mem"),
    )
