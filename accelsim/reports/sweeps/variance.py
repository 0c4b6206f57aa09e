"""How much of a measure's variance each varied key explains.

On a grid: main effect = variance of the means over everything else; total = what is left within groups that
share every other key. Of a sample (random, Sobol), whose designs share no key: keys of more than BINS values
are cut into BINS bins of equal count; the main effect is the variance of the bins' means less what chance
gives (k - 1 times the variance within, over n), the total adds the same of pairs: interactions up to second
order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accelsim.reports.sweeps.statistics import groups_of
from accelsim.reports.sweeps.table import Floats, Ints, Table, Words

BINS = 8


@dataclass(frozen=True, slots=True)
class Effect:
    """Of a key: sums of squares of the main effect and of all effects that it takes part in."""

    main: float
    total: float


def effects(
    table: Table, rows: Ints, keys: list[str], values: Floats, grid: bool
) -> tuple[dict[str, Effect], float]:
    """(effects by key, sum of squares of all) of values, (rows,), finite. On a grid a key that varies under a
    condition counts where it is set."""
    whole = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    columns = {key: table.sets[key].take(rows) for key in keys}
    if grid:
        found = {}
        for key in keys:
            here = np.flatnonzero(columns[key].codes >= 0)
            seen, own = values[here], columns[key].take(here)
            others = [columns[other].take(here) for other in keys if other != key]
            rest = float(((seen - seen.mean()) ** 2).sum())
            if others:
                rest -= between(seen, groups_of(others, len(here)))
            found[key] = Effect(between(seen, groups_of([own], len(here))), rest)
        return found, whole
    binned = {key: _binned(column) for key, column in columns.items()}
    mains = {key: _corrected(values, group, whole) for key, group in binned.items()}
    totals = dict(mains)
    for i, first in enumerate(keys):
        for second in keys[i + 1 :]:
            pair = binned[first] * (int(binned[second].max(initial=0)) + 1) + binned[second]
            _, dense = np.unique(pair, return_inverse=True)
            both = max(0.0, _corrected(values, dense, whole) - mains[first] - mains[second])
            totals[first] += both
            totals[second] += both
    return {key: Effect(mains[key], min(whole, totals[key])) for key in keys}, whole


def between(values: Floats, group: Ints) -> float:
    """Sum of squares of the groups' means about the mean, weighted by the groups' sizes."""
    count = np.bincount(group)
    mean = np.bincount(group, values) / np.maximum(count, 1)
    return float((count * (mean - values.mean()) ** 2).sum())


def _corrected(values: Floats, group: Ints, whole: float) -> float:
    seen, count = between(values, group), int(group.max(initial=0)) + 1
    left = len(values) - count
    return max(0.0, seen - (count - 1) * (whole - seen) / left) if left > 0 else 0.0


def _binned(column: Words) -> Ints:
    codes = column.codes.astype(np.int64) + 1
    if len(np.unique(codes)) <= BINS:
        return np.unique(codes, return_inverse=True)[1]
    rank = np.argsort(np.argsort(codes, kind="stable"), kind="stable")
    return rank * BINS // len(codes)
