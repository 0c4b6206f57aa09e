"""The error goes to the largest element of its window, to the first of equal ones in row order, as in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    path = back.toward(op, op.inputs[0])
    window = {"kernel": op.kernel, "stride": op.stride, "padding": op.padding}
    path.give(path.vector("max_pool_gradient", [error, op.inputs[0]], op.input_shape, **window))
