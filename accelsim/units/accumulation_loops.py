"""Compiled loops over (m, n, k): each output adds its products in ascending k, outputs side by side.

Vectors run along n, never along k, so that no order of additions changes. Four rows at a time
keep independent additions in flight; behind the last row it is repeated, with the same results.
Totals are updated in place. carry: the chunk that was begun before goes on (one chunk in all).
Product k of an output draws from its word k // p, turned to the right by 32 / p bits k % p times, p
products a word (steps_a_word); a chunk that ends before product k from word k under the inverted key.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.formats.random_bits import word_at
from accelsim.formats.rounding import DIRECTED, NEAREST, STOCHASTIC, TO_EVEN, rounded
from accelsim.units.accumulation_steps import (
    cut_step,
    nearest_step,
    odd_sum,
    random_word,
    steps_a_word,
)

WIDTH = 512  # outputs of one row that are worked on together
LOW_WORD = np.uint64(0xFFFFFFFF)
U32, U64 = np.uint32, np.uint64
TURN = np.uint64(32)


def nearest_loop(
    a: Any,
    b: Any,
    total: Any,
    chunk: Any,
    carry: Any,
    even_add: Any,
    odd_add: Any,
    odd: Any,
    mask: Any,
) -> None:
    """total += a @ b in chunks, float32, every sum by nearest_step."""
    m, depth = a.shape
    n = b.shape[1]
    s0, s1, s2, s3 = (
        np.empty(WIDTH, np.float32),
        np.empty(WIDTH, np.float32),
        np.empty(WIDTH, np.float32),
        np.empty(WIDTH, np.float32),
    )
    c0, c1, c2, c3 = (
        np.empty(WIDTH, np.float32),
        np.empty(WIDTH, np.float32),
        np.empty(WIDTH, np.float32),
        np.empty(WIDTH, np.float32),
    )
    for j0 in range(0, n, WIDTH):
        w = min(WIDTH, n - j0)
        for i0 in range(0, m, 4):
            i1, i2, i3 = min(i0 + 1, m - 1), min(i0 + 2, m - 1), min(i0 + 3, m - 1)
            c0[:w], c1[:w] = total[i0, j0 : j0 + w], total[i1, j0 : j0 + w]
            c2[:w], c3[:w] = total[i2, j0 : j0 + w], total[i3, j0 : j0 + w]
            for k0 in range(0, depth, chunk):
                if carry:
                    s0[:w], s1[:w], s2[:w], s3[:w] = c0[:w], c1[:w], c2[:w], c3[:w]
                else:
                    s0[:w], s1[:w], s2[:w], s3[:w] = 0, 0, 0, 0
                for k in range(k0, min(k0 + chunk, depth)):
                    a0, a1, a2, a3 = a[i0, k], a[i1, k], a[i2, k], a[i3, k]
                    row = b[k, j0 : j0 + w]
                    for j in range(w):
                        y = row[j]
                        s0[j] = nearest_step(s0[j] + a0 * y, even_add, odd_add, odd, mask)
                        s1[j] = nearest_step(s1[j] + a1 * y, even_add, odd_add, odd, mask)
                        s2[j] = nearest_step(s2[j] + a2 * y, even_add, odd_add, odd, mask)
                        s3[j] = nearest_step(s3[j] + a3 * y, even_add, odd_add, odd, mask)
                if carry:
                    c0[:w], c1[:w], c2[:w], c3[:w] = s0[:w], s1[:w], s2[:w], s3[:w]
                    continue
                for j in range(w):
                    c0[j] = nearest_step(c0[j] + s0[j], even_add, odd_add, odd, mask)
                    c1[j] = nearest_step(c1[j] + s1[j], even_add, odd_add, odd, mask)
                    c2[j] = nearest_step(c2[j] + s2[j], even_add, odd_add, odd, mask)
                    c3[j] = nearest_step(c3[j] + s3[j], even_add, odd_add, odd, mask)
            total[i0, j0 : j0 + w], total[i1, j0 : j0 + w] = c0[:w], c1[:w]
            total[i2, j0 : j0 + w], total[i3, j0 : j0 + w] = c2[:w], c3[:w]


def key_words(key: Any, index: Any, low: Any, high: Any, width: Any) -> None:
    """The two key words of outputs index .. index + width."""
    for j in range(width):
        word = word_at(key, index + j)
        low[j], high[j] = U32(word & LOW_WORD), U32(word >> U64(32))


def cut_pair(
    s: Any,
    low: Any,
    high: Any,
    number: Any,
    a: Any,
    b0: Any,
    b1: Any,
    words: Any,
    part: Any,
    mask: Any,
    width: Any,
) -> None:
    """Two steps of one row with the two halves of one random word each.

    Step by step over all outputs: steps of one output on end would wait for one another."""
    a0, a1 = a[0], a[1]
    for j in range(width):
        word = random_word(low[j], high[j], number)
        words[j] = word
        s[j] = cut_step(s[j], a0 * b0[j], U32(word & part), mask)
    for j in range(width):
        s[j] = cut_step(s[j], a1 * b1[j], U32(U32(words[j] >> U32(16)) & part), mask)


def cut_four(
    s: Any,
    low: Any,
    high: Any,
    number: Any,
    a: Any,
    b0: Any,
    b1: Any,
    b2: Any,
    b3: Any,
    words: Any,
    part: Any,
    mask: Any,
    width: Any,
) -> None:
    """As cut_pair: four steps, the word turned by 0 to 3 bytes."""
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    for j in range(width):
        word = random_word(low[j], high[j], number)
        words[j] = word
        s[j] = cut_step(s[j], a0 * b0[j], U32(word & part), mask)
    for j in range(width):
        s[j] = cut_step(s[j], a1 * b1[j], U32(U32(words[j] >> U32(8)) & part), mask)
    for j in range(width):
        s[j] = cut_step(s[j], a2 * b2[j], U32(U32(words[j] >> U32(16)) & part), mask)
    for j in range(width):
        word = words[j]
        s[j] = cut_step(
            s[j], a3 * b3[j], U32(U32(U32(word >> U32(24)) | U32(word << U32(8))) & part), mask
        )


def cut_one(
    s: Any,
    low: Any,
    high: Any,
    number: Any,
    turn: Any,
    a0: Any,
    b0: Any,
    part: Any,
    mask: Any,
    width: Any,
) -> None:
    """One step with its random word turned to the right by ``turn`` bits."""
    for j in range(width):
        word = U64(random_word(low[j], high[j], number))
        turned = U32(U64(U64(word | U64(word << TURN)) >> U64(turn)) & LOW_WORD)
        s[j] = cut_step(s[j], a0 * b0[j], U32(turned & part), mask)


def cut_loop(
    a: Any,
    b: Any,
    total: Any,
    first: Any,
    chunk: Any,
    carry: Any,
    share: Any,
    part: Any,
    mask: Any,
    key: Any,
    index: Any,
    columns: Any,
) -> None:
    """total += a @ b in chunks, float32, every sum by cut_step.

    first: k of the first product. share: steps a random word. part: where random bits stand (0: plain
    cutting). index: number of output (0, 0), rows ``columns`` apart.
    """
    m, depth = a.shape
    n = b.shape[1]
    s, c = np.empty(WIDTH, np.float32), np.empty(WIDTH, np.float32)
    low, high, words = (
        np.empty(WIDTH, np.uint32),
        np.empty(WIDTH, np.uint32),
        np.empty(WIDTH, np.uint32),
    )
    for j0 in range(0, n, WIDTH):
        w = min(WIDTH, n - j0)
        for i in range(m):
            key_words(key, index + i * columns + j0, low, high, w)
            c[:w] = total[i, j0 : j0 + w]
            for k0 in range(0, depth, chunk):
                end = min(k0 + chunk, depth)
                s[:w] = c[:w] if carry else np.zeros(w, np.float32)
                k = k0
                while k < end:
                    at = first + k
                    step, lane = U32(at // share), at % share
                    if lane == 0 and k + share <= end:
                        b0, b1 = b[k, j0 : j0 + w], b[k + 1, j0 : j0 + w]
                        if share == 2:
                            cut_pair(
                                s, low, high, step, a[i, k : k + 2], b0, b1, words, part, mask, w
                            )
                        else:
                            cut_four(
                                s,
                                low,
                                high,
                                step,
                                a[i, k : k + 4],
                                b0,
                                b1,
                                b[k + 2, j0 : j0 + w],
                                b[k + 3, j0 : j0 + w],
                                words,
                                part,
                                mask,
                                w,
                            )
                        k += share
                    else:
                        turn = 32 // share * lane
                        cut_one(s, low, high, step, turn, a[i, k], b[k, j0 : j0 + w], part, mask, w)
                        k += 1
                for j in range(w):
                    word = random_word(low[j], U32(~high[j]), U32(first + end))
                    c[j] = s[j] if carry else cut_step(c[j], s[j], U32(word & part), mask)
            total[i, j0 : j0 + w] = c[:w]


def any_step(
    total: Any,
    term: Any,
    word: Any,
    shift: Any,
    kind: Any,
    positive: Any,
    negative: Any,
    bits: Any,
    grid: Any,
) -> Any:
    """total + term rounded to a grid, in float64; random bits from ``shift`` of a word on, which
    goes round."""
    twice = U64(U64(word) | U64(U64(word) << TURN))
    random = np.int64(np.int64(U64(twice >> U64(shift))) & ((np.int64(1) << bits) - 1))
    return rounded(odd_sum(total, term), random, kind, positive, negative, bits, grid)


def any_row(
    s: Any,
    term: Any,
    low: Any,
    high: Any,
    number: Any,
    shift: Any,
    mode: Any,
    grid: Any,
    width: Any,
) -> None:
    """s += term for one row. mode: (kind, positive, negative, random bits)."""
    kind, positive, negative, bits = mode[0], mode[1], mode[2], mode[3]
    none, zero = U32(0), np.int64(0)
    if kind == NEAREST:  # one loop each, so that each becomes vector code
        for j in range(width):
            s[j] = any_step(s[j], term[j], none, zero, NEAREST, positive, negative, zero, grid)
    elif kind == DIRECTED:
        for j in range(width):
            s[j] = any_step(s[j], term[j], none, zero, DIRECTED, positive, negative, zero, grid)
    else:
        for j in range(width):
            word = random_word(low[j], high[j], number)
            s[j] = any_step(s[j], term[j], word, shift, STOCHASTIC, zero, negative, bits, grid)


def products(term: Any, factor: Any, row: Any, product: Any, grid: Any, width: Any) -> None:
    """term = factor row; product: each rounded (nearest even) to a grid."""
    zero = np.int64(0)
    if product:
        for j in range(width):
            term[j] = rounded(factor * row[j], zero, NEAREST, TO_EVEN, TO_EVEN, zero, grid)
    else:
        for j in range(width):
            term[j] = factor * row[j]


def any_loop(
    a: Any,
    b: Any,
    total: Any,
    first: Any,
    chunk: Any,
    carry: Any,
    product: Any,
    product_grid: Any,
    mode: Any,
    place: Any,
    grid: Any,
    key: Any,
    index: Any,
    columns: Any,
) -> None:
    """total += a @ b in chunks, float64, to any grid in any rounding, with every end watched.

    mode: (kind, positive, negative, random bits). place: lowest position of the random bits in
    their part of a word.
    """
    m, depth = a.shape
    n = b.shape[1]
    s, c, term = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
    share = np.int64(steps_a_word(mode[3]))
    low, high, opposite = (
        np.zeros(WIDTH, np.uint32),
        np.zeros(WIDTH, np.uint32),
        np.zeros(WIDTH, np.uint32),
    )
    for j0 in range(0, n, WIDTH):
        w = min(WIDTH, n - j0)
        for i in range(m):
            if mode[0] == STOCHASTIC:
                key_words(key, index + i * columns + j0, low, high, w)
                opposite[:w] = ~high[:w]
            c[:w] = total[i, j0 : j0 + w]
            for k0 in range(0, depth, chunk):
                end = min(k0 + chunk, depth)
                s[:w] = c[:w] if carry else np.zeros(w, np.float64)
                for k in range(k0, end):
                    at = first + k
                    products(term, a[i, k], b[k, j0 : j0 + w], product, product_grid, w)
                    shift = place + 32 // share * (at % share)
                    any_row(s, term, low, high, U32(at // share), shift, mode, grid, w)
                if carry:
                    c[:w] = s[:w]
                else:
                    any_row(c, s, low, opposite, U32(first + end), place, mode, grid, w)
            total[i, j0 : j0 + w] = c[:w]


def plain_loop(
    a: Any,
    b: Any,
    total: Any,
    first: Any,
    chunk: Any,
    carry: Any,
    product: Any,
    product_grid: Any,
    mode: Any,
    place: Any,
    grid: Any,
    key: Any,
    index: Any,
    columns: Any,
) -> None:
    """any_loop on whole (m, n) arrays, for little work: nothing is compiled."""
    m, depth = a.shape
    kind, positive, negative, bits = mode
    zero, share = np.int64(0), steps_a_word(bits)
    low, high = np.zeros(total.shape, np.uint32), np.zeros(total.shape, np.uint32)
    if kind == STOCHASTIC:
        number = index + np.arange(m)[:, None] * columns + np.arange(b.shape[1])
        words = word_at(key, number)
        low, high = (words & LOW_WORD).astype(np.uint32), (words >> U64(32)).astype(np.uint32)
    with np.errstate(all="ignore"):
        for k0 in range(0, depth, int(chunk)):
            end = min(k0 + int(chunk), depth)
            s = total.copy() if carry else np.zeros_like(total)
            for k in range(k0, end):
                at = int(first) + k
                term = a[:, k, None] * b[k]
                if product:
                    term = rounded(term, zero, NEAREST, TO_EVEN, TO_EVEN, zero, product_grid)
                word, shift = (
                    random_word(low, high, U32(at // share)),
                    place + 32 // share * (at % share),
                )
                s = any_step(s, term, word, shift, kind, positive, negative, bits, grid)
            word = random_word(low, ~high, U32(int(first) + end))
            total[:] = (
                s
                if carry
                else any_step(total, s, word, place, kind, positive, negative, bits, grid)
            )
