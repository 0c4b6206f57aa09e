"""Gradients of vector operators: what a loss changes with their input, from that of their output (``error``, the first
tensor read). Operations are named beside kinds that take several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from accelsim.workload.kinds.elementwise import normal
from accelsim.workload.vector_kind import Array, VectorKind

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator

FLOOR = 1e-5  # added to a variance: torch's and ONNX's default
WINDOW = ("kernel", "stride", "padding")


def _relu(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    """The error where the output is above 0: nothing passes where a ReLU's input is exactly 0."""
    del op, more
    return np.where(x[1] > 0, x[0], 0.0)


def _taps(op: VectorOperator, height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of a padded plane under each tap of a pool's kernel, row after row. height, width: of what is
    pooled to."""
    for i, j in np.ndindex(*op.kernel):
        yield (
            slice(i, i + (height - 1) * op.stride[0] + 1, op.stride[0]),
            slice(j, j + (width - 1) * op.stride[1] + 1, op.stride[1]),
        )


def _spread(op: VectorOperator, x: Array) -> tuple[Array, Array, tuple[slice, slice]]:
    """What is pooled, padded with minus infinity; zeros of that shape; and where in it the plane is."""
    top, left, bottom, right = op.padding
    around = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = np.pad(x, around, constant_values=-np.inf)
    rows, columns = x.shape[2:]
    return padded, np.zeros_like(padded), (slice(top, top + rows), slice(left, left + columns))


def _max_pool(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    """The error at the largest element under each window, at the first of equal ones in row order."""
    del more
    error, (padded, out, inside) = x[0], _spread(op, x[1])
    most, first = np.full(error.shape, -np.inf), np.zeros(error.shape, np.int64)
    taps = list(_taps(op, *error.shape[2:]))
    for number, (down, across) in enumerate(taps):
        here = padded[:, :, down, across]
        first[here > most] = number
        most = np.maximum(most, here)
    for number, (down, across) in enumerate(taps):
        out[:, :, down, across] += np.where(first == number, error, 0.0)
    return np.asarray(out[:, :, inside[0], inside[1]])


def _average_pool(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    """An equal share of the error for every element under a window; padding has none."""
    del more
    error, (padded, out, inside) = x[0], _spread(op, np.zeros(op.output_shape))
    taps = list(_taps(op, *error.shape[2:]))
    held = sum((padded[:, :, down, across] == 0.0).astype(np.int64) for down, across in taps)
    for down, across in taps:
        out[:, :, down, across] += error / held
    return np.asarray(out[:, :, inside[0], inside[1]])


def _softmax(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del op, more
    return np.asarray(x[1] * (x[0] - (x[0] * x[1]).sum(-1, keepdims=True)))


def _gelu(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del op, more
    density = np.exp(-0.5 * x[1] * x[1]) / sqrt(2.0 * pi)
    return np.asarray(x[0] * (normal(x[1]) + x[1] * density))


def normalised(x: Array) -> tuple[Array, Array]:
    """Rows less their mean over their deviation, and one over the deviation, along the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    scale = 1.0 / np.sqrt((centred * centred).mean(-1, keepdims=True) + FLOOR)
    return centred * scale, scale


def _layer_norm(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del op
    (unit, scale), error = normalised(x[1]), x[0] * more[0]
    mean, along = error.mean(-1, keepdims=True), (error * unit).mean(-1, keepdims=True)
    return np.asarray(scale * (error - mean - unit * along))


KINDS = {
    # a compare that selects
    "relu_gradient": VectorKind("same", 1, (2, 2), reals=_relu),
    # error, what was pooled: a compare or an add for each place of a window
    "max_pool_gradient": VectorKind(
        "move", 1, (2, 2), per="window", keys=WINDOW, shaped=True, reals=_max_pool
    ),
    "average_pool_gradient": VectorKind(
        "move", 1, per="window", keys=WINDOW, shaped=True, reals=_average_pool
    ),
    # error, output: multiply, sum, subtract, multiply
    "softmax_gradient": VectorKind("row", 4, (2, 2), reals=_softmax, wide=True),
    # error, output: subtract, two multiplies
    "sigmoid_gradient": VectorKind(
        "same", 3, (2, 2), reals=lambda op, x, more: x[0] * x[1] * (1.0 - x[1]), wide=True
    ),
    "tanh_gradient": VectorKind(
        "same", 3, (2, 2), reals=lambda op, x, more: x[0] * (1.0 - x[1] * x[1]), wide=True
    ),
    # error, input: two look-ups, multiply, add, multiply
    "gelu_gradient": VectorKind("same", 5, (2, 2), reals=_gelu, wide=True),
    # error, input: mean, subtract, square, sum, multiply; scale; sum, multiply, sum; multiply, two subtracts, multiply
    "layer_norm_gradient": VectorKind(
        "row", 13, (2, 2), parameters=("scale",), reals=_layer_norm, wide=True
    ),
    # error, input: the first five, and a multiply: what the scale's gradient adds up
    "layer_norm_product": VectorKind(
        "row", 6, (2, 2), reals=lambda op, x, more: x[0] * normalised(x[1])[0], wide=True
    ),
}
