"""Single terms of the device models, each against the equation that it stands in."""

from __future__ import annotations

import json
from dataclasses import replace
from math import erf, exp, log, pi, sqrt

import numpy as np
import pytest

from accelsim.devices import physical, statistical
from accelsim.devices.files import NUMBERS, device_of
from accelsim.devices.flicker import SHARE, Flicker
from accelsim.devices.levels import error_spaced, evenly_spaced, nearest
from accelsim.devices.pulses import (
    TABLE,
    Pulses,
    gradient_program,
    program_and_verify,
    pulses_named,
)
from accelsim.devices.statistical import SMALLEST, Statistical
from accelsim.devices.statistical_kernels import (
    Programming,
    Reading,
    encoded,
    program_cells,
    read_cells,
)
from accelsim.devices.wear import wear_named
from accelsim.errors import InputError
from accelsim.noise import Stream
from accelsim.noise.quick import quick_normal

NAMES = ("pcm_like", "hermes_one", "hermes_two")


# -- reads and programming -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "projected"])
def test_a_read_adds_its_own_noise_to_the_drifted_conductance(name: str) -> None:
    """Deviates of the read's stream, with their sign; cut off at 0."""
    model = replace(physical(name), noise=80.0)
    cells = model.program(np.linspace(0.0, model.g_max, 700), Stream(1))
    noise = model.read_sigma(cells, 60.0) * Stream(2, ("read",)).normal((700,))
    wanted = np.maximum(model.drifted(cells, 60.0) + noise, 0.0)
    assert np.array_equal(model.read(cells, 60.0, Stream(2, ("read",))), wanted)
    assert (wanted == 0).any() and (wanted > 0).any()


@pytest.mark.parametrize("name", ["plain", "projected"])
def test_effects_that_are_off_and_others_that_stay(name: str) -> None:
    model = physical(name)
    for effects in ((True, False, False), (False, True, False), (False, False, True)):
        found = model.with_effects(*effects)
        kept = (found.margin, (found.drift, found.drift_spread), found.noise)
        own = (model.margin, (model.drift, model.drift_spread), model.noise)
        none = (0.0, (0.0, 0.0), 0.0)
        assert kept == tuple(a if on else b for on, a, b in zip(effects, own, none, strict=True))
    hot = model.program(np.array([0.5 * model.g_max]), Stream(1))
    assert model.fraction_at(hot, 1e9, 600.0).tolist() == [0.0]  # never below nothing
    assert model.stored(hot, [(1e9, 600.0)])[1].state["fraction"].tolist() == [0.0]


