"""What a sweep's store says in a few lines: how many points stand how, and the best of each objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.store import SweepSpec
from accelsim.store.columns import Columns
from accelsim.store.front import allowed, front_of, towards_less


@dataclass(slots=True)
class Best:
    """The best point of an objective among those that keep every constraint."""

    measure: str
    value: float
    key: str
    point: str


@dataclass(slots=True)
class Summary:
    """points: that the store holds of the sweep. failed: went wrong or were refused. misfits: impossible
    designs. allowed: keep every constraint. front: keys on the Pareto front of them. failures: how many
    of each code."""

    points: int
    measured: int
    failed: int
    misfits: int
    allowed: int
    front: list[str]
    best: list[Best]
    failures: dict[str, int]

    def plain(self) -> dict[str, Any]:
        """For --json."""
        return {"points": self.points, "measured": self.measured, "failed": self.failed,
                "not_fitting": self.misfits, "within_constraints": self.allowed, "failures": self.failures,
                "front": self.front,
                "best": [{"measure": b.measure, "value": b.value, "key": b.key, "point": b.point}
                         for b in self.best]}  # fmt: skip


def summarise(columns: Columns, spec: SweepSpec, keys: list[str]) -> Summary:
    """The Summary of those rows of a store that are points of the sweep."""
    mine = _rows(columns, keys)
    ok, fits = columns.ok, columns.fits
    kept = mine & allowed(columns, spec.constraints)
    best = []
    for objective in spec.objectives:
        values = np.where(kept, towards_less(columns, objective), np.nan)
        if not np.isnan(values).all():
            row = int(np.nanargmin(values))
            name = objective.removeprefix("-")
            best.append(Best(name, float(columns.measure(name)[row]), columns.keys[row].decode(),
                             describe(columns, row)))  # fmt: skip
    front = columns.keys[front_of(columns, spec.objectives, kept)]
    codes, names = columns.setting("error")
    found = np.bincount(codes[mine & ~ok & (codes >= 0)], minlength=len(names))
    failures = {str(name): int(number) for name, number in zip(names, found, strict=True) if number}
    return Summary(int(mine.sum()), int((mine & ok).sum()), int((mine & ~ok & fits).sum()),
                   int((mine & ~fits).sum()), int(kept.sum()), [key.decode() for key in front], best,
                   failures)  # fmt: skip


def _rows(columns: Columns, keys: list[str]) -> NDArray[np.bool_]:
    """Which rows are of these keys."""
    wanted = np.array(sorted(keys), "S32")
    if len(wanted) == 0:
        return np.zeros(len(columns), np.bool_)
    at = np.minimum(np.searchsorted(wanted, columns.keys), len(wanted) - 1)
    found: NDArray[np.bool_] = wanted[at] == columns.keys
    return found


def describe(columns: Columns, row: int) -> str:
    """A point of a row, in a line."""

    def text(key: str) -> Any:
        numbers, values = columns.setting(key)
        return values[numbers[row]] if numbers[row] >= 0 else None

    sets = ", ".join(f"{key}={value}" for key in columns.sets if (value := text(key)) is not None)
    search, seed = text("search"), text("seed")
    more = (f", search {search}" if search else "") + (f", seed {seed}" if seed else "")
    return f"{text('base')} on {text('workload')}{': ' + sets if sets else ''}{more}"
