"""Pareto fronts: points that no other of the same workload beats in everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.store.columns import Columns


def front(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of (points, objectives), all to be small, are on the front. A row is off it when another
    is nowhere larger and somewhere smaller, or holds a NaN; equal rows stand together."""
    found = np.zeros(len(values), np.bool_)
    rows = np.flatnonzero(~np.isnan(values).any(axis=1))
    if len(rows) == 0 or values.shape[1] == 0:
        return found
    order = rows[np.lexsort(values[rows].T[::-1])]
    ordered = values[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    distinct = ordered[new]
    found[order] = _distinct(distinct)[np.cumsum(new) - 1]
    return found


def _distinct(ordered: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The front of distinct rows in lexicographic order: only earlier rows can beat a row."""
    if ordered.shape[1] == 1:
        stands = np.zeros(len(ordered), np.bool_)
        stands[:1] = True
        return stands
    if ordered.shape[1] == 2:
        second = ordered[:, 1]
        best = np.minimum.accumulate(second)
        stands = np.ones(len(ordered), np.bool_)
        stands[1:] = second[1:] < best[:-1]
        return stands
    stands = np.zeros(len(ordered), np.bool_)
    left = np.arange(len(ordered))
    while len(left):  # the first row left is on the front; drop what it beats
        first = ordered[left[0]]
        stands[left[0]] = True
        left = left[1:][(ordered[left[1:]] < first).any(axis=1)]
    return stands


def front_of(
    columns: Columns, objectives: tuple[str, ...], allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """The points on the fronts of a store's columns, one front a workload: figures of different work
    never beat each other. objectives: measures, "-" before one of which more is better. allowed:
    which points count."""
    found = np.zeros(len(columns), np.bool_)
    if not objectives:
        return found
    values = np.stack([towards_less(columns, name) for name in objectives], axis=1)
    count = columns.ok if allowed is None else columns.ok & allowed
    values[~count] = np.nan
    numbers, names = columns.setting("workload")
    for number in range(len(names)):
        rows = np.flatnonzero(numbers == number)
        found[rows] = front(values[rows])
    return found


def towards_less(columns: Columns, objective: str) -> NDArray[np.float64]:
    """A measure, its sign changed where more is better."""
    name = objective.removeprefix("-")
    found = columns.measure(name)
    return -found if objective.startswith("-") else found.copy()


def allowed(columns: Columns, constraints: tuple[tuple[str, str, float], ...]) -> NDArray[np.bool_]:
    """Which measured points keep every constraint; one without the measure does not."""
    kept = columns.ok.copy()
    for name, relation, bound in constraints:
        if name != "fits":
            values = columns.measure(name)
            with np.errstate(invalid="ignore"):
                kept &= values <= bound if relation == "<=" else values >= bound
    return kept
