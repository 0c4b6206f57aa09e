"""1/f noise inside a tile: the same variance however it is split, and the covariance between vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.analog import Adc, Block, Drive, Scheme, Tile
from accelsim.analog.read_noise import RowNoise, Shares, processes, shares, signed
from accelsim.devices import device_named
from accelsim.devices.flicker import Flicker
from accelsim.noise import Stream

PCM = device_named("pcm_like").with_effects(False, False, True)
QUIET = Tile(PCM, adc=Adc(bits=0), age=3600.0, read_noise="flicker")


@pytest.mark.parametrize("interval", [1e-7, 1e-6, 1e-3, 1.0, 1e3])
def test_frozen_followed_and_fresh_parts_are_the_whole(interval: float) -> None:
    share = shares("flicker", PCM, 3600.0, interval)
    assert share.frozen + share.live + share.fresh == pytest.approx(1.0, abs=1e-12)
    assert share.covariance(0) == pytest.approx(1.0, abs=1e-12)
    times = np.array(share.times)
    assert (times >= 0.01 * interval).all()
    whole = Flicker.up_to(PCM.read_time, PCM.noise_span(3600.0))
    for lag in (1, 10, 1000):  # the modes' own covariance, but for what is taken as fresh or frozen
        closed = whole.covariance(lag * interval) / whole.variance
        assert share.covariance(lag) == pytest.approx(closed, abs=0.02)


def test_slow_intervals_are_fresh_and_fast_ones_mostly_frozen() -> None:
    assert shares("flicker", PCM, 0.0, 1e6) == Shares(0.0, 0.0, 1.0, (), 1e6)
    assert shares("flicker", PCM, 1e9, 1e-12).frozen > 0.5
    assert shares("frozen", PCM, 0.0, 1.0).frozen == shares("fresh", PCM, 0.0, 1.0).fresh == 1.0


def test_processes_have_the_modes_covariance() -> None:
    share = shares("flicker", PCM, 3600.0, 1e-6)
    found = RowNoise(share, 60_000, Stream(1, ("rows",))).at(0, 65)
    assert (found * found).mean() == pytest.approx(1.0, rel=0.01)
    alone = replace(share, frozen=0.0, live=1.0, fresh=0.0)
    for lag in (1, 2, 5, 16, 64):
        assert (found[0] * found[lag]).mean() == pytest.approx(alone.covariance(lag), abs=0.015)


def test_the_spectrum_falls_by_one_over_three_decades() -> None:
    share = shares("flicker", PCM, 3600.0, 1e-6)
    x = RowNoise(share, 64, Stream(2)).at(0, 1 << 14)
    window = np.hanning(len(x))[:, None]
    power = (np.abs(np.fft.rfft(x * window, axis=0)) ** 2).mean(axis=1)
    f = np.fft.rfftfreq(len(x))
    edges = np.geomspace(1e-4, 1e-1, 25)
    band = np.digitize(f, edges)
    points = [
        (np.log(f[band == b]).mean(), np.log(power[band == b].mean()))
        for b in range(1, 25)
        if (band == b).any()
    ]
    assert np.polyfit(*np.array(points).T, 1)[0] == pytest.approx(-1.0, abs=0.05)


def test_values_depend_on_the_vector_alone() -> None:
    share = shares("flicker", PCM, 3600.0, 1e-6)
    whole = RowNoise(share, 7, Stream(3)).at(0, 300)
    other = RowNoise(share, 7, Stream(3))
    for first, count in ((0, 5), (5, 200), (100, 50), (290, 10), (3, 1), (3, 100), (64, 32)):
        assert (other.at(first, count) == whole[first : first + count]).all()


@pytest.mark.parametrize("rows", [1, 30, 200, 1000])
def test_signs_keep_every_cells_variance(rows: int) -> None:
    sigma = np.random.default_rng(0).uniform(0, 1, (rows, 5))
    made = signed(sigma, Stream(1))
    assert made.shape == (processes(rows) * rows, 5)
    back = (made**2).reshape(processes(rows), rows, 5).sum(axis=0)
    assert back == pytest.approx(sigma**2, rel=1e-12)
    assert abs((made > 0).mean() - 0.5) < 0.15


@pytest.mark.parametrize(
    "scheme, drive",
    [
        (Scheme(), Drive(bits=8)),
        (Scheme(devices=2), Drive(bits=8, phases=2)),
        (Scheme(slices=2), Drive(bits=8, phases=4)),
        (Scheme(), Drive(bits=8, mode="bit_serial")),
    ],
)
def test_covariance_between_products(scheme: Scheme, drive: Drive) -> None:
    """cov(sum of vector i, of vector j) = sum of x_i x_j s^2 over the rows, times what the reads share:
    within four standard errors over programmings, which are at most 5 % of the variance."""
    draw = np.random.default_rng(1)
    weights = draw.integers(60, 128, (96, 64)) * draw.choice([-1, 1], (96, 64))
    x = draw.integers(0, 128, (33, 96))
    lags, seeds = (0, 1, 4, 32), 40
    off_by, wanted = np.zeros((seeds, len(lags))), np.zeros(len(lags))
    for seed in range(seeds):
        block = Block(
            replace(QUIET, scheme=scheme, drive=drive), weights, 127, 127, True, Stream(seed)
        )
        off = block.raw(x, 0) - x @ weights
        s2 = sum(
            np.asarray(factor) ** 2 * sum(matrices)
            for factor, matrices in zip(block.split.factors, block.variance_of_reads, strict=True)
        )
        for i, lag in enumerate(lags):
            a, b = slice(0, len(x) - lag), slice(lag, len(x))
            each = ((x[a] * x[b]) @ s2).mean() * block.share.covariance(lag)
            wanted[i] += each / seeds
            off_by[seed, i] = (off[a] * off[b]).mean() - each
    error = off_by.std(axis=0) / np.sqrt(seeds)
    assert (error < 0.05 * wanted[0]).all()
    assert (np.abs(off_by.mean(axis=0)) < 4.0 * error).all(), (off_by.mean(axis=0) / error, wanted)


@pytest.mark.parametrize("interval", [1e-7, 1e-4, 10.0])
def test_the_variance_of_one_product_is_the_same_whatever_the_noise(interval: float) -> None:
    """Over many programmings; frozen, fresh and correlated noise differ in time only."""
    weights, x = np.full((64, 40), 100), np.full((6, 64), 90)

    def spread(kind: str) -> float:
        total = 0.0
        for seed in range(30):
            tile = replace(QUIET, read_noise=kind, interval=interval)  # type: ignore[arg-type]
            off = Block(tile, weights, 127, 127, True, Stream(seed)).raw(x, 0) - x @ weights
            total += float((off * off).mean())
        return total

    frozen, fresh, flicker = (spread(kind) for kind in ("frozen", "fresh", "flicker"))
    assert flicker == pytest.approx(fresh, rel=0.08)
    assert flicker == pytest.approx(frozen, rel=0.08)


def test_columns_hardly_follow_each_other() -> None:
    """Correlations between columns have mean 0 and a deviation of about 1 / sqrt(rows)."""
    weights, x = np.full((400, 60), 100), np.full((800, 400), 60)
    block = Block(replace(QUIET, interval=1.0), weights, 127, 127, True, Stream(5))
    off = block.raw(x, 0)[::4]
    off = off - off.mean(axis=0)
    between = np.corrcoef(off.T)[np.triu_indices(60, 1)]
    assert abs(between.mean()) < 0.02
    assert between.std() < 0.25  # 200 vectors that follow each other are few independent ones


def test_calibration_has_a_time_of_its_own() -> None:
    draw = np.random.default_rng(2)
    weights, x = draw.integers(-127, 128, (100, 20)), draw.integers(0, 128, (10, 100))
    tile = replace(QUIET, device=device_named("pcm_like"), compensation="column", age=1e5)
    one = Block(tile, weights, 127, 127, True, Stream(1))
    later = one.multiply(x[5:], 5)
    assert (one.multiply(x)[5:] == later).all()
    error = np.linalg.norm(one.multiply(x) - x @ weights) / np.linalg.norm(x @ weights)
    assert error < 0.2


@pytest.mark.parametrize(
    ("scheme", "phases"),
    [
        *(
            (scheme, phases)
            for scheme in (Scheme(), Scheme(slices=2), Scheme(levels=8, slices=3))
            for phases in (1, 2, 4)
        ),
        (Scheme(sign="offset"), 1),
        (Scheme(sign="offset"), 2),
    ],
)
@pytest.mark.parametrize(
    ("bits", "top", "adc"),
    [
        (8, 127, Adc(bits=12, range=32.0)),
        (8, 127, Adc(bits=0)),
        (15, 16383, Adc(bits=0)),
    ],
)
def test_weight_noise_has_one_deviation_for_every_weight(
    scheme: Scheme, phases: int, bits: int, top: int, adc: Adc
) -> None:
    """sigma sqrt(sum x^2) of a slice's largest weight, zeros too, anew in every read; on the coarse grid and
    the fine one alike."""
    draw = np.random.default_rng(0)
    weights, x = draw.integers(-127, 128, (32, 60)), draw.integers(-top, top + 1, (400, 32))
    weights[:, 0], weights[0, 1:] = 0, 127
    drive = replace(Drive(bits=bits), phases=phases)  # type: ignore[arg-type]
    tile = Tile(device_named("ideal"), scheme, drive, adc, weight_noise=0.03)
    block = Block(tile, weights, 127, top, False, Stream(0, ("t",)))
    off, later = block.raw(x, 0) - x @ weights, block.raw(x, 400) - x @ weights
    factors = np.sqrt(sum(np.asarray(factor) ** 2 for factor in block.split.factors))
    scaled = off / (0.03 * np.sqrt((x**2).sum(axis=1))[:, None] * factors)
    assert scaled.std() == pytest.approx(1.0, rel=0.015) and abs(scaled.mean()) < 0.02
    assert scaled[:, 0].std() == pytest.approx(1.0, rel=0.12)
    assert abs(np.corrcoef(off.ravel(), later.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(off[:-1].ravel(), off[1:].ravel())[0, 1]) < 0.03
    assert (
        block.fresh
        and not Block(replace(tile, weight_noise=0.0), weights, 127, top, False, Stream(0)).fresh
    )


def test_small_read_noise_keeps_its_variance_with_long_codes() -> None:
    """Fifteen bits of input leave few for the variances, which are far below 1."""
    draw = np.random.default_rng(0)
    weights, x = draw.integers(-127, 128, (64, 50)), draw.integers(-16383, 16384, (200, 64))
    tile = replace(Tile(PCM), drive=Drive(bits=15), adc=Adc(bits=0), read_noise="fresh", age=100.0)
    block = Block(tile, weights, 127, 16383, False, Stream(0, ("t",)))
    still = Block(
        replace(tile, device=PCM.with_effects(False, False, False)),
        weights,
        127,
        16383,
        False,
        Stream(0, ("t",)),
    )
    off = block.raw(x, 0) - still.raw(x, 0)
    s2 = np.asarray(block.split.factors[0]) ** 2 * block.variance_of_reads[0][0]
    assert (off / np.sqrt((x**2) @ s2)).std() == pytest.approx(1.0, rel=0.02)
