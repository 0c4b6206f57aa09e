"""simulate(): from a Program and a chip to a Timeline, by whichever engine fits.

Without shared ports, shared units or stateful units program order resolves every time in one
pass; otherwise the event engine runs. Both are one plain source, compiled above a size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.program.opcodes import Served
from accelsim.program.repeats import spans
from accelsim.program.table import Program, plain_int64
from accelsim.timing.costs import Times, command_times
from accelsim.timing.event_state import blank, columns_for, demand_beats, initial_state
from accelsim.timing.events import HEAP_SIZE, HELPERS, ISSUED, run_events
from accelsim.timing.folding import run_folded
from accelsim.timing.in_order import run_in_order
from accelsim.timing.repeats import run_repeated
from accelsim.timing.timeline import Timeline

Ints = NDArray[np.int64]
Engine = Literal["auto", "plain", "compiled", "simpy"]
ENGINES: tuple[str, ...] = ("auto", "plain", "compiled", "simpy")
COMPILE_ABOVE = 20_000  # commands: below it a plain run ends before a cached kernel has loaded
MOST_TICKS = 1 << 62  # that all commands of a Program may take together
SLICE = 1_000_000  # commands or events a kernel call, so that an interrupt is served in a second


def simulate(
    program: Program,
    chip: Chip,
    engine: Engine = "auto",
    fold: bool = False,
    activity: Mapping[str, NDArray[np.float64]] | None = None,
) -> Timeline:
    """The Timeline of a Program on a chip; bit-equal for every engine, folded or not.

    activity: columns from the values that lengthen commands (costs.py). fold: skip repetitions of the
    engine's own state (folding.py), for very long Programs. Unsettled (repeats.py) for a Program with a
    repeat whose listed rows do not prove how it goes on.
    """
    return run(program, command_times(program, chip, activity), engine, fold=fold)


def run(
    program: Program,
    times: Times,
    engine: Engine = "auto",
    state: Ints | None = None,
    fold: bool = False,
) -> Timeline:
    """The Timeline from times in ticks. state: initial words of the stateful units."""
    if engine == "simpy" and program.repeat is None:
        from accelsim.timing.reference import run_reference

        return run_reference(program, times, state)
    check_range(program, times)
    fast = engine == "compiled" or (
        engine == "auto" and (len(program) > COMPILE_ABOVE or jit.hot(len(program)))
    )
    if len(program) == 0:
        empty = np.zeros(0, np.int64)
        return Timeline(*(empty,) * 7, program.tick_hz, 0, np.zeros(len(program.ports), np.int64))
    period = 0
    if program.repeat is not None:
        settled = run_repeated(program, times, fast)
        columns, period = settled.columns, settled.period
    elif fold:
        columns = run_folded(program, times, fast, state).columns
    elif uncontended(program, fast):
        columns = _in_order(program, times, demand_ticks(program), fast)
    else:
        columns = _events(program, times, fast, state)
    issue, first, release, end, why, ref, interval = columns
    makespan = max(
        int(end[part.first : part.stop].max(initial=0)) + part.turns * period
        for part in spans(program)
    )
    return Timeline(
        issue,
        first,
        release,
        end,
        why,
        ref,
        interval,
        program.tick_hz,
        makespan,
        _port_busy(program, fast),
        "compiled" if fast else "plain",
        period,
    )


def check_range(program: Program, times: Times) -> None:
    """InputError unless all commands one behind another end inside the engine's integers; floats are enough,
    with half the range to spare."""
    d, ports = program.demands, program.ports
    moved = np.bincount(d.port, d.bytes, len(ports)) if len(d.port) else np.zeros(len(ports))
    count = np.bincount(d.port, minlength=len(ports))
    ticks = float(np.sum(times.last, dtype=np.float64))
    ticks += sum(
        (float(moved[i]) / port.width + float(count[i])) * port.beat for i, port in enumerate(ports)
    )
    ticks *= 1 + max((part.turns for part in spans(program)), default=0)
    if ticks > MOST_TICKS:
        most = MOST_TICKS / program.tick_hz
        raise InputError(
            Problem(
                "timing.range",
                f"takes up to {ticks / program.tick_hz:.3g} s, and times in ticks of "
                f"{program.tick_hz:g} Hz end at {most:.3g} s",
                "raise the slowest bandwidth or clock, or give a smaller workload",
            )
        )


def _port_busy(program: Program, fast: bool) -> Ints:
    """Ticks that each port is busy."""
    busy, d = np.zeros(len(program.ports), np.int64), program.demands
    width, beat = (
        np.array([getattr(port, name) for port in program.ports] or [1], np.int64)
        for name in ("width", "beat")
    )
    if not fast:
        ticks = demand_ticks(program)
    for part in spans(program):
        here = slice(d.start[part.first], d.start[part.stop])
        if fast:
            jit.compiled(port_ticks)(*plain_int64(d.port[here], d.bytes[here]), width, beat, busy)
        else:
            np.add.at(busy, d.port[here], ticks[here])
    return busy


def demand_ticks(program: Program) -> Ints:
    """Ticks that every demand occupies its port."""
    beat = np.array([port.beat for port in program.ports] or [1], np.int64)
    return demand_beats(program) * beat[program.demands.port]


def port_ticks(port: Any, size: Any, width: Any, beat: Any, busy: Any) -> None:
    """Add up how long each port is busy."""
    for j in range(len(port)):
        busy[port[j]] += -(-size[j] // width[port[j]]) * beat[port[j]]


def no_contention(
    unit: Any, queue: Any, served: Any, start: Any, port: Any, size: Any, feeder: Any, user: Any
) -> bool:
    """uncontended() up to the first row that says no. feeder, user: -1 by unit and port."""
    for i in range(len(unit)):
        u = unit[i]
        if served[i] != 0 or (feeder[u] >= 0 and feeder[u] != queue[i]):
            return False
        feeder[u] = queue[i]
        for j in range(start[i], start[i + 1]):
            if size[j] > 0:
                if user[port[j]] >= 0 and user[port[j]] != u:
                    return False
                user[port[j]] = u
    return True


def uncontended(program: Program, compiled: bool = False) -> bool:
    """Whether program order alone resolves all times: every port has one unit, every unit one
    queue, nothing is stateful. compiled: kernels are at hand."""
    commands, demands = program.commands, program.demands
    if compiled:
        none = [
            np.full(max(1, many), -1, np.int64) for many in (len(program.units), len(program.ports))
        ]
        return bool(
            jit.compiled(no_contention)(
                *plain_int64(
                    commands.unit,
                    commands.queue,
                    commands.served,
                    demands.start,
                    demands.port,
                    demands.bytes,
                ),
                *none,
            )
        )
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


def _in_order(program: Program, times: Times, ticks: Ints, fast: bool) -> list[Ints]:
    commands, edges, demands = program.commands, program.dependencies, program.demands
    hold = times.interval.copy()
    rows = np.repeat(np.arange(len(program)), np.diff(demands.start))
    np.maximum.at(hold, rows, ticks)
    columns = columns_for(
        fast,
        commands.unit,
        commands.queue,
        hold,
        times.last - times.interval,
        times.first,
        edges.start,
        edges.predecessor,
        edges.kind,
        edges.lag,
    )
    out = [blank(fast, len(program)) for _ in range(6)]
    units, queues = len(program.units), len(program.queues)
    state = [
        blank(fast, units),
        blank(fast, units),
        blank(fast, units, -1),
        blank(fast, queues),
        blank(fast, queues, -1),
    ]
    kernel = jit.compiled(run_in_order) if fast else run_in_order
    for begin in range(0, len(program), SLICE):
        kernel(begin, min(begin + SLICE, len(program)), *columns, *out, *state)
    return [*(np.asarray(column, np.int64) for column in out), times.interval]


def _events(program: Program, times: Times, fast: bool, words: Ints | None) -> list[Ints]:
    state = initial_state(program, times, fast, words, fast)
    kernel = jit.compiled(run_events, HELPERS) if fast else run_events
    arguments = state.arguments()
    while state.misc[HEAP_SIZE] > 0:
        kernel(SLICE, *arguments)
    if state.misc[ISSUED] != len(program):
        raise RuntimeError(f"{len(program) - int(state.misc[ISSUED])} commands never became ready")
    return state.results()
