"""The JSON Schema that editors use knows cores and links."""

from __future__ import annotations

import random
from typing import Any

import jsonschema
import pytest
import yaml

from accelsim.config.schema import chip_schema
from tests.chip.graphs import MESHED, NESTED, random_chip
from tests.chip.test_cores import SYSTEM


@pytest.mark.parametrize("text", [NESTED, MESHED, SYSTEM], ids=["nested", "meshed", "system"])
def test_files_fit(text: str) -> None:
    jsonschema.validate(yaml.safe_load(text), chip_schema())


def test_random_chips_fit() -> None:
    rng, schema = random.Random(4), chip_schema()
    for _ in range(40):
        jsonschema.validate(random_chip(rng), schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: mesh", "kind: mash"),
        ("nodes: [pe], ", ""),
        ("hop: 10", "hop: -1"),
        ("hop: 10", "hops: 10"),
        ("grid: [2, 3]", "grid: 6"),
        ("grid: [2, 3]", "count: 0"),
        ("grid: [2, 3]", "rows: 2"),
        (
            "kind: point, nodes: [dram, shared]",
            "kind: point, places: {dram: [0, 0]}, nodes: [dram, shared]",
        ),
        (
            "kind: sram, clock: core, size: 32 KiB, behind: shared",
            "kind: sram, clock: core, behind: shared",
        ),
    ],
)
def test_wrong_ones_do_not(old: str, new: str) -> None:
    assert old in MESHED
    whole: Any = yaml.safe_load(MESHED.replace(old, new, 1))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, chip_schema())
