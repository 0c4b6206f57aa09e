"""MacArray.execute: exact products, and n-bit adds in the array's order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from accelsim.rtl.schedule import earliest
from accelsim.units.mac_arithmetic import EXACT_IN_FLOAT64, exact_sums, fit, ordered_sums
from accelsim.units.mac_array import Accumulator, Rate
from tests.arrays.runs import INT8, IS, OS, WS, make_array, need_icarus, simulate
from tests.rtl import icarus
from tests.rtl.icarus import Case

Ints = NDArray[np.int64]


def word(value: int, bits: int, overflow: str) -> int:
    """Reference in Python's unbounded integers."""
    half = 1 << (bits - 1)
    if overflow == "saturate":
        return max(-half, min(half - 1, value))
    return (value + half) % (2 * half) - half


def reference(a: Ints, b: Ints, start: Ints | None, group: int, bits: int, overflow: str) -> Ints:
    """One output at a time, one add at a time."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    out = np.zeros((m, n), np.int64)
    for i in range(m):
        for j in range(n):
            total = 0
            for low in range(0, k, group):
                part = sum(int(a[i, x]) * int(b[x, j]) for x in range(low, min(low + group, k)))
                total = word(total + part, bits, overflow)
            if start is not None:
                total = word(total + int(start[i, j]), bits, overflow)
            out[i, j] = total
    return out


@st.composite
def operands(draw: st.DrawFn) -> tuple[Ints, Ints, Ints | None, int, int, str]:
    m, k, n = (draw(st.integers(1, high)) for high in (4, 12, 4))
    bits = draw(st.sampled_from((8, 12, 15, 16, 20, 32, 64)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    low, high = draw(st.sampled_from(((-128, 127), (-8, 7), (100, 127), (-128, -100))))
    a, b = rng.integers(low, high + 1, (m, k)), rng.integers(low, high + 1, (k, n))
    half = 1 << (min(bits, 62) - 1)
    start = rng.integers(-half, half, (m, n)) if draw(st.booleans()) else None
    overflow = draw(st.sampled_from(("wrap", "saturate")))
    return a, b, start, draw(st.integers(1, 4)), bits, overflow


@settings(deadline=None, derandomize=True, max_examples=300)
@given(operands())
def test_execute_equals_one_add_at_a_time(
    case: tuple[Ints, Ints, Ints | None, int, int, str],
) -> None:
    a, b, start, dot, bits, overflow = case
    array = make_array(dot=dot, accumulator=Accumulator(bits, overflow))  # type: ignore[arg-type]
    expected = reference(a, b, start, dot, bits, overflow)
    for flow in (OS, WS, IS):
        assert np.array_equal(array.execute(a, b, start, number=flow), expected)
    tree = make_array(
        dot=dot,
        structure="broadcast",
        accumulator=Accumulator(bits, overflow),  # type: ignore[arg-type]
    )
    whole = reference(a, b, start, a.shape[1], bits, overflow)
    assert np.array_equal(tree.execute(a, b, start, number=WS), whole)
    assert np.array_equal(tree.execute(a, b, start, number=OS), expected)


def test_the_rate_along_k_widens_the_exact_sum() -> None:
    """100 x 100 twice saturates 14 bits, plus and minus in one add does not."""
    a, b = np.array([[100, 100]]), np.array([[100], [-100]])
    narrow = Accumulator(14, "saturate")
    one = make_array(accumulator=narrow).execute(a, b)
    pair = Rate("int8", "int8", 2, "k")
    two = make_array(pair, accumulator=narrow).execute(a, b, rate=pair)
    assert (one.item(), two.item()) == (8191 - 10_000, 0)


def test_saturation_depends_on_the_order_and_wrapping_does_not() -> None:
    a, b = np.array([[127, 127, -128]]), np.array([[127], [127], [127]])
    saturating = Accumulator(15, "saturate")
    forward = make_array(accumulator=saturating).execute(a, b)
    backward = make_array(accumulator=saturating).execute(a[:, ::-1], b[::-1])
    assert (forward.item(), backward.item()) == (127, 16_002)
    wrapping = make_array(accumulator=Accumulator(15, "wrap"))
    assert wrapping.execute(a, b).item() == wrapping.execute(a[:, ::-1], b[::-1]).item() == 16_002


@pytest.mark.parametrize("flow", (OS, WS, IS))
@pytest.mark.parametrize("overflow", ("wrap", "saturate"))
def test_the_model_overflows_alike(flow: int, overflow: str) -> None:
    array = make_array(accumulator=Accumulator(15, overflow))  # type: ignore[arg-type]
    a, b = np.full((4, 4), 127), np.full((4, 4), 127)
    a[1, 3] = a[2, 0] = -128
    passes = earliest(array, flow, INT8, [(a, b)])
    (trace,) = simulate(Case(array, flow, INT8, passes))
    sums = array.execute(a, b, number=flow)
    assert trace.results is not None and np.array_equal(trace.results, sums)
    assert not np.array_equal(sums, a @ b)


@pytest.mark.parametrize(
    ("overflow", "sums"), [("saturate", (16_383, -16_384)), ("wrap", (-16_384, 16_383))]
)
def test_one_beyond_the_word(overflow: str, sums: tuple[int, int], tmp_path: Path) -> None:
    """16,384 and -16,385 are the first values that 15 bits cannot hold; Verilog included."""
    array = make_array(accumulator=Accumulator(15, overflow))  # type: ignore[arg-type]
    a, b = np.array([[-128, 0], [127, -43]]), np.array([[-128], [3]])
    cases = [Case(array, flow, INT8, earliest(array, flow, INT8, [(a, b)])) for flow in (OS, WS)]
    for case in cases:
        assert array.execute(a, b, number=case.number)[:, 0].tolist() == list(sums)
        (trace,) = simulate(case)
        assert trace.results is not None and trace.results[:, 0].tolist() == list(sums)
    need_icarus()
    for (trace,) in icarus.simulate(cases, tmp_path):
        assert trace.results is not None and trace.results[:, 0].tolist() == list(sums)


def test_the_bound_of_the_fast_path_is_sharp() -> None:
    """At the bound no add saturates; one more product and the ordered path must see it."""
    exact = np.array([[127] * 2]), np.array([[127], [127]])
    assert ordered_sums(*exact, 1, 16, "saturate").item() == 2 * 127 * 127
    edge = np.array([[127, 127, 127]]), np.array([[127], [127], [-127]])
    assert ordered_sums(*edge, 1, 15, "saturate").item() == 16_383 - 16_129
    assert ordered_sums(*edge, 3, 15, "saturate").item() == 16_129


def test_exact_sums_do_not_round() -> None:
    a = np.array([[EXACT_IN_FLOAT64 - 1, 1, 1]])
    b = np.array([[1], [1], [1]])
    assert exact_sums(a, b).item() == EXACT_IN_FLOAT64 + 1


def test_fit_wraps_and_clips_at_every_edge() -> None:
    values = np.array([-129, -128, -1, 0, 127, 128, 255, 256])
    assert fit(values, 8, "wrap").tolist() == [127, -128, -1, 0, 127, -128, -1, 0]
    assert fit(values, 8, "saturate").tolist() == [-128, -128, -1, 0, 127, 127, 127, 127]
