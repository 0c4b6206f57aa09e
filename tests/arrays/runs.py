"""Arrays, tiles and runs of passes for the array tests, all deterministic."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.program.opcodes import Opcode
from accelsim.rtl import model
from accelsim.rtl.schedule import TilePass, Trace, earliest, layout, shape_rows
from accelsim.units.dataflows import dataflow_named
from accelsim.units.mac_array import Accumulator, MacArray, Rate
from tests.rtl import icarus
from tests.rtl.icarus import Case

Ints = NDArray[np.int64]
Size = tuple[int, int, int]  # m, k, n

NAMES = ("output_stationary", "weight_stationary", "input_stationary")
FLOWS = OS, WS, IS = tuple(dataflow_named(name).number for name in NAMES)
INT8 = Rate("int8", "int8")
INT4 = Rate("int4", "int4", 2, "k")
MIXED = Rate("int8", "int4", 2, "n")
RATES = {"int8": INT8, "int4": INT4, "mixed": MIXED}
SHAPES = ((4, 4), (1, 1), (5, 3), (1, 4), (7, 1), (2, 5), (3, 2), (6, 4))


def make_array(rate: Rate = INT8, **changes: Any) -> MacArray:
    """A 4 x 4 array unless told otherwise."""
    values: dict[str, Any] = {
        "name": "array",
        "clock": "core",
        "rows": 4,
        "columns": 4,
        "input": "input_buffer",
        "weight": "weight_buffer",
        "output": "output_buffer",
        "rates": (rate,),
    }
    return MacArray(**{**values, **changes})


def tiles(rate: Rate, sizes: Sequence[Size], seed: int) -> list[tuple[Ints, Ints]]:
    """Random codes of the rate's formats, extremes included."""
    draw = np.random.default_rng(seed)

    def codes(name: str, shape: tuple[int, int]) -> Ints:
        form = get(name)
        return draw.integers(form.minimum, form.maximum + 1, shape)

    return [(codes(rate.input, (m, k)), codes(rate.weight, (k, n))) for m, k, n in sizes]


def full_tile(array: MacArray, flow: int, streamed: int) -> Size:
    """(m, k, n) that uses every row and column, with ``streamed`` of the third dimension."""
    m, n, k = array.pass_limits(flow, array.rates[0])
    return m or streamed, k or streamed, n or streamed


def size_lists(array: MacArray, flow: int) -> Iterator[list[Size]]:
    """Runs of tiles: one full tile, single rows and steps, edge tiles and several in a row."""
    m, k, n = full_tile(array, flow, 5)
    one = [1 if size == 5 else size for size in (m, k, n)]
    yield [(m, k, n)]
    yield [(1, 1, 1), (m, k, n), (1, 1, 1)]
    yield [full_tile(array, flow, 11), (m, k, n), (one[0], one[1], one[2]), (m, k, n)]
    small = tuple(max(1, size - 1) for size in (m, k, n))
    yield [(m, k, n), (small[0], small[1], small[2]), (m, 1, n), (1, k, n), (m, k, 1)]


def runs(array: MacArray, flow: int, seed: int) -> list[Case]:
    """Every size list of the array, each pass as early as the closed forms allow."""
    rate = array.rates[0]
    return [
        Case(array, flow, rate, earliest(array, flow, rate, tiles(rate, sizes, seed + 7 * i)))
        for i, sizes in enumerate(size_lists(array, flow))
    ]


def grid(flow: int, precision: str, structure: str) -> list[Case]:
    """The cases of one dataflow, precision and structure: with and without bypass, double
    buffering and a second hop register, on arrays of all SHAPES in turn."""
    cases: list[Case] = []
    shapes = itertools.cycle(SHAPES)
    for number, (bypass, depth, hop) in enumerate(
        itertools.product((False, True), (1, 2), (1, 2) if structure == "systolic" else (1,))
    ):
        rows, columns = next(shapes)
        array = make_array(
            RATES[precision],
            rows=rows,
            columns=columns,
            bypass=bypass,
            structure=structure,
            stationary_depth=depth,
            hop_registers=hop,
        )
        cases += runs(array, flow, 1000 * number + 10 * flow)
    return cases


def special(flow: int) -> list[Case]:
    """Latency, dot products, SIMD lanes, deep slots and narrow accumulators."""
    changes: tuple[dict[str, Any], ...] = (
        {"mac_latency": 3, "bypass": True, "stationary_depth": 1},
        {"mac_latency": 2, "hop_registers": 2, "rows": 3},
        {"mac_latency": 4, "structure": "broadcast"},
        {"mac_latency": 2, "structure": "broadcast", "stationary_depth": 1, "dot": 3},
        {"dot": 2, "simd": 2, "stationary_depth": 3},
        {"dot": 2, "structure": "broadcast", "rows": 3, "simd": 3},
        {"accumulator": Accumulator(16, "saturate"), "rows": 5},
        {"accumulator": Accumulator(16, "wrap"), "dot": 2},
        {"accumulator": Accumulator(14, "saturate"), "structure": "broadcast"},
    )
    cases: list[Case] = []
    for number, change in enumerate(changes):
        rate = Rate("int8", "int8", 1 + number % 2, "n" if number % 3 == 1 else "k")
        cases += runs(make_array(rate, **change), flow, 5000 + 100 * number + flow)
    return cases


def moved(case: Case, index: int, issue: int = 0, preload: int = 0) -> Case:
    """The case with one pass moved by some cycles."""
    passes: list[TilePass] = list(case.passes)
    old = passes[index]
    passes[index] = replace(old, issue=old.issue + issue, preload=old.preload + preload)
    return replace(case, passes=passes)


def simulate(case: Case, compile_loops: bool = True) -> list[Trace]:
    """The register-transfer model's traces of a case."""
    return model.simulate(case.array, case.number, case.rate, case.passes, compile_loops)


def expected(case: Case) -> list[tuple[int, int, Ints]]:
    """(first, last, results) of every pass by closed form and by plain integer sums."""
    plan = layout(case.array, case.number, case.rate, case.passes)
    shapes = shape_rows(
        case.array, case.number, case.rate, case.passes, Opcode.MATMUL, plan.exit_row
    )
    cost = case.array.cost(shapes)
    found = []
    for index, one in enumerate(case.passes):
        sums = case.array.execute(one.a, one.b, number=case.number, rate=case.rate, code=one.code)
        found.append((int(cost.first[index]), int(cost.last[index]), sums))
    return found


def agree(case: Case, traces: Sequence[Trace]) -> bool:
    """Whether cycles and every bit of the outputs are as expected."""
    return all(
        trace.results is not None
        and (trace.first, trace.last) == (first, last)
        and np.array_equal(trace.results, sums)
        for trace, (first, last, sums) in zip(traces, expected(case), strict=True)
    )


def right_values(case: Case, traces: Sequence[Trace]) -> bool:
    """Whether every bit of the outputs is as expected, whenever it came."""
    return all(
        trace.results is not None and np.array_equal(trace.results, sums)
        for trace, (_, _, sums) in zip(traces, expected(case), strict=True)
    )


def need_icarus() -> None:
    """Skip without Icarus Verilog; fail where CI=true promises it."""
    if icarus.available():
        return
    if os.environ.get("CI") == "true":
        pytest.fail("CI=true but iverilog is not installed")
    pytest.skip("iverilog is not installed")
