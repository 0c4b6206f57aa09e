"""What a release does not promise: results. An edge that waits for it is not enough to read."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import ProgramError
from accelsim.program.builder import After, Part, ProgramBuilder
from accelsim.program.hazards import derived
from accelsim.program.opcodes import Edge, Opcode
from accelsim.program.table import Program, QueueRow
from accelsim.program.validate import validate
from accelsim.timing.costs import Times
from accelsim.timing.engine import run
from tests.program import reference_hazards


def chain(kind: Edge) -> Program:
    """One unit writes, another reads the same bytes, with one edge between."""
    b = ProgramBuilder()
    make, use = b.unit("make", (Opcode.VECTOR,)), b.unit("use", (Opcode.VECTOR,))
    near = b.memory("sram", 64)
    x, y = b.tensor("x", (8,)), b.tensor("y", (8,), role="output")
    first = b.command(make, Opcode.VECTOR, writes=[Part(x, near)])
    b.command(
        use,
        Opcode.VECTOR,
        reads=[Part(x, near)],
        writes=[Part(y, near, 8)],
        after=[After(first, kind)],
    )
    return b.build()


def test_data_edge_is_enough() -> None:
    validate(chain(Edge.DATA))


@pytest.mark.parametrize("kind", [Edge.SLOT, Edge.START])
def test_release_and_issue_are_not(kind: Edge) -> None:
    with pytest.raises(ProgramError) as caught:
        validate(chain(kind))
    assert {problem.code for problem in caught.value.problems} == {"program.read_early"}


def two_queues(edges: tuple[int, ...] | None) -> Program:
    """Two queues feed a unit. Its first command waits for a slow one, so the second, from the other queue, runs
    before it; a last command overwrites what both read. edges: whom that waits for, None to derive it."""
    b = ProgramBuilder()
    slow, unit, last = (b.unit(name, (Opcode.VECTOR,)) for name in ("slow", "unit", "last"))
    other = len(b.queues)
    b.queues.append(QueueRow("other"))
    near = b.memory("sram", 64)
    x, y = b.tensor("x", (8,)), b.tensor("y", (8,), role="input")
    z, both = b.tensor("z", (8,)), b.tensor("both", (16,))
    b.resident(Part(y, near, 8), at_end=False)
    first = b.command(slow, Opcode.VECTOR, writes=[Part(x, near)])
    into = [Part(z, near, 16)], [Part(z, near, 24)]
    one = b.command(unit, Opcode.VECTOR, reads=[Part(x, near)], writes=into[0], after=[first])
    two = b.command(unit, Opcode.VECTOR, reads=[Part(y, near, 8)], writes=into[1], queue=other)
    waits = [After((one, two)[edge], Edge.SLOT) for edge in edges or ()]
    b.command(last, Opcode.VECTOR, writes=[Part(both, near)], after=waits)
    program = b.build()
    return derived(program, np.zeros(4, np.int64)) if edges is None else program


def test_what_one_queue_of_a_unit_has_done_says_nothing_of_another() -> None:
    made = two_queues(None)
    ticks = np.array([10, 3, 2, 1])
    timeline = run(made, Times(ticks, ticks, ticks))
    assert timeline.issue.tolist() == [0, 10, 0, 13]  # behind the reader that came last
    validate(two_queues((0, 1)))
    for edges in ((), (0,), (1,)):
        with pytest.raises(ProgramError, match="may overwrite bytes"):
            validate(two_queues(edges))
        assert (3, "program.overwrite") in reference_hazards.hazards(two_queues(edges))
    assert reference_hazards.hazards(made) == set()
