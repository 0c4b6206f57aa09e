"""The mutator: each kind of fault from a small source, the same seed the same faults, never a broken one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation import drawn as drawing
from tests.mutation.mutator import KINDS, Fault, drawn, faults_of, iter_sources, part_of, seed_of
from tests.mutation.nearest import nearest_first

PACKAGE = Path(__file__).parents[2] / "accelsim"
SOURCE = '''"""A module with 3 constants in its docstring."""

from typing import Annotated
LIMIT: Annotated[int, Bounds(1, 64)] = 7
COMPILE_ABOVE = 30_000


def cost(rows: int | None, width: float = 2.5) -> float:
    """1 + 1."""
    if rows is None or rows > 3:
        raise ValueError(f"{rows + 1} rows are more than {3 - 0}")
    total = rows * width + 1
    total += max(rows, 4)
    for i in range(rows):
        total = total - where(i < 2, total, -rows)
    return total if rows == 5 else part[1:rows]


def write(x: list[int]) -> None:
    x[0] = 6
    x[0] = x[0] // 2
'''


def made(kind: str) -> set[str]:
    return {
        f"{fault.before} -> {fault.after}"
        for fault in faults_of("m.py", SOURCE)
        if fault.kind == kind
    }


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        (
            "operator",
            {
                "rows * width -> (rows / width)",
                "total += max(rows, 4) -> total -= max(rows, 4)",
                "rows is None or rows > 3 -> (rows is None and rows > 3)",
                "x[0] // 2 -> (x[0] * 2)",
                "-rows -> rows",
            },
        ),
        ("constant", {"7 -> 8", "7 -> 6", "2.5 -> 3.125", "6 -> 5", "0 -> 1"}),
        (
            "bound",
            {
                "rows > 3 -> (rows >= 3)",
                "rows > 3 -> (rows > 3 + 1)",
                "rows -> (rows - 1)",
                "1 -> (1 + 1)",
                "i < 2 -> (i <= 2)",
            },
        ),
        (
            "term",
            {
                "rows * width + 1 -> (rows * width)",
                "rows * width -> rows",
                "total += max(rows, 4) -> pass",
                "rows is None or rows > 3 -> (rows > 3)",
                "rows is None or rows > 3 -> (rows is None)",
            },
        ),
        (
            "condition",
            {
                "rows == 5 -> (rows != 5)",
                "rows is None -> (not rows is None)",
                "where(i < 2, total, -rows) -> where(i < 2, -rows, total)",
                "rows is None or rows > 3 -> (not (rows is None or rows > 3))",
            },
        ),
        ("extreme", {"max -> min"}),
        ("return", {"x[0] = x[0] // 2 -> return\n    x[0] = x[0] // 2"}),
    ],
)
def test_each_kind(kind: str, some: set[str]) -> None:
    assert kind in KINDS and some <= made(kind)


def test_words_types_and_speeds_are_left_alone() -> None:
    """Docstrings, annotations, fields' bounds, texts of errors, constants of speed."""
    lines = [line.lstrip() for line in SOURCE.splitlines()]
    for fault in faults_of("m.py", SOURCE):
        assert not lines[fault.line - 1].startswith(
            ('"""', "from", "raise", "COMPILE_ABOVE", "def write")
        )
        assert fault.before not in ("64", "30_000", "int | None")
        assert fault.line != 4 or fault.before == "7"


def test_every_fault_is_a_program_and_another_one() -> None:
    for fault in faults_of("m.py", SOURCE):
        assert fault.changes(SOURCE), str(fault)
        assert ast.dump(ast.parse(fault.planted(SOURCE))) != ast.dump(ast.parse(SOURCE))
    with pytest.raises(ValueError, match="has changed"):
        Fault("m.py", 1, 1, "constant", 0, "7", "8").planted(SOURCE)


def test_texts_beyond_ascii_are_cut_in_the_right_place() -> None:
    source = 'name = "größe"; y = "µ" if 1 + 2 > 2 else ("é", 3 * 4)\n'
    for fault in faults_of("m.py", source):
        assert fault.changes(source) and "größe" in fault.planted(source)
    assert any(
        '; y = "µ" if (1 - 2) > 2 else' in fault.planted(source)
        for fault in faults_of("m.py", source)
    )
    assert any('("é", (3 / 4))' in fault.planted(source) for fault in faults_of("m.py", source))


def test_same_seed_same_faults_and_all_parts_alike() -> None:
    sources = dict(iter_sources(PACKAGE, ("timing", "noise", "jit")))
    first, again, other = (drawn(sources, 30, seed) for seed in (5, 5, 6))
    assert first == again != other and len({fault.key for fault in first}) == 30
    parts = [part_of(fault.file) for fault in first]
    assert all(parts.count(part) >= 9 for part in ("timing", "noise", "jit"))
    assert len({fault.kind for fault in first}) >= 5
    for fault in first:
        ast.parse(fault.planted(sources[fault.file]))
    assert seed_of("a") == seed_of("a") != seed_of("b")


def test_the_nearest_tests_come_first() -> None:
    for file, test in (
        ("constants/sram.py", "tests/energy/test_sram.py"),
        ("devices/pulses.py", "tests/devices/test_pulses.py"),
        ("analog/tile.py", "tests/analog/test_tile.py"),
    ):
        order = nearest_first(file)
        assert order[0] == test and len(order) == len(set(order)) > 50


def test_results_are_kept_and_a_changed_source_tried_anew(tmp_path: Path) -> None:
    results = drawing.Results.read(tmp_path / "none.json")
    faults = faults_of("timing/m.py", SOURCE)[:3]
    results.path = tmp_path / "kept" / "results.json"
    for fault, outcome in zip(
        faults, (drawing.NOTICED, drawing.SURVIVED, drawing.OUT_OF_TIME), strict=True
    ):
        results.outcomes[fault.key] = [outcome, "", "digest"]
    results.write()
    lines = list(drawing.report(faults, drawing.Results.read(results.path)))
    assert [line.split(":")[0] for line in lines[:2]] == ["SURVIVED", "out of time"]
    assert "1 of    3 noticed (33%)" in lines[2] and faults[1].file in lines[0]
    assert not list(tmp_path.rglob("*.draft"))
