"""An ONNX model as a Workload: which node runs where, and nothing dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelsim.errors import InputError, Problem
from accelsim.importers import onnx_foreign, onnx_macs, onnx_recurrent, onnx_scales, onnx_vectors
from accelsim.importers.base import Reading
from accelsim.importers.onnx_build import Builder
from accelsim.importers.onnx_file import import_onnx
from accelsim.importers.onnx_graph import read_graph, renamed
from accelsim.importers.onnx_integers import mark_integers
from accelsim.importers.onnx_tensors import Graph
from accelsim.workload import TensorSpec, VectorOperator, Workload
from accelsim.workload.validity import MOST_MACS

MOST_OPERATORS = 100_000
PLAIN: dict[str, Callable[[Builder, Any], None]] = {
    **onnx_vectors.HANDLERS,
    **onnx_macs.HANDLERS,
    **onnx_recurrent.HANDLERS,
    **{name: handler for name, handler in onnx_foreign.HANDLERS.items() if name != "Gelu"},
}
WRITTEN = Reading()  # as the file is written
TOKEN_INPUTS = ("input_ids", "tokens", "token_ids", "decoder_input_ids")  # of ONNX exporters


@dataclass(frozen=True, slots=True)
class Imported:
    """A model's Workload, with what is needed to compute its values."""

    workload: Workload
    builder: Builder

    @property
    def graph(self) -> Graph:
        """The model's tensors."""
        return self.builder.graph


def import_model(path: str | Path, reading: Reading = WRITTEN) -> Imported:
    """The Workload of an .onnx file, and the recipes of its stored tensors; no weights are read.

    InputError names every problem.
    """
    try:
        return _import(path, reading)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        UnicodeError,
        ValueError,
    ) as error:
        # a file may hold anything: names that are no text, attributes of another kind, missing inputs
        said = f"{type(error).__name__}: {str(error)[:120]}"
        raise InputError(
            Problem(
                "onnx.unsound", f"is no sound model ({said})", "export it again", file=str(path)
            )
        ) from None


def _import(path: str | Path, reading: Reading) -> Imported:
    graph = read_graph(path, reading)
    b = Builder(graph)
    for name in graph.inputs:
        if graph.consumers.get(name):
            b.tensors[name] = TensorSpec(name, graph.shapes[name] or (1,), "input")
        else:
            b.notes.append(f"the input {name} is read by nothing")
    b.notes += [
        f"the input {name} is {value:g} everywhere" for name, value in reading.fixed.items()
    ]
    for node in graph.nodes:
        _visit(b, node)
        if len(b.operators) > MOST_OPERATORS:
            raise graph.wrong(
                "size", f"unrolls to more than {MOST_OPERATORS} operators", "give shorter sequences"
            )
    for name in graph.outputs:
        if name in b.later:
            b.later.pop(name)()
    onnx_scales.give_formats(b)
    outputs = [name for name in graph.outputs if name in b.made]
    if not outputs:
        raise graph.wrong("outputs", "computes nothing from its inputs", "export it again")
    tensors = _kept(b)
    for name in outputs:
        tensors[name] = TensorSpec(name, tensors[name].shape, "output")
    missing = [name for name in graph.outputs if name not in b.made]
    b.notes += [f"the output {name} is constant" for name in missing]
    if graph.folded:
        b.notes.append(f"{graph.folded} nodes compute shapes and constants only, before the run")
    if b.absorbed:
        kinds = Counter(kind for _, kind, _ in b.absorbed)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        b.notes.append(f"part of the operator before or behind them: {listed}")
    bound = {**graph.dims, **{name: f"{value:g}" for name, value in reading.fixed.items()}}
    whole = [f"{key}={value}" for key, value in sorted(bound.items())]
    notes: dict[str, Any] = {
        "format": "onnx",
        **graph.notes(reading),
        "assumed": [],
        "absorbed": [list(item) for item in b.absorbed],
    }
    workload = Workload(
        Path(path).stem,
        tuple(b.operators),
        tensors,
        " ".join(["from", Path(path).name, *whole]),
        str(path),
        str(path),
        notes,
        *_counts(tensors),
    )
    workload = mark_integers(b, workload)
    notes["assumed"] = _distinct(b.notes)
    if workload.macs > MOST_MACS:
        raise graph.wrong(
            "size", f"asks for {workload.macs} multiply-accumulates", "use smaller dimensions"
        )
    return Imported(workload, b)


def _counts(tensors: Mapping[str, TensorSpec]) -> tuple[int, int]:
    """(inferences, tokens) of a run: the first dimension of the first input, if it has others, and the elements
    of an input that holds token numbers by its name, as exporters call it."""
    inputs = [spec for spec in tensors.values() if spec.role == "input"]
    first = next((spec.shape for spec in inputs if len(spec.shape) > 1), ())
    ids = next(
        (spec for spec in inputs if spec.name in TOKEN_INPUTS and len(spec.shape) <= 2), None
    )
    return (int(first[0]) if first else 1), ids.elements if ids is not None else 0


def _distinct(notes: list[str]) -> list[str]:
    return list(dict.fromkeys(notes))


def _kept(b: Builder) -> dict[str, TensorSpec]:
    """Tensors that some operator reads or makes."""
    used: set[str] = set()
    for op in b.operators:
        used.add(op.output)
        if isinstance(op, VectorOperator):
            used.update(op.inputs)
            used.update(op.parameters)
        else:
            used.update(name for name in (op.input, op.weight, op.bias) if name)
    return {name: spec for name, spec in b.tensors.items() if name in used or spec.role == "input"}


def _visit(b: Builder, node: Any, depth: int = 0) -> None:
    if all(0 in b.graph.shapes.get(name, (1,)) for name in node.output if name):
        b.notes += [f"{name} has no elements: nothing to do" for name in node.output if name]
        return
    handlers = onnx_foreign.HANDLERS if node.domain == "com.microsoft" else PLAIN
    handler = handlers.get(node.op_type)
    if handler is not None:
        handler(b, node)
        return
    parts = _parts(b, node) if depth < 8 else []
    if not parts:
        raise b.wrong(node, "there is no cost for it here", "export the model without it")
    b.notes.append(f"{node.op_type} is taken apart into {len(parts)} operators, as ONNX defines it")
    _inline(b, parts, depth)


def _parts(b: Builder, node: Any) -> list[Any]:
    """The nodes of an operator that ONNX defines by others."""
    onnx = import_onnx()
    graph = b.graph
    schema = onnx.defs.get_schema(node.op_type, graph.version, "")
    body = None
    if schema.has_function:
        body = schema.function_body
    elif schema.has_context_dependent_function:
        types = [
            onnx.helper.make_tensor_type_proto(
                graph.types[name], graph.shapes[name]
            ).SerializeToString()
            if name
            else b""
            for name in node.input
        ]
        made = schema.get_context_dependent_function(node.SerializeToString(), types)
        body = onnx.FunctionProto()
        body.ParseFromString(made)
    if body is None:
        return []
    return renamed(onnx, body, node)


def _inline(b: Builder, parts: list[Any], depth: int) -> None:
    """Visit the parts with shapes inferred and constants folded, as the graph's own nodes were."""
    from accelsim.importers.onnx_graph import _Walker

    graph = b.graph
    before = graph.nodes
    graph.nodes = []
    walker = _Walker(graph)
    walker.read |= {name for part in parts for name in part.input}
    for part in parts:
        walker.visit(part)
    inner, graph.nodes = graph.nodes, before
    for part in inner:
        for name in part.input:
            graph.consumers.setdefault(name, []).append(part)
    for part in inner:
        _visit(b, part, depth + 1)
