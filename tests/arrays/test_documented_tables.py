"""The space-time tables of docs/timing.md are what the register-transfer model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accelsim.rtl.schedule import earliest, layout
from accelsim.rtl.twin import twin_of
from tests.arrays.runs import INT8, OS, WS, make_array
from tests.rtl.icarus import Case

PAGE = Path(__file__).parents[2] / "docs" / "timing.md"


def _table(title: str) -> set[tuple[int, int, int]]:
    """(edge, column, m) of every entry of the table that follows a marker."""
    lines = PAGE.read_text().split(f"<!-- {title} exits -->\n")[1].split("\n\n")[0].splitlines()
    found = set()
    for line in lines[2:]:
        edge, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found |= {(int(edge), j, int(cell[2:])) for j, cell in enumerate(cells) if cell}
    return found


@pytest.mark.parametrize(
    ("title", "flow", "m", "k"), [("weight_stationary", WS, 3, 2), ("output_stationary", OS, 2, 3)]
)
def test_exits(title: str, flow: int, m: int, k: int) -> None:
    """One output at a time: only its row of A is not zero, so its result alone is not zero."""
    array = make_array(rows=2, columns=2)
    shown = set()
    for row in range(m):
        for column in range(2):
            a, b = np.zeros((m, k), np.int64), np.zeros((k, 2), np.int64)
            a[row], b[:, column] = 1, 1
            passes = earliest(array, flow, INT8, [(a, b)])
            shown.add((_edge_of_the_only_result(Case(array, flow, INT8, passes)), column, row))
    assert shown == _table(title)


def _edge_of_the_only_result(case: Case) -> int:
    plan = layout(case.array, case.number, case.rate, case.passes)
    twin = twin_of(case.number)
    out, valid = twin.run(plan, twin.signals(plan, case.passes), False)
    ((edge, _, _),) = np.argwhere(out * valid[:, :, None])
    return int(edge) - case.passes[0].issue
