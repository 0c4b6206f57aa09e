"""simulate(): from a Program and a chip to a Timeline, by whichever engine fits.

Without shared ports, shared units or stateful units program order resolves every time in one
pass; otherwise the event engine runs. Both are one plain source, compiled above a size.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip
from accelsim.program.opcodes import Access, Served
from accelsim.program.table import Program
from accelsim.timing.costs import Times, command_times
from accelsim.timing.events import HELPERS, PHASE, run_events
from accelsim.timing.in_order import run_in_order
from accelsim.timing.timeline import Timeline
from accelsim.units.stateful import SERVERS, STATE_WORDS

Ints = NDArray[np.int64]
Engine = Literal["auto", "plain", "compiled", "simpy"]
ENGINES: tuple[str, ...] = ("auto", "plain", "compiled", "simpy")
COMPILE_ABOVE = 20_000  # commands: below it a plain run ends before a cached kernel has loaded
SLICE = 1_000_000  # commands or events a kernel call, so that an interrupt is served in a second


def simulate(program: Program, chip: Chip, engine: Engine = "auto") -> Timeline:
    """The Timeline of a Program on a chip; bit-equal for every engine."""
    return run(program, command_times(program, chip), engine)


def run(program: Program, times: Times, engine: Engine = "auto",
        state: Ints | None = None) -> Timeline:  # fmt: skip
    """The Timeline from times in ticks. state: initial words of the stateful units."""
    if engine == "simpy":
        from accelsim.timing.reference import run_reference

        return run_reference(program, times, state)
    fast = engine == "compiled" or (engine == "auto" and len(program) > COMPILE_ABOVE)
    if len(program) == 0:
        empty = np.zeros(0, np.int64)
        return Timeline(*(empty,) * 7, program.tick_hz, 0, np.zeros(len(program.ports), np.int64))
    ticks = demand_ticks(program)
    if uncontended(program):
        columns = _in_order(program, times, ticks, fast)
    else:
        columns = _events(program, times, fast, state)
    issue, first, release, end, why, ref, interval = columns
    busy = np.zeros(len(program.ports), np.int64)
    np.add.at(busy, program.demands.port, ticks)
    return Timeline(issue, first, release, end, why, ref, interval, program.tick_hz,
                    int(end.max()), busy, "compiled" if fast else "plain")  # fmt: skip


def demand_beats(program: Program) -> Ints:
    """Beats of every demand."""
    width = np.array([port.width for port in program.ports] or [1], np.int64)
    return -(-program.demands.bytes // width[program.demands.port])


def demand_ticks(program: Program) -> Ints:
    """Ticks that every demand occupies its port."""
    beat = np.array([port.beat for port in program.ports] or [1], np.int64)
    return demand_beats(program) * beat[program.demands.port]


def uncontended(program: Program) -> bool:
    """Whether program order alone resolves all times: every port has one unit, every unit one
    queue, nothing is stateful."""
    commands, demands = program.commands, program.demands
    if (commands.served == Served.STATEFUL).any():
        return False
    units = len(program.units)
    pairs = np.zeros((units, max(1, len(program.queues))), bool)
    pairs[commands.unit, commands.queue] = True
    if (pairs.sum(axis=1) > 1).any():
        return False
    owner = np.repeat(commands.unit, np.diff(demands.start))
    users = np.zeros((max(1, len(program.ports)), units), bool)
    moving = demands.bytes > 0
    users[demands.port[moving], owner[moving]] = True
    return not bool((users.sum(axis=1) > 1).any())


def _columns(fast: bool, *columns: Ints) -> list[Any]:
    """Arrays for compiled code, lists for plain Python (scalar access is ten times faster)."""
    if fast:
        return [np.ascontiguousarray(column, np.int64) for column in columns]
    return [column.tolist() for column in columns]


def _blank(fast: bool, size: int, value: int = 0) -> Any:
    return np.full(size, value, np.int64) if fast else [value] * size


def _in_order(program: Program, times: Times, ticks: Ints, fast: bool) -> list[Ints]:
    commands, edges, demands = program.commands, program.dependencies, program.demands
    hold = times.interval.copy()
    rows = np.repeat(np.arange(len(program)), np.diff(demands.start))
    np.maximum.at(hold, rows, ticks)
    columns = _columns(fast, commands.unit, commands.queue, hold, times.last - times.interval,
                       times.first, edges.start, edges.predecessor, edges.kind,
                       edges.lag)  # fmt: skip
    out = [_blank(fast, len(program)) for _ in range(6)]
    units, queues = len(program.units), len(program.queues)
    state = [_blank(fast, units), _blank(fast, units), _blank(fast, units, -1),
             _blank(fast, queues), _blank(fast, queues, -1)]  # fmt: skip
    kernel = jit.compiled(run_in_order) if fast else run_in_order
    for begin in range(0, len(program), SLICE):
        kernel(begin, min(begin + SLICE, len(program)), *columns, *out, *state)
    return [*(np.asarray(column, np.int64) for column in out), times.interval]


def reverse_edges(program: Program) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Dependencies by predecessor: start, successor, kind, lag, and the original entry."""
    edges = program.dependencies
    successor = np.repeat(np.arange(len(program)), np.diff(edges.start))
    order = np.argsort(edges.predecessor, kind="stable")
    start = np.zeros(len(program) + 1, np.int64)
    np.cumsum(np.bincount(edges.predecessor, minlength=len(program)), out=start[1:])
    return start, successor[order], edges.kind[order], edges.lag[order], order.astype(np.int64)


