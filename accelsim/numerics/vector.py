"""The vector unit's arithmetic on codes: element-wise operators and pooling, region by region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.numerics.quantize import Quantization, fixed_point
from accelsim.workload import VectorOperator

Ints = NDArray[np.int64]
ADD_BITS = 20  # fraction bits of the two input scales of an addition


def _rounded(numerator: Ints, shift: int) -> Ints:
    """numerator / 2^shift, ties to even."""
    floor = numerator >> shift
    rest = numerator - (floor << shift)
    half = 1 << (shift - 1)
    up = (rest > half) | ((rest == half) & ((floor & 1) == 1))
    return np.asarray(floor + up, np.int64)


def divided(numerator: Ints, divisor: Ints | int) -> Ints:
    """numerator / divisor (> 0), ties to even."""
    floor = numerator // divisor
    rest = 2 * (numerator - floor * divisor)
    up = (rest > divisor) | ((rest == divisor) & ((floor & 1) == 1))
    return np.asarray(floor + up, np.int64)


def _scaled(factor: float) -> int:
    return int(np.rint(factor * (1 << ADD_BITS)))


def elementwise(op: VectorOperator, inputs: list[Ints], quants: list[Quantization],
                out: Quantization) -> Ints:  # fmt: skip
    """relu, add and multiply on equal boxes of codes."""
    zero, record = out.zero, out.record
    if op.kind == "add":
        wide = sum(
            (x - q.zero) * _scaled(float(q.scale / out.scale))
            for x, q in zip(inputs, quants, strict=True)
        )
        codes = _rounded(np.asarray(wide, np.int64), ADD_BITS) + zero
    elif op.kind == "multiply":
        factor = quants[0].scale * quants[1].scale / out.scale
        multiplier, shift = fixed_point(np.array([factor]))
        product = (inputs[0] - quants[0].zero) * (inputs[1] - quants[1].zero)
        codes = _rounded(product * (int(multiplier[0]) >> 8), max(1, int(shift[0]) - 8)) + zero
    else:
        codes = inputs[0]
    floor = zero if op.kind == "relu" or op.activation == "relu" else record.minimum
    return np.clip(codes, floor, record.maximum)


def pool(op: VectorOperator, x: Ints, row0: int, column0: int, out_row0: int, rows: int,
         zero: int) -> Ints:  # fmt: skip
    """Pooling of output rows out_row0 .. out_row0 + rows from an input box that starts at row0.

    Padding never wins a maximum and is left out of an average.
    """
    if op.kind == "global_average_pool":
        count = x.shape[2] * x.shape[3]
        total = (x - zero).sum(axis=(2, 3), keepdims=True)
        return divided(total, count) + zero
    (kh, kw), (sh, sw), (top, left, _, _) = op.kernel, op.stride, op.padding
    width = op.output_shape[3]
    lowest = np.iinfo(np.int64).min
    best = np.full((*x.shape[:2], rows, width), lowest if op.kind == "max_pool" else 0, np.int64)
    count = np.zeros((rows, width), np.int64)
    for i in range(kh):
        r, to_r = _reached(out_row0 * sh - top + i - row0, sh, rows, x.shape[2])
        for j in range(kw):
            c, to_c = _reached(j - left - column0, sw, width, x.shape[3])
            values, place = x[:, :, r, c], best[:, :, to_r, to_c]
            if op.kind == "max_pool":
                np.maximum(place, values, out=place)
            else:
                place += values - zero
            count[to_r, to_c] += 1
    if op.kind == "max_pool":
        return best
    return divided(best, np.maximum(count, 1)) + zero


def _reached(first: int, stride: int, outputs: int, size: int) -> tuple[slice, slice]:
    """Of positions first, first + stride, ...: those in 0..size - 1, and the outputs that they belong to."""
    low = max(0, -(first // stride)) if first < 0 else 0
    high = min(outputs, -((first - size) // stride)) if first < size else 0
    high = max(low, high)
    begin = first + low * stride
    return slice(begin, begin + (high - low) * stride, stride), slice(low, high)
