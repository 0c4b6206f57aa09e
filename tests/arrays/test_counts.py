"""MacArray.actions against counting one register and one event at a time."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.formats import get
from accelsim.program.opcodes import Flag, Opcode
from accelsim.units.mac_array import Accumulator, MacArray
from tests.arrays.runs import INT4, INT8, IS, MIXED, OS, WS, make_array
from tests.arrays.test_closed_form import MIXTURE, table

ARRAYS = (
    make_array(rates=(INT8, INT4, MIXED), rows=9, columns=8),
    make_array(
        rates=(INT8, INT4, MIXED),
        rows=9,
        columns=8,
        bypass=True,
        hop_registers=2,
        mac_latency=2,
        stationary_depth=1,
        accumulator=Accumulator(24),
    ),
    make_array(rates=(INT8, INT4, MIXED), rows=9, columns=8, dot=2, simd=2),
    make_array(rates=(INT8, INT4, MIXED), rows=9, columns=8, structure="broadcast", dot=2),
)


def _register_bits(array: MacArray, row: tuple[int, int, int, int, int, int, str, str]) -> float:
    """Walk every value of the pass through the registers on its way."""
    opcode, _, m, n, k, flow, name_a, name_b = row
    rate = array.rate(name_a, name_b)
    lanes = array.dot * (rate.factor if rate.along == "k" else 1)
    wide = array.simd * (rate.factor if rate.along == "n" else 1)
    bits_a, bits_b, bits = get(name_a).bits, get(name_b).bits, array.accumulator.bits
    systolic = array.structure == "systolic"
    rows = m if flow == OS else -(-k // lanes)
    columns = m if flow == IS else -(-n // wide)
    exit_row = rows if array.bypass else array.rows
    total = 0
    if opcode == Opcode.PRELOAD:
        for element in range(k):
            hops = element // lanes + 1 if systolic else 1
            total += hops * (n * bits_b if flow == WS else m * bits_a)
        return total
    if flow == OS:
        across, down = (columns, rows * array.hop_registers) if systolic else (1, 1)
        total += m * k * bits_a * across + k * n * bits_b * down
        return total + sum((exit_row - i) * n * bits for i in range(rows))
    streamed = m * k * bits_a if flow == WS else k * n * bits_b
    if systolic:
        hop = array.hop_registers + array.mac_latency - 1
        return streamed * columns + m * n * exit_row * hop * bits
    nodes, width, tree = rows * array.dot, bits_a + bits_b, 0
    tree += nodes * width
    for _ in range(array.tree_levels):
        nodes, width = (nodes + 1) // 2, min(width + 1, bits)
        tree += nodes * width
    return streamed + m * n * tree


@pytest.mark.parametrize("array", ARRAYS)
def test_register_bits(array: MacArray) -> None:
    bits = array.actions(table(*MIXTURE))["register_bits"]
    assert bits.tolist() == [_register_bits(array, row) for row in MIXTURE]
    assert np.all(bits > 0)


@pytest.mark.parametrize("array", ARRAYS)
def test_useful_work_plus_idle_slots_fill_the_interval(array: MacArray) -> None:
    shapes = table(*MIXTURE)
    actions = array.actions(shapes)
    macs = sum(values for name, values in actions.items() if name.startswith("mac_"))
    for index, (opcode, _, m, n, k, _, name_a, name_b) in enumerate(MIXTURE):
        here = {name for name in actions if name.startswith("mac_") and actions[name][index]}
        if opcode == Opcode.PRELOAD:
            assert not here and actions["idle_slots"][index] == 0
            continue
        assert here == {f"mac_{name_a}_{name_b}"}
        assert macs[index] == m * n * k  # type: ignore[index]
        factor = array.rate(name_a, name_b).factor * array.dot * array.simd
        slots = int(array.cost(shapes).interval[index]) * 9 * 8 * factor
        assert actions["idle_slots"][index] == slots - m * n * k >= 0
    assert all(values.dtype == np.float64 for values in actions.values())


def test_a_full_array_has_no_idle_slot_while_it_streams() -> None:
    array = make_array(rates=(INT4,), rows=4, columns=4)
    row = (Opcode.MATMUL, 0, 10, 4, 8, WS, "int4", "int4")
    actions = array.actions(table(row))
    assert actions["idle_slots"].tolist() == [0.0]
    assert actions["mac_int4_int4"].tolist() == [320.0]


def test_accumulators_and_requantisation() -> None:
    array = make_array(accumulator=Accumulator(20))
    done = int(Flag.FUSED | Flag.LAST_K)
    rows = [
        (Opcode.MATMUL, flags, 3, 4, 6, flow, "int8", "int8")
        for flow in (OS, WS)
        for flags in (0, done, int(Flag.LAST_K))
    ]
    actions = array.actions(table(*rows))
    assert actions["requantize"].tolist() == [0, 12, 0] * 2
    # 6 steps: 6 writes and 5 reads of 12 sums of 20 bits
    assert actions["accumulator_bits"].tolist() == [11 * 12 * 20] * 3 + [0] * 3
