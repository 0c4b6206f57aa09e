"""Values of vector operators by their kind, for traces without a model: onnx's reference computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.importers.onnx_file import import_onnx
from accelsim.numerics.network import Evaluate
from accelsim.workload import VectorOperator
from accelsim.workload.vector_kinds import VECTOR_KINDS

Array = NDArray[Any]
OPSET = 20


def evaluator(parameters: Mapping[str, Array]) -> Evaluate:
    """by_kind() with a trace's stored tensors."""
    return lambda op, inputs: by_kind(op, inputs, parameters)


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
        axes = [a for a, size in enumerate(op.output_shape) if size != op.input_shape[a]]
        over = [np.array(axes, np.int64)] if kind.access == "reduce" else []
        made = _run(name, options, [*real, *given, *over])
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
