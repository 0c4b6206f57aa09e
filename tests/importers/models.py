"""Models of the tests: those of the onnx wheel with seeded weights, torch's, and hand-made ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
TORCH = Path(__file__).parents[1] / "onnx_models"
DIMS = {"residual_cnn": {"batch": 2}, "encoder": {"batch": 2, "tokens": 9}, "decoder": {"past": 7}}
BUNDLED = (
    "light_bvlc_alexnet",
    "light_densenet121",
    "light_inception_v1",
    "light_inception_v2",
    "light_resnet50",
    "light_shufflenet",
    "light_squeezenet",
    "light_vgg19",
    "light_zfnet512",
)


def seeded(name: str, folder: Path) -> Path:
    """A bundled model with random weights in the place of the constant ones, which hide layouts."""
    model = onnx.load(LIGHT / f"{name}.onnx")
    rng = np.random.default_rng(7)
    graph = model.graph
    known = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(size) for size in known[node.input[0]])
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        value = (
            rng.normal(0, np.sqrt(2 / fan), shape)
            if len(shape) > 1
            else rng.uniform(0.5, 1.5, shape)
        )
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def one_node(
    folder: Path,
    kind: str,
    inputs: dict[str, tuple[int, ...]],
    output: tuple[int, ...] | None,
    constants: dict[str, np.ndarray] | None = None,
    order: tuple[str, ...] = (),
    opset: int = 18,
    seed: int = 1,
    **attributes: object,
) -> Path:
    """A model of one node. constants: stored tensors. order: the node's inputs, default inputs then
    constants."""
    constants = constants or {}
    names = order or (*inputs, *constants)
    node = helper.make_node(kind, list(names), ["y"], name="node", **attributes)
    described = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in inputs.items()
    ]
    made = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, output)
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph([node], "one", described, [made], stored),
        opset_imports=[helper.make_opsetid("", opset)],
    )
    model.ir_version = 8
    path = folder / f"{kind}_{seed}.onnx"
    onnx.save(model, path)
    return path
