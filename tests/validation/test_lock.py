"""The lock of errors and what docs/validation.md prints of it."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from accelsim.validation import load_case, load_cases, outcomes
from accelsim.validation.lock import MOST, Locked, moved, read_lock, text_of
from accelsim.validation.measures import MEASURES
from accelsim.validation.outcomes import Outcome
from accelsim.validation.reader import shipped_cases
from accelsim.validation.record import KINDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "validation.md"
#: chips that are computed in a moment
QUICK = ["eyeriss", "hermes_core", "puma"]
NAN = float("nan")


def script() -> object:
    sys.path.insert(0, str(ROOT / "scripts"))
    import validation  # type: ignore[import-not-found]

    return validation


def test_every_shipped_figure_is_locked() -> None:
    lock = read_lock()
    figures = [(case.name, each) for case in load_cases([]) for each in case.figures]
    assert [(one.chip, one.figure) for one in lock] == [(c, each.name) for c, each in figures]
    for one, (_, each) in zip(lock, figures, strict=True):
        assert (one.published, one.tier) == (f"{each.value:.6g} {each.unit}", each.tier)


def test_the_page_prints_the_lock() -> None:
    text = PAGE.read_text("utf-8")
    assert script().page(text, read_lock(), load_cases([])) == text, "make validation"  # type: ignore[attr-defined]


def test_quick_chips_stand_where_the_lock_has_them() -> None:
    found = [one for case in load_cases(QUICK) for one in outcomes(case)]
    assert moved(found, read_lock()) == [], "look at it, then make validation"


@pytest.mark.full
def test_no_error_has_moved_from_the_lock() -> None:
    found = [one for case in load_cases([]) for one in outcomes(case)]
    assert moved(found, read_lock()) == [], "look at it, then make validation"


def test_what_moves_is_said(tmp_path: Path) -> None:
    figure = replace(load_case(shipped_cases()[0]).figures[0], compute="seconds", unit="s")
    value = figure.published
    one = Outcome("chip", figure, value, value, value, "", "counted")
    other = replace(one, figure=replace(one.figure, name="another"), computed=NAN, status="no run")
    published = f"{figure.value:.6g} {figure.unit}"
    lock = [
        Locked("chip", figure.name, figure.tier, published, "", 0.0, "counted"),
        Locked("chip", "another", figure.tier, published, "", NAN, "no run"),
        Locked("chip of others", figure.name, figure.tier, published, "", 9.0, "counted"),
    ]
    path = tmp_path / "lock.csv"
    path.write_text(text_of(lock), "utf-8")
    kept = read_lock(path)
    assert str(kept) == str(lock) and moved([one, other], kept) == []
    for points in (MOST - 0.1, MOST + 0.1, -MOST + 0.1, -MOST - 0.1):
        near = replace(one, computed=value * (1 + points / 100))
        assert len(moved([near, other], kept)) == (abs(points) > MOST)
    assert "no run became" in moved([one, replace(other, status="counted")], kept)[0]
    assert "became +nan" in moved([replace(one, computed=NAN), other], kept)[0]
    assert "is gone" in moved([one], kept)[0]
    assert "not in the lock" in moved([one, other], kept[:1])[0]


@pytest.mark.parametrize("path", shipped_cases(), ids=lambda path: path.name)
def test_no_published_number_stands_in_the_chip_file(path: Path) -> None:
    """Nor in its comments, unless the figure says that it entered."""
    case = load_case(path)
    text = case.chip.read_text("utf-8")
    for figure in case.figures:
        for number in (f"{figure.value:g}", f"{figure.value:.10g}"):
            found = re.search(rf"(?<![\d.]){re.escape(number)} ?{re.escape(figure.unit)}\b", text)
            assert not found or figure.uses, (figure.name, found)


def test_the_page_names_every_measure_and_kind() -> None:
    text = PAGE.read_text("utf-8")
    for name, measure in MEASURES.items():
        assert f"| `{name}` | {measure.says} | {', '.join(measure.takes)}".rstrip() in text, name
    assert all(f"`{kind}`" in text for kind in KINDS)


def test_the_folder_of_the_page_runs(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block
    (tmp_path / "expected.yaml").write_text(block[1])
    found = list(outcomes(load_case(tmp_path)))
    assert [one.failed for one in found] == ["", ""]
