"""Pools, sums, products and ranges of codes against rational numbers of what the codes stand for."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.numerics.gemm import largest
from accelsim.numerics.quantize import Quantization, affine
from accelsim.numerics.vector import divided, elementwise, pool
from accelsim.workload import VectorOperator

POOL = """
name: pools
inputs: {x: [2, 3, 9, 7]}
operators:
  - {name: p, kind: KIND, input: x, kernel: [3, 2], stride: [2, 3], padding: [1, 1]}
"""
PAIR = """
name: pair
inputs: {x: [4, 25], z: [4, 25]}
operators:
  - {name: s, kind: KIND, input: [x, z]}
"""


def operator(folder: Path, text: str, kind: str) -> VectorOperator:
    path = folder / "one.yaml"
    path.write_text(text.replace("KIND", kind))
    (op,) = accelsim.load_workload(str(path)).operators
    assert isinstance(op, VectorOperator)
    return op


def nearest(value: Fraction) -> int:
    """Ties to even."""
    low = floor(value)
    rest = value - low
    return low + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and low % 2 == 1))


@pytest.mark.parametrize("zero", [0, 7, -128])
@pytest.mark.parametrize("kind", ["average_pool", "max_pool"])
def test_pools(kind: str, zero: int, tmp_path: Path) -> None:
    """Padding is in no average and wins no maximum; an average is of what codes stand for, so the zero
    point cancels only if it is taken off and put back."""
    op = operator(tmp_path, POOL, kind)
    x = np.random.default_rng(3).integers(-128, 128, (2, 3, 9, 7))
    found = pool(op, x, 0, 0, 0, op.output_shape[2], zero)
    assert found.shape == op.output_shape
    for n, c, i, j in product(*(range(size) for size in op.output_shape)):
        rows = range(max(0, 2 * i - 1), min(9, 2 * i + 2))
        columns = range(max(0, 3 * j - 1), min(7, 3 * j + 1))
        inside = [int(x[n, c, r, k]) for r, k in product(rows, columns)]
        mean = nearest(Fraction(sum(inside) - zero * len(inside), len(inside))) + zero
        assert found[n, c, i, j] == (max(inside) if kind == "max_pool" else mean), (i, j)


def test_parts_of_a_pool_are_those_of_the_whole(tmp_path: Path) -> None:
    """Rows 2 .. 4 of the output from the rows of the input that they reach."""
    op = operator(tmp_path, POOL, "average_pool")
    x = np.random.default_rng(4).integers(-128, 128, (2, 3, 9, 7))
    whole = pool(op, x, 0, 0, 0, op.output_shape[2], 5)
    part = pool(op, x[:, :, 3:], 3, 0, 2, op.output_shape[2] - 2, 5)
    assert np.array_equal(part, whole[:, :, 2:])


def test_global_average(tmp_path: Path) -> None:
    text = "name: g\ninputs: {x: [2, 3, 5, 4]}\noperators:\n  - {name: p, kind: KIND, input: x}\n"
    op = operator(tmp_path, text, "global_average_pool")
    x = np.random.default_rng(5).integers(-128, 128, (2, 3, 5, 4))
    found = pool(op, x, 0, 0, 0, 1, -9)
    for n, c in product(range(2), range(3)):
        wanted = nearest(Fraction(int(x[n, c].sum()) + 9 * 20, 20)) - 9
        assert found.reshape(2, 3)[n, c] == wanted


@pytest.mark.parametrize("kind", ["add", "multiply"])
@pytest.mark.parametrize("zeros", [(0, 0, 0), (3, -17, 5)])
def test_sums_and_products_of_what_codes_stand_for(
    kind: str, zeros: tuple[int, int, int], tmp_path: Path
) -> None:
    """Within half a code, and a little for the factors' 20 (sums) or 23 (products) bits."""
    op = operator(tmp_path, PAIR, kind)
    rng = np.random.default_rng(6)
    x, z = (rng.integers(-128, 128, (4, 25)) for _ in range(2))
    scales = (0.013, 0.031, 0.05 if kind == "add" else 0.06)
    quants = [
        Quantization("int8", np.float64(scale), zero)
        for scale, zero in zip(scales, zeros, strict=True)
    ]
    found = elementwise(op, [x, z], quants[:2], quants[2])
    real = [
        (codes - zero) * Fraction(scale)
        for codes, zero, scale in zip(
            (x.astype(object), z.astype(object)), zeros[:2], scales[:2], strict=True
        )
    ]
    exact = real[0] + real[1] if kind == "add" else real[0] * real[1]
    for got, value in zip(found.ravel().tolist(), exact.ravel().tolist(), strict=True):
        code = value / Fraction(scales[2]) + zeros[2]
        inside = min(max(code, Fraction(-128)), Fraction(127))
        assert abs(got - inside) <= Fraction(1, 2) + Fraction(1, 1000)
    assert found.min() >= -128 and found.max() <= 127 and len(np.unique(found)) > 20


def test_division_ties_to_even_for_both_signs() -> None:
    tops = np.arange(-60, 61)
    for divisor in (1, 2, 3, 4, 7, 12):
        wanted = [nearest(Fraction(int(top), divisor)) for top in tops]
        assert divided(tops, divisor).tolist() == wanted


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 3.5), (-4.0, -1.0), (-1.0, 2.0), (0.0, 6.0), (0.5, 0.5)]
)
@pytest.mark.parametrize("name", ["int8", "int4", "uint8", "int16"])
def test_a_range_is_widened_to_hold_zero(low: float, high: float, name: str) -> None:
    """0 is a code; the scale spans the widened range; no value inside is off by more than a step."""
    found = affine(low, high, name)
    record = found.record
    span = max(high, 0.0) - min(low, 0.0)
    assert float(found.scale) == pytest.approx(span / (record.maximum - record.minimum), rel=1e-12)
    assert found.decode(found.encode(np.array([0.0])))[0] == 0.0
    assert record.minimum <= found.zero <= record.maximum
    x = np.linspace(low, high, 101)
    assert np.abs(found.decode(found.encode(x)) - x).max() <= float(found.scale) * (1 + 1e-9)
    beyond = found.encode(np.array([min(low, 0) - span, max(high, 0) + span]))
    assert beyond.tolist() == [record.minimum, record.maximum]


@pytest.mark.parametrize("values", [[-7, 3], [5, -2], [-9], [0, 0], [4, 8]])
def test_the_largest_magnitude_of_either_sign(values: list[int]) -> None:
    assert largest(np.array(values)) == max(abs(value) for value in values)
    assert largest(np.zeros((0, 3), np.int64)) == 0
