"""Area and prices of a crossbar, part by part from the rows of the tables and the keys of the chip file."""

from __future__ import annotations

import pytest

from accelsim import load_chip
from accelsim.constants.converter import conversion_energy, converter_area
from accelsim.constants.rows import components, half_width
from accelsim.constants.scaling import scale_area
from accelsim.energy import prices
from accelsim.energy.area import area
from accelsim.units.crossbar_costs import conversion_rate


def parts(*sets: str) -> dict[str, float]:
    return {
        row.part: row.area for row in area(load_chip("pcm_8level", sets)) if row.unit == "tiles"
    }


def row(key: str) -> float:
    """Square metres of a row at 22 nm."""
    found = components()[key]
    return scale_area(found["value"] * 1e-12, found["node_nm"], 22.0)


@pytest.mark.parametrize("shared", [1, 3, 8, 256])
def test_area_of_a_crossbar_by_parts(shared: int) -> None:
    """800 crossbars of 256 x 256 pairs; so many columns share a converter and a shift-and-add."""
    found = parts(f"units.tiles.adc.shared={shared}")
    converters = 800 * -(-256 // shared)
    assert found["cells"] == pytest.approx(800 * 256 * 256 * 2 * row("lee_90nm/pcm_cell/area"))
    assert found["row drivers"] == pytest.approx(800 * 256 * row("puma_32nm/row_driver/area"))
    assert found["shift-and-add"] == pytest.approx(converters * row("isaac_32nm/shift_add/area"))
    assert found["converters"] == pytest.approx(converters * converter_area(8, 22.0, 100e6))
    assert len(found) == 4


def test_area_follows_devices_sides_rows_and_count() -> None:
    base = parts()
    assert parts("units.tiles.cells.devices=3")["cells"] == pytest.approx(3 * base["cells"])
    single = parts("units.tiles.cells.sign=offset", "units.tiles.cells.slices=1")
    assert single["cells"] == pytest.approx(base["cells"] / 2)
    short = parts("units.tiles.rows=128")
    assert short["cells"] == pytest.approx(base["cells"] / 2)
    assert short["row drivers"] == pytest.approx(base["row drivers"] / 2)
    assert short["converters"] == base["converters"]
    for part, size in parts("units.tiles.count=400").items():
        assert size == pytest.approx(base[part] / 2)
    assert "converters" not in parts("units.tiles.adc.bits=0")


@pytest.mark.parametrize(
    ("sets", "rate"),
    [
        ((), 100e6),
        (("units.tiles.adc.kind=flash",), 100e6),
        (("units.tiles.adc.kind=ramp", "units.tiles.adc.rate=1 GHz"), 1e9 / 256),
        (("units.tiles.adc.kind=counting", "units.tiles.adc.shared=1"), 1 / 132e-9),
    ],
)
def test_a_conversion_costs_its_own_rate(sets: tuple[str, ...], rate: float) -> None:
    """A counting converter is done once a pulse and settling; a ramp takes a step for each code."""
    chip = load_chip("pcm_8level", sets)
    assert chip.crossbar is not None
    assert conversion_rate(chip.crossbar) == pytest.approx(rate)
    found = prices(chip)[0]["tiles", "conversions"]
    assert (
        found.joules == pytest.approx(conversion_energy(8, 22.0, rate)) and found.boundary == "core"
    )
    assert found.band == half_width("der")


def test_prices_of_the_other_actions() -> None:
    chip = load_chip("pcm_8level", ["units.tiles.overhead=3 pJ", "units.tiles.static=2 mW"])
    assert chip.crossbar is not None
    found = prices(chip)[0]
    assert found["tiles", "cell_charge"].joules == pytest.approx(0.2)
    assert found["tiles", "supply_charge"].joules == pytest.approx(0.6)
    assert found["tiles", "vectors"].joules == pytest.approx(3e-12)
    assert found["tiles", "mac_cells"].joules == 0.0
    assert chip.crossbar.prices(chip.technology)["tiles", "static_second"].joules == pytest.approx(
        1.6
    )
    boundaries = {
        action: price.boundary for (unit, action), price in found.items() if unit == "tiles"
    }
    assert {action for action, where in boundaries.items() if where == "device"} == {
        "mac_cells",
        "cell_charge",
        "supply_charge",
    }
    assert {action for action, where in boundaries.items() if where == "chip"} == {
        "pulses",
        "verify_reads",
    }
    ideal = load_chip("pcm_8level", ["units.tiles.adc.bits=0"])
    assert prices(ideal)[0]["tiles", "conversions"].joules == 0.0
