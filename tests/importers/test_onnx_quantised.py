"""Models of onnxruntime's quantiser, with their own scales: codes equal onnxruntime's.

Each operator is fed onnxruntime's own input codes, so that no difference adds up. With --rounding float32 all
MAC operators are equal bit for bit: sums are exact in both, and the scale is multiplied in float32 in both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from accelsim import api
from accelsim.importers.onnx_model import import_model
from accelsim.importers.onnx_worker import unsigned_weights
from tests.importers.models import one_node
from tests.importers.quantised import quantised

PLAIN = ("QuantizeLinear", "DequantizeLinear", "Constant")
CASES = [("QOperator", "QInt8"), ("QDQ", "QInt8"), ("QDQ", "QInt4")]


def session(model: Any, whole: bool = True) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry(
        "session.x64quantprecision", "1"
    )  # no 16-bit saturation without VNNI
    if not whole:  # operators as the file has them, not fused
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    made = onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
    unsigned_weights(made)  # exact sums without VNNI too
    return onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def codes_of(path: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """onnxruntime's codes of every tensor of 8 bits."""
    model = onnx.load(path)
    stored = {item.name for item in model.graph.initializer}
    kept = {item.name for item in model.graph.output}
    shaped = onnx.shape_inference.infer_shapes(model)
    kinds = {item.name: item.type.tensor_type.elem_type for item in shaped.graph.value_info}
    quantised_by = {
        node.output[0]
        for node in model.graph.node
        if node.op_type.startswith("QLinear") or node.op_type in ("QuantizeLinear", "QGemm")
    }
    names = [
        name for name in quantised_by if name not in stored | kept and kinds.get(name, 2) in (2, 3)
    ]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return dict(
        zip(names, session(model.SerializeToString(), False).run(names, feeds), strict=True)
    )


def parts(path: Path, codes: dict[str, np.ndarray]) -> list[tuple[str, Any, list[str], str]]:
    """(operator, model, input codes, output codes) of every operator between codes."""
    model = onnx.load(path)
    maker = {name: node for node in model.graph.node for name in node.output}
    found = []
    for node in model.graph.node:
        if node.op_type in PLAIN:
            continue
        if node.op_type.startswith("Q"):
            inside, inputs, output = [node], [x for x in node.input if x in codes], node.output[0]
        else:
            before = [maker[x] for x in node.input if x in maker]
            readers = [other for other in model.graph.node if node.output[0] in other.input]
            if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
                continue
            inside, output = [*before, node, readers[0]], readers[0].output[0]
            inputs = [x for other in before for x in other.input if x in codes]
        if output not in codes or not inputs:
            continue
        read = {x for item in inside for x in item.input}
        kinds = {x: onnx.helper.np_dtype_to_tensor_dtype(codes[x].dtype) for x in (*inputs, output)}
        describe = {
            x: onnx.helper.make_tensor_value_info(x, kinds[x], codes[x].shape) for x in kinds
        }
        graph = onnx.helper.make_graph(
            inside,
            "part",
            [describe[x] for x in dict.fromkeys(inputs)],
            [describe[output]],
            [w for w in model.graph.initializer if w.name in read],
        )
        made = onnx.helper.make_model(
            graph, opset_imports=model.opset_import, ir_version=model.ir_version
        )
        found.append((node.op_type, made, list(dict.fromkeys(inputs)), output))
    return found


def ours(path: Path, fed: dict[str, np.ndarray], rounding: str = "float32") -> np.ndarray:
    """Our output codes, as the model's type has them, for given input codes."""
    work = import_model(path).workload
    chip, real = api.load_chip("mixed_quad"), {}
    zeros = {
        name: np.zeros(spec.shape) for name, spec in work.tensors.items() if spec.role == "input"
    }
    network = api.prepare(chip, work, zeros, rounding).network
    for name, values in fed.items():
        shift = 128 if values.dtype == np.uint8 else 0
        real[name] = network.activations[name].decode(values.astype(np.int64) - shift)
    made = api.run(chip, work, real, rounding=rounding).values
    assert made is not None
    return made.outputs[list(made.outputs)[-1]]


