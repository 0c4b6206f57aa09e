"""One addition of an accumulator, and one random word: the arithmetic of all accumulation loops.

Each function works on NumPy arrays and, compiled, on numbers. Every operation has an explicit
width: Numba and NumPy would each widen in their own way, and the bits would differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.formats.rounding import INFINITY, MAGNITUDE
from accelsim.jit import choose

F32, F64, I64, U32, U64 = np.float32, np.float64, np.int64, np.uint32, np.uint64
SIGN32 = np.uint32(1 << 31)
SIGN64 = np.int64(np.iinfo(np.int64).min)
#: odd multipliers of a 32-bit mixing function (Wellons, "Prospecting for hash functions", 2018)
WELLONS_1, WELLONS_2 = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
GOLDEN64 = np.uint64(0x9E3779B9)
HALF = np.uint32(16)


def random_word(low: Any, high: Any, number: Any) -> Any:
    """32 random bits, a function of an output's two key words and of a step's number (uint32)."""
    x = U32(
        low + U32(U64(number) * GOLDEN64)
    )  # the product fits 64 bits: NumPy has nothing to warn of
    x = U32(x ^ U32(x >> HALF))
    x = U32(x * WELLONS_1)
    x = U32(x ^ U32(U32(x >> U32(15)) ^ high))
    x = U32(x * WELLONS_2)
    return U32(x ^ U32(x >> HALF))


def steps_a_word(bits: Any) -> Any:
    """How many additions share one random word of 32 bits, each with a part of its own: 4 of 8 bits
    where that is enough, else 2 of 16."""
    return 4 if bits <= 8 else 2


def nearest_step(total: Any, even_add: Any, odd_add: Any, odd: Any, mask: Any) -> Any:
    """A float32 sum rounded to fewer bits: to its last kept bit ``odd``, cut by ``mask``.

    even_add: just below half of that bit, odd_add: half of it (ties to even); both half: away.
    """
    u = F32(total).view(np.uint32)
    u = U32(u + choose(U32(u & odd) != U32(0), odd_add, even_add))
    return U32(u & mask).view(np.float32)


def cut_step(total: Any, term: Any, random: Any, mask: Any) -> Any:
    """total + term (float32) cut to ``mask``, a random number below the last kept bit added first.

    The rounding error of the float32 sum (Knuth's TwoSum) says whether its magnitude was rounded
    up; then the bits are one too many.
    """
    z = F32(total + term)
    part = F32(z - total)
    error = F32(F32(total - F32(z - part)) + F32(term - part))
    u = F32(z).view(np.uint32)
    against = U32(F32(error).view(np.uint32) ^ U32(u & SIGN32)).view(np.float32)
    u = choose(against < F32(0), U32(u - U32(1)), u)
    return U32(U32(u + random) & mask).view(np.float32)


def odd_sum(total: Any, term: Any) -> Any:
    """total + term in float64, rounded to odd: cut, and the last bit set where that was inexact.

    Rounding it again to at most 51 bits gives what one rounding of the exact sum gives (Boldo and
    Melquiond, IEEE Transactions on Computers 57, 2008).
    """
    z = F64(total + term)
    part = F64(z - total)
    error = F64(F64(total - F64(z - part)) + F64(term - part))
    u = F64(z).view(np.int64)
    against = I64(F64(error).view(np.int64) ^ I64(u & SIGN64)).view(np.float64)
    cut = choose(against < F64(0), I64(u - I64(1)), u)
    cut = choose(error != F64(0), I64(cut | I64(1)), cut)
    cut = choose(I64(u & MAGNITUDE) >= INFINITY, u, cut)
    return I64(cut).view(np.float64)
