"""Supply and node: one law for logic and SRAM, computed here anew from the tables."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log

import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.constants.rows import half_width, table
from accelsim.constants.scaling import energy_factor
from accelsim.constants.sram import sram_cost, supply
from accelsim.energy import prices
from accelsim.energy.area import area
from accelsim.errors import InputError

LISTED = {int(node): abc for node, abc in table("scaling")["energy"].items()}
ACTIONS = (
    ("array", "mac_int8_int8"),
    ("array", "register_bits"),
    ("array", "requantize"),
    ("vector", "element_operation"),
    ("dma", "bus_bits"),
)
BITS = tuple(
    (name, action)
    for name in ("input_buffer", "weight_buffer", "output_buffer")
    for action in ("read_bit", "write_bit")
)
#: (node, supply) from the newest to the oldest: high-performance transistors' nominal supplies
NOMINAL = (
    (7, 0.7),
    (10, 0.75),
    (14, 0.8),
    (16, 0.8),
    (18, 0.85),
    (20, 0.9),
    (22, 0.9),
    (25, 0.9),
    (28, 0.9),
    (32, 0.9),
    (36, 0.95),
    (40, 1.0),
    (45, 1.0),
    (55, 1.1),
    (65, 1.1),
    (80, 1.2),
    (90, 1.2),
    (130, 1.3),
)
#: the same of low-standby-power transistors
LOW_STANDBY = (
    *NOMINAL[:4],
    (22, 0.8),
    (25, 0.9),
    (28, 0.95),
    (32, 1.0),
    (40, 1.05),
    (45, 1.1),
    (55, 1.15),
    (65, 1.2),
    (90, 1.3),
    (130, 1.4),
)


def law(node: float, volts: float) -> float:
    """a V^2 + b V + c of the listed nodes at both sides, in logarithms of node and value."""
    below = max(n for n in LISTED if n <= node)
    above = min(n for n in LISTED if n >= node)
    low, high = (a * volts**2 + b * volts + c for a, b, c in (LISTED[below], LISTED[above]))
    if below == above:
        return float(low)
    part = log(node / below) / log(above / below)
    return float(low * (high / low) ** part)


def chip_at(node: float, volts: float, *more: str) -> Chip:
    return accelsim.load_chip(
        "int8_edge", [f"technology.node={node} nm", f"technology.voltage={volts} V", *more]
    )


def price(chip: Chip, unit: str, action: str) -> float:
    units, memories = prices(chip)
    return (memories if (unit, action) in memories else units)[unit, action].joules


@pytest.mark.parametrize("node", [7, 16, 22, 28, 40])
def test_every_dynamic_price_follows_the_law_of_the_supply(node: int) -> None:
    """Nothing is charged alike at 0.6, 0.7 and 0.8 V: multipliers, registers, SRAM, one law."""
    for unit, action in ACTIONS + BITS:
        full = price(chip_at(node, 0.8), unit, action)
        for volts in (0.6, 0.7):
            expected = law(node, volts) / law(node, 0.8)
            assert price(chip_at(node, volts), unit, action) / full == pytest.approx(
                expected, rel=1e-9, abs=0.0
            )
            assert expected < (volts / 0.8) ** 0.5


def test_the_law_from_the_table_by_hand() -> None:
    """45 nm, 0.9 V to 22 nm, 0.8 V: 22 nm is a fifth of the way from 20 to 32 in the logarithm."""
    at_20 = 0.373 * 0.64 - 0.1582 * 0.8 + 0.04104
    at_32 = 0.9559 * 0.64 - 0.7823 * 0.8 + 0.471
    at_45 = 1.103 * 0.81 - 0.362 * 0.9 + 0.2767
    part = log(22 / 20) / log(32 / 20)
    factor = exp((1 - part) * log(at_20) + part * log(at_32)) / at_45
    assert price(chip_at(22, 0.8), "array", "mac_int8_int8") == pytest.approx(
        0.3e-12 * factor, rel=1e-9, abs=0.0
    )


def test_dynamic_energy_never_falls_towards_older_nodes_at_nominal_supply() -> None:
    """Without exception; leakage has exceptions, named below."""
    for unit, action in ACTIONS + BITS:
        chain = [price(chip_at(node, volts), unit, action) for node, volts in NOMINAL]
        assert all(a < b for a, b in pairwise(chain)), (unit, action, chain)
    for device, nominal in (("itrs-hp", NOMINAL), ("itrs-lstp", LOW_STANDBY)):
        for size in (2048 << power for power in range(13)):
            for width in (32, 64, 128, 256):
                costs = [sram_cost(size, 1, width, node, volts, device) for node, volts in nominal]
                for chain in ([cost.read for cost in costs], [cost.write for cost in costs]):
                    assert all(a < b for a, b in pairwise(chain)), (size, width)


def test_areas_never_fall_towards_older_nodes() -> None:
    chain = [sum(row.area for row in area(chip_at(node, volts))) for node, volts in NOMINAL]
    assert all(a < b for a, b in pairwise(chain))


def test_no_node_is_rounded_to_another() -> None:
    """28 nm is not 32 nm, nor 40 nm 45 nm, nor 22 nm 20 nm; nor is any other."""
    for unit, action in (*ACTIONS, *BITS):
        values = [price(chip_at(node, 0.8), unit, action) for node in range(7, 66)]
        assert len(set(values)) == len(values), (unit, action)
        assert all(b / a < 1.25 for a, b in pairwise(values)), (unit, action)


def test_sram_holds_the_table_at_its_supply_and_the_law_elsewhere() -> None:
    """64 KiB, 64 bits, lstp: 5.66959 pJ at 22 nm and 0.8 V, moved to 16 nm by the law of logic."""
    here = sram_cost(65536, 1, 64, 22, 0.8, "itrs-lstp")
    row = next(
        r
        for r in table("cacti_sram")["rows"]
        if (r["size_bytes"], r["width_bits"], r["tech_nm"], r["device"])
        == (65536, 64, 22, "itrs-lstp")
    )
    for value, key in (
        (here.read * 1e12, "read_pj"),
        (here.write * 1e12, "write_pj"),
        (here.leakage * 1e3, "leak_mw"),
        (here.area * 1e6, "area_mm2"),
    ):
        assert value == pytest.approx(row[key], rel=1e-14, abs=0.0)
    for volts in (0.6, 0.8, 1.0):
        moved = sram_cost(65536, 1, 64, 16, volts, "itrs-lstp").read
        assert moved == pytest.approx(here.read * law(16, volts) / law(22, 0.8), rel=1e-9, abs=0.0)


def test_an_operating_point_changes_all_of_the_chip() -> None:
    chip = accelsim.load_chip("int8_edge")
    low = chip.at("low_power")
    assert low.technology.voltage == 0.65
    scale = law(22, 0.65) / law(22, 0.8)
    for unit, action in ACTIONS + BITS:
        assert price(low, unit, action) == pytest.approx(
            scale * price(chip, unit, action), rel=1e-9, abs=0.0
        )
    for name in ("input_buffer", "weight_buffer", "output_buffer"):
        leak = price(low, name, "leakage_second") / price(chip, name, "leakage_second")
        assert leak == pytest.approx((0.65 / 0.8) ** 2, rel=1e-9, abs=0.0)


@pytest.mark.parametrize(
    ("device", "node", "power"),
    [
        ("itrs-lstp", 22, 2),
        ("itrs-hp", 22, 3),
        ("itrs-lstp", 32, 2),
        ("itrs-hp", 32, 3),
        ("itrs-lstp", 45, 5),
        ("itrs-hp", 65, 5),
        ("itrs-lstp", 16, 2),
        ("itrs-hp", 90, 5),
    ],
)
def test_leakage_follows_off_current_times_supply(device: str, node: int, power: int) -> None:
    low, high = (sram_cost(65536, 1, 64, node, volts, device).leakage for volts in (0.7, 0.9))
    assert low / high == pytest.approx((0.7 / 0.9) ** power, rel=1e-9, abs=0.0)


def test_leakage_beyond_the_table_follows_the_width_of_the_gate() -> None:
    for device, last, volts in (
        ("itrs-lstp", 22, 0.8),
        ("itrs-hp", 22, 0.8),
        ("itrs-lstp", 65, 1.2),
    ):
        there = sram_cost(65536, 1, 64, last, volts, device).leakage
        for node in (7, 10, 16) if last == 22 else (90, 130):
            here = sram_cost(65536, 1, 64, node, volts, device).leakage
            assert here == pytest.approx(there * node / last, rel=1e-9, abs=0.0)


def test_leakage_follows_the_temperature_of_the_off_current() -> None:
    """22 nm hp: 2.152e-7 A/um at 350 K, 4.88e-6 at 400 K. The broken value of lstp at 360 K is left out."""
    cool, warm, hot = (
        sram_cost(65536, 1, 64, 22, 0.8, "itrs-hp", kelvin).leakage
        for kelvin in (300.0, 350.0, 400.0)
    )
    assert warm == sram_cost(65536, 1, 64, 22, 0.8, "itrs-hp").leakage
    assert cool / warm == pytest.approx(1.216e-7 / 2.152e-7, rel=1e-9, abs=0.0)
    assert hot / warm == pytest.approx(4.88e-6 / 2.152e-7, rel=1e-9, abs=0.0)
    steps = [
        sram_cost(65536, 1, 64, 22, 0.8, "itrs-lstp", kelvin).leakage
        for kelvin in range(300, 401, 5)
    ]
    assert steps == sorted(steps)
    assert price(
        chip_at(22, 0.8, "technology.temperature=400 K"), "input_buffer", "leakage_second"
    ) == (
        pytest.approx(
            2.48e-8 / 7.73e-10 * price(chip_at(22, 0.8), "input_buffer", "leakage_second"),
            rel=1e-9,
            abs=0.0,
        )
    )
    with pytest.raises(InputError, match="300 to 400 K"):
        prices(chip_at(22, 0.8, "technology.temperature=420 K"))


def test_exceptions_of_leakage_are_named() -> None:
    """hp leaks less in newer nodes, lstp more from 45 to 22 nm: the device data's own."""
    lstp, hp = (
        [
            sram_cost(65536, 1, 256, node, supply(node, device).volts, device).leakage
            for node in (22, 32, 45, 65)
        ]
        for device in ("itrs-lstp", "itrs-hp")
    )
    assert lstp[:3] == sorted(lstp[:3], reverse=True)
    assert [round(watts * 1e6) for watts in lstp[:3]] == [32, 13, 10]  # docs/energy.md
    assert hp == sorted(hp)
    for device in ("itrs-hp", "itrs-lstp"):
        for node in (7, 16, 22, 28, 40, 65):
            volts = [sram_cost(65536, 1, 64, node, v, device).leakage for v in (0.6, 0.7, 0.8)]
            assert 0 < volts[0] < volts[1] < volts[2]


