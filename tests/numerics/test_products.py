"""Exact products at the edge of what floats hold; lowering and vector work against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.numerics.gemm import FLOAT32_EXACT, exact_matmul
from accelsim.numerics.lowering import lower_input, raise_output, weight_matrix
from accelsim.numerics.quantize import Quantization
from accelsim.numerics.vector import divided, elementwise, pool
from accelsim.workload import Conv2d, VectorOperator

EXAMPLES = settings(max_examples=120, deadline=None, derandomize=True)


def reference(a: np.ndarray, b: np.ndarray) -> list[list[int]]:
    return (a.astype(object) @ b.astype(object)).tolist()


@pytest.mark.parametrize(
    ("value", "depth"),
    [
        (128, 1023),
        (128, 1024),
        (128, 1025),
        (127, 4096),
        (32767, 300),
        (1 << 20, 50),
        (1 << 24, 33),
        (1 << 25, 9),
        ((1 << 30) - 1, 7),
    ],
)
def test_products_at_the_largest_magnitude(value: int, depth: int) -> None:
    """All operands at the limit and of one sign, plus one odd unit: a rounded sum would show."""
    a, b = np.full((3, depth), value), np.full((depth, 2), value)
    a[0, 0], b[0, 1] = value - 1, 1 - value
    a[1] *= -1
    assert exact_matmul(a, b).tolist() == reference(a, b)


@EXAMPLES
@given(
    st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 3000), st.sampled_from([8, 12, 16])
)
def test_products_are_exact(seed: int, m: int, k: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    half = 1 << (bits - 1)
    a, b = rng.integers(-half, half, (m, k)), rng.integers(-half, half, (k, 3))
    exact = a.astype(np.int64) @ b.astype(np.int64)
    assert np.array_equal(exact_matmul(a, b), exact)
    assert np.array_equal(exact_matmul(a, b, half * half), exact)


def test_overflow_is_refused_not_wrapped() -> None:
    huge = np.full((1, 4), 1 << 31)
    with pytest.raises(OverflowError):
        exact_matmul(huge, huge.T)
    assert FLOAT32_EXACT == 1 << 24


CONVOLUTIONS = list(
    itertools.product(
        [1, 2],
        [1, 2],
        [(1, 1), (2, 1)],
        [(0, 0, 0, 0), (1, 2, 0, 1)],
        [(1, 1), (2, 1)],
        [(1, 1), (3, 2)],
    )
)


@pytest.mark.parametrize(
    ("batch", "groups", "stride", "padding", "dilation", "kernel"), CONVOLUTIONS
)
def test_lowering_is_a_convolution(
    batch: int,
    groups: int,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    kernel: tuple[int, int],
) -> None:
    height, width, channels, filters = 7, 6, 4, 6
    op = Conv2d(
        name="c",
        input="x",
        weight="w",
        output="y",
        batch=batch,
        channels=channels,
        height=height,
        width=width,
        filters=filters,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    rng = np.random.default_rng(1)
    x = rng.integers(-9, 9, (batch, channels, height, width))
    w = rng.integers(-9, 9, (filters, channels // groups, *kernel))
    zero = 5
    products = lower_input(op, x, zero).astype(np.int64) @ weight_matrix(op, w).astype(np.int64)
    got = raise_output(op, products)
    top, left, _, _ = padding
    for b, f, r, c in itertools.product(
        range(batch), range(filters), range(op.out_height), range(op.out_width)
    ):
        total = 0
        for i, p, q in itertools.product(
            range(channels // groups), range(kernel[0]), range(kernel[1])
        ):
            row = r * stride[0] - top + p * dilation[0]
            column = c * stride[1] - left + q * dilation[1]
            inside = 0 <= row < height and 0 <= column < width
            channel = f // (filters // groups) * (channels // groups) + i
            total += int(w[f, i, p, q]) * (int(x[b, channel, row, column]) if inside else zero)
        assert got[b, f, r, c] == total


def vector(kind: str, **keys: object) -> VectorOperator:
    shape = (1, 2, 5, 5)
    out = (1, 2, 3, 3) if "pool" in kind else shape
    return VectorOperator(
        name="v",
        kind=kind,
        inputs=("x",),
        output="y",
        input_shapes=(shape,),
        output_shape=out,
        **keys,
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["max_pool", "average_pool"])
def test_pooling_leaves_padding_out(kind: str) -> None:
    op = vector(kind, kernel=(3, 3), stride=(2, 2), padding=(1, 1, 1, 1))
    x = np.random.default_rng(2).integers(-100, 100, (1, 2, 5, 5))
    zero = -7
    got = pool(op, x, 0, 0, 0, 3, zero)
    for c, r, q in itertools.product(range(2), range(3), range(3)):
        window = [
            int(x[0, c, i, j])
            for i in range(2 * r - 1, 2 * r + 2)
            if 0 <= i < 5
            for j in range(2 * q - 1, 2 * q + 2)
            if 0 <= j < 5
        ]
        mean = round(
            __import__("fractions").Fraction(sum(window) - zero * len(window), len(window))
        )
        assert got[0, c, r, q] == (max(window) if kind == "max_pool" else mean + zero)
    part = pool(op, x[:, :, 1:], 1, 0, 1, 2, zero)  # the lower rows alone
    assert np.array_equal(part, got[:, :, 1:])


def test_addition_and_relu_on_codes() -> None:
    a, b = Quantization("int8", np.float64(0.5), 3), Quantization("int8", np.float64(0.25), -2)
    out = Quantization("int8", np.float64(1.0), 1)
    x, y = np.arange(-128, 128).reshape(1, 1, 16, 16), np.full((1, 1, 16, 16), 6)
    wide = np.rint((x - 3) * 0.5 + (y + 2) * 0.25) + 1
    got = elementwise(vector("add"), [x, y], [a, b], out)
    assert np.array_equal(got, np.clip(wide, -128, 127))
    got = elementwise(vector("add", activation="relu"), [x, y], [a, b], out)
    assert np.array_equal(got, np.clip(wide, 1, 127))
    got = elementwise(vector("relu"), [x], [a], a)
    assert np.array_equal(got, np.maximum(x, 3))
    small = np.arange(-11, 12).reshape(1, 1, 1, 23)
    got = elementwise(vector("multiply"), [small, small], [out, out], out)
    assert np.array_equal(got, np.clip((small - 1) ** 2 + 1, -128, 127))
    got = elementwise(vector("multiply"), [x, y], [a, b], out)
    assert np.array_equal(got, np.clip(np.rint((x - 3) * 0.5 * (y + 2) * 0.25) + 1, -128, 127))


@EXAMPLES
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_division_ties_to_even(numerator: int, divisor: int) -> None:
    from fractions import Fraction

    assert divided(np.array([numerator]), divisor).tolist() == [round(Fraction(numerator, divisor))]
