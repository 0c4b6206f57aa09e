"""Y = A + B: the error goes to both, summed over the axes along which one was broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    for name, shape in zip(op.inputs, op.input_shapes, strict=True):
        if back.wants(name):
            path = back.toward(op, name)
            path.give(path.total(error, shape))
