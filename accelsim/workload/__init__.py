"""What to compute: operators and tensors."""

from accelsim.workload.operators import (
    Conv2d,
    Gemm,
    MacOperator,
    Operator,
    TensorSpec,
    VectorOperator,
    Workload,
)

__all__ = [
    "Conv2d",
    "Gemm",
    "MacOperator",
    "Operator",
    "TensorSpec",
    "VectorOperator",
    "Workload",
]
