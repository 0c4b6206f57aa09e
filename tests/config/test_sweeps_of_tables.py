"""Keys whose values are mappings and lists vary as others do, and wrong ones point at their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.errors import InputError
from accelsim.sweeps.file import load_sweep

SWEEP = """\
name: tables
bases: {edge: int8_edge}
workloads: [small_gemm]
vary:
  - {key: units.vector.rates, values: [{softmax: 0.5}, {softmax: 0.25, relu: 2}]}
  - {key: units.vector.does, values: [[relu], [relu, add]]}
  - keys: [units.array.rows, units.vector.rates]
    values: [[8, {add: 0.5}], [16, {add: 1}]]
"""


def loaded(tmp_path: Path, text: str) -> object:
    path = tmp_path / "tables.yaml"
    path.write_text(text)
    return load_sweep(path)


def test_mappings_and_lists_vary(tmp_path: Path) -> None:
    """A mapping was taken apart with the places of its parts missing: a traceback."""
    lines = SWEEP.splitlines(keepends=True)
    for axes in (lines[4:6], lines[6:8]):
        loaded(tmp_path, "".join([*lines[:4], *axes]))


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("{softmax: 0.5}", "{sofmax: 0.5}", 5, "did you mean softmax"),
        ("{softmax: 0.5}", "{softmax: fast}", 5, "must be a number, not 'fast'"),
        ("{softmax: 0.5}", "{softmax: 0}", 5, "0 is outside"),
        ("{softmax: 0.5}", "0.5", 5, "must hold keys, not 0.5"),
        ("{softmax: 0.5}", "[0.5]", 5, "must hold keys, not a list"),
        ("[relu]", "[rely]", 6, "did you mean relu"),
        ("[relu]", "[]", 6, "not an empty list"),
        ("[8, {add: 0.5}]", "[8, {ad: 0.5}]", 8, "did you mean"),
        ("[8, {add: 0.5}]", "[8, add]", 8, "must hold keys, not 'add'"),
    ],
)
def test_wrong_ones_point_at_their_place(
    old: str, new: str, line: int, says: str, tmp_path: Path
) -> None:
    lines = SWEEP.splitlines(keepends=True)
    if line < 8:
        lines[6:] = []
    else:
        lines[4:6] = []
        line -= 2
    text = "".join(lines)
    assert old in text
    with pytest.raises(InputError) as caught:
        loaded(tmp_path, text.replace(old, new, 1))
    (problem,) = caught.value.problems
    assert problem.line == line and problem.column and says in str(problem), str(problem)
