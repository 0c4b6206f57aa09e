"""Clips of tensors from their values: which reals the codes of a format stand for.

- max: least and largest value.
- percentile: the values that all but a share of the elements lie within, at either end.
- mse: the share of max's interval with the least squared error of the codes.
- pact (activations): [0, alpha] of Choi et al. 2018. alpha is learned there; here it is the one with the
  least squared error. Tensors with negative values have no PACT clip and get mse's.
- sawb (weights): alpha = c1 sqrt(E w^2) - c2 E|w| of Choi et al. 2019, one clip a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats import integer
from accelsim.numerics.quantize import affine, symmetric

Floats = NDArray[np.float64]
ACTIVATIONS = ("max", "percentile", "mse", "pact")
WEIGHTS = ("max", "mse", "sawb")
STEPS = 40  # shares of the interval that are tried, from 1 downwards
LEAST = 0.2  # the smallest of them
SAMPLE = 1 << 16  # elements that a search for the least error looks at, evenly taken
#: bits -> (c1, c2) of SAWB; source: IBM's FMS Model Optimizer, sawb_params
SAWB = {
    2: (3.12, -2.064),
    3: (7.509, -6.892),
    4: (12.68, -12.80),
    5: (17.74, -18.64),
    8: (31.76, -35.04),
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """How ranges follow from values. activations: one of ACTIVATIONS. weights: one of WEIGHTS, or ""
    for the default (max, of narrow formats mse, a channel). percentile: of the elements, 50 to 100."""

    activations: str = "max"
    weights: str = ""
    percentile: float = 99.99

    def __post_init__(self) -> None:
        for name, given, known in (
            ("--calibrate", self.activations, ACTIVATIONS),
            ("--weight-clip", self.weights, ("", *WEIGHTS)),
        ):
            if given not in known:
                listed = ", ".join(item for item in known if item)
                raise InputError(
                    Problem(
                        "calibrate.method",
                        f"{given!r} is no method of calibration",
                        f"write one of: {listed}",
                        file=name,
                    )
                )
        if not 50 < self.percentile <= 100:
            raise InputError(
                Problem(
                    "calibrate.percentile",
                    f"{self.percentile:g} lies not above 50 and up to 100",
                    "write 99.9",
                    file="--percentile",
                )
            )


def clip(values: Floats, format_name: str, how: Calibration) -> Floats:
    """(low, high) of a tensor's values for codes of an integer format."""
    low, high = float(values.min()), float(values.max())
    if how.activations == "max" or low == high:
        return np.array([low, high])
    if how.activations == "percentile":
        ends = np.percentile(values, [100 - how.percentile, how.percentile])
        return np.array([min(ends[0], 0.0) if low < 0 else 0.0, max(ends[1], 0.0)])
    if how.activations == "pact" and low >= 0:
        low = 0.0
    flat = values.ravel()
    return _least_error(flat[:: max(1, flat.size // SAMPLE)], low, high, format_name)


def _least_error(values: Floats, low: float, high: float, format_name: str) -> Floats:
    """The share of [low, high] whose codes have the least squared error; sums in the elements' order."""
    best, found = np.inf, 1.0
    for share in np.linspace(1.0, LEAST, STEPS):
        quant = affine(low * share, high * share, format_name)
        error = float(np.cumsum((quant.decode(quant.encode(values)) - values) ** 2)[-1])
        if error < best:
            best, found = error, float(share)
    return np.array([low * found, high * found])


def sawb(weight: Floats, format_name: str) -> float:
    """SAWB's clip of a tensor; InputError for widths without coefficients."""
    bits = integer(format_name).bits
    if bits not in SAWB:
        widths = ", ".join(map(str, SAWB))
        raise InputError(
            Problem(
                "calibrate.sawb",
                f"has no coefficients for {format_name}",
                f"use weights of {widths} bits",
                file="--weight-clip",
            )
        )
    first, second = SAWB[bits]
    size = np.abs(np.asarray(weight, np.float64)).ravel()
    square, mean = (
        float(np.cumsum(size * size)[-1]) / size.size,
        float(np.cumsum(size)[-1]) / size.size,
    )
    alpha = first * np.sqrt(square) + second * mean
    return float(alpha) if alpha > 0 else float(size.max())  # a tensor of equal magnitudes


def weight_clip(weight: Floats, format_name: str, method: str) -> Floats:
    """(channels,) clips of (k, channels): each one's largest magnitude, the one with the least squared
    error, or SAWB's for all."""
    peak = np.abs(weight).max(axis=0)
    if method == "sawb":
        return np.full(peak.shape, sawb(weight, format_name))
    if method == "max":
        return np.asarray(peak, np.float64)
    best, found = np.full(peak.shape, np.inf), np.asarray(peak, np.float64)
    for share in np.linspace(1.0, LEAST, STEPS):
        quant = symmetric(peak * share, format_name)
        error = np.cumsum((quant.decode(quant.encode(weight)) - weight) ** 2, axis=0)[-1]
        better = error < best
        best, found = np.where(better, error, best), np.where(better, peak * share, found)
    return found
