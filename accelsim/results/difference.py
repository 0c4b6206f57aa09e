"""What changed between two runs: terms that add up exactly, down to action and constant.

Cycles are whole and sums of joules are of Fractions, so nothing is lost to rounding: the terms' sum is the
change.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accelsim.chip import Chip
from accelsim.config.writer import chip_values
from accelsim.program.table import Program
from accelsim.program.text import listing
from accelsim.results.breakdown import arrays_of, windows_of, within_operators
from accelsim.results.result import Result
from accelsim.results.rounding import apportioned

WHOLE = "(whole run)"


@dataclass(frozen=True, slots=True)
class CycleTerm:
    """Change of the cycles that one operator adds to the run, in what the first array did in them."""

    operator: str
    cause: str
    change: int


@dataclass(frozen=True, slots=True)
class JouleTerm:
    """Change of one action's joules in one operator. by_count: from doing it more or less often, at
    A's constant; by_constant: from the constant's change, at B's count."""

    operator: str
    unit: str
    action: str
    by_count: Fraction
    by_constant: Fraction

    @property
    def change(self) -> Fraction:
        return self.by_count + self.by_constant


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant that moved: joules a count and source in A and in B."""

    unit: str
    action: str
    before: float
    after: float
    source_before: str
    source_after: str


def exact_joules(result: Result) -> Fraction:
    """Sum of all rows, not rounded."""
    return sum((Fraction(row.joules) for row in result.energy.rows), Fraction(0))


def _cycles_of(result: Result) -> dict[tuple[str, str], int]:
    """Cycles that each operator adds, by what the first array did in them."""
    tick = result.tick_hz // result.chip.clocks[result.chip.core.clock]
    windows = windows_of(result)
    ticks = within_operators(result, arrays_of(result)[:1])
    found: dict[tuple[str, str], int] = {}
    names = [*result.program.operators, WHOLE]
    for i, (name, cycles) in enumerate(zip(names, windows.cycles(tick).tolist(), strict=True)):
        parts = apportioned(
            [Fraction(int(column[i]), tick) for column in ticks.values()], 0, Fraction(cycles)
        )
        found |= {
            (name, cause): int(part) for cause, part in zip(ticks, parts, strict=True) if part
        }
    return found


def cycle_terms(a: Result, b: Result) -> list[CycleTerm]:
    """Terms that add up to b.cycles - a.cycles, the largest first."""
    before, after = _cycles_of(a), _cycles_of(b)
    terms = [
        CycleTerm(*key, after.get(key, 0) - before.get(key, 0))
        for key in dict.fromkeys([*before, *after])
    ]
    return sorted(
        (t for t in terms if t.change), key=lambda t: (-abs(t.change), t.operator, t.cause)
    )


def _joules_of(result: Result) -> dict[tuple[str, str, str], tuple[Fraction, Fraction]]:
    found: dict[tuple[str, str, str], tuple[Fraction, Fraction]] = {}
    for row in result.energy.rows:
        name = result.program.operators[row.operator] if row.operator >= 0 else WHOLE
        count, joules = found.get((name, row.unit, row.action), (Fraction(0), Fraction(0)))
        found[name, row.unit, row.action] = (
            count + Fraction(row.count),
            joules + Fraction(row.joules),
        )
    return found


def joule_terms(a: Result, b: Result) -> list[JouleTerm]:
    """Terms that add up to exact_joules(b) - exact_joules(a), the largest first."""
    before, after = _joules_of(a), _joules_of(b)
    terms, none = [], (Fraction(0), Fraction(0))
    for key in dict.fromkeys([*before, *after]):
        (count_a, joules_a), (count_b, joules_b) = before.get(key, none), after.get(key, none)
        price_a = joules_a / count_a if count_a else joules_b / count_b if count_b else Fraction(0)
        by_count = (count_b - count_a) * price_a
        terms.append(JouleTerm(*key, by_count, joules_b - joules_a - by_count))
    return sorted(
        (t for t in terms if t.by_count or t.by_constant),
        key=lambda t: (-abs(t.change), t.operator, t.unit, t.action),
    )


def changed_keys(a: Chip, b: Chip) -> list[tuple[str, str, str]]:
    """(key of the chip file, value in A, value in B) of every key that differs, defaults written out; "-": not
    there. Names and descriptions are left out."""
    before, after = (_flat(chip_values(chip, every=True)) for chip in (a, b))
    return [
        (key, before.get(key, "-"), after.get(key, "-"))
        for key in dict.fromkeys([*before, *after])
        if key not in ("name", "description") and before.get(key) != after.get(key)
    ]


def _flat(value: object, path: str = "") -> dict[str, str]:
    if not isinstance(value, dict):
        return {path: str(value)}
    return {
        key: text
        for name, item in value.items()
        for key, text in _flat(item, f"{path}.{name}" if path else str(name)).items()
    }


def moved_constants(a: Result, b: Result) -> list[Constant]:
    """Constants of actions in both runs whose joules a count or source differ."""
    sides = []
    for result in (a, b):
        found: dict[tuple[str, str], tuple[float, str]] = {}
        for row in result.energy.rows:
            if row.count:
                found.setdefault((row.unit, row.action), (row.joules / row.count, row.source))
        sides.append(found)
    before, after = sides
    return [
        Constant(key[0], key[1], before[key][0], after[key][0], before[key][1], after[key][1])
        for key in before
        if key in after
        and (
            abs(before[key][0] - after[key][0]) > 1e-9 * abs(before[key][0])
            or before[key][1] != after[key][1]
        )
    ]


def first_difference(a: Program, b: Program) -> int | None:
    """The first command that differs in unit, opcode, extents, flags, operands, dependencies or
    port demands (None: the Programs' commands are the same)."""
    count = min(len(a), len(b))
    units = [np.array([row.name for row in p.units])[p.commands.unit[:count]] for p in (a, b)]
    names = [np.array([*p.operators, ""])[p.commands.operator[:count]] for p in (a, b)]
    differs = (units[0] != units[1]) | (names[0] != names[1])
    for column in ("opcode", "flags", "request"):
        differs |= getattr(a.commands, column)[:count] != getattr(b.commands, column)[:count]
    extents = [p.shapes.extents[p.commands.shape[:count]] for p in (a, b)]
    differs |= (extents[0] != extents[1]).any(axis=1)
    for table in ("operands", "dependencies", "demands"):
        lengths = [np.diff(getattr(p, table).start[: count + 1]) for p in (a, b)]
        differs |= lengths[0] != lengths[1]
    rows = np.flatnonzero(differs)
    first = int(rows[0]) if len(rows) else count
    for table, columns in (
        ("operands", ("tensor", "address", "bytes", "access", "format", "offset", "extent")),
        ("dependencies", ("predecessor", "kind")),
        ("demands", ("bytes",)),
    ):
        start = getattr(a, table).start[: first + 1]
        end = int(start[-1])
        for column in columns:
            left, right = (getattr(getattr(p, table), column)[:end] for p in (a, b))
            apart = left != right
            entries = np.flatnonzero(apart.any(axis=1) if apart.ndim > 1 else apart)
            if len(entries):
                at = int(np.searchsorted(start, entries[0], side="right")) - 1
                first = min(first, at)
    return None if first == count and len(a) == len(b) else first


def command_text(program: Program, row: int) -> str:
    """One command as text, or a note that the Program has ended."""
    if row >= len(program):
        return f"no command: it has {len(program)}"
    return list(listing(program, row, row + 1))[-1]
