"""Single terms of prices and costs, each against the table or the arithmetic that it comes from."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, log, sqrt

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip, Constant
from accelsim.constants.converter import conversion_energy, converter_area, outside, survey
from accelsim.constants.float_mac import ratio, unit_of
from accelsim.constants.price import own_value, row_value
from accelsim.constants.rows import components, half_width, table
from accelsim.constants.scaling import energy_factor, listed
from accelsim.constants.sram import NODES, between, confidence, interpolate, sram_cost
from accelsim.energy import prices
from accelsim.energy.account import charge
from accelsim.energy.counts import Counts, Moving, tally
from accelsim.errors import InputError
from accelsim.program.opcodes import Access
from accelsim.units.mac_array import Accumulator

ROWS = table("cacti_sram")["rows"]


def chip_at(node: float, volts: float) -> Chip:
    return accelsim.load_chip(
        "int8_edge", [f"technology.node={node} nm", f"technology.voltage={volts} V"]
    )


# -- SRAM ------------------------------------------------------------------------------------------


def test_nodes_between_those_of_the_table() -> None:
    """Weights of the two neighbours in the logarithm; beyond the ends the last one alone."""
    assert sorted({row["tech_nm"] for row in ROWS}) == list(NODES)
    for node in NODES:
        assert between(node) == ((node, 1.0),)
    for low, high in pairwise(NODES):
        for part in (0.25, 0.5, 0.9):
            (a, left), (b, right) = between(low * (high / low) ** part)
            assert (a, b) == (low, high)
            assert (left, right) == pytest.approx((1 - part, part), rel=1e-9, abs=0.0)
    assert between(7) == ((22, 1.0),) and between(130) == ((65, 1.0),)


def test_leakage_and_area_beyond_the_table_go_with_the_node() -> None:
    """Leakage with the gate's width, in either direction; at nodes between by no factor of its own."""
    for node, end in ((11, 22), (16, 22), (90, 65), (130, 65)):
        here, there = (sram_cost(65536, 1, 64, at, 0.8, "itrs-lstp").leakage for at in (node, end))
        assert here == pytest.approx(there * node / end, rel=1e-9, abs=0.0)
    low, middle, high = (
        sram_cost(65536, 1, 64, at, 0.8, "itrs-hp").leakage for at in (22, sqrt(22 * 32), 32)
    )
    assert middle == pytest.approx(sqrt(low * high), rel=1e-9, abs=0.0)


def test_how_near_a_bank_is_to_a_row() -> None:
    known = {(row["tech_nm"], row["device"], row["size_bytes"], row["width_bits"]) for row in ROWS}
    for node in NODES:
        for device in ("itrs-hp", "itrs-lstp"):
            for width in (32, 64, 128, 256):
                for size in (2048 << power for power in range(13)):
                    row = (node, device, size, width) in known
                    assert confidence(node, device, size, width) == ("run" if row else "extended")
                    both = row and (node, device, 2 * size, width) in known
                    if size < 2048 << 12:
                        found = confidence(node, device, 1.5 * size, width)
                        assert found == ("interpolated" if both else "extended")
                assert confidence(node, device, 1024, width) == "extended"
                assert confidence(node, device, 16 << 20, width) == "extended"
            assert confidence(node, device, 65536, 96) == "between_widths"


def test_beyond_the_sizes_the_last_octave_goes_on() -> None:
    """In logarithms: half of the smallest bank and twice the largest continue their neighbours' ratio."""
    smallest, next_, largest, before = (
        interpolate(22, "itrs-lstp", "read_pj", size, 64) for size in (2048, 4096, 8 << 20, 4 << 20)
    )
    down = interpolate(22, "itrs-lstp", "read_pj", 1024, 64)
    up = interpolate(22, "itrs-lstp", "read_pj", 16 << 20, 64)
    assert down == pytest.approx(smallest**2 / next_, rel=1e-9, abs=0.0)
    assert up == pytest.approx(largest**2 / before, rel=1e-9, abs=0.0)


def test_wide_banks_stand_side_by_side_and_small_ones_are_no_smaller_than_half_a_row() -> None:
    """1,024 bits are four banks of 256, each with a quarter of the bytes; 300 bits two of 150."""
    for width, count in ((256, 1), (257, 2), (512, 2), (1024, 4)):
        whole = sram_cost(1 << 20, 2, width, 22, 0.8, "itrs-lstp")
        for name, key, unit in (
            ("read", "read_pj", 1e-12),
            ("write", "write_pj", 1e-12),
            ("leakage", "leak_mw", 1e-3),
            ("area", "area_mm2", 1e-6),
        ):
            one = interpolate(22, "itrs-lstp", key, (1 << 20) / 2 / count, width / count)
            assert getattr(whole, name) == pytest.approx(count * one * unit, rel=1e-9, abs=0.0), (
                width,
                name,
            )
    tiny, least = (sram_cost(size, 1, 32, 22, 0.8, "itrs-lstp") for size in (64, 1024))
    assert (tiny.read, tiny.leakage, tiny.area) == (least.read, least.leakage, least.area)


