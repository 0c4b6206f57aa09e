"""The engine's pieces, each against its definition: heap, arbiters, reversed edges, beats, lists of marks."""

from __future__ import annotations

import heapq
from dataclasses import replace
from fractions import Fraction
from math import ceil

import numpy as np
import pytest

import accelsim
from accelsim.errors import ConservationError, InputError
from accelsim.mapping.compile import compile_program
from accelsim.program.builder import ProgramBuilder
from accelsim.program.opcodes import Arbiter, Opcode
from accelsim.program.table import Program, RepeatRow
from accelsim.timing.bounds import check_bounds, lower_bounds
from accelsim.timing.costs import Times, command_times, shape_rows
from accelsim.timing.engine import MOST_TICKS, check_range, demand_ticks, run, uncontended
from accelsim.timing.event_state import _moving_demands, _reverse_edges, demand_beats
from accelsim.timing.events import choose_requester
from accelsim.timing.folding import RUN, run_folded, tried
from accelsim.timing.heap import pop, push
from accelsim.timing.records import Heap, Ports
from tests.timing.random_programs import random_program

V = Opcode.VECTOR
ENGINES = ("plain", "compiled", "simpy")


def times(*rows: tuple[int, int, int]) -> Times:
    interval, first, last = np.array(rows, np.int64).T
    return Times(interval, first, last)


