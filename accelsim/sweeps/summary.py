"""What a sweep's store says in a few lines: how many points stand how, and the best of each objective on each
workload."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.store import SweepSpec
from accelsim.store.columns import Columns
from accelsim.store.front import allowed, front, front_of, towards_less
from accelsim.store.joint import Floats, Ints, by_workload, designs_of, joined, works_of


@dataclass(slots=True)
class Best:
    """The best point of an objective on a workload among those that keep every constraint."""

    measure: str
    workload: str
    value: float
    key: str
    point: str


@dataclass(slots=True)
class BestJoint:
    """The design that is best in the joint objective among those that keep every constraint on every
    workload. values, keys: its measure and its point on each. front: keys of the designs that no
    other beats in the sweep's objectives, each over all workloads by the same rule."""

    measure: str
    by: str
    value: float
    design: str
    values: dict[str, float]
    keys: dict[str, str]
    front: list[list[str]]


@dataclass(slots=True)
class Summary:
    """points: that the store holds of the sweep. failed: went wrong or were refused. misfits: impossible
    designs. allowed: keep every constraint. fronts: keys on the Pareto front of each workload. failures:
    how many of each code. joint: of a sweep with a joint objective, None where no design has it."""

    points: int
    measured: int
    failed: int
    misfits: int
    allowed: int
    fronts: dict[str, list[str]]
    best: list[Best]
    failures: dict[str, int]
    joint: BestJoint | None = None

    def plain(self) -> dict[str, Any]:
        """For --json."""
        return {
            "points": self.points,
            "measured": self.measured,
            "failed": self.failed,
            "not_fitting": self.misfits,
            "within_constraints": self.allowed,
            "failures": self.failures,
            "front": self.fronts,
            "best": [dataclasses.asdict(best) for best in self.best],
            "joint": None if self.joint is None else dataclasses.asdict(self.joint),
        }


def summarise(columns: Columns, spec: SweepSpec, keys: list[str]) -> Summary:
    """The Summary of those rows of a store that are points of the sweep."""
    mine = _rows(columns, keys)
    ok, fits = columns.ok, columns.fits
    kept = mine & allowed(columns, spec.constraints)
    names = [work.name for work in spec.works]
    work = works_of(columns, names)
    on_front = front_of(columns, spec.objectives, kept)
    codes, errors = columns.setting("error")
    found = np.bincount(codes[mine & ~ok & (codes >= 0)], minlength=len(errors))
    failures = {
        str(name): int(number) for name, number in zip(errors, found, strict=True) if number
    }
    fronts = {
        name: [key.decode() for key in columns.keys[on_front & (work == number)]]
        for number, name in enumerate(names)
    }
    return Summary(
        int(mine.sum()),
        int((mine & ok).sum()),
        int((mine & ~ok & fits).sum()),
        int((mine & ~fits).sum()),
        int(kept.sum()),
        fronts,
        _best(columns, spec, kept, work),
        failures,
        _joint(columns, spec, kept, work),
    )


def _best(columns: Columns, spec: SweepSpec, kept: NDArray[np.bool_], work: Ints) -> list[Best]:
    """Of every workload, in every objective."""
    best = []
    for objective in spec.objectives:
        cost, name = towards_less(columns, objective), objective.removeprefix("-")
        for number, item in enumerate(spec.works):
            values = np.where(kept & (work == number), cost, np.nan)
            if not np.isnan(values).all():
                row = int(np.nanargmin(values))
                best.append(
                    Best(
                        name,
                        item.name,
                        float(columns.measure(name)[row]),
                        columns.keys[row].decode(),
                        describe(columns, row),
                    )
                )
    return best


def _joint(
    columns: Columns, spec: SweepSpec, kept: NDArray[np.bool_], work: Ints
) -> BestJoint | None:
    """The best in the joint objective, and the front of the objectives over all workloads."""
    if spec.joint is None:
        return None
    names = [item.name for item in spec.works]
    design, count = designs_of(columns)

    def tables(name: str) -> tuple[Floats, Floats]:
        values = np.where(kept, columns.measure(name), np.nan)
        table = by_workload(values, design, count, work, len(names))
        return table, joined(table, name, spec.joint, names)  # type: ignore[arg-type]

    measure = spec.joint.of.removeprefix("-")
    table, value = tables(measure)
    if np.isnan(value).all():
        return None
    cost = np.stack(
        [
            tables(one.removeprefix("-"))[1] * (-1 if one.startswith("-") else 1)
            for one in spec.objectives
        ],
        axis=1,
    )
    best = int(np.nanargmin(-value if spec.joint.of.startswith("-") else value))
    rows = np.full((count, len(names)), -1, np.int64)
    known = np.flatnonzero(kept & (work >= 0))
    rows[design[known], work[known]] = known

    def keys(number: int) -> list[str]:
        return [columns.keys[row].decode() for row in rows[number]]

    return BestJoint(
        measure,
        spec.joint.by,
        float(value[best]),
        describe(columns, int(rows[best, 0]), False),
        dict(zip(names, table[best].tolist(), strict=True)),
        dict(zip(names, keys(best), strict=True)),
        [keys(number) for number in np.flatnonzero(front(cost)).tolist()],
    )


def _rows(columns: Columns, keys: list[str]) -> NDArray[np.bool_]:
    """Which rows are of these keys."""
    wanted = np.array(sorted(keys), "S32")
    if len(wanted) == 0:
        return np.zeros(len(columns), np.bool_)
    at = np.minimum(np.searchsorted(wanted, columns.keys), len(wanted) - 1)
    found: NDArray[np.bool_] = wanted[at] == columns.keys
    return found


def describe(columns: Columns, row: int, on: bool = True) -> str:
    """A point of a row, in a line. on: with its workload."""

    def text(key: str) -> Any:
        numbers, values = columns.setting(key)
        return values[numbers[row]] if numbers[row] >= 0 else None

    sets = ", ".join(f"{key}={value}" for key in columns.sets if (value := text(key)) is not None)
    search, seed = text("search"), text("seed")
    more = (f", search {search}" if search else "") + (f", seed {seed}" if seed else "")
    place = f" on {text('workload')}" if on else ""
    return f"{text('base')}{place}{': ' + sets if sets else ''}{more}"
