"""A model's tensors: shapes of all, which of them are constant, and values of the small constants.

Shapes follow node by node, as onnx infers them; whatever computes shapes (Shape, Gather, Concat, ...)
is evaluated on the way, so that a reshape to a computed shape is known. Large constants keep no
values here: onnx_values.py computes them when values are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.importers.base import Reading
from accelsim.importers.onnx_branches import taken
from accelsim.importers.onnx_file import import_onnx, open_model, version_of
from accelsim.importers.onnx_inputs import read_inputs
from accelsim.importers.onnx_run import run_node
from accelsim.importers.onnx_tensors import LARGEST_DIMENSION, SMALL, Graph, Shape, count, note


def reading_of(notes: Mapping[str, Any]) -> Reading:
    """The Reading that notes of a workload tell."""
    return Reading(
        notes.get("batch"),
        dict(notes.get("dims") or {}),
        dict(notes.get("fixed") or {}),
        shapes={name: tuple(shape) for name, shape in (notes.get("shapes") or {}).items()},
    )


def read_graph(path: str | Path, reading: Reading) -> Graph:
    """The Graph of a model.

    A nameless dimension is "<input>.<axis>"; a batch replaces the first dimension of every input. InputError
    when a dimension has no value, a shape stays unknown, or an operator refuses its inputs.
    """
    model = open_model(path)
    graph = Graph(str(path), model, version_of(model))
    _stored(graph)
    read_inputs(graph, reading)
    walker = _Walker(graph)
    for node in model.graph.node:
        walker.visit(node)
    graph.outputs = [item.name for item in model.graph.output]
    for node in graph.nodes:
        for name in node.input:
            graph.consumers.setdefault(name, []).append(node)
    return graph


def _stored(graph: Graph) -> None:
    """Initializers: shapes of all, values of the small ones that are in the file."""
    for tensor in graph.model.graph.initializer:
        _keep(graph, tensor)
    if graph.model.graph.sparse_initializer:
        raise graph.wrong("sparse", "holds sparse weights", "export dense ones")


def _keep(graph: Graph, tensor: Any) -> None:
    shape = tuple(int(size) for size in tensor.dims)
    if any(size < 0 or size > LARGEST_DIMENSION for size in shape):
        raise graph.wrong("shape", f"has the shape {list(shape)}", "export it again", tensor.name)
    note(graph, tensor.name, shape, int(tensor.data_type))
    graph.constants.add(tensor.name)
    if count(shape) <= SMALL and tensor.data_location != 1:
        try:
            graph.small[tensor.name] = import_onnx().numpy_helper.to_array(tensor)
        except Exception:  # fewer bytes than the shape says, unknown types
            raise graph.wrong(
                "weights",
                f"holds no {list(shape)} values",
                "export the model with its weights",
                tensor.name,
            ) from None


class _Walker:
    """Visits nodes in order: folds what is constant, infers shapes of the rest."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.onnx = import_onnx()
        self.functions = {(f.domain, f.name): f for f in graph.model.functions}
        self.read = {name for part in graph.model.graph.node for name in part.input}
        self.read |= {item.name for item in graph.model.graph.output}
        for function in graph.model.functions:
            self.read |= {name for part in function.node for name in part.input}
        self.depth = 0

    def visit(self, node: Any) -> None:
        """Fold, infer, or take apart one node."""
        graph = self.graph
        if (node.domain, node.op_type) in self.functions:
            self.inline(node, self.functions[node.domain, node.op_type])
            return
        read = [name for name in node.input if name]
        if node.op_type == "Shape" and read[0] in graph.shapes:
            self.shape_of(node)
            return
        if node.op_type == "If" and node.domain in ("", "ai.onnx") and read[0] in graph.small:
            self.branch(node)
            return
        if any(attribute.HasField("g") for attribute in node.attribute):
            raise graph.wrong(
                "branch",
                f"{node.op_type} holds a graph of its own",
                "export the model without control flow",
                node.name,
            )
        self.infer(node)
        graph.visited.append(node)
        if all(name in graph.constants for name in read):
            graph.constants.update(name for name in node.output if name)
            graph.folded += 1
            known = node.op_type != "DequantizeLinear" and all(name in graph.small for name in read)
            if known and all(
                count(graph.shapes[name]) <= SMALL for name in node.output if name in graph.shapes
            ):
                self.evaluate(node)
            return
        graph.nodes.append(node)

    def branch(self, node: Any) -> None:
        """An If whose condition is known: the nodes of the branch that it takes."""
        self.depth += 1
        if self.depth > 50:
            raise self.graph.wrong(
                "branch",
                "branches stand in one another too deep",
                "export the model again",
                node.name,
            )
        parts, tensors = taken(node, self.graph.small[node.input[0]])
        for tensor in tensors:
            _keep(self.graph, tensor)
        self.graph.stored += tensors
        self.read |= {name for part in parts for name in part.input}
        for part in parts:
            self.visit(part)
        self.depth -= 1

    def shape_of(self, node: Any) -> None:
        graph = self.graph
        options = {a.name: a.i for a in node.attribute}
        shape = graph.shapes[node.input[0]]
        part = shape[slice(options.get("start", 0), options.get("end", len(shape)))]
        graph.small[node.output[0]] = np.array(part, np.int64)
        graph.constants.add(node.output[0])
        graph.folded += 1
        note(graph, node.output[0], (len(part),), self.onnx.TensorProto.INT64)

    def infer(self, node: Any) -> None:
        """Shapes of a node's outputs; InputError when they stay unknown."""
        graph, onnx = self.graph, self.onnx
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain == "com.microsoft":
            from accelsim.importers.onnx_foreign import foreign_shapes

            for name, shape, kind in foreign_shapes(graph, node):
                note(graph, name, shape, kind)
            return
        try:
            schema = onnx.defs.get_schema(node.op_type, graph.version, domain)
            types = {
                name: onnx.helper.make_tensor_type_proto(graph.types[name], graph.shapes[name])
                for name in node.input
                if name
            }
            data = {
                name: onnx.numpy_helper.from_array(graph.small[name], name)
                for name in node.input
                if name in graph.small
            }
            opsets = [onnx.helper.make_opsetid("", graph.version)]
            found = onnx.shape_inference.infer_node_outputs(schema, node, types, data, None, opsets)
        except Exception as error:
            text = (
                str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            )
            raise graph.wrong(
                "inference",
                f"{node.op_type} does not fit its inputs: {text[:160]}",
                "export the model again",
                node.name,
            ) from None
        for name in node.output:
            if not name or (name != node.output[0] and name not in self.read):
                continue  # a mask or statistics that nobody reads
            made = found[name].tensor_type if name in found else None
            sizes = None
            if made is not None and made.HasField("shape"):
                sizes = [
                    int(dim.dim_value) if dim.HasField("dim_value") else -1
                    for dim in made.shape.dim
                ]
            if made is None or sizes is None or -1 in sizes:
                raise graph.wrong(
                    "shape",
                    f"{node.op_type} gives {name!r} a shape that depends on values",
                    "export the model with fixed shapes",
                    node.name,
                )
            note(graph, name, _pooled(graph, node, tuple(sizes)), int(made.elem_type))

    def evaluate(self, node: Any) -> None:
        """Values of a node of small constants."""
        graph = self.graph
        try:
            made = run_node(
                graph, node, [graph.small[name] if name else None for name in node.input]
            )
        except Exception as error:
            raise graph.wrong(
                "constant",
                f"{node.op_type} of constants fails: {str(error)[:160]}",
                "export the model again",
                node.name,
            ) from None
        for name, value in zip(node.output, made, strict=False):
            if name:
                graph.small[name] = np.asarray(value)

    def inline(self, node: Any, function: Any) -> None:
        """The nodes of a function of the model, with its tensors renamed."""
        self.depth += 1
        if self.depth > 50:
            raise self.graph.wrong(
                "function",
                "functions call one another without end",
                "export the model again",
                node.name,
            )
        parts = renamed(self.onnx, function, node)
        self.read |= {name for part in parts for name in part.input}
        for part in parts:
            self.visit(part)
        self.depth -= 1


