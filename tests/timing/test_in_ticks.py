"""Small schedules worked out by hand, to the tick: a rule that slips by one is seen."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim.mapping.compile import compile_program
from accelsim.program.builder import After, ProgramBuilder
from accelsim.program.opcodes import Arbiter, Edge, Opcode, Why
from accelsim.timing.costs import Times
from accelsim.timing.engine import run, simulate, uncontended
from accelsim.timing.timeline import Timeline

V = Opcode.VECTOR
ENGINES = ("plain", "compiled", "simpy")


def times(*rows: tuple[int, int, int]) -> Times:
    interval, first, last = np.array(rows, np.int64).T
    return Times(interval, first, last)


def check(
    b: ProgramBuilder, cost: Times, issue: list[int], end: list[int], why: list[Why]
) -> Timeline:
    program = b.build()
    for engine in ENGINES:
        line = run(program, cost, engine)  # type: ignore[arg-type]
        assert line.issue.tolist() == issue, engine
        assert line.end.tolist() == end, engine
        assert [Why(w) for w in line.why.tolist()] == why, engine
    return line


def test_three_kinds_of_edge_and_their_lags() -> None:
    """The first: 0, released at 10, results at 3 and 25. DATA + 2, SLOT + 1, START + 4."""
    b = ProgramBuilder()
    units = [b.unit(f"u{i}", (V,)) for i in range(4)]
    first = b.command(units[0], V)
    for unit, kind, lag in zip(
        units[1:], (Edge.DATA, Edge.SLOT, Edge.START), (2, 1, 4), strict=True
    ):
        b.command(unit, V, after=[After(first, kind, lag)])
    line = check(
        b,
        times((10, 3, 25), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
        [0, 27, 11, 4],
        [25, 28, 12, 5],
        [Why.NONE, Why.DATA, Why.SLOT, Why.START],
    )
    assert line.first.tolist() == [3, 28, 12, 5]


def test_results_leave_in_order() -> None:
    """The second command's own last result would be at 6, before the first one's at 30."""
    b = ProgramBuilder()
    u = b.unit("u", (V,))
    b.command(u, V)
    b.command(u, V)
    check(b, times((5, 5, 30), (1, 1, 1)), [0, 5], [30, 30], [Why.NONE, Why.UNIT])


def test_a_queue_issues_in_order() -> None:
    """Two units, one queue: the second command is ready at 0 and waits for the first's issue at 9."""
    b = ProgramBuilder()
    gate, left, right = (b.unit(name, (V,)) for name in ("gate", "left", "right"))
    first = b.command(gate, V)
    b.command(left, V, after=[first])
    b.command(right, V, queue=left)
    assert uncontended(b.build())
    check(
        b,
        times((9, 9, 9), (4, 4, 4), (1, 1, 1)),
        [0, 9, 9],
        [9, 13, 10],
        [Why.NONE, Why.DATA, Why.QUEUE],
    )


def test_a_tie_is_charged_to_data() -> None:
    b = ProgramBuilder()
    x, y, z = (b.unit(name, (V,)) for name in "xyz")
    one, two = b.command(x, V), b.command(y, V)
    b.command(z, V, after=[After(one, Edge.SLOT), After(two, Edge.DATA)])
    line = check(
        b,
        times((8, 8, 8), (8, 8, 8), (1, 1, 1)),
        [0, 0, 8],
        [8, 8, 9],
        [Why.NONE, Why.NONE, Why.DATA],
    )
    assert line.ref.tolist() == [-1, -1, 1]


@pytest.mark.parametrize(
    ("arbiter", "ends"),
    [
        # 6 and 4 beats of 10 ticks in quanta of 2: 0-20 a, b, a, b (done at 80), a
        (Arbiter.ROUND_ROBIN, [100, 80]),
        (Arbiter.FIRST_COME, [60, 100]),
        # b has the smaller priority number: only its request at 0 counts, a waits
        (Arbiter.PRIORITY, [100, 40]),
    ],
)
def test_a_port_is_shared_in_quanta(arbiter: Arbiter, ends: list[int]) -> None:
    b = ProgramBuilder()
    units = [b.unit("a", (V,), priority=1), b.unit("b", (V,), priority=0 if arbiter == 2 else 1)]
    port = b.port("p", 8, 10, 2, arbiter)
    for unit, beats in zip(units, (6, 4), strict=True):
        b.command(unit, V, links={port: 8 * beats - 7})
    check(b, times((0, 0, 0), (0, 0, 0)), [0, 0], ends, [Why.NONE, Why.NONE])


def test_an_interval_hides_a_short_transfer() -> None:
    """Uncontended: 9 B are two beats of 10; the longer of interval and transfer holds the unit."""
    b = ProgramBuilder()
    u = b.unit("u", (V,))
    port = b.port("p", 8, 10)
    b.command(u, V, links={port: 9})
    b.command(u, V, links={port: 9})
    check(b, times((30, 1, 31), (5, 1, 6)), [0, 30], [31, 51], [Why.NONE, Why.UNIT])
    assert run(b.build(), times((30, 1, 31), (5, 1, 6)), "plain").port_busy.tolist() == [40]


def test_the_epilogue_delays_results_not_the_array() -> None:
    """One operator, epilogue of 0 and of 9 cycles: each finished tile comes 9 cycles later."""
    made = []
    for latency in (0, 9):
        chip = accelsim.load_chip("int8_edge", [f"units.array.epilogue_latency={latency}"])
        program = compile_program(chip, accelsim.load_workload("small_gemm"))
        line = simulate(program, chip)
        row = int(program.rows(Opcode.MATMUL)[-1])
        made.append(int(line.end[row] - line.issue[row]) * chip.clocks["core"] // line.tick_hz)
    assert made[1] - made[0] == 9
