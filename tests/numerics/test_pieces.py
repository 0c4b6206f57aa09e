"""Boxes of products, pools and lowered convolutions, element by element against their definitions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from itertools import product as every

import numpy as np
import pytest

from accelsim.numerics.accuracy import real_vector
from accelsim.numerics.lowering import lower_input, raise_output, weight_matrix, weight_tensor
from accelsim.numerics.tiles import Boxes, merged
from accelsim.numerics.vector import divided, pool
from accelsim.program.opcodes import Flag
from accelsim.workload import Conv2d, Gemm, VectorOperator


def vector(
    kind: str, shape: tuple[int, ...], out: tuple[int, ...], inputs: int = 1, **more: object
) -> VectorOperator:
    names = tuple("xyz"[:inputs])
    return VectorOperator("v", kind, names, "o", (shape,) * inputs, out, **more)  # type: ignore[arg-type]


# -- boxes -----------------------------------------------------------------------------------------


def boxes(rows: list[tuple[tuple[int, ...], tuple[int, ...], int]]) -> Boxes:
    low, size, flags = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Boxes(low, size, flags, np.zeros(len(rows), np.int64), np.arange(len(rows)))


def test_neighbours_become_one() -> None:
    first, last, both = int(Flag.FIRST_K), int(Flag.LAST_K), int(Flag.FIRST_K | Flag.LAST_K)
    one = merged(boxes([((0, 0, 0, 0), (1, 4, 5, 3), first), ((0, 0, 0, 3), (1, 4, 5, 2), last)]))
    assert (one.low.tolist(), one.size.tolist(), one.flags.tolist()) == (
        [[0, 0, 0, 0]],
        [[1, 4, 5, 5]],
        [both],
    )
    apart = boxes([((0, 0, 0, 0), (1, 4, 5, 3), both), ((0, 0, 0, 3), (1, 4, 5, 2), both)])
    assert len(merged(apart)) == 2  # two sums
    for axis in (1, 2):
        low, size = [0, 0, 0, 0], [1, 4, 5, 3]
        low[axis] = size[axis]
        pair = boxes([((0, 0, 0, 0), tuple(size), both), (tuple(low), tuple(size), both)])
        found, whole = merged(pair), list(size)
        whole[axis] *= 2
        assert found.size.tolist() == [whole] and found.first_row.tolist() == [0]
        pair.sums[1] = 1
        assert len(merged(pair)) == 2
    gap = boxes([((0, 0, 0, 0), (1, 4, 5, 3), both), ((0, 5, 0, 0), (1, 4, 5, 3), both)])
    assert len(merged(gap)) == 2


@pytest.mark.parametrize("seed", range(5))
def test_merged_boxes_hold_the_same_products(seed: int) -> None:
    draw = np.random.default_rng(seed)
    inner = [draw.choice(np.arange(1, size), 2, replace=False).tolist() for size in (6, 7, 8)]
    cuts = [[0, *sorted(cut), size] for cut, size in zip(inner, (6, 7, 8), strict=True)]
    m, n, k = (list(pairwise(cut)) for cut in cuts)
    rows = []
    for (m0, m1), (n0, n1) in every(m, n):
        for number, (k0, k1) in enumerate(k):
            flags = int(Flag.FIRST_K) * (number == 0) | int(Flag.LAST_K) * (number == len(k) - 1)
            rows.append(((0, m0, n0, k0), (1, m1 - m0, n1 - n0, k1 - k0), flags))
    made = boxes(rows)
    found = merged(made)
    assert found.macs == made.macs == 6 * 7 * 8
    assert found.size.tolist() == [[1, 6, 7, 8]]
    seen = np.zeros((6, 7, 8), int)
    for (_, m0, n0, k0), (_, a, b, c) in zip(found.low.tolist(), found.size.tolist(), strict=True):
        seen[m0 : m0 + a, n0 : n0 + b, k0 : k0 + c] += 1
    assert (seen == 1).all()


# -- pools and products ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["max_pool", "average_pool", "global_average_pool"])
@pytest.mark.parametrize("zero", [0, -3, 40])
def test_pools_window_by_window(kind: str, zero: int) -> None:
    """Padding never wins and does not count; averages of distances from zero, ties to even; rows
    in parts."""
    draw = np.random.default_rng(zero + 9)
    for (kh, kw), (sh, sw), (top, left, bottom, right) in (
        ((2, 3), (2, 1), (1, 1, 0, 2)),
        ((3, 3), (1, 2), (0, 0, 0, 0)),
        ((1, 2), (3, 3), (0, 1, 1, 0)),
    ):
        x = draw.integers(-128, 128, (2, 3, 7, 8))
        height, width = (7 + top + bottom - kh) // sh + 1, (8 + left + right - kw) // sw + 1
        if kind == "global_average_pool":
            op, height, width, sh, sw = vector(kind, x.shape, (2, 3, 1, 1)), 1, 1, 1, 1
            (kh, kw), top, left = (7, 8), 0, 0
        else:
            op = vector(
                kind,
                x.shape,
                (2, 3, height, width),
                kernel=(kh, kw),
                stride=(sh, sw),
                padding=(top, left, bottom, right),
            )
        wanted, real = np.zeros((2, 3, height, width), int), np.zeros((2, 3, height, width))
        for b, c, r, q in every(range(2), range(3), range(height), range(width)):
            seen = [
                int(x[b, c, i, j])
                for i in range(max(0, r * sh - top), min(7, r * sh - top + kh))
                for j in range(max(0, q * sw - left), min(8, q * sw - left + kw))
            ]
            mean = Fraction(sum(seen), len(seen))
            wanted[b, c, r, q] = max(seen) if kind == "max_pool" else round(mean - zero) + zero
            real[b, c, r, q] = max(seen) if kind == "max_pool" else float(mean)
        assert np.array_equal(pool(op, x, 0, 0, 0, height, zero), wanted)
        found = real_vector(op, [x.astype(float)])
        assert found is not None and found == pytest.approx(real, rel=1e-12)
        if kind != "global_average_pool" and height > 1:
            row = max(0, sh - top)
            assert np.array_equal(
                pool(op, x[:, :, row:], row, 0, 1, height - 1, zero), wanted[:, :, 1:]
            )
    assert [int(divided(np.array([v]), 4)[0]) for v in (-6, -2, 2, 6, 7, -7)] == [
        -2,
        0,
        0,
        2,
        2,
        -2,
    ]


def test_reals_of_element_wise_kinds() -> None:
    x, y = np.array([[-1.5, 2.0]]), np.array([[0.5, -3.0]])
    for kind, wanted in (("add", x + y), ("multiply", x * y), ("relu", [[0.0, 2.0]])):
        found = real_vector(vector(kind, (1, 2), (1, 2), 1 if kind == "relu" else 2), [x, y])
        assert found is not None and np.array_equal(found, wanted)
    found = real_vector(vector("add", (1, 2), (1, 2), 2, activation="relu"), [x, y])
    assert found is not None and found.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("by_columns", [False, True])
def test_lowered_convolutions_are_convolutions(by_columns: bool) -> None:
    draw = np.random.default_rng(6)
    for groups, kernel, stride, padding, dilation in (
        (1, (3, 2), (2, 1), (1, 0, 2, 1), (1, 2)),
        (2, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1)),
        (2, (2, 2), (1, 3), (0, 1, 0, 1), (2, 1)),
        (1, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1)),
    ):
        op = Conv2d("c", "x", "w", "o", 2, 4, 6, 7, 6, kernel, stride, padding, dilation, groups)
        x, w = draw.integers(-9, 9, (2, 4, 6, 7)), draw.integers(-9, 9, (6, 4 // groups, *kernel))
        pad = np.pad(x, ((0, 0), (0, 0), padding[::2], padding[1::2]), constant_values=5)
        wanted = np.zeros(op.output_shape, int)
        for b, o, r, q in np.ndindex(*op.output_shape):
            g = o // (6 // groups)
            wanted[b, o, r, q] = sum(
                int(
                    pad[
                        b,
                        g * (4 // groups) + c,
                        r * stride[0] + i * dilation[0],
                        q * stride[1] + j * dilation[1],
                    ]
                )
                * int(w[o, c, i, j])
                for c, i, j in np.ndindex(4 // groups, *kernel)
            )
        matrix = weight_matrix(op, w)
        assert np.array_equal(raise_output(op, lower_input(op, x, 5, by_columns) @ matrix), wanted)
        assert np.array_equal(weight_tensor(op, matrix), w)
    for groups, kernel in every((1, 2), ((1, 1), (3, 2))):
        conv = Conv2d("c", "x", "w", "o", 2, 4, 6, 6, 6, kernel, groups=groups)
        back = Conv2d(
            "b", "x", "w", "o", 2, 6, 6, 6, 4, kernel, groups=groups, weight_transposed=True
        )
        w = draw.integers(-9, 9, conv.weight_shape)
        assert back.weight_shape == conv.weight_shape
        exchanged = w.reshape(groups, 6 // groups, 4 // groups, *kernel).transpose(0, 2, 1, 3, 4)
        turned_round = exchanged[..., ::-1, ::-1].reshape(4, 6 // groups, *kernel)
        plain = Conv2d("p", "x", "w", "o", 2, 6, 6, 6, 4, kernel, groups=groups)
        assert np.array_equal(weight_matrix(back, w), weight_matrix(plain, turned_round))
        assert np.array_equal(weight_tensor(back, weight_matrix(back, w)), w)
    for groups, turned in every((1, 3), (False, True)):
        gemm = Gemm("g", "x", "w", "o", 2, 4, 5, groups, weight_transposed=turned)
        w = draw.integers(-9, 9, gemm.weight_shape)
        whole = w.reshape(groups, *((5, 4) if turned else (4, 5)))
        assert np.array_equal(weight_matrix(gemm, w), whole.transpose(0, 2, 1) if turned else whole)
        assert np.array_equal(weight_tensor(gemm, weight_matrix(gemm, w)), w)
