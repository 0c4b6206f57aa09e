"""The vector unit's arithmetic on codes: element-wise operators and pooling, region by region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.numerics.quantize import (
    MOST_IN_INT64,
    Quantization,
    narrowed,
    peak_of,
    ratio,
    rescale,
)
from accelsim.workload import VectorOperator

Ints = NDArray[np.int64]
ADD_BITS = 20  # fraction bits of the two input scales of an addition of codes of up to 12 bits
SPARE_BITS = (
    8  # those of wider codes, less their own: the factors' error stays below 2^-8 of an output code
)


def _rounded(numerator: Ints, shift: int) -> Ints:
    """numerator / 2^shift, ties to even; of int64 or of Python's integers."""
    floor = numerator >> shift
    rest = numerator - (floor << shift)
    half = 1 << (shift - 1)
    up = (rest > half) | ((rest == half) & ((floor & 1) == 1))
    return np.asarray(floor + up)


def divided(numerator: Ints, divisor: Ints | int) -> Ints:
    """numerator / divisor (> 0), ties to even."""
    floor = numerator // divisor
    rest = 2 * (numerator - floor * divisor)
    up = (rest > divisor) | ((rest == divisor) & ((floor & 1) == 1))
    return np.asarray(floor + up, np.int64)


def _sum(inputs: list[Ints], quants: list[Quantization], out: Quantization) -> Ints:
    """The inputs' reals in units of the output's scale, rounded once; int64 where it holds every step, else
    Python's integers (accumulators and outputs of more than 32 bits)."""
    bits = max(ADD_BITS, SPARE_BITS + max(q.record.bits for q in quants))
    factors = [int(np.rint(float(ratio(q.scale, out.scale)) * (1 << bits))) for q in quants]
    reach = sum(
        (peak_of(x) + abs(q.zero)) * factor
        for x, q, factor in zip(inputs, quants, factors, strict=True)
    )
    wide = reach > MOST_IN_INT64
    terms = [
        ((x.astype(object) if wide else x) - q.zero) * factor
        for x, q, factor in zip(inputs, quants, factors, strict=True)
    ]
    total = _rounded(np.asarray(sum(terms[1:], terms[0])), bits)
    return narrowed(total) if wide else np.asarray(total, np.int64)


def _product(inputs: list[Ints], quants: list[Quantization], out: Quantization) -> Ints:
    """The product of the inputs' reals in units of the output's scale, by a multiplier of 23 bits."""
    fraction, exponent = np.frexp(float(ratio(quants[0].scale * quants[1].scale, out.scale)))
    first, second = (x - q.zero for x, q in zip(inputs, quants, strict=True))
    factor, right = int(np.rint(fraction * 2.0**31)) >> 8, 31 - int(exponent) - 8
    reach = peak_of(first) * peak_of(second)
    if 1 <= right <= 62 and reach * factor <= MOST_IN_INT64:
        return np.asarray(_rounded(first * second * factor, right), np.int64)
    if reach > MOST_IN_INT64:
        first = first.astype(object)
    return rescale(first * second, np.array([factor]), np.array([right]))


def elementwise(
    op: VectorOperator, inputs: list[Ints], quants: list[Quantization], out: Quantization
) -> Ints:
    """relu, add and multiply on equal boxes of codes of any width; what leaves the output's codes saturates."""
    if op.kind in ("add", "multiply"):
        codes = (_sum if op.kind == "add" else _product)(inputs, quants, out)
        limits = np.iinfo(np.int64)
        if out.zero:
            codes = (
                np.clip(codes, limits.min + abs(out.zero), limits.max - abs(out.zero)) + out.zero
            )
    else:
        codes = inputs[0]
    floor = out.zero if op.kind == "relu" or op.activation == "relu" else out.minimum
    return np.clip(codes, floor, out.maximum)


def pool(
    op: VectorOperator, x: Ints, row0: int, column0: int, out_row0: int, rows: int, zero: int
) -> Ints:
    """Pooling of output rows out_row0 .. out_row0 + rows from an input box that starts at row0.

    Padding never wins a maximum and is left out of an average. Sums of codes that could leave int64 are
    Python's integers.
    """
    if op.kind != "max_pool" and peak_of(x) + abs(zero) > MOST_IN_INT64 // max(
        1, x.shape[2] * x.shape[3]
    ):
        return narrowed(_pool(op, x.astype(object), row0, column0, out_row0, rows, zero))
    return _pool(op, x, row0, column0, out_row0, rows, zero)


def _pool(
    op: VectorOperator, x: Ints, row0: int, column0: int, out_row0: int, rows: int, zero: int
) -> Ints:
    if op.kind == "global_average_pool":
        count = x.shape[2] * x.shape[3]
        total = (x - zero).sum(axis=(2, 3), keepdims=True)
        return divided(total, count) + zero
    (kh, kw), (sh, sw), (top, left, _, _) = op.kernel, op.stride, op.padding
    width = op.output_shape[3]
    lowest = np.iinfo(np.int64).min
    best = np.full((*x.shape[:2], rows, width), lowest if op.kind == "max_pool" else 0, x.dtype)
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
