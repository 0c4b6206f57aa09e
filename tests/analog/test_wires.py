"""Wires of a crossbar: currents from the nodal equations of the whole network, solved at once."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from accelsim.analog import Wires, transfer_matrix
from accelsim.analog.ir_drop import floating_charges
from accelsim.analog.reuse import FLOOR, _Lines, _ratio, attenuation, currents, sampled_error


def kirchhoff(g: np.ndarray, wires: Wires, volts: np.ndarray) -> np.ndarray:
    """Bit-line currents from the nodal equations of the whole crossbar, solved at once; NaN: a row floats."""
    rows, columns = g.shape
    node = np.arange(2 * rows * columns).reshape(2, rows, columns)
    a, b = np.zeros((node.size, node.size)), np.zeros(node.size)

    def join(i: int, j: int, siemens: float) -> None:
        a[[i, j], [i, j]] += siemens
        a[[i, j], [j, i]] -= siemens

    for r in range(rows):
        if not np.isnan(volts[r]):
            a[node[0, r, 0], node[0, r, 0]] += 1 / wires.source
            b[node[0, r, 0]] += volts[r] / wires.source
        for c in range(columns):
            join(node[0, r, c], node[1, r, c], g[r, c])
            if c:
                join(node[0, r, c - 1], node[0, r, c], 1 / wires.word)
            if r:
                join(node[1, r - 1, c], node[1, r, c], 1 / wires.bit)
    a[node[1, -1], node[1, -1]] += 1 / wires.sink
    return np.linalg.solve(a, b)[node[1, -1]] / wires.sink


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (5, 1), (4, 3), (6, 7)])
def test_currents_are_those_of_the_nodal_equations(rows: int, columns: int) -> None:
    draw = np.random.default_rng(rows + columns)
    g, wires = draw.uniform(1e-6, 2e-3, (rows, columns)), Wires(30.0, 70.0, 110.0, 50.0)
    v = draw.uniform(-0.2, 0.2, (3, rows))
    right = np.array([kirchhoff(g, wires, one) for one in v])
    assert v @ transfer_matrix(g, wires).T == pytest.approx(right, rel=1e-9)
    assert currents(g, wires, v) == pytest.approx(right, rel=1e-5)
    wrong = transfer_matrix(g, wires).T * 1.25
    off = v @ wrong - right
    assert sampled_error(g, wrong, wires, v) == pytest.approx(
        sqrt((off**2).sum() / (right**2).sum()), rel=1e-4
    )


def test_a_column_without_cells_does_not_end_the_sweeps() -> None:
    """Its current is right from the first on; those beside it take many."""
    draw = np.random.default_rng(11)
    g, wires = draw.uniform(1e-4, 2e-3, (6, 5)), Wires(30.0, 70.0, 110.0, 50.0)
    g[:, 2] = 0.0
    v = draw.uniform(0.05, 0.2, (2, 6))
    right = np.array([kirchhoff(g, wires, one) for one in v])
    found = currents(g, wires, v)
    assert (found[:, 2] == 0).all()
    assert found == pytest.approx(right, rel=1e-5, abs=1e-15)


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_lines_are_tridiagonal_systems(nodes: int) -> None:
    draw = np.random.default_rng(nodes)
    g, along, first, last = draw.uniform(0.1, 1, (3, nodes)), 0.7, 2.0, 0.4
    into, driven = draw.normal(size=(3, nodes, 2)), draw.normal(size=(3, 2))
    for drive in (None, driven):
        found = _Lines(g, along, first, last).solve(into, drive)
        for line in range(3):
            ends = np.zeros(nodes)
            ends[0] += first
            ends[-1] += last
            neighbours = np.eye(nodes, k=1) + np.eye(nodes, k=-1)
            whole = np.diag(g[line] + ends + along * neighbours.sum(axis=1)) - along * neighbours
            right = into[line].copy()
            right[0] += 0 if drive is None else drive[line]
            assert found[line] == pytest.approx(np.linalg.solve(whole, right), rel=1e-9)


def test_rows_float_when_their_pulse_is_over() -> None:
    """Slice by slice of the ends of pulses; rows that are not driven at all float from the start."""
    draw = np.random.default_rng(4)
    g, wires = draw.uniform(1e-4, 2e-3, (4, 3)), Wires(30.0, 70.0, 110.0, 50.0)
    for widths in (
        [1.0, 3.0, 0.0, 3.0],
        [2.0] * 4,
        [0.0, 0.0, 5.0, 0.0],
        [4.0, 3.0, 2.0, 1.0],
        [0.0] * 4,
    ):
        wanted, before = np.zeros(3), 0.0
        for end in sorted(set(widths) - {0.0}):
            volts = np.where(np.array(widths) >= end, 1.0, np.nan)
            wanted += (end - before) * kirchhoff(g, wires, volts)
            before = end
        assert floating_charges(g, wires, np.array(widths)) == pytest.approx(
            wanted, rel=1e-9, abs=1e-15
        )


def test_attenuation_is_the_exact_matrix_at_its_own_age_and_never_more_than_all() -> None:
    """At the reference, g / (1 + rho) + rest is the exact matrix; rho of 1 and below passes what there is."""
    draw = np.random.default_rng(5)
    g = draw.uniform(1e-5, 2e-3, (6, 5)) * (draw.random((6, 5)) < 0.7)
    wires = Wires(30.0, 70.0, 110.0, 50.0)
    known = attenuation(g, wires)
    assert known.matrix(g, g) == pytest.approx(transfer_matrix(g, wires).T, rel=1e-5, abs=1e-9)
    assert (known.rho >= 0).all()
    exact = transfer_matrix(g, wires).T
    mean = np.outer(exact.sum(axis=1) / g.sum(axis=1), exact.sum(axis=0) / g.sum(axis=0))
    mean *= g.sum() / exact.sum()
    floor = FLOOR * g.mean()
    passed = np.clip((exact + floor * mean) / (g + floor), 1e-3, 1.0)
    assert 1 / (1 + known.rho) == pytest.approx(passed, rel=1e-5)
    after = g * draw.uniform(0.4, 0.9, g.shape)
    word, bit = after.sum(axis=1) / g.sum(axis=1), after.sum(axis=0) / g.sum(axis=0)
    c = (word[:, None] + bit[None, :]) / 2
    assert known.matrix(g, after) == pytest.approx(
        after / (1 + c * known.rho) + c * c * known.rest, rel=1e-9
    )
    assert _ratio(
        np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[4.0, 2.0], [0.0, 0.0]]), 1
    ).tolist() == [0.5, 1.0]
