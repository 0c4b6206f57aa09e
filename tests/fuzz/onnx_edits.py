"""Edits of a parsed ONNX model: its nodes, names, attributes, shapes and types."""

from __future__ import annotations

import copy
import random
from typing import Any

KINDS = (
    "Softmax",
    "Gemm",
    "MatMul",
    "Conv",
    "Einsum",
    "Resize",
    "TopK",
    "NonZero",
    "If",
    "Loop",
    "",
    "Nothing",
)


def edited_model(model: Any, rng: random.Random) -> bytes:
    """The model with one to three edits."""
    model = copy.deepcopy(model)
    for _ in range(rng.randrange(1, 4)):
        rng.choice([_node, _node, _attribute, _attribute, _value, _initializer])(model.graph, rng)
    data: bytes = model.SerializeToString()
    return data


def _node(graph: Any, rng: random.Random) -> None:
    if not graph.node:
        return
    number = rng.randrange(len(graph.node))
    node, kind = graph.node[number], rng.randrange(7)
    names = [name for item in graph.node for name in (*item.input, *item.output)]
    names += [item.name for item in graph.initializer] + ["", "nothing", "a\nb", "\x1b[0m"]
    if kind == 0:
        del graph.node[number]
    elif kind == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind == 2 and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice(names)
    elif kind == 3:
        node.op_type = rng.choice([*(item.op_type for item in graph.node), *KINDS])
    elif kind == 4 and node.input:
        del node.input[rng.randrange(len(node.input))]
    elif kind == 5:
        node.input.append(rng.choice(names))
    else:
        graph.node.add().CopyFrom(rng.choice(graph.node))


def _attribute(graph: Any, rng: random.Random) -> None:
    with_some = [node for node in graph.node if node.attribute]
    if not with_some:
        return
    node = rng.choice(with_some)
    number = rng.randrange(len(node.attribute))
    item, kind = node.attribute[number], rng.randrange(6)
    if kind == 0:
        del node.attribute[number]
    elif kind == 1:
        item.i = rng.choice([0, -1, 1, 2, 7, 1 << 40, -(1 << 62)])
    elif kind == 2 and item.ints:
        item.ints[rng.randrange(len(item.ints))] = rng.choice([0, -1, 1, 3, 1 << 40, -(1 << 62)])
    elif kind == 3 and item.ints:
        del item.ints[rng.randrange(len(item.ints))]
    elif kind == 4:
        item.f = rng.choice([float("nan"), float("inf"), -1.0, 0.0, 1e30])
    else:
        item.type = rng.choice([1, 2, 3, 4, 6, 7, 8])


def _value(graph: Any, rng: random.Random) -> None:
    values = [*graph.input, *graph.output, *graph.value_info]
    if not values:
        return
    item = rng.choice(values)
    shape, kind = item.type.tensor_type.shape, rng.randrange(5)
    if kind == 0:
        item.type.tensor_type.elem_type = rng.choice([0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 16, 99])
    elif kind == 1 and shape.dim:
        shape.dim[rng.randrange(len(shape.dim))].dim_value = rng.choice(
            [0, -1, 1, 2, 1 << 20, 1 << 40]
        )
    elif kind == 2 and shape.dim:
        del shape.dim[rng.randrange(len(shape.dim))]
    elif kind == 3:
        shape.dim.add().dim_param = rng.choice(["n", "", "a b"])
    else:
        item.name = rng.choice(["", "x", "nothing", item.name * 2])


def _initializer(graph: Any, rng: random.Random) -> None:
    if not graph.initializer:
        return
    number = rng.randrange(len(graph.initializer))
    item, kind = graph.initializer[number], rng.randrange(6)
    if kind == 0:
        del graph.initializer[number]
    elif kind == 1:
        item.data_type = rng.choice([0, 1, 2, 3, 6, 7, 9, 10, 11, 16, 22, 99])
    elif kind == 2 and item.dims:
        item.dims[rng.randrange(len(item.dims))] = rng.choice([0, -1, 1, 5, 1 << 40])
    elif kind == 3:
        item.raw_data = item.raw_data[: rng.randrange(len(item.raw_data) + 1)]
    elif kind == 4:
        item.name = rng.choice(["", "x", "nothing"])
    else:
        item.dims.append(rng.choice([0, 1, 2]))
