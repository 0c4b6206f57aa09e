"""What the proof of a repeat asks for, demand by demand: columns made by hand, each wrong in one place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.program.builder import After, ProgramBuilder
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program, RepeatRow
from accelsim.timing.folding import Mark
from accelsim.timing.repeats import Unsettled, _check

LENGTH, COPIES, PERIOD = 3, 10, 100
BEFORE, BEHIND = 2, 2  # rows
LOW = BEFORE
HIGH = LOW + LENGTH * COPIES
FIRST = LOW + 4 * LENGTH
TOTAL = HIGH + BEHIND


def program(behind: int = HIGH - 1) -> Program:
    """Rows in a chain; the last two wait for ``behind``."""
    b = ProgramBuilder()
    unit = b.unit("u", (Opcode.VECTOR,))
    for row in range(TOTAL):
        b.command(unit, Opcode.VECTOR, after=[After(behind)] if row >= HIGH else [])
    return replace(b.build(), repeat=RepeatRow(FIRST, LENGTH, 9, 0, (LOW, HIGH)))


def columns() -> list[np.ndarray]:
    """issue, first, release, end, why, ref, interval: every copy one period behind the one before."""
    row = np.arange(TOTAL) - LOW
    issue = PERIOD * (row // LENGTH) + 10 * (row % LENGTH) + 1000
    return [issue, issue + 1, issue + 2, issue + 3, row % LENGTH, row - 1 + LOW, row % LENGTH + 5]


def marks(low: int = FIRST, reach: int = 1) -> tuple[Mark, Mark]:
    """States when the first rows of the repeated copy and of the next one have issued. low: first row not ended
    at the former. reach: rows issued at the latter, from its first on."""
    now = columns()[0]
    start = FIRST + LENGTH
    return (
        Mark(4, int(now[FIRST]), b"", low, np.ones(1, bool), np.zeros(1, bool)),
        Mark(5, int(now[start]), b"", start, np.arange(9) < reach, np.zeros(9, bool)),
    )


def verdict(made: Program, found: list[np.ndarray], *two: Mark) -> str:
    assert made.repeat is not None
    try:
        _check(made, made.repeat, found, *two)
    except Unsettled as refused:
        return str(refused)
    return ""


def moved(column: int, row: int, by: int = 1) -> list[np.ndarray]:
    found = columns()
    found[column][row] += by
    return found


def test_whole_copies_that_run_alike_are_believed() -> None:
    for low in range(LOW, FIRST + 1):
        for reach in range(1, 8):
            assert verdict(program(), columns(), *marks(low, reach)) == ""


@pytest.mark.parametrize("low", [LOW, LOW + 1, FIRST - 4, FIRST - 1, FIRST])
@pytest.mark.parametrize("reach", [0, 1, 2, 3, 4, 6])
def test_rows_that_issued_or_ended_between_the_marks_are_compared_in_whole_copies(
    low: int, reach: int
) -> None:
    """From the copy of the first row not ended at the old mark to that of the last row issued at the new one:
    a tick more in any column of a row there is seen, and none outside."""
    begin = LOW + (min(low, FIRST) - LOW) // LENGTH * LENGTH
    last = max(FIRST + LENGTH + reach, FIRST + LENGTH)  # behind the last row that counts
    stop = LOW - (LOW - last) // LENGTH * LENGTH
    for column in range(7):
        for row in range(LOW, HIGH):
            found = verdict(program(), moved(column, row), *marks(low, reach))
            # the issue of a row before or behind the copies is asked for on its own
            inside = begin <= row < stop and stop - begin > LENGTH
            assert found == ("the copies do not run alike" if inside else ""), (column, row)


def test_more_copies_than_are_listed_are_refused() -> None:
    said = "the engine works on too many copies at once"
    assert verdict(program(), columns(), *marks(LOW - 1)) == said
    room = HIGH - FIRST - LENGTH
    old, new = marks()
    assert verdict(program(), columns(), old, replace(new, issued=np.ones(room, bool))) == ""
    assert verdict(program(), columns(), old, replace(new, issued=np.ones(room + 1, bool))) == said


def test_nothing_runs_beside_the_copies() -> None:
    """Rows before have ended by the old mark; rows behind issue after the new one."""
    old, new = marks()
    for late, said in ((0, ""), (1, "rows before the copies still run")):
        found = columns()
        for row in range(LOW):
            found[3][row] = old.now
        found[3][LOW - 1] = old.now + late
        assert verdict(program(), found, old, new) == said
    for late, said in ((1, ""), (0, "rows behind the copies already run")):
        found = columns()
        found[0][TOTAL - 1] = new.now + late
        assert verdict(program(), found, old, new) == said


def test_rows_behind_wait_for_late_copies_only() -> None:
    """Those that stand for more would be others."""
    said = "a row behind the copies depends on an early one"
    for row, wanted in (
        (LOW, said),
        (FIRST, said),
        (FIRST + LENGTH - 1, said),
        (FIRST + LENGTH, ""),
        (HIGH - 1, ""),
        (LOW - 1, ""),
        (0, ""),
    ):
        assert verdict(program(row), columns(), *marks()) == wanted, row
