"""Losses: what each row of a network's output costs, and the gradient of their mean over the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from accelsim.workload.vector_kind import Array, VectorKind

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator


def _shifted(x: Array) -> tuple[Array, Array]:
    """Scores less the largest of their row, and the sum of their exponentials."""
    centred = x - x.max(-1, keepdims=True)
    return centred, np.exp(centred).sum(-1, keepdims=True)


def _cross_entropy(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del op, more
    centred, total = _shifted(x[0])
    return np.asarray(np.log(total) - np.take_along_axis(centred, x[1].astype(np.int64), -1))


def _cross_entropy_gradient(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del op, more
    centred, total = _shifted(x[0])
    wanted = np.arange(x[0].shape[-1]) == x[1]
    return np.asarray((np.exp(centred) / total - wanted) / len(x[0]))


def _square_error(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del op, more
    return np.asarray(0.5 * ((x[0] - x[1]) ** 2).sum(-1, keepdims=True))


KINDS = {
    # scores (rows, classes), labels (rows, 1): max, subtract, exp, sum, log and pick
    "softmax_cross_entropy": VectorKind(
        "reduce",
        5,
        (2, 2),
        per="input",
        keys=("axes",),
        reals=_cross_entropy,
        indices=(1,),
        wide=True,
    ),
    # the softmax's five, subtract, multiply
    "softmax_cross_entropy_gradient": VectorKind(
        "row", 7, (2, 2), reals=_cross_entropy_gradient, indices=(1,), wide=True
    ),
    # half the sum of squares, of rows and what they should be: subtract, square, add
    "square_error": VectorKind(
        "reduce", 3, (2, 2), per="input", keys=("axes",), reals=_square_error, wide=True
    ),
    # subtract, multiply
    "square_error_gradient": VectorKind(
        "same", 2, (2, 2), reals=lambda op, x, more: (x[0] - x[1]) / len(x[0]), wide=True
    ),
}