# -- scaling ---------------------------------------------------------------------------------------


def test_the_law_holds_down_to_the_supply_at_which_it_turns() -> None:
    """At -b / 2a itself the parabola still says c - b^2 / 4a; a hair below it says nothing."""
    for name, (a, b, c) in table("scaling")["energy"].items():
        least = -b / (2 * a)
        if least > 0:
            assert energy_factor(float(name), least) == pytest.approx(
                c - b * b / (4 * a), rel=1e-6, abs=0.0
            )
            with pytest.raises(InputError, match="no law of energy"):
                energy_factor(float(name), least * (1 - 1e-6))


def test_nodes_up_to_the_stated_part_beyond_the_ends() -> None:
    nodes = sorted(int(name) for name in table("scaling")["energy"])
    part = 1 + table("scaling")["beyond"]
    for node in (nodes[0] / part * 1.0001, nodes[-1] * part * 0.9999):
        below, above, along = listed(node)
        assert node == pytest.approx(below * exp(along * log(above / below)), rel=1e-9, abs=0.0)
    for node in (nodes[0] / part * 0.9999, nodes[-1] * part * 1.0001):
        with pytest.raises(InputError, match="no scaling factors"):
            listed(node)


# -- constants of the chip's own -------------------------------------------------------------------


@pytest.mark.parametrize("word", ["run", "src", "pub", "der", "mem"])
def test_what_is_scaled_has_the_band_of_a_derived_value_at_least(word: str) -> None:
    chip, own = chip_at(22, 0.8), Constant("array/mac_int8_int8", 1e-12, "us", word)
    here, known = half_width(word), half_width("der")
    assert own_value(chip.technology, own) == (1e-12, here)
    assert own_value(chip.technology, replace(own, node=22e-9, voltage=0.8)) == (1e-12, here)
    for node, volts in ((45e-9, None), (None, 0.7), (45e-9, 0.9)):
        found = own_value(chip.technology, replace(own, node=node, voltage=volts))
        factor = energy_factor(22, 0.8) / energy_factor((node or 22e-9) * 1e9, volts or 0.8)
        assert found == pytest.approx((1e-12 * factor, max(here, known)), rel=1e-9, abs=0.0)


def test_rows_at_home_and_scaled() -> None:
    for key, row in components().items():
        if row.get("node_nm") is None or "area" in key or "/bit" not in key:
            continue
        value, band = row["value"] * 1e-12, half_width(row["confidence"])
        assert row_value(chip_at(row["node_nm"], row["voltage"]).technology, key) == pytest.approx(
            (value, band), rel=1e-9, abs=0.0
        )
        scaled = energy_factor(22, 0.8) / energy_factor(row["node_nm"], row["voltage"])
        found = row_value(chip_at(22, 0.8).technology, key)
        assert found == pytest.approx(
            (value * scaled, max(band, half_width("der"))), rel=1e-9, abs=0.0
        )


# -- converters ------------------------------------------------------------------------------------


def by_hand(bits: float, node: float, rate: float) -> tuple[float, float]:
    """(picojoules, um2) of a conversion, term by term as the table's note says."""
    t = survey()
    sndr = t["sndr"][0] * bits + t["sndr"][1]
    fast = t["merit"][0] - t["merit"][1] * log(rate)
    slow = t["merit"][2] + t["merit"][3] * (int(bits) if bits == int(bits) else int(bits) + 1)
    e = t["energy"]
    joules = (
        0.5
        * 10 ** ((sndr - min(fast, slow)) / 10)
        * exp(e[0] + e[1] * log(node) - e[2] * log(bits) - e[3])
    )
    a = t["area"]
    return joules, exp(a[0] + a[1] * log(node) + a[2] * log(rate) + a[3] * log(joules))


@pytest.mark.parametrize("rate", [1.0, 1e4, 1e8, 1e9, 1e10])
def test_a_conversion_term_by_term(rate: float) -> None:
    """At low rates the figure of merit is the bits', at high ones the rate's."""
    for bits in (4, 5, 7.5, 8, 11, 14):
        for node in (5, 22, 90, 250):
            picojoules, square_micros = by_hand(bits, node, rate)
            assert conversion_energy(bits, node, rate) == pytest.approx(
                picojoules * 1e-12, rel=1e-9, abs=0.0
            )
            assert converter_area(bits, node, rate) == pytest.approx(
                square_micros * 1e-12, rel=1e-9, abs=0.0
            )


def test_the_ends_of_the_survey_are_inside() -> None:
    ends = {
        name: survey()[key]
        for name, key in (("bits", "bits"), ("node_nm", "node_nm"), ("rate", "rate_hz"))
    }
    inside = {"bits": 8.0, "node_nm": 32.0, "rate": 1e8}
    for name, (low, high) in ends.items():
        for value in (low, high):
            assert outside(**{**inside, name: float(value)}, path="adc") == []
        for value in (low * 0.999, high * 1.001):
            (problem,) = outside(**{**inside, name: value}, path="adc")
            assert problem.code == f"adc.{name.removesuffix('_nm')}"


