"""Y = A B: the error times the other factor, summed over the axes along which one was broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    for name, other, shape in zip(op.inputs, op.inputs[::-1], op.input_shapes, strict=True):
        if back.wants(name):
            path = back.toward(op, name)
            path.give(path.total(path.vector("multiply", [error, other], op.output_shape), shape))
