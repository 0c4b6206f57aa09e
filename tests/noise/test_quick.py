"""Quick deviates: normal, placed by element alone, plain and compiled alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import jit
from accelsim.noise import Stream
from accelsim.noise.quick import convert, convert_plain, quick_normal, table


def test_they_are_normal() -> None:
    z = quick_normal(Stream(1), (4_000_000,))
    se = 1 / np.sqrt(z.size)
    assert abs(z.mean()) < 4 * se and abs(z.var() - 1) < 4 * np.sqrt(2) * se + 1e-4
    assert abs((z**3).mean()) < 4 * np.sqrt(15) * se and abs((z**4).mean() - 3) < 4 * np.sqrt(96) * se + 1e-3
    for x, tail in ((1.0, 0.158655), (2.0, 0.0227501), (3.0, 0.00134990), (4.0, 3.16712e-5)):
        for side in (z > x, z < -x):
            assert side.mean() == pytest.approx(tail, abs=4 * np.sqrt(tail / z.size) + 0.01 * tail)
    assert np.abs(z).max() < 6.7 and np.corrcoef(z[:-1], z[1:])[0, 1] == pytest.approx(0, abs=4 * se)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 500), st.integers(1, 50))
def test_an_element_is_the_same_wherever_one_starts(first: int, count: int) -> None:
    whole = quick_normal(Stream(2), (600,))
    assert (quick_normal(Stream(2), (count,), first) == whole[first : first + count]).all()


@pytest.mark.parametrize("odd", [0, 1])
def test_plain_and_compiled_convert_alike(odd: int) -> None:
    draw = np.random.default_rng(0)
    sums, sigma, weight = draw.normal(0, 40, (300, 70)), draw.uniform(0, 3, 70), draw.uniform(1, 2, 70)
    words = Stream(3).raw((odd + sums.size + 1) // 2)
    totals = [np.ones_like(sums) for _ in range(2)]
    none = np.zeros((0, 0))
    kernels = (convert_plain, jit.compiled(convert))
    counts = [kernel(sums, words, odd, sigma, none, table(), 127.0, 0.01, 60.0, weight, total)
              for kernel, total in zip(kernels, totals, strict=True)]  # fmt: skip
    assert counts[0] == counts[1] > 0 and (totals[0] == totals[1]).all()
    words[:50] = 0  # the very tails
    words[50:90] = np.uint64(0x000001FF80000000)
    for kernel, total in zip(kernels, totals, strict=True):
        kernel(sums, words, odd, sigma, draw.uniform(0, 9, sums.shape) * 0 + 4.0, table(), 127.0, 0.01, 6000.0,
               weight, total)  # fmt: skip
    assert (totals[0] == totals[1]).all()
