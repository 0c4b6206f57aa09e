"""Programming and reading of many cells at once, compiled: the bits of statistical.py, block by block.

Curves arrive as rows of numbers, so that one compilation serves every device file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.noise.scalars import exp_one, log_one

Floats = NDArray[np.float64]
BLOCK = 1024  # cells at a time, so that the steps stay in the cache
POLY, CLAMP_LOG, POWER = 0.0, 1.0, 2.0
TERMS = 4  # coefficients of a polynomial


def encoded(record: dict[str, Any]) -> Floats | None:
    """A curve of tables/statistical.json as (times, x where the second piece starts) and two pieces
    (kind, four numbers), all in one row; None for a curve that has no such form."""
    times = 1.0
    if "times" in record:
        times, record = record["times"], record["of"]
    first, second, split = record, record, np.inf
    if "below" in record:
        first, second, split = record["then"], record["else"], record["below"]
    pieces = [_piece(first), _piece(second)]
    if pieces[0] is None or pieces[1] is None:
        return None
    return np.array([times, split, *pieces[0], *pieces[1]], np.float64)


def _piece(record: dict[str, Any]) -> list[float] | None:
    if "poly" in record and len(record["poly"]) <= TERMS:
        return [POLY, *record["poly"], *[0.0] * (TERMS - len(record["poly"]))]
    if "clamp_log" in record:
        return [CLAMP_LOG, *record["clamp_log"]]
    if "power" in record:
        return [POWER, *record["power"], 0.0]
    return None


def piece_into(found: Any, piece: Any, x: Any, logs: Any, count: int) -> None:
    """found[:count] = one piece of a curve at x; logs: of x."""
    a, b, c, d = piece[1], piece[2], piece[3], piece[4]
    if piece[0] == 0.0:
        for i in range(count):
            found[i] = ((d * x[i] + c) * x[i] + b) * x[i] + a
    elif piece[0] == 1.0:
        for i in range(count):
            found[i] = min(max(a * logs[i] + b, c), d)
    else:
        for i in range(count):
            found[i] = min(a * exp_one(b * logs[i]), c)


def curve_into(found: Any, curve: Any, x: Any, logs: Any, spare: Any, count: int) -> None:
    """found[:count] = the curve at x."""
    piece_into(found, curve[2:7], x, logs, count)
    if curve[1] < np.inf:
        piece_into(spare, curve[7:12], x, logs, count)
        for i in range(count):
            found[i] = found[i] if x[i] < curve[1] else spare[i]
    if curve[0] != 1.0:
        for i in range(count):
            found[i] = curve[0] * found[i]


class Programming(NamedTuple):
    """largest: g_max. smallest: x at which curves end. Curves of the error, of the drift exponents' mean and
    deviation."""

    largest: float
    smallest: float
    sigma: Any
    mean: Any
    spread: Any


class Reading(NamedTuple):
    """largest, smallest as in Programming. noise: curve of the read noise; factor: what the age makes of it. span: ln
    of the age in reference times, 0 without drift."""

    largest: float
    smallest: float
    noise: Any
    span: float
    factor: float


def program_cells(
    target: Any, law: Programming, error: Any, own: Any, conductance: Any, exponent: Any
) -> None:
    """Conductances and drift exponents of cells. error, own: deviates of the programming error and of the
    exponents; empty ones for none. All arrays of one dimension."""
    largest, smallest, sigma, mean, spread = law
    x, logs, one = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    two, spare = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, len(target), BLOCK):
        count = min(BLOCK, len(target) - first)
        goal = target[first : first + count]
        for i in range(count):
            x[i] = max(np.divide(goal[i], largest), smallest)
            logs[i] = log_one(x[i])
        if len(error) > 0:
            curve_into(one, sigma, x, logs, spare, count)
            for i in range(count):
                made = goal[i] + 1e-6 * one[i] * error[first + i]
                conductance[first + i] = made if made > 0.0 else 0.0
        if len(own) > 0:
            curve_into(one, mean, x, logs, spare, count)
            curve_into(two, spread, x, logs, spare, count)
            for i in range(count):
                exponent[first + i] = abs(one[i] + two[i] * own[first + i])


def read_cells(conductance: Any, exponent: Any, law: Reading, deviates: Any, found: Any) -> None:
    """Conductances as one read sees them. deviates: empty ones for no read noise."""
    largest, smallest, noise, span, factor = law
    x, logs, relative, spare = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, len(conductance), BLOCK):
        count = min(BLOCK, len(conductance) - first)
        g, nu = conductance[first : first + count], exponent[first : first + count]
        now = found[first : first + count]
        for i in range(count):
            now[i] = g[i] * exp_one(-nu[i] * span)
        if len(deviates) > 0:
            for i in range(count):
                x[i] = max(np.divide(g[i], largest), smallest)
                logs[i] = log_one(x[i])
            curve_into(relative, noise, x, logs, spare, count)
            for i in range(count):
                now[i] = now[i] + now[i] * relative[i] * factor * deviates[first + i]
        for i in range(count):
            now[i] = now[i] if now[i] > 0.0 else 0.0


CURVES = ((piece_into, (exp_one,)),)
PROGRAM = ((curve_into, CURVES), log_one)
READ = ((curve_into, CURVES), log_one, exp_one)
