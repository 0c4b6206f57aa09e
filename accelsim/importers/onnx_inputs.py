"""A model's inputs: their dimensions, given or taken from arrays, and those that are fixed at a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from accelsim.errors import InputError, Problem
from accelsim.importers.base import Reading
from accelsim.importers.onnx_tensors import LARGEST_DIMENSION, SMALL, Graph, Shape, count, note

INTEGERS = (2, 3, 4, 5, 6, 7, 9, 12, 13)  # ONNX's element types of whole numbers


def _symbol(item: Any, axis: int, dims: Mapping[str, int]) -> str:
    """The name of a dimension without a size; "" where it has one. Names that every unknown size has ("?") are
    none, unless somebody gives them."""
    dim = item.type.tensor_type.shape.dim[axis]
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return ""
    named = dim.dim_param and (dim.dim_param in dims or dim.dim_param.strip("?"))
    return str(dim.dim_param) if named else f"{item.name}.{axis}"


def read_inputs(graph: Graph, reading: Reading) -> None:
    items = [item for item in graph.model.graph.input if item.name not in graph.constants]
    problems = [
        Problem(
            "onnx.input",
            "is no tensor of a stated rank",
            "export it again",
            item.name,
            graph.path,
        )
        for item in items
        if not item.type.HasField("tensor_type") or not item.type.tensor_type.HasField("shape")
    ]
    unstated = {problem.path for problem in problems}
    items = [item for item in items if item.name not in unstated]
    free = [item for item in items if item.name not in reading.fixed]
    given = _arrays(free, reading)
    graph.dims = dict(reading.dims)
    problems += _bound(free, given, reading, graph.dims)
    for item in items:
        sizes, wrong = _sizes(graph, item, reading, given.get(item.name))
        problems += wrong
        if item.name not in reading.fixed:
            graph.inputs.append(item.name)
        if not problems:
            note(graph, item.name, sizes, int(item.type.tensor_type.elem_type))
    problems += _unknown(items, reading, graph.dims)
    if problems:
        raise InputError(problems)
    for name, value in reading.fixed.items():
        _fix(graph, name, value)


def _arrays(items: list[Any], reading: Reading) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that are given for inputs."""
    names = [item.name for item in items]
    found = {name: reading.shape_of(name, names) for name in names}
    return {name: shape for name, shape in found.items() if shape is not None}


def _bound(
    items: list[Any],
    given: Mapping[str, tuple[int, ...]],
    reading: Reading,
    dims: dict[str, int],
) -> list[Problem]:
    """Bind the symbolic dimensions that nobody stated to those of the arrays; where arrays contradict."""
    problems = []
    said: dict[str, str] = {}
    for item in items:
        shape = given.get(item.name, ())
        rank = len(item.type.tensor_type.shape.dim)
        for axis in range(rank if len(shape) == rank else min(1, rank, len(shape))):
            name = _symbol(item, axis, reading.dims)
            if not name or name in reading.dims or (axis == 0 and reading.batch is not None):
                continue
            if dims.setdefault(name, shape[axis]) != shape[axis]:
                problems.append(
                    Problem(
                        "onnx.arrays",
                        f"makes {name} {shape[axis]}, and {said[name]} makes it {dims[name]}",
                        f"give arrays of one size, or --dim {name}={dims[name]}",
                        item.name,
                        "--input",
                    )
                )
            said.setdefault(name, item.name)
    return problems


def _sizes(
    graph: Graph, item: Any, reading: Reading, given: tuple[int, ...] | None
) -> tuple[Shape, list[Problem]]:
    """The shape of an input, and what is wrong with it. given: the shape of its array."""
    sizes: list[int] = []
    problems = []
    fixed = item.name in reading.fixed
    for axis, dim in enumerate(item.type.tensor_type.shape.dim):
        name = _symbol(item, axis, reading.dims)
        if axis == 0 and reading.batch is not None and not fixed:
            sizes.append(reading.batch)
        elif not name:
            sizes.append(int(dim.dim_value))
        elif name in graph.dims:
            sizes.append(graph.dims[name])
        else:
            problems.append(
                Problem(
                    "onnx.dimension",
                    f"dimension {axis} has no value",
                    f"write --dim {name}=1",
                    item.name,
                    graph.path,
                )
            )
    leads = bool(sizes) and not problems and reading.batch is None and not _symbol(item, 0, {})
    if given and leads and count(given) != count(tuple(sizes)):
        sizes[0] = given[0]  # a model of one image, several of them given
    if any(not 0 < size <= LARGEST_DIMENSION for size in sizes):
        problems.append(
            Problem(
                "onnx.shape",
                f"has the shape {sizes}",
                "give dimensions above 0",
                item.name,
                graph.path,
            )
        )
    return tuple(sizes), problems


def _unknown(items: list[Any], reading: Reading, dims: Mapping[str, int]) -> list[Problem]:
    """Dimensions and fixed inputs that the model does not have."""
    known = {
        _symbol(item, axis, dims)
        for item in items
        for axis in range(len(item.type.tensor_type.shape.dim))
    } - {""}
    problems = [
        Problem(
            "onnx.dimension",
            f"no input has a dimension {name!r}",
            "write one of " + (", ".join(sorted(known)) or "none: all are given"),
            file="--dim",
        )
        for name in reading.dims
        if name not in known
    ]
    names = [item.name for item in items]
    return problems + [
        Problem(
            "onnx.fixed",
            f"the model has no input {name!r}",
            "write one of " + ", ".join(names),
            file="--value",
        )
        for name in reading.fixed
        if name not in names
    ]


def _fix(graph: Graph, name: str, value: float) -> None:
    """Make an input a constant that holds one number everywhere."""
    kind = graph.numpy_type(name)
    if graph.types[name] in INTEGERS and value != int(value):
        raise InputError(
            Problem(
                "onnx.fixed",
                f"{name!r} holds whole numbers, and {value:g} is none",
                "write a whole number",
                file="--value",
            )
        )
    if count(graph.shapes[name]) > SMALL:
        raise InputError(
            Problem(
                "onnx.fixed",
                f"{name!r} has {count(graph.shapes[name]):,} elements, too many for one number",
                f"give it in --input, or fix inputs of up to {SMALL:,}",
                file="--value",
            )
        )
    graph.fixed[name] = np.full(graph.shapes[name], value).astype(kind)
    graph.small[name] = graph.fixed[name]
    graph.constants.add(name)
