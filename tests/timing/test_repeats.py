"""A Program with a repeat means what the Program in full means, or is refused."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from accelsim.program.repeats import commands_of, in_full, spans
from accelsim.program.table import Dependencies, Program, RepeatRow
from accelsim.timing.costs import Times
from accelsim.timing.engine import run
from accelsim.timing.repeats import Unsettled
from tests.timing.test_folding import NAMES, repeated

LISTED, MORE = 8, 9  # bodies


def bounded(program: Program, bodies: int) -> Program:
    """Every row waits for the last rows of all units two bodies before, as buffers of two slots make it."""
    length, edges = len(program) // bodies, program.dependencies
    unit = program.commands.unit[:length]
    last = np.array([np.flatnonzero(unit == u)[-1] for u in np.unique(unit)])
    rows = np.arange(2 * length, len(program))
    waits = (rows // length - 2)[:, None] * length + last
    owner = np.concatenate(
        [np.repeat(np.arange(len(program)), np.diff(edges.start)), np.repeat(rows, len(last))]
    )
    order = np.argsort(owner, kind="stable")
    start = np.zeros(len(program) + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=len(program)), out=start[1:])
    more = np.zeros(waits.size, np.int64)
    return replace(
        program,
        dependencies=Dependencies(
            start,
            np.concatenate([edges.predecessor, waits.ravel()])[order],
            np.concatenate([edges.kind, more + 1])[order],
            np.concatenate([edges.lag, more])[order],
        ),
    )


def short_and_whole(seed: int) -> tuple[Program, Times, Program, Times]:
    """A random repeating Program with LISTED bodies, the fourth of which stands for MORE besides, and the
    same with all of them."""
    short, times = repeated(seed, LISTED)
    whole, all_times = repeated(seed, LISTED + MORE)
    short, whole = bounded(short, LISTED), bounded(whole, LISTED + MORE)
    length = len(short) // LISTED
    row = RepeatRow(3 * length, length, MORE, 0, (2 * length, 7 * length))
    return replace(short, repeat=row), times, whole, all_times


@pytest.mark.parametrize("block", range(4))
def test_a_repeat_means_the_program_in_full(block: int) -> None:
    """200 random Programs with ports, arbiters, lags, several queues a unit: proved and equal, or refused."""
    proved = 0
    for seed in range(block * 50, block * 50 + 50):
        short, times, whole, all_times = short_and_whole(seed)
        try:
            found = run(short, times, "compiled")
        except Unsettled:
            continue
        proved += 1
        right = run(whole, all_times, "compiled")
        full = found.in_full(short)
        for name in NAMES:
            assert np.array_equal(getattr(full, name), getattr(right, name)), f"{seed}: {name}"
        assert found.makespan == right.makespan and np.array_equal(found.port_busy, right.port_busy)
        assert found.units(short) == right.units(whole), seed
    assert proved > 25


def test_the_plain_engine_proves_alike() -> None:
    for seed in range(8):
        short, times, _, _ = short_and_whole(seed)
        answers = []
        for engine in ("plain", "compiled"):
            try:
                answers.append(run(short, times, engine).in_full(short).end.tolist())  # type: ignore[arg-type]
            except Unsettled as refused:
                answers.append(str(refused))
        assert answers[0] == answers[1]


def test_rows_are_expanded_where_spans_say() -> None:
    for seed in range(20):
        short, _, whole, _ = short_and_whole(seed)
        full = in_full(short)
        assert commands_of(short) == len(full) == len(whole)
        assert sum(part.stop - part.first for part in spans(short)) == len(whole)
        for name in ("unit", "queue", "shape", "opcode"):
            assert np.array_equal(getattr(full.commands, name), getattr(whole.commands, name))
        for table in ("dependencies", "demands"):
            ours, theirs = getattr(full, table), getattr(whole, table)
            for item in fields(ours):
                assert np.array_equal(getattr(ours, item.name), getattr(theirs, item.name)), (
                    seed,
                    item.name,
                )


def settled_seed() -> int:
    """A seed whose repeat is proved."""
    for seed in range(50):
        short, times, _, _ = short_and_whole(seed)
        try:
            run(short, times, "compiled")
        except Unsettled:
            continue
        return seed
    raise AssertionError("none of 50 settles")


def test_copies_that_differ_are_refused() -> None:
    short, times, _, _ = short_and_whole(settled_seed())
    assert short.repeat is not None
    edges = short.dependencies
    row = short.repeat.first + short.repeat.length
    at = int(edges.start[row:].min()) if edges.start[row] < len(edges.lag) else 0
    lag = edges.lag + (np.arange(len(edges.lag)) == at)
    longer = replace(
        short, dependencies=Dependencies(edges.start, edges.predecessor, edges.kind, lag)
    )
    with pytest.raises(Unsettled, match="differ"):
        run(longer, times, "compiled")


def test_what_drifts_apart_never_settles() -> None:
    """Two units that do not wait for each other, one slower: the distance grows with every body."""
    short, _, _, _ = short_and_whole(settled_seed())
    none = np.zeros(len(short) + 1, np.int64)
    empty = np.zeros(0, np.int64)
    apart = np.arange(len(short)) % 2
    assert len(short.units) > 1
    commands = replace(short.commands, unit=apart, queue=apart)
    length = 4
    row = RepeatRow(3 * length, length, MORE, 0, (length, 7 * length))
    free = replace(
        short,
        commands=commands,
        repeat=row,
        dependencies=Dependencies(none, empty, empty, empty),
        demands=replace(short.demands, start=none, port=empty, bytes=empty),
    )
    busy = np.where(apart == 0, 3, 5)
    commands.shape[:] = 0
    with pytest.raises(Unsettled):
        run(free, Times(busy, busy, busy), "compiled")


def test_work_beside_the_copies_is_refused() -> None:
    """A row behind the copies that is ready from the start would run beside the first of them."""
    short, times, _, _ = short_and_whole(settled_seed())
    assert short.repeat is not None
    early = replace(
        short.repeat, alike=(short.repeat.alike[0], short.repeat.stop + short.repeat.length)
    )
    with pytest.raises(Unsettled):
        run(replace(short, repeat=early), times, "compiled")
