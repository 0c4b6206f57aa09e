"""Y = X W + b: dX = dY W^T, dW = X^T dY, db the rows of dY added up; nothing is transposed in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import Gemm


def gradient(op: Gemm, error: str, back: Backward) -> None:
    if back.wants(op.input):
        data = back.toward(op, op.input, "backward_data")
        sizes = op.groups, op.m, op.n, op.k
        data.give(data.gemm(error, op.weight, sizes, not op.weight_transposed))
    if back.wants(op.weight):
        weight = back.toward(op, op.weight, "backward_weight")
        # a convolution of 1 x 1 adds over channels: here the rows of both, which lie as channels do
        wide, tall = (op.input, error) if op.weight_transposed else (error, op.input)
        columns, filters = (op.k, op.n) if op.weight_transposed else (op.n, op.k)
        rows = op.groups * op.m
        made = weight.conv(
            weight.reshape(wide, (1, rows, columns, 1)),
            weight.reshape(tall, (rows, filters, 1, 1)),
            op.groups * filters,
            (1, 1),
            groups=op.groups,
            weight_transposed=True,
        )
        weight.give(made)
    if op.bias is not None and back.wants(op.bias):
        bias = back.toward(op, op.bias)
        each = (op.groups, 1, op.n) if op.groups > 1 else (1, op.n)
        bias.give(bias.total(error, each))
