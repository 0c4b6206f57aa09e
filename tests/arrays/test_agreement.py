"""Verilog, register-transfer model and closed form: the same cycles, the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.arrays.runs import (
    FLOWS,
    RATES,
    agree,
    grid,
    make_array,
    need_icarus,
    runs,
    simulate,
    special,
)
from tests.rtl import icarus
from tests.rtl.icarus import Case

STRUCTURES = ("systolic", "broadcast")


def _check(cases: list[Case], folder: Path) -> None:
    need_icarus()
    for case, traces in zip(cases, icarus.simulate(cases, folder), strict=True):
        assert agree(case, traces), f"Verilog: {case.array} {case.number}"
        assert agree(case, simulate(case)), f"model: {case.array} {case.number}"


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("precision", list(RATES))
@pytest.mark.parametrize("flow", FLOWS)
def test_grid(flow: int, precision: str, structure: str, tmp_path: Path) -> None:
    _check(grid(flow, precision, structure), tmp_path)


@pytest.mark.parametrize("flow", FLOWS)
def test_latency_lanes_and_accumulators(flow: int, tmp_path: Path) -> None:
    _check(special(flow), tmp_path)


def test_at_least_300_cases_with_the_hard_corners() -> None:
    cases = [
        case
        for flow in FLOWS
        for precision in RATES
        for structure in STRUCTURES
        for case in grid(flow, precision, structure)
    ]
    cases += [case for flow in FLOWS for case in special(flow)]
    assert len(cases) >= 300
    seen: dict[str, set[int]] = {"m": set(), "k": set(), "n": set(), "rows": set(), "cols": set()}
    for case in cases:
        seen["rows"].add(case.array.rows)
        seen["cols"].add(case.array.columns)
        for one in case.passes:
            for name, size in zip("mkn", (*one.a.shape, one.b.shape[1]), strict=True):
                seen[name].add(size)
    for sizes in seen.values():
        assert 1 in sizes and sizes & {5, 7, 11, 13}
    for bypass in (False, True):
        for depth in (1, 2):
            for hop in (1, 2):
                assert any(
                    (c.array.bypass, c.array.stationary_depth, c.array.hop_registers)
                    == (bypass, depth, hop)
                    and len(c.passes) > 2
                    for c in cases
                )


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_plain_loops_equal_compiled_loops(flow: int, structure: str) -> None:
    array = make_array(RATES["mixed"], rows=3, columns=2, structure=structure, mac_latency=2)
    for case in runs(array, flow, 77):
        for plain, machine in zip(simulate(case, False), simulate(case), strict=True):
            assert (plain.first, plain.last) == (machine.first, machine.last)
            assert plain.results is not None and machine.results is not None
            assert np.array_equal(plain.results, machine.results)
