"""Row stationary: Verilog, register-transfer model and closed form are one thing, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelsim.formats import FORMAT_INDEX
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.rtl.schedule import layout
from accelsim.rtl.twin import twin_of
from accelsim.units.mac_arithmetic import fit
from accelsim.units.mac_array import Accumulator, MacArray, Scratchpads
from tests.arrays.rows import RS, Shape, random_run, run
from tests.arrays.runs import agree, make_array, moved, need_icarus, right_values, simulate
from tests.rtl import icarus

ARRAY = make_array(
    rows=6,
    columns=5,
    dataflow="row_stationary",
    scratchpads=Scratchpads(filter=12, input=6, sums=2, bus=32),
    stationary_depth=1,
)
#: kernels of 3 x 3 at stride 1, two filters in an element, two channels, two sets
SHAPE = Shape(2, 5, 4, (3, 3), (1, 1), 2, 4, 2, 1)


@pytest.mark.parametrize("block", range(6))
def test_twenty_random_runs(block: int, tmp_path: Path) -> None:
    """120 runs of one to three passes: kernels, strides, p, q, r, t, latencies, hops, slots, widths."""
    need_icarus()
    made = [random_run(20 * block + number) for number in range(20)]
    seen = icarus.simulate([one.case for one in made], tmp_path)
    for one, traces in zip(made, seen, strict=True):
        assert agree(one.case, simulate(one.case)), f"model: {one.case.array}"
        assert agree(one.case, traces), f"Verilog: {one.case.array}"


@pytest.mark.parametrize("seed", range(0, 100, 5))
def test_sums_are_the_convolution(seed: int) -> None:
    """What the elements add is the convolution by its definition, as far as the accumulator is wide."""
    made = random_run(seed)
    array = made.case.array
    wide = replace(made.case, array=replace(array, accumulator=Accumulator(48)))
    for trace, exact in zip(simulate(wide), made.exact, strict=True):
        assert trace.results is not None and np.array_equal(trace.results, exact)
    wraps = replace(array.accumulator, overflow="wrap")
    for trace, exact in zip(
        simulate(replace(made.case, array=replace(array, accumulator=wraps))),
        made.exact,
        strict=True,
    ):
        assert np.array_equal(trace.results, fit(exact, wraps.bits, "wrap"))  # type: ignore[arg-type]


def test_plain_loops_equal_compiled_loops() -> None:
    for seed in (3, 8, 21):
        case = random_run(seed).case
        for plain, machine in zip(simulate(case, False), simulate(case), strict=True):
            assert (plain.first, plain.last) == (machine.first, machine.last)
            assert np.array_equal(plain.results, machine.results)  # type: ignore[arg-type]


def _scalar_sum(case_a: np.ndarray, case_b: np.ndarray, shape: Shape, array: MacArray) -> int:
    """One sum with an add at a time: elements of a chain from its foot, each over channels and its row."""
    held, (high, wide) = array.accumulator, shape.kernel
    q = -(-shape.channels // shape.r)

    def add(one: int, two: int) -> int:
        return int(fit(np.array(one + two), held.bits, held.overflow))

    total = 0
    for first in range(0, shape.channels, q):
        for line in range(high):
            part = 0
            for channel in range(first, min(first + q, shape.channels)):
                for column in range(wide):
                    k = (channel * high + line) * wide + column
                    part = add(part, int(case_a[k]) * int(case_b[k]))
            total = add(total, part)
    return total


def test_every_add_saturates_in_the_order_of_the_elements() -> None:
    array = replace(ARRAY, accumulator=Accumulator(15, "saturate"))
    one = run(array, [SHAPE], 5).case.passes[0]
    sums = array.execute(one.a, one.b, number=RS, code=one.code)
    slow = [[_scalar_sum(a, b, SHAPE, array) for b in one.b.T] for a in one.a]
    assert sums.tolist() == slow
    wrong = array.execute(one.a, one.b, number=RS, code=SHAPE._replace(r=1).code)
    assert wrong.tolist() != slow


def test_a_pass_may_not_come_a_cycle_earlier() -> None:
    """The next one right behind with second scratchpads; a product right after its only filter word."""
    deep = replace(ARRAY, stationary_depth=2)
    case = run(deep, [SHAPE, SHAPE], 7).case
    assert right_values(case, simulate(case))
    assert not right_values(case, simulate(moved(case, 1, issue=-1)))
    one = SHAPE._replace(kernel=(1, 1), n=1, channels=1, r=1, images=1)
    case = run(ARRAY, [one], 7).case
    assert case.passes[0].issue == 1 and right_values(case, simulate(case))
    assert not right_values(case, simulate(moved(case, 0, issue=-1)))


@pytest.mark.parametrize("hop", (1, 3))
def test_filters_wait_for_the_last_element_of_the_chain(hop: int) -> None:
    """A bus that brings all words in one cycle; a cycle earlier the top would take a word of the next pass."""
    pads = Scratchpads(filter=12, input=6, sums=2, bus=128)
    array = replace(ARRAY, hop_registers=hop, scratchpads=pads)
    shape = SHAPE._replace(n=1, channels=2, kernel=(3, 1), images=1, width=1)
    case = run(array, [shape, shape], 9).case
    assert case.passes[1].preload == case.passes[0].issue + 1 + 5 * hop - 1
    assert right_values(case, simulate(case))
    assert not right_values(case, simulate(moved(case, 1, preload=-1)))


def table(shape: Shape, opcode: Opcode = Opcode.MATMUL) -> Shapes:
    """The shape as a row."""
    m, k = shape.images * shape.height * shape.width, shape.channels * np.prod(shape.kernel)
    row = [0 if opcode == Opcode.PRELOAD else m, shape.n, k, RS, shape.code, 0, 0, 0]
    one = np.zeros(1, np.int64)
    form = one + FORMAT_INDEX["int8"]
    return Shapes(one, one + opcode, one, form, form, one - 1, np.array([row], np.int64))


def test_times_are_those_of_the_paper() -> None:
    """p q S F n and p q r t R S / 4 for AlexNet's layers (words of 16 bits on a bus of 64)."""
    array = make_array(
        rows=12,
        columns=14,
        dataflow="row_stationary",
        scratchpads=Scratchpads(224, 12, 24, 32),
    )
    for n, e, f, kernel, stride, (p, q, r, t) in (
        (1, 7, 55, 11, 4, (16, 1, 1, 2)),
        (1, 27, 27, 5, 1, (16, 2, 1, 1)),
        (4, 13, 13, 3, 1, (16, 3, 2, 2)),
    ):
        shape = Shape(n, e, f, (kernel, kernel), (stride, stride), p * t, q * r, r, t)
        cost = array.cost(table(shape))
        assert cost.interval.tolist() == [p * q * kernel * f * n]
        load = array.cost(table(shape, Opcode.PRELOAD)).interval
        assert load.tolist() == [p * q * r * t * kernel * kernel // 4]


def test_counts_are_those_of_the_signals() -> None:
    """Products, words of inputs that are taken, filter words that are written: counted in the signals."""
    for seed in range(40):
        case = random_run(seed).case
        plan = layout(case.array, RS, case.rate, case.passes)
        signals = twin_of(RS).signals(plan, case.passes[:1])
        one, (fold,) = case.passes[0], [plan.shapes.take(np.arange(1))]
        actions = case.array.actions(fold)
        m, k, n = *one.a.shape, one.b.shape[1]
        wide, held = case.array.accumulator.bits, signals["fresh"].sum()
        shape = int(fold.extents[0, 4])
        high = shape & (1 << 14) - 1
        groups = len({g for g in np.unique(signals["load_group"][signals["load"] == 1])})
        # words of absent channels are no words: a chain counts the channels that it has
        places = plan.rows[0]
        assert actions["accumulator_bits"][0] == m * n * (2 * k - places) * wide
        (rate,) = case.array.rates
        a, b = (FORMAT_BITS[name] for name in (rate.input, rate.weight))
        taps = int(signals["tap"].max()) + 1
        if k == places * taps:  # every element has all channels
            new = held * high * places * groups
            read = m * k * groups
            assert actions["scratchpad_bits"][0] == m * n * k * b + (read + new) * a
        preload = fold.take(np.zeros(1, np.int64))
        preload.opcode[:], preload.extents[0, 0] = Opcode.PRELOAD, 0
        written = case.array.actions(preload)["scratchpad_bits"][0]
        assert written == signals["load"].sum() * high * b == k * n * high * b


FORMAT_BITS = {"int4": 4, "int8": 8}
