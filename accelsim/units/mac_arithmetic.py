"""Integer sums as a chain of n-bit adders forms them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

#: sums up to here are exact in float64, so BLAS may form them in any order (IEEE 754: 53 bits)
EXACT_IN_FLOAT64 = 1 << 53


def fit(values: Ints, bits: int, overflow: str) -> Ints:
    """values, int64, brought into a two's complement word of ``bits``: "wrap" or "saturate".

    At 64 bits int64 itself wraps; "saturate" then expects values that did not overflow.
    """
    if bits >= 64:
        return values
    half = np.int64(1) << np.int64(bits - 1)
    if overflow == "saturate":
        return np.clip(values, -half, half - 1)
    return ((values + half) & ((half << 1) - 1)) - half


def _largest(values: Ints) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def exact_sums(a: Ints, b: Ints) -> Ints:
    """a @ b modulo 2^64, int64; through float64 BLAS where that is exact.

    Every partial sum in any order is an integer of magnitude at most k max|a| max|b|; below 2^53
    each is a float64, so no addition rounds.
    """
    if a.shape[1] * _largest(a) * _largest(b) < EXACT_IN_FLOAT64:
        return np.asarray(a.astype(np.float64) @ b.astype(np.float64), np.float64).astype(np.int64)
    return np.asarray(a @ b, np.int64)


def ordered_sums(a: Ints, b: Ints, group: int, bits: int, overflow: str) -> Ints:
    """Sums over k from zero: ``group`` products summed exactly, then added in ascending k, each
    add wrapped or saturated at ``bits``.

    a: (m, k), b: (k, n), integer codes; result int64 (m, n). Wrapping is a ring homomorphism, so
    one wrap at the end equals a wrap at every add. Saturation needs the order, unless the largest
    magnitude any prefix can reach, max over outputs of |a| @ |b|, fits.
    """
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    depth = a.shape[1]
    limit = (1 << (bits - 1)) - 1
    if overflow == "wrap" or depth * _largest(a) * _largest(b) <= limit:
        return fit(exact_sums(a, b), bits, "wrap")
    if _largest(exact_sums(np.abs(a), np.abs(b))) <= limit:
        return exact_sums(a, b)
    total = np.zeros((a.shape[0], b.shape[1]), np.int64)
    for first in range(0, depth, group):
        part = slice(first, first + group)
        total = fit(total + exact_sums(a[:, part], b[part]), bits, "saturate")
    return total