def stateful_columns(program: Program) -> tuple[Ints, Ints]:
    """For stateful commands: bytes of the first operand, and whether it is written."""
    operands = program.operands
    count = np.diff(operands.start)
    size, writes = np.zeros(len(program), np.int64), np.zeros(len(program), np.int64)
    has = count > 0
    first = operands.start[:-1][has]
    size[has] = operands.bytes[first]
    writes[has] = (operands.access[first] == Access.WRITE).astype(np.int64)
    return size, writes


def moving_demands(program: Program) -> tuple[Ints, Ints, Ints]:
    """Demands that move something: start, port, beats."""
    beats = demand_beats(program)
    keep = beats > 0
    rows = np.repeat(np.arange(len(program)), np.diff(program.demands.start))[keep]
    start = np.zeros(len(program) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(program)), out=start[1:])
    return start, program.demands.port[keep], beats[keep]


def _events(program: Program, times: Times, fast: bool, state: Ints | None) -> list[Ints]:
    commands = program.commands
    count, units, queues = len(program), len(program.units), len(program.queues)
    ports = max(1, len(program.ports))
    size, writes = stateful_columns(program)
    order = np.argsort(commands.queue, kind="stable")
    head = np.searchsorted(commands.queue[order], np.arange(queues))
    stop = np.searchsorted(commands.queue[order], np.arange(queues), side="right")
    pending = np.diff(program.dependencies.start)
    ready = [int(order[h]) for h, s in zip(head, stop, strict=True)
             if h < s and pending[order[h]] == 0]  # fmt: skip
    room = 8 * (queues + units + ports) + 4 * int(np.diff(program.demands.start).max(initial=0))
    capacity = room + count * 4
    heap = [_blank(fast, capacity), _blank(fast, capacity), _blank(fast, capacity)]
    for slot, row in enumerate(sorted(ready)):
        heap[1][slot] = PHASE + row
    misc = _blank(fast, 2)
    misc[0] = len(ready)
    columns = _columns(
        fast, commands.unit, commands.queue, times.interval.copy(), times.last - times.interval,
        times.first.copy(), commands.served, commands.address, size, writes,
        *reverse_edges(program), pending,
    )  # fmt: skip
    dep = [_blank(fast, count), _blank(fast, count), _blank(fast, count, -1), _blank(fast, count)]
    demands = _columns(fast, *moving_demands(program))
    priority = np.array([row.priority for row in program.queues], np.int64)
    queue = [*_columns(fast, order, head, stop), _blank(fast, queues), _blank(fast, queues, -1),
             _blank(fast, queues), _blank(fast, queues), *_columns(fast, priority)]  # fmt: skip
    rank = np.array([row.priority for row in program.units], np.int64)
    server = np.array([SERVERS[row.serve] for row in program.units], np.int64)
    words = np.zeros(units * STATE_WORDS, np.int64) if state is None else state.astype(np.int64)
    unit = [_blank(fast, units), _blank(fast, units), _blank(fast, units), _blank(fast, units, -1),
            _blank(fast, units), _blank(fast, units), *_columns(fast, rank, server, words)]  # fmt: skip
    rows = program.ports
    port = [*_columns(fast, np.array([r.arbiter for r in rows] or [0], np.int64),
                      np.array([r.quantum for r in rows] or [1], np.int64),
                      np.array([r.beat for r in rows] or [1], np.int64)),
            _blank(fast, ports), _blank(fast, ports, -1), _blank(fast, ports),
            _blank(fast, ports), _blank(fast, ports), _blank(fast, ports, -1),
            _blank(fast, ports * units), _blank(fast, ports * units)]  # fmt: skip
    out = [_blank(fast, count) for _ in range(6)]
    kernel = jit.compiled(run_events, HELPERS) if fast else run_events
    while misc[0] > 0:
        kernel(SLICE, misc, *heap, *columns, *dep, *demands, *queue, *unit, *port, *out)
    if misc[1] != count:
        raise RuntimeError(f"{count - int(misc[1])} commands never became ready")
    return [*(np.asarray(column, np.int64) for column in out), np.asarray(columns[2], np.int64)]
