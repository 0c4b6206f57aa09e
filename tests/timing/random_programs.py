"""Random small Programs for the engines, with every feature that the timing semantics names."""

from __future__ import annotations

import numpy as np

from accelsim.program.opcodes import Access, Arbiter, Edge, Opcode, Served
from accelsim.program.table import (
    Commands,
    Demands,
    Dependencies,
    MemoryRow,
    Operands,
    PortRow,
    Program,
    QueueRow,
    Shapes,
    UnitRow,
)
from accelsim.timing.costs import Times
from accelsim.units.stateful import STATE_WORDS


def _csr(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def random_program(seed: int, contended: bool = True) -> tuple[Program, Times, np.ndarray]:
    """A Program of up to about 40 commands, its times in ticks, and stateful units' state.

    Clocks of several periods, lags, zero-length commands, queues that feed several units, units
    fed by several queues, ports of every arbiter, commands on several ports (multicast).
    """
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    units = int(rng.integers(1, 6))
    queues = int(rng.integers(1, 6)) if contended else units
    periods = rng.choice([3, 5, 7, 10], units)
    stateful = contended & (rng.random(units) < 0.15)
    ports = [
        PortRow(
            f"p{i}",
            int(rng.integers(1, 9)),
            int(rng.integers(1, 6)),
            int(rng.integers(1, 5)),
            int(rng.choice([int(a) for a in Arbiter])),
        )
        for i in range(int(rng.integers(1, 4)) if contended else units)
    ]
    unit_rows = tuple(
        UnitRow(
            f"u{i}",
            i,
            int(periods[i]),
            tuple(int(o) for o in Opcode),
            int(rng.integers(0, 3)),
            "open_page" if stateful[i] else "",
        )
        for i in range(units)
    )
    unit = rng.integers(0, units, count)
    queue = rng.integers(0, queues, count) if contended else unit.copy()
    if contended and rng.random() < 0.5:
        home = rng.integers(0, units, queues)
        unit = home[queue]
    zeros = np.zeros(count, np.int64)
    served = np.where(stateful[unit], int(Served.STATEFUL), int(Served.COLUMN)).astype(np.int64)
    commands = Commands(
        np.full(count, int(Opcode.VECTOR), np.int64),
        unit.astype(np.int64),
        queue.astype(np.int64),
        zeros - 1,
        zeros,
        zeros,
        zeros,
        zeros - 1,
        served,
        rng.integers(0, 400, count),
    )
    interval = rng.integers(0, 12, count) * rng.integers(0, 2, count) * periods[unit]
    last = interval + rng.integers(0, 8, count) * periods[unit]
    first = (last * rng.random(count)).astype(np.int64)
    edge_counts = np.array([int(rng.integers(0, min(i, 4) + 1)) for i in range(count)])
    pred = np.concatenate(
        [rng.integers(max(0, i - 8), i, c) for i, c in enumerate(edge_counts)]
    ).astype(np.int64)
    edges = Dependencies(
        _csr(edge_counts),
        pred,
        rng.choice([int(e) for e in Edge], len(pred)).astype(np.int64),
        (rng.integers(0, 9, len(pred)) * rng.integers(0, 2, len(pred))).astype(np.int64),
    )
    if contended:
        picks = [rng.permutation(len(ports))[: rng.integers(0, len(ports) + 1)] for _ in unit]
    else:
        picks = [np.array([u])[: rng.integers(0, 2)] for u in unit]
    demand_counts = np.array([len(p) for p in picks])
    port = np.concatenate(picks).astype(np.int64)
    demands = Demands(_csr(demand_counts), port, rng.integers(0, 60, len(port)))
    operand_counts = (served > 0).astype(np.int64)
    total = int(operand_counts.sum())
    one = np.zeros(total, np.int64)
    operands = Operands(
        _csr(operand_counts),
        one,
        one,
        one,
        one,
        one,
        rng.integers(0, 30, total),
        np.full(total, int(Access.READ), np.int64),
        one,
        np.zeros((total, 1), np.int64),
        np.ones((total, 1), np.int64),
    )
    shapes = Shapes(*(np.zeros(1, np.int64) for _ in range(6)), np.zeros((1, 8), np.int64))
    program = Program(
        commands,
        shapes,
        operands,
        edges,
        demands,
        unit_rows,
        tuple(f"k{i}" for i in range(units)),
        tuple(QueueRow(f"q{i}", int(rng.integers(0, 3))) for i in range(queues)),
        tuple(ports),
        (MemoryRow("m", 1 << 20),),
        (),
        (),
        10**12,
    )
    state = np.zeros(units * STATE_WORDS, np.int64)
    for u in range(units):
        state[u * STATE_WORDS + 1 : u * STATE_WORDS + 5] = [64, 2, 5, 30]
    times = Times(interval.astype(np.int64), first, last.astype(np.int64))
    return program, times, state
