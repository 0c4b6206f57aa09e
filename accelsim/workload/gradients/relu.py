"""The error where the output is above 0; where the input is exactly 0, nothing, as in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    path = back.toward(op, op.inputs[0])
    path.give(path.vector("relu_gradient", [error, op.output], op.output_shape))
