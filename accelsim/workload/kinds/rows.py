"""Over the whole last axis, of the same shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from accelsim.workload.vector_kind import Array, VectorKind

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator

RMS_FLOOR = 1e-6  # added to the mean square


def _rms_norm(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del op
    mean = np.mean(x[0] ** 2, -1, keepdims=True)
    return np.asarray(x[0] / np.sqrt(mean + RMS_FLOOR) * more[0])


LAST = {"axis": -1}
KINDS = {
    # max, subtract, exp, sum, multiply
    "softmax": VectorKind(
        "row", 5, onnx=("Softmax", LAST), from_onnx=("Softmax", "Hardmax"), wide=True
    ),
    # max, subtract, exp, sum, subtract
    "log_softmax": VectorKind(
        "row", 5, onnx=("LogSoftmax", LAST), from_onnx=("LogSoftmax",), wide=True
    ),
    # mean, subtract, square, sum, multiply; scale, shift
    "layer_norm": VectorKind(
        "row",
        7,
        parameters=("scale", "shift"),
        onnx=("LayerNormalization", LAST),
        from_onnx=("MeanVarianceNormalization",),
        wide=True,
    ),
    # square, sum, multiply; scale
    "rms_norm": VectorKind("row", 4, parameters=("scale",), reals=_rms_norm, wide=True),
    # square, sum, multiply
    "lp_norm": VectorKind("row", 3, from_onnx=("LpNormalization",), wide=True),
    # as layer_norm
    "group_norm": VectorKind("row", 7, parameters=("scale", "shift"), by_channel=True, wide=True),
    # square, sum of five, look up, multiply
    "local_response_norm": VectorKind("row", 8, wide=True),
    "cumulative_sum": VectorKind("row", from_onnx=("CumSum",)),
    # top of a row: compares along a tree
    "sort": VectorKind("row", 8),
}
