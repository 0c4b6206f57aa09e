"""The error, in equal shares, to all elements of its plane: a window as large as that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    path = back.toward(op, op.inputs[0])
    plane = op.input_shape[2:]
    path.give(
        path.vector("average_pool_gradient", [error], op.input_shape, kernel=plane, stride=plane)
    )
