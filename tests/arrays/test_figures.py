"""Published and simulated figures of real arrays: FACTS 1 (Verilog, Icarus and Verilator)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from accelsim.program.opcodes import Flag, Opcode
from accelsim.rtl.schedule import earliest, layout, shape_rows
from accelsim.units.mac_array import MacArray
from tests.arrays.runs import (
    INT4,
    INT8,
    IS,
    OS,
    WS,
    agree,
    expected,
    make_array,
    need_icarus,
    simulate,
    tiles,
)
from tests.rtl import icarus
from tests.rtl.icarus import Case


def _case(array: MacArray, flow: int, *sizes: tuple[int, int, int]) -> Case:
    return Case(array, flow, INT8, earliest(array, flow, INT8, tiles(INT8, sizes, 5)))


def _from_idle(array: MacArray, m: int, k: int, n: int) -> int:
    """Cycles from the first preload to the last result, by closed form and by the model."""
    case = _case(array, WS, (m, k, n))
    (trace,) = simulate(case)
    assert agree(case, [trace])
    return case.passes[0].issue + expected(case)[0][1]


@pytest.mark.parametrize(("size", "streamed", "cycles"), [(4, 16, 26), (16, 16, 62)])
def test_weight_stationary_from_idle(size: int, streamed: int, cycles: int) -> None:
    assert _from_idle(make_array(rows=size, columns=size), streamed, size, size) == cycles
    two = make_array(rows=size, columns=size, hop_registers=2)
    assert _from_idle(two, streamed, size, size) == cycles + size  # R more


@pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="26 million element edges in plain Python"
)
def test_weight_stationary_100_046() -> None:
    assert _from_idle(make_array(rows=16, columns=16), 100_000, 16, 16) == 100_046


def test_verilog_gives_26_and_62(tmp_path: Path) -> None:
    need_icarus()
    cases = [_case(make_array(rows=n, columns=n), WS, (16, n, n)) for n in (4, 16)]
    for case, traces, cycles in zip(cases, icarus.simulate(cases, tmp_path), (26, 62), strict=True):
        assert agree(case, traces)
        assert case.passes[0].issue + traces[0].last == cycles


@pytest.mark.parametrize("bypass", (False, True))
def test_edge_tile_crosses_all_rows_without_a_bypass(bypass: bool) -> None:
    array = make_array(rows=7, columns=6, bypass=bypass)
    m, r, c = 9, 3, 2
    assert _from_idle(array, m, r, c) == (r if bypass else 7) + r + c + m - 2


@pytest.mark.parametrize("depth", (1, 2))
def test_output_stationary_last_result(depth: int) -> None:
    rows, columns, k = 4, 6, 9
    case = _case(
        make_array(rows=rows, columns=columns, stationary_depth=depth), OS, (rows, k, columns)
    )
    (trace,) = simulate(case)
    assert trace.last == expected(case)[0][1] == k + 2 * rows + columns - 2
    assert trace.first == expected(case)[0][0] == k + rows


@pytest.mark.parametrize("flow", (WS, IS))
@pytest.mark.parametrize("streamed", (2, 5, 9))
def test_double_buffering_hides_the_preload(flow: int, streamed: int) -> None:
    for depth, period in ((1, streamed + 5), (2, max(streamed, 5))):
        array = make_array(rows=5, columns=5, stationary_depth=depth)
        size = (streamed, 5, 5) if flow == WS else (5, 5, streamed)
        case = _case(array, flow, *[size] * 6)
        issues = [one.issue for one in case.passes]
        assert np.diff(issues)[2:].tolist() == [period] * 3
        assert agree(case, simulate(case))


def test_output_stationary_periods() -> None:
    for depth, k, period in ((1, 9, 9 + 5 - 1), (2, 9, 9), (2, 3, 5), (1, 3, 3 + 5 - 1)):
        case = _case(make_array(rows=5, columns=2, stationary_depth=depth), OS, *[(5, k, 2)] * 3)
        assert np.diff([one.issue for one in case.passes]).tolist() == [period] * 2
        assert agree(case, simulate(case))


def test_narrow_formats_stream_in_fewer_steps() -> None:
    array = make_array(INT4, rows=4, columns=4)
    case = Case(array, OS, INT4, earliest(array, OS, INT4, tiles(INT4, [(4, 21, 4)], 1)))
    assert expected(case)[0][0] == 11 + 4  # 21 along k, two a cycle
    assert agree(case, simulate(case))
    weights = Case(array, WS, INT4, earliest(array, WS, INT4, tiles(INT4, [(6, 8, 4)], 1)))
    assert weights.passes[0].issue == 4  # 8 weights deep fit four rows
    assert agree(weights, simulate(weights))


def test_epilogue_delays_results_of_the_last_pass_only() -> None:
    array = make_array(epilogue_latency=4)
    passes = earliest(array, WS, INT8, tiles(INT8, [(6, 4, 4)], 1))
    shapes = shape_rows(array, WS, INT8, passes * 3, Opcode.MATMUL)
    shapes.flags = np.array([0, int(Flag.FUSED | Flag.LAST_K), int(Flag.LAST_K)], np.int64)
    cost = array.cost(shapes)
    assert cost.interval.tolist() == [6, 6, 6]
    assert (cost.first - cost.first[0]).tolist() == [0, 4, 0]
    assert (cost.last - cost.last[0]).tolist() == [0, 4, 0]


def test_bypass_exit_is_shared_by_an_operator() -> None:
    """A pass of few rows leaves where the operator's largest pass does, in order behind it."""
    array = make_array(rows=8, columns=3, bypass=True)
    case = _case(array, WS, (4, 6, 3), (4, 2, 3))
    assert layout(array, WS, INT8, case.passes).exit_row == 6
    traces = simulate(case)
    assert agree(case, traces)
    assert [trace.first for trace in traces] == [6, 6]
