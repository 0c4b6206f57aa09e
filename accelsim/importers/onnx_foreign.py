"""Quantised operators of ONNX, and those of com.microsoft that onnxruntime's quantiser writes.

They run as their plain kinds; what rescales their outputs is requantisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from accelsim.importers import onnx_dynamic
from accelsim.importers.onnx_build import Builder, Compute, Lookup, attributes
from accelsim.importers.onnx_macs import convolution
from accelsim.importers.onnx_macs import multiply as matrix_product
from accelsim.importers.onnx_scales import bias_reals, dequantize, quantize, reals, state
from accelsim.importers.onnx_tensors import Graph, Shape
from accelsim.workload import Gemm

#: kind, numbers of the inputs that are computed, for shapes like the first of them
LIKE_FIRST = {
    "QLinearAdd": ("add", (0, 3)),
    "QLinearMul": ("multiply", (0, 3)),
    "QLinearSigmoid": ("sigmoid", (0,)),
    "QLinearLeakyRelu": ("leaky_relu", (0,)),
    "QLinearSoftmax": ("softmax", (0,)),
    "Gelu": ("gelu", (0,)),
    "FastGelu": ("gelu", (0,)),
    "BiasGelu": ("gelu", (0,)),
    "QuickGelu": ("gelu", (0,)),
}


def foreign_shapes(graph: Graph, node: Any) -> list[tuple[str, Shape, int]]:
    """(output, shape, element type) of an operator of com.microsoft; InputError for unknown ones."""
    shapes = [graph.shapes.get(name, ()) for name in node.input]
    kind = graph.types[node.input[0]]
    if node.op_type == "DequantizeLinear":
        return [(node.output[0], shapes[0], graph.types[node.input[1]])]
    if node.op_type == "QuantizeLinear":
        return [(node.output[0], shapes[0], graph.types[node.input[2]])]
    if node.op_type in LIKE_FIRST:
        read = [shapes[number] for number in LIKE_FIRST[node.op_type][1]]
        shape = tuple(np.broadcast_shapes(*read))
        return [(node.output[0], shape, kind)]
    options = attributes(node)
    if node.op_type == "QLinearGlobalAveragePool":
        return [(node.output[0], (*shapes[0][:2], *(1,) * (len(shapes[0]) - 2)), kind)]
    if node.op_type == "QLinearConcat":
        parts = [shapes[i] for i in range(2, len(shapes), 3)]
        axis = int(options["axis"]) % len(parts[0])
        total = sum(part[axis] for part in parts)
        shape = tuple(total if at == axis else size for at, size in enumerate(parts[0]))
        return [(node.output[0], shape, graph.types[node.input[2]])]
    if node.op_type == "QGemm":
        rows = shapes[0][1 if options.get("transA", 0) else 0]
        columns = shapes[3][0 if options.get("transB", 0) else 1]
        return [(node.output[0], (rows, columns), kind)]
    raise graph.wrong(
        "operator",
        f"com.microsoft.{node.op_type} is not known here",
        "export the model without fused operators",
        node.name,
    )


def like_first(b: Builder, node: Any) -> None:
    """Element-wise and row-wise ones."""
    kind, numbers = LIKE_FIRST[node.op_type]
    read = [node.input[number] for number in numbers]
    compute = _real(node)
    if compute is None:
        b.node(kind, node, read)
        return
    for number in numbers:
        _state(b, node, number, number + 1)
        if b.is_constant(node.input[number]):
            b.operand(node.input[number])
            b.recipes[node.input[number]] = reals(*list(node.input)[number : number + 3])
    b.vector(kind, node.name, read, node.output[0], b.graph.shapes[node.output[0]], compute)
    _state(b, node, -1, 6 if len(numbers) == 2 else 3)


def _real(node: Any) -> Compute | None:
    """A quantised operator's arithmetic on reals."""
    options = attributes(node)
    slope, axis = float(options.get("alpha", 0.01)), int(options.get("axis", -1))

    def softmax(inputs: Sequence[Any], look: Lookup) -> Any:
        power = np.exp(inputs[0] - inputs[0].max(axis=axis, keepdims=True))
        return power / power.sum(axis=axis, keepdims=True)

    found: dict[str, Compute] = {
        "QLinearAdd": lambda inputs, look: inputs[0] + inputs[1],
        "QLinearMul": lambda inputs, look: inputs[0] * inputs[1],
        "QLinearSigmoid": lambda inputs, look: 1 / (1 + np.exp(-inputs[0])),
        "QLinearLeakyRelu": lambda inputs, look: np.where(
            inputs[0] < 0, slope * inputs[0], inputs[0]
        ),
        "QLinearSoftmax": softmax,
    }
    return found.get(node.op_type)


