"""Conductance levels: how many values a cell holds, and where they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Floats


def evenly_spaced(count: int, g_max: float, g_min: float = 0.0) -> Floats:
    """``count`` levels (siemens) from g_min to g_max at equal distances."""
    if count < 2 or not 0 <= g_min < g_max:
        raise ValueError("at least two levels, and 0 <= g_min < g_max")
    return np.asarray(g_min + (g_max - g_min) * np.arange(count) / (count - 1), np.float64)


def error_spaced(
    count: int, g_max: float, sigma: Floats, grid: Floats, g_min: float = 0.0
) -> Floats:
    """``count`` levels with equal distances in units of the error.

    sigma: standard deviation (siemens) at the conductances of ``grid`` (rising). Neighbouring
    levels are then confused equally often: the distance between them over the sum of their
    deviations is the same everywhere, as far as sigma is smooth.
    """
    if count < 2 or (np.diff(grid) <= 0).any() or (sigma <= 0).any():
        raise ValueError("at least two levels, a rising grid and positive deviations")
    inside = (grid >= g_min) & (grid <= g_max)
    points, density = grid[inside], 1.0 / sigma[inside]
    steps = np.diff(points) * 0.5 * (density[1:] + density[:-1])
    measure = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.arange(count) / (count - 1) * measure[-1]
    return np.asarray(np.interp(places, measure, points), np.float64)


def nearest(levels: Floats, values: Floats) -> NDArray[np.int64]:
    """Number of the level nearest to each value; the lower one of two equally near."""
    middles = 0.5 * (levels[1:] + levels[:-1])
    return np.searchsorted(middles, values, side="left").astype(np.int64)
