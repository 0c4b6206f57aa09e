"""1/f noise in time: slope, variance, covariance, against closed forms."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from accelsim.devices.flicker import SHARE, Flicker
from accelsim.noise import Stream

NOISE = Flicker(1.0, 9)  # correlation times of 1 .. 65,536 reads


def series(cells: int, length: int, seed: int = 1) -> np.ndarray:
    return np.array(
        list(NOISE.steps((cells,), np.arange(length) * 1.0, Stream(seed, ("flicker",))))
    )


def test_the_closed_spectrum_is_one_over_f() -> None:
    f = np.geomspace(1e-4, 1e-1, 200)
    slope = np.polyfit(np.log(f), np.log(NOISE.spectrum(f)), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.05)
    inside = f < 0.03  # away from the fastest mode's own corner
    assert (NOISE.spectrum(f) * f)[inside] == pytest.approx(1.0, rel=0.06)  # Q^2 / f, Q = 1


def test_the_simulated_spectrum_falls_by_one_over_three_decades() -> None:
    x = series(64, 1 << 14)
    window = np.hanning(len(x))[:, None]
    power = (np.abs(np.fft.rfft(x * window, axis=0)) ** 2).mean(axis=1) * 2 / (window**2).sum()
    f = np.fft.rfftfreq(len(x))
    chosen = (f > 1e-4) & (f < 1e-1)
    edges = np.geomspace(1e-4, 1e-1, 25)
    band = np.digitize(f[chosen], edges)
    points = [
        (np.log(f[chosen][band == b]).mean(), np.log(power[chosen][band == b].mean()))
        for b in range(1, 25)
        if (band == b).any()
    ]
    slope = np.polyfit(*np.array(points).T, 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.05)


def test_variance_and_covariance_are_the_closed_ones() -> None:
    lags = (0, 1, 3, 10, 40)
    x = np.array(list(NOISE.steps((400_000,), np.array([0.0, 1.0, 3.0, 10.0, 40.0]), Stream(3))))
    assert NOISE.variance == 9 * SHARE == NOISE.covariance(0.0)
    for i, lag in enumerate(lags):
        found = float((x[0] * x[i]).mean())
        assert found == pytest.approx(NOISE.covariance(float(lag)), rel=0.02)
    assert float(x.var(axis=1).mean()) == pytest.approx(NOISE.variance, rel=0.02)


def test_the_variance_grows_as_the_statistical_models_say() -> None:
    """Q^2 ln(t / t_read) with all modes up to t: within one mode's share."""
    for slowest in (1e-3, 1.0, 3600.0):
        noise = Flicker.up_to(250e-9, slowest)
        assert noise.variance == pytest.approx(log(slowest / 250e-9), abs=1.5 * SHARE)


def test_modes_are_frozen_followed_or_new() -> None:
    slow, live, fast = Flicker(1e-6, 20).split(1e-3, 1.0)
    assert (slow.astype(int) + live + fast == 1).all()
    times = Flicker(1e-6, 20).times
    assert times[fast].max() < 1e-5 and times[slow].min() > 100.0


def test_values_depend_on_place_and_instant_alone() -> None:
    one = series(50, 20)
    again = list(NOISE.steps((50,), np.arange(12) * 1.0, Stream(1, ("flicker",))))
    assert (np.array(again) == one[:12]).all()
    with pytest.raises(ValueError, match="rise"):
        list(NOISE.steps((2,), np.array([0.0, 0.0]), Stream(1)))
    with pytest.raises(ValueError, match="modes"):
        Flicker(1.0, 0)
