"""IR drop at another age without another extraction.

The exact matrix M of a crossbar (ir_drop.py) belongs to one set of conductances. A cell with a resistance
r in front passes g / (1 + r g); so M is taken apart as g / (1 + rho) + rest, rho of every cell, once, at
a reference age. What drops the voltage is the load of a cell's own two lines; at another age their sums of
conductances have changed by factors whose mean is c, and

    M(g') = g' / (1 + c rho) + c^2 rest

Common drift scales exactly for one cell, and to first order in the lines' load for many; what differs from
line to line is in c; how the change lies along a line is left out. rest, the paths over other cells, has
two cells in a row. The error is computed for sampled inputs by solving the wires themselves.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.ir_drop import Wires, transfer_matrix
from accelsim.devices.base import Floats

REFERENCE_AGE = 3600.0  # seconds after programming
FLOOR = 0.02  # of the mean conductance: weaker cells take their lines' mean attenuation
KEPT = 256 << 20  # bytes of attenuations that are remembered
SWEEPS = 400  # of the lines at most, before the whole is solved
CLOSE = 1e-8  # relative change of the currents at which sweeps end
VECTORS = 4
_known: OrderedDict[bytes, Attenuation] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Attenuation:
    """rho, rest (siemens): (rows, columns), see the module's note."""

    rho: NDArray[np.float32]
    rest: NDArray[np.float32]

    def matrix(self, reference: Floats, conductance: Floats) -> Floats:
        """(rows, columns) siemens from word-line voltages to bit-line currents, for other conductances of
        the same cells."""
        word, bit = (_ratio(conductance, reference, axis) for axis in (1, 0))
        c = 0.5 * (word[:, None] + bit[None, :])
        return np.asarray(conductance / (1.0 + c * self.rho) + c * c * self.rest, np.float64)


def _ratio(after: Floats, before: Floats, axis: int) -> Floats:
    """Sums of lines over what they were; 1 for lines without any. Rows and columns are added in order."""
    above, below = (np.cumsum(g, axis=axis).take(-1, axis=axis) for g in (after, before))
    return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1.0), 1.0), np.float64)


def attenuation(reference: Floats, wires: Wires) -> Attenuation:
    """Of conductances (rows, columns) at the reference age; remembered."""
    g = np.ascontiguousarray(reference, np.float64)
    text = f"{g.shape} {wires.word!r} {wires.bit!r} {wires.source!r} {wires.sink!r}"
    key = hashlib.sha256(g.tobytes() + text.encode()).digest()
    if key in _known:
        _known.move_to_end(key)
        return _known[key]
    exact = transfer_matrix(g, wires).T
    total, whole = g.sum(), exact.sum()
    rows, columns = (exact.sum(axis=axis) / np.maximum(g.sum(axis=axis), 1e-300) for axis in (1, 0))
    mean = np.outer(rows, columns) * (total / whole if whole else 1.0)
    floor = FLOOR * g.mean()
    passed = np.clip((exact + floor * mean) / np.maximum(g + floor, 1e-300), 1e-3, 1.0)
    made = Attenuation(
        (1.0 / passed - 1.0).astype(np.float32), (exact - g * passed).astype(np.float32)
    )
    _known[key] = made
    while len(_known) > 1 and sum(a.rho.nbytes + a.rest.nbytes for a in _known.values()) > KEPT:
        _known.popitem(last=False)
    return made


def sampled_error(conductance: Floats, matrix: Floats, wires: Wires, inputs: Floats) -> float:
    """Relative error of the currents that ``matrix`` gives for inputs (vectors, rows), volts, against the
    wires solved for them."""
    exact = currents(conductance, wires, inputs)
    off = inputs @ matrix - exact
    return float(np.sqrt((off * off).sum() / max(float((exact * exact).sum()), 1e-300)))


def currents(conductance: Floats, wires: Wires, inputs: Floats) -> Floats:
    """(vectors, columns) amperes for word-line voltages (vectors, rows): word lines and bit lines solved
    in turn, which always converges; slowly only where wires take nearly everything, and there the exact
    matrix is taken."""
    g = np.ascontiguousarray(conductance, np.float64)
    along = _Lines(g, 1.0 / wires.word, 1.0 / wires.source, 0.0)
    down = _Lines(np.ascontiguousarray(g.T), 1.0 / wires.bit, 0.0, 1.0 / wires.sink)
    v = np.asarray(inputs, np.float64).T
    bits = np.zeros((g.shape[1], g.shape[0], v.shape[1]))  # volts: bit line, row, vector
    before = np.zeros((g.shape[1], v.shape[1]))
    for _ in range(SWEEPS):
        words = along.solve(g[:, :, None] * bits.transpose(1, 0, 2), v / wires.source)
        bits = down.solve((g[:, :, None] * words).transpose(1, 0, 2), None)
        now = bits[:, -1] / wires.sink
        if np.abs(now - before).max() <= CLOSE * np.abs(now).max():
            return np.asarray(now.T, np.float64)
        before = now
    return np.asarray(inputs @ transfer_matrix(g, wires).T, np.float64)


class _Lines:
    """Parallel lines of nodes, each node with a conductance to a given voltage: eliminated once."""

    def __init__(self, g: Floats, along: float, first: float, last: float) -> None:
        own = g.copy()
        own[:, 1:] += along
        own[:, :-1] += along
        own[:, 0] += first
        own[:, -1] += last
        self.factor, self.pivot = np.zeros_like(own), np.empty_like(own)
        self.pivot[:, 0] = own[:, 0]
        for j in range(1, own.shape[1]):
            self.factor[:, j] = along / self.pivot[:, j - 1]
            self.pivot[:, j] = own[:, j] - self.factor[:, j] * along

    def solve(self, into: Floats, driven: Floats | None) -> Floats:
        """Volts (lines, nodes, vectors) for currents into every node; driven: (lines, vectors) more into
        the first."""
        found = into.copy()
        if driven is not None:
            found[:, 0] += driven
        for j in range(1, found.shape[1]):
            found[:, j] += self.factor[:, j, None] * found[:, j - 1]
        found[:, -1] /= self.pivot[:, -1, None]
        for j in range(found.shape[1] - 2, -1, -1):
            found[:, j] = (
                found[:, j] / self.pivot[:, j, None] + self.factor[:, j + 1, None] * found[:, j + 1]
            )
        return found
