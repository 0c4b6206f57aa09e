"""The contract of devices/base.py, for every device that has a name and for a fitted one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from accelsim.devices import Device, device_named, device_names
from accelsim.devices.files import CONFIDENCES, load_device
from accelsim.devices.pulses import pulses_names
from accelsim.noise import Stream

FITTED = {
    "g_max_us": 20.0,
    "read_s": 2.5e-7,
    "reference_s": 20.0,
    "programming": {"points": [[0, 1], [0.2, 0.9]]},
    "drift_mean": {"poly": [0.05]},
    "drift_sd": {"poly": [0.01]},
    "read": {"poly": [0.02]},
}


@pytest.fixture(params=[*device_names(), "fitted"])
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Device:
    if request.param != "fitted":
        return device_named(request.param)
    path = tmp_path / "fitted.json"
    path.write_text(json.dumps(FITTED))
    return load_device(path)


def goals(device: Device) -> np.ndarray:
    return np.linspace(device.g_min, device.g_max, 600).reshape(20, 30)


def test_programming_is_a_function_of_stream_and_place(device: Device) -> None:
    goal = goals(device)
    kept = goal.copy()
    first, again = (device.program(goal, Stream(1)) for _ in range(2))
    assert (goal == kept).all() and first.conductance.shape == goal.shape
    assert (first.conductance == again.conductance).all() and (first.target == goal).all()
    assert np.isfinite(first.conductance).all() and (first.conductance >= 0).all()
    other = goal.copy()
    other[10:] = device.g_max / 2
    assert (device.program(other, Stream(1)).conductance[:10] == first.conductance[:10]).all()


def test_targets_outside_are_refused(device: Device) -> None:
    for wrong in (-1e-6, device.g_max * 1.01, np.nan, np.inf):
        with pytest.raises(ValueError):
            device.program(np.array([wrong]), Stream(1))


def test_reads_are_finite_and_not_negative(device: Device) -> None:
    cells = device.program(goals(device), Stream(2))
    for age in (0.0, 1.0, 3600.0, 3.15e7):
        seen = device.read(cells, age, Stream(3))
        assert np.isfinite(seen).all() and (seen >= 0).all()
        assert (seen == device.read(cells, age, Stream(3))).all()
        sigma = device.read_sigma(cells, age)
        assert sigma.shape == seen.shape and (sigma >= 0).all()
    for wrong in (-1.0, np.nan, np.inf):
        if device.name != "ideal":
            with pytest.raises(ValueError):
                device.drifted(cells, wrong)


def test_drift_lowers_and_starts_at_nothing(device: Device) -> None:
    cells = device.with_effects(True, True, False).program(goals(device), Stream(4))
    now, later = device.drifted(cells, 0.0), device.drifted(cells, 1e6)
    assert now == pytest.approx(cells.conductance, rel=1e-9, abs=1e-15)
    assert (later <= now * (1 + 1e-12)).all()


def test_effects_can_be_switched_off(device: Device) -> None:
    still = device.with_effects(False, False, False)
    goal = goals(device)
    cells = still.program(goal, Stream(5))
    assert still.read(cells, 1e5, Stream(6)) == pytest.approx(goal, rel=1e-9, abs=1e-15)
    assert (still.write_sigma(goal) >= 0).all()


def test_pulses_can_bring_a_cell_anywhere(device: Device) -> None:
    goal = goals(device)
    made = device.written(goal, goal * 0.9 + 0.1 * device.g_max, Stream(7))
    assert made.conductance.shape == goal.shape and (made.target == goal).all()
    assert (device.read(made, 60.0, Stream(8)) >= 0).all()
    assert (device.verify_sigma(goal) >= 0).all() and device.verify_sigma(goal).shape == goal.shape
    low, high = device.temperatures
    assert low < 298.15 < high


def test_what_programming_leaves_is_what_write_sigma_says(device: Device) -> None:
    """Mean and deviation of 20,000 cells at targets where nothing is cut off at either end."""
    for part in (0.35, 0.6, 0.8):
        goal = np.full(20_000, device.g_min + part * (device.g_max - device.g_min))
        made = device.program(goal, Stream(9)).conductance
        sigma = float(device.write_sigma(goal[:1])[0])
        assert made.std() == pytest.approx(sigma, rel=0.03, abs=1e-15)
        assert made.mean() == pytest.approx(goal[0], abs=max(4 * sigma / 141.0, 1e-15), rel=2e-3)


def test_every_read_has_the_deviation_that_read_sigma_says(device: Device) -> None:
    cells = device.program(np.full(20_000, 0.6 * device.g_max), Stream(10))
    for age in (0.0, 1e5):
        off = device.read(cells, age, Stream(11)) - device.drifted(cells, age)
        sigma = device.read_sigma(cells, age)
        if not sigma.any():
            assert not off.any()
            continue
        assert (off / sigma).std() == pytest.approx(1.0, rel=0.02)
        assert (off / sigma).mean() == pytest.approx(0.0, abs=0.03)


def test_names_of_pulses_and_confidence_are_known(device: Device) -> None:
    assert device.pulses in ("", *pulses_names())
    assert device.confidence in CONFIDENCES
