"""Small ONNX models of the tests, written node by node with seeded constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from accelsim import api
from accelsim.numerics.ranges import Calibration

Array = np.ndarray


def normal(seed: int, *shape: int, scale: float = 1.0) -> Array:
    """Seeded float32 numbers."""
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


@dataclass
class Model:
    """A model under construction: node() returns the name of its (first) output."""

    opset: int = 21
    inputs: dict[str, Array] = field(default_factory=dict)
    constants: list[Any] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)
    domains: tuple[str, ...] = ()

    def input(self, name: str, value: Array) -> str:
        self.inputs[name] = value
        return name

    def constant(self, value: Any, kind: int | None = None) -> str:
        """A stored tensor; kind: an element type that NumPy lacks."""
        name = f"c{len(self.constants)}"
        array = np.asarray(value)
        self.constants.append(
            numpy_helper.from_array(array, name)
            if kind is None
            else helper.make_tensor(name, kind, array.shape, array.ravel().tolist())
        )
        return name

    def node(self, kind: str, *inputs: str, outputs: int = 1, **keys: Any) -> Any:
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(kind, list(inputs), names, name=f"n{len(self.nodes)}", **keys)
        )
        return names[0] if outputs == 1 else names

    def save(self, path: Path, *outputs: str) -> Path:
        described = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in self.inputs.items()
        ]
        graph = helper.make_graph(
            self.nodes,
            "g",
            described,
            [onnx.ValueInfoProto(name=n) for n in outputs],
            self.constants,
        )
        opsets = [
            helper.make_opsetid("", self.opset),
            *(helper.make_opsetid(d, 1) for d in self.domains),
        ]
        made = helper.make_model(
            graph, opset_imports=opsets, ir_version=11 if self.opset > 21 else 10
        )
        for name in outputs:  # types of outputs by inference
            assert name in {o for node in self.nodes for o in node.output}
        onnx.save(onnx.shape_inference.infer_shapes(made), path)
        return path


def right(path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """onnxruntime's outputs of the whole model, operators as the file has them."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    return dict(
        zip(
            names,
            session.run(names, {i.name: inputs[i.name] for i in session.get_inputs()}),
            strict=True,
        )
    )


def decibels(signal: Array, error: Array) -> float:
    """Of signal over error; 200 without an error."""
    power, whole = (
        float((np.asarray(error, np.float64) ** 2).sum()),
        float((np.asarray(signal, np.float64) ** 2).sum()),
    )
    return 200.0 if power == 0 else float(10 * np.log10(whole / power)) if whole else -200.0


def measured(
    path: Path, inputs: Mapping[str, Array], chip: str = "int8_edge", rounding: str = "single"
) -> dict[str, float]:
    """Decibels of a chip's outputs against onnxruntime's, by output."""
    made = api.run(
        api.load_chip(chip),
        api.load_workload(path),
        inputs,
        rounding=rounding,
        calibration=Calibration("max"),
    )
    assert made.values is not None
    found = {}
    for name, value in right(path, inputs).items():
        quant = made.values.quantization[name]
        mine = quant.decode(made.values.outputs[name]).reshape(value.shape)
        found[name] = decibels(value.astype(np.float64), mine - value.astype(np.float64))
    return found
