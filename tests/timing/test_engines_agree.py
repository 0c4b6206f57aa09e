"""The engine equals the SimPy reference event for event; plain equals compiled."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.timing.engine import run, uncontended
from tests.timing.random_programs import random_program

COLUMNS = ("issue", "first", "release", "end", "why", "ref", "interval")


def assert_same(a, b, seed: int) -> None:
    for name in COLUMNS:
        left, right = getattr(a, name), getattr(b, name)
        assert np.array_equal(left, right), (
            f"seed {seed}: {name} differs first at row {np.flatnonzero(left != right)[0]}: "
            f"{left[left != right][0]} and {right[left != right][0]}"
        )
    assert a.makespan == b.makespan
    assert np.array_equal(a.port_busy, b.port_busy)


FULL = [pytest.param(block, marks=pytest.mark.full) for block in range(20, 100)]


@pytest.mark.parametrize("block", [*range(20), *FULL])
def test_engine_equals_simpy(block: int) -> None:
    """5,000 random Programs with contention, 1,000 without."""
    contended = 0
    for seed in range(block * 300, block * 300 + 300):
        program, times, state = random_program(seed, contended=seed % 6 != 0)
        contended += not uncontended(program)
        plain = run(program, times, "plain", state)
        assert_same(plain, run(program, times, "simpy", state), seed)
        plain.units(program)  # busy + stalled + idle = makespan on every unit
    assert contended > 150


def test_plain_equals_compiled() -> None:
    for seed in range(1500):
        program, times, state = random_program(seed, contended=seed % 6 != 0)
        assert_same(
            run(program, times, "plain", state), run(program, times, "compiled", state), seed
        )