def models(name: str) -> list[Statistical]:
    base = statistical(name)
    return [
        base,
        base.noisier(1.75),
        replace(base, drift=False),
        replace(base, noise=False),
        replace(base, programming_error=False),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_kernels_give_the_bits_of_the_model(name: str) -> None:
    """A block of cells and a rest, factors of noisier() too; a kernel's source run as it stands."""
    count = 1100
    for model in models(name):
        goal = np.linspace(0.0, model.g_max, count)
        cells = model.program(goal, Stream(3))
        curves = [encoded(c.record) for c in (model.programming, model.drift_mean, model.drift_sd)]
        errors = quick_normal(Stream(3).of("programming"), count, 0)
        own = quick_normal(Stream(3).of("exponent"), count, 0)
        made, exponent = goal.copy(), np.zeros(count)
        program_cells(
            goal,
            Programming(model.g_max, SMALLEST, *curves),
            errors if model.programming_error else errors[:0],
            own if model.drift else own[:0],
            made,
            exponent,
        )
        assert np.array_equal(made, cells.conductance)
        assert np.array_equal(exponent, cells.state["exponent"])
        found, age = np.empty(count), 5000.0
        deviates = quick_normal(Stream(4), count, 0)
        span = log((age + model.reference_time) / model.reference_time) if model.drift else 0.0
        factor = sqrt(log((age + model.reference_time + model.read_time) / (2 * model.read_time)))
        read_cells(
            made,
            exponent,
            Reading(model.g_max, SMALLEST, encoded(model.read_noise.record), span, factor),
            deviates if model.noise else deviates[:0],
            found,
        )
        assert found == pytest.approx(model.read(cells, age, Stream(4)), rel=1e-12, abs=1e-18)


@pytest.mark.parametrize("name", NAMES)
def test_noisier_devices(name: str) -> None:
    base, goal = statistical(name), np.linspace(0.0, 1.0, 33)
    for model, factor in ((base.noisier(2.5), 2.5), (base.noisier(2.5).noisier(0.5), 1.25)):
        for part in ("programming", "read_noise"):
            assert getattr(model, part)(goal) == pytest.approx(
                factor * getattr(base, part)(goal), rel=1e-12
            )
        assert np.array_equal(model.drift_mean(goal), base.drift_mean(goal))


@pytest.mark.parametrize("name", NAMES)
def test_cells_that_pulses_wrote_drift_by_their_conductance(name: str) -> None:
    """|mean(x) + sd(x) xi|, x = g / g_max of what is there, at most 1; none without drift."""
    model = statistical(name)
    g = np.linspace(0.0, 1.5 * model.g_max, 300)
    deviates = Stream(7).of("exponent").normal((300,))
    x = np.minimum(g / model.g_max, 1.0)
    wanted = np.abs(model.drift_mean(x) + model.drift_sd(x) * deviates)
    assert np.array_equal(model.written(0 * g, g, Stream(7)).state["exponent"], wanted)
    still = replace(model, drift=False)
    assert not still.written(0 * g, g, Stream(7)).state["exponent"].any()
    assert np.array_equal(still.drifted(still.written(0 * g, g, Stream(7)), 1e6), g)


# -- wear, levels, files ---------------------------------------------------------------------------


def test_cells_fail_by_the_normal_law_of_the_logarithm() -> None:
    model = wear_named("mainstream")
    assert model.failed_share(0.0) == model.failed_share(-1.0) == 0.0
    for z in (-3.0, -1.0, 0.0, 0.5, 2.0):
        cycles, share = model.median * exp(model.sigma * z), 0.5 * (1 + erf(z / sqrt(2)))
        assert model.failed_share(cycles) == pytest.approx(share, rel=1e-9)
        assert model.cycles_until(share) == pytest.approx(cycles, rel=1e-6)
    g = np.full(40_000, 7.0)
    assert np.array_equal(model.stuck(g, 1.0, 9.0, 0.0, Stream(1)), g)
    found = model.stuck(g, 1.0, 9.0, model.median, Stream(1))
    for value, share in ((7.0, 0.5), (1.0, 0.25), (9.0, 0.25)):
        assert np.mean(found == value) == pytest.approx(share, abs=0.01)


def test_levels_at_equal_distances_in_siemens_and_in_errors() -> None:
    """Errors a + b g: equal steps of ln(a + b g) / b."""
    assert evenly_spaced(4, 3.0).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert evenly_spaced(3, 9.0, 1.0).tolist() == [1.0, 5.0, 9.0]
    grid = np.linspace(0.0, 2.0, 20_001)
    assert error_spaced(5, 2.0, np.ones_like(grid), grid) == pytest.approx(
        np.linspace(0, 2, 5), abs=1e-9
    )
    assert error_spaced(3, 2.0, np.ones_like(grid), grid, 0.5) == pytest.approx(
        [0.5, 1.25, 2.0], abs=1e-3
    )
    for a, b in ((0.1, 0.3), (1.0, -0.2)):
        places = np.arange(6) / 5 * log((a + 2 * b) / a)
        wanted = a * (np.exp(places) - 1) / b
        assert error_spaced(6, 2.0, a + b * grid, grid) == pytest.approx(wanted, abs=1e-6)
    for bad in (
        lambda: evenly_spaced(1, 1.0),
        lambda: evenly_spaced(2, 1.0, 1.0),
        lambda: evenly_spaced(2, 1.0, -0.1),
        lambda: error_spaced(1, 1.0, grid + 1, grid),
        lambda: error_spaced(2, 1.0, grid, grid),
        lambda: error_spaced(2, 1.0, grid + 1, 0 * grid),
    ):
        with pytest.raises(ValueError, match="two levels"):
            bad()
    assert nearest(
        np.array([0.0, 1.0, 3.0]), np.array([-5.0, 0.5, 0.51, 2.0, 2.01, 9.0])
    ).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("key", NUMBERS)
def test_both_ends_of_a_number_are_inside(key: str) -> None:
    plain = {
        "g_max_us": 10.0,
        "read_s": 1e-6,
        "reference_s": 20.0,
        "source": "test",
        **{name: {"poly": [0.01]} for name in ("programming", "drift_mean", "drift_sd", "read")},
    }
    for value in NUMBERS[key]:
        device_of(json.dumps({**plain, key: value}).encode(), "d.json")
    for value in (NUMBERS[key][0] * 0.999, NUMBERS[key][1] * 1.001, True, "1", None):
        with pytest.raises(InputError, match="must be a number"):
            device_of(json.dumps({**plain, key: value}).encode(), "d.json")


# -- 1/f noise -------------------------------------------------------------------------------------


def test_numbers_of_modes() -> None:
    for modes in (1, 2, 64):
        assert Flicker(1.0, modes).times.tolist() == [4.0**k for k in range(modes)]
    for read_time, modes in (
        (1.0, 0),
        (1.0, 65),
        (0.0, 3),
        (-1.0, 3),
        (float("nan"), 3),
        (float("inf"), 3),
    ):
        with pytest.raises(ValueError, match="1 to 64 modes"):
            Flicker(read_time, modes)
    for slowest, modes in (
        (0.5, 1),
        (1.0, 1),
        (1.01, 2),
        (4.0, 2),
        (16.0, 3),
        (16.1, 4),
        (1e300, 64),
    ):
        assert Flicker.up_to(1.0, slowest).modes == modes


def test_a_mode_at_either_border_is_followed() -> None:
    """Slow: beyond 100 spans. Fast: below a hundredth of a step. Times of 1, 4, 16, 64, 256 s."""
    noise = Flicker(1.0, 5)
    for step, span, wanted in (
        (100.0, 0.16, "lllss"),
        (400.0, 0.64, "fllls"),
        (1e-6, 1e6, "lllll"),
        (1e-6, 0.15, "llsss"),
        (1e-6, 0.161, "lllss"),
        (1601.0, 1e6, "fffll"),
        (1600.0, 1e6, "fflll"),
    ):
        kinds = dict(zip("slf", noise.split(step, span), strict=True))
        for number, kind in enumerate(wanted):
            assert [name for name in "slf" if kinds[name][number]] == [kind], (step, span, number)


def test_covariance_and_spectrum_mode_by_mode() -> None:
    noise = Flicker(0.5, 6)
    times = [0.5 * 4**k for k in range(6)]
    for lag in (0.0, 0.3, -7.0, 400.0):
        assert noise.covariance(lag) == pytest.approx(
            SHARE * sum(exp(-abs(lag) / t) for t in times), rel=1e-9
        )
    f = np.array([1e-3, 0.1, 3.0])
    wanted = [sum(4 * SHARE * t / (1 + (2 * pi * x * t) ** 2) for t in times) for x in f]
    assert noise.spectrum(f) == pytest.approx(wanted, rel=1e-12)
    assert pytest.approx(log(4.0), rel=1e-12) == SHARE


# -- pulses ----------------------------------------------------------------------------------------


def test_records_of_pulses_are_microsiemens() -> None:
    for name, row in json.loads(TABLE.read_text())["models"].items():
        found = pulses_named(name)
        assert found.move == pytest.approx((row["move"][0] * 1e-6, row["move"][1]), rel=1e-12)
        assert found.reset == pytest.approx(
            (row["reset"][0] * 1e-6, row["reset"][1] * 1e-6), rel=1e-12
        )
        assert found.margin == pytest.approx(row["margin_us"] * 1e-6, rel=1e-12)
        assert (found.slope, found.iterations) == (row["slope"], row["iterations"])
        if "staircase" in row:
            assert found.staircase == pytest.approx(
                (row["staircase"][0] * 1e-6, row["staircase"][1]), rel=1e-12
            )


def test_what_a_block_programmed_by_its_products_costs() -> None:
    """The first programming, then of each turn so many products for every cell and the pulses that fired."""
    model, device = pulses_named("iterative"), statistical("pcm_like")
    goal = np.linspace(1e-6, 24e-6, 24).reshape(6, 4)
    first = program_and_verify(model, device, goal, Stream(5).of("first"))
    for vectors, each in ((0, 24), (10, 10)):
        made, errors = gradient_program(model, device, goal, Stream(5), turns=7, vectors=vectors)
        assert len(errors) == 7
        assert np.array_equal(made.reads, first.reads + 7 * each)
        assert np.array_equal(made.resets, first.resets)
        assert ((made.pulses - first.pulses >= 0) & (made.pulses - first.pulses <= 7)).all()
        more = int(made.pulses.sum() - first.pulses.sum())
        assert more > 0
        assert made.seconds == pytest.approx(
            first.seconds + 7 * each * model.read_s + more * model.pulse_s
        )
        assert made.joules == pytest.approx(
            int(made.pulses.sum()) * model.pulse_j + int(first.resets.sum()) * model.reset_j
        )


def test_all_pulses_are_used_and_each_is_verified() -> None:
    """Cells that nothing moves take every pulse, are read before each and once more, and fail."""
    stiff: Pulses = replace(
        pulses_named("iterative"),
        move=(0.0, 0.0),
        slope=0.0,
        reset=(0.0, 0.0),
        staircase=(0.0, 0.0),
        iterations=5,
    )
    made = program_and_verify(
        stiff, statistical("pcm_like"), np.full(3, 20e-6), Stream(1), read_noise=False
    )
    assert made.failed.all() and made.pulses.tolist() == [5] * 3 and made.reads.tolist() == [6] * 3
    assert made.resets.tolist() == [1] * 3
