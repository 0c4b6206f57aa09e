"""Imported models: counts, what runs where, dimensions, and every bundled model end to end."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from accelsim import api
from accelsim.errors import InputError
from accelsim.loading import load_workload
from accelsim.workload import VectorOperator
from tests.importers.models import BUNDLED, DIMS, LIGHT, TORCH, one_node
from tests.results.test_explained import run_cli

#: millions of parameters as published or as the framework's model zoo counts them (weights and biases;
#: a folded batch norm has one shift a channel)
PARAMETERS = {
    "light_bvlc_alexnet": 60_965_224,  # BVLC's CaffeNet deploy file
    "light_vgg19": 143_667_240,  # Simonyan and Zisserman, configuration E; torchvision's count
    "light_squeezenet": 1_235_496,  # Iandola et al.; torchvision's SqueezeNet 1.1 or 1.0: 1.24 M
    "light_resnet50": 25_530_472,  # torchvision's 25,557,032 less 26,560 scales that are folded
}


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_models_run_end_to_end(name: str) -> None:
    work = load_workload(LIGHT / f"{name}.onnx")
    result = api.run(api.load_chip("int8_128"), work)  # rules, bounds and conservation are checked
    assert result.joules > 0 and result.cycles > 0
    assert [row.name for row in result.operators] == [op.name for op in work.operators]
    if name in PARAMETERS:
        assert work.parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", BUNDLED)
def test_no_node_is_dropped(name: str) -> None:
    path = LIGHT / f"{name}.onnx"
    work = load_workload(path)
    model = onnx.load(path)
    inside = {item[0] for item in work.notes["absorbed"]}
    made = {op.output for op in work.operators}
    names = {op.name for op in work.operators}
    folded = 0
    for number, node in enumerate(model.graph.node):
        label = node.name or f"{node.op_type.lower()}_{number}"
        if node.output[0] not in made and label not in inside | names:
            folded += 1
            assert node.op_type in ("ConstantOfShape", "Unsqueeze", "Reshape"), node.op_type
    assert f"{folded} nodes compute" in " ".join(work.notes["assumed"])


@pytest.mark.parametrize("name", ["residual_cnn", "encoder", "decoder", "speech_lstm", "sizes"])
@pytest.mark.parametrize("chip", ["int8_128", "int8_edge"])
def test_torch_models_run(name: str, chip: str) -> None:
    work = load_workload(TORCH / f"{name}.onnx", dims=DIMS.get(name))
    result = api.run(api.load_chip(chip), work)
    assert result.workload.macs == sum(row.macs for row in result.operators) > 0


def test_dimensions_and_batch_scale_the_work() -> None:
    path = TORCH / "residual_cnn.onnx"
    one, four = load_workload(path, dims={"batch": 1}), load_workload(path, dims={"batch": 4})
    assert 4 * one.macs == four.macs and one.parameters == four.parameters
    assert load_workload(path, batch=4).macs == four.macs
    with pytest.raises(InputError, match="--dim batch=1"):
        load_workload(path)
    with pytest.raises(InputError, match="no input has a dimension 'bach'"):
        load_workload(path, dims={"bach": 1})
    longer = load_workload(TORCH / "decoder.onnx", dims={"past": 100})
    shorter = load_workload(TORCH / "decoder.onnx", dims={"past": 7})
    assert longer.macs - shorter.macs == 93 * 2 * 32  # scores and their mix, width 32


def test_attention_is_two_products_of_tensors_and_a_cache_stays() -> None:
    work = load_workload(TORCH / "decoder.onnx", dims={"past": 7})
    computed = [
        op
        for op in work.operators
        if not isinstance(op, VectorOperator) and not work.is_stored(op.weight)
    ]
    assert [(op.m, op.k, op.n, op.groups) for op in computed] == [(1, 8, 8, 4), (1, 8, 8, 4)]
    assert [op.weight_transposed for op in computed] == [True, False]
    assert sum(op.kind == "append" for op in work.operators) == 2
    assert not any(op.kind == "transpose" and not op.is_view for op in work.operators)


def test_check_lists_every_operator_and_where_it_runs() -> None:
    text = run_cli("check", str(TORCH / "decoder.onnx"), "--dim", "past=7")
    work = load_workload(TORCH / "decoder.onnx", dims={"past": 7})
    for op in work.operators:
        assert any(line.strip().startswith(op.name) for line in text.splitlines()), op.name
    for words in ("MAC array, two tensors", "vector unit", "addresses only", "Transpose, part of"):
        assert words in text


def test_run_takes_models_and_dimensions() -> None:
    text = run_cli("run", "int8_edge", str(TORCH / "residual_cnn.onnx"), "--dim", "batch=1")
    assert "residual_cnn on int8_edge" in text and "compute shapes and constants only" in text


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21, 24])
def test_opsets_from_seven_on(opset: int, tmp_path: Path) -> None:
    path = one_node(tmp_path, "MatMul", {"a": (3, 4), "b": (4, 5)}, (3, 5), opset=opset)
    assert load_workload(path).macs == 60


def test_operators_that_are_functions_of_others_are_taken_apart(tmp_path: Path) -> None:
    shape = (1, 4, 6, 8)
    path = one_node(tmp_path, "Attention", {"q": shape, "k": shape, "v": shape}, None, opset=23)
    work = load_workload(path)
    assert work.macs == 2 * 4 * 6 * 6 * 8
    assert any("Attention is taken apart" in note for note in work.notes["assumed"])


def test_weights_outside_the_file_are_not_read(tmp_path: Path) -> None:
    path = one_node(tmp_path, "MatMul", {"a": (3, 4)}, (3, 5))
    model = onnx.load(path)
    model.graph.node[0].input.append("w")
    stored = onnx.TensorProto(name="w", data_type=1, dims=(4, 1 << 20), data_location=1)
    for key, value in (("location", "none.bin"), ("offset", "0"), ("length", str(1 << 24))):
        stored.external_data.add(key=key, value=value)
    model.graph.initializer.append(stored)
    model.graph.output[0].CopyFrom(onnx.ValueInfoProto(name="y"))
    onnx.save(model, path)
    work = load_workload(path)
    assert work.parameters == 4 << 20 and work.macs == 3 * (4 << 20)
