"""Values of vector operators by their kind, for traces without a model: onnx's reference computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.importers.onnx_file import import_onnx
from accelsim.noise import power
from accelsim.numerics.network import Evaluate
from accelsim.workload import VectorOperator

Array = NDArray[Any]
OPSET = 20
#: kind -> (ONNX operator, its attributes)
NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "add": ("Add", {}),
    "multiply": ("Mul", {}),
    "subtract": ("Sub", {}),
    "divide": ("Div", {}),
    "maximum": ("Max", {}),
    "minimum": ("Min", {}),
    "power": ("Pow", {}),
    "relu": ("Relu", {}),
    "negate": ("Neg", {}),
    "absolute": ("Abs", {}),
    "exp": ("Exp", {}),
    "log": ("Log", {}),
    "sqrt": ("Sqrt", {}),
    "reciprocal": ("Reciprocal", {}),
    "erf": ("Erf", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "sin": ("Sin", {}),
    "cos": ("Cos", {}),
    "round": ("Round", {}),
    "softplus": ("Softplus", {}),
    "elu": ("Elu", {}),
    "gelu": ("Gelu", {}),
    "leaky_relu": ("LeakyRelu", {}),
    "mish": ("Mish", {}),
    "hard_sigmoid": ("HardSigmoid", {}),
    "hard_swish": ("HardSwish", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "layer_norm": ("LayerNormalization", {"axis": -1}),
}
REDUCTIONS = {
    "reduce_sum": "ReduceSum",
    "reduce_mean": "ReduceMean",
    "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin",
    "reduce_product": "ReduceProd",
    "reduce_square": "ReduceSumSquare",
}


def evaluator(parameters: Mapping[str, Array], seeded: bool = False) -> Evaluate:
    """by_kind() with a trace's stored tensors. seeded: values are seeded, so that kinds of which a trace does
    not say everything may be taken as assumed() has them."""

    def evaluate(op: VectorOperator, inputs: Sequence[Array]) -> NDArray[np.float64]:
        made = assumed(op, inputs) if seeded else None
        return by_kind(op, inputs, parameters) if made is None else made

    return evaluate


def assumed(op: VectorOperator, inputs: Sequence[Array]) -> NDArray[np.float64] | None:
    """Values of kinds that a trace leaves open: a slice takes the first elements of each axis, a gather
    without indices the first of all, a clip is ReLU6, rotary positions count from 0 and turn the halves of the
    last axis by 10000^(-2i/d) a position (Su et al., arXiv 2104.09864). None for any other."""
    x = np.asarray(inputs[0], np.float64).reshape(op.input_shapes[0])
    if op.kind == "slice" and x.ndim == len(op.output_shape):
        return np.asarray(x[tuple(slice(size) for size in op.output_shape)], np.float64)
    if (op.kind == "gather" and len(inputs) == 1) or op.kind == "slice":
        return np.resize(x.ravel(), op.output_shape)
    if op.kind == "clip":
        return np.clip(x, 0.0, 6.0)
    if op.kind == "rotary" and x.ndim > 1 and x.shape[-1] % 2 == 0:
        half = x.shape[-1] // 2
        rates = power(np.full(half, 10000.0), -np.arange(half) / half)
        angles = np.arange(x.shape[-2])[:, None] * rates
        first, second = x[..., :half], x[..., half:]
        cosine, sine = np.cos(angles), np.sin(angles)
        turned = (first * cosine - second * sine, second * cosine + first * sine)
        return np.asarray(np.concatenate(turned, axis=-1), np.float64)
    return None


def by_kind(
    op: VectorOperator, inputs: Sequence[Array], parameters: Mapping[str, Array]
) -> NDArray[np.float64]:
    """Real values of a vector operator; InputError for kinds whose kind alone does not say them."""
    real = [
        np.asarray(x, np.float64).reshape(s) for x, s in zip(inputs, op.input_shapes, strict=True)
    ]
    if op.kind == "concat":
        axis = next(a for a, size in enumerate(op.output_shape) if size != op.input_shape[a])
        return np.concatenate(real, axis)
    if op.kind == "transpose":
        return np.asarray(real[0].transpose(op.order), np.float64)
    if op.kind == "gather" and len(real) == 2:  # rows of a table
        return np.asarray(real[0][real[1].astype(np.int64)], np.float64).reshape(op.output_shape)
    if op.kind == "silu":
        return np.asarray(real[0] * _run("Sigmoid", {}, real), np.float64)
    if op.kind in REDUCTIONS:
        axes = [a for a, size in enumerate(op.output_shape) if size != op.input_shape[a]]
        made = _run(REDUCTIONS[op.kind], {"keepdims": 1}, [*real, np.array(axes, np.int64)])
    elif op.kind == "rms_norm":
        scale = np.asarray(parameters[op.parameters[0]], np.float64)
        mean = _run("ReduceMean", {"keepdims": 1}, [real[0] ** 2, np.array([real[0].ndim - 1])])
        made = real[0] / np.sqrt(mean + 1e-6) * scale
    elif op.kind in NODES:
        kind, options = NODES[op.kind]
        given = [np.asarray(parameters[name], np.float64) for name in op.parameters]
        made = _run(kind, options, [*real, *given])
    else:
        raise InputError(
            Problem(
                "values.kind",
                f"a {op.kind} has no values without a model",
                "give the ONNX model",
                path=op.name,
            )
        )
    out = np.asarray(made, np.float64).reshape(op.output_shape)
    return np.maximum(out, 0) if op.activation == "relu" else out


def _run(name: str, options: Mapping[str, Any], inputs: Sequence[Array]) -> Array:
    onnx = import_onnx()
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    names = [f"x{i}" for i in range(len(inputs))]
    described = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for n, x in zip(names, inputs, strict=True)
    ]
    node = helper.make_node(name, names, ["y"], **options)
    graph = helper.make_graph([node], "one", described, [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    made = list(ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True))))
    return np.asarray(made[0])