# -- floats ----------------------------------------------------------------------------------------


def test_the_synthesised_unit_of_the_nearest_width_stands_for_others() -> None:
    """By the wider operand, then by the width of the sums; a listed pair with its own sums by itself."""
    half, single = Accumulator(format="fp16_169"), Accumulator(format="fp32")
    assert unit_of("fp8_152", "hfp8_143", half) == "hfp8_143"
    assert unit_of("fp8_152", "fp8_152", half) == "fp8_152"
    assert unit_of("bf16", "bf16", single) == "bf16"
    assert unit_of("fp8_152", "bf16", single) == "bf16"
    assert unit_of("fp8_e4m3", "fp16", single) == unit_of("fp16", "fp8_e4m3", single) == "bf16"
    assert unit_of("fp8_e4m3", "fp32", single) == unit_of("fp32", "fp8_e4m3", single) == "fp32"
    assert unit_of("int8", "fp16", half) == "fp16_169"
    sizes = table("mac_area")["transistors"]
    assert ratio("bf16", "bf16", single)[0] == sizes["bf16"] / sizes["int8"]
    assert ratio("bf16", "bf16", single)[1] == table("mac_area")["band"]
    assert ratio("fp16", "fp16", single)[:2] == (sizes["bf16"] / sizes["int8"], half_width("der"))


# -- charges ---------------------------------------------------------------------------------------


def test_every_charge_is_its_operators() -> None:
    """Counts of the whole run stand first, operator 0 behind them; gated products leave the others; a band of a
    count is added to the price's; power is charged by the second to nobody."""
    chip = accelsim.load_chip("int8_edge", ["memories.dram.background=3 mW"])
    units, memories = prices(chip)
    macs = np.array([0.0, 50.0, 0.0, 70.0])
    counts = Counts(
        [
            ("array", "mac_int8_int8", macs),
            ("vector", "requantize", np.array([2.0, 0.0, 3.0, 0.0])),
        ],
        [("dram", "read_bit", np.array([8.0, 0.0, 0.0, 16.0]))],
        {("array", "mac_int8_int8"): np.array([0.0, 20.0, 0.0, 0.0])},
        0.5,
        {("vector", "requantize"): 0.125},
    )
    found = {
        (c.unit, c.action): (c.operators, c.counts, c.joules) for c in charge(counts, chip).charges
    }
    each = units["array", "mac_int8_int8"].joules
    assert found["array", "mac_int8_int8"] == ([0, 2], [30.0, 70.0], [30 * each, 70 * each])
    assert found["array", "mac_gated_int8_int8"] == ([0], [20.0], [0.0])
    assert found["vector", "requantize"][:2] == ([-1, 1], [2.0, 3.0])
    assert found["dram", "read_bit"][:2] == ([-1, 2], [8.0, 16.0])
    assert found["dram", "background_second"] == (
        [-1],
        [0.5],
        [0.5 * memories["dram", "background_second"].joules],
    )
    bands = {(c.unit, c.action): c.price.band for c in charge(counts, chip).charges}
    assert bands["vector", "requantize"] == units["vector", "requantize"].band + 0.125
    assert bands["array", "mac_int8_int8"] == units["array", "mac_int8_int8"].band
    nothing = Counts([("array", "mac_int8_int8", 0 * macs)], [], {}, 0.0)
    assert {c.action for c in charge(nothing, chip).charges} == {
        "leakage_second",
        "background_second",
    }
    assert charge(counts, chip).macs() == 120


@pytest.mark.parametrize(("first", "stop", "more"), [(0, 3, 0), (1, 3, 0), (1, 2, 2), (0, 0, 1)])
def test_counts_of_rows_go_to_their_operator_and_so_many_further(
    first: int, stop: int, more: int
) -> None:
    """An accumulation reads and writes; the whole run's place is the first."""
    operator, shape = np.array([-1, 0, 1]), np.array([0, 1, 1])
    start, memory = np.array([0, 1, 3, 4]), np.array([0, 1, 2, 1])
    kind = np.array([0, 1, 0])  # the third memory is another instance of the first
    access = np.array([Access.READ, Access.WRITE, Access.ACCUMULATE, Access.READ])
    size = np.array([10, 20, 30, 40])
    runs, read, written = np.zeros((5, 2)), np.zeros((2, 5)), np.zeros((2, 5))
    rows = Moving(operator, shape, start, memory, access, size, kind)
    tally(first, stop, more, rows, runs, read, written)
    wanted = [np.zeros_like(x) for x in (runs, read, written)]
    for row in range(first, stop):
        owner = operator[row] + 1 + more
        wanted[0][owner, shape[row]] += 1
        for entry in range(start[row], start[row + 1]):
            wanted[1][kind[memory[entry]], owner] += size[entry] * (access[entry] != Access.WRITE)
            wanted[2][kind[memory[entry]], owner] += size[entry] * (access[entry] != Access.READ)
    assert all(np.array_equal(a, b) for a, b in zip((runs, read, written), wanted, strict=True))
