"""IR drop reused over age: against the exact matrix, and its error against the error that it states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.analog import Adc, Block, Lines, Scheme, Tile, Wires, reuse, transfer_matrix
from accelsim.analog.reuse import REFERENCE_AGE, attenuation, currents, sampled_error
from accelsim.devices import device_named
from accelsim.noise import Stream

AGES = (20.0, 3600.0, 86_400.0, 2.6e6, 3.15e7)


@pytest.mark.parametrize(
    "rows, columns, ohms", [(1, 1, 5.0), (8, 3, 300.0), (33, 40, 2.0), (40, 9, 20.0), (64, 64, 1.0)]
)
def test_solved_lines_equal_the_exact_matrix(rows: int, columns: int, ohms: float) -> None:
    draw = np.random.default_rng(1)
    g = draw.random((rows, columns)) * 25e-6 * (draw.random((rows, columns)) < 0.7)
    wires = Wires(ohms, 2 * ohms, 50.0, 30.0)
    v = draw.random((3, rows))
    exact = v @ transfer_matrix(g, wires).T
    assert currents(g, wires, v) == pytest.approx(exact, rel=1e-6, abs=1e-6 * np.abs(exact).max())
    assert sampled_error(g, transfer_matrix(g, wires).T, wires, v) < 1e-6


def test_a_single_cell_scales_exactly() -> None:
    wires = Wires(1.0, 1.0, 4000.0, 3000.0)
    before, after = np.array([[20e-6]]), np.array([[9e-6]])
    found = attenuation(before, wires).matrix(before, after)
    assert found == pytest.approx(transfer_matrix(after, wires), rel=2e-3)
    assert found[0, 0] < 0.96 * 9e-6


@pytest.mark.parametrize("name", ["pcm_like", "hermes_two", "projected"])
@pytest.mark.parametrize("ohms", [1.0, 4.0])
def test_five_ages_against_exact(name: str, ohms: float) -> None:
    """At most 1.5 % of the drop itself, and 0.1 % of the sums; a drop that is not scaled is far off."""
    device, draw = device_named(name), np.random.default_rng(2)
    goal = device.g_min + (device.g_max - device.g_min) * np.abs(
        draw.normal(0, 0.3, (96, 96))
    ).clip(0, 1)
    cells = device.program(goal, Stream(1))
    wires = Wires(ohms, ohms, 50.0, 50.0)
    reference = device.drifted(cells, REFERENCE_AGE)
    known = attenuation(reference, wires)
    x = draw.random((20, 96))
    for age in AGES:
        g = device.read(cells, age, Stream(2, (str(age),)))
        exact = x @ transfer_matrix(g, wires).T
        error = np.linalg.norm(x @ known.matrix(reference, g) - exact) / np.linalg.norm(exact)
        drop = np.linalg.norm(x @ g - exact) / np.linalg.norm(exact)
        assert error < min(0.015 * drop, 1e-3)
        stated = sampled_error(g, known.matrix(reference, g), wires, x[:4])
        assert stated == pytest.approx(error, rel=0.6)
        plain = np.linalg.norm(x @ transfer_matrix(reference, wires).T - exact) / np.linalg.norm(
            exact
        )
        assert error < 0.1 * plain


def test_one_extraction_serves_all_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(g: np.ndarray, wires: Wires) -> np.ndarray:
        calls.append(g.shape)
        return transfer_matrix(g, wires)

    monkeypatch.setattr(reuse, "transfer_matrix", counted)
    draw = np.random.default_rng(3)
    weights, x = draw.integers(-127, 128, (48, 30)), draw.integers(0, 128, (10, 48))
    base = Tile(
        device_named("pcm_like"),
        Scheme(slices=2),
        adc=Adc(bits=0),
        columns=16,
        lines=Lines(word=3.0, bit=3.0, source=50.0, sink=50.0),
        ir_drop="reuse",
    )
    for age in AGES:
        made = Block(replace(base, age=age), weights, 127, 127, True, Stream(9, ("reuse",)))
        exact = Block(
            replace(base, age=age, ir_drop="exact"), weights, 127, 127, True, Stream(9, ("reuse",))
        )
        found, wanted = made.raw(x, 0), exact.raw(x, 0)
        assert np.linalg.norm(found - wanted) < 1e-3 * np.linalg.norm(wanted)
        assert made.reuse_error() < 1e-3
    assert len(calls) == 2 * 2 * 2  # slices, sides, crossbars: once each


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "KEPT", 3 * 10 * 10 * 8)
    for seed in range(6):
        attenuation(np.random.default_rng(seed).random((10, 10)) * 1e-5, Wires(1.0, 1.0, 1.0, 1.0))
    assert sum(a.rho.nbytes + a.rest.nbytes for a in reuse._known.values()) <= 3 * 10 * 10 * 8
