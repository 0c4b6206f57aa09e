"""SRAM costs between the rows of the table, areas and leakage of copies: by arithmetic on the rows alone."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import pytest

import accelsim
from accelsim.constants.rows import table
from accelsim.constants.sram import interpolate, sram_cost
from accelsim.energy import area, prices
from accelsim.energy.account import account
from accelsim.errors import ConservationError
from accelsim.timing.bounds import check_bounds, lower_bounds

ROWS = {
    (row["tech_nm"], row["device"], row["size_bytes"], row["width_bits"]): row
    for row in table("cacti_sram")["rows"]
}
QUANTITIES = ("read_pj", "write_pj", "leak_mw", "area_mm2")


def neighbours(axis: int) -> list[tuple[tuple[int, str, int, int], tuple[int, str, int, int]]]:
    """Keys of rows next to each other along size (2) or width (3), both known."""
    values = [sorted({key[i] for key in ROWS}) for i in range(4)]
    found = []
    for low, high in pairwise(values[axis]):
        for key in ROWS:
            other = (*key[:axis], high, *key[axis + 1 :])
            if (
                key[axis] == low
                and other in ROWS
                and all(ROWS[k][q] for k in (key, other) for q in QUANTITIES)
            ):
                found.append((key, other))
    return found


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_midway_between_two_rows_is_their_geometric_mean(axis: int, quantity: str) -> None:
    pairs = neighbours(axis)[:40]
    assert len(pairs) > 10
    for low, high in pairs:
        node, device, size, width = low
        at = [float(size), float(width)]
        at[axis - 2] = (low[axis] * high[axis]) ** 0.5
        wanted = (ROWS[low][quantity] * ROWS[high][quantity]) ** 0.5
        assert interpolate(node, device, quantity, *at) == pytest.approx(wanted, rel=1e-9), (
            low,
            high,
        )


def test_in_the_middle_of_four_rows_is_the_fourth_root_of_their_product() -> None:
    seen, sizes = 0, sorted({key[2] for key in ROWS})
    following = dict(pairwise(sizes))
    for low, right in neighbours(3):
        size = following.get(low[2], 0)
        corners = [low, right, *((key[0], key[1], size, key[3]) for key in (low, right))]
        if not all(key in ROWS for key in corners):
            continue
        seen += 1
        wanted = prod(ROWS[key]["read_pj"] for key in corners) ** 0.25
        got = interpolate(
            low[0], low[1], "read_pj", (low[2] * size) ** 0.5, (low[3] * right[3]) ** 0.5
        )
        assert got == pytest.approx(wanted, rel=1e-9)
    assert seen > 5


def test_a_row_of_the_table_is_what_it_costs_a_bank() -> None:
    """256 KiB in four banks of 64 KiB and 64 bits at 22 nm: CACTI's own figures, in SI units."""
    row = ROWS[22, "itrs-lstp", 65536, 64]
    volts = next(
        item["supply_v"]
        for item in table("cacti_sram")["supplies"]["rows"]
        if item["tech_nm"] == 22 and item["device"] == "itrs-lstp"
    )
    cost = sram_cost(4 * 65536, 4, 64, 22.0, volts, "itrs-lstp")
    assert cost.read == pytest.approx(row["read_pj"] * 1e-12, rel=1e-12)
    assert cost.write == pytest.approx(row["write_pj"] * 1e-12, rel=1e-12)
    assert cost.leakage == pytest.approx(row["leak_mw"] * 1e-3, rel=1e-9)
    assert cost.area == pytest.approx(row["area_mm2"] * 1e-6, rel=1e-12)


def test_copies_of_a_private_buffer_all_count() -> None:
    """Three arrays with buffers of their own: three times the area and the leakage of shared ones."""
    private = "memories.weight_buffer.scope=private"
    one, three = (
        accelsim.load_chip("int8_edge", [f"units.array.count={count}", private]) for count in (1, 3)
    )
    areas = [
        {row.unit: row.area for row in area(chip) if row.part == "banks"} for chip in (one, three)
    ]
    assert areas[1]["weight_buffer"] == pytest.approx(3 * areas[0]["weight_buffer"], rel=1e-12)
    assert areas[1]["input_buffer"] == areas[0]["input_buffer"]
    watts = [prices(chip)[1]["weight_buffer", "leakage_second"].joules for chip in (one, three)]
    assert watts[1] == pytest.approx(3 * watts[0], rel=1e-12) and watts[0] > 0
    shared = [prices(chip)[1]["input_buffer", "leakage_second"].joules for chip in (one, three)]
    assert shared[0] == shared[1]


