"""A statistical device from measurements: programming error, drift and read noise by target.

Rows of a measurement: what was asked for, what was read, when and at which temperature, and which
cell and pulse it was where that is known. Every parameter comes with a confidence interval from
resampling cells; rows held out of the fit say how good it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Floats
from accelsim.noise import Stream

Ints = NDArray[np.int64]
HELD_OUT = 5  # every fifth cell
RESAMPLES = 200
LEAST_CELLS = 4  # a target
LEAST_READS = 3  # a cell
SAME_KELVIN = 5.0


@dataclass(frozen=True, slots=True)
class Measurements:
    """Columns of equal length: target, g (siemens), t (seconds after programming), temperature
    (kelvin), cell (number of the cell)."""

    target: Floats
    g: Floats
    t: Floats
    temperature: Floats
    cell: Ints


@dataclass(frozen=True, slots=True)
class Estimate:
    """A parameter at one target with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fit:
    """x: targets over g_max. programming (uS), drift_mean, drift_sd, read: estimates at every x.
    residual: root mean square of held-out rows about the model's mean, over the model's own
    deviation (1: as good as it says). rows, held_out: how many there were."""

    g_max: float
    reference: float
    x: list[float]
    programming: list[Estimate]
    drift_mean: list[Estimate]
    drift_sd: list[Estimate]
    read: list[Estimate]
    residual: float
    rows: int
    held_out: int

    def record(self, name: str, read_s: float) -> dict[str, Any]:
        """The device file's content."""
        def curve(part: list[Estimate]) -> dict[str, Any]:
            return {"points": [self.x, [max(0.0, e.value) for e in part]]}

        return {
            "name": name, "g_max_us": self.g_max * 1e6, "read_s": read_s, "reference_s": self.reference,
            "programming": curve(self.programming), "drift_mean": curve(self.drift_mean),
            "drift_sd": curve(self.drift_sd), "read": curve(self.read), "confidence": "run",
            "source": f"fit of {self.rows} measured rows, {self.held_out} held out, "
                      f"residual {self.residual:.3f} of the model's deviation",
        }  # fmt: skip


def fit(data: Measurements, read_s: float, seed: int = 0) -> Fit:
    """Fit every target of its own.

    Per cell: ln g = ln g_0 - nu ln(t / t_0), t_0 the earliest time measured; scatter about that line
    is read noise. Per target: mean and deviation of g_0 - target and of nu. ValueError for data that
    cannot say these things.
    """
    g_max, reference = float(data.target.max()), float(data.t.min())
    if g_max <= 0 or reference <= 0:
        raise ValueError("needs targets above 0 and times after programming")
    if read_s <= 0 or reference <= read_s:
        raise ValueError(f"the first read, {reference:g} s after programming, is shorter than a read")
    if np.ptp(data.temperature) > SAME_KELVIN:
        raise ValueError("was measured at several temperatures; fit them one by one")
    if np.bincount(np.unique(data.cell, return_inverse=True)[1]).min() < LEAST_READS:
        raise ValueError(f"has cells of fewer than {LEAST_READS} reads: without a column cell, or later "
                         "reads, drift cannot be told from spread")  # fmt: skip
    cells = np.unique(data.cell)
    held = cells[::HELD_OUT] if len(cells) >= 2 * HELD_OUT else cells[:0]
    span = np.log((data.t + read_s) / (2.0 * read_s))
    lines = {int(c): _line(data, int(c), reference, span) for c in cells}
    goals = np.unique(data.target)
    parts: dict[str, list[Estimate]] = {key: [] for key in ("programming", "mean", "sd", "read")}
    for number, goal in enumerate(goals):
        mine = [c for c in lines if data.target[data.cell == c][0] == goal and c not in held]
        if len(mine) < LEAST_CELLS:
            raise ValueError(f"target {goal * 1e6:g} uS has {len(mine)} cells to fit; give at least "
                             f"{LEAST_CELLS} besides those held out")  # fmt: skip
        level, nu, noise, level_error, nu_error = (np.array(part) for part in zip(
            *(lines[c] for c in mine), strict=True))  # fmt: skip
        start = np.stack([level, level * level_error]) * 1e6  # of each: its value, and its own error
        slope = np.stack([nu, nu_error])
        draw = Stream(seed, ("fit", number))
        parts["programming"].append(_bootstrap(start, _deviation, draw.of("start")))
        parts["mean"].append(_bootstrap(slope, _mean, draw.of("mean")))
        parts["sd"].append(_bootstrap(slope, _deviation, draw.of("sd")))
        parts["read"].append(_bootstrap(noise[None, :], _rms, draw.of("read")))
    x = [float(goal / g_max) for goal in goals]
    made = Fit(g_max, reference, x, parts["programming"], parts["mean"], parts["sd"], parts["read"], 0.0,
               len(data.g), int(np.isin(data.cell, held).sum()))  # fmt: skip
    return Fit(**{**{key: getattr(made, key) for key in Fit.__slots__},
                  "residual": _residual(made, data, held, span)})  # fmt: skip


