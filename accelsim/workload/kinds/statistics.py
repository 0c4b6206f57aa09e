"""Batch normalisation in training: statistics of a channel over all images, in steps whose parts fit a buffer.

Means over a plane, then over images, are those over both, since planes are equally large. The variance is the mean
square of what is left when the mean is taken off, not a difference of two large numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from accelsim.workload.kinds.gradients import FLOOR
from accelsim.workload.kinds.reductions import reduced_axes
from accelsim.workload.vector_kind import Array, VectorKind

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator


def _deviation(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del more
    return np.asarray(np.mean((x[0] - x[1]) ** 2, reduced_axes(op), keepdims=True))


def _by_channel(op: VectorOperator, values: Array) -> Array:
    return values.reshape(1, -1, *(1,) * (len(op.output_shape) - 2))


def _unit(x: Sequence[Array]) -> Array:
    """(values, mean, variance) as values of mean 0 and variance 1."""
    return np.asarray((x[0] - x[1]) / np.sqrt(x[2] + FLOOR))


def _normalise(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    return np.asarray(_unit(x) * _by_channel(op, more[0]) + _by_channel(op, more[1]))


def _product(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del more
    return np.asarray(np.sum(x[0] * _unit(x[1:]), reduced_axes(op), keepdims=True))


def _gradient(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    error, unit = x[0], _unit(x[1:4])
    count = error.size // error.shape[1]
    scale = _by_channel(op, more[0]) / np.sqrt(x[3] + FLOOR)
    return np.asarray(scale * (error - x[4] / count - unit * x[5] / count))


KINDS = {
    # values, mean: subtract, square, add; the mean of that
    "mean_square_deviation": VectorKind(
        "reduce", 3, (2, 2), per="input", keys=("axes",), reals=_deviation, wide=True
    ),
    # values, mean, variance: subtract, multiply; scale, shift
    "batch_normalise": VectorKind(
        "same",
        4,
        (3, 3),
        parameters=("scale", "shift"),
        by_channel=True,
        reals=_normalise,
        wide=True,
    ),
    # error, values, mean, variance: subtract, multiply; multiply, add
    "normalised_product": VectorKind(
        "reduce", 4, (4, 4), per="input", keys=("axes",), reals=_product, wide=True
    ),
    # error, values, mean, variance, sums of the error and of its products with the normalised values:
    # subtract, multiply; multiply, two subtracts, multiply
    "batch_norm_gradient": VectorKind(
        "same", 6, (6, 6), parameters=("scale",), by_channel=True, reals=_gradient, wide=True
    ),
}
