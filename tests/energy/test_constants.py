"""The user's own constants, the bus, background power: joules by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

import accelsim
from accelsim.chip import Chip, Constant
from accelsim.constants.rows import components
from accelsim.constants.scaling import energy_factor
from accelsim.energy.joules import BOUNDARIES
from accelsim.errors import InputError
from accelsim.results.result import Result


def with_constants(*constants: Constant) -> Chip:
    chip = accelsim.load_chip("int8_edge")
    return replace(chip, technology=replace(chip.technology, constants=constants))


def run(chip: Chip) -> Result:
    return accelsim.run(chip, accelsim.load_workload("small_gemm"))


def row(result: Result, unit: str, action: str) -> tuple[float, float, float, str]:
    rows = [r for r in result.energy.rows if (r.unit, r.action) == (unit, action)]
    return (sum(r.count for r in rows), sum(r.joules for r in rows), rows[0].band, rows[0].source)


def test_a_row_of_the_tables_is_replaced_everywhere() -> None:
    own = Constant("dram/lpddr4/bit", 4e-12, "our board", "run")
    count, joules, band, source = row(run(with_constants(own)), "dram", "read_bit")
    assert joules == pytest.approx(count * 4e-12, rel=1e-9, abs=0.0) and band == 0.1
    assert "our board" in source and "the chip file" in source
    multiply = Constant("horowitz_45nm/int8/multiply", 1e-12, "our netlist", "src")
    count, joules, _, source = row(run(with_constants(multiply)), "array", "mac_int8_int8")
    add = components()["horowitz_45nm/int32/add"]["value"] * 1e-12
    scale = energy_factor(22, 0.8) / energy_factor(45, 0.9)
    assert joules == pytest.approx(count * (1e-12 + add * scale), rel=1e-9, abs=0.0)
    assert "our netlist" in source


def test_the_price_of_one_action_is_replaced_and_scaled() -> None:
    here = Constant("array/mac_int8_int8", 1e-13, "us", "run")
    count, joules, band, source = row(run(with_constants(here)), "array", "mac_int8_int8")
    assert (
        joules == pytest.approx(count * 1e-13, rel=1e-9, abs=0.0) and band == 0.1 and "us" in source
    )
    old = replace(here, node=45e-9, voltage=0.9)
    _, scaled, _, _ = row(run(with_constants(old)), "array", "mac_int8_int8")
    assert scaled == pytest.approx(
        joules * energy_factor(22, 0.8) / energy_factor(45, 0.9), rel=1e-9, abs=0.0
    )
    plain = run(accelsim.load_chip("int8_edge"))
    changed = run(with_constants(here))
    for result in (plain, changed):
        result.energy.check(result.workload.macs)
    others = [r for r in changed.energy.rows if r.action != "mac_int8_int8"]
    assert [r.joules for r in others] == [
        r.joules for r in plain.energy.rows if r.action != "mac_int8_int8"
    ]
    assert any("constants of the chip file" in note for note in changed.assumptions)


def test_a_constant_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no constant 'array/mac_int9'"):
        run(with_constants(Constant("array/mac_int9", 1e-12, "us", "run")))


def test_every_useful_bit_pays_the_bus_once() -> None:
    for burst in (64, 8192):  # the rest of a burst goes no further than the interface
        result = run(accelsim.load_chip("int8_edge", [f"memories.dram.burst={burst} B"]))
        count, joules, _, source = row(result, "dma", "bus_bits")
        reads, writes = (row(result, "dram", action)[0] for action in ("read_bit", "write_bit"))
        assert count == 8 * (64 * 96 + 96 * 48 + 64 * 48 * 4)
        assert reads + writes == count if burst == 64 else reads + writes > count
    scale = energy_factor(22, 0.8) / energy_factor(32, 1.0)
    assert joules == pytest.approx(count * 0.054e-12 * scale, rel=1e-9, abs=0.0)
    assert source == "isaac_32nm/bus/bit"


def test_background_power_lasts_as_long_as_the_run() -> None:
    chip = accelsim.load_chip("int8_edge", ["memories.dram.background=40 mW"])
    result = run(chip)
    _, joules, _, source = row(result, "dram", "background_second")
    assert joules == pytest.approx(0.04 * result.seconds, rel=1e-9, abs=0.0)
    assert "memories.dram.background" in source
    assert result.joules == pytest.approx(
        run(accelsim.load_chip("int8_edge")).joules + joules, rel=1e-9, abs=0.0
    )


def test_every_boundary_has_its_band() -> None:
    energy = run(accelsim.load_chip("mixed_quad")).energy
    bands = [energy.band_of(name) for name in BOUNDARIES]
    assert 0 < bands[0] < bands[1] < bands[2] == energy.band
    by_hand = sum(r.joules * r.band for r in energy.rows if r.boundary == "device")
    assert bands[0] == pytest.approx(by_hand, rel=1e-9, abs=0.0)
