"""Prices, bands and areas that the tiny runs do not reach, each by its own arithmetic."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import accelsim
from accelsim.constants.rows import half_width
from accelsim.constants.sram import sram_cost
from accelsim.energy import area, prices
from tests.paper.chip import TABLES, changed, constant, law, rows, smaller

TESTS = Path(__file__).parents[1]
HERE = law(22, 0.8) / law(45, 0.9)


def row(size: int, width: int) -> dict[str, float]:
    return next(
        r
        for r in rows("cacti_sram")
        if (r["size_bytes"], r["width_bits"], r["tech_nm"], r["device"])
        == (size, width, 22, "itrs-lstp")
    )


def test_a_port_wider_than_the_table_is_several_of_its_banks() -> None:
    """1,024 bits of 32 KiB: four banks of 256 bits and 8 KiB side by side, read and leaking at once."""
    cost, one = sram_cost(32768, 1, 1024, 22, 0.8, "itrs-lstp"), row(8192, 256)
    assert cost.read == pytest.approx(4e-12 * one["read_pj"], rel=1e-12, abs=0.0)
    assert cost.write == pytest.approx(4e-12 * one["write_pj"], rel=1e-12, abs=0.0)
    assert cost.leakage == pytest.approx(4e-3 * one["leak_mw"], rel=1e-12, abs=0.0)
    assert cost.area == pytest.approx(4e-6 * one["area_mm2"], rel=1e-12, abs=0.0)
    split = sram_cost(65536, 2, 1024, 22, 0.8, "itrs-lstp")
    assert (split.read, split.area) == (cost.read, cost.area)


@pytest.mark.parametrize("bits", [16, 24, 32, 48])
def test_an_adder_costs_by_its_width(bits: int) -> None:
    chip = changed().chip(f"units.array.accumulator.bits={bits}")
    price = prices(chip)[0]["array", "mac_int8_int8"]
    assert price.joules == pytest.approx((0.2 + 0.1 * bits / 32) * 1e-12 * HERE, rel=1e-9, abs=0.0)
    areas = {r.part: r.area for r in area(chip) if r.unit == "array"}
    assert areas["adders"] == pytest.approx(
        16 * 137e-12 * bits / 32 * smaller(22, 45), rel=1e-9, abs=0.0
    )
    assert areas["registers"] == pytest.approx(
        16 * (24 + bits) * 5.98e-12 * smaller(22, 40), rel=1e-9, abs=0.0
    )


def test_bands_of_sums_of_two_rows() -> None:
    """A requantisation takes the wider of its rows' bands; a MAC weighs them by their joules. In Jouppi's
    family all are remembered (50 %); in Horowitz's, at its own node, the 32-bit rows are read (25 %)."""
    own = changed(node=45, voltage=0.9).chip()
    units = prices(own)[0]
    assert units["vector", "requantize"].band == half_width("pub")
    weighed = (0.2 * half_width("mem") + 0.1 * half_width("pub")) / 0.3
    assert units["array", "mac_int8_int8"].band == pytest.approx(weighed, rel=1e-9, abs=0.0)
    measured = changed(node=45, voltage=0.9).chip(
        "technology.constants=[{key: horowitz_45nm/int32/add, value: 0.1 pJ, source: ours, confidence: run}]"
    )
    assert prices(measured)[0]["vector", "requantize"].band == half_width("pub")
    assert prices(measured)[0]["vector", "element_operation"].band == half_width("run")


def test_a_float_multiply_adds_the_band_of_its_transistors() -> None:
    """BF16 into FP32: 15,240 transistors of 4,520, exact within 20 %, on the integers' own band."""
    whole = json.loads((TABLES / "mac_area.json").read_text())
    chip = changed().chip(
        "units.array.rates=[{input: bf16, weight: bf16}]",
        "units.array.accumulator={format: fp32, location: sram}",
        "precision={input: bf16, weight: bf16}",
    )
    price = prices(chip)[0]["array", "mac_bf16_bf16"]
    times = whole["transistors"]["bf16"] / whole["transistors"]["int8"]
    assert price.joules == pytest.approx(0.3e-12 * HERE * times, rel=1e-9, abs=0.0)
    weighed = (0.2 * half_width("mem") + 0.1 * half_width("der")) / 0.3
    assert price.band == pytest.approx(weighed + whole["band"], rel=1e-9, abs=0.0)


@pytest.mark.parametrize("shared", [1, 8, 24, 256])
def test_areas_of_crossbars(shared: int) -> None:
    """Cells of pairs in three slices, a driver a row, a converter and an adder for so many columns."""
    chip = accelsim.load_chip("pcm_8level", [f"units.tiles.adc.shared={shared}"])
    unit = chip.crossbar
    assert unit is not None and (unit.count, unit.rows, unit.columns) == (800, 256, 256)
    parts = {r.part: r.area for r in area(chip) if r.unit == "tiles"}
    columns = -(-256 // shared)
    cells = 800 * 256 * 256 * 2 * unit.cells.devices
    for part, count, key in (
        ("cells", cells, "lee_90nm/pcm_cell/area"),
        ("row drivers", 800 * 256, "puma_32nm/row_driver/area"),
        ("shift-and-add", 800 * columns, "isaac_32nm/shift_add/area"),
    ):
        record = constant(key)
        each = record["value"] * 1e-12 * smaller(22, record["node_nm"])
        assert parts[part] == pytest.approx(count * each, rel=1e-9, abs=0.0), part
    one = accelsim.load_chip("pcm_8level", ["units.tiles.adc.shared=256", "units.tiles.count=1"])
    single = next(r.area for r in area(one) if r.part == "converters")
    assert parts["converters"] == pytest.approx(800 * columns * single, rel=1e-9, abs=0.0)


def test_no_comparison_of_joules_or_areas_has_a_floor() -> None:
    """pytest.approx lets 1e-12 pass by default: a whole picojoule, a whole square micrometre."""
    wrong = []
    for folder in ("energy", "paper", "crossbars", "results", "compare"):
        for path in sorted((TESTS / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or ast.unparse(node.func) != "pytest.approx":
                    continue
                if not any(word.arg == "abs" for word in node.keywords):
                    wrong.append(f"{folder}/{path.name}:{node.lineno}")
    assert not wrong, wrong
