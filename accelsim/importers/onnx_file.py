"""An .onnx file, opened with suspicion: sizes, versions, where its external data lies, its order."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accelsim.errors import InputError, Problem

OLDEST = 7  # opset
LARGEST_FILE = 2 << 30  # bytes; more is in external data files
MOST_NODES = 200_000
DOMAINS = ("", "ai.onnx", "com.microsoft")


def open_model(path: str | Path) -> Any:
    """The ModelProto of a file, its nodes in an order they can run in; no external data is read.

    InputError for a file that is no model, an opset below 7, unknown domains, cycles, tensors that
    nothing makes, and external data that is not inside the model's folder.
    """
    onnx = import_onnx()
    name = str(path)

    def refuse(code: str, message: str, fix: str, key: str = "") -> InputError:
        return InputError(Problem(f"onnx.{code}", message, fix, key, name))

    file = Path(path)
    if os.path.isdir(file):
        raise InputError(Problem("file.folder", "is a folder", "give an .onnx file", file=name))
    if not os.path.exists(file):
        raise InputError(
            Problem("file.missing", "there is no such file", "check the path", file=name)
        )
    if file.stat().st_size > LARGEST_FILE:
        raise refuse(
            "size", f"is {file.stat().st_size} bytes", "keep the weights in external data files"
        )
    try:
        model = onnx.load(name, load_external_data=False)
    except Exception:  # protobuf raises kinds of its own
        raise refuse("file", "is not a readable ONNX model", "export it again") from None
    if not model.graph.node or not model.opset_import:
        raise refuse("empty", "holds no operators", "export it again")
    if not all(isinstance(text, str) for text in _texts(model)):  # what is no UTF-8 comes as bytes
        raise refuse("text", "holds a name that is no UTF-8", "export it again")
    newest = onnx.defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain not in DOMAINS:
            continue
        if entry.domain in ("", "ai.onnx") and not OLDEST <= entry.version <= newest:
            raise refuse(
                "opset",
                f"has opset {entry.version}",
                f"export it with one from {OLDEST} to {newest}",
            )
    if len(model.graph.node) > MOST_NODES:
        raise refuse(
            "size", f"holds {len(model.graph.node)} operators", f"give {MOST_NODES} at most"
        )
    problems = [*_external(model, file), *_unknown(onnx, model, name)]
    ordered, wrong = _ordered(model.graph, name)
    problems += wrong
    if problems:
        raise InputError(problems)
    for number, node in enumerate(ordered):
        if not node.name:
            node.name = f"{node.op_type.lower()}_{number}"
    del model.graph.node[:]
    model.graph.node.extend(ordered)
    return model


def _texts(model: Any) -> Iterator[object]:
    """Every name of a model's graph."""
    graph = model.graph
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (item.name for item in node.attribute)
    for items in (graph.input, graph.output, graph.value_info, graph.initializer, model.functions):
        yield from (item.name for item in items)
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield from (size.dim_param for size in value.type.tensor_type.shape.dim)


def import_onnx() -> Any:
    """The onnx module; InputError says how to install it."""
    try:
        import onnx
    except ImportError:
        raise InputError(
            Problem(
                "onnx.missing", "reading ONNX needs the package onnx", "pip install accelsim[onnx]"
            )
        ) from None
    return onnx


def version_of(model: Any) -> int:
    """The opset of the standard operators."""
    return next(
        (int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        OLDEST,
    )


def external_place(tensor: Any, folder: Path) -> tuple[Path, int, int] | None:
    """(file, offset, bytes or -1) of a tensor's external data; None when it has none."""
    if tensor.data_location != 1:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    offset, length = entries.get("offset", "0"), entries.get("length", "-1")
    if not offset.isdecimal() or not (length == "-1" or length.isdecimal()):
        return folder / entries.get("location", ""), -1, -1
    return folder / entries.get("location", ""), int(offset), int(length)


def _external(model: Any, file: Path) -> list[Problem]:
    """Every initializer whose data lies outside the model's folder, or has no place at all."""
    folder = file.resolve().parent
    found = []
    for tensor in model.graph.initializer:
        place = external_place(tensor, folder)
        if place is None:
            continue
        target = place[0]
        if place[1] < 0 or target == folder:
            found.append(
                Problem(
                    "onnx.external",
                    "names no sound place of its data",
                    "export it again",
                    tensor.name,
                    str(file),
                )
            )
        elif not target.resolve().is_relative_to(folder):
            found.append(
                Problem(
                    "onnx.external",
                    "has its data outside the model's folder",
                    "keep external data beside the model",
                    tensor.name,
                    str(file),
                )
            )
    return found


def _unknown(onnx: Any, model: Any, name: str) -> list[Problem]:
    """Operators that are neither ONNX's own, nor known from elsewhere, nor functions of the model."""
    found: dict[tuple[str, str], Problem] = {}
    own = {(function.domain, function.name) for function in model.functions}
    for node in model.graph.node:
        kind = (node.domain, node.op_type)
        if kind in own or node.domain == "com.microsoft":
            continue
        if node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type):
            continue
        where = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        where = where.encode("unicode_escape").decode()[:80]
        found.setdefault(
            kind,
            Problem(
                "onnx.operator",
                f"{where} is not an operator of ONNX",
                "export it without that operator",
                node.name,
                name,
            ),
        )
    return list(found.values())


def _ordered(graph: Any, name: str) -> tuple[list[Any], list[Problem]]:
    """Nodes so that each stands behind what it reads, otherwise in the file's order."""
    problems: list[Problem] = []

    def wrong(message: str, node: Any = None, code: str = "tensor") -> None:
        key = "" if node is None else node.name or node.op_type
        problems.append(Problem(f"onnx.{code}", message, "export it again", key, name))

    known = {item.name for item in graph.input} | {item.name for item in graph.initializer} | {""}
    maker: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        for output in node.output:
            if output and (output in maker or output in known):
                wrong(f"{output!r} is made twice", node)
            maker.setdefault(output, number)
    reads = [sorted(set(node.input) - known) for node in graph.node]
    for node, items in zip(graph.node, reads, strict=True):
        for item in items:
            if item not in maker:
                wrong(f"reads {item!r}, which nothing makes", node)
    for item in graph.output:
        if item.name not in maker and item.name not in known:
            wrong(f"the output {item.name!r} is made by nothing")
    if problems:
        return [], problems[:20]
    order, waiting = _topological([[maker[item] for item in items] for items in reads])
    if waiting:
        nodes = (graph.node[number] for number in waiting)
        names = ", ".join(node.name or node.op_type for node in nodes)[:120]
        wrong(f"these operators wait for one another: {names}", code="cycle")
    return [graph.node[number] for number in order], problems


def _topological(needs: list[list[int]]) -> tuple[list[int], list[int]]:
    """Numbers, each behind those that it needs and otherwise ascending; those that wait for one another."""
    readers: dict[int, list[int]] = {}
    missing = [len(items) for items in needs]
    for number, items in enumerate(needs):
        for item in items:
            readers.setdefault(item, []).append(number)
    ready = [number for number, count in enumerate(missing) if count == 0]
    ordered: list[int] = []
    while ready:
        number = heapq.heappop(ready)
        ordered.append(number)
        for reader in readers.get(number, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    return ordered, [number for number, count in enumerate(missing) if count]
