"""Programming by pulses: against the published spread after verify, closed forms and conservation."""

from __future__ import annotations

from dataclasses import replace
from math import erf, exp, pi, sqrt

import numpy as np
import pytest

from accelsim.devices import device_named
from accelsim.devices.pulses import gradient_program, program_and_verify, pulses_named, staircase
from accelsim.noise import Stream

PCM = device_named("pcm_like")
ITERATIVE = pulses_named("iterative")


def written(fraction: float, cells: int = 20_000, seed: int = 1, **changes: float):  # type: ignore[no-untyped-def]
    goal = np.full(cells, fraction * PCM.g_max)
    return program_and_verify(replace(ITERATIVE, **changes), PCM, goal, Stream(seed, ("pulses",)))  # type: ignore[arg-type]


@pytest.mark.parametrize("fraction", [0.5, 0.625, 0.75, 0.875, 1.0])
def test_the_spread_is_the_published_one(fraction: float) -> None:
    """Pulse deviation from one published staircase, window of another experiment; what verify leaves
    is within 10 % of the published deviation where the window cuts. Nothing is fitted here."""
    made = written(fraction)
    published = float(PCM.write_sigma(np.array([fraction * PCM.g_max]))[0])
    assert made.cells.conductance.std() == pytest.approx(published, rel=0.10)


def truncated(deviation: float, margin: float) -> float:
    """Deviation of a normal that is cut at +-margin."""
    z = margin / deviation
    inside = erf(z / sqrt(2))
    return deviation * sqrt(1 - 2 * z * exp(-z * z / 2) / sqrt(2 * pi) / inside)


@pytest.mark.parametrize("margin", [0.6e-6, 1.0e-6, 1.74e-6, 3.0e-6])
@pytest.mark.parametrize("fraction", [0.4, 0.8])
def test_spread_over_margin(fraction: float, margin: float) -> None:
    """With noiseless reads and exact slopes the accepted cells are a cut normal: each pulse lands
    around the target, and verify keeps what falls inside."""
    goal = fraction * PCM.g_max
    model = replace(ITERATIVE, margin=margin, slope=0.0, iterations=400)
    made = program_and_verify(model, PCM, np.full(20_000, goal), Stream(2), read_noise=False)
    deviation = model.move[0] + model.move[1] * goal
    assert made.cells.conductance.std() == pytest.approx(truncated(deviation, margin), rel=0.03)
    assert (np.abs(made.cells.conductance - goal) <= margin).all() and not made.failed.any()


@pytest.mark.parametrize("fraction", [0.4, 0.8])
def test_the_histogram_of_iterations_is_geometric(fraction: float) -> None:
    goal = fraction * PCM.g_max
    model = replace(ITERATIVE, slope=0.0, iterations=400)
    made = program_and_verify(model, PCM, np.full(40_000, goal), Stream(3), read_noise=False)
    deviation = model.move[0] + model.move[1] * goal
    chance = erf(model.margin / deviation / sqrt(2))
    assert made.pulses.mean() == pytest.approx(1 / chance, rel=0.03)
    for turn in (1, 2, 3, 4):
        expected = chance * (1 - chance) ** (turn - 1)
        assert np.mean(made.pulses == turn) == pytest.approx(expected, rel=0.10)


def test_verify_noise_widens_the_spread() -> None:
    """A noisy verify accepts cells outside: the variances add where the window is narrow beside both."""
    goal = np.full(20_000, 0.6 * PCM.g_max)
    model = replace(ITERATIVE, margin=0.05e-6, iterations=2000)
    made = program_and_verify(model, PCM, goal, Stream(4))
    noise = float(PCM.verify_sigma(goal[:1])[0])
    assert made.cells.conductance.std() == pytest.approx(noise, rel=0.10)


def test_costs_are_counted() -> None:
    made = written(0.7, 5000)
    assert (made.reads == made.pulses + 1).all() and (made.resets == 1).all()
    total, resets = int(made.pulses.sum()), int(made.resets.sum())
    assert made.joules == pytest.approx(total * ITERATIVE.pulse_j + resets * ITERATIVE.reset_j)
    seconds = (
        total * ITERATIVE.pulse_s
        + resets * ITERATIVE.reset_s
        + int(made.reads.sum()) * ITERATIVE.read_s
    )
    assert made.seconds == pytest.approx(seconds)


def test_pulses_run_out() -> None:
    made = written(1.0, 20_000, margin=0.2e-6, iterations=3)
    assert 0.1 < made.failed.mean() < 0.95
    assert (made.pulses <= 3).all() and (made.pulses[made.failed] == 3).all()


def test_a_staircase_resets_what_overshoots() -> None:
    model = replace(pulses_named("staircase"), iterations=60)
    made = program_and_verify(model, PCM, np.full(5000, 6e-6), Stream(5))
    assert made.resets.max() > 1 and made.failed.mean() < 0.2
    assert np.median(np.abs(made.cells.conductance - 6e-6)) < 0.6e-6


def test_the_staircase_follows_its_step() -> None:
    """Mean G solves dG = a + b G: it rises towards -a/b."""
    model = replace(pulses_named("staircase"), slope=0.0, reset=(0.0, 0.0))
    a, b = model.staircase or (0.0, 0.0)
    mean = staircase(model, 30, 20_000, Stream(6)).mean(axis=1)
    n = np.arange(31)
    assert mean[5:] == pytest.approx((-a / b) * (1 - (1 + b) ** n[5:]), rel=0.05)


def test_cells_do_not_depend_on_their_neighbours() -> None:
    """The same cell number, the same pulses; other targets elsewhere change nothing."""
    goal = np.linspace(0, PCM.g_max, 300)
    other = goal.copy()
    other[100:] = 3e-6
    a, b = (program_and_verify(ITERATIVE, PCM, g, Stream(7)) for g in (goal, other))
    assert (a.cells.conductance[:100] == b.cells.conductance[:100]).all()
    assert (a.pulses[:100] == b.pulses[:100]).all()


def test_products_program_a_block() -> None:
    """Gradient steps through a block's own sums take its error far below what single verify leaves."""
    goal = np.abs(np.random.default_rng(0).normal(0, 8e-6, (64, 64))).clip(0, PCM.g_max)
    made, errors = gradient_program(ITERATIVE, PCM, goal, Stream(8))
    assert min(errors) < 0.25 * errors[0]
    before = program_and_verify(ITERATIVE, PCM, goal, Stream(8, ("first",))).cells.conductance
    after = made.cells.conductance
    assert np.sqrt(np.mean((after - goal) ** 2)) < 0.35 * np.sqrt(np.mean((before - goal) ** 2))
    assert made.pulses.sum() > 0 and made.joules > 0
