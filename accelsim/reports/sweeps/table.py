"""The points of a sweep as columns: what every plot reads.

A Table holds points as they are in the store, or designs: points that are the same but for the seed, as
means with the half width of a 95 % confidence interval (statistics.py). Missing numbers are NaN, in every
column of floats; nothing here is changed once it is made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.config.quantities import any_quantity
from accelsim.store import Point, Record
from accelsim.store.spec import Plain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
JOIN = "+"  # between keys of one axis that do not determine each other


def number_of(value: Plain) -> float:
    """The SI number of a value in the chip file's syntax; NaN for words."""
    if isinstance(value, bool) or value is None or isinstance(value, list):
        return float("nan")
    if isinstance(value, int | float):
        return float(value)
    found = any_quantity(str(value))
    return float("nan") if found is None else found[0]


def said(value: Plain | None) -> str:
    """A value of a key for a person."""
    if value is None:
        return "base's own"
    if isinstance(value, list):
        return "+".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Words:
    """A column of few different values. codes: (rows,) into values, -1 where there is none. values: in the
    chip file's syntax, in rising order of their numbers where all are numbers. numbers: SI, NaN for
    words."""

    codes: NDArray[np.int32]
    values: tuple[Plain, ...]
    numbers: Floats

    @classmethod
    def of(cls, column: Sequence[Plain | None]) -> Words:
        """From a value a row, None where there is none."""
        places: dict[str, int] = {}
        values: list[Plain] = []
        codes = np.empty(len(column), np.int32)
        for row, value in enumerate(column):
            if value is None:
                codes[row] = -1
                continue
            name = repr(value)
            if name not in places:
                places[name] = len(values)
                values.append(value)
            codes[row] = places[name]
        return cls.sorted(codes, values)

    @classmethod
    def sorted(cls, codes: NDArray[np.int32], values: Sequence[Plain]) -> Words:
        """The same column with values in rising order, where all are numbers."""
        numbers = np.array(
            [number_of(str(v) if isinstance(v, list) else v) for v in values], np.float64
        )
        if len(values) and np.isfinite(numbers).all():
            order = np.argsort(numbers, kind="stable")
            place = np.append(np.argsort(order, kind="stable"), -1).astype(np.int32)
            return cls(place[codes], tuple(values[i] for i in order), numbers[order])
        return cls(codes, tuple(values), numbers)

    def take(self, rows: Ints) -> Words:
        """The column of some rows."""
        return Words(self.codes[rows], self.values, self.numbers)

    def at(self, row: int) -> Plain | None:
        """The value of a row, None where there is none."""
        code = int(self.codes[row])
        return None if code < 0 else self.values[code]

    def texts(self) -> list[str]:
        """Every row's value as text, "base's own" where there is none."""
        named = [*(said(value) for value in self.values), said(None)]
        return [named[code] for code in self.codes.tolist()]

    def where(self, value: Plain) -> Bools:
        """Rows that have the value."""
        place = [i for i, known in enumerate(self.values) if repr(known) == repr(value)]
        return np.equal(self.codes, place[0] if place else -2)


@dataclass(frozen=True, slots=True)
class Aged:
    """Values over age, several a row. row: (n,) into the Table. age: s, NaN for digital chips. kelvin.
    measures: "top1", "signal_to_noise_db"; spread: (2, n) how far the seeds lie below and above."""

    row: Ints
    age: Floats
    kelvin: Floats
    measures: dict[str, Floats]
    spread: dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Table:
    """base, work, search, failure, message: words. analog: computes in memory. sets: keys that are set over the
    base's own. seed: of points; the smallest of a design's. repeats: points of each row. ok: has measures.
    fits: False where the design is impossible. measures, parts: SI by name, (rows,). spread: only of designs,
    (2, rows) how far the seeds lie below and above (statistics.mean_and_spread)."""

    base: Words
    work: Words
    analog: Bools
    sets: dict[str, Words]
    search: Words
    seed: Ints
    ok: Bools
    fits: Bools
    measures: dict[str, Floats]
    parts: dict[str, Floats]
    aged: Aged
    failure: Words
    message: Words
    repeats: Ints
    spread: dict[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seed)

    def point(self, row: int) -> Point:
        """The point of a row, to run it again."""
        sets = tuple(
            (key, value)
            for key, column in sorted(self.sets.items())
            if JOIN not in key and (value := column.at(row)) is not None
        )
        search = self.search.at(row)
        return Point(
            str(self.base.at(row)),
            str(self.work.at(row)),
            sets,
            None if search is None else str(search),
            int(self.seed[row]),
        )

    def measure(self, name: str) -> Floats:
        """A measure; all NaN for one that no point has."""
        found = self.measures.get(name)
        return np.full(len(self), np.nan) if found is None else found

    def factors(self) -> list[Words]:
        """What tells designs apart."""
        return [self.base, self.work, self.search, *self.sets.values()]


def joined(table: Table, axes: Sequence[Sequence[str]]) -> Table:
    """The table with a column for each axis whose first key does not say what its other keys are: "a+b", its
    values like "16 MiB, cold" in the order of the keys' values."""
    made = dict(table.sets)
    for axis in axes:
        columns = [table.sets[key] for key in axis if key in table.sets]
        if len(columns) < 2:
            continue
        code = np.zeros(len(table), np.int64)
        for column in columns:
            code = code * (len(column.values) + 1) + column.codes + 1
        steps, place = np.unique(code, return_inverse=True)
        if len(steps) == len(np.unique(columns[0].codes)):
            continue
        values: list[Plain] = []
        for row in np.unique(place, return_index=True)[1].tolist():
            values.append(", ".join(said(column.at(row)) for column in columns))
        unset = columns[0].codes < 0
        codes = np.where(unset, -1, place).astype(np.int32)
        made[JOIN.join(axis)] = Words(codes, tuple(values), np.full(len(values), np.nan))
    return table if len(made) == len(table.sets) else dataclasses.replace(table, sets=made)


def table_of(records: Iterable[Record], analog: dict[str, bool]) -> Table:
    """The points of records as they come. analog: whether each base computes in memory."""
    held = list(records)
    keys = dict.fromkeys(key for record in held for key, _ in record.point.sets)
    sets = [dict(record.point.sets) for record in held]
    rows = [(n, item) for n, record in enumerate(held) for item in record.aged]
    values = {
        name: _floats([item.get(name) for _, item in rows])
        for name in ("top1", "signal_to_noise_db")
    }
    aged = Aged(
        np.array([n for n, _ in rows], np.int64),
        _floats([item.get("age_s") for _, item in rows]),
        _floats([item.get("temperature_K") for _, item in rows]),
        values,
        {},
    )
    failures = [record.failure for record in held]
    return Table(
        Words.of([r.point.base for r in held]),
        Words.of([r.point.work for r in held]),
        np.array([analog.get(r.point.base, False) for r in held], bool),
        {key: Words.of([one.get(key) for one in sets]) for key in keys},
        Words.of([r.point.search for r in held]),
        np.array([r.point.seed for r in held], np.int64),
        np.array([r.ok for r in held], bool),
        np.array([f is None or f.fits for f in failures], bool),
        _columns([r.measures for r in held], np.nan),
        _columns([r.parts for r in held], 0.0),
        aged,
        Words.of([None if f is None else f.code for f in failures]),
        Words.of([None if f is None else f.message for f in failures]),
        np.ones(len(held), np.int64),
    )


def _columns(rows: Sequence[dict[str, float]], missing: float) -> dict[str, Floats]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, missing) for row in rows], np.float64) for name in names}


def _floats(values: Sequence[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], np.float64)
