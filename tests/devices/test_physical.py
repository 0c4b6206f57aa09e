"""The physical cell: one sensitivity gives drift, noise and temperature, by numerical derivatives."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest

from accelsim.devices import physical
from accelsim.devices.base import ROOM
from accelsim.devices.physical import BOLTZMANN_EV, Physical
from accelsim.noise import Stream

NAMES = ("plain", "projected")
YEAR = 365 * 86400.0


def cells_of(model: Physical, count: int = 9) -> object:
    still = replace(model, drift_spread=0.0)
    return still.program(np.linspace(0, model.g_max, count), Stream(1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("temperature", [280.0, ROOM, 330.0])
@pytest.mark.parametrize("age", [0.0, 3600.0, YEAR])
def test_one_sensitivity_explains_drift_and_temperature(
    name: str, temperature: float, age: float
) -> None:
    model = replace(physical(name), drift_spread=0.0, crystallisation_hz=0.0)
    cells = cells_of(model)
    u = cells.state["fraction"]
    glass = model.amorphous_at(cells.state["exponent"], age, temperature)
    s = model.sensitivity(u, glass, temperature)
    assert ((s >= 0) & (s <= 1 + 1e-12)).all() and (
        np.diff(s) <= 1e-12
    ).all()  # more glass, more trouble
    # against R_a itself
    step = 1e-5
    r = [model.resistance(u, glass * (1 + sign * step), temperature) for sign in (-1, 1)]
    assert (np.log(r[1]) - np.log(r[0])) / (2 * step) == pytest.approx(s, rel=1e-6, abs=1e-9)
    # drift exponent of the conductance: S nu_a
    t = age + model.reference_time
    g = [model.drifted(cells, age + sign * t * step + t * step, temperature) for sign in (-1, 1)]
    slope = -(np.log(g[1]) - np.log(g[0])) / log((t * (1 + 2 * step)) / t)
    assert slope == pytest.approx(s * model.drift, rel=1e-3, abs=1e-9)
    # temperature: S E_a / k T^2 of the glass, and the liner's own
    h = 1e-3
    g = [model.drifted(cells, age, temperature + sign * h) for sign in (-1, 1)]
    slope = (np.log(g[1]) - np.log(g[0])) / (2 * h)
    own = model.liner_per_kelvin / (1 - model.liner_per_kelvin * (temperature - ROOM))
    expected = (
        s * model.activation / (BOLTZMANN_EV * temperature**2)
        + model.liner_sensitivity(u, glass, temperature) * own
    )
    assert slope == pytest.approx(expected, rel=1e-5, abs=1e-9)
    # noise: S Q_a sqrt(ln ...)
    factor = sqrt(log((t + model.read_time) / (2 * model.read_time)))
    sigma = model.read_sigma(cells, age, temperature) / model.drifted(cells, age, temperature)
    assert sigma == pytest.approx(s * model.noise * factor, rel=1e-12, abs=1e-15)


def test_the_liner_conducts_where_the_cell_is_off() -> None:
    assert physical("projected").g_min / physical("projected").g_max == pytest.approx(
        0.09, abs=0.005
    )
    assert physical("plain").g_min / physical("plain").g_max == pytest.approx(1 / 500, rel=1e-9)


def test_projection_takes_drift_noise_and_temperature_away() -> None:
    plain, projected = (physical(name) for name in NAMES)
    goal = np.linspace(0.3, 0.9, 7) * 25e-6
    late, hot, noise = [], [], []
    for model in (plain, projected):
        cells = replace(model, drift_spread=0.0).program(goal, Stream(1))
        late.append(1 - model.drifted(cells, YEAR) / cells.conductance)
        cold = replace(model, liner_per_kelvin=0.0, crystallisation_hz=0.0)
        hot.append(cold.drifted(cells, 0.0, 330.0) / cold.drifted(cells, 0.0, ROOM) - 1)
        noise.append(model.read_sigma(cells, 0.0) / cells.conductance)
    for plain_part, projected_part in (late, hot, noise):
        assert (projected_part < 0.1 * plain_part).all()
        assert (projected_part > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_programming_inverts_the_resistance(name: str) -> None:
    model = physical(name).with_effects(programming=False, drift=True, noise=True)
    goal = np.linspace(0, model.g_max, 101)
    cells = model.program(goal, Stream(3))
    assert cells.conductance == pytest.approx(np.maximum(goal, model.g_min), rel=1e-12)
    assert model.drifted(cells, 0.0) == pytest.approx(cells.conductance, rel=1e-12)
    spread = model.program(np.full(200_000, 5e-6), Stream(4)).state["exponent"]
    assert spread.mean() == pytest.approx(0.10, abs=4 * 0.02 / sqrt(200_000))
    assert spread.std() == pytest.approx(0.02, rel=0.01)


def test_heat_crystallises() -> None:
    """u falls by hz exp(-E / kT) a second: nothing at room temperature, all of it when hot."""
    model = physical("plain")
    cells = cells_of(model)
    assert model.fraction_at(cells, YEAR, ROOM) == pytest.approx(cells.state["fraction"], abs=1e-9)
    rate = model.crystallisation_hz * exp(-2.5 / (BOLTZMANN_EV * 420.0))
    fallen = cells.state["fraction"] - model.fraction_at(cells, 1000.0, 420.0)
    assert fallen == pytest.approx(np.minimum(rate * 1000.0, cells.state["fraction"]))
    assert model.fraction_at(cells, YEAR, 500.0).max() == 0.0


def test_wrong_values_are_refused() -> None:
    model = physical("projected")
    cells = model.program(np.array([5e-6]), Stream(1))
    for age, temperature in ((-1.0, 300.0), (np.nan, 300.0), (1.0, 100.0), (1.0, 900.0)):
        with pytest.raises(ValueError, match=r"age|temperatures"):
            model.drifted(cells, age, temperature)
    with pytest.raises(ValueError, match="targets"):
        model.program(np.array([30e-6]), Stream(1))
    with pytest.raises(KeyError, match="there are plain, projected"):
        physical("magic")