def test_bands_of_each_row_of_sram() -> None:
    """A row of the table 10 %; between sizes 30; across a gap or beyond the sizes 45; between widths 67;
    at another supply or node 35 at least; leakage at another node as far as nodes left out are missed."""

    def bands(size: int, width: int, node: float, volts: float) -> tuple[float, float, float]:
        cost = sram_cost(size, 1, width, node, volts, "itrs-lstp")
        return cost.energy_band, cost.leakage_band, cost.area_band

    row, between, far, odd, der, moved = (
        half_width(name)
        for name in ("run", "interpolated", "extended", "between_widths", "der", "leakage_moved")
    )
    assert bands(65536, 64, 22, 0.8) == (row, row, row)
    assert bands(65536 - 8192, 256, 22, 0.8) == (between, between, between)
    assert bands(65536 + 8192, 128, 22, 0.8) == bands(12 << 20, 64, 22, 0.8) == (far, far, far)
    assert bands(32768, 128, 22, 0.8) == (far, far, far)  # CACTI found no solution
    assert bands(65536, 96, 22, 0.8) == bands(65536, 16, 22, 0.8) == (odd, odd, odd)
    assert bands(65536, 64, 22, 0.7) == (der, der, row)
    assert bands(65536, 256, 28, 0.8) == bands(65536, 64, 16, 0.8) == (der, moved, der)
    warm = sram_cost(65536, 1, 64, 22, 0.8, "itrs-lstp", 330.0)
    assert (warm.energy_band, warm.leakage_band) == (row, der)


