"""One figure of a design over several workloads: their sum, geometric mean, worst, or weighted sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.store.columns import Columns
from accelsim.store.measures import MEASURES
from accelsim.store.spec import Joint

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
RULES = ("sum", "geomean", "worst", "weights")
TEXTS = {"sum": "sum", "geomean": "geometric mean", "worst": "worst", "weights": "weighted sum"}


def by_workload(values: Floats, design: Ints, designs: int, work: Ints, works: int) -> Floats:
    """(designs, works) values of points, NaN where there is none. design, work: of each point."""
    table = np.full((designs, works), np.nan)
    known = np.isfinite(values) & (work >= 0)
    table[design[known], work[known]] = values[known]
    return table


def joined(table: Floats, measure: str, joint: Joint, works: Sequence[str]) -> Floats:
    """(designs,) one figure of a measure over the workloads; NaN unless a design has all of them, and
    of a geometric mean unless all are above zero. What the chip alone decides (area) stays."""
    if MEASURES.get(measure) is not None and MEASURES[measure].group == "area":
        return np.where(np.isnan(table).any(axis=1), np.nan, table[:, 0])
    found: Floats
    if joint.by == "sum":
        found = table.sum(axis=1)
    elif joint.by == "worst":
        larger = MEASURES.get(measure) is not None and MEASURES[measure].larger
        found = table.min(axis=1) if larger else table.max(axis=1)
    elif joint.by == "geomean":
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.exp(np.log(np.where(table > 0, table, np.nan)).mean(axis=1))
    else:
        weights = dict(joint.weights)
        found = table @ np.array([weights[name] for name in works])
    return found


def designs_of(columns: Columns) -> tuple[Ints, int]:
    """The design of each point of a store, all but its workload, and how many there are."""
    keys = ("base", "search", "seed", *columns.sets)
    codes = np.stack([columns.setting(key)[0] for key in keys], axis=1)
    _, group = np.unique(codes, axis=0, return_inverse=True)
    return group.reshape(-1).astype(np.int64), int(group.max(initial=-1)) + 1


def works_of(columns: Columns, names: Sequence[str]) -> Ints:
    """The place of each point's workload among names, -1 for others."""
    numbers, values = columns.setting("workload")
    places = {name: place for place, name in enumerate(names)}
    found = np.array([*(places.get(str(value), -1) for value in values), -1], np.int64)
    return found[numbers]
