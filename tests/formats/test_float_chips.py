"""Chips whose arrays add floats: one Program, and the bits of the whole product whatever its tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.api import prepare
from accelsim.constants.float_mac import float_multiply_accumulate
from accelsim.energy import area, prices
from accelsim.formats import get
from accelsim.mapping import Mapping, compile_program, plan
from accelsim.numerics import execute, matmul
from accelsim.numerics.execution import Execution
from accelsim.numerics.float_network import FloatNetwork
from accelsim.numerics.lowering import lower_input, weight_matrix
from accelsim.results.result import Result
from accelsim.units.accumulation import adder
from accelsim.units.mac_array import Accumulator
from accelsim.workload import Conv2d, MacOperator, VectorOperator, Workload
from tests.formats.integer_reference import reference
from tests.one_tile import one_tile

ROOT = Path(__file__).parents[2]


def digits(
    chip: accelsim.api.Chip,
    count: int,
    workload: str = "digits_cnn",
    mappings: dict[str, Mapping] | None = None,
) -> Result:
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        images, labels = file["images"][:count] / 16, file["labels"][:count]
    trace = accelsim.load_workload(workload, batch=count)
    shape = trace.tensors["x"].shape
    return accelsim.run(chip, trace, {"x": images.reshape(shape)}, labels=labels, mappings=mappings)


def whole_network(chip: accelsim.api.Chip, workload: Workload, inputs: np.ndarray) -> np.ndarray:
    """The output as one product an operator: no tiles, no Program."""
    array = chip.array
    values = accelsim.api.load_values(workload)
    total = array.accumulator.accumulation
    found = {"x": get(chip.precision.input).quantize(inputs)}
    group = array.group(array.rate(chip.precision.input, chip.precision.weight))
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            source = found[op.inputs[0]]
            if op.kind == "flatten":
                found[op.output] = source.reshape(op.output_shape)
            else:
                assert op.kind == "max_pool" and op.kernel == op.stride
                n, c, h, w = op.output_shape
                found[op.output] = (
                    source[:, :, : 2 * h, : 2 * w].reshape(n, c, h, 2, w, 2).max(axis=(3, 5))
                )
            continue
        a = lower_input(op, found[op.input])[0]
        b = get(chip.precision.weight).quantize(
            weight_matrix(op, values[op.weight].astype(float))[0]
        )
        sums = matmul(
            a, b, total, input=chip.precision.input, weight=chip.precision.weight, group=group
        )
        sums = sums + values[op.bias].astype(float)
        if op.activation == "relu":
            sums = np.maximum(sums, 0.0)
        out = workload.tensors[op.output].role == "output"
        found[op.output] = get(total.format if out else chip.precision.input).quantize(sums)
        found[op.output] = raised(op, found[op.output])
    return found[workload.operators[-1].output]


def raised(op: MacOperator, matrix: np.ndarray) -> np.ndarray:
    if not isinstance(op, Conv2d):
        return matrix.reshape(op.output_shape)
    wide = matrix.reshape(op.batch, op.out_height, op.out_width, op.n)
    return wide.transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["units.array.rows=8"],  # a chunk over eight passes
        ["units.array.rows=24", "units.array.columns=7"],
        ["units.array.dataflow=output_stationary", "units.array.rows=16"],
        ["units.array.dataflow=input_stationary"],
        ["units.array.accumulator.chunk=0", "units.array.rows=16"],
        ["units.array.accumulator.rounding=stochastic", "units.array.rows=20"],
        ["units.array.accumulator.rounding=truncate", "units.array.accumulator.chunk=10"],
        ["units.array.count=3", "units.array.split=n"],
        ["units.array.fused_epilogue=false", "units.array.rows=16"],
        [
            "memories.input_buffer.size=8 KiB",
            "memories.weight_buffer.size=8 KiB",
            "memories.output_buffer.size=4 KiB",
        ],
        ["units.array.dot=2", "units.array.rows=16"],
    ],
    ids=lambda changes: ",".join(x.removeprefix("units.array.") for x in changes) or "shipped",
)
def test_outputs_are_those_of_whole_products(changes: list[str]) -> None:
    chip = accelsim.load_chip("fp8_64", changes)
    result = digits(chip, 4)
    assert result.values
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        images = file["images"][:4].reshape(result.workload.tensors["x"].shape) / 16
    wanted = whole_network(chip, result.workload, images)
    ((name, got),) = result.values.outputs.items()
    assert np.array_equal(got, wanted), name
    assert len(np.unique(got)) > 20


def test_parts_of_k_on_several_arrays_are_added_with_rounding() -> None:
    """Split along k: sums of the parts, then one addition each; a chunk never crosses arrays."""
    chip = accelsim.load_chip("fp8_64", ["units.array.count=2", "units.array.split=k"])
    one = digits(accelsim.load_chip("fp8_64"), 4)
    work = accelsim.load_workload("digits_cnn", batch=4)
    halves = {
        name: replace(whole, k=-(-whole.k // 2), split="k")
        for name, whole in one_tile(chip, work).items()
    }
    two = digits(chip, 4, mappings=halves)
    assert one.values and two.values
    (a,), (b,) = one.values.outputs.values(), two.values.outputs.values()
    assert not np.array_equal(a, b) and abs(a - b).max() < 0.05 * abs(a).max()


def test_digits_in_fp8_and_hfp8() -> None:
    """Within a point of the float network, on the shipped chips."""
    hfp8 = accelsim.load_chip(
        "ibm_quad_like", ["precision.input=hfp8_143", "precision.weight=hfp8_143"]
    )
    for chip, workload in ((accelsim.load_chip("fp8_64"), "digits_cnn"), (hfp8, "digits_mlp")):
        result = digits(chip, 500, workload)
        assert result.values
        scores = result.values.scores
        print(f"{workload} on {chip.name}: {scores['top1']:.1%}, float {scores['top1_float']:.1%}")
        assert scores["top1"] > scores["top1_float"] - 0.01


def test_the_ibm_like_chip_in_three_precisions_at_two_points() -> None:
    """Peak operations a second of the paper, and the rates of a long product that keeps it busy."""
    peaks = {}
    for name, factor in (("fp16_169", 1), ("hfp8_143", 2), ("int4", 8)):
        chip = accelsim.load_chip(
            "ibm_quad_like", [f"precision.input={name}", f"precision.weight={name}"]
        )
        array = chip.array
        rate = array.rate(name, name)
        assert rate.factor == factor
        lanes = array.count * array.rows * array.columns * array.simd * array.dot * rate.factor
        assert array.accumulator.bits == (32 if name == "int4" else 16)
        for point in ("peak_speed", "peak_efficiency"):
            at = chip.at(point)
            peaks[name, point] = 2 * lanes * at.clocks["core"]
            joules = prices(at)[0]["array", f"mac_{name}_{name}"].joules
            assert joules > 0
    assert peaks["fp16_169", "peak_speed"] == pytest.approx(13.1e12, rel=0.01)
    assert peaks["hfp8_143", "peak_speed"] == pytest.approx(26.2e12, rel=0.01)
    assert peaks["int4", "peak_speed"] == pytest.approx(104.9e12, rel=0.01)
    assert all(peaks[name, "peak_efficiency"] < peaks[name, "peak_speed"] for name, _ in peaks)


def test_energy_and_area_follow_the_synthesised_units() -> None:
    """FP8 into 1-6-9 about half of FP16, FP16 about INT8 with room, FP32 more than three FP16; wider
    never cheaper."""
    chip, joules = accelsim.load_chip("fp8_64"), {}
    for name, total in (
        ("fp8_152", "fp16_169"),
        ("hfp8_143", "fp16_169"),
        ("fp16_169", "fp16_169"),
        ("bf16", "fp32"),
        ("fp32", "fp32"),
    ):
        price = float_multiply_accumulate(chip.technology, name, name, Accumulator(format=total))
        joules[name] = price.joules
        assert f"mac_area/{name}" in price.source and 0 < price.band < 1.5
    assert 0.35 < joules["fp8_152"] / joules["fp16_169"] < 0.65
    assert 3 < joules["fp32"] / joules["fp16_169"] < 5
    order = list(joules.values())
    assert order == sorted(order)
    plain = prices(accelsim.load_chip("int8_edge"))[0]["array", "mac_int8_int8"].joules
    assert prices(chip)[0]["array", "mac_fp8_152_fp8_152"].joules == joules["fp8_152"]
    assert 0.8 < joules["fp8_152"] / plain < 1.7
    other = float_multiply_accumulate(
        chip.technology, "fp8_e4m3fn", "fp8_e4m3fn", Accumulator(format="bf16")
    )
    assert joules["fp8_152"] <= other.joules <= joules["fp16_169"] and other.band > 0.5
    sizes = {row.part: row.area for row in area(chip)}
    wide = {row.part: row.area for row in area(accelsim.load_chip("int8_edge"))}
    assert sizes["multipliers"] / wide["multipliers"] == pytest.approx(
        4 * joules["fp8_152"] / plain
    )


def random_values(workload: Workload, path: Path) -> Workload:
    """The workload with random weights in a file."""
    rng = np.random.default_rng(7)
    made = {}
    for name, spec in workload.tensors.items():
        if spec.role in ("weight", "bias"):
            fan = int(np.prod(spec.shape[1:])) if len(spec.shape) > 1 else 1
            made[name] = (rng.normal(size=spec.shape) * (2.0 / max(fan, 1)) ** 0.5).astype(
                np.float32
            )
    np.savez(path, **made)
    return replace(workload, values=str(path))


def everything(
    workload: Workload, inputs: dict[str, np.ndarray]
) -> tuple[Result, Execution, FloatNetwork]:
    """A run on the FP8 chip, and every tensor of the same Program, executed apart."""
    chip = accelsim.load_chip("fp8_64")
    result = accelsim.run(chip, workload, inputs)
    assert result.values and result.joules > 0 and result.cycles > 0
    prepared = prepare(chip, workload, inputs)
    program = compile_program(chip, workload, chosen=plan(chip, workload))
    done = execute(program, workload, chip, prepared.codes, prepared.network)
    for name, codes in result.values.outputs.items():
        assert np.array_equal(done.tensors[name], codes) and len(np.unique(codes)) > 20
    assert isinstance(prepared.network, FloatNetwork)
    return result, done, prepared.network


def check_tiles(
    op: MacOperator, done: Execution, network: FloatNetwork, workload: Workload, seed: int
) -> None:
    """Eight rows by sixteen columns of every group against whole-number arithmetic."""
    rng = np.random.default_rng(seed)
    unit = adder(accelsim.load_chip("fp8_64").array.accumulator.accumulation, "fp8_152", "fp8_152")
    a = lower_input(op, np.asarray(done.tensors[op.input], float).reshape(op.input_shape))
    b = (
        network.real_weights[op.name]
        if workload.is_stored(op.weight)
        else weight_matrix(op, np.asarray(done.tensors[op.weight], float))
    )
    found = np.asarray(done.tensors[op.output], float)
    for group in range(op.groups):
        rows, columns = rng.choice(op.m, 8), rng.choice(op.n, 16)
        sums = reference(a[group][rows], b[group][:, columns], unit)
        if op.bias is not None:
            sums = sums + network.biases[op.name][group][columns]
        if op.activation == "relu":
            sums = np.maximum(sums, 0.0)
        if isinstance(op, Conv2d):
            got = found[0].reshape(op.n, -1).T[np.ix_(rows, columns)]
        else:
            got = found.reshape(op.groups, op.m, op.n)[group][np.ix_(rows, columns)]
        stored = network.activations[
            op.output
        ].format  # what a function reads stays wider than the products'
        assert stored in ("fp8_152", "fp16_169") and np.array_equal(
            got, get(stored).quantize(sums)
        ), op.name


@pytest.mark.full
def test_resnet50_in_one_run(tmp_path: Path) -> None:
    """Cycles, joules and outputs of ResNet-50 on the FP8 chip from one Program; sampled tiles of three
    layers equal to the independent whole-number reference."""
    workload = random_values(accelsim.load_workload("resnet50"), tmp_path / "values.npz")
    rng = np.random.default_rng(1)
    inputs = {
        name: rng.normal(size=spec.shape)
        for name, spec in workload.tensors.items()
        if spec.role == "input"
    }
    _, done, network = everything(workload, inputs)
    macs = [
        op
        for op in workload.operators
        if not isinstance(op, VectorOperator) and op.activation == "relu"
    ]
    for number, op in enumerate((macs[1], macs[len(macs) // 2], macs[-1])):
        check_tiles(op, done, network, workload, number)


def encoder(layers: int) -> Workload:
    """So many layers of BERT-base behind its embeddings."""
    whole = accelsim.load_workload("bert_base")
    names = [op.name for op in whole.operators]
    operators = whole.operators[
        names.index("layer0_self_q") : names.index(f"layer{layers - 1}_norm3") + 1
    ]
    used: set[str] = set()
    for op in operators:
        reads = (
            (*op.inputs, *op.parameters)
            if isinstance(op, VectorOperator)
            else (op.input, op.weight, *([op.bias] if op.bias else []))
        )
        used.update((*reads, op.output))
    tensors = {name: spec for name, spec in whole.tensors.items() if name in used}
    for name, role in (("embedded", "input"), (operators[-1].output, "output")):
        tensors[name] = replace(tensors[name], role=role)
    return replace(whole, operators=operators, tensors=tensors)


@pytest.mark.parametrize("layers", [1, pytest.param(12, marks=pytest.mark.full)])
def test_bert_in_one_run(layers: int, tmp_path: Path) -> None:
    """The same of BERT-base's layers, 128 tokens: products with weights, and of two computed tensors."""
    pytest.importorskip("onnx")
    workload = random_values(encoder(layers), tmp_path / "values.npz")
    x = np.random.default_rng(2).normal(size=workload.tensors["embedded"].shape)
    _, done, network = everything(workload, {"embedded": x})
    last = f"layer{layers - 1}_"
    macs = {
        op.name.removeprefix(last): op
        for op in workload.operators
        if not isinstance(op, VectorOperator) and op.name.startswith(last)
    }
    for number, name in enumerate(("self_q", "self_scores", "self_mix", "self_out", "up", "down")):
        check_tiles(macs[name], done, network, workload, number)
