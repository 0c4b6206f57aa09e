"""Every joule and square millimetre of the tiny chip from its constants and the tables' own rows."""

from __future__ import annotations

from collections import defaultdict
from math import log
from typing import Any

import pytest

import accelsim
from accelsim.energy import area
from accelsim.workload import Gemm, TensorSpec, Workload
from tests.paper.chip import (
    ELEMENTS,
    TICKS,
    Constants,
    K,
    M,
    N,
    addition,
    changed,
    constant,
    gemm,
    law,
    mapped,
    rows,
    smaller,
)
from tests.paper.test_time import times_of_addition, times_of_gemm

PICO = 1e-12
CHANGES: list[dict[str, Any]] = [
    {},
    {"burst": 48},
    {"banks": 1},
    {"banks": 4, "width": 32},
    {"background": 0.0},
    {"background": 11e-3},
    {"node": 16},
    {"node": 28, "size": 16384, "width": 256},
    {"voltage": 0.65},
    {"mac_latency": 3},
    {"hop_registers": 2},
    {"latency": 1e-6},
    {"location": "column"},
]


def moved(c: Constants, key: str) -> float:
    """Joules of a row of the component table at the chip's node and supply."""
    row = constant(key)
    if row["node_nm"] is None:
        return float(row["value"]) * PICO
    return float(row["value"]) * PICO * law(c.node, c.voltage) / law(row["node_nm"], row["voltage"])


def bank(c: Constants) -> tuple[float, float, float, float]:
    """(joules a bit read, a bit written, watts, square metres) of one bank, from CACTI's own rows."""
    row = {
        r["tech_nm"]: r
        for r in rows("cacti_sram")
        if (r["size_bytes"], r["width_bits"], r["device"])
        == (c.size // c.banks, c.width, "itrs-lstp")
    }
    if c.node == 28:  # between 22 nm at 0.8 V and 32 nm at 1.0 V, in logarithms
        t = log(28 / 22) / log(32 / 22)

        def between(low: float, high: float) -> float:
            return low ** (1 - t) * high**t

        at = {n: law(28, c.voltage) / law(n, v) for n, v in ((22, 0.8), (32, 1.0))}
        low, high = row[22], row[32]
        leak = between(
            low["leak_mw"] * (c.voltage / 0.8) ** 2, high["leak_mw"] * (c.voltage / 1.0) ** 2
        )
        return (
            between(low["read_pj"] * at[22], high["read_pj"] * at[32]) * PICO / c.width,
            between(low["write_pj"] * at[22], high["write_pj"] * at[32]) * PICO / c.width,
            leak * 1e-3,
            between(low["area_mm2"], high["area_mm2"]) * 1e-6,
        )
    here = row[22]
    dynamic = law(c.node, c.voltage) / law(22, 0.8)
    shrink = min(1.0, c.node / 22)
    return (
        here["read_pj"] * PICO * dynamic / c.width,
        here["write_pj"] * PICO * dynamic / c.width,
        here["leak_mw"] * 1e-3 * (c.voltage / 0.8) ** 2 * shrink,
        here["area_mm2"] * 1e-6 * smaller(c.node, 22),
    )


def paper(c: Constants, work: str, seconds: float) -> dict[tuple[str, str], float]:
    """Joules by (unit, action)."""
    read, write, watts, _ = bank(c)
    bit, add = moved(c, "aladdin_40nm/register/bit"), moved(c, "horowitz_45nm/int32/add")
    dram, bus = moved(c, "dram/lpddr4/bit"), moved(c, "isaac_32nm/bus/bit")
    joules: dict[tuple[str, str], float] = defaultdict(float)
    if work == "gemm":
        x, w, sums = M * K, K * N, 4 * M * N  # bytes
        joules["array", "mac_int8_int8"] = (
            M * K * N * (moved(c, "horowitz_45nm/int8/multiply") + add)
        )
        deep = c.hop_registers + c.mac_latency - 1
        across = M * 4 * 8 * N  # each of 5 x 4 inputs of a pass crosses four columns
        down = M * N * 4 * deep * 32  # each of 5 x 4 sums passes four rows of so many registers
        weights = (1 + 2 + 3 + 4) * N * 8  # a row of weights goes down to its own row
        joules["array", "register_bits"] = 2 * (across + down + weights) * bit
        near, held, out = (x, x), (w, w), (sums + sums, sums + sums)  # bytes written, read
        if c.location == "column":
            out = (sums, sums)
            joules["array.accumulators", "write_bit"] = 8 * sums * bit
            joules["array.accumulators", "read_bit"] = 8 * sums * bit
        loaded, stored = c.bursts(x) + c.bursts(w), c.bursts(sums)
        carried = x + w + sums
    else:
        sums = 4 * ELEMENTS
        joules["vector", "element_operation"] = ELEMENTS * add
        near, held, out = (2 * ELEMENTS, 2 * ELEMENTS), (0, 0), (sums, sums)
        loaded, stored = 2 * c.bursts(ELEMENTS), c.bursts(sums)
        carried = 2 * ELEMENTS + sums
    for name, (into, of) in (("near", near), ("held", held), ("out", out)):
        joules[name, "write_bit"] = 8 * into * write
        joules[name, "read_bit"] = 8 * of * read
        joules[name, "leakage_second"] = watts * c.banks * seconds
    joules["dram", "read_bit"] = 8 * c.burst * loaded * dram
    joules["dram", "write_bit"] = 8 * c.burst * stored * dram
    joules["dram", "background_second"] = c.background * seconds
    joules["dma", "bus_bits"] = 8 * carried * bus
    return {key: value for key, value in joules.items() if value}


@pytest.mark.parametrize(
    "values", CHANGES, ids=lambda values: ",".join(f"{k}={v}" for k, v in values.items())
)
def test_every_joule(values: dict[str, Any]) -> None:
    c = changed(**values)
    for work, times in ((gemm(), times_of_gemm(c)), (addition(), times_of_addition(c))):
        result = accelsim.run(c.chip(), work, mappings=mapped(work))
        seconds = max(end for _, _, end in times) / TICKS
        found: dict[tuple[str, str], float] = defaultdict(float)
        for row in result.energy.rows:
            found[row.unit, row.action] += row.joules
        expected = paper(c, work.name, seconds)
        assert {key for key, value in found.items() if value} == set(expected)
        for key, joules in expected.items():
            assert found[key] == pytest.approx(joules, rel=1e-9, abs=0.0), key
        assert result.joules == pytest.approx(sum(expected.values()), rel=1e-9, abs=0.0)
        parts = {"device": {"mac_int8_int8"}, "chip": {"background_second", "bus_bits"}}
        device = sum(value for (_, action), value in expected.items() if action in parts["device"])
        off = sum(
            value
            for (unit, action), value in expected.items()
            if unit == "dram" or action in parts["chip"]
        )
        assert result.energy.boundary("device") == pytest.approx(device, rel=1e-9, abs=0.0)
        assert result.energy.boundary("core") == pytest.approx(
            sum(expected.values()) - off, rel=1e-9, abs=0.0
        )


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"banks": 1},
        {"node": 16},
        {"node": 28, "size": 16384, "width": 256},
        {"columns": 8},
        {"count": 2},
        {"count": 3},
        {"voltage": 0.65},
    ],
)
def test_every_square_metre(values: dict[str, Any]) -> None:
    """Lanes: a multiplier, an adder, 8 bits of input, 32 of sum and two weights of 8; a private buffer's
    banks once for each array."""
    c = changed(**values)
    lanes = c.count * c.rows * c.columns
    expected = {
        ("array", "multipliers"): lanes * 282e-12 * smaller(c.node, 45),
        ("array", "adders"): lanes * 137e-12 * smaller(c.node, 45),
        ("array", "registers"): lanes * (8 + 32 + 2 * 8) * 5.98e-12 * smaller(c.node, 40),
    }
    for name in ("near", "held", "out"):
        expected[name, "banks"] = bank(c)[3] * c.banks * c.count
    found = {(row.unit, row.part): row.area for row in area(c.chip())}
    assert set(found) == set(expected)
    for key, size in expected.items():
        assert found[key] == pytest.approx(size, rel=1e-9, abs=0.0), key


