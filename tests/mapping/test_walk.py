"""Walks and quick choices write and choose what the columns do: the same Programs, to the digest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.mapping.compile import Plan, compile_program, plan
from accelsim.mapping.mapping import Mapping
from accelsim.program.digest import program_digest
from accelsim.workload import Workload
from tests.mapping.random_cases import random_chip, random_mapping, random_operator, single

CHIPS: tuple[tuple[str, list[str]], ...] = (
    ("int8_edge", []),
    ("int4_edge", []),
    ("pcm_8level", []),
    ("tpu_v1_like", []),
    ("int8_edge", ["units.array.rows=16", "units.array.columns=8", "units.array.bypass=true"]),
    ("int8_edge", ["units.array.dataflow=output_stationary", "units.array.fused_epilogue=false"]),
    (
        "int8_edge",
        ["units.array.dataflow=input_stationary", "units.array.accumulator.location=column"],
    ),
    ("int8_edge", ["units.array.stationary_depth=1", "weights=resident"]),
    (
        "int8_edge",
        [
            "memories.input_buffer.size=8 KiB",
            "memories.weight_buffer.size=8 KiB",
            "memories.output_buffer.size=4 KiB",
            "memories.output_buffer.buffering=single",
        ],
    ),
)


@pytest.fixture
def heat(monkeypatch: pytest.MonkeyPatch) -> Any:
    def turn(on: bool) -> None:
        monkeypatch.setattr(jit._Heat, "hot", on)
        monkeypatch.setattr(jit._Heat, "done", 0)

    return turn


def same(heat: Any, chip: Chip, workload: Workload, chosen: Plan) -> None:
    heat(False)
    columns = compile_program(chip, workload, chosen=chosen)
    heat(True)
    walked = compile_program(chip, workload, chosen=chosen)
    assert len(columns) == len(walked) > 0
    assert program_digest(columns) == program_digest(walked)


@pytest.mark.parametrize("workload", ["small_cnn", "digits_cnn", "resnet18"])
@pytest.mark.parametrize("case", CHIPS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CHIPS)])
def test_same_plan_and_program(case: tuple[str, list[str]], workload: str, heat: Any) -> None:
    chip, work = accelsim.load_chip(*case), accelsim.load_workload(workload)
    plans: list[Any] = []
    for on in (False, True):
        heat(on)
        try:
            plans.append(plan(chip, work))
        except InputError as error:
            plans.append(str(error))
    assert plans[0] == plans[1]
    if isinstance(plans[0], Plan):
        same(heat, chip, work, plans[0])


def test_random_operators_under_random_mappings(heat: Any) -> None:
    """Every loop order, spilled sums, resident tensors, groups and strides, tiles that leave rests."""
    rng = np.random.default_rng(11)
    seen: dict[str, int] = {}
    for _ in range(150):
        chip, work = random_chip(rng, count=1), single(random_operator(rng))
        mapping = random_mapping(rng, chip, work)
        op = work.operators[0]
        heat(False)
        try:
            chosen = plan(chip, work, {op.name: mapping} if mapping else None)
        except InputError:
            continue
        same(heat, chip, work, chosen)
        used = chosen.mappings[op.name]
        assert isinstance(used, Mapping)
        for word in (
            used.order,
            f"flow {used.dataflow}",
            "kept" if used.input_resident else "fetched",
        ):
            seen[word] = seen.get(word, 0) + 1
        heat(True)
        if mapping is None:
            assert plan(chip, work) == chosen
    assert min(seen.values()) >= 3 and len(seen) >= 10, seen


def test_random_chips_choose_alike(heat: Any) -> None:
    rng = np.random.default_rng(12)
    chosen = 0
    for _ in range(120):
        chip, work = random_chip(rng, count=1), single(random_operator(rng))
        plans: list[Any] = []
        for on in (False, True):
            heat(on)
            try:
                plans.append(plan(chip, work))
            except InputError as error:
                plans.append(str(error))
        assert plans[0] == plans[1]
        chosen += isinstance(plans[0], Plan)
    assert chosen > 40


def test_an_operator_on_one_tensor_twice_is_not_taken_for_another(heat: Any) -> None:
    """x + x and x + y have the same rows on other tensors; a copy of the first would read x twice."""
    from accelsim.workload import TensorSpec, VectorOperator

    shape = (1, 4, 8, 8)
    ops = tuple(
        VectorOperator(f"add{i}", "add", inputs, f"s{i}", (shape,) * 2, shape)
        for i, inputs in enumerate([("x", "x"), ("x", "y"), ("x", "y"), ("y", "y")])
    )
    tensors = {
        name: TensorSpec(name, shape, role)
        for name, role in (("x", "input"), ("y", "input"), *((f"s{i}", "output") for i in range(4)))
    }
    work = Workload("sums", ops, tensors)
    chip = accelsim.load_chip("int8_edge")
    heat(False)
    same(heat, chip, work, plan(chip, work))


def test_every_plain_vector_operator(heat: Any) -> None:
    """Pools, reductions, broadcasts and fewer axes, in separate and in shared buffers."""
    from accelsim.workload import TensorSpec, VectorOperator

    full = (2, 6, 9, 7)
    cases = (
        ("relu", (full,), full, {}),
        ("add", (full, full), full, {}),
        ("multiply", (full, (1, 6, 1, 1)), full, {}),
        ("add", (full, (7,)), full, {}),
        ("max_pool", ((2, 6, 19, 15),), full, {"kernel": (3, 3), "stride": (2, 2)}),
        ("average_pool", (full,), full, {"kernel": (3, 3), "padding": (1, 1, 1, 1)}),
        ("global_average_pool", (full,), (2, 6, 1, 1), {}),
        ("relu", ((40, 24),), (40, 24), {}),
        ("add", ((5, 40, 24), (24,)), (5, 40, 24), {}),
        ("softmax", ((3, 50),), (3, 50), {}),
        ("transpose", ((6, 8, 10),), (10, 6, 8), {"order": (2, 0, 1)}),
    )
    ops, tensors = [], {}
    for i, (kind, shapes, made, more) in enumerate(cases):
        names = tuple(f"x{i}_{j}" for j in range(len(shapes)))
        ops.append(VectorOperator(f"op{i}", kind, names, f"y{i}", shapes, made, **more))  # type: ignore[arg-type]
        tensors |= {
            name: TensorSpec(name, shape, "input")
            for name, shape in zip(names, shapes, strict=True)
        }
        tensors[f"y{i}"] = TensorSpec(f"y{i}", made, "output")
    work = Workload("vectors", tuple(ops), tensors)
    for case in (CHIPS[0], CHIPS[8], ("int8_edge", ["units.vector.output=input_buffer"])):
        chip = accelsim.load_chip(*case)
        heat(False)
        same(heat, chip, work, plan(chip, work))
