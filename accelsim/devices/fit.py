"""A statistical device from measurements: programming error, drift and read noise by target.

Rows of a measurement: what was asked for, what was read, when and at which temperature, and which
cell and pulse it was where that is known. Every parameter comes with a confidence interval from
resampling cells; rows held out of the fit say how good it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
NAMES = {"mean": "drift", "sd": "the spread of drift", "read": "read noise"}


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
    deviation (1: as good as it says). rows, held_out: how many there were. notes: what the rows cannot say,
    and what stands in its place."""

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
    notes: list[str]

    def record(self, name: str, read_s: float) -> dict[str, Any]:
        """The device file's content."""

        def curve(part: list[Estimate]) -> dict[str, Any]:
            return {"points": [self.x, [max(0.0, e.value) for e in part]]}

        return {
            "name": name,
            "g_max_us": self.g_max * 1e6,
            "read_s": read_s,
            "reference_s": self.reference,
            "programming": curve(self.programming),
            "drift_mean": curve(self.drift_mean),
            "drift_sd": curve(self.drift_sd),
            "read": curve(self.read),
            "confidence": "run",
            "source": f"fit of {self.rows} measured rows, {self.held_out} held out, "
            f"residual {self.residual:.3f} of the model's deviation"
            + "".join(f"; {note}" for note in self.notes),
        }


@dataclass(frozen=True, slots=True)
class Told:
    """What the cells of one target say; None for what they cannot. why: that, by parameter."""

    programming: Estimate
    mean: Estimate | None
    sd: Estimate | None
    read: Estimate | None
    why: dict[str, str]


def fit(data: Measurements, read_s: float, seed: int = 0) -> Fit:
    """Fit every target of its own.

    Per cell: ln g = ln g_0 - nu ln(t / t_0), t_0 the earliest time measured; scatter about that line
    is read noise. Per target: mean and deviation of g_0 - target and of nu. Where reads lie at or below 0, or
    cells have fewer than LEAST_READS, the line is that of the target's mean conductance. What the rows
    cannot say is that of the nearest target which can, or nothing. ValueError for data that say too little.
    """
    g_max, reference = float(data.target.max()), float(data.t.min())
    if g_max <= 0 or reference <= 0:
        raise ValueError("needs targets above 0 and times after programming")
    if read_s <= 0 or reference <= read_s:
        raise ValueError(
            f"the first read, {reference:g} s after programming, is shorter than a read"
        )
    if np.ptp(data.temperature) > SAME_KELVIN:
        raise ValueError("was measured at several temperatures; fit them one by one")
    cells = np.unique(data.cell)
    held = cells[::HELD_OUT] if len(cells) >= 2 * HELD_OUT else cells[:0]
    span = np.log((data.t + read_s) / (2.0 * read_s))
    goals = np.unique(data.target)
    told = []
    for number, goal in enumerate(goals):
        rows = np.flatnonzero((data.target == goal) & ~np.isin(data.cell, held))
        mine = np.unique(data.cell[rows])
        if len(mine) < LEAST_CELLS:
            raise ValueError(
                f"target {goal * 1e6:g} uS has {len(mine)} cells to fit; give at least "
                f"{LEAST_CELLS} besides those held out"
            )
        draw = Stream(seed, ("fit", number))
        told.append(
            _by_cells(data, mine, reference, span, draw)
            if _has_lines(data, rows)
            else _by_mean(data, rows, reference, span, draw)
        )
    notes: list[str] = []
    x = [float(goal / g_max) for goal in goals]
    mean, sd, read = (_completed(told, x, g_max, key, notes) for key in ("mean", "sd", "read"))
    made = Fit(
        g_max,
        reference,
        x,
        [one.programming for one in told],
        mean,
        sd,
        read,
        0.0,
        len(data.g),
        int(np.isin(data.cell, held).sum()),
        notes,
    )
    return replace(made, residual=_residual(made, data, held, span))


def _has_lines(data: Measurements, rows: Ints) -> bool:
    """Whether every cell of these rows has a line of its own: enough reads, at two times, all above 0."""
    _, cell, reads = np.unique(data.cell[rows], return_inverse=True, return_counts=True)
    first, last = (np.full(len(reads), end) for end in (np.inf, -np.inf))
    np.minimum.at(first, cell, data.t[rows])
    np.maximum.at(last, cell, data.t[rows])
    return bool(reads.min() >= LEAST_READS and (last > first).all() and data.g[rows].min() > 0)


