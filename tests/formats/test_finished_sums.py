"""One rounding behind an exact dot product, against rational numbers; and the same through a chip."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.formats.random_bits import key_of, word_at
from accelsim.formats.rounding import ROUNDINGS
from accelsim.numerics import matmul
from accelsim.numerics.lowering import weight_matrix
from accelsim.units.finished_sums import RESULT
from tests.formats.exact import exact, same

ROOT = Path(__file__).parents[2]
GUPTA = {
    "format": "fixed_16_16",
    "rounding": "exact",
    "result": "stochastic",
    "random_bits": 8,
    "seed": 5,
}


def codes(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Values of fixed_8_8 up to 4 in magnitude."""
    return rng.integers(-1024, 1025, shape) / 256


def draw(seed: int, bits: int, index: int) -> int:
    word = word_at(key_of(int(key_of(seed, RESULT))), np.array([index]))
    return int(word[0] >> np.uint64(64 - bits))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_one_rounding_of_the_exact_sum(rounding: str) -> None:
    """Every output is the rational dot product, rounded once: no chain of roundings gives that."""
    rng = np.random.default_rng(1)
    a, b = codes(rng, (5, 40)), codes(rng, (40, 6))
    found = matmul(
        a,
        b,
        GUPTA | {"result": rounding},
        input="fixed_8_8",
        weight="fixed_8_8",
        output="fixed_8_8",
    )
    record = get("fixed_8_8")
    for i, j in product(range(5), range(6)):
        whole = sum(
            (Fraction(x) * Fraction(y) for x, y in zip(a[i], b[:, j], strict=True)), Fraction(0)
        )
        wanted = exact(record, whole, rounding, "saturate", draw(5, 8, i * 6 + j), 8)
        assert same(float(found[i, j]), wanted), (i, j)


def test_expectation_is_the_exact_sum_where_a_chain_of_roundings_to_nearest_loses_it() -> None:
    """3,000 products of 2^-9, half of the least step: to nearest each is lost, the sum is 5.859375."""
    a, b = np.full((1, 3000), 2.0**-8), np.full((3000, 4000), 0.5)
    every = matmul(a, b, GUPTA, input="fixed_8_8", weight="fixed_8_8", output="fixed_8_8")
    assert set(np.unique(every)) <= {5.859375}  # 3000 / 512 is a whole number of steps
    a = np.full((1, 3001), 2.0**-8)
    b = np.full((3001, 4000), 0.5)
    every = matmul(a, b, GUPTA, input="fixed_8_8", weight="fixed_8_8", output="fixed_8_8")
    assert set(np.unique(every)) == {5.859375, 5.859375 + 2.0**-8}
    assert every.mean() == pytest.approx(3001 / 512, abs=2.0**-8 * 0.03)
    assert matmul(a, b[:, :1], "fixed_8_8", input="fixed_8_8", weight="fixed_8_8")[0, 0] == 0


def test_parts_of_outputs_draw_the_bits_of_their_place() -> None:
    rng = np.random.default_rng(2)
    a, b = codes(rng, (6, 20)), codes(rng, (20, 8))
    how = {"input": "fixed_8_8", "weight": "fixed_8_8", "output": "fixed_8_8"}
    whole = matmul(a, b, GUPTA, **how)
    part = matmul(a[2:5], b[:, 3:7], GUPTA, index=2 * 8 + 3, columns=8, **how)
    assert np.array_equal(part, whole[2:5, 3:7])
    assert not np.array_equal(matmul(a, b, GUPTA | {"seed": 6}, **how), whole)


def test_unknown_rounding_is_refused() -> None:
    with pytest.raises(InputError, match="no rounding 'nearest_odd'"):
        matmul([[1.0]], [[1.0]], {"format": "fp32", "result": "nearest_odd"}, output="fp16")


FIXED = [
    "units.array.rates=[{input: fixed_8_8, weight: fixed_8_8}]",
    "precision.input=fixed_8_8",
    "precision.weight=fixed_8_8",
    "units.array.accumulator={format: fixed_16_16, rounding: exact, "
    "result: stochastic, random_bits: 8, seed: 5}",
]


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["units.array.rows=8", "units.array.columns=7"],
        ["units.array.fused_epilogue=false"],
        ["units.array.dataflow=output_stationary"],
        ["units.array.dot=4", "units.array.rows=16"],
        ["units.array.count=2", "units.array.split=k"],
    ],
    ids=lambda more: ",".join(more) or "shipped",
)
def test_a_chip_with_such_an_accumulator(more: list[str]) -> None:
    """The first layer of the digits: one stochastic rounding, the same bits whatever the tiles."""
    chip = accelsim.load_chip("int8_edge", FIXED + more)
    work = accelsim.load_workload("digits_mlp", batch=3)
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        images = file["images"][:3].reshape(work.tensors["x"].shape) / 16
    result = accelsim.run(chip, work, {"x": images})
    assert result.values
    values = accelsim.api.load_values(work)
    x = get("fixed_8_8").quantize(images).reshape(3, -1)
    for number, op in enumerate(work.operators):
        w = get("fixed_8_8").quantize(weight_matrix(op, values[op.weight].astype(float))[0])
        sums = x @ w + values[op.bias].astype(float)  # exact: far below 2^53 steps
        if op.activation == "relu":
            sums = np.maximum(sums, 0.0)
        last = number == len(work.operators) - 1  # leaves in the format of the sums
        record = get("fixed_16_16" if last else "fixed_8_8")
        x = np.array(
            [
                [
                    float(
                        exact(
                            record,
                            Fraction(value),
                            "stochastic",
                            "saturate",
                            draw(5, 8, i * op.n + j),
                            8,
                        )
                    )
                    for j, value in enumerate(row)
                ]
                for i, row in enumerate(sums.tolist())
            ]
        )
    (found,) = result.values.outputs.values()
    assert np.array_equal(found, x)
