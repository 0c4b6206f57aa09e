"""Each row of the error is added to the row of the table that it came from; all other rows are zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    path = back.toward(op, op.inputs[0])
    path.give(path.vector("scatter_add", [error, op.inputs[1]], op.input_shape))
