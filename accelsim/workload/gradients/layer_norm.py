"""Layer normalisation: statistics of a row are computed again from the input, not stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    (x,), (scale, shift) = op.inputs, op.parameters
    if back.wants(x):
        path = back.toward(op, x)
        more = {"parameters": (scale,)}
        path.give(path.vector("layer_norm_gradient", [error, x], op.input_shape, **more))
    if back.wants(scale):
        path = back.toward(op, scale)
        product = path.vector("layer_norm_product", [error, x], op.input_shape)
        path.give(path.total(product, back.shape(scale)))
    if back.wants(shift):
        path = back.toward(op, shift)
        path.give(path.total(error, back.shape(shift)))
