"""Batch normalisation in training: forward by the batch's own mean and variance; running ones are not kept.

A batch_norm in a layer trace is the folded one of inference, a scale and a shift. Here it becomes mean, variance and
batch_normalise; what follows from the batch's statistics is part of the gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from accelsim.workload.backward import Path

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import Operator, VectorOperator


def training(op: VectorOperator, back: Backward) -> Operator:
    path = Path(back, op.name, op.output, "forward")
    (x,), images = op.inputs, (0,)
    plane = tuple(range(2, len(op.input_shape)))
    channel = (1, op.input_shape[1], *(1,) * len(plane))
    each = (op.input_shape[0], *channel[1:])
    mean = path.reduce(path.reduce(x, plane, "reduce_mean"), images, "reduce_mean")
    squares = path.vector("mean_square_deviation", [x, mean], each)
    variance = path.reduce(squares, images, "reduce_mean")
    inputs = (x, mean, variance)
    made = replace(
        op, kind="batch_normalise", inputs=inputs, input_shapes=(op.input_shape, channel, channel)
    )
    back.append(made)
    return replace(op, inputs=inputs, input_shapes=made.input_shapes)


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    (x, mean, variance), (scale, shift) = op.inputs, op.parameters
    path = back.toward(op, scale)
    channel = op.input_shapes[1]
    each = (op.input_shape[0], *channel[1:])
    product = path.vector("normalised_product", [error, x, mean, variance], each)
    along = path.reshape(path.total(product, channel), channel)
    total = path.total(error, channel)
    if back.wants(scale):
        path.give(along)
    if back.wants(shift):
        back.toward(op, shift).give(total)
    if back.wants(x):
        data = back.toward(op, x)
        read = [error, x, mean, variance, total, along]
        data.give(data.vector("batch_norm_gradient", read, op.input_shape, parameters=(scale,)))