def test_the_printed_band_is_that_of_the_rows() -> None:
    """A buffer whose banks are rows of the table, then a size between two, then another supply."""
    work = accelsim.load_workload("small_gemm")
    for override, expected in (
        ("memories.input_buffer.size=128 KiB", "run"),
        ("memories.input_buffer.size=144 KiB", "interpolated"),
        ("technology.voltage=0.7 V", "der"),
    ):
        chip = accelsim.load_chip("int8_edge", [override])
        energy = accelsim.run(chip, work).energy
        rows = [
            row for row in energy.rows if (row.unit, row.action) == ("input_buffer", "read_bit")
        ]
        assert {row.band for row in rows} == {half_width(expected)}
        assert energy.band == pytest.approx(
            sum(row.joules * row.band for row in energy.rows), rel=1e-9, abs=0.0
        )


def test_logic_that_is_scaled_is_derived() -> None:
    """Horowitz's 32-bit add is read in a paper (25 %) at 45 nm and 0.9 V, derived (35 %) elsewhere."""
    key = ("vector", "element_operation")
    assert prices(chip_at(45, 0.9))[0][key].band == half_width("pub")
    assert prices(chip_at(45, 0.8))[0][key].band == half_width("der")
    assert prices(chip_at(28, 0.9))[0][key].band == half_width("der")


def test_a_supply_below_the_law_is_refused() -> None:
    """The parabola of 65 nm turns at 4.398 / (2 x 3.755) = 0.586 V: below it the law says nothing."""
    assert energy_factor(65, 0.59) < energy_factor(65, 0.7)
    with pytest.raises(InputError, match=r"at least 0\.59 V"):
        energy_factor(65, 0.58)
    for node in (5.9, 150.0):
        with pytest.raises(InputError, match="no scaling factors"):
            energy_factor(node, 0.8)
    assert energy_factor(6.5, 0.8) < energy_factor(7, 0.8)
    assert energy_factor(140, 1.2) > energy_factor(130, 1.2)
