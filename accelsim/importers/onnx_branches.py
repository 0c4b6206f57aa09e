"""The branch that an If with a constant condition takes, put in its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.importers.onnx_file import import_onnx


def taken(node: Any, condition: Any) -> tuple[list[Any], list[Any]]:
    """(nodes, stored tensors) of an If's branch, its own tensors renamed, its outputs under the If's names."""
    key = "then_branch" if bool(np.ravel(condition)[0]) else "else_branch"
    branch = next(attribute.g for attribute in node.attribute if attribute.name == key)
    made = {name for part in branch.node for name in part.output if name}
    stored = {tensor.name for tensor in branch.initializer}
    names = {name: f"{node.name}/{name}" for name in made | stored}
    parts, last = [], []
    for inside, outside in zip(branch.output, node.output, strict=True):
        if (
            inside.name in made
            and outside not in names.values()
            and list(item.name for item in branch.output).count(inside.name) == 1
        ):
            names[inside.name] = outside
        else:  # an outer tensor, a stored one, or one that comes out twice
            last.append((inside.name, outside))
    for number, inner in enumerate(branch.node):
        part = import_onnx().NodeProto()
        part.CopyFrom(inner)
        rename(part, names)
        part.name = f"{node.name}/{inner.name or f'{inner.op_type.lower()}_{number}'}"
        parts.append(part)
    for inside, outside in last:
        parts.append(
            import_onnx().helper.make_node(
                "Identity", [names.get(inside, inside)], [outside], name=f"{node.name}/{outside}"
            )
        )
    tensors = []
    for tensor in branch.initializer:
        copy = type(tensor)()
        copy.CopyFrom(tensor)
        copy.name = names[tensor.name]
        tensors.append(copy)
    return parts, tensors


def rename(part: Any, names: dict[str, str]) -> None:
    """Give a node's tensors other names, those that graphs inside it read from here too."""
    for side in (part.input, part.output):
        for i, name in enumerate(side):
            side[i] = names.get(name, name)
    for attribute in part.attribute:
        if attribute.HasField("g"):
            own = {name for inner in attribute.g.node for name in inner.output}
            own |= {tensor.name for tensor in attribute.g.initializer}
            outer = {name: new for name, new in names.items() if name not in own}
            for inner in attribute.g.node:
                rename(inner, outer)
            for item in attribute.g.output:
                item.name = outer.get(item.name, item.name)