def _line(data: Measurements, cell: int, reference: float, span: Floats) -> tuple[
        float, float, float, float, float]:  # fmt: skip
    """(g at the reference time, drift exponent, Q: relative read noise over the square root of span,
    relative error of the first, error of the second) of one cell."""
    mine = data.cell == cell
    g, t = np.maximum(data.g[mine], 1e-12), data.t[mine]
    if np.unique(t).size < 2:
        raise ValueError(f"cell {cell} was read at one time only")
    place = np.log(t / reference)
    columns = np.stack([np.ones_like(place), -place], axis=1)
    (level, nu), *_ = np.linalg.lstsq(columns, np.log(g), rcond=None)
    rest = np.log(g) - columns @ np.array([level, nu])
    sigma = float(np.sqrt((rest * rest / span[mine]).sum() / max(1, len(g) - 2)))
    scatter = float((rest * rest).sum() / max(1, len(g) - 2))
    own = np.sqrt(np.diag(np.linalg.inv(columns.T @ columns)) * scatter)
    return float(np.exp(level)), float(nu), sigma, float(own[0]), float(own[1])


def _mean(values: Floats) -> float:
    return float(values[0].mean())


def _deviation(values: Floats) -> float:
    """Deviation of the cells, less what each one's own error adds."""
    return float(np.sqrt(max(values[0].var(ddof=1) - (values[1] ** 2).mean(), 0.0)))


def _rms(values: Floats) -> float:
    return float(np.sqrt((values * values).mean()))


def _bootstrap(values: Floats, what: Any, stream: Stream) -> Estimate:
    draw = (stream.uniform((RESAMPLES, values.shape[1])) * values.shape[1]).astype(np.int64)
    found = np.sort([what(values[:, row]) for row in draw])
    return Estimate(what(values), float(found[int(0.025 * RESAMPLES)]), float(found[int(0.975 * RESAMPLES)]))


def _residual(made: Fit, data: Measurements, held: Ints, span: Floats) -> float:
    """Root mean square of held-out rows in units of the model's deviation."""
    mine = np.isin(data.cell, held)
    if not mine.any():
        return float("nan")
    x = data.target[mine] / made.g_max

    def at(part: list[Estimate]) -> Floats:
        return np.interp(x, made.x, [e.value for e in part])

    age = np.log(data.t[mine] / made.reference)
    mean = data.target[mine] * np.exp(-at(made.drift_mean) * age)
    spread = (at(made.programming) * 1e-6) ** 2 * np.exp(-2 * at(made.drift_mean) * age)
    spread = spread + (mean * age * at(made.drift_sd)) ** 2 + (mean * at(made.read)) ** 2 * span[mine]
    off = (data.g[mine] - mean) / np.sqrt(np.maximum(spread, (1e-9) ** 2))
    return float(np.sqrt((off * off).mean()))
