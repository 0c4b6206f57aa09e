"""One product of one tile, its makespan worked out on paper from every constant of the chip.

loads     both through the off-chip port, input first; each takes at least the DMA's setup and what its
          buffer's port needs; the last byte comes the memory's latency later
preload   one row a cycle
matmul    a sum passes all 32 rows (no bypass), one cycle a row; then one more a later row of x, one
          a column to the right, and the epilogue; longer where the output port is slower
store     as a load
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.results.result import Result
from accelsim.units.vector_unit import VectorUnit
from tests.one_tile import one_tile

TRACE = "name: tile\ninputs: {x: [M, K]}\noperators:\n  - {name: fc, kind: gemm, input: x, n: N}\n"


def tile(folder: Path, m: int, k: int, n: int) -> accelsim.api.Workload:
    path = folder / "tile.yaml"
    path.write_text(TRACE.replace("M", str(m)).replace("K", str(k)).replace("n: N", f"n: {n}"))
    return accelsim.load_workload(str(path))


CASES: list[dict[str, str]] = [
    {},
    {"memories.dram.efficiency": "0.31"},
    {"memories.dram.efficiency": "1"},
    {"memories.dram.latency": "250 ns"},
    {"memories.dram.latency": "0 ns"},
    {"units.dma.setup": "700"},
    {"units.dma.setup": "0"},
    {"memories.dram.bandwidth": "3.3 GB/s"},
    {"memories.dram.burst": "32 B"},
    {"clocks.core": "123 MHz"},
    {"units.array.epilogue_latency": "17"},
    {"units.array.mac_latency": "3"},
    {"units.array.hop_registers": "2"},
    {"units.array.bypass": "true"},
    {"memories.output_buffer.banks": "1", "memories.output_buffer.width": "32 bit"},
    {"memories.weight_buffer.banks": "1", "memories.weight_buffer.width": "8 bit"},
    {"units.dma.setup": "300", "memories.dram.latency": "33 ns", "memories.dram.efficiency": "0.5"},
]


def quantity(case: dict[str, str], key: str, default: Fraction) -> Fraction:
    text = case.get(key)
    if text is None:
        return default
    number, _, unit = text.partition(" ")
    powers = {"": 0, "ns": -9, "GB/s": 9, "B": 0, "MHz": 6, "bit": 0}
    return Fraction(number) * Fraction(10) ** powers[unit]


def on_paper(case: dict[str, str], m: int, k: int, n: int, tick: Fraction) -> tuple[Fraction, int]:
    """(seconds, cycles of the array) that one tile takes."""
    clock = quantity(case, "clocks.core", Fraction(800_000_000))
    cycle = 1 / clock
    rate = quantity(case, "memories.dram.bandwidth", Fraction(17 * 10**9)) * quantity(
        case, "memories.dram.efficiency", Fraction("0.85")
    )
    burst = int(quantity(case, "memories.dram.burst", Fraction(64)))
    # the engine counts in ticks: a burst is rounded up to them
    beat = ceil(burst / rate / tick) * tick
    latency = ceil(quantity(case, "memories.dram.latency", Fraction(100, 10**9)) * clock) * cycle
    setup = int(case.get("units.dma.setup", 8)) * cycle
    bursts = {
        name: -(-size // burst) for name, size in (("x", m * k), ("w", k * n), ("y", 4 * m * n))
    }
    narrow, port = (
        int(
            quantity(case, f"memories.{name}.banks", Fraction(4))
            * quantity(case, f"memories.{name}.width", Fraction(width))
        )
        // 8
        for name, width in (("weight_buffer", 64), ("output_buffer", 256))
    )
    input_there = max(setup, bursts["x"] * beat, -(-m * k // 32) * cycle) + latency
    weights_there = (
        max(setup, (bursts["x"] + bursts["w"]) * beat, -(-k * n // narrow) * cycle) + latency
    )
    preload = max(k, -(-k * n // narrow))
    start = max(input_there, weights_there + preload * cycle)
    a_row = (
        int(case.get("units.array.mac_latency", 1))
        + int(case.get("units.array.hop_registers", 1))
        - 1
    )
    rows = k if case.get("units.array.bypass") == "true" else 32
    last = a_row * rows + (m - 1) + (n - 1) + int(case.get("units.array.epilogue_latency", 4))
    written = -(-4 * m * n // port)
    streaming = max(m, written)
    done = start + (streaming + last - m) * cycle
    seconds = done + max(setup, bursts["y"] * beat, written * cycle) + latency
    return seconds, ceil(seconds * clock)


def named(case: dict[str, str]) -> str:
    return ",".join(f"{key.split('.', 1)[1]}={value}" for key, value in case.items()) or "shipped"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_one_tile(case: dict[str, str], tmp_path: Path) -> None:
    chip = accelsim.load_chip("int8_edge", [f"{key}={value}" for key, value in case.items()])
    for m, k, n in ((8, 8, 8), (5, 16, 12), (32, 32, 32)):
        work = tile(tmp_path, m, k, n)
        found = accelsim.run(chip, work, mappings=one_tile(chip, work))
        assert len(found.program) == 5, (m, k, n)
        assert found.tick_hz >= 10**11  # fine: a tick is 10 ps at most
        seconds, cycles = on_paper(case, m, k, n, Fraction(1, found.tick_hz))
        assert found.seconds == pytest.approx(float(seconds), rel=1e-9), (m, k, n)
        assert found.cycles == cycles


def test_vector_unit_to_the_cycle() -> None:
    """33 operations on 16 lanes: 3 cycles busy; the first result after the latency, the last 2 later."""
    unit = VectorUnit("v", "core", "a", "b", lanes=16, latency=5)
    for operations, busy in ((1, 1), (16, 1), (17, 2), (33, 3), (160, 10)):
        row = np.array([Opcode.VECTOR], np.int64)
        extents = np.zeros((1, 8), np.int64)
        extents[0, 1] = operations
        cost = unit.cost(Shapes(row * 0, row, row * 0, row * 0, row * 0, row * 0, extents))
        assert (int(cost.interval[0]), int(cost.first[0]), int(cost.last[0])) == (busy, 5, busy + 4)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_second_set_of_weights_hides_the_preload(depth: int, tmp_path: Path) -> None:
    """Two tiles of 32 x 32 weights on 32 rows of input: with one set of registers each preload stands between
    the products, with two only the first does."""
    chip = accelsim.load_chip(
        "int8_edge",
        [
            f"units.array.stationary_depth={depth}",
            "memories.dram.bandwidth=400 GB/s",
            "memories.dram.latency=0 ns",
            "units.dma.setup=0",
            "memories.dram.efficiency=1",
        ],
    )
    found = accelsim.run(chip, tile(tmp_path, 64, 32, 64))
    preload = next(row for row in found.units if row.name == "array.preload")
    array = next(row for row in found.units if row.name == "array")
    assert preload.busy == _cycles(found, len(_rows(found, Opcode.PRELOAD)) * 32)
    hidden = sum(_overlap(found, row) for row in _rows(found, Opcode.PRELOAD)[1:])
    assert (hidden > 0) == (depth == 2) and array.busy >= _cycles(found, 128)


def _rows(found: Result, opcode: Opcode) -> list[int]:
    return [int(row) for row in np.flatnonzero(found.program.commands.opcode == opcode)]


def _cycles(found: Result, cycles: int) -> int:
    return cycles * found.tick_hz // found.chip.clocks["core"]


def _overlap(found: Result, row: int) -> int:
    """Ticks of a preload in which a product streams."""
    line = found.timeline
    begin, end = int(line.issue[row]), int(line.release[row])
    return sum(
        max(0, min(end, int(line.release[other])) - max(begin, int(line.issue[other])))
        for other in _rows(found, Opcode.MATMUL)
    )
