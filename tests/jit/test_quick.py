"""Kernels that are called without looking at types again: the same results."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from accelsim import jit


class Numbers(NamedTuple):
    """A record."""

    factor: int
    values: Any


def scaled(numbers: Numbers, more: int) -> int:
    """The sum of the values times the factor, and more."""
    total = 0
    for value in numbers.values:
        total += value
    return total * numbers.factor + more


def test_the_same_results_in_every_call() -> None:
    kernel = jit.quick(scaled)
    assert kernel is jit.quick(scaled) and isinstance(kernel, jit.Quick)
    for factor in range(4):
        for values in (np.arange(5), np.arange(100)):
            numbers = Numbers(factor, values)
            assert kernel(numbers, np.int64(factor)) == scaled(numbers, factor)
            assert kernel._entry is not None


def test_arguments_that_are_no_integers_are_looked_at_in_every_call() -> None:
    """The types of the first call are those of truth values here, and numbers come later."""

    def chosen(yes: Any, value: Any) -> Any:
        return value if yes else 0

    kernel = jit.quick(chosen)
    assert kernel(True, 5) == 5 and kernel(2, 7) == 7 and kernel(0, 7) == 0
    assert kernel(True, 2.5) == 2.5 and kernel._entry is None  # type: ignore[attr-defined]


def test_plain_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert jit.quick(scaled) is scaled