def test_banks_share_out_size_and_leak_each() -> None:
    chip = accelsim.load_chip("int8_edge")
    buffer, tech = chip.memories["input_buffer"], chip.technology
    bank = sram_cost(
        buffer.size, buffer.banks, buffer.width, tech.node * 1e9, tech.voltage, tech.sram_device
    )
    found = prices(chip)[1]
    assert found["input_buffer", "leakage_second"].joules == pytest.approx(
        4 * bank.leakage, rel=1e-12
    )
    assert found["input_buffer", "read_bit"].joules == pytest.approx(bank.read / 64, rel=1e-12)
    assert found["input_buffer", "write_bit"].joules == pytest.approx(bank.write / 64, rel=1e-12)
    (row,) = [row for row in area(chip) if row.unit == "input_buffer"]
    assert row.area == pytest.approx(4 * bank.area, rel=1e-12)


def test_converters_shared_by_columns() -> None:
    """Half as many columns a converter: twice the converters, each with its shift-and-add."""
    chips = [
        accelsim.load_chip("pcm_8level", [f"units.tiles.adc.shared={shared}"]) for shared in (8, 16)
    ]
    parts = [{row.part: row.area for row in area(chip) if row.unit == "tiles"} for chip in chips]
    assert parts[0]["shift-and-add"] == pytest.approx(2 * parts[1]["shift-and-add"], rel=1e-12)
    assert (
        parts[0]["cells"] == parts[1]["cells"]
        and parts[0]["row drivers"] == parts[1]["row drivers"]
    )


def test_leakage_follows_the_makespan() -> None:
    """Watts times seconds, memory by memory; twice as long a run leaks twice as much."""
    chip = accelsim.load_chip("int8_edge")
    found = accelsim.run(chip, accelsim.load_workload("small_gemm"))
    charged = {
        charge.unit: sum(charge.joules)
        for charge in found.energy.charges
        if charge.action == "leakage_second"
    }
    for name in ("input_buffer", "weight_buffer", "output_buffer"):
        watts = prices(chip)[1][name, "leakage_second"].joules
        assert charged[name] == pytest.approx(watts * found.seconds, rel=1e-12)

    class Longer:
        seconds = 2 * found.seconds

    again = account(found.program, chip, Longer())
    twice = {
        charge.unit: sum(charge.joules)
        for charge in again.charges
        if charge.action == "leakage_second"
    }
    assert twice == pytest.approx({name: 2 * joules for name, joules in charged.items()}, rel=1e-12)


def test_a_makespan_one_tick_below_a_bound_is_refused() -> None:
    found = accelsim.run(accelsim.load_chip("int8_edge"), accelsim.load_workload("small_gemm"))
    program, line = found.program, found.timeline
    bounds = lower_bounds(program, line)
    beat, bursts = (
        program.ports[0].beat,
        sum(
            -(-int(size) // program.ports[0].width)
            for port, size in zip(program.demands.port, program.demands.bytes, strict=True)
            if port == 0
        ),
    )
    assert bounds[program.ports[0].name] == beat * bursts
    for name, ticks in bounds.items():
        line.makespan = max(bounds.values())
        check_bounds(program, line)
        line.makespan = ticks - 1
        with pytest.raises(ConservationError, match="makespan"):
            check_bounds(program, line)
        assert name


@pytest.mark.parametrize("joules", [float("nan"), float("inf"), -1e-12])
def test_joules_that_are_none_are_refused(joules: float) -> None:
    found = accelsim.run(accelsim.load_chip("int8_edge"), accelsim.load_workload("small_gemm"))
    found.energy.check(found.workload.macs)
    charge = found.energy.charges[0]
    charge.joules[0] = joules
    with pytest.raises(ConservationError):
        found.energy.check(found.workload.macs)
