"""Sums: exact in either form, coarse only where converters cannot tell, plain and compiled alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import jit
from accelsim.analog import Adc, Block, Drive, Scheme, Tile
from accelsim.analog.converters import Noise, convert, convert_plain
from accelsim.analog.sums import (
    COARSE,
    LONG,
    Driven,
    on_coarse_grid,
    on_fine_grid,
    short,
    squares,
    variance_on_grid,
)
from accelsim.devices import device_named
from accelsim.jit_dot import padded, product, tile_of_sums
from accelsim.noise import Stream


@pytest.fixture
def compiling() -> Iterator[None]:
    if not jit.enabled():
        pytest.skip("compilation is off")
    before, jit.COMPILE_ABOVE = jit.COMPILE_ABOVE, 0
    yield
    jit.COMPILE_ABOVE = before


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 23), st.integers(1, 70), st.integers(1, 21), st.integers(0, 999))
def test_products_of_short_integers_are_exact(m: int, k: int, n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    a, b = draw.integers(-2000, 2001, (m, k)), draw.integers(-(2**15), 2**15, (n, k))
    a[0], b[0] = 0, -(2**15)  # the ends of the range
    left, right = padded(a), padded(b)
    found = product(left, right)
    assert (found[:m, :n] == a @ b.T).all() and not found[m:].any() and not found[:, n:].any()
    tiles = np.zeros((4, 4), np.int32)
    tile_of_sums(left, 0, right, 0, tiles)
    assert (tiles == found[:4, :4]).all()


@pytest.mark.usefixtures("compiling")
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 60), st.integers(1, 14), st.data())
def test_both_forms_of_a_sum_agree(m: int, k: int, n: int, data: st.DataObject) -> None:
    draw = np.random.default_rng(data.draw(st.integers(0, 99)))
    low = data.draw(st.integers(0, n - 1))
    part = slice(low, data.draw(st.integers(low + 1, n)))
    values = np.rint(draw.uniform(-1.3, 1.3, (k, n)) * 2**COARSE) / 2**COARSE
    codes = draw.integers(-127, 128, (m, k))
    shorts = short(values, 127, COARSE)
    assert shorts is not None
    fast, one = Driven(codes).sums(values, shorts, COARSE, part)
    slow, whole = Driven(codes).sums(values, None, 0, part)
    assert fast.dtype == np.int32 and slow.dtype == np.float64 and whole == 1.0
    assert (fast * one == slow).all() and (slow == codes @ values[:, part]).all()


def test_coarse_only_where_nothing_can_tell() -> None:
    draw = np.random.default_rng(0)
    values = on_fine_grid(draw.uniform(-1, 1, (512, 20)), 8)
    assert np.abs(values - on_fine_grid(values, 20)).max() <= 2.0**-20
    coarse = on_coarse_grid(values, 127, 0.2)
    assert coarse is not None
    moved = np.abs(coarse - values).sum(axis=0).max()  # over all inputs of magnitude 1
    assert 0 < moved <= 512 * 2.0**-15
    assert on_coarse_grid(values, 127, 7.9 * moved) is None
    assert on_coarse_grid(values, 127, 8.1 * moved) is not None
    assert on_coarse_grid(values * 2.5, 127, 1.0) is None  # beyond 16 bits
    assert on_coarse_grid(np.ones((300, 1)), 1023, 1.0) is None  # a sum beyond 32 bits
    assert short(np.ones((300, 1)), LONG // (300 << COARSE), COARSE) is not None
    assert short(np.ones((300, 1)), LONG // (300 << COARSE) + 1, COARSE) is None
    assert short(np.full((3, 1), 2.0**-COARSE / 2), 1, COARSE) is None  # on no grid


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400), st.floats(1e-9, 1.0), st.sampled_from([1, 127, 255]), st.integers(0, 99)
)
def test_variances_lose_little(rows: int, size: float, top: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    values, codes = draw.uniform(0, size, (rows, 5)), draw.integers(0, top + 1, (3, rows))
    powers, shift = squares(codes, top)
    assert (
        powers.max() <= 2**15 - 1
        and np.abs(powers * 2**shift - codes * codes).max() <= (2**shift) // 2
    )
    found = variance_on_grid(values, int(squares(np.array([top]), top)[0][0]))
    assert found is not None
    grid, bits = found
    assert np.abs(grid - values).max() <= 2.0 ** -(bits + 1)
    assert np.abs(grid.sum(axis=0) - values.sum(axis=0)).max() <= 2.0**-8 * values.sum(axis=0).max()
    exact, near = codes.astype(float) ** 2 @ values, (powers @ grid) * 2.0**shift
    assert np.abs(near - exact).max() <= 0.006 * top * top * values.sum(axis=0).max() + 1e-300
    assert variance_on_grid(np.zeros((4, 2)), top) is not None


@pytest.mark.parametrize("noise", ["none", "columns", "elements"])
@pytest.mark.parametrize("kind", [np.int32, np.float64])
def test_plain_and_compiled_convert_alike(noise: str, kind: type) -> None:
    draw = np.random.default_rng(0)
    sums = draw.normal(0, 4e5, (300, 70)).astype(kind)
    spread, weight = draw.uniform(0, 30, 70), draw.uniform(1, 2, 70)
    deviates = draw.normal(size=(300, 70)).astype(np.float32)
    variance = draw.integers(0, 4000, (300, 70)).astype(kind)
    if noise == "none":
        deviates = np.zeros((0, 0), np.float32)
    if noise != "elements":
        variance = np.zeros((0, 0))
    totals = [np.ones(sums.shape) for _ in range(2)]
    kernels = (convert_plain, jit.compiled(convert))
    counts = [
        kernel(sums, 1.3e-4, Noise(deviates, spread, variance, 0.1), 60.0, weight, total)
        for kernel, total in zip(kernels, totals, strict=True)
    ]
    assert counts[0] == counts[1] > 0 and (totals[0] == totals[1]).all()
    if noise == "none":
        codes = np.rint(sums * 1.3e-4)
        assert (totals[0] == 1.0 + np.clip(codes, -60, 60) * weight).all()
        assert counts[0] == np.count_nonzero(np.abs(codes) > 60)


@pytest.mark.usefixtures("compiling")
@pytest.mark.parametrize("fresh", [False, True])
def test_coarse_grids_change_no_statistic(fresh: bool) -> None:
    """Beside sums on the fine grid, at the very same noise: less than a step in any sum, next to nothing
    on average."""
    draw = np.random.default_rng(1)
    weights, x = draw.integers(-127, 128, (256, 40)), draw.integers(-127, 128, (60, 256))
    tile = Tile(
        device_named("pcm_like"),
        Scheme(),
        Drive(mean=0.4, rms=0.5),
        Adc(8),
        age=3600.0,
        output_noise=0.02,
        read_noise="fresh" if fresh else "frozen",
    )
    block = Block(tile, weights, 127, 127, False, Stream(1))
    assert block.shorts[0][0] is not None and (block.read_variance[0][0][1] is not None)
    fine = Block(tile, weights, 127, 127, False, Stream(1))
    span = tile.device.g_max
    through = fine.conductances[0]
    fine.__dict__["weights"] = [[on_fine_grid((through[0] - through[1]) / span, 8)]]
    assert fine.shorts[0][0] is None and fine.read_variance[0][0][1] is None
    one, two = block.multiply(x), fine.multiply(x)
    converter = fine.converters[0][0]
    assert converter is not None
    step = converter.step * 127 * 127
    assert np.abs(one - two).max() <= 1.01 * step and np.mean(np.abs(one - two) > 0.5 * step) < 0.02
    assert block.seen.conversions == one.size
    exact = Block(replace(tile, adc=Adc(0)), weights, 127, 127, False, Stream(1))
    assert exact.shorts[0][0] is None  # ideal converters could tell
