"""Gains and offsets of a crossbar's outputs from a few calibration reads, no noisier than they need be.

Least squares over r reads gives output c a gain g_c with a variance of its own,

    v_c = s_c^2 / sum got^2,    s_c^2 = sum (ideal - fit)^2 / (r - parameters)

so of the spread of the gains over the outputs only tau^2 = max(0, mean (g_c - g)^2 - mean v_c) is the cells'
own, g the gain common to all. The estimate with the least expected error, of the method of moments, lies
between: g + (g_c - g) tau^2 / (tau^2 + v_c). Offsets go the same way, with s_c^2 / r.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from accelsim.devices.base import Floats


def gains_and_offsets(
    got: Floats, ideal: Floats, kind: Literal["global", "column", "affine"]
) -> tuple[Floats, Floats]:
    """(gain, offset) of every output, so that gain got + offset is nearest to ideal, both (reads, outputs):
    one gain for all ("global"), one an output ("column"), or an offset too ("affine"). Outputs that give
    nothing keep a gain of 1."""
    reads, outputs = got.shape
    mean_got = mean_ideal = np.zeros(outputs)
    if kind == "affine":
        mean_got, mean_ideal = column_sums(got) / reads, column_sums(ideal) / reads
        got, ideal = got - mean_got, ideal - mean_ideal
    below, above = column_sums(got * got), column_sums(got * ideal)
    live = below > 0
    common = (
        float(np.cumsum(above)[-1]) / max(float(np.cumsum(below)[-1]), 1e-300)
        if live.any()
        else 1.0
    )
    if kind == "global":
        return np.full(outputs, common), np.zeros(outputs)
    gain = np.where(live, above / np.where(live, below, 1.0), 1.0)
    off = ideal - gain * got
    free = reads - (2 if kind == "affine" else 1)
    square = column_sums(off * off) / free if free > 0 else np.full(outputs, np.inf)
    gain[live] = shrunk(gain[live], square[live] / below[live], common)
    if kind == "column":
        return gain, np.zeros(outputs)
    offset = mean_ideal - gain * mean_got
    return gain, shrunk(offset, square / reads, float(np.cumsum(offset)[-1]) / outputs)


def column_sums(values: Floats) -> Floats:
    """Sums of the columns, rows in order whatever the machine."""
    return np.asarray(np.cumsum(values, axis=0)[-1], np.float64)


def shrunk(values: Floats, variances: Floats, common: float) -> Floats:
    """Estimates with variances of their own drawn towards what is common to them, as far as their spread
    is no more than the variances explain."""
    if not len(values) or not np.isfinite(variances).all():
        return np.full_like(values, common)
    spread = float(np.cumsum((values - common) ** 2 - variances)[-1]) / len(values)
    if spread <= 0.0:
        return np.full_like(values, common)
    return np.asarray(common + (values - common) * (spread / (spread + variances)), np.float64)
