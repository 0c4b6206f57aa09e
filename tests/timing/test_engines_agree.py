"""The engine equals the SimPy reference event for event; plain equals compiled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.program.opcodes import Why
from accelsim.program.table import Program
from accelsim.timing.costs import Times
from accelsim.timing.engine import run, uncontended
from tests.timing.random_programs import random_program

COLUMNS = ("issue", "first", "release", "end", "why", "ref", "interval")


def small_memory(
    seed: int, program: Program, times: Times, state: np.ndarray
) -> tuple[Program, Times, np.ndarray]:
    """Every third Program in a command memory of 1 to 6 entries."""
    ahead = 1 + seed // 3 % 6 if seed % 3 == 0 else 0
    return replace(program, commands_ahead=ahead), times, state


def test_a_command_memory_of_one_entry_runs_one_by_one() -> None:
    """On paper: a row issues when all before it have ended, and says that it waited in its queue for the row."""
    program, times, state = random_program(11, contended=False)
    line = run(replace(program, commands_ahead=1), times, "plain", state)
    ends = np.maximum.accumulate(line.end)
    assert len(program) > 5 and (line.issue[1:] >= ends[:-1]).all()
    held = line.why == Why.QUEUE
    rows = np.flatnonzero(held)
    assert len(rows) and (line.issue[rows] == ends[rows - 1]).all()
    assert (line.ref[rows] == rows - 1).all()


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
    """5,000 random Programs with contention, 1,000 without; every third in a command memory of few entries."""
    contended = 0
    for seed in range(block * 300, block * 300 + 300):
        program, times, state = small_memory(seed, *random_program(seed, seed % 6 != 0))
        contended += not uncontended(program)
        plain = run(program, times, "plain", state)
        assert_same(plain, run(program, times, "simpy", state), seed)
        plain.units(program)  # busy + stalled + idle = makespan on every unit
    assert contended > 150


def test_plain_equals_compiled() -> None:
    for seed in range(1500):
        program, times, state = small_memory(seed, *random_program(seed, seed % 6 != 0))
        assert_same(
            run(program, times, "plain", state), run(program, times, "compiled", state), seed
        )
