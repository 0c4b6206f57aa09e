"""Every tick of two tiny runs by its own arithmetic, with each constant as the one that decides."""

from __future__ import annotations

from dataclasses import fields
from math import ceil
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.errors import ConservationError
from accelsim.mapping.compile import compile_program
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds, lower_bounds
from tests.paper.chip import ELEMENTS, TICKS, Constants, K, M, N, addition, changed, gemm, mapped

#: one constant changed, so that it alone decides somewhere on the way
CHANGES: list[dict[str, Any]] = [
    {},
    {"efficiency": 0.35},
    {"efficiency": 1.0},
    {"bandwidth": 7.77e9},
    {"burst": 64},
    {"burst": 48},
    {"latency": 47e-9},
    {"latency": 32e-9},
    {"latency": 0.0},
    {"setup": 0},
    {"setup": 40},
    {"setup": 41},
    {"setup": 12, "bandwidth": 50e9},
    {"core": 250_000_000},
    {"core": 125_000_000},
    {"dma": 125_000_000},
    {"banks": 1, "width": 24, "bandwidth": 50e9, "setup": 0},
    {"banks": 2, "width": 24, "bandwidth": 50e9, "setup": 0},
    {"banks": 3, "width": 8, "bandwidth": 50e9, "setup": 0},
    {"banks": 1, "width": 8, "bandwidth": 50e9, "setup": 0},
    {"mac_latency": 1},
    {"mac_latency": 5},
    {"hop_registers": 3},
    {"epilogue": 0},
    {"epilogue": 9},
    {"lanes": 1},
    {"lanes": 2},
    {"lanes": 7},
    {"vector_latency": 1},
    {"vector_latency": 11},
    {"location": "column"},
]


def times_of_gemm(c: Constants) -> list[tuple[int, int, int]]:
    """(issue, release, last result) of LOAD x, LOAD w, PRELOAD, MATMUL, PRELOAD, MATMUL, STORE."""
    x, w, half, sums = M * K, K * N, M * K // 2, 4 * M * N  # bytes
    setup = c.setup * c.dma_cycle
    # both loads ask at 0; the inputs' bursts go first, the weights' behind them
    x_done = max(setup, c.bursts(x) * c.beat, c.port(x))
    w_done = max(setup, (c.bursts(x) + c.bursts(w)) * c.beat, c.port(w))
    x_in, w_in = x_done + c.flight, w_done + c.flight
    # four rows of weights go down one a cycle
    preload = max(4 * c.cycle, c.port(w // 2))
    held = w_in + preload
    deep = c.hop_registers + c.mac_latency - 1  # cycles a row for a partial sum
    own = c.location == "column"  # sums beside the array, on no port of a buffer
    written = 0 if own else c.port(sums)
    first = max(x_in, held)
    first_done = first + max(M * c.cycle, c.port(half), written)
    drain = (deep * 4 + N - 1 - 1) * c.cycle  # from the last issue to the last result
    # the second weights wait in the other slot; passes follow each other
    again = max(held, w_in + preload)
    again_done = again + preload
    second = max(first_done, again_done)
    second_done = second + max(M * c.cycle, c.port(half), written, c.port(sums))
    result = second_done + drain + c.epilogue * c.cycle
    left = result + max(setup, c.bursts(sums) * c.beat, c.port(sums))
    return [
        (0, x_done, x_in),
        (0, w_done, w_in),
        (w_in, held, held),
        (first, first_done, first_done + drain),
        (again, again_done, again_done),
        (second, second_done, result),
        (result, left, left + c.flight),
    ]


def times_of_addition(c: Constants) -> list[tuple[int, int, int]]:
    """(issue, release, last result) of LOAD a, LOAD b, VECTOR, STORE."""
    setup = c.setup * c.dma_cycle
    one = max(setup, c.bursts(ELEMENTS) * c.beat, c.port(ELEMENTS))
    both = 2 * one + c.flight  # one channel takes both inputs
    steps = ceil(ELEMENTS / c.lanes)
    done = both + max(steps * c.cycle, c.port(2 * ELEMENTS), c.port(4 * ELEMENTS))
    result = done + (c.vector_latency - 1) * c.cycle
    left = result + max(setup, c.bursts(4 * ELEMENTS) * c.beat, c.port(4 * ELEMENTS))
    return [
        (0, one, one + c.flight),
        (one, 2 * one, both),
        (both, done, result),
        (result, left, left + c.flight),
    ]


@pytest.mark.parametrize(
    "values", CHANGES, ids=lambda values: ",".join(f"{k}={v}" for k, v in values.items())
)
def test_every_tick(values: dict[str, Any]) -> None:
    c = changed(**values)
    for work, times in ((gemm(), times_of_gemm(c)), (addition(), times_of_addition(c))):
        chip = c.chip()
        program = compile_program(chip, work, mapped(work))
        for engine in ("plain", "simpy"):
            line = simulate(program, chip, engine)
            found = np.stack([line.issue, line.release, line.end], axis=1).tolist()
            assert [tuple(row) for row in found] == times, engine
            assert line.tick_hz == TICKS
            assert line.makespan == max(end for _, _, end in times)
            assert line.cycles(c.core) == ceil(line.makespan / c.cycle)
        result = accelsim.run(chip, work, mappings=mapped(work))
        assert result.cycles == ceil(max(end for _, _, end in times) * c.core / TICKS)
        assert result.seconds == max(end for _, _, end in times) / TICKS


def test_every_constant_of_time_decides_somewhere() -> None:
    """No constant could be dropped without a figure here: each changes some of the paper's times."""
    base = Constants()
    timed = {item.name for item in fields(Constants)} - {
        "node",
        "voltage",
        "background",
        "size",
        "rows",
        "columns",
        "count",
    }
    seen = {name for values in CHANGES for name in values}
    assert timed <= seen
    for values in CHANGES[1:]:
        c = changed(**values)
        assert (times_of_gemm(c), times_of_addition(c)) != (
            times_of_gemm(base),
            times_of_addition(base),
        ) or (values == {"location": "column"})


def test_bounds_are_the_busy_ticks_of_units_and_ports() -> None:
    """A makespan one tick below what a unit or a port is busy is refused; at it, not."""
    c = Constants(burst=48)  # no transfer fills its bursts or its port's cycles
    chip, work = c.chip(), gemm()
    program = compile_program(chip, work, mapped(work))
    line = simulate(program, chip, "plain")
    bounds = lower_bounds(program, line)
    assert lower_bounds(program, simulate(program, chip, "simpy")) == bounds
    assert bounds["array"] == 2 * M * c.cycle
    assert bounds["array.preload"] == 2 * 4 * c.cycle
    assert (
        bounds["dma.input"] == bounds["dma.weight"] == bounds["dma.output"] == c.setup * c.dma_cycle
    )
    bursts = c.bursts(M * K) + c.bursts(K * N) + c.bursts(4 * M * N)
    assert bounds["dram.port"] == bursts * c.beat
    assert bounds["near.read"] == 2 * c.port(M * K // 2)
    assert bounds["out.write"] == 2 * c.port(4 * M * N)
    most = max(bounds.values())
    line.makespan = most
    check_bounds(program, line)
    line.makespan = most - 1
    with pytest.raises(ConservationError, match="below"):
        check_bounds(program, line)
