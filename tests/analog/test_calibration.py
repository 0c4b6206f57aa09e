"""Gains from a few reads: exact without noise, and with noise never worse than one gain for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.analog import Adc, AnalogMatrix, Block, Converter, Drive, Periphery, Scheme, Tile
from accelsim.analog.calibration import gains_and_offsets, shrunk
from accelsim.devices import device_named
from accelsim.noise import Stream


@pytest.mark.parametrize("kind", ["global", "column", "affine"])
def test_without_noise_the_gains_are_exact(kind: str) -> None:
    draw = np.random.default_rng(0)
    ideal = draw.normal(size=(5, 7)) + 2.0
    gain = np.full(7, 1.3) if kind == "global" else draw.uniform(0.5, 2.0, 7)
    offset = draw.normal(size=7) if kind == "affine" else np.zeros(7)
    found = gains_and_offsets((ideal - offset) / gain, ideal, kind)  # type: ignore[arg-type]
    assert found[0] == pytest.approx(gain, rel=1e-9) and found[1] == pytest.approx(offset, abs=1e-9)


def test_gains_lie_between_the_common_one_and_their_own() -> None:
    """Against the formula written out for one column after another."""
    draw = np.random.default_rng(1)
    true, reads = 1.0 + 0.1 * draw.normal(size=40), 12
    got = draw.normal(size=(reads, 40))
    ideal = got * true + 0.3 * draw.normal(size=got.shape)
    own, variance = np.empty(40), np.empty(40)
    for c in range(40):
        own[c] = got[:, c] @ ideal[:, c] / (got[:, c] @ got[:, c])
        rest = ideal[:, c] - own[c] * got[:, c]
        variance[c] = rest @ rest / (reads - 1) / (got[:, c] @ got[:, c])
    common = (got * ideal).sum() / (got * got).sum()
    spread = max(0.0, ((own - common) ** 2).mean() - variance.mean())
    assert 0 < spread < ((own - common) ** 2).mean()
    gain, offset = gains_and_offsets(got, ideal, "column")
    assert (
        gain == pytest.approx(common + (own - common) * spread / (spread + variance))
        and not offset.any()
    )
    for kind, free in (("affine", 2),):
        gain, offset = gains_and_offsets(got, ideal, kind)  # type: ignore[arg-type]
        g0, i0 = got - got.mean(axis=0), ideal - ideal.mean(axis=0)
        own = (g0 * i0).sum(axis=0) / (g0 * g0).sum(axis=0)
        s2 = ((i0 - own * g0) ** 2).sum(axis=0) / (reads - free)
        common, v = (g0 * i0).sum() / (g0 * g0).sum(), s2 / (g0 * g0).sum(axis=0)
        spread = max(0.0, ((own - common) ** 2 - v).mean())
        own = common + (own - common) * spread / (spread + v)
        assert gain == pytest.approx(own)
        raw = ideal.mean(axis=0) - own * got.mean(axis=0)
        spread = max(0.0, ((raw - raw.mean()) ** 2 - s2 / reads).mean())
        assert offset == pytest.approx(
            raw.mean() + (raw - raw.mean()) * spread / (spread + s2 / reads)
        )


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 5.0])
def test_shrinking_loses_less_than_either_end(spread: float) -> None:
    """Expected squared error tau^2 v / (tau^2 + v) of normal values: below v, and below tau^2."""
    draw = np.random.default_rng(2)
    true = 3.0 + spread * draw.normal(size=20_000)
    found = shrunk(true + draw.normal(size=true.size), np.ones(true.size), 3.0)
    best = spread**2 / (spread**2 + 1.0)
    assert np.mean((found - true) ** 2) == pytest.approx(best, abs=0.02)


def test_one_read_gives_the_common_gain_and_dead_outputs_keep_theirs() -> None:
    draw = np.random.default_rng(3)
    ideal = draw.normal(size=(1, 4))
    got = ideal * np.array([0.5, 0.6, 0.7, 0.8])
    gain, _ = gains_and_offsets(got, ideal, "column")
    assert np.ptp(gain) == 0 and 1.25 < gain[0] < 2.0
    gain, _ = gains_and_offsets(got, ideal, "affine")
    assert (gain == 1.0).all()
    ideal = draw.normal(size=(9, 3))
    gain, _ = gains_and_offsets(ideal * np.array([0.5, 0.0, 0.25]), ideal, "column")
    assert gain == pytest.approx([2.0, 1.0, 4.0])
    assert (gains_and_offsets(0 * ideal, ideal, "global")[0] == 1.0).all()


@pytest.mark.parametrize("age", [0.0, 3.1536e7])
@pytest.mark.parametrize("kind", ["column", "affine"])
def test_a_gain_a_column_costs_no_more_than_one_for_all(kind: str, age: float) -> None:
    """Just programmed, columns differ by less than 32 reads can tell."""
    draw = np.random.default_rng(4)
    weights, x = draw.integers(-127, 128, (128, 64)), draw.integers(0, 256, (200, 128))
    tile = Tile(
        device_named("pcm_like"),
        Scheme(),
        Drive(mean=0.5, rms=0.58),
        Adc(8),
        age=age,
        compensation="global",
    )

    def error(tile: Tile) -> float:
        block = Block(tile, weights, 127, 255, True, Stream(0, ("t",)))
        off = block.multiply(x) - x @ weights
        return float(np.sqrt(np.mean(off.astype(np.float64) ** 2)))

    one, each = error(tile), error(replace(tile, compensation=kind))  # type: ignore[arg-type]
    assert each <= one * (1.003 if kind == "column" else 1.02)
    many = error(replace(tile, compensation=kind, reads=2000))  # type: ignore[arg-type]
    assert many < 1.001 * each


def test_the_field_s_matrix_does_not_lose_either() -> None:
    draw = np.random.default_rng(5)
    w, x = draw.uniform(-1, 1, (256, 256)), draw.uniform(-1, 1, (100, 256))
    matrix = AnalogMatrix.program(
        w, device_named("pcm_like"), Periphery(Converter(8), Converter(8, 12.0)), Stream(1)
    )

    def error(matrix: AnalogMatrix) -> float:
        return float(
            np.sqrt(((matrix.multiply(x, 0.0) - x @ w) ** 2).mean() / ((x @ w) ** 2).mean())
        )

    assert error(matrix.calibrated(0.0, per_column=True)) <= 1.003 * error(matrix.calibrated(0.0))
