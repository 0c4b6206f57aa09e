"""Area by hand, and how it grows; the spread of the published families."""

from __future__ import annotations

import pytest

import accelsim
from accelsim.constants.scaling import scale_area
from accelsim.constants.sram import sram_cost
from accelsim.energy import area, families


def by_part(chip_name: str, *overrides: str) -> dict[tuple[str, str], float]:
    chip = accelsim.load_chip(chip_name, list(overrides))
    return {(row.unit, row.part): row.area for row in area(chip)}


def test_by_hand() -> None:
    """32 x 32 lanes: a 282 um2 multiplier, a 137 um2 adder, 40 + 16 register bits of 5.98 um2."""
    rows = by_part("int8_edge")
    assert rows["array", "multipliers"] == pytest.approx(
        1024 * scale_area(282e-12, 45, 22), rel=1e-9, abs=0.0
    )
    assert rows["array", "adders"] == pytest.approx(
        1024 * scale_area(137e-12, 45, 22), rel=1e-9, abs=0.0
    )
    assert rows["array", "registers"] == pytest.approx(
        1024 * 56 * scale_area(5.98e-12, 40, 22), rel=1e-9, abs=0.0
    )
    cost = sram_cost(128 << 10, 4, 256, 22, 0.8, "itrs-lstp")
    assert rows["output_buffer", "banks"] == pytest.approx(4 * cost.area, rel=1e-9, abs=0.0)
    assert set(unit for unit, _ in rows) == {
        "array",
        "input_buffer",
        "weight_buffer",
        "output_buffer",
    }
    total = sum(rows.values()) * 1e6
    assert 0.5 < total < 20  # square millimetres of a chip of this kind


def test_grows_with_what_it_is_made_of() -> None:
    base, wide = by_part("int8_edge"), by_part("int8_edge", "units.array.columns=64")
    assert wide["array", "multipliers"] == pytest.approx(
        2 * base["array", "multipliers"], rel=1e-9, abs=0.0
    )
    assert wide["input_buffer", "banks"] == base["input_buffer", "banks"]
    older = by_part("int8_edge", "technology.node=45 nm")
    assert all(older[key] > base[key] for key in base)
    deep = by_part("int8_edge", "units.array.stationary_depth=8")
    assert deep["array", "registers"] > base["array", "registers"]


def test_families_differ_and_are_all_shown() -> None:
    result = accelsim.run(accelsim.load_chip("int8_edge"), accelsim.load_workload("small_gemm"))
    assert set(result.spread) == set(families())
    assert result.spread[result.chip.technology.family] == pytest.approx(
        result.joules, rel=1e-12, abs=0.0
    )
    assert len(set(result.spread.values())) == len(families())
