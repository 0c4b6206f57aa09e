"""A small ONNX model whose batch is not the first dimension of its first input, with an If on a sampling rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BATCH = 3


def _numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def rated(folder: Path) -> tuple[str, str]:
    """(model, inputs): state [2, n, 8], x [n, 16], sr; two rates take two branches of other sizes."""
    inside = [
        helper.make_graph(
            [helper.make_node("MatMul", ["x", weight], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for weight, name in (("w16", "slow"), ("w8", "fast"))
    ]
    nodes = [
        helper.make_node("Equal", ["sr", "rate"], ["is16"]),
        helper.make_node("If", ["is16"], ["y0"], then_branch=inside[0], else_branch=inside[1]),
        helper.make_node("Relu", ["y0"], ["y1"]),
        helper.make_node("MatMul", ["state", "v"], ["s0"]),
        helper.make_node("ReduceSum", ["s0", "axes"], ["s1"], keepdims=0),
        helper.make_node("MatMul", ["y1", "u"], ["y2"]),
        helper.make_node("Add", ["y2", "s1"], ["y"]),
    ]
    stored = {
        "w16": _numbers(1, 16, 8),
        "w8": _numbers(2, 16, 8) / 2,
        "u": _numbers(3, 8, 4),
        "v": _numbers(4, 8, 4),
        "rate": np.array(16000, np.int64),
        "axes": np.array([0], np.int64),
    }
    described = [
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, "n", 8]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16]),
        helper.make_tensor_value_info("sr", TensorProto.INT64, []),
    ]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])]
    tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "rated", described, out, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / "rated.onnx"
    onnx.save(model, path)
    arrays = folder / "rated.npz"
    np.savez(arrays, state=_numbers(5, 2, BATCH, 8), x=_numbers(6, BATCH, 16))
    return str(path), str(arrays)
