"""Values of a whole network: ResNet-18 in INT8, every code exact, against onnxruntime in FP32.

Both on one thread, weights loaded, on one image of 224 x 224 and random weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import accelsim
from accelsim.mapping import compile_program, plan
from accelsim.numerics import build_network, execute, float_forward
from accelsim.numerics.calibrate import ranges_of
from accelsim.workload import Conv2d, VectorOperator, Workload

Arrays = Mapping[str, NDArray[np.generic]]
#: CPU of ours over onnxruntime's: "_over_one" is the smaller the better
BARS = {"resnet18_int8_over_one": 4.0}
KINDS = {"add": "Add", "max_pool": "MaxPool", "global_average_pool": "GlobalAveragePool", "flatten": "Flatten",
         "relu": "Relu"}  # fmt: skip


def float_model(workload: Workload, values: Arrays) -> bytes:
    """The same network in FP32 for onnxruntime."""
    from onnx import helper, numpy_helper

    nodes, stored = [], []
    for op in workload.operators:
        relu = op.activation == "relu"
        out = f"{op.output}_before" if relu else op.output
        window: dict[str, Any] = {}
        if isinstance(op, VectorOperator):
            if op.kind == "max_pool":
                window = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.padding}
            nodes.append(helper.make_node(KINDS[op.kind], list(op.inputs), [out], **window))
        else:
            names = [op.weight, *([op.bias] if op.bias else [])]
            stored += [numpy_helper.from_array(np.asarray(values[name], np.float32), name) for name in names]
            if isinstance(op, Conv2d):
                window = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.padding}
            kind = "Conv" if isinstance(op, Conv2d) else "Gemm"
            nodes.append(helper.make_node(kind, [op.input, *names], [out], **window))
        if relu:
            nodes.append(helper.make_node("Relu", [out], [op.output]))
    ends = [[helper.make_tensor_value_info(name, 1, spec.shape) for name, spec in workload.tensors.items()
             if spec.role == role] for role in ("input", "output")]  # fmt: skip
    graph = helper.make_graph(nodes, "network", *ends, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def least(call: Callable[[], object], times: int) -> float:
    """The shortest CPU time of several calls, in seconds."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        call()
        found.append(time.process_time() - begin)
    return min(found)


def measure(scale: float = 1.0) -> dict[str, float]:
    """Milliseconds of each, and their ratio; the outputs must be alike."""
    import onnxruntime

    workload, chip = accelsim.load_workload("resnet18"), accelsim.load_chip("int8_128")
    rng = np.random.default_rng(0)
    values: dict[str, NDArray[np.generic]] = {}
    for name, spec in workload.tensors.items():
        fan = np.prod(spec.shape[1:] if len(spec.shape) == 4 else spec.shape[:1])
        if spec.role in ("weight", "bias"):
            values[name] = rng.normal(size=spec.shape) * (np.sqrt(2 / fan) if spec.role == "weight" else 0.01)
    inputs = {name: rng.normal(size=spec.shape) for name, spec in workload.tensors.items()
              if spec.role == "input"}  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(float_model(workload, values), options,
                                           providers=["CPUExecutionProvider"])  # fmt: skip
    feeds = {name: value.astype(np.float32) for name, value in inputs.items()}
    reference = float_forward(workload, inputs, values)
    network = build_network(workload, chip, {**ranges_of(workload, reference), **values})
    program = compile_program(chip, workload, chosen=plan(chip, workload))
    codes = {name: network.activations[name].encode(value) for name, value in inputs.items()}
    times = max(2, round(8 * scale))
    (name,) = (name for name, spec in workload.tensors.items() if spec.role == "output")
    theirs = np.asarray(session.run(None, feeds)[0])
    ours = network.activations[name].decode(execute(program, workload, chip, codes, network).tensors[name])
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.95, "the two networks differ"
    quick = least(lambda: session.run(None, feeds), times)
    exact = least(lambda: execute(program, workload, chip, codes, network), times)
    quick = min(quick, least(lambda: session.run(None, feeds), times))
    return {"resnet18_int8_ms": exact * 1e3, "onnxruntime_fp32_ms": quick * 1e3,
            "resnet18_int8_over_one": exact / quick}  # fmt: skip
