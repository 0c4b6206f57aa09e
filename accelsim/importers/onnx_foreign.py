"""Quantised operators of ONNX, and those of com.microsoft that onnxruntime's quantiser writes.

They run as their plain kinds; what rescales their outputs is requantisation.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from accelsim.importers.onnx_build import Builder, attributes
from accelsim.importers.onnx_graph import Graph, Shape
from accelsim.importers.onnx_macs import convolution, reshaped
from accelsim.importers.onnx_macs import multiply as matrix_product
from accelsim.workload import Gemm

#: kind, numbers of the inputs that are computed, for shapes like the first of them
LIKE_FIRST = {
    "QLinearAdd": ("add", (0, 3)), "QLinearMul": ("multiply", (0, 3)), "QLinearSigmoid": ("sigmoid", (0,)),
    "QLinearLeakyRelu": ("leaky_relu", (0,)), "QLinearSoftmax": ("softmax", (0,)),
    "Gelu": ("gelu", (0,)), "FastGelu": ("gelu", (0,)), "BiasGelu": ("gelu", (0,)),
    "QuickGelu": ("gelu", (0,)), "QuantizeLinear": ("quantize", (0,)),
    "DequantizeLinear": ("dequantize", (0,)), "DynamicQuantizeLinear": ("quantize", (0,)),
}  # fmt: skip


def foreign_shapes(graph: Graph, node: Any) -> list[tuple[str, Shape, int]]:
    """(output, shape, element type) of an operator of com.microsoft; InputError for unknown ones."""
    shapes = [graph.shapes.get(name, ()) for name in node.input]
    kind = graph.types[node.input[0]]
    if node.op_type in LIKE_FIRST:
        read = [shapes[number] for number in LIKE_FIRST[node.op_type][1]]
        shape = tuple(np.broadcast_shapes(*read))
        if node.op_type == "DequantizeLinear":
            kind = graph.types[node.input[1]]
        elif node.op_type == "QuantizeLinear":
            kind = graph.types[node.input[2]]
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
    raise graph.wrong("operator", f"com.microsoft.{node.op_type} is not known here",
                      "export the model without fused operators", node.name)  # fmt: skip


def like_first(b: Builder, node: Any) -> None:
    """Element-wise and row-wise ones."""
    kind, numbers = LIKE_FIRST[node.op_type]
    if kind in ("quantize", "dequantize") and node.domain:
        b.view(b.operand(node.input[0]), b.graph.shapes[node.output[0]], node.output[0], node.name)
        return
    b.node(kind, node, [node.input[number] for number in numbers])


def global_pool(b: Builder, node: Any) -> None:
    """QLinearGlobalAveragePool."""
    b.node("reduce_mean", node, [node.input[0]])


def concat(b: Builder, node: Any) -> None:
    """QLinearConcat."""
    b.node("concat", node, list(node.input[2::3]))


def general_product(b: Builder, node: Any) -> None:
    """QGemm."""
    options = attributes(node)
    a, w, c = node.input[0], node.input[3], node.input[6] if len(node.input) > 6 else ""
    if options.get("transA", 0):
        a = b.transpose(a, (1, 0))
    turned = bool(options.get("transB", 0))
    m, k = b.shape(a)
    n = b.shape(w)[0 if turned else 1]
    weight = b.stored(w, b.shape(w), lambda look: look(w)) if b.is_constant(w) else w
    bias = b.stored(c, (n,), reshaped(c, (n,)), "bias") if c and prod(b.shape(c)) == n else None
    b.add(Gemm(b.unique(node.name), b.operand(a), weight, node.output[0], m, k, n, bias=bias,
               weight_transposed=turned))  # fmt: skip


def quantised_convolution(b: Builder, node: Any) -> None:
    """QLinearConv."""
    convolution(b, node, (node.input[0], node.input[3], node.input[8] if len(node.input) > 8 else ""))


def integer_convolution(b: Builder, node: Any) -> None:
    """ConvInteger."""
    convolution(b, node, (node.input[0], node.input[1], ""))


def quantised_product(b: Builder, node: Any) -> None:
    """QLinearMatMul."""
    matrix_product(b, node, node.input[0], node.input[3], node.output[0],
                   b.graph.shapes[node.output[0]])  # fmt: skip


def integer_product(b: Builder, node: Any) -> None:
    """MatMulInteger."""
    matrix_product(b, node, node.input[0], node.input[1], node.output[0],
                   b.graph.shapes[node.output[0]])  # fmt: skip


def dynamic_quantisation(b: Builder, node: Any) -> None:
    """DynamicQuantizeLinear: the range is found, then the codes."""
    x = node.input[0]
    b.node("quantize", node, [x])
    for number, kind in ((1, "reduce_max"), (2, "reduce_min")):
        b.node(kind, node, [x], number)


HANDLERS = {
    **dict.fromkeys((*LIKE_FIRST, ), like_first), "QLinearGlobalAveragePool": global_pool,
    "QLinearConcat": concat, "QGemm": general_product, "QLinearConv": quantised_convolution,
    "ConvInteger": integer_convolution, "QLinearMatMul": quantised_product,
    "MatMulInteger": integer_product, "DynamicQuantizeLinear": dynamic_quantisation,
}  # fmt: skip
