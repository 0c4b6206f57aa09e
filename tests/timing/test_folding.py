"""Folded equals unfolded, row for row, and something was really skipped."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

import accelsim
from accelsim.mapping.compile import compile_program
from accelsim.program.blocks import find_blocks, proved_blocks
from accelsim.program.opcodes import Served
from accelsim.program.table import BlockRow, Program
from accelsim.timing.costs import Times, command_times
from accelsim.timing.engine import run
from accelsim.timing.folding import run_folded
from tests.timing.random_programs import random_program

NAMES = ("issue", "first", "release", "end", "why", "ref", "interval")


def repeated(seed: int, bodies: int) -> tuple[Program, Times]:
    """A random body over and over; its edges also reach back into earlier bodies."""
    program, times, _ = random_program(seed, contended=seed % 5 != 0)
    rng = np.random.default_rng(seed + 10**6)
    length = len(program)
    commands = program.commands
    commands.served[:] = Served.COLUMN
    tiled = type(commands)(
        *(np.tile(getattr(commands, item.name), bodies) for item in fields(commands))
    )
    edges = program.dependencies
    rows = np.repeat(np.arange(length), np.diff(edges.start))
    distance = rows - edges.predecessor + length * (rng.random(len(rows)) < 0.4)
    extra = rng.integers(0, length, min(length, 3))  # each waits for its own last turn or before
    rows = np.concatenate([rows, extra])
    distance = np.concatenate([distance, length * rng.integers(1, 3, len(extra))])
    kind = np.concatenate([edges.kind, rng.integers(0, 3, len(extra))])
    lag = np.concatenate([edges.lag, rng.integers(0, 5, len(extra))])
    turn = np.arange(bodies)[:, None] * length
    owner = (rows + turn).ravel()
    past = owner - np.tile(distance, bodies)
    keep = past >= 0
    order = np.argsort(owner[keep], kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(owner[keep], minlength=length * bodies))])
    dependencies = type(edges)(
        start.astype(np.int64),
        past[keep][order],
        np.tile(kind, bodies)[keep][order],
        np.tile(lag, bodies)[keep][order],
    )
    demands = program.demands
    counts = np.tile(np.diff(demands.start), bodies)
    moved = type(demands)(
        np.concatenate([[0], np.cumsum(counts)]),
        np.tile(demands.port, bodies),
        np.tile(demands.bytes, bodies),
    )
    operands = replace(program.operands, start=np.zeros(length * bodies + 1, np.int64))
    whole = replace(
        program,
        commands=tiled,
        dependencies=dependencies,
        demands=moved,
        operands=operands,
        commands_ahead=length * (1 + seed % 4) if seed % 3 == 0 else 0,
    )
    return whole, Times(
        *(np.tile(column, bodies) for column in (times.interval, times.first, times.last))
    )


def assert_equal(program: Program, times: Times, engine: str, seed: object) -> int:
    whole = run(program, times, engine)  # type: ignore[arg-type]
    folded = run_folded(program, times, engine == "compiled", least=0)
    for name, column in zip(NAMES, folded.columns, strict=True):
        assert np.array_equal(getattr(whole, name), column), f"{seed}: {name}"
    return folded.copied


@pytest.mark.parametrize("block", range(4))
def test_folded_equals_unfolded(block: int) -> None:
    """400 random repeating Programs with ports, arbiters, lags, several queues a unit."""
    skipped = 0
    for seed in range(block * 100, block * 100 + 100):
        program, times = repeated(seed, 60)
        skipped += assert_equal(program, times, "compiled", seed) > 0
    assert skipped > 50


def test_plain_engine_folds_alike() -> None:
    skipped = 0
    for seed in range(12):
        program, times = repeated(seed, 40)
        skipped += assert_equal(program, times, "plain", seed) > 0
    assert skipped > 5


def test_a_row_that_differs_breaks_the_block() -> None:
    """One longer command in the middle is no repetition; the fold must see it."""
    for seed in range(30):
        program, times = repeated(seed, 60)
        odd = len(program) // 2 + seed % 7
        program.commands.shape[odd] = 1
        times.interval[odd] += 50
        times.last[odd] += 50
        assert_equal(program, times, "compiled", seed)
        assert all(
            not block.first + block.length <= odd < block.first + block.length * (block.count - 1)
            for block in find_blocks(program, 0)
        )


def test_a_false_note_is_not_believed() -> None:
    for seed in range(10):
        program, times = repeated(seed, 60)
        odd = len(program) // 2
        program.commands.shape[odd] = 1
        times.interval[odd] += 50
        times.last[odd] += 50
        length = len(program) // 60
        noted = replace(program, blocks=(BlockRow(3 * length, length, 55),))
        assert not proved_blocks(noted)
        assert_equal(noted, times, "compiled", seed)
        program.commands.shape[odd] = 0
        assert proved_blocks(noted) == noted.blocks


@pytest.mark.parametrize("chip_name", ["int8_128", "mixed_quad"])
def test_resnet_folds(chip_name: str) -> None:
    chip = accelsim.load_chip(chip_name)
    program = compile_program(chip, accelsim.load_workload("resnet18"))
    whole = run(program, command_times(program, chip), "compiled")
    folded = run_folded(program, command_times(program, chip), True, least=512)
    for name, column in zip(NAMES, folded.columns, strict=True):
        assert np.array_equal(getattr(whole, name), column), name
    assert chip_name == "int8_128" or folded.copied > 5000
