"""simulate(): from a Program and a chip to a Timeline, by whichever engine fits.

Without shared ports, shared units or stateful units program order resolves every time in one pass; where only
ports are shared, units pull what they wait for (pull.py); otherwise the event engine runs. Each is one plain
source, compiled above a size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip
from accelsim.errors import InputError, Problem, one_of
from accelsim.program.repeats import spans
from accelsim.program.table import Program, plain_int64
from accelsim.timing.costs import Times, command_times
from accelsim.timing.event_state import (
    blank,
    columns_for,
    demand_beats,
    found_columns,
    initial_state,
)
from accelsim.timing.events import HELPERS, run_events
from accelsim.timing.folding import run_folded
from accelsim.timing.in_order import run_in_order
from accelsim.timing.pull import MOST_UNITS, PULLING, pulled, run_pull
from accelsim.timing.records import Edges, Moves, OrderState, of_window
from accelsim.timing.repeats import run_repeated
from accelsim.timing.timeline import Timeline

Ints = NDArray[np.int64]
Engine = Literal["auto", "plain", "compiled", "simpy"]
ENGINES: tuple[str, ...] = ("auto", "plain", "compiled", "simpy")
EVENTS, ALONE, IN_ORDER = 0, 1, 2  # what contended() gives
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
    repeat whose listed rows do not prove how it goes on. InputError for an unknown engine.
    """
    return run(program, command_times(program, chip, activity), engine, fold=fold)


def run(
    program: Program,
    times: Times,
    engine: Engine = "auto",
    state: Ints | None = None,
    fold: bool = False,
) -> Timeline:
    """The Timeline from times in ticks. state: initial words of the stateful units. InputError for an unknown
    engine."""
    one_of("engine", engine, ENGINES)
    if engine == "simpy" and program.repeat is None:
        from accelsim.timing.reference import run_reference

        return run_reference(program, times, state)
    check_range(program, times)
    fast = engine == "compiled" or (engine == "auto" and _by_kernels(program, fold))
    if len(program) == 0:
        empty = np.zeros(0, np.int64)
        return Timeline(*(empty,) * 7, program.tick_hz, 0, np.zeros(len(program.ports), np.int64))
    period = 0
    if program.repeat is not None:
        settled = run_repeated(program, times, fast)
        columns, period = settled.columns, settled.period
    elif fold:
        columns = run_folded(program, times, fast, state).columns
    else:
        columns = _columns(program, times, fast, state)
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


def _by_kernels(program: Program, fold: bool) -> bool:
    """Whether kernels run a Program, judged by the one that most such Programs need."""
    by_events = fold or program.repeat is not None
    kernel, helpers = (run_events, HELPERS) if by_events else (run_pull, PULLING)
    return jit.fits(kernel, helpers, len(program), jit.COMMANDS_ABOVE)


def _columns(program: Program, times: Times, fast: bool, words: Ints | None) -> list[Ints]:
    """issue, first, release, end, why, ref, interval by the quickest engine that the Program allows."""
    need = contended(program, fast)
    if need == IN_ORDER:
        return _in_order(program, times, demand_ticks(program), fast)
    if need == ALONE and len(program.units) <= MOST_UNITS:
        return pulled(program, times, fast, SLICE)
    return _events(program, times, fast, words)


def check_range(program: Program, times: Times) -> None:
    """InputError unless all commands one behind another end inside the engine's integers; floats are enough,
    with half the range to spare."""
    d, ports = program.demands, program.ports
    ticks = float(np.sum(times.last, dtype=np.float64))
    slowest = max((port.beat / port.width for port in ports), default=0.0)
    longest = max((port.beat for port in ports), default=0)
    most = float(np.sum(d.bytes, dtype=np.float64)) * slowest + float(len(d.port)) * longest
    if (ticks + most) * (1 + max((part.turns for part in spans(program)), default=0)) <= MOST_TICKS:
        return  # were all of it moved through the slowest port
    moved = np.bincount(d.port, d.bytes, len(ports)) if len(d.port) else np.zeros(len(ports))
    count = np.bincount(d.port, minlength=len(ports))
    ticks += sum(
        (float(moved[i]) / port.width + float(count[i])) * port.beat for i, port in enumerate(ports)
    )
    ticks *= 1 + max((part.turns for part in spans(program)), default=0)
    refuse_range(ticks, program.tick_hz)


