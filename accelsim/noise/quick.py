"""Quick normal deviates in single precision: about a nanosecond apiece, true to 1e-6.

Philox 4x32-10 (Salmon et al., SC 2011) makes 128 bits of each block's number; Box and Muller (Annals of
Mathematical Statistics 29, 1958) make four deviates of them, two a radius (31 bits) and an angle (32
bits). Element e is a function of (stream, e) alone. Tails reach 6.6 deviations. Only integers and
exactly rounded operations are used, so bits are the same everywhere; the logarithm and the sines are
Taylor's series on small arguments.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.noise.counter import Stream

Singles = NDArray[np.float32]
Words = NDArray[np.uint64]
FOUR = 4  # deviates of a block
BLOCKS = 1 << 14  # at a time in NumPy, so that the steps stay in the cache

#: Philox 4x32: multipliers, what the keys grow by, rounds
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
ROUNDS = 10
LOW, HALF_WORD = np.uint64(0xFFFFFFFF), np.uint64(32)

F = np.float32
HALF, ONE = F(0.5), F(1.0)
#: 2 ln m = 4 (t + t^3 / 3 + ...), t = (m - 1) / (m + 1); m from the square root of a half on, by its bits
ROOT, MANTISSA = np.int32(0x3F3504F3), np.int32(0x7FFFFF)
LN4 = F(2.0 * math.log(2.0))
L1, L3, L5, L7, L9 = (F(4.0 / k) for k in (1, 3, 5, 7, 9))
QUARTER = F(math.pi / 2.0 * 2.0**-30)  # radians a step of an angle of 32 bits
S3, S5, S7, S9 = (F(sign / math.factorial(k)) for sign, k in ((-1, 3), (1, 5), (-1, 7), (1, 9)))
C2, C4, C6, C8 = (F(sign / math.factorial(k)) for sign, k in ((-1, 2), (1, 4), (-1, 6), (1, 8)))


def quick_normal(stream: Stream, shape: int | tuple[int, ...], first: int = 0) -> Singles:
    """Deviates of elements first .. in C order."""
    count, skip = int(np.prod(shape)), first % FOUR
    found = np.empty(-(-(skip + count) // FOUR) * FOUR, np.float32)
    fast = jit.worthwhile(deviates, DEVIATES, len(found))
    kernel = jit.compiled(deviates, DEVIATES) if fast else deviates_plain
    key, more = stream.key
    kernel(
        np.array([key & 0xFFFFFFFF, key >> 32, more & 0xFFFFFFFF, more >> 32], np.uint64),
        np.uint64(first // FOUR),
        found,
    )
    return found[skip : skip + count].reshape(shape)


def deviates(key: Any, first: Any, found: Any) -> None:
    """Four deviates of every block from ``first`` on, the compiled way. key: four words of 32 bits, two of
    Philox's key and the upper two of its counter."""
    for b in range(len(found) // 4):
        block = first + np.uint64(b)
        a, b0, c, d = block & LOW, block >> HALF_WORD, key[2], key[3]
        k0, k1 = key[0], key[1]
        for _ in range(ROUNDS):
            a, b0, c, d = philox_round(a, b0, c, d, k0, k1)
            k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
        found[4 * b], found[4 * b + 1] = turned(radius_of(a), np.int32(b0))
        found[4 * b + 2], found[4 * b + 3] = turned(radius_of(c), np.int32(d))


def philox_round(a: Any, b: Any, c: Any, d: Any, k0: Any, k1: Any) -> Any:
    """One round on four words of 32 bits, numbers or arrays of them."""
    first, second = M0 * a, M1 * c
    return (
        (second >> HALF_WORD) ^ b ^ k0,
        second & LOW,
        (first >> HALF_WORD) ^ d ^ k1,
        first & LOW,
    )


def radius_of(word: Any) -> Any:
    """sqrt(-2 ln u) of a word's upper 31 bits."""
    u = np.float32(np.int32(word >> np.uint64(1))) + HALF  # of 2^31
    bits = np.int32(np.float32(u).view(np.int32) - ROOT)
    power = np.int32(bits >> np.int32(23))
    m = np.int32((bits & MANTISSA) + ROOT).view(np.float32)
    t = np.divide(m - ONE, m + ONE)
    s = t * t
    twice_log = t * (L1 + s * (L3 + s * (L5 + s * (L7 + s * L9))))
    return np.sqrt(np.float32(np.int32(31) - power) * LN4 - twice_log)


def turned(radius: Any, angle: Any) -> Any:
    """(radius cos, radius sin) of an angle in 2^-32 turns."""
    turn = np.int32((angle + np.int32(1 << 29)) >> np.int32(30))  # the nearest quarter
    p = (np.float32(np.int32(angle - np.int32(turn << np.int32(30)))) + HALF) * QUARTER
    q = p * p
    sine = p * (ONE + q * (S3 + q * (S5 + q * (S7 + q * S9))))
    cosine = ONE + q * (C2 + q * (C4 + q * (C6 + q * C8)))
    x = sine if turn & 1 else cosine
    y = cosine if turn & 1 else sine
    return radius * (-x if (turn + 1) & 2 else x), radius * (-y if turn & 2 else y)


def deviates_plain(key: Words, first: np.uint64, found: Singles) -> None:
    """The same in NumPy."""
    for low in range(0, len(found) // FOUR, BLOCKS):
        part = found[FOUR * low : FOUR * (low + BLOCKS)]
        block = np.arange(len(part) // FOUR, dtype=np.uint64) + (first + np.uint64(low))
        a, b, c, d = block & LOW, block >> HALF_WORD, key[2], key[3]
        k0, k1 = key[0], key[1]
        for _ in range(ROUNDS):
            a, b, c, d = philox_round(a, b, c, d, k0, k1)
            k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
        for place, words, angles in ((0, a, b), (2, c, d)):
            x, y = _turned(_radius_of(words), angles.astype(np.uint32).view(np.int32))
            part[place::FOUR], part[place + 1 :: FOUR] = x, y


def _radius_of(words: Words) -> Singles:
    u = (words >> np.uint64(1)).astype(np.int32).astype(np.float32) + HALF
    bits = u.view(np.int32) - ROOT
    m = ((bits & MANTISSA) + ROOT).view(np.float32)
    t = (m - ONE) / (m + ONE)
    s = t * t
    twice_log = t * (L1 + s * (L3 + s * (L5 + s * (L7 + s * L9))))
    return np.asarray(
        np.sqrt((np.int32(31) - (bits >> np.int32(23))).astype(np.float32) * LN4 - twice_log)
    )


def _turned(radius: Singles, angle: NDArray[np.int32]) -> tuple[Singles, Singles]:
    turn = ((angle.astype(np.int64) + (1 << 29)) >> 30).astype(np.int32)
    p = (
        (angle.astype(np.int64) - (turn.astype(np.int64) << 30)).astype(np.float32) + HALF
    ) * QUARTER
    q = p * p
    sine = p * (ONE + q * (S3 + q * (S5 + q * (S7 + q * S9))))
    cosine = ONE + q * (C2 + q * (C4 + q * (C6 + q * C8)))
    odd = (turn & 1) == 1
    x, y = np.where(odd, sine, cosine), np.where(odd, cosine, sine)
    return radius * np.where(((turn + 1) & 2) == 2, -x, x), radius * np.where(
        (turn & 2) == 2, -y, y
    )


#: what deviates() calls, for jit.compiled
DEVIATES: jit.Helpers = (philox_round, radius_of, turned)
