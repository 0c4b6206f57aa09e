"""Lowering, folding and layouts: float outputs equal onnxruntime's, on weights that hide nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from accelsim.importers.base import Reading
from accelsim.importers.onnx_model import import_model
from accelsim.importers.onnx_values import ModelValues
from accelsim.numerics.accuracy import float_forward
from tests.importers.models import BUNDLED, DIMS, TORCH, one_node, seeded


def outputs(
    path: Path, dims: dict[str, int] | None = None, seed: int = 3, every: bool = False
) -> tuple[dict, dict]:
    """(ours in float64, onnxruntime's in float32) of every output, for seeded inputs. every: of every
    tensor that both have."""
    imported = import_model(path, Reading(dims=dict(dims or {})))
    if every:
        model = onnx.load(path)
        made = {name for node in model.graph.node for name in node.output}
        kept = {item.name for item in model.graph.output}
        model.graph.output.extend(
            onnx.ValueInfoProto(name=op.output)
            for op in imported.workload.operators
            if op.output in made and op.output not in kept
        )
        path = path.with_suffix(".every.onnx")
        onnx.save(model, path)
    rng = np.random.default_rng(seed)
    work = imported.workload
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {}
    for item in session.get_inputs():
        if item.name in work.tensors:
            inputs[item.name] = rng.normal(size=imported.graph.shapes[item.name]).astype(np.float32)
        elif item.name in imported.graph.inputs:
            inputs[item.name] = np.ones(imported.graph.shapes[item.name], np.float32)
    names = [item.name for item in session.get_outputs()]
    theirs = dict(zip(names, session.run(names, inputs), strict=True))
    values = ModelValues(imported)
    ours = float_forward(
        work, {k: v.astype(np.float64) for k, v in inputs.items()}, values.stored(), values.evaluate
    )
    return {name: ours[name] for name in names}, theirs


def close(ours: dict, theirs: dict, factor: float = 2e-5) -> None:
    for name, theirs_one in theirs.items():
        mine = ours[name].reshape(theirs_one.shape)
        assert np.abs(mine - theirs_one).max() <= factor * max(1e-3, np.abs(theirs_one).max()), name
        assert np.abs(theirs_one).max() > 0


def logits_and_layers(ours: dict, theirs: dict) -> None:
    """All but the softmax, whose float32 rounding grows with the size of the logits."""
    assert len(ours) > 10
    names = list(theirs)[1:]  # the model's own output, a softmax, stands first
    close({name: ours[name] for name in names}, {name: theirs[name] for name in names}, 1e-4)


@pytest.mark.parametrize("name", ["residual_cnn", "encoder", "decoder", "speech_lstm", "sizes"])
def test_torch_models_equal_onnxruntime(name: str) -> None:
    close(*outputs(TORCH / f"{name}.onnx", DIMS.get(name)))


@pytest.mark.parametrize("name", ["light_squeezenet", "light_shufflenet"])
def test_small_bundled_models_equal_onnxruntime(name: str, tmp_path: Path) -> None:
    logits_and_layers(*outputs(seeded(name, tmp_path), every=True))


@pytest.mark.full
@pytest.mark.parametrize(
    "name", [n for n in BUNDLED if n not in ("light_squeezenet", "light_shufflenet")]
)
def test_bundled_models_equal_onnxruntime(name: str, tmp_path: Path) -> None:
    logits_and_layers(*outputs(seeded(name, tmp_path), every=True))


def weights(shape: tuple[int, ...], seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


CONVOLUTIONS = {
    "1-D": ((2, 4, 11), (6, 2, 3), {"group": 2, "strides": [2], "pads": [1, 2], "dilations": [2]}),
    "2-D same upper": ((1, 3, 7, 8), (5, 3, 3, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "2-D same lower": ((1, 3, 7, 8), (5, 3, 3, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "2-D depthwise": ((2, 4, 6, 6), (8, 1, 3, 3), {"group": 4, "pads": [1, 0, 2, 1]}),
    "2-D dilated": ((1, 2, 9, 9), (3, 2, 3, 3), {"dilations": [2, 3], "pads": [2, 2, 2, 2]}),
    "3-D": (
        (2, 4, 5, 6, 7),
        (6, 2, 3, 2, 3),
        {"group": 2, "strides": [2, 1, 2], "pads": [1, 0, 1, 1, 1, 0], "dilations": [1, 2, 1]},
    ),
    "3-D flat": ((2, 3, 4, 5, 6), (4, 3, 1, 3, 3), {"pads": [0, 1, 1, 0, 1, 1]}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_of_every_shape(name: str, tmp_path: Path) -> None:
    shape, weight, keys = CONVOLUTIONS[name]
    path = one_node(
        tmp_path,
        "Conv",
        {"x": shape},
        None,
        {"w": weights(weight), "b": weights(weight[:1], 6)},
        **keys,
    )
    close(*outputs(path))


TRANSPOSED = {
    "1-D": (
        (2, 4, 7),
        (4, 3, 3),
        {"group": 2, "strides": [2], "pads": [1, 0], "output_padding": [1]},
    ),
    "2-D": (
        (1, 4, 5, 6),
        (4, 3, 3, 2),
        {"strides": [2, 3], "dilations": [2, 1], "pads": [1, 0, 0, 1]},
    ),
    "2-D stated": ((1, 2, 5, 5), (2, 3, 3, 3), {"strides": [2, 2], "output_shape": [10, 10]}),
    "3-D": ((1, 2, 3, 4, 3), (2, 3, 2, 2, 2), {"strides": [2, 1, 2]}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions(name: str, tmp_path: Path) -> None:
    shape, weight, keys = TRANSPOSED[name]
    count = weight[1] * keys.get("group", 1)
    path = one_node(
        tmp_path,
        "ConvTranspose",
        {"x": shape},
        None,
        {"w": weights(weight), "b": weights((count,), 6)},
        **keys,
    )
    close(*outputs(path))
    work = import_model(path).workload
    taps = int(np.prod(weight[2:]))
    assert work.macs == int(np.prod(shape)) * weight[1] * taps  # no product with an inserted zero


PRODUCTS = {
    "stored": ("MatMul", {"a": (2, 3, 4)}, {"b": (4, 5)}, {}),
    "stored batch": ("MatMul", {"a": (2, 3, 4)}, {"b": (2, 4, 5)}, {}),
    "spread weight": ("MatMul", {"a": (2, 6, 3, 4)}, {"b": (6, 4, 5)}, {}),
    "vectors": ("MatMul", {"a": (4,)}, {"b": (4, 5)}, {}),
    "matrix by vector": ("MatMul", {"a": (3, 4)}, {"b": (4,)}, {}),
    "two tensors": ("MatMul", {"a": (2, 3, 3, 4), "b": (2, 3, 4, 5)}, {}, {}),
    "spread tensor": ("MatMul", {"a": (2, 3, 3, 4), "b": (1, 3, 4, 5)}, {}, {}),
    "spread first": ("MatMul", {"a": (3, 4), "b": (2, 4, 5)}, {}, {}),
    "gemm": (
        "Gemm",
        {"a": (4, 3)},
        {"b": (5, 4), "c": (5,)},
        {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0},
    ),
    "gemm of tensors": ("Gemm", {"a": (3, 4), "b": (4, 5), "c": (3, 1)}, {}, {"alpha": 0.5}),
    "einsum attention": (
        "Einsum",
        {"a": (2, 7, 3, 4), "b": (2, 5, 3, 4)},
        {},
        {"equation": "bqhd,bkhd->bhqk"},
    ),
    "einsum stored": ("Einsum", {"a": (2, 7, 4)}, {"b": (4, 3, 5)}, {"equation": "bik,kho->bhio"}),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_every_shape(name: str, tmp_path: Path) -> None:
    kind, inputs, stored, keys = PRODUCTS[name]
    constants = {key: weights(shape, sum(map(ord, key))) for key, shape in stored.items()}
    path = one_node(tmp_path, kind, inputs, None, constants, **keys)
    close(*outputs(path))
    work = import_model(path).workload
    assert work.macs > 0


@pytest.mark.parametrize(
    ("kind", "direction", "after"),
    [
        ("LSTM", "forward", 0),
        ("LSTM", "reverse", 0),
        ("LSTM", "bidirectional", 0),
        ("GRU", "forward", 0),
        ("GRU", "forward", 1),
        ("GRU", "bidirectional", 0),
        ("RNN", "reverse", 0),
    ],
)
def test_recurrent_networks(kind: str, direction: str, after: int, tmp_path: Path) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    sides, hidden, width = 1 + (direction == "bidirectional"), 5, 3
    keys = {"hidden_size": hidden, "direction": direction}
    if kind == "GRU":
        keys["linear_before_reset"] = after
    path = one_node(
        tmp_path,
        kind,
        {"x": (6, 2, width)},
        None,
        {
            "w": weights((sides, gates * hidden, width)),
            "r": weights((sides, gates * hidden, hidden), 6),
            "b": weights((sides, 2 * gates * hidden), 7),
        },
        **keys,
    )
    close(*outputs(path))
    work = import_model(path).workload
    assert work.macs == sides * 6 * 2 * gates * hidden * (width + hidden)
