"""Exact sums of groups of products, and dot products of blocks, against rational numbers."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from accelsim.errors import InputError
from accelsim.formats import Block, get
from accelsim.numerics import matmul
from accelsim.units.exact_groups import odd_total, two_sum
from tests.formats.exact import exact, floor_log2


def wide(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Values over the whole range of a format."""
    record = get(name)
    rng = np.random.default_rng(seed)
    low, high = np.log2(record.smallest), np.log2(record.largest)
    size = np.exp2(rng.uniform(max(low, -60), min(high, 60), shape))
    return record.quantize(rng.choice([-1, 1], shape) * size)


@pytest.mark.parametrize(
    ("name", "total", "rounding", "group", "chunk"),
    [
        ("fp8_152", "fp16_169", "nearest_even", 8, 0),
        ("fp8_152", "fp16_169", "toward_zero", 4, 16),
        ("fp8_152", "fp32", "nearest_even", 32, 0),
        ("hfp8_143", "fp16_169", "nearest_away", 5, 20),
        ("int8", "fp16_169", "up", 8, 0),
        ("fp16", "fp32", "nearest_even", 3, 0),
    ],
)
def test_groups_against_rational_numbers(
    name: str, total: str, rounding: str, group: int, chunk: int
) -> None:
    a, b, out = wide(name, (5, 44), 1), wide(name, (44, 4), 2), get(total)
    a[:, ::7] = 0
    b[1::5] = -b[::5][: len(b[1::5])]  # much of the sums cancels
    how = {"format": total, "rounding": rounding, "chunk": chunk, "overflow": "saturate"}
    got = matmul(a, b, how, input=name, weight=name, group=group)
    for i, j in product(range(5), range(4)):
        whole = Fraction(0)
        for c0 in range(0, 44, chunk or 44):
            s = Fraction(0)
            end = min(c0 + (chunk or 44), 44)
            for g0 in range(c0, end, group):
                terms = sum(
                    Fraction(a[i, k]) * Fraction(b[k, j]) for k in range(g0, min(g0 + group, end))
                )
                s = Fraction(exact(out, s + terms, rounding, "saturate"))
            whole = Fraction(exact(out, whole + s, rounding, "saturate")) if chunk else s
        assert Fraction(got[i, j]) == whole, (i, j)


@pytest.mark.parametrize(
    "name", ["mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8"]
)
def test_blocks_against_rational_numbers(name: str) -> None:
    """total = round(total + 2^(s + t) (exact sum of 32 element products))."""
    record, out = get(name), get("fp32")
    assert isinstance(record, Block)
    rng = np.random.default_rng(3)
    a = rng.normal(size=(3, 80)) * np.exp2(rng.integers(-20, 20, (3, 80)))
    b = rng.normal(size=(80, 4)) * np.exp2(rng.integers(-20, 20, (80, 4)))
    got = matmul(a, b, "fp32", input=name, weight=name)
    x, y = record.quantize(a), record.quantize(np.ascontiguousarray(b.T)).T
    for i, j in product(range(3), range(4)):
        total = Fraction(0)
        for g0 in range(0, 80, 32):
            block = sum(Fraction(x[i, k]) * Fraction(y[k, j]) for k in range(g0, min(g0 + 32, 80)))
            total = Fraction(exact(out, total + block, "nearest_even", "saturate"))
        assert Fraction(got[i, j]) == total
    mixed = matmul(a, b, "fp32", input=name, weight="fp8_e4m3fn")
    assert mixed.shape == got.shape and np.isfinite(mixed).all()


def test_odd_totals() -> None:
    """Up to five numbers of any sizes: cut to 53 bits, the last one set where anything was cut."""
    rng = np.random.default_rng(9)
    terms = [rng.normal(size=3000) * np.exp2(rng.integers(-80, 80, 3000)) for _ in range(5)]
    terms[3][::2] = -terms[0][::2]
    terms[4][::3] = np.nextafter(-terms[1][::3], 0)
    found = odd_total(terms)
    for index in range(3000):
        whole = sum(Fraction(term[index]) for term in terms)
        if whole == 0:
            assert found[index] == 0
            continue
        spacing = Fraction(2) ** (floor_log2(abs(whole)) - 52)
        count, rest = abs(whole) // spacing, abs(whole) % spacing
        wanted = (count | (rest != 0)) * spacing
        assert abs(Fraction(found[index])) == wanted and (found[index] > 0) == (whole > 0)
    total, error = two_sum(terms[0], terms[1])
    assert all(
        Fraction(t) + Fraction(e) == Fraction(x) + Fraction(y)
        for t, e, x, y in zip(total[:500], error[:500], terms[0][:500], terms[1][:500], strict=True)
    )


def test_grouped_stochastic_pieces_of_k() -> None:
    """Cut where a chunk ends, the bits stay."""
    a, b = wide("fp8_152", (4, 64), 4), wide("fp8_152", (64, 6), 5)
    how = {
        "format": "fp16_169",
        "rounding": "stochastic",
        "chunk": 16,
        "seed": 3,
        "overflow": "saturate",
    }
    whole = matmul(a, b, how, input="fp8_152", weight="fp8_152", group=4)
    first = matmul(a[:, :32], b[:32], how, input="fp8_152", weight="fp8_152", group=4)
    both = matmul(
        a[:, 32:], b[32:], how, input="fp8_152", weight="fp8_152", group=4, start=first, first=32
    )
    assert np.array_equal(whole, both)
    corner = matmul(
        a[2:], b[:, 3:], how, input="fp8_152", weight="fp8_152", group=4, index=15, columns=6
    )
    assert np.array_equal(corner, whole[2:, 3:])


@pytest.mark.parametrize(
    ("input_", "keys", "text"),
    [
        ("bf16", {}, "spans"),
        ("fp8_152", {"first": 2}, "inside"),
        ("fp8_152", {"first": 24}, "inside"),
        ("fp8_152", {"accumulate": {"format": "fp16_169", "product": "fp16_169"}}, "exact groups"),
    ],
)
def test_groups_that_cannot_be(input_: str, keys: dict[str, object], text: str) -> None:
    settings: dict[str, object] = {"accumulate": {"format": "fp16_169", "chunk": 16}, **keys}
    with pytest.raises(InputError, match=text):
        matmul(np.ones((2, 16)), np.ones((16, 2)), input=input_, weight=input_, group=4, **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="NaN or infinity"):
        matmul(
            np.full((2, 16), np.inf),
            np.ones((16, 2)),
            "fp32",
            input="fp8_e5m2",
            weight="fp8_152",
            group=4,
        )
