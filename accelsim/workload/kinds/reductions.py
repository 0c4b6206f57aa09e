"""A whole axis, or several, become one element."""

from __future__ import annotations

from accelsim.workload.vector_kind import VectorKind


def _over(onnx: str, *from_onnx: str, operations: int = 1, holds: str = "") -> VectorKind:
    """An operation for each element read. onnx: the operator that computes it over axes, "" for none."""
    return VectorKind(
        "reduce",
        operations,
        per="input",
        keys=("axes",),
        onnx=(onnx, {"keepdims": 1}) if onnx else None,
        from_onnx=((onnx,) if onnx else ()) + from_onnx,
        holds=holds,
    )


KINDS = {
    "reduce_sum": _over("ReduceSum", "ReduceL1", "ReduceLogSum"),
    "reduce_mean": _over("ReduceMean", "GlobalAveragePool"),
    "reduce_max": _over("ReduceMax", "GlobalMaxPool"),
    "reduce_min": _over("ReduceMin"),
    "reduce_product": _over("ReduceProd"),
    "reduce_arg_max": _over("", "ArgMax", "ArgMin", holds="int32"),
    "reduce_square": _over(  # square, add
        "ReduceSumSquare", "ReduceL2", "GlobalLpPool", "ReduceLogSumExp", operations=2
    ),
}
