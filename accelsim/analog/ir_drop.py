"""A linear crossbar with wire resistance, solved exactly once: its currents are a matrix times V.

Word line i is driven from its left end through ``source``; node (i, j) of it meets node (i, j) of
bit line j through the cell; bit line j ends below row R - 1 in a virtual ground through ``sink``.
Exact for ohmic cells and driven rows, so that every later product is a plain matrix product. Rows
that float change the network and need another solution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wires:
    """Ohms. word, bit: of a wire segment between neighbouring cells. source: driver and contact of
    each word line, up to its first cell. sink: from the last cell of a bit line to the virtual
    ground."""

    word: float
    bit: float
    source: float
    sink: float

    def __post_init__(self) -> None:
        for name in ("word", "bit", "source", "sink"):
            value = getattr(self, name)
            if not np.isfinite(value) or value <= 0:
                raise ValueError(f"{name}: {value} is no positive resistance")


def transfer_matrix(conductance: Floats, wires: Wires | None) -> Floats:
    """M (columns x rows), siemens: bit-line currents = M @ word-line voltages.

    conductance: (rows, columns), siemens, 0 or more. wires: None for ideal ones, where M is the
    transposed conductance. Block elimination from the last column to the first; every pivot block
    is symmetric and diagonally dominant, so it never fails. ValueError for impossible values.
    """
    g = np.ascontiguousarray(conductance, np.float64)
    if g.ndim != 2 or not g.size or not np.isfinite(g).all() or (g < 0).any():
        raise ValueError("conductances must be a matrix of finite numbers, 0 or more")
    if wires is None:
        return g.T.copy()
    return _eliminated(g, wires)[0]


def _eliminated(g: Floats, wires: Wires) -> tuple[Floats, Floats]:
    """(M, voltages of the first node of each word line as multiples of the drivers' voltages)."""
    rows, columns = g.shape
    along = 1.0 / wires.word
    factor, pivot = _bit_lines(g, wires)
    reached = np.zeros((columns, rows))  # currents of columns j.. as multiples of word nodes j
    identity = np.arange(rows)
    behind: Floats | None = None  # inverse of the block to the right
    for j in range(columns - 1, -1, -1):
        inner = _solve(factor[:, j], pivot[:, j], np.diag(g[:, j]))  # bit nodes of unit word nodes
        block = -g[:, j, None] * inner
        block[identity, identity] += g[:, j]
        if behind is not None:  # a segment to the right
            block -= along * along * behind
            block[identity, identity] += along
            reached[j + 1 :] = along * (reached[j + 1 :] @ behind)
        left = along if j else 1.0 / wires.source
        block[identity, identity] += left
        reached[j] = inner[-1] / wires.sink
        behind = np.asarray(np.linalg.inv(block), np.float64)
    assert behind is not None
    first = np.asarray(behind / wires.source, np.float64)
    return np.asarray(reached @ first, np.float64), first


def floating_charges(conductance: Floats, wires: Wires, widths: Floats) -> Floats:
    """(columns,) charge over volts of one product whose rows float when their own pulse is over.

    widths: (rows,) seconds that each row is driven at one volt. Between two ends of pulses the network
    is linear: rows still driven hold their voltage, the others take the voltages at which no current
    enters them, so each time slice is one solution of the drivers' admittance matrix. Exact, and slow:
    a solution a slice, for every vector.
    """
    g = np.ascontiguousarray(conductance, np.float64)
    matrix, first = _eliminated(g, wires)
    rows = len(g)
    enters = (np.eye(rows) - first) / wires.source  # currents into the word lines, of unit voltages
    total, before = np.zeros(g.shape[1]), 0.0
    for end in np.unique(widths[widths > 0]):
        driven = widths >= end
        volts = driven.astype(np.float64)
        loose = ~driven
        if loose.any():
            push = -enters[np.ix_(loose, driven)].sum(axis=1)
            volts[loose] = np.linalg.solve(enters[np.ix_(loose, loose)], push)
        total += (end - before) * (matrix @ volts)
        before = float(end)
    return total


def _bit_lines(g: Floats, wires: Wires) -> tuple[Floats, Floats]:
    """Tridiagonal elimination of every bit line at once: (multipliers, pivots), (rows, columns)."""
    rows, columns = g.shape
    down = 1.0 / wires.bit
    own = g.copy()
    own[1:] += down
    own[:-1] += down
    own[-1] += 1.0 / wires.sink
    factor, pivot = np.zeros((rows, columns)), np.empty((rows, columns))
    pivot[0] = own[0]
    for i in range(1, rows):
        factor[i] = down / pivot[i - 1]
        pivot[i] = own[i] - factor[i] * down
    return factor, pivot


def _solve(factor: Floats, pivot: Floats, right: Floats) -> Floats:
    """T^-1 ``right`` for one bit line's tridiagonal T; right: (rows, any)."""
    rows = len(pivot)
    found = right.copy()
    for i in range(1, rows):
        found[i] += factor[i] * found[i - 1]
    found[-1] /= pivot[-1]
    for i in range(rows - 2, -1, -1):
        # the coupling over the pivot below is this row's multiplier of the next elimination step
        found[i] = found[i] / pivot[i] + factor[i + 1] * found[i + 1]
    return found
