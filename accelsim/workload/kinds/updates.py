"""How optimisers change weights and their moments, element by element, each operation rounded on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from accelsim.workload.vector_kind import Array, VectorKind

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator


def _axpy(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del more
    return np.asarray(op.factors[0] * x[0] + x[1])


def _average(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del more
    return np.asarray(op.factors[0] * x[0] + (1.0 - op.factors[0]) * x[1])


def _average_of_squares(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    return _average(op, (x[0], x[1] * x[1]), more)


def _adam(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del more
    rate, root, floor = op.factors
    return np.asarray(x[0] - rate * x[1] / (np.sqrt(x[2]) / root + floor))


KINDS = {
    # a x + y of x, y: multiply, add
    "axpy": VectorKind("same", 2, (2, 2), factors=("a",), reals=_axpy, wide=True),
    # beta m + (1 - beta) g of m, g: two multiplies, add
    "moving_average": VectorKind("same", 3, (2, 2), factors=("beta",), reals=_average, wide=True),
    # the same of g squared
    "moving_average_of_squares": VectorKind(
        "same", 4, (2, 2), factors=("beta",), reals=_average_of_squares, wide=True
    ),
    # w - rate m / (sqrt(v) / root + floor) of w, m, v: square root, multiply, add, divide, multiply, subtract
    "adam_update": VectorKind(
        "same", 6, (3, 3), factors=("rate", "root", "floor"), reals=_adam, wide=True
    ),
}
