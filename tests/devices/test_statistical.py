"""Statistical models against the published equations, written down again by hand."""

from __future__ import annotations

from dataclasses import replace
from math import erf, exp, log, pi, sqrt

import numpy as np
import pytest

from accelsim import jit
from accelsim.devices import Ideal, error_spaced, evenly_spaced, nearest, statistical
from accelsim.devices.statistical import Curve, Statistical
from accelsim.devices.statistical_kernels import encoded
from accelsim.noise import Stream

COUNT = 200_000
WAYS: tuple[jit.Which, ...] = ("plain", "compiled")
AGES = (0.0, 3600.0, 86400.0, 30 * 86400.0, 365 * 86400.0)
FRACTIONS = (0.0, 0.04, 0.12, 0.16, 0.3, 0.44, 0.6, 0.8, 1.0)
NODES = np.linspace(-9, 9, 4001)
WEIGHTS = np.exp(-0.5 * NODES**2) / sqrt(2 * pi) * (NODES[1] - NODES[0])


def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def published(name: str, x: float) -> tuple[float, float, float]:
    """(programming sd in microsiemens, mean and sd of the drift exponent) at a target."""
    tiny = max(x, 1e-9)
    if name == "pcm_like":
        return (
            0.26348 + 1.9650 * x - 1.1731 * x * x,
            clip(-0.0155 * log(tiny) + 0.0244, 0.049, 0.1),
            clip(-0.0125 * log(tiny) - 0.0059, 0.008, 0.045),
        )
    mean = (
        clip(-0.0387 * log(tiny) - 0.0182, 0.072, 0.13)
        if x < 0.0945
        else -0.0436 * x * x - 0.0126 * x + 0.0736
    )
    if name == "hermes_one":
        sigma = 0.15781817 + 2.32443916 * x - 2.16310839 * x**2 + 0.68841818 * x**3
        spread = (
            clip(-0.0120 * log(tiny) - 0.0023, 0.0124, 0.04)
            if x < 0.3039
            else -0.0165 * x * x + 0.0116 * x + 0.0104
        )
    else:
        sigma = 0.16603222 + 4.71806468 * x - 8.48101252 * x**2 + 4.68961419 * x**3
        spread = (
            clip(-0.0117 * log(tiny) - 0.0057, 0.0091, 0.04)
            if x < 0.3055
            else -0.0118 * x * x + 0.0093 * x + 0.0073
        )
    return sigma, mean, spread


def published_noise(name: str, x: float) -> float:
    """Relative read noise Q at a programmed conductance."""
    tiny = max(x, 1e-9)
    if name == "pcm_like":
        return min(0.0088 / tiny**0.65, 0.2)
    if name == "hermes_one":
        return (
            clip(-0.0078 * log(tiny) + 0.0038, 0.0179, 0.04)
            if x < 0.1591
            else 0.0664 * x**3 - 0.1352 * x**2 + 0.0768 * x + 0.0088
        )
    return (
        clip(-0.0117 * log(tiny) - 0.0069, 0.015, 0.04)
        if x < 0.16
        else 0.0069 * x**3 - 0.0280 * x**2 + 0.0211 * x + 0.0123
    )


def rectified(q: float) -> tuple[float, float]:
    """First and second moment of max(1 + q xi, 0)."""
    if q == 0:
        return 1.0, 1.0
    a = 1 / q
    below, density = 0.5 * (1 + erf(a / sqrt(2))), exp(-0.5 * a * a) / sqrt(2 * pi)
    return below + q * density, (1 + q * q) * below + q * density


