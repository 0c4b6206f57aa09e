"""Compiled loops over (m, n, k): each output adds its products in ascending k, outputs side by side.

Vectors run along n, never along k, so that no order of additions changes. Four rows at a time
keep independent additions in flight; behind the last row it is repeated, with the same results.
Totals are updated in place. carry: the chunk that was begun before goes on (one chunk in all).
Product k of an output draws from its word k // p, turned to the right by 32 / p bits k % p times, p
products a word (steps_a_word); a chunk that ends before product k from word k under the inverted key.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from accelsim.formats.random_bits import word_at
from accelsim.formats.rounding import DIRECTED, NEAREST, STOCHASTIC, TO_EVEN, Mode, rounded
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


class Course(NamedTuple):
    """What becomes of the products in turn. first: k of the first one. chunk: products a chunk. carry: as above.
    key: of random words. index: number of output (0, 0), rows ``columns`` apart."""

    first: Any
    chunk: Any
    carry: Any
    key: Any
    index: Any
    columns: Any


class Nearest(NamedTuple):
    """Constants of nearest_step."""

    even_add: Any
    odd_add: Any
    odd: Any
    mask: Any


class Cut(NamedTuple):
    """share: steps a random word. part: where random bits stand (0: plain cutting). mask: of cut_step."""

    share: Any
    part: Any
    mask: Any


class General(NamedTuple):
    """How any_loop rounds. place: lowest position of the random bits in their part of a word. product: whether
    products are rounded, to product_grid."""

    mode: Mode
    place: Any
    grid: Any
    product: Any
    product_grid: Any


class Words(NamedTuple):
    """The two key words of a row's outputs."""

    low: Any
    high: Any


def nearest_loop(a: Any, b: Any, total: Any, course: Course, how: Nearest) -> None:
    """total += a @ b in chunks, float32, every sum by nearest_step."""
    chunk, carry = course.chunk, course.carry
    even_add, odd_add, odd, mask = how
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


def cut_pair(s: Any, words: Words, drawn: Any, number: Any, a: Any, rows: Any, how: Cut) -> None:
    """Two steps of one row with the two halves of one random word each. drawn: holds the words. rows: two of b,
    as wide as there are outputs.

    Step by step over all outputs: steps of one output on end would wait for one another."""
    low, high, part, mask = words.low, words.high, how.part, how.mask
    a0, a1 = a[0], a[1]
    b0, b1 = rows
    for j in range(b0.shape[0]):
        word = random_word(low[j], high[j], number)
        drawn[j] = word
        s[j] = cut_step(s[j], a0 * b0[j], U32(word & part), mask)
    for j in range(b0.shape[0]):
        s[j] = cut_step(s[j], a1 * b1[j], U32(U32(drawn[j] >> U32(16)) & part), mask)


def cut_four(s: Any, words: Words, drawn: Any, number: Any, a: Any, rows: Any, how: Cut) -> None:
    """As cut_pair: four steps, the word turned by 0 to 3 bytes."""
    low, high, part, mask = words.low, words.high, how.part, how.mask
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    b0, b1, b2, b3 = rows
    for j in range(b0.shape[0]):
        word = random_word(low[j], high[j], number)
        drawn[j] = word
        s[j] = cut_step(s[j], a0 * b0[j], U32(word & part), mask)
    for j in range(b0.shape[0]):
        s[j] = cut_step(s[j], a1 * b1[j], U32(U32(drawn[j] >> U32(8)) & part), mask)
    for j in range(b0.shape[0]):
        s[j] = cut_step(s[j], a2 * b2[j], U32(U32(drawn[j] >> U32(16)) & part), mask)
    for j in range(b0.shape[0]):
        word = drawn[j]
        s[j] = cut_step(
            s[j], a3 * b3[j], U32(U32(U32(word >> U32(24)) | U32(word << U32(8))) & part), mask
        )


def cut_one(s: Any, words: Words, number: Any, turn: Any, a0: Any, b0: Any, how: Cut) -> None:
    """One step with its random word turned to the right by ``turn`` bits."""
    low, high, part, mask = words.low, words.high, how.part, how.mask
    for j in range(b0.shape[0]):
        word = U64(random_word(low[j], high[j], number))
        turned = U32(U64(U64(word | U64(word << TURN)) >> U64(turn)) & LOW_WORD)
        s[j] = cut_step(s[j], a0 * b0[j], U32(turned & part), mask)


def cut_loop(a: Any, b: Any, total: Any, course: Course, how: Cut) -> None:
    """total += a @ b in chunks, float32, every sum by cut_step."""
    first, chunk, carry, key, index, columns = course
    share, part, mask = how
    m, depth = a.shape
    n = b.shape[1]
    s, c = np.empty(WIDTH, np.float32), np.empty(WIDTH, np.float32)
    low, high = np.empty(WIDTH, np.uint32), np.empty(WIDTH, np.uint32)
    words, drawn = Words(low, high), np.empty(WIDTH, np.uint32)
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
                    b0 = b[k, j0 : j0 + w]
                    if lane != 0 or k + share > end:
                        turn = 32 // share * lane
                        cut_one(s, words, step, turn, a[i, k], b0, how)
                        k += 1
                        continue
                    b1 = b[k + 1, j0 : j0 + w]
                    if share == 2:
                        cut_pair(s, words, drawn, step, a[i, k : k + 2], (b0, b1), how)
                    else:
                        rows = (b0, b1, b[k + 2, j0 : j0 + w], b[k + 3, j0 : j0 + w])
                        cut_four(s, words, drawn, step, a[i, k : k + 4], rows, how)
                    k += share
                for j in range(w):
                    word = random_word(low[j], U32(~high[j]), U32(first + end))
                    c[j] = s[j] if carry else cut_step(c[j], s[j], U32(word & part), mask)
            total[i, j0 : j0 + w] = c[:w]


