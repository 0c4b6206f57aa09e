"""Two small real models beside onnxruntime's INT8, and the pins of their wheels."""

from __future__ import annotations

import re

import pytest

from tests.models.measure import CASES, HERE, measure
from tests.models.run import cache


def test_wheels_are_pinned_by_hash() -> None:
    lines = [
        line for line in (HERE / "wheels.txt").read_text().splitlines() if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    names = {line.partition("==")[0].replace("-", "_") for line in lines}
    assert names == {case.wheel for case in CASES.values()}


@pytest.mark.full
@pytest.mark.parametrize("name", ["silero_vad 16k_op15", "rapidocr cls"])
def test_a_real_model_beside_onnxruntime(name: str) -> None:
    row = measure(name, cache())
    assert not row.said and row.theirs is not None and row.good, row


@pytest.mark.full
def test_a_branch_on_an_input_is_refused_by_name() -> None:
    said = measure("silero_vad", cache()).said
    assert "If" in said and "\n" not in said
