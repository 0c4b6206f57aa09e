"""Convolutions as matrix products: the lowered view of an input, weights as matrices, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.workload import Conv2d, MacOperator

Codes = NDArray[np.generic]


def lower_input(
    op: MacOperator, x: Codes, padding_value: int = 0, by_columns: bool = False
) -> Codes:
    """(groups, m, k) products' input operands; k over (channel, kernel row, kernel column).

    x: the operator's input tensor. padding_value: the code that stands for zero. A view of x
    where no copy is needed. by_columns: a convolution's operands lie in memory with m running
    fastest, which copies whole image rows.
    """
    if not isinstance(op, Conv2d):
        return x.reshape(op.groups, op.m, op.k)
    if (op.kernel, op.stride, op.padding) == ((1, 1), (1, 1), (0, 0, 0, 0)):
        wide = x.reshape(op.batch, op.groups, op.channels // op.groups, -1)
        if by_columns:
            return wide.transpose(1, 2, 0, 3).reshape(op.groups, op.k, op.m).transpose(0, 2, 1)
        return np.ascontiguousarray(wide.transpose(1, 0, 3, 2)).reshape(op.groups, op.m, op.k)
    top, left, bottom, right = op.padding
    if any(op.padding):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=padding_value)
    batch, channel, row, column = x.strides
    per_group = op.channels // op.groups
    windows = np.lib.stride_tricks.as_strided(
        x,
        (op.groups, op.batch, op.out_height, op.out_width, per_group, *op.kernel),
        (
            channel * per_group,
            batch,
            row * op.stride[0],
            column * op.stride[1],
            channel,
            row * op.dilation[0],
            column * op.dilation[1],
        ),
        writeable=False,
    )
    if by_columns:
        columns = windows.transpose(0, 4, 5, 6, 1, 2, 3)
        return np.ascontiguousarray(columns).reshape(op.groups, op.k, op.m).transpose(0, 2, 1)
    return np.ascontiguousarray(windows).reshape(op.groups, op.m, op.k)


def weight_matrix(op: MacOperator, weight: Codes) -> Codes:
    """(groups, k, n) weights of a convolution (OIHW; IOHW and turned where it reads them transposed) or a gemm."""
    if not isinstance(op, Conv2d):
        if op.weight_transposed:
            return weight.reshape(op.groups, op.n, op.k).transpose(0, 2, 1)
        return weight.reshape(op.groups, op.k, op.n)
    if op.weight_transposed:
        taps = weight.reshape(op.groups, -1, op.n, *op.kernel)[..., ::-1, ::-1]
        return np.ascontiguousarray(taps.transpose(0, 1, 3, 4, 2)).reshape(op.groups, op.k, op.n)
    return np.ascontiguousarray(weight.reshape(op.groups, op.n, op.k).transpose(0, 2, 1))


def weight_tensor(op: MacOperator, matrix: Codes) -> Codes:
    """The inverse of weight_matrix: weights (groups, k, n) in the operator's own shape."""
    if isinstance(op, Conv2d) and op.weight_transposed:
        taps = matrix.reshape(op.groups, -1, *op.kernel, op.n)[:, :, ::-1, ::-1]
        matrix = taps.transpose(0, 1, 4, 2, 3)
    elif isinstance(op, Conv2d) or op.weight_transposed:
        matrix = matrix.transpose(0, 2, 1)
    return np.ascontiguousarray(matrix).reshape(op.weight_shape)


def raise_output(op: MacOperator, matrix: Codes) -> Codes:
    """The output tensor in its own shape from (groups, m, n)."""
    if not isinstance(op, Conv2d):
        return matrix.reshape(op.output_shape)
    wide = matrix.reshape(op.groups, op.batch, op.out_height, op.out_width, op.n)
    return np.ascontiguousarray(wide.transpose(1, 0, 4, 2, 3)).reshape(op.output_shape)