def any_step(total: Any, term: Any, word: Any, shift: Any, mode: Mode, grid: Any) -> Any:
    """total + term rounded to a grid, in float64; random bits from ``shift`` of a word on, which
    goes round."""
    twice = U64(U64(word) | U64(U64(word) << TURN))
    random = np.int64(np.int64(U64(twice >> U64(shift))) & ((np.int64(1) << mode.bits) - 1))
    return rounded(odd_sum(total, term), random, mode, grid)


def any_row(
    s: Any, term: Any, words: Words, number: Any, shift: Any, mode: Mode, grid: Any, width: Any
) -> None:
    """s += term for one row."""
    kind, positive, negative, bits = mode
    low, high = words.low, words.high
    none, zero = U32(0), np.int64(0)
    if kind == NEAREST:  # one loop each, so that each becomes vector code
        for j in range(width):
            nearest = Mode(NEAREST, positive, negative, zero)
            s[j] = any_step(s[j], term[j], none, zero, nearest, grid)
    elif kind == DIRECTED:
        for j in range(width):
            directed = Mode(DIRECTED, positive, negative, zero)
            s[j] = any_step(s[j], term[j], none, zero, directed, grid)
    else:
        for j in range(width):
            word = random_word(low[j], high[j], number)
            stochastic = Mode(STOCHASTIC, zero, negative, bits)
            s[j] = any_step(s[j], term[j], word, shift, stochastic, grid)


def products(term: Any, factor: Any, row: Any, product: Any, grid: Any, width: Any) -> None:
    """term = factor row; product: each rounded (nearest even) to a grid."""
    zero = np.int64(0)
    even = Mode(NEAREST, TO_EVEN, TO_EVEN, zero)
    if product:
        for j in range(width):
            term[j] = rounded(factor * row[j], zero, even, grid)
    else:
        for j in range(width):
            term[j] = factor * row[j]


def any_loop(a: Any, b: Any, total: Any, course: Course, how: General) -> None:
    """total += a @ b in chunks, float64, to any grid in any rounding, with every end watched."""
    first, chunk, carry, key, index, columns = course
    mode, place, grid, product, product_grid = how
    m, depth = a.shape
    n = b.shape[1]
    s, c, term = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
    share = np.int64(steps_a_word(mode.bits))
    low, high = np.zeros(WIDTH, np.uint32), np.zeros(WIDTH, np.uint32)
    opposite = np.zeros(WIDTH, np.uint32)
    words, inverted = Words(low, high), Words(low, opposite)
    for j0 in range(0, n, WIDTH):
        w = min(WIDTH, n - j0)
        for i in range(m):
            if mode.kind == STOCHASTIC:
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
                    any_row(s, term, words, U32(at // share), shift, mode, grid, w)
                if carry:
                    c[:w] = s[:w]
                else:
                    any_row(c, s, inverted, U32(first + end), place, mode, grid, w)
            total[i, j0 : j0 + w] = c[:w]


def box_words(key: Any, index: Any, columns: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The two key words of every output of a box (m, n), the first of number ``index``, rows ``columns`` apart."""
    words = word_at(key, index + np.arange(shape[0])[:, None] * columns + np.arange(shape[1]))
    return (words & LOW_WORD).astype(np.uint32), (words >> U64(32)).astype(np.uint32)


def plain_loop(a: Any, b: Any, total: Any, course: Course, how: General) -> None:
    """any_loop on whole (m, n) arrays, for little work: nothing is compiled."""
    first, chunk = int(course.first), int(course.chunk)
    mode, place, grid = how.mode, how.place, how.grid
    zero, share = np.int64(0), steps_a_word(mode.bits)
    even = Mode(NEAREST, TO_EVEN, TO_EVEN, zero)
    low = high = np.zeros(total.shape, np.uint32)
    if mode.kind == STOCHASTIC:
        low, high = box_words(course.key, course.index, course.columns, total.shape)
    with np.errstate(all="ignore"):
        for k0 in range(0, a.shape[1], chunk):
            end = min(k0 + chunk, a.shape[1])
            s = total.copy() if course.carry else np.zeros_like(total)
            for k in range(k0, end):
                at = first + k
                term = a[:, k, None] * b[k]
                if how.product:
                    term = rounded(term, zero, even, how.product_grid)
                word = random_word(low, high, U32(at // share))
                s = any_step(s, term, word, place + 32 // share * (at % share), mode, grid)
            if not course.carry:
                word = random_word(low, ~high, U32(first + end))
                s = any_step(total, s, word, place, mode, grid)
            total[:] = s
