"""Where a unit's time went, counted tick by tick; and a Timeline's own rules, command by command."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from accelsim.program.opcodes import Edge, Served, Why
from accelsim.program.table import Program
from accelsim.results.breakdown import time_shares
from accelsim.timing.engine import run
from accelsim.timing.timeline import Timeline
from tests.timing.random_programs import random_program

SEEDS = range(40)
WORDS = {Why.DATA: "data", Why.SLOT: "slot", Why.START: "start", Why.QUEUE: "queue"}


def timed(seed: int, contended: bool = True) -> tuple[Program, Timeline, np.ndarray]:
    program, times, state = random_program(seed, contended)
    return program, run(program, times, "plain", state), state


def counted(program: Program, line: Timeline) -> Counter[tuple[str, str]]:
    """(unit, cause) -> ticks, one tick after the other."""
    total: Counter[tuple[str, str]] = Counter()
    for number, row in enumerate(program.units):
        mine = sorted(
            np.flatnonzero(program.commands.unit == number).tolist(),
            key=lambda i: (line.issue[i], line.release[i]),
        )
        done = 0
        for i in mine:
            for tick in range(done, int(line.release[i])):
                if tick < line.issue[i]:
                    total[row.name, WORDS[Why(line.why[i])]] += 1
                elif tick < line.issue[i] + line.interval[i]:
                    total[row.name, "busy"] += 1
                else:
                    total[row.name, "port"] += 1
            done = max(done, int(line.release[i]))
        last = max((int(line.end[i]) for i in mine), default=0)
        total[row.name, "drain"] += last - done
        total[row.name, "idle"] += line.makespan - last
    return Counter({key: ticks for key, ticks in total.items() if ticks})


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_time(seed: int) -> None:
    program, line, _ = timed(seed)
    if any(line.interval[i] > line.release[i] - line.issue[i] for i in range(len(program))):
        return  # a stateful unit's own interval
    wanted = counted(program, line)
    found: Counter[tuple[str, str]] = Counter()
    for share in time_shares(program, line):
        found[share.unit, share.cause] += share.ticks
    assert found == wanted
    for row in line.units(program):
        assert row.busy == wanted[row.name, "busy"] + wanted[row.name, "drain"]
        assert row.drain == wanted[row.name, "drain"] and row.idle == wanted[row.name, "idle"]
        assert {cause: ticks for cause, ticks in row.stalled.items() if ticks} == {
            cause: ticks
            for (unit, cause), ticks in wanted.items()
            if unit == row.name and cause in (*WORDS.values(), "port")
        }


@pytest.mark.parametrize("seed", SEEDS)
def test_rules_of_a_timeline(seed: int) -> None:
    """No command is issued before what it depends on, its queue's or its unit's last one; each unit's results
    leave in order; the makespan is the last result; a command without waits starts at once."""
    program, line, _ = timed(seed)
    d, c = program.dependencies, program.commands
    for i in range(len(program)):
        ready = 0
        for j in range(int(d.start[i]), int(d.start[i + 1])):
            before, lag = int(d.predecessor[j]), int(d.lag[j])
            of = {Edge.DATA: line.end, Edge.SLOT: line.release, Edge.START: line.issue}[
                Edge(d.kind[j])
            ]
            ready = max(ready, int(of[before]) + lag)
        assert line.issue[i] >= ready
        assert line.release[i] >= line.issue[i] and line.end[i] >= line.first[i] >= line.issue[i]
        if line.why[i] == Why.NONE:
            assert line.issue[i] == 0 == ready
    assert line.makespan == max(line.end)
    for number in range(len(program.units)):
        mine = sorted(
            np.flatnonzero(c.unit == number).tolist(),
            key=lambda i: (line.issue[i], line.release[i], line.end[i]),
        )
        ends = [int(line.end[i]) for i in mine]
        assert ends == sorted(ends)
        for a, b in pairwise(mine):
            assert line.issue[b] >= line.release[a]


@pytest.mark.parametrize("seed", SEEDS)
def test_ports_are_busy_a_beat_for_every_width_or_part(seed: int) -> None:
    program, line, _ = timed(seed)
    served = program.commands.served == int(Served.COLUMN)
    total = [0] * len(program.ports)
    for i in range(len(program)):
        for j in range(int(program.demands.start[i]), int(program.demands.start[i + 1])):
            row = program.ports[int(program.demands.port[j])]
            beats, size = 0, int(program.demands.bytes[j])
            while size > 0:
                beats, size = beats + 1, size - row.width
            total[int(program.demands.port[j])] += beats * row.beat
            if served[i]:
                assert line.release[i] - line.issue[i] >= beats * row.beat
    assert line.port_busy.tolist() == total
    assert all(line.makespan >= ticks for ticks in total)


@pytest.mark.parametrize("clock", [1, 3, 7, 1000])
def test_cycles_are_rounded_up(clock: int) -> None:
    program, line, _ = timed(1)
    for ticks in (0, 1, 999, 1000, 1001, 2000):
        line.makespan = ticks
        line.tick_hz = 1000
        wanted = 0
        while wanted * 1000 < ticks * clock:  # cycles of 1000 / clock ticks
            wanted += 1
        assert line.cycles(clock) == wanted and line.seconds == ticks / 1000
    assert len(program)