# -- one command, then two, at every width and beat ------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_command_lasts_the_longer_of_its_interval_and_its_beats(seed: int) -> None:
    """Alone on its ports: released when both are over; results follow by its own drain, the first no later
    than the last. Ports are busy a beat for every width or part of it."""
    draw = np.random.default_rng(seed)
    for _ in range(12):
        b = ProgramBuilder()
        unit = b.unit("u", (V,))
        rows = [
            (int(draw.integers(1, 70)), int(draw.integers(1, 40)))
            for _ in range(int(draw.integers(1, 4)))
        ]
        ports = [b.port(f"p{i}", width, beat) for i, (width, beat) in enumerate(rows)]
        sizes = [int(draw.integers(0, 300)) for _ in ports]
        b.command(unit, V, links=dict(zip(ports, sizes, strict=True)))
        interval, drain = int(draw.integers(0, 400)), int(draw.integers(0, 90))
        first = int(draw.integers(0, interval + drain + 1))
        busy = [-(-size // width) * beat for size, (width, beat) in zip(sizes, rows, strict=True)]
        release = max(interval, *busy)
        for engine in ENGINES:
            line = run(b.build(), times((interval, first, interval + drain)), engine)  # type: ignore[arg-type]
            assert line.issue.tolist() == [0] and line.release.tolist() == [release], engine
            assert line.end.tolist() == [release + drain] == [line.makespan]
            assert line.first.tolist() == [first] and line.port_busy.tolist() == busy
        assert demand_beats(b.build()).tolist() == [
            -(-s // w) for s, (w, _) in zip(sizes, rows, strict=True)
        ]
        assert demand_ticks(b.build()).tolist() == busy
        assert (
            run_folded(b.build(), times((interval, first, interval + drain)), False).columns[2]
            == release
        )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_port_serves_two_units_in_quanta_of_beats(engine: str) -> None:
    """Three beats of 7 ticks and one of them, in quanta of 2: a 0-14, b 14-21, a 21-28."""
    for quantum, ends in ((2, [28, 21]), (3, [21, 28]), (1, [28, 14])):
        b = ProgramBuilder()
        units = [b.unit(name, (V,)) for name in "ab"]
        port = b.port("p", 5, 7, quantum)
        for unit, size in zip(units, (11, 5), strict=True):
            b.command(unit, V, links={port: size})
        line = run(b.build(), times((0, 0, 0), (0, 0, 0)), engine)  # type: ignore[arg-type]
        assert line.end.tolist() == ends and line.port_busy.tolist() == [28], quantum
        assert lower_bounds(b.build(), line) == {"a": 0, "b": 0, "p": 28}


def test_a_request_that_comes_late_cuts_a_long_grant_at_its_next_quantum() -> None:
    """a alone has 10 beats of 4 ticks; b asks at 13, in the fourth beat: quanta of 3 end at 12, 24."""
    for engine in ENGINES:
        for wait, ends in ((13, [44, 28]), (12, [44, 16]), (11, [44, 16]), (37, [40, 44])):
            b = ProgramBuilder()
            one, two, gate = (b.unit(name, (V,)) for name in ("a", "b", "gate"))
            port = b.port("p", 8, 4, 3)
            b.command(one, V, links={port: 80})
            first = b.command(gate, V)
            b.command(two, V, links={port: 8}, after=[first])
            line = run(b.build(), times((0, 0, 0), (wait, 0, wait), (0, 0, 0)), engine)  # type: ignore[arg-type]
            assert [line.end[0], line.end[2]] == ends, (engine, wait)


# -- heap and arbiters -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_a_heap_gives_its_entries_in_order(seed: int) -> None:
    """Pushes and pops by chance, with many equal times and keys: as Python's own heap of pairs."""
    draw = np.random.default_rng(seed)
    heap = Heap([0] * 64, [0] * 64, [0])
    right: list[tuple[int, int]] = []
    for _ in range(1500):
        if right and (len(right) == 60 or draw.random() < 0.45):
            assert (heap.time[0], heap.key[0]) == heapq.heappop(right)
            pop(heap)
        else:
            entry = tuple(int(x) for x in draw.integers(0, (3, 6)))
            heapq.heappush(right, entry)  # type: ignore[arg-type]
            push(heap, *entry)
        assert heap.size[0] == len(right)


@pytest.mark.parametrize("seed", range(4))
def test_who_is_served_next(seed: int) -> None:
    """The next unit around the circle; the earliest to ask; the smallest priority: ties by priority, number."""
    draw = np.random.default_rng(seed)
    for _ in range(400):
        units = int(draw.integers(1, 7))
        asking = draw.permutation(units)[: int(draw.integers(1, units + 1))].tolist()
        port, last = int(draw.integers(0, 3)), int(draw.integers(-1, units))
        base = port * units
        arrival, priority = [99] * (base + units), draw.integers(0, 3, units).tolist()
        for u in range(units):
            arrival[base + u] = int(draw.integers(0, 3))
        wanted = {
            Arbiter.ROUND_ROBIN: min(asking, key=lambda u: (u <= last, u)),
            Arbiter.FIRST_COME: min(asking, key=lambda u: (arrival[base + u], priority[u], u)),
            Arbiter.PRIORITY: min(asking, key=lambda u: (priority[u], u)),
        }
        for arbiter, best in wanted.items():
            asked = [0] * base + asking + [0] * (units - len(asking))
            blanks = [[0] * (port + 1)] * 12
            ports = Ports(*blanks)._replace(
                arbiter=[0] * port + [int(arbiter)],
                active=[0] * port + [len(asking)],
                last=[-1] * port + [last],
                asking=asked,
                arrival=arrival,
            )
            found = choose_requester(ports, priority, port)
            assert found == best, (arbiter, asking, last, arrival, priority)


# -- columns that are turned around ----------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
def test_edges_by_predecessor_and_demands_that_move(compiled: bool) -> None:
    for seed in range(30):
        program, _, _ = random_program(seed)
        edges, demands = program.dependencies, program.demands
        wanted: list[list[tuple[int, int, int, int]]] = [[] for _ in range(len(program))]
        moved: list[list[tuple[int, int]]] = [[] for _ in range(len(program))]
        for row in range(len(program)):
            for j in range(int(edges.start[row]), int(edges.start[row + 1])):
                wanted[int(edges.predecessor[j])].append(
                    (row, int(edges.kind[j]), int(edges.lag[j]), j)
                )
            for j in range(int(demands.start[row]), int(demands.start[row + 1])):
                port, size = int(demands.port[j]), int(demands.bytes[j])
                if size:
                    moved[row].append((port, ceil(Fraction(size, program.ports[port].width))))
        start, *columns = _reverse_edges(program, compiled)
        found = list(zip(*(column.tolist() for column in columns), strict=True))
        assert [
            found[a:b] for a, b in zip(start[:-1].tolist(), start[1:].tolist(), strict=True)
        ] == wanted
        start, port, beats = _moving_demands(program, compiled)
        pairs = list(zip(port.tolist(), beats.tolist(), strict=True))
        assert [
            pairs[a:b] for a, b in zip(start[:-1].tolist(), start[1:].tolist(), strict=True)
        ] == moved


@pytest.mark.parametrize("compiled", [False, True])
def test_what_program_order_alone_decides(compiled: bool) -> None:
    """One unit a port that moves bytes, one queue a unit, nothing stateful."""
    answers = set()
    for seed in range(60):
        program, _, _ = random_program(seed, seed % 3 == 0)
        c, d = program.commands, program.demands
        if seed % 4 == 1 and len(d.bytes):
            d.port[:] = 0
        if seed % 8 == 1:
            d.bytes[:] = 0
        feeders: dict[int, set[int]] = {}
        users: dict[int, set[int]] = {}
        for row in range(len(program)):
            feeders.setdefault(int(c.unit[row]), set()).add(int(c.queue[row]))
            for j in range(int(d.start[row]), int(d.start[row + 1])):
                if d.bytes[j]:
                    users.setdefault(int(d.port[j]), set()).add(int(c.unit[row]))
        alone = (
            all(len(of) == 1 for of in (*feeders.values(), *users.values())) and not c.served.any()
        )
        assert uncontended(program, compiled) == alone, seed
        answers.add(alone)
    assert answers == {False, True}


@pytest.mark.parametrize("size", [1, 7, 13])
@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_slices_of_a_run_carry_on_where_the_last_one_ended(
    size: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(12):
        program, cost, state = random_program(seed, seed % 2 == 0)
        whole = run(program, cost, engine, state)  # type: ignore[arg-type]
        monkeypatch.setattr("accelsim.timing.engine.SLICE", size)
        parts = run(program, cost, engine, state)  # type: ignore[arg-type]
        monkeypatch.undo()
        for name in ("issue", "first", "release", "end", "why", "ref", "interval"):
            assert np.array_equal(getattr(whole, name), getattr(parts, name)), (seed, name)


def test_bodies_that_are_compared() -> None:
    """Runs of RUN bodies: the first at 0, then at RUN, 2 RUN, 4 RUN, ..."""
    runs = {0} | {RUN << power for power in range(8)}
    wanted = {body for first in runs for body in range(first, first + RUN)}
    assert [body for body in range(RUN << 7) if tried(body)] == sorted(
        b for b in wanted if b < RUN << 7
    )


# -- clocks, range, bounds -------------------------------------------------------------------------


def test_cycles_become_ticks_of_each_units_own_clock() -> None:
    """Two clocks: the array's closed forms last its own period, the vector unit's the other's."""
    chip = accelsim.load_chip("int8_edge", ["clocks.slow=123 MHz", "units.vector.clock=slow"])
    program = compile_program(chip, accelsim.load_workload("small_cnn"))
    found = command_times(program, chip)
    shape, periods = program.commands.shape, set()
    for number, kind in enumerate(program.unit_kinds):
        chosen = program.shapes.kind == number
        unit = chip.unit_of_kind(kind)
        cost = unit.cost(shape_rows(program.shapes, chosen))
        period = Fraction(program.tick_hz, {"core": 800_000_000, "slow": 123_000_000}[unit.clock])
        rows = np.flatnonzero(chosen[shape])
        periods.update({period} if len(rows) else ())
        place = np.cumsum(chosen)[shape[rows]] - 1
        for ticks, cycles in (
            (found.interval, cost.interval),
            (found.first, cost.first),
            (found.last, cost.last),
        ):
            assert ticks[rows].tolist() == [int(c) * period for c in cycles[place]], kind
    assert len(periods) == 2


def one_command(size: int, width: int, beat: int) -> Program:
    b = ProgramBuilder()
    b.command(b.unit("u", (V,)), V, links={b.port("p", width, beat): size})
    return b.build()


def test_times_that_the_integers_do_not_hold_are_refused() -> None:
    """All commands one behind another: last results, and for each transfer its beats and one beat more."""
    fits = one_command(0, 1, 1)
    check_range(fits, times((0, 0, MOST_TICKS - 1024)))
    with pytest.raises(InputError, match="times in ticks"):
        check_range(fits, times((0, 0, MOST_TICKS + 1024)))
    for size, width, beat in ((1 << 40, 4, 1 << 23), (1 << 40, 1 << 20, 1 << 41)):
        most = (size // width + 1) * beat
        check_range(one_command(size, width, beat), times((0, 0, MOST_TICKS - most - 2048)))
        with pytest.raises(InputError, match="times in ticks"):
            check_range(one_command(size, width, beat), times((0, 0, MOST_TICKS - most + 2048)))


def test_turns_of_a_repeat_count_and_the_end_of_time_is_said() -> None:
    """As if all that is listed came once and nine times more: an upper bound."""
    b = ProgramBuilder()
    unit = b.unit("u", (V,))
    for _ in range(4):
        b.command(unit, V)
    whole = replace(b.build(), repeat=RepeatRow(1, 1, 9, 0, (0, 4)))
    each = MOST_TICKS // 40
    check_range(whole, times(*[(0, 0, each - 1024)] * 4))
    with pytest.raises(InputError) as caught:
        check_range(whole, times(*[(0, 0, each + 1024)] * 4))
    said = caught.value.problems[0].message
    assert said == "takes up to 4.61e+06 s, and times in ticks of 1e+12 Hz end at 4.61e+06 s"


def test_no_bound_is_above_the_makespan_nor_below_the_work() -> None:
    for seed in range(30):
        program, cost, state = random_program(seed)
        line = run(program, cost, "plain", state)
        bounds = lower_bounds(program, line)
        for number, row in enumerate(program.units):
            mine = program.commands.unit == number
            assert bounds[row.name] == int(line.interval[mine].sum())
        assert [bounds[row.name] for row in program.ports] == line.port_busy.tolist()
        check_bounds(program, line)
        line.makespan = max(bounds.values())
        check_bounds(program, line)
        if line.makespan:
            line.makespan -= 1
            with pytest.raises(ConservationError, match="below"):
                check_bounds(program, line)
