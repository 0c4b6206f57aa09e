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
from accelsim.workload.vector_kinds import VECTOR_KINDS

Array = NDArray[Any]
OPSET = 20


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
    kind = VECTOR_KINDS[op.kind]
    given = [np.asarray(parameters[name], np.float64) for name in op.parameters]
    made = None
    if kind.reals is not None:
        made = kind.reals(op, real, given)
    elif kind.onnx is not None:
        name, options = kind.onnx
        made = _run(name, options, [*real, *given])
    if made is None:
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
