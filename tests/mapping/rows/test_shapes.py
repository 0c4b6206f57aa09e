"""Shapes are numbered as they come, whatever the room: against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.mapping.rows import shapes
from accelsim.mapping.rows.shapes import Numbering

KINDS = [0, 1, 1, 2]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("room", "most"), [(1, 3), (4, 40), (1024, 3)])
def test_rows_are_numbered_as_they_come(
    room: int, most: int, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "FIRST_ROOM", room)
    rng = np.random.default_rng(3)
    numbering, known = Numbering(KINDS, fast), {}
    for _ in range(6):  # nests, with styles of their own, some alike
        styles = rng.integers(0, 2, (4, 5))
        commands = rng.integers(0, most, (300, 8))
        commands[:, 0], commands[:, 1] = rng.integers(0, 4, (2, 300))
        commands[:, 2] = 99  # flags of a command are not its shape's
        own = [(KINDS[row[1]], *styles[row[0]].tolist(), *row[3:]) for row in commands.tolist()]
        numbers = [known.setdefault(shape, len(known)) for shape in own]
        assert numbering.of(commands, styles).tolist() == numbers
    found = numbering.shapes()
    table = np.stack(
        [
            found.kind,
            found.opcode,
            found.format_a,
            found.format_b,
            found.format_out,
            found.flags,
            *found.extents[:, :5].T,
        ],
        axis=1,
    )
    assert [tuple(row) for row in table.tolist()] == list(known)
    assert not found.extents[:, 5:].any()
