"""Programs by lists and by machine code: the same, to the digest, whatever the process did before."""

from __future__ import annotations

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.mapping.compile import Plan, compile_program, plan
from accelsim.mapping.mapping import Mapping
from accelsim.program.digest import program_digest
from accelsim.program.table import Program
from accelsim.workload import TensorSpec, VectorOperator, Workload
from tests.mapping.random_cases import random_chip, random_mapping, random_operator, single

WAYS: tuple[jit.Which, ...] = ("plain", "compiled")
CHIPS: tuple[tuple[str, list[str]], ...] = (
    ("int8_edge", []),
    ("int4_edge", []),
    ("pcm_8level", []),
    ("tpu_v1_like", []),
    ("int8_edge", ["units.array.count=4", "units.array.split=n"]),
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


def same(chip: Chip, workload: Workload, chosen: Plan) -> Program:
    made = []
    for which in WAYS:
        with jit.only(which):
            made.append(compile_program(chip, workload, chosen=chosen))
    assert len(made[0]) == len(made[1]) > 0
    assert program_digest(made[0]) == program_digest(made[1])
    return made[0]


@pytest.mark.parametrize("workload", ["small_cnn", "digits_cnn", "resnet18"])
@pytest.mark.parametrize("case", CHIPS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CHIPS)])
def test_lists_and_machine_code(case: tuple[str, list[str]], workload: str) -> None:
    chip, work = accelsim.load_chip(*case), accelsim.load_workload(workload)
    try:
        chosen = plan(chip, work)
    except InputError:
        return
    same(chip, work, chosen)


def test_random_operators_under_random_mappings() -> None:
    """Every loop order, spilled sums, resident tensors, groups and strides, tiles that leave rests."""
    rng = np.random.default_rng(11)
    seen: dict[str, int] = {}
    for _ in range(150):
        chip, work = random_chip(rng), single(random_operator(rng))
        mapping = random_mapping(rng, chip, work)
        op = work.operators[0]
        try:
            chosen = plan(chip, work, {op.name: mapping} if mapping else None)
        except InputError:
            continue
        same(chip, work, chosen)
        used = chosen.mappings[op.name]
        assert isinstance(used, Mapping)
        for word in (
            used.order,
            f"flow {used.dataflow}",
            "kept" if used.input_resident else "fetched",
            f"{chip.array.count} arrays",
        ):
            seen[word] = seen.get(word, 0) + 1
    assert min(seen.values()) >= 3 and len(seen) >= 12, seen


def test_an_operator_on_one_tensor_twice_is_not_taken_for_another() -> None:
    """x + x and x + y have the same rows on other tensors; a copy of the first would read x twice."""
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
    program = same(chip, work, plan(chip, work))
    o, names = program.operands, [row.name for row in program.tensors]
    for number, op in enumerate(ops):
        rows = np.flatnonzero(program.commands.operator == number)
        read = {names[o.tensor[o.start[row]]] for row in rows if program.commands.opcode[row] == 0}
        assert read == set(op.inputs)


def test_a_process_history_chooses_nothing() -> None:
    """The same job, first and after many others, gives the same mappings and the same Program."""
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("resnet18")

    def made() -> tuple[object, str]:
        chosen = plan(chip, work)
        return chosen.mappings, program_digest(compile_program(chip, work, chosen=chosen))

    first = made()
    other, small = accelsim.load_chip("int4_edge"), accelsim.load_workload("small_cnn")
    for _ in range(100):
        compile_program(other, small)
    assert made() == first
