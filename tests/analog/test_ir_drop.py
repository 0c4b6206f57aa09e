"""The transfer matrix against nodal analysis of every node, which shares no code with it."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.analog import Wires, transfer_matrix
from accelsim.analog.ir_drop import floating_charges

CASES = [
    (1, 1, 1.0, 1.0, 10.0, 10.0),
    (1, 7, 1.0, 2.0, 5.0, 1.0),
    (9, 1, 3.0, 1.0, 5.0, 1.0),
    (2, 2, 1.0, 1.0, 1.0, 1.0),
    (5, 3, 0.1, 10.0, 100.0, 0.5),
    (3, 5, 10.0, 0.1, 0.5, 100.0),
    (8, 8, 1.0, 1.0, 50.0, 50.0),
    (16, 16, 5.0, 5.0, 100.0, 100.0),
    (16, 4, 0.01, 0.01, 1e-3, 1e-3),
    (4, 16, 100.0, 100.0, 1e3, 1e3),
    (13, 11, 2.5, 0.3, 40.0, 7.0),
    (20, 20, 1.0, 1.0, 1.0, 1.0),
    (24, 12, 1e-3, 5.0, 1e-2, 200.0),
    (12, 24, 5.0, 1e-3, 200.0, 1e-2),
    (32, 32, 1.0, 1.0, 100.0, 100.0),
    (31, 7, 1e3, 1e3, 1e4, 1e4),
    (17, 29, 0.5, 0.5, 20.0, 20.0),
]


def nodal(g: np.ndarray, wires: Wires, loose: np.ndarray | None = None) -> np.ndarray:
    """Currents of unit voltages by Kirchhoff's law at each of the 2 R C nodes. loose: rows whose
    driver is cut off."""
    rows, columns = g.shape
    count = rows * columns
    matrix, drive = np.zeros((2 * count, 2 * count)), np.zeros((2 * count, rows))

    def link(a: int, b: int, conductance: float) -> None:
        for x, y in ((a, b), (b, a)):
            matrix[x, x] += conductance
            matrix[x, y] -= conductance

    for i in range(rows):
        for j in range(columns):
            word, bit = i * columns + j, count + i * columns + j
            link(word, bit, g[i, j])
            if j + 1 < columns:
                link(word, word + 1, 1 / wires.word)
            if i + 1 < rows:
                link(bit, bit + columns, 1 / wires.bit)
        if loose is not None and loose[i]:
            continue
        matrix[i * columns, i * columns] += 1 / wires.source
        drive[i * columns, i] = 1 / wires.source
    last = count + (rows - 1) * columns + np.arange(columns)
    matrix[last, last] += 1 / wires.sink
    return np.linalg.solve(matrix, drive)[last] / wires.sink


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}x{c[1]}")
def test_equal_to_nodal_analysis(case: tuple[float, ...]) -> None:
    rows, columns = int(case[0]), int(case[1])
    rng = np.random.default_rng(rows * 100 + columns)
    g = rng.uniform(0, 25e-6, (rows, columns))
    g[rng.random(g.shape) < 0.2] = 0.0
    wires = Wires(*case[2:])
    mine, theirs = transfer_matrix(g, wires), nodal(g, wires)
    assert np.abs(mine - theirs).max() <= 1e-9 * np.abs(theirs).max()
    voltages = rng.uniform(-0.2, 0.2, (5, rows))
    assert voltages @ mine.T == pytest.approx(voltages @ theirs.T, rel=1e-9, abs=1e-18)


def test_the_sizes_of_the_effect() -> None:
    """Published: 14 % at 128 x 128, 1 ohm a segment, 25 uS; 18 % at 64 x 64, 5 ohm. The load is not
    stated: uniformly random cells lose less than that, cells all at 25 uS more."""
    for size, ohm, loss in ((128, 1.0, 0.14), (64, 5.0, 0.18)):
        random = np.random.default_rng(0).uniform(0, 25e-6, (size, size))
        found = [
            1 - transfer_matrix(g, Wires(ohm, ohm, ohm, ohm)).sum() / g.sum()
            for g in (random, np.full((size, size), 25e-6))
        ]
        assert found[0] < loss < found[1] < 2 * found[0]


def test_limits() -> None:
    g = np.random.default_rng(1).uniform(0, 25e-6, (12, 9))
    assert (transfer_matrix(g, None) == g.T).all()
    near = transfer_matrix(g, Wires(1e-9, 1e-9, 1e-9, 1e-9))
    assert near == pytest.approx(g.T, rel=1e-9)
    before = g.T.sum()
    for ohm in (0.1, 1.0, 10.0, 100.0):  # more resistance, less current, never negative
        m = transfer_matrix(g, Wires(ohm, ohm, ohm, ohm))
        assert (m >= 0).all() and m.sum() < before
        before = m.sum()


def test_reciprocity() -> None:
    """A linear network without sources inside is reciprocal: turned round, the same matrix."""
    g = np.random.default_rng(2).uniform(0, 25e-6, (7, 11))
    wires = Wires(2.0, 3.0, 40.0, 50.0)
    turned = transfer_matrix(
        g[::-1, ::-1].T, Wires(wires.bit, wires.word, wires.sink, wires.source)
    )
    assert transfer_matrix(g, wires) == pytest.approx(turned.T[::-1, ::-1], rel=1e-10)


def test_impossible_values_are_refused() -> None:
    for bad in (-1.0, 0.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="resistance"):
            Wires(bad, 1.0, 1.0, 1.0)
    for g in (np.array([[np.nan]]), np.array([[-1e-6]]), np.zeros((0, 3)), np.zeros(4)):
        with pytest.raises(ValueError, match="conductances"):
            transfer_matrix(g, Wires(1.0, 1.0, 1.0, 1.0))


@pytest.mark.parametrize("case", CASES[3:], ids=lambda c: f"{c[0]}x{c[1]}")
def test_rows_that_float_after_their_pulse(case: tuple[float, ...]) -> None:
    """Slice by slice, the drivers that have finished cut off."""
    rows, columns = int(case[0]), int(case[1])
    rng = np.random.default_rng(rows + columns)
    g = rng.uniform(1e-6, 25e-6, (rows, columns))
    widths = rng.integers(0, 6, rows) * 20e-9
    wires = Wires(*case[2:])
    expected, before = np.zeros(columns), 0.0
    for end in np.unique(widths[widths > 0]):
        driven = widths >= end
        expected += (end - before) * (nodal(g, wires, ~driven) @ driven)
        before = end
    assert floating_charges(g, wires, widths) == pytest.approx(expected, rel=1e-9, abs=1e-24)


def test_floating_matters_little_where_wires_do() -> None:
    """Held at ground after its pulse, a row draws a little of its neighbours' current away."""
    rng = np.random.default_rng(1)
    g, widths = rng.uniform(0, 25e-6, (64, 64)), rng.integers(0, 128, 64) * 1e-9
    wires = Wires(5.0, 5.0, 50.0, 50.0)
    loose, held = floating_charges(g, wires, widths), transfer_matrix(g, wires) @ widths
    ideal = g.T @ widths
    assert (loose >= held * (1 - 1e-12)).all()
    off = np.linalg.norm(loose - held) / np.linalg.norm(held)
    assert 1e-4 < off < 0.3 * np.linalg.norm(held - ideal) / np.linalg.norm(ideal)