def refuse_range(ticks: float, tick_hz: int) -> None:
    """InputError for so many ticks, all commands one behind another, where they are too many."""
    if ticks > MOST_TICKS:
        raise InputError(
            Problem(
                "timing.range",
                f"takes up to {ticks / tick_hz:.3g} s, and times in ticks of {tick_hz:g} Hz end at "
                f"{MOST_TICKS / tick_hz:.3g} s",
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


@jit.allocates_nothing
def port_ticks(port: Any, size: Any, width: Any, beat: Any, busy: Any) -> None:
    """Add up how long each port is busy."""
    for j in range(len(port)):
        busy[port[j]] += -(-size[j] // width[port[j]]) * beat[port[j]]


@jit.allocates_nothing
def contention(
    unit: Any, queue: Any, served: Any, moves: Moves, feeder: Any, fed: Any, user: Any
) -> int:
    """Who may be in whose way: EVENTS, ALONE or IN_ORDER. moves: bytes in the place of beats. feeder, fed,
    user: -1 by unit, queue and port."""
    start, port, size = moves
    forked, shared = False, False
    for i in range(len(unit)):
        u, q = unit[i], queue[i]
        if served[i] != 0 or (feeder[u] >= 0 and feeder[u] != q):
            return EVENTS
        feeder[u] = q
        if fed[q] >= 0 and fed[q] != u:
            forked = True
        fed[q] = u
        for j in range(start[i], start[i + 1]):
            if size[j] > 0:
                if user[port[j]] >= 0 and user[port[j]] != u:
                    shared = True
                user[port[j]] = u
    if not shared:
        return IN_ORDER
    return EVENTS if forked else ALONE


def contended(program: Program, fast: bool = False) -> int:
    """Which engine a Program needs at least. EVENTS: several queues feed a unit, units are stateful, or a queue
    feeds several units that share ports. ALONE: units share ports, each has a queue of its own. IN_ORDER:
    program order alone resolves all times, as every port has one unit, every unit one queue."""
    c, d = program.commands, program.demands
    units, queues, ports = (
        max(1, len(rows)) for rows in (program.units, program.queues, program.ports)
    )
    if fast:
        unit, queue, served, *moves = columns_for(
            True, c.unit, c.queue, c.served, d.start, d.port, d.bytes
        )
        none = [blank(True, count, -1) for count in (units, queues, ports)]
        return int(jit.compiled(contention)(unit, queue, served, Moves(*moves), *none))
    feeds = np.unique(c.unit * queues + c.queue)
    if c.served.any() or _twice(feeds // queues, units):
        return EVENTS
    moving = d.bytes > 0
    users = np.unique(np.repeat(c.unit, np.diff(d.start))[moving] * ports + d.port[moving])
    if not _twice(users % ports, ports):
        return IN_ORDER
    return EVENTS if _twice(feeds % queues, queues) else ALONE


def _twice(values: Ints, below: int) -> bool:
    """Whether a number below ``below`` occurs more than once."""
    return bool((np.bincount(values, minlength=below) > 1).any())


def uncontended(program: Program, fast: bool = False) -> bool:
    """Whether program order alone resolves all times."""
    return contended(program, fast) == IN_ORDER


def _in_order(program: Program, times: Times, ticks: Ints, fast: bool) -> list[Ints]:
    commands, edges, demands = program.commands, program.dependencies, program.demands
    hold = times.interval.copy()
    rows = np.repeat(np.arange(len(program)), np.diff(demands.start))
    np.maximum.at(hold, rows, ticks)
    units, queues = len(program.units), len(program.queues)
    unit, queue, busy, drain, first, *by_command = columns_for(
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
    columns = (
        unit,
        queue,
        busy,
        drain,
        first,
        Edges(*by_command),
        found_columns(fast, len(program), 0),
        *(blank(fast, units, value) for value in (0, 0, -1)),
        *(blank(fast, queues, value) for value in (0, -1)),
        of_window(program.commands_ahead, len(program)),
        blank(fast, 1),
    )
    state = OrderState._make(columns)
    kernel = jit.compiled(run_in_order) if fast else run_in_order
    for begin in range(0, len(program), SLICE):
        kernel(begin, min(begin + SLICE, len(program)), state)
    return [*(np.asarray(column, np.int64) for column in state.found), times.interval]


def _events(program: Program, times: Times, fast: bool, words: Ints | None) -> list[Ints]:
    state = initial_state(program, times, fast, words, fast)
    kernel = jit.compiled(run_events, HELPERS) if fast else run_events
    while state.heap.size[0] > 0:
        kernel(SLICE, state)
    state.check()
    return state.results()
