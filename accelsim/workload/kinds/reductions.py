"""A whole axis, or several, become one element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.workload.vector_kind import Array, Reals, VectorKind

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator


def reduced_axes(op: VectorOperator) -> tuple[int, ...]:
    """Axes of the first input that become one element."""
    sizes = zip(op.input_shape, op.output_shape, strict=True)
    return tuple(axis for axis, (size, out) in enumerate(sizes) if size != out)


def _by(reduce: Callable[..., Any]) -> Reals:
    def reals(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
        del more
        return np.asarray(reduce(x[0], axis=reduced_axes(op), keepdims=True))

    return reals


def _squares(x: Array, **how: Any) -> Any:
    return np.sum(x * x, **how)


def _over(
    reduce: Callable[..., Any] | None, *from_onnx: str, operations: int = 1, holds: str = ""
) -> VectorKind:
    """An operation for each element read. reduce: what numpy does of it, None for what a trace does not say."""
    return VectorKind(
        "reduce",
        operations,
        per="input",
        keys=("axes",),
        reals=None if reduce is None else _by(reduce),
        from_onnx=from_onnx,
        holds=holds,
    )


KINDS = {
    "reduce_sum": _over(np.sum, "ReduceSum", "ReduceL1", "ReduceLogSum"),
    "reduce_mean": _over(np.mean, "ReduceMean", "GlobalAveragePool"),
    "reduce_max": _over(np.max, "ReduceMax", "GlobalMaxPool"),
    "reduce_min": _over(np.min, "ReduceMin"),
    "reduce_product": _over(np.prod, "ReduceProd"),
    "reduce_arg_max": _over(None, "ArgMax", "ArgMin", holds="int32"),
    "reduce_square": _over(  # square, add
        _squares, "ReduceSumSquare", "ReduceL2", "GlobalLpPool", "ReduceLogSumExp", operations=2
    ),
}
