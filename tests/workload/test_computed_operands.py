"""Products of two computed tensors, shared weights, views and caches: rules, waits, exact values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim import api
from accelsim.energy import account
from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.mapping import compile_program, plan
from accelsim.mapping.tensors import tensor_formats
from accelsim.numerics.execute import execute
from accelsim.numerics.lowering import weight_matrix
from accelsim.numerics.network import Network
from accelsim.numerics.quantize import Quantization, Requantizer
from accelsim.program.opcodes import Opcode
from accelsim.program.validate import validate
from accelsim.timing.bounds import check_bounds
from accelsim.timing.engine import simulate
from accelsim.workload import Gemm, TensorSpec, VectorOperator, Workload
from tests.mapping.random_cases import random_chip

ONE = np.float64(1.0)


def attention(heads: int, rows: int, width: int, past: int) -> Workload:
    """k = x W; append it to a cache; scores of q against the cache; scores times the cache again."""
    model = heads * width
    keys = past + rows
    tensors = {
        name: TensorSpec(name, shape, role)
        for name, shape, role in (
            ("x", (rows, model), "input"),
            ("q", (heads, rows, width), "input"),
            ("cache", (heads, past, width), "input"),
            ("W", (model, model), "weight"),
            ("k", (rows, model), "intermediate"),
            ("split", (rows, heads, width), "intermediate"),
            ("kt", (heads, rows, width), "intermediate"),
            ("grown", (heads, keys, width), "intermediate"),
            ("scores", (heads, rows, keys), "intermediate"),
            ("y", (heads, rows, width), "output"),
        )
    }
    shape = {name: spec.shape for name, spec in tensors.items()}

    def vector(name: str, kind: str, *inputs: str, order: tuple[int, ...] = ()) -> VectorOperator:
        return VectorOperator(
            name, kind, inputs, name, tuple(shape[i] for i in inputs), shape[name], order=order
        )

    operators = (
        Gemm("k", "x", "W", "k", rows, model, model),
        vector("split", "reshape", "k"),
        vector("kt", "transpose", "split", order=(1, 0, 2)),
        vector("grown", "append", "cache", "kt"),
        Gemm("scores", "q", "grown", "scores", rows, width, keys, heads, weight_transposed=True),
        Gemm("y", "scores", "grown", "y", rows, keys, width, heads),
    )
    return Workload("attention", operators, tensors)


def identity(work: Workload, chip, weight: np.ndarray) -> Network:
    """Codes as they are: an output's codes are its sums, clamped to its format."""
    formats = tensor_formats(work, chip)
    acts = {name: Quantization(form, ONE) for name, form in formats.items()}
    found = {}
    for op in work.operators:
        if isinstance(op, Gemm):
            record = get(formats[op.output])
            one = Requantizer(
                np.zeros(op.n, np.int64),
                np.full(op.n, 1 << 30),
                np.full(op.n, 30),
                0,
                record.minimum,
                record.maximum,
            )
            found[op.name] = (one,) * op.groups
    return Network(acts, {"k": weight_matrix(work.operators[0], weight)}, found)


@pytest.mark.parametrize("weights", ["cold", "resident"])
def test_attention_with_a_cache_is_exact_on_random_chips(weights: str) -> None:
    done = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        chip = replace(random_chip(rng), weights=weights)
        if chip.precision.input != chip.precision.weight:
            continue
        heads, rows, width, past = (int(rng.integers(1, high)) for high in (4, 5, 6, 9))
        work = attention(heads, rows, width, past)
        try:
            chosen = plan(chip, work)
        except InputError:
            continue
        done += 1
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        low = rng.integers(-1, 2, (heads * width, heads * width))
        inputs = {
            name: rng.integers(-1, 2, work.tensors[name].shape) for name in ("x", "q", "cache")
        }
        run = execute(program, work, chip, inputs, identity(work, chip, low))
        assert run.macs == work.macs
        kinds = tensor_formats(work, chip)

        def fit(values, name, kinds=kinds):
            return np.clip(values, get(kinds[name]).minimum, get(kinds[name]).maximum)

        k = fit(inputs["x"] @ low, "k").reshape(rows, heads, width).transpose(1, 0, 2)
        grown = np.concatenate([inputs["cache"], k], axis=1)
        scores = fit(inputs["q"] @ grown.transpose(0, 2, 1), "scores")
        assert (run.tensors["grown"] == grown).all()
        assert (run.tensors["scores"] == scores).all()
        assert (run.tensors["y"] == fit(scores @ grown, "y")).all()
        timeline = simulate(program, chip)
        timeline.units(program)
        check_bounds(program, timeline)
        account(program, chip, timeline).check(work.macs)
    assert done >= 20


def test_the_second_operand_waits_for_the_operator_that_makes_it() -> None:
    chip = api.load_chip("int8_128")
    work = attention(4, 8, 16, 24)
    program = compile_program(chip, work)
    timeline = simulate(program, chip)
    names = [op.name for op in work.operators]
    mine = program.commands.operator == names.index("scores")
    loads = mine & (program.commands.opcode == Opcode.LOAD)
    made = (program.commands.operator == names.index("grown")) & (
        program.commands.opcode == Opcode.STORE
    )
    o = program.operands
    weight = [
        i for i in np.flatnonzero(loads) if program.tensors[o.tensor[o.start[i]]].view == "weight"
    ]
    assert weight and timeline.issue[weight].min() >= timeline.end[made].max()


def test_only_the_new_rows_of_a_cache_move() -> None:
    work = attention(4, 1, 16, 255)
    chip = api.load_chip("int8_128", ["memories.dram.burst=1 B"])
    result = api.run(chip, work, homes="off_chip")
    row = next(row for row in result.operators if row.name == "grown")
    assert row.dram_read_bytes == row.dram_written_bytes == 4 * 16


def test_steps_that_share_a_weight_share_its_place() -> None:
    def steps(count: int) -> Workload:
        tensors = {
            "W": TensorSpec("W", (64, 64), "weight"),
            "h0": TensorSpec("h0", (1, 64), "input"),
        }
        operators = []
        for step in range(1, count + 1):
            name = f"h{step}"
            tensors[name] = TensorSpec(name, (1, 64), "output" if step == count else "intermediate")
            operators.append(Gemm(name, f"h{step - 1}", "W", name, 1, 64, 64))
        return Workload("steps", tuple(operators), tensors)

    work = steps(3)
    assert work.parameters == 64 * 64
    for chip in (api.load_chip("int8_edge"), api.load_chip("pcm_8level", ["units.tiles.count=1"])):
        result = api.run(chip, work, weights="resident")
        held = [
            row
            for row in result.program.residents
            if result.program.tensors[row.tensor].role == "weight"
            and result.program.memories[row.memory].name != "dram"
        ]
        assert len(held) == 1


def test_crossbars_refuse_or_rewrite_computed_operands() -> None:
    work = attention(2, 4, 8, 12)
    with pytest.raises(InputError, match="multiplies two computed tensors"):
        api.run(api.load_chip("pcm_8level"), work)
    result = api.run(api.load_chip("pcm_8level", ["units.tiles.unmapped=reprogram"]), work)
    written = result.program.commands.opcode == Opcode.PROGRAM
    owners = {work.operators[i].name for i in result.program.commands.operator[written].tolist()}
    assert owners == {"scores", "y"}