@pytest.mark.parametrize(("form", "weights"), CASES)
def test_every_operator_equals_onnxruntime(form: str, weights: str, tmp_path: Path) -> None:
    path, feeds = quantised("residual_cnn", form, tmp_path, weights=weights)
    codes = codes_of(path, feeds)
    kinds = []
    for number, (kind, model, inputs, output) in enumerate(parts(path, codes)):
        kinds.append(kind)
        fed = {name: codes[name] for name in inputs}
        alone = tmp_path / f"part{number}.onnx"
        onnx.save(model, alone)
        mine = ours(alone, fed).reshape(codes[output].shape)
        shift = 128 if codes[output].dtype == np.uint8 else 0
        theirs = session(alone).run(None, fed)[0].astype(np.int64) - shift
        assert theirs.std() > 1
        if "Add" in kind or "Mean" in kind:  # scales of 20 fraction bits here, float32 there
            assert np.abs(mine - theirs).max() <= 1 and (mine != theirs).mean() < 0.02, kind
        else:
            assert (mine == theirs).all(), kind
        if kind == "QLinearConv":  # exact sums, without a CPU's saturation
            second = ReferenceEvaluator(model).run(None, fed)[0].astype(np.int64) - shift
            assert np.abs(mine - second).max() <= 1 and (mine != second).mean() < 0.02
        single = ours(alone, fed, "single").reshape(mine.shape)  # one rounding of the exact product
        assert np.abs(single - theirs).max() <= 1
    assert sum("Conv" in kind for kind in kinds) == 6 and sum("Add" in kind for kind in kinds) == 2


@pytest.mark.parametrize(("form", "weights"), CASES)
@pytest.mark.parametrize("per_channel", [True, False])
def test_whole_networks_equal_onnxruntime(
    form: str, weights: str, per_channel: bool, tmp_path: Path
) -> None:
    path, feeds = quantised("residual_cnn", form, tmp_path, per_channel, weights)
    theirs = session(path).run(None, feeds)[0]
    made = api.run(
        api.load_chip("mixed_quad"), api.load_workload(path), feeds, rounding="float32"
    ).values
    assert made is not None
    name = list(made.outputs)[-1]
    step = float(made.quantization[name].scale)
    mine = made.quantization[name].decode(made.outputs[name])
    assert (
        np.abs(mine - theirs).max() < 1.01 * step
        and (np.abs(mine - theirs) > step / 2).mean() < 0.1
    )
    assert made.signal_to_noise_db[name] > 30  # against the model's own codes
    scales = {
        float(onnx.numpy_helper.to_array(item).ravel()[0])
        for item in onnx.load(path).graph.initializer
        if item.name.endswith("scale")
    }
    assert step in scales  # its own, not one of ours


def test_weights_that_are_not_symmetric_get_a_scale_of_ours(tmp_path: Path) -> None:
    weight = np.random.default_rng(1).integers(0, 255, (4, 3, 3, 3)).astype(np.uint8)
    one = np.float32(0.1)
    path = one_node(
        tmp_path,
        "QLinearConv",
        {"x": (1, 3, 8, 8)},
        None,
        {
            "s": one,
            "z": np.uint8(7),
            "w": weight,
            "ws": one,
            "wz": np.uint8(99),
            "ys": np.float32(20),
            "yz": np.uint8(120),
        },
    )
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    onnx.save(model, path)
    codes = np.random.default_rng(2).integers(0, 256, (1, 3, 8, 8)).astype(np.uint8)
    made = api.run(api.load_chip("int8_edge"), api.load_workload(path), {"x": codes}).values
    assert made is not None
    theirs = session(path, False).run(None, {"x": codes})[0].astype(np.int64)
    assert np.abs(made.outputs["y"] + 128 - theirs).max() <= 1 and theirs.std() > 1


@pytest.mark.parametrize("form", ["QOperator", "QDQ"])
def test_products_of_two_tensors_follow(form: str, tmp_path: Path) -> None:
    """A softmax's zero point is its least code: that operand has a scale of ours, and the run says so."""
    path, feeds = quantised("encoder", form, tmp_path)
    made = api.run(api.load_chip("int8_128"), api.load_workload(path), feeds, rounding="float32")
    assert made.values is not None
    theirs = session(path, False).run(None, feeds)[0]
    name = list(made.values.outputs)[-1]
    mine = made.values.quantization[name].decode(made.values.outputs[name]).reshape(theirs.shape)
    assert np.abs(mine - theirs).max() < 0.05 * np.abs(theirs).max()
    assert any("a scale of ours" in note for note in made.assumptions)
