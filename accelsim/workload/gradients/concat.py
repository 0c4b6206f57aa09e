"""Each input has its part of the error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    sizes = zip(op.output_shape, op.input_shape, strict=True)
    axis = next((axis for axis, (out, size) in enumerate(sizes) if out != size), 0)
    begin = 0
    for name, shape in zip(op.inputs, op.input_shapes, strict=True):
        if back.wants(name):
            path = back.toward(op, name)
            offset = tuple(begin if a == axis else 0 for a in range(len(shape)))
            path.give(path.vector("slice", [error], shape, offset=offset))
        begin += shape[axis]
