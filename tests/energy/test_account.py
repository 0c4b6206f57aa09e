"""Joules by hand: every action of a small run, its boundary, its parts, its scaling."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.constants.rows import components, families, half_width, table
from accelsim.constants.scaling import energy_factor, scale_energy
from accelsim.constants.sram import sram_cost
from accelsim.energy.account import account, prices
from accelsim.energy.joules import BOUNDARIES, EnergyRow
from accelsim.errors import ConservationError, InputError
from accelsim.mapping.compile import compile_program
from accelsim.results.result import Result
from accelsim.timing.engine import simulate
from accelsim.units.mac_costs import multiply_accumulate

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "accelsim" / "constants" / "tables"
CHIPS = ("int8_edge", "int4_edge", "int8_128", "mixed_quad")


def small(chip: str = "int8_edge", *overrides: str) -> Result:
    return accelsim.run(
        accelsim.load_chip(chip, list(overrides)), accelsim.load_workload("small_gemm")
    )


def joules(result: Result, unit: str, action: str) -> float:
    return sum(r.joules for r in result.energy.rows if (r.unit, r.action) == (unit, action))


def test_by_hand() -> None:
    """64 x 96 times 96 x 48 at 22 nm and 0.8 V: 2 x 48 tiles of weights, one pass each."""
    result = small()
    chip = result.chip
    node = energy_factor(22, 0.8) / energy_factor(45, 0.9)
    mac = (0.2 + 0.1) * 1e-12 * node
    assert joules(result, "array", "mac_int8_int8") == pytest.approx(
        64 * 96 * 48 * mac, rel=1e-9, abs=0.0
    )
    # finished sums stay 32 bits wide (network output); 8 pJ a bit off chip; pieces are whole bursts of 64 bytes
    moved = (64 * 96 + 96 * 48) * 8
    assert joules(result, "dram", "read_bit") == pytest.approx(moved * 8e-12, rel=1e-9, abs=0.0)
    assert joules(result, "dram", "write_bit") == pytest.approx(
        64 * 48 * 32 * 8e-12, rel=1e-9, abs=0.0
    )
    weight = chip.memories["weight_buffer"]
    cost = sram_cost(weight.size, weight.banks, weight.width, 22, 0.8, "itrs-lstp")
    assert joules(result, "weight_buffer", "write_bit") == pytest.approx(
        96 * 48 * 8 * cost.write / weight.width, rel=1e-9, abs=0.0
    )
    assert joules(result, "weight_buffer", "leakage_second") == pytest.approx(
        result.seconds * cost.leakage * weight.banks, rel=1e-9, abs=0.0
    )
    assert joules(result, "array", "requantize") == 0  # the network's output stays sums
    assert joules(result, "array", "register_bits") > 0


@pytest.mark.parametrize("chip", CHIPS)
def test_parts_boundaries_and_work_add_up(chip: str) -> None:
    result = small(chip)
    energy = result.energy
    energy.check(result.workload.macs)
    total = sum(row.joules for row in energy.rows)
    assert energy.total == pytest.approx(total, rel=1e-12, abs=0.0)
    for names in (("unit",), ("operator",), ("action", "boundary")):
        assert sum(energy.by(*names).values()) == pytest.approx(total, rel=1e-12, abs=0.0)
    sizes = [energy.boundary(name) for name in BOUNDARIES]
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    for row in energy.rows:
        assert row.source
        assert 0 <= row.band <= 0.5
    homes = {
        (row.unit, row.action): {
            r.boundary for r in energy.rows if (r.unit, r.action) == (row.unit, row.action)
        }
        for row in energy.rows
    }
    assert all(len(home) == 1 for home in homes.values())


def test_every_action_has_the_boundary_that_the_docs_say() -> None:
    result = accelsim.run(
        accelsim.load_chip("int8_edge", ["memories.dram.background=1 mW"]),
        accelsim.load_workload("small_cnn"),
    )
    found = {f"{row.unit}/{row.action}": row.boundary for row in result.energy.rows}
    device = {key for key, where in found.items() if where == "device"}
    chip = {key for key, where in found.items() if where == "chip"}
    assert device == {"array/mac_int8_int8"}
    assert chip == {
        "dram/read_bit",
        "dram/write_bit",
        "dram/background_second",
        "dma/bus_bits",
        "dma/transfer",
    } | ({"array/idle_slots"} & set(found))
    assert set(found) - device - chip >= {
        "array/register_bits",
        "input_buffer/read_bit",
        "weight_buffer/leakage_second",
        "array/requantize",
    }


def test_a_broken_report_is_refused() -> None:
    result = small()
    with pytest.raises(ConservationError, match="multiply-accumulates"):
        result.energy.check(result.workload.macs + 1)
    result.energy.rows.append(EnergyRow(0, "array", "x", 1.0, -1.0, 0.0, "chip", "s"))
    with pytest.raises(ConservationError):
        result.energy.check()


def test_widths_voltage_and_node_are_monotone() -> None:
    chip = accelsim.load_chip("int4_edge")
    pairs = [
        multiply_accumulate(chip.array, chip.technology, a, b).joules
        for a, b in (("int4", "int4"), ("int8", "int4"), ("int8", "int8"))
    ]
    assert pairs[0] < pairs[1] < pairs[2]
    factors = [energy_factor(22, volt) for volt in (0.6, 0.7, 0.8, 0.9)]
    assert factors == sorted(factors)
    assert factors[0] < factors[-1]
    assert scale_energy(1.0, 45, 0.9, 22, 0.8) < 1 < scale_energy(1.0, 22, 0.8, 45, 0.9)
    with pytest.raises(InputError, match="no scaling factors"):
        energy_factor(300, 1.0)
    slow, fast = (small("int8_edge", f"technology.voltage={v}") for v in ("0.7 V", "0.8 V"))
    assert joules(slow, "array", "mac_int8_int8") < joules(fast, "array", "mac_int8_int8")


def test_leakage_lasts_as_long_as_the_run() -> None:
    slow, fast = (small("int8_edge", f"memories.dram.bandwidth={b}") for b in ("1 GB/s", "17 GB/s"))
    for memory in ("input_buffer", "weight_buffer", "output_buffer"):
        ratio = joules(slow, memory, "leakage_second") / joules(fast, memory, "leakage_second")
        assert ratio == pytest.approx(slow.seconds / fast.seconds, rel=1e-9, abs=0.0)
    assert slow.seconds > fast.seconds


def test_gated_products_cost_nothing_and_stay_counted() -> None:
    chip = accelsim.load_chip("int8_edge", ["units.array.zero_gating=true"])
    workload = accelsim.load_workload("small_gemm")
    program = compile_program(chip, workload)
    timeline = simulate(program, chip)
    macs = program.rows(4)
    zeros = np.zeros(len(program))
    zeros[macs] = 100.0
    plain = account(program, chip, timeline)
    gated = account(program, chip, timeline, {"zero_products": zeros})
    price = prices(chip)[0]["array", "mac_int8_int8"].joules
    assert plain.total - gated.total == pytest.approx(100 * len(macs) * price, rel=1e-9, abs=0.0)
    gated.check(workload.macs)


def test_four_bit_tensors_take_half_the_bits() -> None:
    wide, narrow = small("int8_edge"), small("int4_edge")
    for memory in ("input_buffer", "weight_buffer"):
        half, full = (
            sum(r.count for r in x.energy.rows if (r.unit, r.action) == (memory, "write_bit"))
            for x in (narrow, wide)
        )
        assert half == full / 2


def test_every_constant_says_where_it_comes_from() -> None:
    for row in components().values():
        for key in ("value", "unit", "source", "year", "confidence"):
            assert row.get(key) is not None, (row["key"], key)
        assert "voltage" in row and "node_nm" in row, row["key"]
        assert half_width(row["confidence"]) > 0
    assert len(families()) >= 2
    assert all(
        "source" in json.loads(path.read_text()) or "about" in json.loads(path.read_text())
        for path in TABLES.glob("*.json")
    )
    assert table("scaling")["energy"]


def pricing() -> Iterator[tuple[Path, ast.AST]]:
    """Every piece of code that makes prices and areas."""
    package, bounds = ROOT / "accelsim", "technology.py"  # ranges of a chip file's keys
    for part in ("energy", "constants", "units"):
        for path in (package / part).glob("*.py"):
            tree: ast.AST = ast.parse(path.read_text())
            pieces = [tree] if part != "units" and path.name != bounds else []
            if part == "units":
                makers = (
                    "prices",
                    "areas",
                    "multiply_accumulate",
                    "array_prices",
                    "array_areas",
                    "crossbar_prices",
                    "crossbar_areas",
                )
                pieces = [
                    node
                    for node in ast.walk(tree)
                    if isinstance(node, ast.FunctionDef) and node.name in makers
                ]
            for piece in pieces:
                yield from ((path, node) for node in ast.walk(piece))


def test_no_constant_is_typed_into_the_code() -> None:
    """Floats with an exponent, outside the tables, may only be unit prefixes or tolerances."""
    allowed = {1e-30, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9, 1e12, 1e15, 100.0}
    wrong = []
    for path, node in pricing():
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            small_number = 0 < abs(node.value) < 1e-2 or abs(node.value) > 100
            if small_number and node.value not in allowed:
                wrong.append(f"{path.name}:{node.lineno}: {node.value}")
    assert not wrong, wrong