def _completed(
    told: list[Told], x: list[float], g_max: float, key: str, notes: list[str]
) -> list[Estimate]:
    """A parameter at every target: its own, else that of the nearest target that has one, else none."""
    known = [number for number, one in enumerate(told) if getattr(one, key) is not None]
    found: list[Estimate] = []
    missing: dict[tuple[str, str], list[str]] = {}
    for number, one in enumerate(told):
        own = getattr(one, key)
        if own is None:
            nearest = min(known, key=lambda other: abs(x[other] - x[number]), default=None)
            own = Estimate(0.0, 0.0, 0.0) if nearest is None else getattr(told[nearest], key)
            there = "none" if nearest is None else f"that of {x[nearest] * g_max * 1e6:.3g} uS"
            missing.setdefault((one.why[key], there), []).append(f"{x[number] * g_max * 1e6:.3g}")
        found.append(own)
    notes += [
        f"{NAMES[key]} at {', '.join(goals)} uS cannot be told ({why}): {there} is taken"
        for (why, there), goals in missing.items()
    ]
    return found


def _by_cells(data: Measurements, mine: Ints, reference: float, span: Floats, draw: Stream) -> Told:
    """From a line of every cell's own."""
    level, nu, noise, level_error, nu_error = (
        np.array(part)
        for part in zip(*(_line(data, int(c), reference, span) for c in mine), strict=True)
    )
    start = np.stack([level, level * level_error]) * 1e6  # of each: its value, and its own error
    slope = np.stack([nu, nu_error])
    return Told(
        _bootstrap(start, _deviation, draw.of("start")),
        _bootstrap(slope, _mean, draw.of("mean")),
        _bootstrap(slope, _deviation, draw.of("sd")),
        _bootstrap(noise[None, :], _rms, draw.of("read")),
        {},
    )


def _by_mean(data: Measurements, rows: Ints, reference: float, span: Floats, draw: Stream) -> Told:
    """From the mean conductance of the cells over time, which small reads of either sign leave unbiased, and
    each cell's level and scatter about it."""
    g, cell, age = (
        data.g[rows],
        np.unique(data.cell[rows], return_inverse=True)[1],
        data.t[rows] / reference,
    )
    why = {"sd": "no cell has a line of its own: reads at or below 0, or too few"}
    times, when = np.unique(age, return_inverse=True)
    count = int(cell.max()) + 1
    sums, reads = np.zeros((count, len(times))), np.zeros((count, len(times)))
    np.add.at(sums, (cell, when), g)
    np.add.at(reads, (cell, when), 1.0)
    mean: Estimate | None = None
    if len(times) < 2:
        why["mean"] = why["sd"] = "its cells were read at one time only"
    elif (sums.sum(axis=0) <= 0).any():
        why["mean"] = "its mean conductance is not above 0"
    else:
        mean = _bootstrap(np.stack([sums, reads]), _Slope(np.log(times)), draw.of("mean"))
    shape = age ** -(mean.value if mean is not None else 0.0)
    weight = np.bincount(cell, shape * shape)
    level = np.bincount(cell, g * shape) / weight
    off = (g - level[cell] * shape) / shape
    free = len(g) - count  # reads beside the first of each cell
    read, error = None, np.zeros(count)
    if free <= 0:
        why["read"] = "every cell was read once, so its noise is counted as programming error"
    else:
        error = np.sqrt((off * off).sum() / free / weight)
        grown = np.bincount(cell, off * off / span[rows]) * len(g) / free / np.bincount(cell)
        relative = np.sqrt(grown) / max(abs(float(level.mean())), 1e-12)
        read = _bootstrap(relative[None, :], _rms, draw.of("read"))
    start = np.stack([level, error]) * 1e6
    return Told(_bootstrap(start, _deviation, draw.of("start")), mean, None, read, why)


@dataclass(frozen=True, slots=True)
class _Slope:
    """Drift exponent of the mean of cells. place: ln(t / t_0) of the times."""

    place: Floats

    def __call__(self, values: Floats) -> float:
        """values: (sums, reads) of cells at the times."""
        mean = values[0].sum(axis=0) / np.maximum(values[1].sum(axis=0), 1.0)
        line = np.log(np.maximum(mean, 1e-12))
        place = self.place - self.place.mean()
        return -float((place * line).sum() / (place * place).sum())


def _line(
    data: Measurements, cell: int, reference: float, span: Floats
) -> tuple[float, float, float, float, float]:
    """(g at the reference time, drift exponent, Q: relative read noise over the square root of span,
    relative error of the first, error of the second) of one cell."""
    mine = data.cell == cell
    g, t = np.maximum(data.g[mine], 1e-12), data.t[mine]
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
    """The estimate with its interval. values: (what, cells, ...), resampled by cells."""
    draw = (stream.uniform((RESAMPLES, values.shape[1])) * values.shape[1]).astype(np.int64)
    found = np.sort([what(values[:, row]) for row in draw])
    return Estimate(
        what(values), float(found[int(0.025 * RESAMPLES)]), float(found[int(0.975 * RESAMPLES)])
    )


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
    spread = (
        spread + (mean * age * at(made.drift_sd)) ** 2 + (mean * at(made.read)) ** 2 * span[mine]
    )
    off = (data.g[mine] - mean) / np.sqrt(np.maximum(spread, (1e-9) ** 2))
    return float(np.sqrt((off * off).mean()))
