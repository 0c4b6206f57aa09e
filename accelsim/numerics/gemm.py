"""Exact integer matrix products through floating-point BLAS, only where that is provably exact.

A float32 sum of integers is exact as long as every partial sum, in any order, stays below 2^24 in
magnitude (float64: 2^53). |sum| <= K max|a| max|b|, so K is cut into pieces that keep the bound,
and the pieces are added in int64. Fused multiply-adds round an exact value to itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
FLOAT32_EXACT, FLOAT64_EXACT = 1 << 24, 1 << 53


def largest(values: NDArray[np.generic]) -> int:
    """max |values|, 0 for none."""
    if values.size == 0:
        return 0
    return max(abs(int(values.max())), abs(int(values.min())))


def exact_matmul(a: NDArray[np.generic], b: NDArray[np.generic], bound: int | None = None) -> Ints:
    """a (m, k) times b (k, n) as int64, exactly; operands hold integers in any dtype.

    bound: max|a| max|b| when the caller knows it. OverflowError when the result could pass 2^63.
    """
    depth = a.shape[1]
    product = largest(a) * largest(b) if bound is None else bound
    if product * max(1, depth) >= 1 << 63:
        raise OverflowError("the exact result could pass 2^63")
    if product * min(depth, 64) < FLOAT32_EXACT:
        limit = FLOAT32_EXACT
    elif product < FLOAT64_EXACT // 16:
        limit = FLOAT64_EXACT
    else:
        return a.astype(np.int64) @ b.astype(np.int64)
    kind = "float32" if limit == FLOAT32_EXACT else "float64"
    step = depth if product == 0 else max(1, (limit - 1) // product)
    left, right = a.astype(kind, copy=False), b.astype(kind, copy=False)
    if step >= depth:
        return np.asarray(left @ right).astype(np.int64)
    total = np.zeros((a.shape[0], b.shape[1]), np.int64)
    part = np.empty(total.shape, kind)
    for low in range(0, depth, step):
        np.matmul(left[:, low : low + step], right[low : low + step], out=part)
        np.add(total, part, out=total, casting="unsafe")
    return total
