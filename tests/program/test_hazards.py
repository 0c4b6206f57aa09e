"""What a release does not promise: results. An edge that waits for it is not enough to read."""

from __future__ import annotations

import pytest

from accelsim.errors import ProgramError
from accelsim.program.builder import After, Part, ProgramBuilder
from accelsim.program.opcodes import Edge, Opcode
from accelsim.program.table import Program
from accelsim.program.validate import validate


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
