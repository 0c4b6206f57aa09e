"""Everything off chip is what it was before tensors stood on chip: ticks and joules of every shipped chip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.explore.make_off_chip import CHIPS, NETWORKS, taken

KEPT = json.loads((Path(__file__).parent / "off_chip.json").read_text())


@pytest.mark.parametrize("chip", CHIPS)
def test_off_chip_is_as_before(chip: str) -> None:
    for network in NETWORKS:
        found, kept = taken(chip, network, homes="off_chip"), KEPT[f"{chip} {network}"]
        assert found[:2] == kept[:2], network
        if not isinstance(kept, str):
            assert found[2] == pytest.approx(kept[2], rel=1e-12), network


def test_every_run_that_is_kept_is_looked_at() -> None:
    assert list(KEPT) == [f"{chip} {network}" for chip in CHIPS for network in NETWORKS]
    assert sum(not isinstance(one, str) for one in KEPT.values()) == 37