def _state(b: Builder, node: Any, number: int, scale: int) -> None:
    """Note the scale of an input of the node, or of its output (-1)."""
    name = node.output[0] if number < 0 else node.input[number]
    zero = node.input[scale + 1] if len(node.input) > scale + 1 else ""
    if not state(b, name, node.input[scale], zero, b.graph.types[name]):
        raise b.wrong(
            node, f"reads {name} at another scale than it is made", "export the model again"
        )


def global_pool(b: Builder, node: Any) -> None:
    """QLinearGlobalAveragePool."""
    _state(b, node, 0, 1)
    spatial = tuple(range(2, len(b.shape(node.input[0]))))
    b.vector(
        "reduce_mean",
        node.name,
        [node.input[0]],
        node.output[0],
        b.graph.shapes[node.output[0]],
        lambda inputs, look: np.asarray(inputs[0]).mean(axis=spatial, keepdims=True),
    )
    _state(b, node, -1, 3)


def concat(b: Builder, node: Any) -> None:
    """QLinearConcat."""
    axis = int(attributes(node)["axis"])
    for number in range(2, len(node.input), 3):
        _state(b, node, number, number + 1)
    b.vector(
        "concat",
        node.name,
        list(node.input[2::3]),
        node.output[0],
        b.graph.shapes[node.output[0]],
        lambda inputs, look: np.concatenate(inputs, axis),
    )
    _state(b, node, -1, 0)


def general_product(b: Builder, node: Any) -> None:
    """QGemm."""
    options = attributes(node)
    a, w, c = node.input[0], node.input[3], node.input[6] if len(node.input) > 6 else ""
    if options.get("transA", 0):
        a = b.transpose(a, (1, 0))
    turned = bool(options.get("transB", 0))
    m, k = b.shape(a)
    n = b.shape(w)[0 if turned else 1]
    alpha = float(options.get("alpha", 1.0))
    if alpha != 1 or (c and prod(b.shape(c)) != n):
        raise b.wrong(node, "has an alpha or a bias of several rows", "export the model without it")
    _state(b, node, 0, 1)
    weight = (
        b.stored(
            b.variant(w, node.name),
            b.shape(w),
            reals(w, node.input[4], node.input[5], 0 if turned else 1),
        )
        if b.is_constant(w)
        else b.operand(w)
    )
    b.weight_scales[weight] = (node.input[4], node.input[5], b.graph.types[w])
    bias = None
    if c:
        recipe = bias_reals(c, node.input[1], node.input[4])
        bias = b.stored(b.variant(c, node.name), (n,), recipe, "bias")
    b.add(
        Gemm(
            b.unique(node.name),
            b.operand(a),
            weight,
            node.output[0],
            m,
            k,
            n,
            bias=bias,
            weight_transposed=turned,
        )
    )
    if len(node.input) > 7 and node.input[7]:
        _state(b, node, -1, 7)


def quantised_convolution(b: Builder, node: Any) -> None:
    """QLinearConv."""
    x, bias = node.input[0], node.input[8] if len(node.input) > 8 else ""
    _state(b, node, 0, 1)
    w = b.variant(node.input[3], node.name)
    b.weight_scales[w] = (*node.input[4:6], b.graph.types[w])
    convolution(
        b,
        node,
        (x, w, b.variant(bias, node.name)),
        (
            reals(node.input[3], node.input[4], node.input[5], 0),
            bias_reals(bias, node.input[1], node.input[4]) if bias else None,
        ),
    )
    _state(b, node, -1, 6)


def quantised_product(b: Builder, node: Any) -> None:
    """QLinearMatMul."""
    _state(b, node, 0, 1)
    w = node.input[3]
    if b.is_constant(w):
        w = b.variant(w, node.name)
        b.weight_scales[w] = (*node.input[4:6], b.graph.types[w])
    else:
        _state(b, node, 3, 4)
    recipe = reals(node.input[3], node.input[4], node.input[5])
    matrix_product(
        b, node, node.input[0], w, node.output[0], b.graph.shapes[node.output[0]], recipe
    )
    _state(b, node, -1, 6)


HANDLERS = {
    **dict.fromkeys((*LIKE_FIRST,), like_first),
    "QLinearGlobalAveragePool": global_pool,
    "QLinearConcat": concat,
    "QGemm": general_product,
    "QLinearConv": quantised_convolution,
    "QLinearMatMul": quantised_product,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    **onnx_dynamic.HANDLERS,
}
