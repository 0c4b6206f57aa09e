"""A second accumulator, independent of the first: whole numbers of one small unit, in int64.

Sums are exact by construction; rounding counts bits one by one. Used for long randomised runs, where
rational numbers would take days. Only the random words are the package's own.
"""

from __future__ import annotations

import numpy as np

from accelsim import jit
from accelsim.formats import Format, Grid
from accelsim.formats.random_bits import key_of, mixed, word_at
from accelsim.units.accumulation import Adder
from accelsim.units.accumulation_steps import random_word

MODES = (
    "nearest_even",
    "nearest_away",
    "toward_zero",
    "up",
    "down",
    "stochastic",
    "nearest_up",
    "nearest_down",
    "nearest_zero",
    "stochastic_floor",
)


def round_whole(
    value: int,
    precision: int,
    least_drop: int,
    least: int,
    top: int,
    bottom: int,
    mode: int,
    draw: int,
    bits: int,
) -> int:
    """value units to a number of at most ``precision`` bits, whole in 2^least_drop units."""
    negative = value < 0
    size = -value if negative else value
    length = 0
    while size >> length > 0:
        length += 1
    drop = max(length - precision, least_drop, 0)
    kept = size >> drop
    rest = size - (kept << drop)
    up = False
    if rest > 0:
        if mode == 0 or mode == 1 or (mode >= 6 and mode <= 8):
            double, whole = 2 * rest, 1 << drop
            tie_away = mode == 1 or (mode == 0 and kept % 2 == 1) or (mode == 6 and not negative)
            up = double > whole or (double == whole and (tie_away or (mode == 7 and negative)))
        elif mode == 3:
            up = not negative
        elif mode == 4:
            up = negative
        elif mode == 5:
            cut = rest >> (drop - bits) if drop >= bits else rest << (bits - drop)
            up = cut + draw >= (1 << bits)
        elif (
            mode == 9
        ):  # from the value below, which for a negative number is the one away from zero
            above = (1 << drop) - rest if negative else rest
            cut = above >> (drop - bits) if drop >= bits else above << (bits - drop)
            up = (cut + draw >= (1 << bits)) != negative
    if up:
        kept += 1
    found = kept << drop
    if found < least:
        found = 0
    if negative:
        return -min(found, bottom)
    return min(found, top)


def run(a, b, total, first, chunk, acc, prod, rounded_product, key, index, columns, place):
    """(m, k) @ (k, n) whole numbers; acc and prod: the arguments of round_whole but value and draw."""
    m, depth = a.shape
    for i in range(m):
        for j in range(b.shape[1]):
            word64 = word_at(key, index + i * columns + j)
            low, high = (
                np.uint32(word64 & np.uint64(0xFFFFFFFF)),
                np.uint32(word64 >> np.uint64(32)),
            )
            t = total[i, j]
            size = chunk if chunk > 0 else first + depth
            k = 0
            while k < depth:
                offset = (first + k) % size
                s = t if chunk == 0 else np.int64(0)
                while k < depth and offset < size:
                    p = a[i, k] * b[k, j]
                    if rounded_product:
                        p = round_whole(p, prod[0], prod[1], prod[2], prod[3], prod[4], 0, 0, 1)
                    share = 4 if acc[6] <= 8 else 2
                    word = random_word(low, high, np.uint32((first + k) // share))
                    draw = 0
                    for bit in range(acc[6]):  # of the word's bits, counted around its end
                        from_bit = (place + bit + (32 // share) * ((first + k) % share)) % 32
                        draw |= ((np.int64(word) >> from_bit) & 1) << bit
                    s = round_whole(
                        s + p, acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], draw, acc[6]
                    )
                    k += 1
                    offset += 1
                if chunk == 0:
                    t = s
                else:
                    word = random_word(low, np.uint32(~high), np.uint32(first + k))
                    draw = ((np.int64(word) & 0xFFFF) >> place) & ((1 << acc[6]) - 1)
                    t = round_whole(
                        t + s, acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], draw, acc[6]
                    )
            total[i, j] = t


def _packed(grid: Grid, unit: float, mode: int, bits: int) -> np.ndarray:
    drop = max(0, round(np.log2(grid.quantum / unit)))
    if grid.least:
        drop = 0
    far = 2.0**62
    return np.array(
        [
            grid.precision,
            drop,
            min(grid.least / unit, far),
            min(grid.top / unit, far),
            min(grid.bottom / unit, far),
            mode,
            bits,
        ],
        np.int64,
    )


def reference(
    a: np.ndarray, b: np.ndarray, unit: Adder, product: Format | None = None, index: int = 0
) -> np.ndarray:
    """What accumulate() must give for values whose sums fit 62 bits of their smallest product."""
    left, right = unit.operands[0].quantum, unit.operands[1].quantum
    small = left * right
    whole = [np.rint(x / q).astype(np.int64) for x, q in ((a, left), (b, right))]
    assert (abs(whole[0]).astype(float) @ abs(whole[1]).astype(float)).max() < 2.0**61
    total = np.zeros((len(a), b.shape[1]), np.int64)
    acc = _packed(unit.grid, small, MODES.index(unit.rounding), unit.how.random_bits)
    prod = (
        _packed(product.grid, small, 0, 1)
        if product is not None and product.grid is not None
        else acc
    )
    kernel = jit.compiled(run, ((word_at, (mixed,)), random_word, round_whole))
    bits = unit.how.random_bits
    place = max(min(24 - unit.grid.precision, 16) - bits, 0)
    with np.errstate(over="ignore"):
        kernel(
            *whole,
            total,
            0,
            unit.how.chunk,
            acc,
            prod,
            product is not None,
            key_of(unit.how.seed),
            index,
            b.shape[1],
            place,
        )
    return total * small
