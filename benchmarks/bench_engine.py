"""Speed of the timing engine: commands a second in order, contended, and by SimPy.

The Programs stand for a double-buffered operator: three
transfer units, an array with its preload, a vector unit; lags and slot releases as the mapper
writes them. Contended, the transfers share one DRAM port in quanta; in order, each has its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from accelsim.program.opcodes import Arbiter, Edge, Opcode
from accelsim.program.table import (
    Commands,
    Demands,
    Dependencies,
    Operands,
    PortRow,
    Program,
    QueueRow,
    Shapes,
    UnitRow,
)
from accelsim.timing import engine
from accelsim.timing.costs import Times

UNITS = ("dma.input", "dma.weight", "array.preload", "array", "dma.output", "vector")
OPCODES = (Opcode.LOAD, Opcode.LOAD, Opcode.PRELOAD, Opcode.MATMUL, Opcode.STORE, Opcode.VECTOR)
INTERVAL = (0, 0, 32, 64, 0, 16)  # ticks
DRAIN = (100, 100, 0, 62, 0, 4)
BYTES = (1024, 1024, 0, 0, 2048, 0)  # through the DRAM port
#: (row of the pass, earlier row, passes back, kind): what one pass waits for
EDGES = (
    (0, 3, 2, Edge.SLOT),
    (1, 2, 2, Edge.SLOT),
    (2, 1, 0, Edge.DATA),
    (2, 3, 2, Edge.SLOT),
    (3, 2, 0, Edge.DATA),
    (3, 0, 0, Edge.DATA),
    (3, 5, 2, Edge.SLOT),
    (4, 5, 1, Edge.DATA),
    (5, 3, 0, Edge.DATA),
    (5, 4, 1, Edge.SLOT),
)
# bars of the project: commands a second, and the ratio to the reference
BARS = {"in_order": 20e6, "contended": 2e6, "simpy": 100e3, "contended_over_simpy": 30.0}


def passes(count: int, shared: bool) -> tuple[Program, Times]:
    """A Program of ``count`` passes of six commands each, and its times in ticks."""
    body = len(UNITS)
    rows = body * count
    unit = np.tile(np.arange(body), count)
    zeros = np.zeros(rows, np.int64)
    opcode = np.array(OPCODES, np.int64)[unit]
    commands = Commands(
        opcode, unit, unit.copy(), zeros - 1, zeros, zeros, zeros, zeros - 1, zeros, zeros
    )
    row, past, kind = [], [], []
    base = np.arange(count) * body
    for here, there, back, edge in EDGES:
        live = base[back:] if back else base
        row.append(live + here)
        past.append(live - back * body + there)
        kind.append(np.full(len(live), int(edge)))
    owner = np.concatenate(row)
    order = np.argsort(owner, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=rows))])
    edges = Dependencies(
        start,
        np.concatenate(past)[order],
        np.concatenate(kind)[order],
        np.zeros(len(owner), np.int64),
    )
    size = np.array(BYTES, np.int64)[unit]
    moving = size > 0
    slots = np.cumsum(np.array(BYTES) > 0) - 1
    port = zeros if shared else slots[unit]
    demands = Demands(np.concatenate([[0], np.cumsum(moving)]), port[moving], size[moving])
    ports = tuple(PortRow(f"port{i}", 64, 3, 8, int(Arbiter.ROUND_ROBIN)) for i in range(3))
    none = np.zeros(0, np.int64)
    operands = Operands(
        np.zeros(rows + 1, np.int64),
        *(none for _ in range(8)),
        np.zeros((0, 1), np.int64),
        np.zeros((0, 1), np.int64),
    )
    shapes = Shapes(*(np.zeros(1, np.int64) for _ in range(6)), np.zeros((1, 8), np.int64))
    units = tuple(UnitRow(name, i, 1, (int(OPCODES[i]),), i) for i, name in enumerate(UNITS))
    queues = tuple(QueueRow(name, i) for i, name in enumerate(UNITS))
    program = Program(
        commands, shapes, operands, edges, demands, units, UNITS, queues, ports, (), (), (), 10**12
    )
    interval, drain = np.array(INTERVAL)[unit], np.array(DRAIN)[unit]
    return program, Times(interval, interval.copy(), interval + drain)


def seconds(action: Callable[[], object], repeats: int) -> float:
    """CPU seconds of an action, the smallest of several."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        action()
        best = min(best, time.process_time() - begin)
    return best


def rate(count: int, shared: bool, name: str, repeats: int) -> float:
    """Commands a second of one engine."""
    program, times = passes(count, shared)
    return len(program) / seconds(lambda: engine.run(program, times, name), repeats)  # type: ignore[arg-type]


def measure(scale: float = 1.0) -> dict[str, float]:
    """All figures; scale shrinks the Programs."""
    large, middle, small = (max(1, int(n * scale)) for n in (200_000, 20_000, 2_000))
    for shared in (False, True):
        rate(1, shared, "compiled", 1)
    figures = {
        "in_order": rate(large, False, "compiled", 5),
        "contended": rate(large, True, "compiled", 3),
        "in_order_plain": rate(middle, False, "plain", 3),
        "contended_plain": rate(middle, True, "plain", 3),
        "simpy": rate(small, False, "simpy", 3),
        "simpy_contended": rate(small, True, "simpy", 3),
    }
    figures["in_order_over_simpy"] = figures["in_order"] / figures["simpy"]
    figures["contended_over_simpy"] = figures["contended"] / figures["simpy_contended"]
    return figures