def expected(name: str, model: Statistical, x: float, age: float) -> tuple[float, float]:
    """(mean, standard deviation) in microsiemens, by quadrature over each random part."""
    top, t0, t_read = model.g_max * 1e6, model.reference_time, model.read_time
    sigma, mean, spread = published(name, x)
    made = np.maximum(x * top + sigma * NODES, 0.0) if model.programming_error else None
    values = np.array([x * top]) if made is None else made
    weights = np.ones(1) if made is None else WEIGHTS
    decay = np.ones(1)
    decay_weights = np.ones(1)
    if model.drift:
        decay = ((age + t0) / t0) ** -np.abs(mean + spread * NODES)
        decay_weights = WEIGHTS
    first, second = np.ones(len(values)), np.ones(len(values))
    if model.noise:
        factor = sqrt(log((age + t0 + t_read) / (2 * t_read)))
        pairs = [rectified(published_noise(name, g / top) * factor) for g in values]
        first, second = (np.array(column) for column in zip(*pairs, strict=True))
    m1 = float((weights * values * first).sum() * (decay_weights * decay).sum())
    m2 = float((weights * values**2 * second).sum() * (decay_weights * decay**2).sum())
    return m1, sqrt(max(m2 - m1 * m1, 0.0))


EFFECTS = [(True, False, False), (False, True, False), (False, False, True), (True, True, True)]


@pytest.mark.parametrize("name", ["pcm_like", "hermes_one", "hermes_two"])
@pytest.mark.parametrize("effects", EFFECTS, ids=["programming", "drift", "read", "together"])
def test_moments_are_the_published_ones(name: str, effects: tuple[bool, bool, bool]) -> None:
    """9 targets x 5 ages, 200,000 cells each: mean and sd within four standard errors."""
    base = statistical(name)
    model = replace(base, programming_error=effects[0], drift=effects[1], noise=effects[2])
    for x in FRACTIONS:
        stream = Stream(17, (name, *map(int, effects), round(x * 100)))
        cells = model.program(np.full(COUNT, x * model.g_max), stream)
        for number, age in enumerate(AGES):
            g = model.read(cells, age, stream.of("read", number)) * 1e6
            mean, spread = expected(name, model, x, age)
            tolerance = 4 * spread / sqrt(COUNT) + 1e-9
            assert abs(g.mean() - mean) <= tolerance, (x, age, g.mean(), mean)
            found = float(g.std())
            fourth = float(((g - g.mean()) ** 4).mean())
            error = (
                sqrt(max(fourth - found**4, 0.0) / COUNT) / (2 * found) if found > 1e-9 else 1e-9
            )
            assert abs(found - spread) <= 4 * error + 1e-6, (x, age, found, spread)


def test_headline_figures() -> None:
    """Published check values of 200,000 cells (25 and 4 uS; at a year with read noise)."""
    model = statistical("pcm_like")
    for target, now, year in (
        (25.0, (25.00, 1.054), (12.5, 1.64)),
        (4.0, (4.00, 0.549), (1.94, 0.64)),
        (0.0, (0.105, 0.154), None),
    ):
        stream = Stream(5, ("headline", int(target)))
        cells = model.program(np.full(COUNT, target * 1e-6), stream)
        g = cells.conductance * 1e6
        assert (g.mean(), g.std()) == pytest.approx(now, abs=0.01)
        if year is not None:
            late = model.read(cells, 365.25 * 86400, stream.of("read")) * 1e6
            assert (late.mean(), late.std()) == pytest.approx(year, abs=0.03)


def test_cells_are_a_function_of_their_place() -> None:
    model = statistical("pcm_like")
    goal = np.linspace(0, model.g_max, 600).reshape(20, 30)
    one = model.program(goal, Stream(3, ("tile", 0)))
    two = model.program(goal, Stream(3, ("tile", 0)))
    assert (one.conductance == two.conductance).all()
    late = model.read(one, 1e6, Stream(3, ("read", 1)))
    model.read(one, 10.0, Stream(3, ("read", 0)))
    assert (model.read(two, 1e6, Stream(3, ("read", 1))) == late).all()
    other = model.program(goal, Stream(3, ("tile", 1)))
    assert not (one.conductance == other.conductance)[one.conductance > 0].any()  # some end at 0