def _pooled(graph: Graph, node: Any, inferred: Shape) -> Shape:
    """The shape of a node's output; a pool that rounds up leaves out windows that begin in the padding behind,
    as ONNX defines it and onnxruntime computes it (onnx 1.23 infers one more)."""
    options = {a.name: (a.i, list(a.ints)) for a in node.attribute}
    padded = any(a.name == "auto_pad" and a.s not in (b"", b"NOTSET") for a in node.attribute)
    up = options.get("ceil_mode", (0,))[0]
    if node.op_type not in ("MaxPool", "AveragePool", "LpPool") or padded or not up:
        return inferred
    kernel = options["kernel_shape"][1]
    rank = len(kernel)
    stride = options.get("strides", (0, [1] * rank))[1]
    pads = options.get("pads", (0, [0] * 2 * rank))[1]
    dilation = options.get("dilations", (0, [1] * rank))[1]
    sizes = []
    for axis, size in enumerate(graph.shapes[node.input[0]][2:]):
        span = dilation[axis] * (kernel[axis] - 1) + 1
        count = -(-(size + pads[axis] + pads[axis + rank] - span) // stride[axis]) + 1
        sizes.append(count - ((count - 1) * stride[axis] >= size + pads[axis]))
    return (*inferred[:2], *sizes)


def renamed(onnx: Any, function: Any, node: Any) -> list[Any]:
    """A function's nodes with the caller's names, its own made unique, attributes filled in."""
    names = dict(zip(function.input, [*node.input, *[""] * len(function.input)], strict=False))
    names |= dict(zip(function.output, node.output, strict=False))
    given = {a.name: a for a in node.attribute} | {}
    defaults = {a.name: a for a in function.attribute_proto}
    parts = []
    for number, inner in enumerate(function.node):
        part = onnx.NodeProto()
        part.CopyFrom(inner)
        for attribute in list(part.attribute):
            if attribute.ref_attr_name:
                value = given.get(attribute.ref_attr_name, defaults.get(attribute.ref_attr_name))
                name = attribute.name
                part.attribute.remove(attribute)
                if value is not None:
                    copy = part.attribute.add()
                    copy.CopyFrom(value)
                    copy.name = name
        for side in (part.input, part.output):
            for i, name in enumerate(side):
                if name:
                    side[i] = names.setdefault(name, f"{node.name}/{name}")
        part.name = f"{node.name}/{inner.name or inner.op_type.lower()}_{number}"
        parts.append(part)
    return parts
