"""Weights of any width on any slices and levels: exact in ideal cells, filled so that least is lost."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.analog import Adc, Block, Drive, Scheme, Tile
from accelsim.analog.scheme import split_codes, targets
from accelsim.analog.slices import Digits, Losses, in_digits, lost, ways
from accelsim.devices import device_named
from accelsim.noise import Stream

IDEAL, PCM = device_named("ideal"), device_named("pcm_like")


@st.composite
def held(draw: st.DrawFn) -> tuple[Scheme, int]:
    """(scheme, bits of the weights) whose slices have enough levels for the codes."""
    bits = draw(st.integers(2, 8))
    top = 2 ** (bits - 1) - 1
    sign = draw(st.sampled_from(["differential", "offset", "flipped"]))
    slices = draw(st.integers(1, 8)) if sign == "differential" else 1
    least = 2
    while (least if sign == "differential" else (least + 1) // 2) ** slices < top + 1:
        least += 1
    levels = draw(st.sampled_from([0, 0]) | st.integers(max(least, 3), least + 260))
    return Scheme(
        sign=sign,
        levels=levels,
        slices=slices,
        devices=draw(st.integers(1, 2)),
        scaling=draw(st.sampled_from(["column", "format"])),
    ), bits


@settings(max_examples=200, deadline=None)
@given(
    held(), st.integers(1, 40), st.integers(1, 9), st.sampled_from([1, 2, 4]), st.integers(0, 999)
)
def test_ideal_cells_give_the_exact_sums_of_any_width(
    scheme: tuple[Scheme, int], rows: int, outputs: int, phases: int, seed: int
) -> None:
    """Whatever is left over: columns with a small peak, columns of zeros, rows of one code."""
    cells, bits = scheme
    top = 2 ** (bits - 1) - 1
    draw = np.random.default_rng(seed)
    peaks = draw.integers(0, top + 1, outputs)
    weights = draw.integers(-peaks, peaks + 1, (rows, outputs))
    x = draw.integers(-127, 128, (4, rows))
    tile = Tile(IDEAL, cells, Drive(phases=phases), Adc(bits=0))
    block = Block(tile, weights, top, 127, False, Stream(0, ("t",)))
    assert (block.multiply(x) == x @ weights).all()


def test_four_bit_codes_fill_three_slices_of_eight_levels() -> None:
    """7 times 73 is 511, the largest number of three digits of base 8: each digit is the code again."""
    codes = np.arange(-7, 8)[:, None]
    losses = Losses(np.full(8, 1e-4))
    split = split_codes(codes, 7, Scheme(levels=8, slices=3), lambda steps: losses)
    assert split.multiples == pytest.approx([73.0]) and split.used.tolist() == [3]
    for part in split.parts:
        assert part[:, 0] * 7 == pytest.approx(codes[:, 0], abs=1e-12)
    assert [float(f[0]) * 73 / 7 for f in split.factors] == pytest.approx([1.0, 8.0, 64.0])


def test_the_way_that_loses_least_is_taken() -> None:
    """Against an exhaustive search over slices and multiples, with the loss written out again."""
    draw = np.random.default_rng(3)
    digits, rms, converter = Digits(4, 3), 0.3, 1e-3
    variance = draw.uniform(0.5e-4, 4e-4, 5)
    size = draw.integers(0, 10, (30, 6))
    peak = size.max(axis=0)
    made, unit, used = in_digits(size, peak, digits, Losses(variance, converter, 6.0, 8, rms))
    for column in range(6):
        best = np.inf
        for slices in (1, 2, 3):
            most = 5**slices - 1
            for one in {peak[column] / most, 1.0 / max(1, most // peak[column])}:
                whole = np.minimum(np.rint(size[:, column] / one), most).astype(int)
                if most < peak[column] and one == 1.0:
                    continue
                error, stands = 0.0, np.zeros(30)
                for i in range(slices):
                    d = whole // 5**i % 5
                    c = one * 4 * 5**i
                    step = 2 * 6.0 * rms * np.sqrt(((d / 4) ** 2).sum()) / 254
                    error += c * c * (rms**2 * variance[d].sum() + converter + step**2 / 12)
                    stands += d * one * 5**i
                best = min(best, error + rms**2 * ((size[:, column] - stands) ** 2).sum())
        counts = np.bincount(size[:, column], minlength=11)[None].astype(float)
        way = next(
            w
            for w in ways(int(peak[column]), 11, digits)
            if w.slices == used[column] and w.unit == unit[column]
        )
        got = lost(way, counts, digits, Losses(variance, converter, 6.0, 8, rms))[0]
        assert got == pytest.approx(best, rel=1e-9)
        assert (made[:, :, column] == way.table[:, size[:, column]]).all()


def test_slices_that_only_add_noise_stay_empty() -> None:
    """Two levels: three slices share a variance of 1 as (1 + 4 + 16) / 49; where the digit 1 costs nothing and
    every other a lot, codes of 1 keep to one slice, and the others count nothing."""
    codes = np.array([[1], [-1], [0]])
    shared = Losses(np.array([0.0, 1.0]))
    split = split_codes(codes, 1, Scheme(levels=2, slices=3), lambda steps: shared)
    assert split.used.tolist() == [3] and split.multiples == pytest.approx([7.0])
    lopsided = Losses(
        np.array([0.0, 1.0, 0.0])
    )  # 2 is quiet: 8 = 22 in base 3 is, and so is 2 alone
    split = split_codes(codes, 1, Scheme(levels=3, slices=2), lambda steps: lopsided)
    assert split.used.tolist() == [2] and split.multiples == pytest.approx([8.0])
    coarse = Losses(np.zeros(2), converter=1.0)  # one slice: 1; three: 21 / 49
    split = split_codes(codes, 1, Scheme(levels=2, slices=3), lambda steps: coarse)
    assert split.used.tolist() == [3]
    uneven = Losses(
        np.array([0.0, 1e-4, 1e3, 1e3])
    )  # only the digit 1 is quiet, and 1 of 3 steps is a third
    size, peak = np.array([[3], [1], [0]]), np.array([3])
    made, unit, used = in_digits(size, peak, Digits(3, 2), uneven)
    assert used.tolist() in ([1], [2]) and (made.sum() * unit > 0).all()


@pytest.mark.parametrize(("levels", "sign"), list(product([3, 4, 5, 8, 9], ["offset", "flipped"])))
def test_a_single_cell_holds_zero_at_a_level(levels: int, sign: str) -> None:
    """As many levels above as below; of an even number the highest is left out."""
    scheme = Scheme(sign=sign, levels=levels)
    steps = scheme.digits(127).steps
    assert steps == (levels - 1) // 2
    part = np.arange(-steps, steps + 1)[:, None] * scheme.part(steps)
    (cell,) = targets(part, IDEAL, scheme)
    places = cell[:, 0] / IDEAL.g_max * (levels - 1)
    assert places == pytest.approx(np.arange(2 * steps + 1), abs=1e-9)


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
def test_what_is_chosen_loses_less_than_the_lowest_slices_alone(bits: int) -> None:
    """Measured error of sums in PCM cells: narrow codes lose no more than 8-bit ones, by a quarter at least."""
    top = 2 ** (bits - 1) - 1
    draw = np.random.default_rng(1)
    weights = np.clip(np.rint(draw.normal(size=(128, 48)) * top / 2.5), -top, top).astype(np.int64)
    x = draw.integers(0, 256, (40, 128))
    tile = Tile(PCM, Scheme(levels=8, slices=3), Drive(rms=0.58, mean=0.5), Adc(bits=0), age=20.0)
    block = Block(tile, weights, top, 255, True, Stream(0, ("t",)))
    off = block.multiply(x) - x @ weights
    assert np.sqrt((off**2).mean() / ((x @ weights) ** 2).mean()) < 0.16
