"""reports/gallery/ is what the shipped sweeps give today: make gallery makes it anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim.store import Point
from accelsim.sweeps.evaluate import Evaluator
from accelsim.sweeps.file import load_sweep

ROOT = Path(__file__).parent.parent.parent
GALLERY = ROOT / "reports" / "gallery"
LARGEST = 150_000  # bytes of a picture
NAMES = sorted(path.stem for path in GALLERY.glob("*.json"))


def test_there_are_pictures_and_they_are_small() -> None:
    assert NAMES
    pictures = list(GALLERY.glob("*.png"))
    large = {path.name: path.stat().st_size for path in pictures if path.stat().st_size > LARGEST}
    assert pictures and not large
    for path in pictures:
        owner = next(
            name
            for name in sorted(NAMES, key=len, reverse=True)
            if path.stem.startswith(f"{name}_")
        )
        kept = json.loads((GALLERY / f"{owner}.json").read_text())
        assert path.stem.removeprefix(f"{owner}_") in kept["answers"]


@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_are_todays(name: str) -> None:
    """A few points of each sweep computed again: every measure, to the last digits."""
    kept = json.loads((GALLERY / f"{name}.json").read_text())
    spec = load_sweep(ROOT / "configs" / "sweeps" / f"{name}.yaml")
    assert kept["question"] == spec.question, "the sweep changed: make gallery"
    evaluator = Evaluator(spec)
    assert kept["points"]
    for item in kept["points"]:
        p = item["point"]
        point = Point(p["base"], p["workload"], tuple(p["set"].items()), p["search"], p["seed"])
        found = evaluator.evaluate(point)
        assert found.failure is None
        assert found.measures == pytest.approx(item["measures"], rel=1e-9), (
            "numbers moved: make gallery"
        )
