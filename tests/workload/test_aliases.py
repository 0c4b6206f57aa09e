"""A tensor's bytes are another's once: what would have to be in two places is refused, with its line in a trace."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import accelsim
from accelsim.errors import InputError
from accelsim.mapping.lifetimes import roots
from accelsim.results.inputs import wrong_in
from accelsim.workload import TensorSpec, VectorOperator, Workload
from accelsim.workload.aliases import aliases

TRACE = """\
name: grown
inputs: {x: [1, 4, 8], row: [1, 1, 8]}
operators:
  - {name: made, kind: relu, input: x}
  - {name: seen, kind: reshape, input: made, shape: [1, 4, 8]}
  - {name: all, kind: append, input: [made, row]}
  - {name: end, kind: relu, input: all}
"""


def rows(*steps: tuple[str, str, tuple[str, ...]]) -> Workload:
    """Vector operators named by their outputs. Shapes: x of four rows, r of one."""
    shapes: dict[str, tuple[int, ...]] = {"x": (4, 8), "r": (1, 8)}
    operators = []
    for output, kind, inputs in steps:
        shape = shapes[inputs[0]]
        if kind == "append":
            shape = (shape[0] + shapes[inputs[1]][0], 8)
        shapes[output] = shape
        operators.append(
            VectorOperator(output, kind, inputs, output, tuple(shapes[i] for i in inputs), shape)
        )
    tensors = {
        name: TensorSpec(name, shape, "input" if name in "xr" else "intermediate", "int8")
        for name, shape in shapes.items()
    }
    return Workload("rows", tuple(operators), tensors)


VIEWED = rows(("a", "relu", ("x",)), ("b", "reshape", ("a",)), ("c", "append", ("b", "r")))
TWICE = rows(("a", "relu", ("x",)), ("b", "append", ("a", "r")), ("c", "append", ("a", "r")))


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (VIEWED, "c: rows are appended to b, a view of a; append to what has bytes of its own"),
        (TWICE, "c: rows are appended to a twice, for b and for c; append to what has"),
    ],
)
def test_bytes_in_two_places(work: Workload, says: str) -> None:
    """The view's source, or the first grown tensor, was forgotten: its rows were never written, and nothing said so."""
    for asked in (
        aliases,
        roots,
        lambda one: accelsim.run(accelsim.load_chip("int8_edge"), one),
    ):
        with pytest.raises(InputError, match=says):
            asked(work)
    assert wrong_in(work) == [("operators[2].inputs", says.split("; ")[0].removeprefix("c: "))]


def test_chains_are_one_tensor() -> None:
    """Rows appended to what rows were appended to, and views before and behind."""
    work = rows(
        ("a", "append", ("x", "r")),
        ("b", "append", ("a", "r")),
        ("c", "reshape", ("b",)),
        ("d", "reshape", ("c",)),
        ("e", "reshape", ("x",)),
    )
    assert {name for name, root in roots(work).items() if root == "b"} == set("xabcde")
    assert wrong_in(work) == [] and len(aliases(work)) == 5
    for one, other in pairwise("xab"):
        assert aliases(work).get(one) == (other, "cache") or one == "b"


def test_a_trace_says_where(tmp_path: Path) -> None:
    path = tmp_path / "grown.yaml"
    path.write_text(TRACE)
    accelsim.load_workload(path)
    path.write_text(TRACE.replace("[made, row]", "[seen, row]"))
    with pytest.raises(InputError) as caught:
        accelsim.load_workload(path)
    (problem,) = caught.value.problems
    column = TRACE.splitlines()[5].index("[made") + 1
    assert (problem.file, problem.line, problem.column) == (str(path), 6, column)
    assert problem.path == "operators[2].input" and "a view of made" in problem.message
