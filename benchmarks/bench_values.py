"""Values of a whole network: ResNet-18 in INT8, every code exact, beside onnxruntime in FP32 and in INT8.

All in one run and on one thread, weights loaded, on one image of 224 x 224 and random weights. onnxruntime's
INT8 is its static quantiser's (QDQ, per channel, MinMax), with all graph optimisations; on CPUs without VNNI
its sums saturate, which ours never do. Rates are multiply-accumulates over CPU seconds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import accelsim
from accelsim.mapping import compile_program, plan
from accelsim.mapping.tensors import tensor_formats
from accelsim.numerics import build_network, execute, float_forward
from accelsim.numerics.calibrate import ranges_of
from accelsim.numerics.ranges import Calibration
from accelsim.workload import Conv2d, VectorOperator, Workload

Arrays = Mapping[str, NDArray[np.generic]]
#: CPU of ours over onnxruntime's: "_over_one" is the smaller the better
BARS = {"resnet18_int8_over_one": 4.0}
KINDS = {
    "add": "Add",
    "max_pool": "MaxPool",
    "global_average_pool": "GlobalAveragePool",
    "flatten": "Flatten",
    "relu": "Relu",
}


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
            stored += [
                numpy_helper.from_array(np.asarray(values[name], np.float32), name)
                for name in names
            ]
            if isinstance(op, Conv2d):
                window = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.padding}
            kind = "Conv" if isinstance(op, Conv2d) else "Gemm"
            nodes.append(helper.make_node(kind, [op.input, *names], [out], **window))
        if relu:
            nodes.append(helper.make_node("Relu", [out], [op.output]))
    ends = [
        [
            helper.make_tensor_value_info(name, 1, spec.shape)
            for name, spec in workload.tensors.items()
            if spec.role == role
        ]
        for role in ("input", "output")
    ]
    graph = helper.make_graph(nodes, "network", *ends, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def session_of(model: bytes | str) -> Any:
    """onnxruntime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def quantised_session(model: bytes, feeds: Mapping[str, NDArray[np.float32]]) -> Any:
    """The model by onnxruntime's static quantiser, calibrated on those inputs."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [dict(feeds)]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(model)
        quantize_static(
            str(before), str(after), Reader(), quant_format=QuantFormat.QDQ, per_channel=True
        )
        return session_of(str(after))


def least(call: Callable[[], object], times: int) -> float:
    """The shortest CPU time of several calls, in seconds."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        call()
        found.append(time.process_time() - begin)
    return min(found)


def measure(scale: float = 1.0) -> dict[str, float]:
    """Milliseconds and GMAC/s of each, and ratios; the outputs must be alike."""
    workload, chip = accelsim.load_workload("resnet18"), accelsim.load_chip("int8_128")
    rng = np.random.default_rng(0)
    values: dict[str, NDArray[np.generic]] = {}
    for name, spec in workload.tensors.items():
        fan = np.prod(spec.shape[1:] if len(spec.shape) == 4 else spec.shape[:1])
        if spec.role in ("weight", "bias"):
            values[name] = rng.normal(size=spec.shape) * (
                np.sqrt(2 / fan) if spec.role == "weight" else 0.01
            )
    inputs = {
        name: rng.normal(size=spec.shape)
        for name, spec in workload.tensors.items()
        if spec.role == "input"
    }
    feeds = {name: value.astype(np.float32) for name, value in inputs.items()}
    model = float_model(workload, values)
    session, narrow = session_of(model), quantised_session(model, feeds)
    reference = float_forward(workload, inputs, values)
    ranges = ranges_of(workload, reference, Calibration(), tensor_formats(workload, chip), values)
    network = build_network(workload, chip, {**ranges, **values})
    program = compile_program(chip, workload, chosen=plan(chip, workload))
    codes = {name: network.activations[name].encode(value) for name, value in inputs.items()}
    times = max(2, round(8 * scale))
    (name,) = (name for name, spec in workload.tensors.items() if spec.role == "output")
    theirs = np.asarray(session.run(None, feeds)[0])
    ours = network.activations[name].decode(
        execute(program, workload, chip, codes, network).tensors[name]
    )
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.95, "the two networks differ"
    calls = {
        "onnxruntime_fp32": lambda: session.run(None, feeds),
        "onnxruntime_int8": lambda: narrow.run(None, feeds),
        "resnet18_int8": lambda: execute(program, workload, chip, codes, network),
    }
    seconds = {key: least(call, times) for key, call in calls.items()}
    for key in (
        "onnxruntime_fp32",
        "onnxruntime_int8",
    ):  # again: what else ran meanwhile is out of both
        seconds[key] = min(seconds[key], least(calls[key], times))
    found = {f"{key}_ms": value * 1e3 for key, value in seconds.items()}
    found |= {f"{key}_gmacs": workload.macs / value / 1e9 for key, value in seconds.items()}
    return {
        **found,
        "resnet18_int8_over_one": seconds["resnet18_int8"] / seconds["onnxruntime_fp32"],
        "resnet18_int8_over_onnxruntime_int8": seconds["resnet18_int8"]
        / seconds["onnxruntime_int8"],
    }