def test_wrong_targets_and_ages_are_refused() -> None:
    model = statistical("hermes_one")
    for bad in (-1e-6, 20e-6, np.nan):
        with pytest.raises(ValueError, match="targets"):
            model.program(np.array([bad]), Stream(1))
    cells = model.program(np.array([1e-6]), Stream(1))
    for age in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="age"):
            model.drifted(cells, age)
    with pytest.raises(KeyError, match="there are pcm_like"):
        statistical("magic")


def test_an_ideal_cell_stays_as_it_is() -> None:
    device = Ideal()
    goal = np.linspace(0, device.g_max, 50)
    cells = device.program(goal, Stream(1))
    assert (device.read(cells, 1e9, Stream(2)) == goal).all()


def test_levels() -> None:
    even = evenly_spaced(8, 25e-6)
    assert even == pytest.approx(np.arange(8) * 25e-6 / 7)
    grid = np.linspace(0, 25e-6, 501)
    model = statistical("pcm_like")
    sigma = 1e-6 * model.programming(grid / model.g_max)
    spaced = error_spaced(8, 25e-6, sigma, grid)
    assert spaced[0] == 0 and spaced[-1] == pytest.approx(25e-6)
    at = np.interp(spaced, grid, sigma)
    apart = np.diff(spaced) / (at[1:] + at[:-1])
    even_apart = np.diff(even) / (
        np.interp(even, grid, sigma)[1:] + np.interp(even, grid, sigma)[:-1]
    )
    assert apart.max() / apart.min() < 1.15 < even_apart.max() / even_apart.min()
    assert apart.min() > even_apart.min()  # the worst pair of neighbours is further apart
    assert nearest(even, even + 1e-7).tolist() == list(range(8))
    assert nearest(np.array([0.0, 1.0]), np.array([0.5, 0.5000001])).tolist() == [0, 1]
    with pytest.raises(ValueError, match="two levels"):
        evenly_spaced(1, 25e-6)


def test_the_layout_of_the_targets_does_not_matter() -> None:
    device = statistical("pcm_like")
    goal = np.linspace(0, device.g_max, 120_000).reshape(300, 400)
    plain = device.program(goal, Stream(9))
    turned = device.program(np.asfortranarray(goal), Stream(9))
    assert (plain.conductance == turned.conductance).all()
    assert (plain.state["exponent"] == turned.state["exponent"]).all()
    assert (device.read(plain, 60.0, Stream(1)) == device.read(turned, 60.0, Stream(1))).all()


@pytest.mark.parametrize("name", ["pcm_like", "hermes_one", "hermes_two"])
def test_plain_and_compiled_cells_are_alike(name: str) -> None:
    goal = np.random.default_rng(0).uniform(0, statistical(name).g_max, 40_001)
    goal[:40] = 0.0
    for effects in [*EFFECTS, (False, False, False)]:
        for model in (
            statistical(name).with_effects(*effects),
            statistical(name).with_effects(*effects).noisier(3.0).noisier(1.1),
        ):
            found = []
            for which in WAYS:
                with jit.only(which):
                    cells = model.program(goal, Stream(1))
                    reads = [model.read(cells, age, Stream(2, (round(age),))) for age in AGES]
                found.append(np.array([cells.conductance, cells.state["exponent"], *reads]))
            assert (found[0] == found[1]).all()


def test_curves_that_kernels_cannot_hold_stay_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "COMPILE_ABOVE", 0)
    model = statistical("pcm_like")
    points = Curve({"points": [[0.0, 1.0], [0.5, 1.5]]})
    assert encoded(points.record) is None and encoded({"poly": [1.0] * 5}) is None
    cells = replace(model, programming=points).program(np.full(COUNT, model.g_max), Stream(1))
    assert cells.conductance.std() == pytest.approx(1.5e-6, rel=0.01)
    late = replace(model, read_noise=points, programming_error=False, drift=False)
    g = late.read(late.program(np.full(COUNT, 0.5 * model.g_max), Stream(1)), 0.0, Stream(2))
    factor = sqrt(log((20 + 250e-9) / 500e-9))
    assert abs(g.mean() / (0.5 * model.g_max) - rectified(1.0 * factor)[0]) < 0.05
