"""Means of repeats with confidence intervals, and the front of what no other design beats."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p

import numpy as np

from accelsim.reports.sweeps.scale import SHARES
from accelsim.reports.sweeps.table import Aged, Bools, Floats, Ints, Table, Words

CONFIDENCE = 0.95


@lru_cache(maxsize=1024)
def student_t(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of Student's t: P(|t| < x) = confidence. freedom: 1 and more."""
    low, high = 0.0, 1.0
    while _inside(high, freedom) < confidence:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < confidence else (low, middle)
    return (low + high) / 2


def _inside(t: float, freedom: int) -> float:
    """P(|t'| < t), 1 - I(freedom / (freedom + t^2); freedom / 2, 1 / 2)."""
    x = freedom / (freedom + t * t)
    return 1.0 - _beta(x, freedom / 2, 0.5) if t else 0.0


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x >= 1.0:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(1 - x, b, a)
    front = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1))
    h = d
    for m in range(1, 1000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1.0 + term / c, 1.0 / (1.0 + term * d)
            h *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return front * h


def groups_of(columns: list[Words], rows: int) -> Ints:
    """(rows,) number of the group of rows that are equal in all columns; numbers are dense, in order of
    each group's first row."""
    code, span = np.zeros(rows, np.int64), 1
    for column in columns:
        size = len(column.values) + 1
        if span > (1 << 62) // size:
            unique, code = np.unique(code, return_inverse=True)
            span = len(unique)
        code = code * size + (column.codes + 1)
        span *= size
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[group]


def mean_and_half(values: Floats, group: Ints, groups: int) -> tuple[Floats, Floats]:
    """(groups,) mean of the finite values of each group, NaN without any, and the half width of its 95 %
    confidence interval, 0 for a single value."""
    known = np.isfinite(values)
    own, seen = group[known], values[known]
    count = np.bincount(own, minlength=groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(own, seen, groups) / count
        square = np.bincount(own, (seen - mean[own]) ** 2, groups)
        sigma = np.sqrt(square / (count - 1) / count)
    most = int(count.max(initial=1))
    several = np.unique(count[count > 1])
    quantile = np.zeros(most + 1)
    quantile[several] = [student_t(int(n) - 1) for n in several]
    return mean, np.where(count > 1, np.nan_to_num(sigma) * quantile[count], 0.0)


def mean_and_spread(name: str, values: Floats, group: Ints, groups: int) -> tuple[Floats, Floats]:
    """(groups,) mean of a measure, and (2, groups) how far it lies below and above: its 95 % confidence
    interval; of a share of a whole, which an interval of few seeds would take beyond 0 or 100 %, the
    range of the seeds."""
    mean, half = mean_and_half(values, group, groups)
    if name not in SHARES:
        return mean, np.stack([half, half])
    least, most = np.full(groups, np.inf), np.full(groups, -np.inf)
    known = np.isfinite(values)
    np.minimum.at(least, group[known], values[known])
    np.maximum.at(most, group[known], values[known])
    some = np.isfinite(mean)
    return mean, np.stack(
        [
            np.where(some, np.maximum(0.0, mean - least), 0.0),
            np.where(some, np.maximum(0.0, most - mean), 0.0),
        ]
    )


def spread_heads(name: str) -> list[str]:
    """Heads of the columns that say how far the seeds lie apart."""
    return [f"{name} lowest seed", f"{name} highest seed"] if name in SHARES else [f"{name} 95 %"]


def spread_cells(name: str, value: float, spread: Floats) -> list[float]:
    """Those columns of one value. spread: (2,) below and above."""
    below, above = (float(one) for one in np.nan_to_num(spread))
    return [value - below, value + above] if name in SHARES else [above]


def designs_of(points: Table) -> Table:
    """Points that are the same but for their seed as one row each: means and how far the seeds lie apart. A
    design is ok where one of its points is, and fits where all do."""
    if len(points) == 0 or (points.seed == points.seed[0]).all():
        zero = {name: np.zeros((2, len(points))) for name in points.measures}
        aged = points.aged
        flat = {name: np.zeros((2, len(aged.row))) for name in aged.measures}
        return _with(
            points,
            points.measures,
            zero,
            Aged(aged.row, aged.age, aged.kelvin, aged.measures, flat),
        )
    group = groups_of(points.factors(), len(points))
    _, first = np.unique(group, return_index=True)
    count = len(first)
    both = {
        name: mean_and_spread(name, column, group, count)
        for name, column in points.measures.items()
    }
    ok = np.bincount(group, points.ok, count) > 0
    made = _take(points, first.astype(np.int64))
    parts = {
        name: mean_and_half(np.where(points.ok, column, np.nan), group, count)[0]
        for name, column in points.parts.items()
    }
    seed = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(seed, group, points.seed)
    return Table(
        made.base,
        made.work,
        made.analog,
        made.sets,
        made.search,
        seed,
        ok,
        np.bincount(group, ~points.fits, count) == 0,
        {name: mean for name, (mean, _) in both.items()},
        {name: np.nan_to_num(column) for name, column in parts.items()},
        _aged(points.aged, group),
        made.failure,
        made.message,
        np.bincount(group, minlength=count),
        {name: half for name, (_, half) in both.items()},
    )


def _aged(points: Aged, group: Ints) -> Aged:
    if len(points.row) == 0:
        return points
    whole = np.stack(
        [
            group[points.row].astype(np.float64),
            np.nan_to_num(points.age, nan=-1.0),
            np.nan_to_num(points.kelvin, nan=-1.0),
        ]
    )
    unique, inner = np.unique(whole, axis=1, return_inverse=True)
    inner = inner.reshape(-1)
    both = {
        name: mean_and_spread(name, column, inner, unique.shape[1])
        for name, column in points.measures.items()
    }
    return Aged(
        unique[0].astype(np.int64),
        np.where(unique[1] < 0, np.nan, unique[1]),
        np.where(unique[2] < 0, np.nan, unique[2]),
        {n: m for n, (m, _) in both.items()},
        {n: h for n, (_, h) in both.items()},
    )


def _with(t: Table, measures: dict[str, Floats], spread: dict[str, Floats], aged: Aged) -> Table:
    return Table(
        t.base,
        t.work,
        t.analog,
        t.sets,
        t.search,
        t.seed,
        t.ok,
        t.fits,
        measures,
        t.parts,
        aged,
        t.failure,
        t.message,
        t.repeats,
        spread,
    )


def _take(t: Table, rows: Ints) -> Table:
    return Table(
        t.base.take(rows),
        t.work.take(rows),
        t.analog[rows],
        {key: column.take(rows) for key, column in t.sets.items()},
        t.search.take(rows),
        t.seed[rows],
        t.ok[rows],
        t.fits[rows],
        {},
        {},
        t.aged,
        t.failure.take(rows),
        t.message.take(rows),
        t.repeats[rows],
    )


def front_of(x: Floats, y: Floats) -> Bools:
    """Which points no other point beats in both, smaller being better; equal ones all stay. NaN never."""
    found = np.zeros(len(x), bool)
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(known) == 0:
        return found
    order = known[np.lexsort((y[known], x[known]))]
    best = np.minimum.accumulate(y[order])
    new = np.ones(len(order), bool)
    new[1:] = y[order[1:]] < best[:-1]
    # equal twins of a point on the front are on it too
    twin = np.zeros(len(order), bool)
    twin[1:] = (x[order[1:]] == x[order[:-1]]) & (y[order[1:]] == y[order[:-1]])
    first = np.maximum.accumulate(np.where(twin, 0, np.arange(len(order))))
    found[order[new[first]]] = True
    return found
