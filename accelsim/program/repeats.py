"""Where repetition is expanded: a Program with a repeat, as the runs of rows that it stands for.

A reader that adds something up over rows does it span after span. Without a repeat there is one span,
the whole Program, with nothing to add.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.table import (
    Commands,
    Demands,
    Dependencies,
    Operands,
    Program,
    entries_of,
)

Ints = NDArray[np.int64]
ADDED_ABOVE = 1_000_000  # rows: columns of so many are expanded and added up while kernels load


@dataclass(frozen=True, slots=True)
class Span:
    """Rows first .. stop of the listed ones, once more. To be added to what they say: ``rows`` to row
    numbers, ``operators`` to operators, ``turns`` periods to times."""

    first: int
    stop: int
    turns: int = 0
    rows: int = 0
    operators: int = 0


def spans(program: Program) -> list[Span]:
    """All rows that a Program stands for, in order."""
    r = program.repeat
    if r is None:
        return [Span(0, len(program))]
    again = [
        Span(r.first, r.stop, turn, turn * r.length, turn * r.operators)
        for turn in range(1, r.times + 1)
    ]
    return [
        Span(0, r.stop),
        *again,
        Span(r.stop, len(program), r.times, r.times * r.length, r.times * r.operators),
    ]


def by_kernel(program: Program, kernel: jit.Kernel) -> bool:
    """Whether a kernel adds up over this Program's spans. Else its columns are expanded (in_full)."""
    return jit.fits(kernel, (), commands_of(program), ADDED_ABOVE)


def commands_of(program: Program) -> int:
    """How many commands a Program stands for."""
    r = program.repeat
    return len(program) + (0 if r is None else r.times * r.length)


def operators_of(program: Program) -> int:
    """How many operators a Program stands for."""
    r = program.repeat
    return len(program.operators) + (0 if r is None else r.times * r.operators)


@dataclass(frozen=True, slots=True)
class Listed:
    """For every row that a Program stands for: the listed row, and what is to be added to times (in
    periods), to row numbers and to operators."""

    rows: Ints
    turns: Ints
    ahead: Ints
    operators: Ints

    def shifted(self, program: Program, earlier: Ints, owner: Ints) -> Ints:
        """Numbers of rows that rows name as earlier ones. earlier: as listed, -1 for none; owner: entries
        of the rows that name them. Rows behind the copies may name rows before them, which stay."""
        r = program.repeat
        if r is None:
            return earlier
        inside = self.rows[owner] < r.alike[1]
        moves = (earlier >= 0) & (inside | (earlier >= r.stop))
        return earlier + np.where(moves, self.ahead[owner], 0)


def listed(program: Program) -> Listed:
    """All rows that a Program stands for, in order."""
    parts = spans(program)
    sizes = [part.stop - part.first for part in parts]
    rows = np.concatenate([np.arange(part.first, part.stop) for part in parts])
    return Listed(
        rows,
        *(
            np.repeat(np.array([getattr(part, name) for part in parts], np.int64), sizes)
            for name in ("turns", "rows", "operators")
        ),
    )


def in_full(program: Program, operators: tuple[str, ...] = ()) -> Program:
    """The Program with every command that it stands for, as far as time and energy read it: the tensors,
    regions and addresses of repeated rows are those of the listed ones. operators: all names."""
    if program.repeat is None:
        return program
    whole = listed(program)
    rows, c = whole.rows, program.commands
    commands = Commands(*(getattr(c, item.name)[rows] for item in fields(Commands)))
    commands.operator = commands.operator + whole.operators
    tables: dict[str, Any] = {}
    for name, kind in (
        ("operands", Operands),
        ("dependencies", Dependencies),
        ("demands", Demands),
    ):
        columns, owner = entries_of(getattr(program, name), rows)
        if kind is Dependencies:
            columns["predecessor"] = whole.shifted(program, columns["predecessor"], owner)
        tables[name] = kind(**columns)
    return replace(
        program,
        commands=commands,
        **tables,
        repeat=None,
        operators=operators or ("",) * operators_of(program),
    )
