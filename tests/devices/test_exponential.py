"""Exponential steps against the published equations, written out again."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import numpy as np
import pytest

from accelsim.analog.scheme import Scheme
from accelsim.analog.writing import Use, Writing, programming
from accelsim.devices import device_named
from accelsim.devices.pulses import Pulses, program_and_verify, pulses_named, staircase
from accelsim.noise import Stream

NAMES = ("pcm_exponential", "both_ways")
PCM = device_named("ideal")


def published(name: str, w: float, up: bool) -> tuple[float, float]:
    """(step, deviation) in w."""
    if name == "pcm_exponential":
        y = 1 + 27.235 * exp(-2.5 * w)
        return 0.01 * y, 0.6 * 0.01 * (0.042 + y + 0.108 * w)
    z = 2 * 0.244 * w / 1.2 + 0.2425
    y = 1 - 0.00081 * exp(12.44625 * z) if up else 1 - 0.36833 * exp(-12.78785 * z)
    return 0.001 * max(y, 0), 0.3 * 0.001 * max(y, 0)


@pytest.mark.parametrize(
    ("name", "up"), [("pcm_exponential", True), ("both_ways", True), ("both_ways", False)]
)
def test_steps_are_the_published_ones(name: str, up: bool) -> None:
    law = pulses_named(name).exponential
    assert law is not None
    low, high = law.window
    for w in np.linspace(low, high, 13):
        g = np.array([(w - low) / (high - low) * 25e-6])
        assert law.state(g)[0] == pytest.approx(w, abs=1e-12)
        step, deviation = law.step(g, up)
        wanted = published(name, float(w), up)
        scale = 25e-6 / (high - low)
        assert step[0] == pytest.approx(wanted[0] * scale, rel=1e-9)
        assert deviation[0] == pytest.approx(wanted[1] * scale, rel=1e-9)


def test_the_first_pulse_moves_a_seventh_of_the_range() -> None:
    """14 %, and steps shrink from there; between cells they differ by a fifth."""
    model = replace(pulses_named("pcm_exponential"), reset=(0.0, 0.0))
    path = staircase(model, 12, 40_000, Stream(1))
    assert np.median(path[1]) / 25e-6 == pytest.approx(0.1412, rel=0.02)  # the mean is cut off at 0
    mean, noise = published("pcm_exponential", 0.0, True)
    spread = np.hypot(0.2 * mean, noise) / 2 * 25e-6
    assert path[1][path[1] > 0].size > 0.9 * 40_000
    centre = np.percentile(path[1], [16, 50, 84])
    assert (centre[2] - centre[1]) == pytest.approx(spread, rel=0.04)
    steps = np.diff(path.mean(axis=1))
    assert (np.diff(steps) < 0).all() and (path <= 25e-6).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_pulse_has_the_published_mean_and_deviation(name: str) -> None:
    """200,000 cells from one state, without the cells' own spread."""
    model = replace(pulses_named(name), slope=0.0, reset=(12.5e-6, 0.0))
    low, high = (0.0, 2.0) if name == "pcm_exponential" else (-0.6, 0.6)
    w = low + 0.5 * (high - low)
    path = staircase(model, 1, 200_000, Stream(2))
    step, deviation = (part / (high - low) * 25e-6 for part in published(name, w, True))
    assert path[1].mean() - 12.5e-6 == pytest.approx(step, abs=4 * deviation / 447)
    assert path[1].std() == pytest.approx(deviation, rel=0.01)


def test_pulses_of_both_directions_reach_every_target_and_others_start_anew() -> None:
    both: Pulses = pulses_named("both_ways")
    goal = np.repeat(np.linspace(1e-6, 24e-6, 8)[:, None], 50, axis=1)
    made = program_and_verify(both, PCM, goal, Stream(3))
    assert (made.resets == 1).all() and not made.failed.any()
    assert np.abs(made.cells.conductance - goal).max() <= both.margin
    assert not both.resets_above and pulses_named("pcm_exponential").resets_above
    up = program_and_verify(pulses_named("pcm_exponential"), PCM, goal, Stream(4))
    assert (up.resets > 1).any()
    assert np.abs(up.cells.conductance - goal)[~up.failed].max() <= 1.74e-6


def test_chips_can_be_written_with_them() -> None:
    steps = Writing("program_and_verify", model="pcm_exponential")
    found = programming(steps, "pcm_like", Scheme(levels=8), Use())
    other = programming(Writing("program_and_verify"), "pcm_like", Scheme(levels=8), Use())
    assert found.model == "pcm_exponential" and found.pulses > 1.5 * other.pulses
    assert found.joules == pytest.approx(found.pulses * found.pulse_joules)
