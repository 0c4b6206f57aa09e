"""Updates in place: the next version of a stored tensor at its address, after all that read the old one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import accelsim
from accelsim.errors import InputError
from accelsim.explore.steady import steady
from accelsim.mapping import compile_program, plan
from accelsim.program.findings import ProgramError
from accelsim.training import Adam, Sgd, expand
from accelsim.workload import Operator, VectorOperator, Workload
from accelsim.workload.validity import wrong_in

CHIPS = ("fp8_64", "rapid_like", "int8_edge_l2")


def step(optimiser: Any, name: str = "digits_mlp") -> Workload:
    return expand(accelsim.load_workload(name, batch=8), optimiser=optimiser)


def apart(work: Workload) -> Workload:
    """The same with outputs of their own."""

    def plain(op: Operator) -> Operator:
        return replace(op, updates="") if isinstance(op, VectorOperator) else op

    return replace(work, operators=tuple(map(plain, work.operators)))


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("optimiser", [Sgd(0.1, 0.9, 1e-4), Adam()])
def test_versions_share_an_address(name: str, optimiser: Any) -> None:
    """In place a step moves the same bytes and needs room once for what it changes; in the same cycles, unless several
    DMA engines write: the first waits for all who read the old version."""
    chip, work = accelsim.load_chip(name), step(optimiser)
    result, other = (accelsim.run(chip, each, homes="off_chip") for each in (work, apart(work)))
    most = 1.02 if name == "rapid_like" else 1.0
    assert other.cycles <= result.cycles <= most * other.cycles
    assert result.joules == pytest.approx(other.joules, rel=1e-12 if most == 1.0 else 1e-3)
    tensors = {row.name: n for n, row in enumerate(result.program.tensors) if row.view == ""}
    homes = {one.tensor: one for one in result.program.residents}
    saved = 0
    for op in work.operators:
        if not isinstance(op, VectorOperator) or not op.updates:
            continue
        before, after = homes[tensors[op.updates]], homes[tensors[op.output]]
        assert (before.memory, before.address, before.span) == (
            after.memory,
            after.address,
            after.span,
        )
        assert (before.at_start, before.at_end) == (True, False)
        assert (after.at_start, after.at_end) == (False, True)
        saved += -(-after.span // 64) * 64
    assert saved > 0
    most, apart_most = (
        max(one.address + one.span for one in each.program.residents if one.memory == far)
        for each in (result, other)
        for far in [homes[tensors["fc1.weight"]].memory]
    )
    assert apart_most - most <= saved and apart_most > most


def test_an_update_before_its_last_reader_is_refused() -> None:
    """Whoever makes the workload; and the Program of one that was not checked."""
    work = step(Sgd(0.1, 0.0, 1e-4))
    names = [op.name for op in work.operators]
    decay, update = names.index("fc1.weight.update.axpy"), names.index("fc1.weight.next")
    operators = list(work.operators)
    late = replace(operators[decay], name="late", output="late")  # type: ignore[arg-type]
    tensors = {
        **work.tensors,
        "late": replace(work.tensors[names[decay]], name="late", role="output"),
    }
    bad = replace(work, operators=(*operators[: update + 1], late, *operators[update + 1 :]))
    bad = replace(bad, tensors=tensors)
    assert any("fc1.weight was updated before it" in message for _, message in wrong_in(bad))
    chip = accelsim.load_chip("fp8_64")
    with pytest.raises(ProgramError, match="reads bytes that hold another tensor"):
        compile_program(chip, bad, chosen=plan(chip, bad))
    good = replace(
        work, operators=(*operators[:update], late, *operators[update:]), tensors=tensors
    )
    assert not wrong_in(good)
    compile_program(chip, good, chosen=plan(chip, good))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"updates": "g"}, "'g' is no stored tensor that it reads"),
        ({"updates": "w"}, ""),
        (
            {"kind": "softmax_gradient", "factors": ()},
            "does not become the output element by element",
        ),
        ({"updates": "v"}, "'v' is no stored tensor that it reads"),
    ],
)
def test_what_may_be_updated(change: dict[str, Any], message: str) -> None:
    from accelsim.workload import TensorSpec

    op = VectorOperator(
        "n", "axpy", ("g", "w"), "n", ((4, 4), (4, 4)), (4, 4), factors=(1.0,), updates="w"
    )
    specs = (("g", "input"), ("w", "weight"), ("v", "weight"), ("n", "output"))
    tensors = {name: TensorSpec(name, (4, 4), role) for name, role in specs}
    work = Workload("one", (replace(op, **change),), tensors)
    found = [said for _, said in wrong_in(work)]
    assert (not found) if not message else any(message in said for said in found)


TRACE: dict[str, Any] = {
    "name": "t",
    "inputs": {"g": [4, 4]},
    "constants": {"w": [4, 4]},
    "operators": [
        {"name": "n", "kind": "axpy", "input": ["g", "w"], "factors": [-0.5], "updates": "w"},
        {"name": "m", "kind": "add", "input": ["n", "g"]},
    ],
}


@pytest.mark.parametrize(
    ("number", "change", "line"),
    [
        (0, {}, ""),
        (0, {"updates": "g"}, "operators[0].updates: 'g' is not a choice here; write one of w"),
        (0, {"factors": [1, 2]}, "operators[0].factors: n has 2 factors, a axpy has 1"),
        (0, {"factors": ["x"]}, "operators[0].factors: must be a number"),
        (1, {"input": ["w", "g"]}, "operators[1].input: w was updated before it"),
        (1, {"kind": "gemm", "input": "g", "weight": "w", "n": 4}, "w was updated before it"),
        (1, {"role": "later"}, "operators[1].role"),
        (1, {"kind": "slice", "input": "g", "shape": [2, 2], "offset": 1}, "must be a list"),
    ],
)
def test_traces_with_updates(
    number: int, change: dict[str, Any], line: str, tmp_path: Path
) -> None:
    operators = [dict(op) for op in TRACE["operators"]]
    operators[number] = (
        {"name": operators[number]["name"], **change}
        if "kind" in change
        else {
            **operators[number],
            **change,
        }
    )
    (tmp_path / "t.yaml").write_text(yaml.safe_dump({**TRACE, "operators": operators}))
    if not line:
        accelsim.run(accelsim.load_chip("fp8_64"), accelsim.load_workload(tmp_path / "t.yaml"))
        return
    with pytest.raises(InputError) as caught:
        accelsim.load_workload(tmp_path / "t.yaml")
    assert any(line in str(problem) for problem in caught.value.problems), caught.value


def test_steps_are_not_run_back_to_back() -> None:
    chip, work = accelsim.load_chip("fp8_64"), step(Sgd(0.1))
    with pytest.raises(InputError, match="each step reads what the one before wrote"):
        steady(chip, work, plan(chip, work))