@pytest.mark.parametrize("count", [1, 2, 3])
def test_private_buffers_leak_each(count: int) -> None:
    c = changed(count=count)
    result = accelsim.run(c.chip(), gemm())
    for name in ("near", "held", "out"):
        leak = sum(
            r.joules for r in result.energy.rows if (r.unit, r.action) == (name, "leakage_second")
        )
        assert leak == pytest.approx(
            bank(c)[2] * c.banks * count * result.seconds, rel=1e-9, abs=0.0
        )


def test_codes_are_requantised_at_the_price_of_a_multiply_add() -> None:
    """A second product behind the first: 20 codes in between; the second's sums leave as they are."""
    shapes = {
        "x": ((M, K), "input"),
        "w": ((K, N), "weight"),
        "h": ((M, N), "intermediate"),
        "v": ((N, 2), "weight"),
        "y": ((M, 2), "output"),
    }
    specs = {name: TensorSpec(name, shape, role) for name, (shape, role) in shapes.items()}
    work = Workload(
        "two", (Gemm("one", "x", "w", "h", M, K, N), Gemm("two", "h", "v", "y", M, N, 2)), specs
    )
    c = Constants()
    result = accelsim.run(c.chip(), work)
    rows_ = [row for row in result.energy.rows if row.action == "requantize"]
    price = moved(c, "horowitz_45nm/int32/multiply") + moved(c, "horowitz_45nm/int32/add")
    assert sum(row.count for row in rows_) == M * N
    assert sum(row.joules for row in rows_) == pytest.approx(M * N * price, rel=1e-9, abs=0.0)
