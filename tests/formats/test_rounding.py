"""Every rounding of every format against exact rational numbers: values, midpoints, neighbours, edges."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from accelsim.formats import Codebook, Format, get
from accelsim.formats.random_bits import key_of, word_at
from accelsim.formats.rounding import COMPILE_ABOVE
from tests.formats.exact import exact, same
from tests.formats.test_contract import NAMES

GRIDS = [name for name in NAMES if get(name).grid is not None and get(name).bits <= 53]


def hard(record: Format, count: int) -> np.ndarray:
    """Values, points halfway between neighbours, and the float64 numbers around both; the edges;
    numbers of every size."""
    rng = np.random.default_rng(11)
    grid = record.grid
    assert grid is not None
    top = math.log2(record.largest)
    size = np.exp2(rng.uniform(max(math.log2(record.smallest) - 2, -1000), top + 0.5, count))
    near = record.quantize(size, "toward_zero", "saturate")
    next_one = record.quantize(np.nextafter(near, np.inf), "up", "saturate")
    middle = near + (next_one - near) / 2
    beyond = grid.top + 2.0 ** (math.floor(top) - grid.precision) * np.arange(-2, 5)
    small = record.smallest * np.array([0.25, 0.49999, 0.5, 0.50001, 0.75, 0.99999, 1.0, 1.5, 2.0])
    points = np.concatenate([size, near, middle, beyond, small])
    around = np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, 0.0)])
    return np.concatenate([around, -around, [0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308]])


@pytest.mark.parametrize("name", GRIDS)
def test_against_rational_numbers(name: str) -> None:
    record = get(name)
    x = hard(record, 20)
    rational = [Fraction(float(value)) for value in x]
    for number, rounding in enumerate(record.roundings):
        bits = (1, 5, 16, 32)[number % 4]
        draws = (word_at(key_of(9), np.arange(len(x))) >> np.uint64(64 - bits)).tolist()
        for overflow in record.overflows:
            found = record.quantize(x, rounding, overflow, seed=9, random_bits=bits).tolist()
            for value, got, draw in zip(rational, found, draws, strict=True):
                wanted = exact(record, value, rounding, overflow, draw, bits)
                assert same(got, wanted), (rounding, overflow, float(value), got, wanted)


def test_nf4_against_rational_numbers() -> None:
    record = get("nf4")
    assert isinstance(record, Codebook)
    entries = [Fraction(value) for value in record.entries]
    middles = [float((a + b) / 2) for a, b in pairwise(entries)]
    points = np.array([*record.entries, *middles, -2.0, 2.0, 0.3, -0.3])
    x = np.concatenate([points, np.nextafter(points, 9), np.nextafter(points, -9)])
    for rounding in record.roundings:
        for value, got in zip(x.tolist(), record.quantize(x, rounding).tolist(), strict=True):
            exact_value = min(max(Fraction(value), entries[0]), entries[-1])
            below = max(i for i, entry in enumerate(entries) if entry <= exact_value)
            if entries[below] == exact_value:
                assert Fraction(got) == exact_value
                continue
            low, high = entries[below], entries[below + 1]
            tie = exact_value - low == high - exact_value
            nearer = exact_value - low > high - exact_value
            up = {
                "nearest_even": nearer or (tie and below % 2 == 1),
                "nearest_away": nearer or (tie and exact_value > 0),
                "nearest_zero": nearer or (tie and exact_value < 0),
                "nearest_up": nearer or tie,
                "nearest_down": nearer,
                "toward_zero": exact_value < 0,
                "up": True,
                "down": False,
            }[rounding]
            assert Fraction(got) == (high if up else low), (rounding, value)


@pytest.mark.parametrize(
    "name",
    [
        "fp8_152",
        "fp16_169",
        "dlfloat16",
        "bf16",
        "fp32",
        "hfp8_143",
        "int8",
        "fixed_8_8",
        "fp4_e2m1",
        "fp8_e4m3fnuz",
        "uint3",
    ],
)
def test_compiled_is_plain(name: str) -> None:
    """Below and above the size at which a loop is compiled, float32 and float64, in parts or not."""
    record = get(name)
    x = np.resize(hard(record, 400), COMPILE_ABOVE + 1000)
    for rounding in record.roundings:
        for overflow in record.overflows:
            x = x[abs(x) < 1e37]  # wrapping refuses infinities
            for values in (x, x.astype(np.float32)):
                whole = record.quantize(values, rounding, overflow, seed=3)
                half = len(x) // 2
                parts = [
                    record.quantize(values[:half], rounding, overflow, seed=3),
                    record.quantize(values[half:], rounding, overflow, seed=3, first=half),
                ]
                assert np.array_equal(whole, np.concatenate(parts), equal_nan=True)


def test_float64_is_never_rounded_twice() -> None:
    """1 + 2^-8 + 2^-40 lies above the middle of two bf16; by way of float32 it would be the middle."""
    x = 1 + 2.0**-8 + 2.0**-40
    assert get("bf16").quantize(x) == 1 + 2.0**-7
    assert get("bf16").quantize(np.float32(x)) == 1.0


def test_published_corners() -> None:
    """FACTS of the papers: largest values, dlfloat16's zero and overflow, Gupta's range."""
    assert get("fp8_152").largest == 57344 and get("hfp8_143").largest == 30
    assert get("fp16_169").largest == (2 - 2.0**-9) * 2.0**31
    assert get("fp8_152").quantize([1e9, -1e9, 61440]).tolist() == [57344, -57344, 57344]
    dl = get("dlfloat16")
    assert dl.largest == 2.0**33 - 2.0**24
    assert dl.encode([2.0**-31, 2.0**-31 * (1 + 2.0**-9), 1.0]).tolist() == [0, 1, 31 << 9]
    half_ulp = 2.0**22
    assert np.isnan(dl.quantize(dl.largest + half_ulp))
    assert dl.quantize(dl.largest + half_ulp - 1) == dl.largest
    assert dl.encode(np.inf) == 0x7FFF and dl.encode(np.nan) == 0x7FFF
    assert dl.quantize(1 + 2.0**-10) == 1 + 2.0**-9  # ties away from zero
    fixed = get("fixed_8_8")
    assert fixed.largest == 128 - 2.0**-8 and fixed.lowest == -128
    assert fixed.quantize(200.0, overflow="wrap") == -56


def test_halves_of_negative_numbers() -> None:
    """floor(x + 1/2), ceil(x - 1/2), and the two symmetric ones."""
    x = np.array([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5])
    whole = get("int8")
    assert whole.quantize(x, "nearest_up").tolist() == [-3, -2, -1, 0, 1, 2, 3, 4]
    assert whole.quantize(x, "nearest_down").tolist() == [-4, -3, -2, -1, 0, 1, 2, 3]
    assert np.array_equal(whole.quantize(x, "nearest_up"), np.floor(x + 0.5))
    assert np.array_equal(whole.quantize(x, "nearest_down"), np.ceil(x - 0.5))
    assert whole.quantize(x, "nearest_zero").tolist() == [-3, -2, -1, 0, 0, 1, 2, 3]
    assert whole.quantize(x, "nearest_away").tolist() == [-4, -3, -2, -1, 1, 2, 3, 4]
    assert np.array_equal(whole.quantize(x, "half_up"), whole.quantize(x, "nearest_up"))
    assert np.array_equal(whole.quantize(x, "half_down"), whole.quantize(x, "nearest_down"))


def test_twos_complement_stochastic_rounding_is_a_floor_of_sums() -> None:
    """floor(x + draw / 2^R) of x cut below R bits: what an adder and a shifter do, also below zero.
    With few bits it is biased downwards on both sides, the sign-magnitude one towards zero."""
    record, bits = get("fixed_8_8"), 3
    rng = np.random.default_rng(6)
    x = rng.integers(-(1 << 30), 1 << 30, 5000) * 2.0**-23  # 15 bits beyond the last kept
    x = np.concatenate([x, -x, np.arange(-20, 20) * 2.0**-11])
    draw = (word_at(key_of(4), np.arange(len(x))) >> np.uint64(64 - bits)).astype(float)
    wanted = np.floor(np.floor(x * 256 * 2**bits) / 2**bits + draw / 2**bits) / 256
    wanted = np.clip(wanted, record.lowest, record.largest)
    assert np.array_equal(record.quantize(x, "stochastic_floor", seed=4, random_bits=bits), wanted)
    above = x > 0
    plain = record.quantize(x, "stochastic", seed=4, random_bits=bits)
    assert np.array_equal(plain[above], wanted[above]) and not np.array_equal(plain, wanted)
    some = np.full(
        40_000, -1.0 - 2.0**-8 / 16
    )  # half of the last of three random bits: 1/16 of a spacing
    means = [
        (record.quantize(some, how, seed=2, random_bits=bits).mean() + 1) * 256
        for how in ("stochastic", "stochastic_floor")
    ]
    assert means[0] == 0 and means[1] == pytest.approx(-1 / 8, abs=0.01)
