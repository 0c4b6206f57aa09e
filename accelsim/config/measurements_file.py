"""Measured conductances: a CSV with the columns g_target, g, t, cell and, where known, T.

Units are SI, or stand in the column's name: g_uS, t_h. A value that can only be another unit's is
refused with its line. Reads a little below 0 are the offset of the reading circuit. Other columns are
not read.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from accelsim.devices.base import ROOM
from accelsim.devices.fit import Measurements
from accelsim.errors import InputError, Problem

MOST_ROWS = 5_000_000
UNITS = {
    "g_target": {"": 1.0, "S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9},
    "g": {"": 1.0, "S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9},
    "t": {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0, "day": 86400.0},
    "T": {"": 1.0, "K": 1.0},
    "cell": {"": 1.0},
}
REQUIRED = ("g_target", "g", "t", "cell")
#: SI range of each column, and what a value beyond it looks like
RANGES = {
    "g_target": (0.0, 1e-2, "microsiemens", "name the column g_target_uS"),
    "g": (-1e-2, 1e-2, "microsiemens", "name the column g_uS"),
    "t": (1e-9, 1e10, "another unit", "write seconds after programming, above 0"),
    "T": (150.0, 700.0, "degrees Celsius", "write kelvin"),
}
SHOWN = 10
#: Python's own float() also takes 1_0 for 10
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def load_measurements(path: str | Path) -> Measurements:
    """The columns of a CSV; InputError with every problem, at most SHOWN of them."""
    where = str(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except FileNotFoundError:
        raise InputError(
            Problem("csv.missing", "there is no such file", "check the path", file=where)
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError(
            Problem("csv.file", "is not a readable CSV", "write commas and UTF-8", file=where)
        ) from None
    if not lines:
        raise InputError(
            Problem("csv.empty", "is empty", "write a header and rows", file=where, line=1)
        )
    columns, problems = _header(lines[0], where)
    table: dict[str, list[float]] = {name: [] for name, _, _ in columns}
    names: dict[str, int] = {}  # of cells, which may be called anything
    at: list[int] = []
    for number, row in enumerate(lines[1:MOST_ROWS], 2):
        if not row or not any(cell.strip() for cell in row):
            continue
        at.append(number)
        for name, index, factor in columns:
            problem, value = (
                _named(row, index, names) if name == "cell" else _value(row, index, name, factor)
            )
            if problem is not None and len(problems) < SHOWN:
                problems.append(Problem("csv.value", *problem, name, where, number, index + 1))
            table[name].append(value)
    if not problems and len(table.get("g", ())) < 20:
        problems.append(
            Problem("csv.short", f"has {len(table['g'])} rows", "give at least 20", file=where)
        )
    if not problems:
        problems += _below(table, at, where)
    if problems:
        raise InputError(problems)
    count = len(table["g"])
    target = np.array(table["g_target"])
    cell = np.array(table["cell"], np.int64)
    return Measurements(
        target,
        np.array(table["g"]),
        np.array(table["t"]),
        np.array(table.get("T", [ROOM] * count)),
        cell,
    )


def _header(head: list[str], where: str) -> tuple[list[tuple[str, int, float]], list[Problem]]:
    """(name, place, factor to SI) of every known column."""
    found: list[tuple[str, int, float]] = []
    problems = []
    for index, text in enumerate(head):
        for name in sorted(UNITS, key=len, reverse=True):
            stem, _, unit = (
                text.strip().partition("_")
                if not text.strip().startswith("g_target")
                else ("g_target", "", text.strip()[len("g_target") :].lstrip("_"))
            )
            if stem == name and unit in UNITS[name]:
                found.append((name, index, UNITS[name][unit]))
                break
            if stem == name:
                known = ", ".join(f"{name}_{u}" if u else name for u in UNITS[name])
                problems.append(
                    Problem(
                        "csv.unit",
                        f"has the unit {unit!r}",
                        f"write one of: {known}",
                        text.strip(),
                        where,
                        1,
                        index + 1,
                    )
                )
                break
    names = [name for name, _, _ in found]
    for name in REQUIRED:
        if name not in names and not any(p.path.startswith(name) for p in problems):
            problems.append(
                Problem(
                    "csv.column",
                    "is missing",
                    "add the column, or its unit as in g_uS",
                    name,
                    where,
                    1,
                )
            )
    return found, problems


def _named(
    row: list[str], index: int, names: dict[str, int]
) -> tuple[tuple[str, str] | None, float]:
    """(problem or None, number of the cell of that name)."""
    text = row[index].strip() if index < len(row) else ""
    if not text:
        return (
            "has no name of its cell",
            "write the same number or name in all reads of a cell",
        ), 0.0
    return None, float(names.setdefault(text, len(names)))


def _below(table: dict[str, list[float]], at: list[int], where: str) -> list[Problem]:
    """Reads further below 0 than the largest target: no offset of a circuit."""
    largest = max(table["g_target"])
    return [
        Problem(
            "csv.negative",
            f"{g * 1e6:.4g} uS is further below 0 than the largest target, "
            f"{largest * 1e6:.4g} uS, above it",
            "write conductances, currents over voltages of one sign",
            "g",
            where,
            line,
        )
        for g, line in zip(table["g"], at, strict=True)
        if g < -largest
    ][:SHOWN]


def _value(
    row: list[str], index: int, name: str, factor: float
) -> tuple[tuple[str, str] | None, float]:
    """(problem or None, SI value)."""
    try:
        value = float(NUMBER.fullmatch(row[index].strip())[0]) * factor  # type: ignore[index]
    except (IndexError, TypeError):
        said = repr(row[index]) if index < len(row) else "nothing"
        return (f"{said} is no number", "write a number"), 0.0
    low, high, looks, fix = RANGES[name]
    if not low <= value <= high:
        return (
            f"{row[index]} is outside {low:g}..{high:g} in SI units and looks like {looks}",
            fix,
        ), 0.0
    return None, value
