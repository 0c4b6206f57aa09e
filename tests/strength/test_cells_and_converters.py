"""Levels, wear, flicker noise, verify's window and converters, each against its definition by other means."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest

from accelsim import jit
from accelsim.analog.converters import Converter, Noise, convert, convert_plain
from accelsim.devices import device_named
from accelsim.devices.flicker import Flicker
from accelsim.devices.levels import error_spaced, evenly_spaced, nearest
from accelsim.devices.pulses import program_and_verify, pulses_named, staircase
from accelsim.devices.wear import Wear, wear_named, wear_names
from accelsim.noise import Stream
from accelsim.results.rounding import percentages


def test_even_levels() -> None:
    assert evenly_spaced(5, 8.0, 4.0).tolist() == [4.0, 5.0, 6.0, 7.0, 8.0]
    assert evenly_spaced(2, 3.0).tolist() == [0.0, 3.0]
    for count, top, bottom in ((1, 1.0, 0.0), (4, 1.0, 1.0), (4, 1.0, -0.1), (4, 0.0, 0.0)):
        with pytest.raises(ValueError, match="two levels"):
            evenly_spaced(count, top, bottom)


def test_levels_by_error_have_equal_distances_over_the_deviation() -> None:
    """sigma = a + b g: the measure is ln(a + b g) / b, so levels lie where that rises evenly."""
    grid = np.linspace(0.0, 20.0, 20001)
    levels = error_spaced(6, 20.0, 0.5 + 0.1 * grid, grid, 2.0)
    logs = np.log(0.5 + 0.1 * levels)
    assert np.diff(logs) == pytest.approx(np.diff(logs).mean(), rel=1e-5)
    assert levels[0] == pytest.approx(2.0) and levels[-1] == pytest.approx(20.0)
    assert (np.diff(levels)[1:] > np.diff(levels)[:-1]).all()


def test_nearest_level_is_the_lower_of_two() -> None:
    levels = np.array([0.0, 1.0, 3.0, 7.0])
    values = np.array([-5.0, 0.4, 0.5, 0.51, 1.9, 2.0, 2.1, 4.9, 5.0, 5.1, 99.0])
    by_hand = [min(range(4), key=lambda i: (abs(levels[i] - value), i)) for value in values]
    assert nearest(levels, values).tolist() == by_hand == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]


@pytest.mark.parametrize("name", wear_names())
def test_wear_is_lognormal(name: str) -> None:
    """The quantile of ln(cycles) by the standard library, and cells drawn that follow it."""
    wear = wear_named(name)
    normal = NormalDist(np.log(wear.median), wear.sigma)
    for share in (1e-6, 0.01, 0.5, 0.84):
        assert np.log(wear.cycles_until(share)) == pytest.approx(normal.inv_cdf(share), rel=1e-9)
        assert wear.failed_share(wear.cycles_until(share)) == pytest.approx(share, rel=1e-6)
    assert wear.failed_share(0) == wear.failed_share(-1) == 0.0
    assert wear.failed_share(wear.median) == pytest.approx(0.5)
    at = wear.cycles_until(0.3)
    low, high = wear.failed((200, 200), at, Stream(3))
    assert (low & high).sum() == 0 and (low | high).mean() == pytest.approx(0.3, abs=0.01)
    assert high.sum() / (low | high).sum() == pytest.approx(wear.stuck_high, abs=0.02)


def test_worn_cells_stay_at_an_end() -> None:
    wear = Wear("w", 1000.0, 0.5, 0.25, "")
    g = np.full((100, 100), 5.0)
    assert wear.stuck(g, 0.1, 9.0, 0.0, Stream(1)) is g
    found = wear.stuck(g, 0.1, 9.0, 1000.0, Stream(1))
    share = [(found == value).mean() for value in (0.1, 5.0, 9.0)]
    assert sum(share) == pytest.approx(1.0) and share[1] == pytest.approx(0.5, abs=0.02)
    assert share[2] / (share[0] + share[2]) == pytest.approx(0.25, abs=0.03)
    later = wear.stuck(g, 0.1, 9.0, 2000.0, Stream(1))
    assert ((found != 5.0) <= (later != 5.0)).all()  # more cycles only add failed cells


def test_flicker_has_the_variance_covariance_and_spectrum_of_its_modes() -> None:
    noise = Flicker(1e-3, 5)
    times = [1e-3 * 4**k for k in range(5)]
    assert noise.times.tolist() == pytest.approx(times)
    assert noise.variance == noise.covariance(0.0) == pytest.approx(5 * np.log(4))
    for lag in (1e-4, 0.02, -0.02, 3.0):
        wanted = sum(np.log(4) * np.exp(-abs(lag) / tau) for tau in times)
        assert noise.covariance(lag) == pytest.approx(wanted, rel=1e-12)
    frequency = np.geomspace(1e-5, 1e6, 400_001)
    power = np.trapezoid(noise.spectrum(frequency), frequency)
    assert power == pytest.approx(noise.variance, rel=1e-3)  # one-sided: all of the variance
    assert Flicker.up_to(1e-3, 1e-3).modes == 1 and Flicker.up_to(1e-3, 4.1e-3).modes == 3
    assert Flicker.up_to(1e-3, 4e-3).modes == 2
    slow, live, fast = Flicker(1e-6, 12).split(1e-3, 1e-2)
    assert (slow ^ live ^ fast).all() and not (slow & live | live & fast | slow & fast).any()
    all_times = Flicker(1e-6, 12).times
    assert (all_times[slow] > 1.0).all() and (all_times[fast] < 1e-5).all()
    assert live.sum() == sum(1e-5 <= time <= 1.0 for time in all_times)


def test_flicker_drawn_follows_its_covariance() -> None:
    noise, lags = Flicker(1.0, 3), [0.0, 0.7, 2.0, 9.0]
    drawn = np.stack(list(noise.steps((200, 200), np.array(lags), Stream(5))))
    for number, lag in enumerate(lags):
        found = float((drawn[0] * drawn[number]).mean())
        assert found == pytest.approx(noise.covariance(lag), abs=0.06)
        assert drawn[number].var() == pytest.approx(noise.variance, rel=0.03)


def test_what_verify_accepts_lies_in_its_window() -> None:
    """With an ideal reader no accepted cell is outside the window; reads, pulses and RESETs make up the time
    and the joules."""
    device = device_named("ideal")
    micro = device.g_max / 25  # the record is of cells of 25 uS
    model = replace(
        pulses_named("iterative"),
        margin=0.8 * micro,
        move=(1.0 * micro, 0.03),
        reset=(0.1 * micro, 0.05 * micro),
        pulse_s=3e-6,
        pulse_j=5e-12,
        reset_s=11e-6,
        reset_j=70e-12,
        read_s=0.5e-6,
    )
    goal = np.full(20_000, 0.6 * device.g_max)
    found = program_and_verify(model, device, goal, Stream(2), read_noise=False)
    off = np.abs(found.cells.conductance - goal)[~found.failed]
    assert off.max() <= model.margin and off.max() > 0.99 * model.margin
    assert found.failed.mean() < 0.1 and (found.pulses >= 0).all() and (found.resets >= 1).all()
    assert found.seconds == pytest.approx(
        3e-6 * found.pulses.sum() + 11e-6 * found.resets.sum() + 0.5e-6 * found.reads.sum(),
        rel=1e-12,
    )
    assert found.joules == pytest.approx(
        5e-12 * found.pulses.sum() + 70e-12 * found.resets.sum(), rel=1e-12
    )
    assert (found.reads[~found.failed] == found.pulses[~found.failed] + 1).all()
    model = replace(model, margin=2 * model.margin)
    wider = program_and_verify(model, device, goal, Stream(2), read_noise=False)
    assert wider.pulses.sum() < found.pulses.sum()


@pytest.mark.parametrize("bits", [2, 4, 8, 11])
def test_codes_of_a_converter(bits: int) -> None:
    """2^b - 1 codes; the last stands for the bound; ties to even, then the ends."""
    converter = Converter(bits, 1.5)
    top = 2 ** (bits - 1) - 1
    assert converter.top == top and converter.step == 1.5 / top
    middles = (np.arange(-top - 1, top + 1) + 0.5) * converter.step
    values = np.concatenate([np.linspace(-2.0, 2.0, 801), middles])
    for value, code, over in zip(
        values.tolist(),
        converter.codes(values).tolist(),
        converter.clipped(values).tolist(),
        strict=True,
    ):
        exact = round(Fraction(value / converter.step))
        assert code == max(-top, min(top, exact)) and over == (abs(exact) > top)
    for wrong in (1, 25, 0):
        with pytest.raises(ValueError, match="2 to 24"):
            Converter(wrong)
    for bound in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="positive"):
            Converter(8, bound)


@pytest.mark.parametrize("kind", ["none", "columns", "elements"])
def test_a_pass_of_conversions(kind: str) -> None:
    """Each element: sum, noise of its own deviation, rounded, clipped, weighed; plain, loop and compiled."""
    rng = np.random.default_rng(8)
    sums, weight = rng.normal(size=(7, 5)) * 40, np.array([1.0, 2.0, -4.0, 0.5, 8.0])
    deviates = rng.normal(size=(7, 5)) if kind != "none" else np.zeros((0, 0))
    spread, top = np.array([0.1, 0.4, 0.9, 2.0, 0.0]), 63.0
    variance = rng.uniform(0, 4, (7, 5)) if kind == "elements" else np.zeros((0, 0))
    wanted, over = np.full((7, 5), 3.0), 0
    for i in range(7):
        for j in range(5):
            value = sums[i, j] * 1.75
            if kind != "none":
                own = float(variance[i, j]) * 0.5 if kind == "elements" else 0.0
                value += np.sqrt(own + spread[j] ** 2) * deviates[i, j]
            code = round(value)
            over += abs(code) > top
            wanted[i, j] += max(-top, min(top, code)) * weight[j]
    for kernel in (convert_plain, convert, jit.compiled(convert)):
        total = np.full((7, 5), 3.0)
        noise = Noise(deviates, spread, variance, 0.5)
        assert kernel(sums, 1.75, noise, top, weight, total) == over > 0
        assert total == pytest.approx(wanted, rel=1e-12)


def test_percentages_add_up() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 2, 3, 7, 30):
        values = rng.exponential(size=count).tolist()
        for digits in (0, 1, 2):
            found = percentages(values, digits)
            assert sum(round(value * 10**digits) for value in found) == 100 * 10**digits
            exact = [100 * value / sum(values) for value in values]
            assert all(abs(a - b) < 10.0**-digits for a, b in zip(found, exact, strict=True))
            order = sorted(zip(exact, found, strict=True))
            assert all(a[1] <= b[1] for a, b in pairwise(order))
    assert percentages([0.0, 0.0]) == [0.0, 0.0] and percentages([1, 1, 1], 0) == [34.0, 33.0, 33.0]


def test_a_step_of_a_staircase_differs_from_cell_to_cell() -> None:
    """The first pulse from nothing moves each cell by the mean step times its own slope, no other noise."""
    model = replace(pulses_named("staircase"), move=(0.0, 0.0), reset=(0.0, 0.0), slope=0.2)
    assert model.staircase is not None
    first = staircase(model, 1, 40_000, Stream(4))[1]
    assert first.mean() == pytest.approx(model.staircase[0], rel=0.01)
    assert first.std() == pytest.approx(0.2 * model.staircase[0], rel=0.02)
