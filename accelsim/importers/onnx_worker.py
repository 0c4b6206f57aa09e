"""The process in which onnxruntime runs whole models: a crash, a hang or a full memory there ends it alone.

Reads one request a line from standard input and answers each with one line, both JSON. A request:
model: path; inputs: an .npz of the input tensors; wanted: tensors, which are made outputs of the model;
folder: where each becomes NUMBER.npy. The answer: {"names": [...]} in the order of the numbers, or
{"error": "..."}. Graph optimisations are off: every operator is computed as the file has it.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

LARGEST_MODEL = (1 << 31) - 1  # bytes of a serialised protobuf


#: products of codes -> where the first operand, its zero point, the weights and theirs stand
PRODUCTS = {
    "QLinearConv": (0, 2, 3, 5),
    "QLinearMatMul": (0, 2, 3, 5),
    "QGemm": (0, 2, 3, 5),
    "MatMulInteger": (0, 2, 1, 3),
    "ConvInteger": (0, 2, 1, 3),
}


def unsigned_weights(model: Any) -> None:
    """Signed 8-bit weights of products with unsigned operands as unsigned ones, which are the same reals.
    On CPUs without VNNI onnxruntime saturates pairs of products of unsigned and signed codes in 16 bits."""
    import numpy as np
    import onnx

    graph = model.graph
    stored = {item.name: item for item in graph.initializer}
    kinds = {item.name: item.type.tensor_type.elem_type for item in graph.input}
    kinds |= {item.name: item.data_type for item in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    made: set[str] = set()

    def shifted(name: str) -> str:
        new = f"{name}/unsigned"
        if new not in made:
            made.add(new)
            codes = (
                onnx.numpy_helper.to_array(stored[name]).astype(np.int16)
                if name
                else np.zeros((), np.int16)
            )
            graph.initializer.append(
                onnx.numpy_helper.from_array((codes + 128).astype(np.uint8), new)
            )
        return new

    for node in graph.node:
        if node.op_type == "DequantizeLinear" and set(node.input[:1]) | set(node.input[2:]) <= set(
            stored
        ):
            if len(node.input) == 3 and stored[node.input[0]].data_type == onnx.TensorProto.INT8:
                node.input[0], node.input[2] = shifted(node.input[0]), shifted(node.input[2])
            continue
        at = PRODUCTS.get(node.op_type)
        if at is None or kinds.get(node.input[at[2]]) != onnx.TensorProto.INT8:
            continue
        first, zero, weight, offset = at
        read = list(node.input) + [""] * (offset + 1 - len(node.input))
        if read[zero] in kinds:
            kind = kinds[read[zero]]
        elif read[first] in makers and makers[read[first]].op_type == "DynamicQuantizeLinear":
            kind = onnx.TensorProto.UINT8
        else:
            kind = kinds.get(read[first])
        if (
            kind == onnx.TensorProto.UINT8
            and read[weight] in stored
            and read[offset] in {*stored, ""}
        ):
            read[weight], read[offset] = shifted(read[weight]), shifted(read[offset])
            del node.input[:]
            node.input.extend(read)


def opened(path: str, feeds: dict[str, Any], wanted: list[str]) -> bytes:
    """The model with those tensors as its outputs and its inputs in the shapes that are fed."""
    import onnx

    model = onnx.load(path)
    unsigned_weights(model)
    for item in model.graph.input:
        if item.name in feeds:
            shape = item.type.tensor_type.shape
            del shape.dim[:]
            for size in feeds[item.name].shape:
                shape.dim.add().dim_value = size
    del model.graph.value_info[:]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    if model.ByteSize() > LARGEST_MODEL:
        raise ValueError("the model is larger than 2 GiB")
    return bytes(model.SerializeToString())


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one request; its tensors are in its folder afterwards."""
    import numpy as np
    import onnxruntime

    feeds = dict(np.load(request["inputs"]))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        opened(request["model"], feeds, request["wanted"]),
        options,
        providers=["CPUExecutionProvider"],
    )
    kinds = {
        "tensor(float)": "float32",
        "tensor(double)": "float64",
        "tensor(float16)": "float16",
        "tensor(bool)": "bool",
    }
    given = {
        item.name: feeds[item.name].astype(kinds.get(item.type) or item.type[7:-1])
        for item in session.get_inputs()
    }
    for number, array in enumerate(session.run(request["wanted"], given)):
        np.save(Path(request["folder"]) / f"{number}.npy", np.asarray(array), allow_pickle=False)
    return {"names": request["wanted"]}


def main() -> None:
    """Serve requests until standard input ends."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is the caller's, who closes standard input
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            made = answer(json.loads(line))
        except Exception as error:  # whatever onnxruntime and protobuf raise is an answer
            made = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(made) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
