"""Quantisation and both requantisers against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.numerics.quantize import (
    Requantizer,
    affine,
    fixed_point,
    rescale,
    rescale_gemmlowp,
    symmetric,
)

EXAMPLES = settings(max_examples=300, deadline=None, derandomize=True)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
MULTIPLIER = st.integers(1, (1 << 31) - 1)


def nearest_even(value: Fraction) -> int:
    return round(value)  # Python rounds a Fraction to nearest, ties to even


@EXAMPLES
@given(st.one_of(INT32, st.integers(-(1 << 47), 1 << 47)), MULTIPLIER, st.integers(1, 62))
def test_single_rounding_is_exact(value: int, multiplier: int, shift: int) -> None:
    exact = nearest_even(Fraction(value * multiplier, 1 << shift))
    got = rescale(np.array([value]), np.array([multiplier]), np.array([shift]))
    assert got.tolist() == [min(max(exact, -(1 << 63)), (1 << 63) - 1)]


def test_a_result_beyond_64_bits_saturates() -> None:
    for sign in (-1, 1):
        got = rescale(np.array([sign * 35_171_402_284_986]), np.array([524_482]), np.array([1]))
        assert got.tolist() == [(1 << 63) - 1 if sign > 0 else -(1 << 63)]


def test_single_rounding_ties() -> None:
    values = np.arange(-9, 10)
    got = rescale(values, np.full(19, 1), np.full(19, 1))
    assert got.tolist() == [nearest_even(Fraction(int(v), 2)) for v in values]


def gemmlowp(value: int, multiplier: int, shift: int) -> int:
    """The published pair of steps, in unbounded integers."""
    low, high = -(1 << 31), (1 << 31) - 1
    value = min(max(value, low), high)
    value = min(max(value << max(31 - shift, 0), low), high)
    product = value * multiplier
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    total = product + nudge
    doubled = abs(total) // (1 << 31) * (1 if total >= 0 else -1)
    right = max(shift - 31, 0)
    whole = Fraction(doubled, 1 << right)
    sign = 1 if whole >= 0 else -1
    return sign * int(abs(whole) + Fraction(1, 2))  # ties away from zero


@EXAMPLES
@given(INT32, MULTIPLIER, st.integers(20, 62))
def test_gemmlowp_is_its_definition(value: int, multiplier: int, shift: int) -> None:
    got = rescale_gemmlowp(np.array([value]), np.array([multiplier]), np.array([shift]))
    assert got.tolist() == [gemmlowp(value, multiplier, shift)]


@pytest.mark.parametrize("shift", range(28, 37))
def test_gemmlowp_ties(shift: int) -> None:
    """Multipliers of powers of two: every small value is a tie somewhere."""
    values = np.arange(-70, 71)
    for power in (28, 29, 30):
        one = np.full(len(values), 1 << power)
        got = rescale_gemmlowp(values, one, np.full(len(values), shift))
        assert got.tolist() == [gemmlowp(int(v), 1 << power, shift) for v in values]


@EXAMPLES
@given(st.floats(2.0**-31, 2.0**29, allow_nan=False))
def test_fixed_point_is_nearest(factor: float) -> None:
    multiplier, shift = fixed_point(np.array([factor]))
    assert 0 < int(multiplier[0]) < 1 << 31
    got = Fraction(int(multiplier[0]), 1 << int(shift[0]))
    assert abs(got / Fraction(factor) - 1) <= Fraction(1, 1 << 30)


@EXAMPLES
@given(
    st.sampled_from(["int4", "int8", "uint8", "int16"]),
    st.floats(-50, 0),
    st.floats(0, 50),
    st.floats(-80, 80),
)
def test_affine_codes(name: str, low: float, high: float, value: float) -> None:
    q = affine(low, high, name)
    scale = Fraction(float(q.scale))
    assert float(q.decode(np.array([q.zero]))[0]) == 0.0
    code = int(q.encode(np.array([value]))[0])
    exact = Fraction(value) / scale
    best = min(max(nearest_even(exact) + q.zero, q.record.minimum), q.record.maximum)
    assert abs(code - best) <= (1 if abs(exact - round(exact)) > Fraction(499, 1000) else 0)
    if q.record.minimum < code < q.record.maximum:
        back = float(q.decode(np.array([code]))[0])
        assert abs(back - value) <= float(q.scale) * 0.5001


def test_symmetric_scales_a_channel() -> None:
    peaks = np.array([1.0, 0.5, 0.0])
    q = symmetric(peaks, "int8")
    codes = q.encode(np.stack([peaks, -peaks]))
    assert codes.tolist() == [[127, 127, 0], [-127, -127, 0]]


@pytest.mark.parametrize("rounding", ["single", "gemmlowp"])
def test_requantizer_clamps_and_takes_channels(rounding: str) -> None:
    one = np.array([1 << 30, 1 << 30, 1 << 29])
    r = Requantizer(np.array([0, 10, 0]), one, np.array([30, 31, 30]), 3, -5, 7, rounding)  # type: ignore[arg-type]
    sums = np.array([[2, 2, 2], [100, 100, 100], [-100, -100, -100]])
    assert r.apply(sums).tolist() == [[5, 7, 4], [7, 7, 7], [-5, -5, -5]]
    assert r.apply(sums[:, 1:], 1).tolist() == [[7, 4], [7, 7], [-5, -5]]
