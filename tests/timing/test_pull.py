"""The pull engine gives every moment that the event engine and SimPy give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.mapping.compile import compile_program
from accelsim.program.table import Program, QueueRow
from accelsim.timing import engine
from accelsim.timing.costs import Times, command_times
from accelsim.timing.engine import ALONE, EVENTS, IN_ORDER, contended
from accelsim.timing.pull import pulled
from accelsim.timing.timeline import Timeline
from tests.timing.random_programs import random_program

MANY = 1_000_000
FULL = [pytest.param(block, marks=pytest.mark.full) for block in range(4, 40)]


def of_own_queues(seed: int) -> tuple[Program, Times]:
    """A random Program whose units have a queue each and no state; every third in a small command memory."""
    program, times, _ = random_program(seed)
    commands = replace(
        program.commands,
        queue=program.commands.unit.copy(),
        served=np.zeros(len(program), np.int64),
    )
    units = tuple(replace(row, serve="") for row in program.units)
    queues = tuple(QueueRow(row.name, 0) for row in units)
    ahead = 1 + seed // 3 % 6 if seed % 3 == 0 else 0
    made = replace(program, commands=commands, units=units, queues=queues, commands_ahead=ahead)
    return made, times


def columns(line: Timeline) -> list[np.ndarray]:
    return [line.issue, line.first, line.release, line.end, line.why, line.ref, line.interval]


@pytest.mark.parametrize("block", [*range(4), *FULL])
def test_every_moment_of_random_programs(block: int) -> None:
    """Plain and compiled, at once and a few ticks a call: as by events, every third as by SimPy."""
    found = set()
    for seed in range(block * 250, block * 250 + 250):
        program, times = of_own_queues(seed)
        found.add(contended(program))
        wanted = engine._events(program, times, False, None)
        for fast in (False, True):
            for ticks in (MANY, 1 + seed % 7):
                assert all(
                    np.array_equal(a, b)
                    for a, b in zip(pulled(program, times, fast, ticks), wanted, strict=True)
                ), (seed, fast, ticks)
            line = engine.run(program, times, "compiled" if fast else "plain")
            assert all(np.array_equal(a, b) for a, b in zip(columns(line), wanted, strict=True))
        if seed % 3 == 0:
            line = engine.run(program, times, "simpy")
            assert all(np.array_equal(a, b) for a, b in zip(columns(line), wanted, strict=True))
    assert found == {ALONE, IN_ORDER}


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("int8_edge", ["memories.dram.arbiter=priority"]),
        ("int8_edge", ["units.array.count=3", "memories.dram.arbiter=first_come"]),
        ("mixed_quad", ["memories.dram.quantum=1"]),
        ("pcm_8level", ["weights=cold", "units.tiles.count=40"]),
    ],
)
def test_every_moment_of_a_network(name: str, sets: list[str]) -> None:
    chip = accelsim.load_chip(name, sets)
    program = compile_program(chip, accelsim.load_workload("digits_residual"))
    times = command_times(program, chip)
    wanted = engine._events(program, times, True, None)
    for fast in (False, True):
        found = pulled(program, times, fast, MANY)
        assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_which_engine_a_program_needs() -> None:
    """A queue that feeds two units, or two that feed one, leave the pull engine out."""
    kinds = {ALONE: 0, EVENTS: 0, IN_ORDER: 0}
    for seed in range(200):
        program, times = of_own_queues(seed)
        c = program.commands
        if seed % 4 == 1:
            c.queue[: len(program) // 2] = 0
        elif seed % 4 == 2 and len(program.queues) > 1:
            c.unit[c.queue == 1] = 0
        need = contended(program)
        assert need == contended(program, True)
        kinds[need] += 1
        pairs = set(zip(c.unit.tolist(), c.queue.tolist(), strict=True))
        own = len(pairs) == len({u for u, _ in pairs}) == len({q for _, q in pairs})
        assert own or need != ALONE
        wanted = engine._events(program, times, False, None)
        found = columns(engine.run(program, times, "plain"))
        assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True)), seed
    assert all(kinds.values())


def test_a_command_that_never_becomes_ready_is_said() -> None:
    program, times = of_own_queues(0)
    assert len(program.dependencies.predecessor)
    program.dependencies.predecessor[0] = len(program) - 1
    program.dependencies.kind[0] = 0
    program.commands.unit[:] = 0
    with pytest.raises(RuntimeError, match="never became ready"):
        pulled(program, times, False, MANY)
