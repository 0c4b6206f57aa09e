"""Codes of pools, ranges and exports by hand."""

from __future__ import annotations

import csv
import io
import math
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from accelsim.numerics.quantize import affine
from accelsim.numerics.ranges import Calibration, clip
from accelsim.numerics.vector import pool
from accelsim.store.columns import Columns
from accelsim.store.export import _csv, table_of
from accelsim.workload import VectorOperator


def average(
    kernel: tuple[int, int], padding: tuple[int, int, int, int], out: tuple[int, int]
) -> VectorOperator:
    shape = (1, 1, 3, 3)
    return VectorOperator(
        "p", "average_pool", ("x",), "y", (shape,), (1, 1, *out), kernel, kernel, padding
    )


@pytest.mark.parametrize("zero", [0, 3, -7, 100])
def test_an_average_is_of_reals_wherever_zero_stands(zero: int) -> None:
    """Codes 0 .. 8 over a zero of ``zero``: averages of what lies in the window, padding left out; the zero
    point moves every code and every average by itself."""
    reals = np.arange(9, dtype=np.int64).reshape(1, 1, 3, 3)
    op = average((2, 2), (1, 1, 0, 0), (2, 2))
    found = pool(op, reals + zero, 0, 0, 0, 2, zero) - zero
    # windows: {0}; {1, 2}; {3, 6}; {4, 5, 7, 8}: 0, 1.5, 4.5, 6, halves to even
    assert found.reshape(-1).tolist() == [0, 2, 4, 6]
    one = VectorOperator("p", "global_average_pool", ("x",), "y", ((1, 1, 3, 3),), (1, 1, 1, 1))
    assert pool(one, reals + zero, 0, 0, 0, 1, zero).item() == 4 + zero


@pytest.mark.parametrize(
    ("low", "high", "widened"),
    [
        (2.0, 6.0, (0.0, 6.0)),
        (-6.0, -2.0, (-6.0, 0.0)),
        (-1.0, 3.0, (-1.0, 3.0)),
        (5.0, 5.0, (0.0, 5.0)),
    ],
)
def test_a_range_is_widened_to_hold_zero(
    low: float, high: float, widened: tuple[float, float]
) -> None:
    """Zero has a code of its own, and both ends have one."""
    quant = affine(low, high, "int8")
    assert quant.decode(np.array([quant.zero])).item() == 0.0
    assert quant.scale * 255 == pytest.approx(widened[1] - widened[0], rel=1e-12, abs=0.0)
    ends = quant.decode(quant.encode(np.array([low, high])))
    assert np.abs(ends - [low, high]).max() <= quant.scale / 2 * (1 + 1e-9)


def test_a_percentile_of_one_sign_is_widened_too() -> None:
    for values in (np.linspace(3.0, 9.0, 1001), np.linspace(-9.0, -3.0, 1001)):
        low, high = clip(values, "int8", Calibration("percentile", percentile=99.0))
        assert low <= 0.0 <= high


def test_what_is_not_known_is_empty_in_an_export() -> None:
    """A measure that a point does not have is no "nan" in a table."""
    known = np.array([1.5, math.nan])
    columns = SimpleNamespace(
        keys=np.array([b"one", b"two"]),
        sets={},
        measures=("joules",),
        parts=(),
        ok=np.array([True, True]),
        fits=np.array([True, True]),
        measure=lambda name: known,
        setting=lambda key: (np.array([0, 0]), ["x"]),
    )
    table = table_of(cast(Columns, columns), np.array([True, True]))
    assert table["joules"] == [1.5, None]
    lines = list(csv.DictReader(io.StringIO(_csv(table))))
    assert [line["joules"] for line in lines] == ["1.5", ""]
