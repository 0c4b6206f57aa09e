"""--set key=value: replaces or adds one value before validation."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.config.yaml_source import Node, Place, parse_yaml
from accelsim.errors import InputError, Problem


def apply_overrides(root: Node, overrides: Sequence[str]) -> None:
    """Change the document in place. InputError lists every override that leads nowhere."""
    problems = []
    for text in overrides:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            problems.append(
                Problem("set.form", f"{text!r} is not key=value", "write units.array.rows=64",
                        file="--set")
            )  # fmt: skip
            continue
        node = parse_yaml(value, "--set")
        _place(node, f"--set {key}")
        here = root
        path = key.strip().split(".")
        for step in path[:-1]:
            if not here.is_map or step not in here.value:
                choices = ", ".join(here.value) if here.is_map else "it has no keys"
                problems.append(
                    Problem("set.path", f"there is no key {step!r} on the way to {key}",
                            f"write one of: {choices}", key, "--set")
                )  # fmt: skip
                break
            here = here.value[step][1]
        else:
            if here.is_map:
                here.value[path[-1]] = (node.place, node)
            else:
                problems.append(
                    Problem("set.path", f"{'.'.join(path[:-1])} has no keys", "", key, "--set")
                )
    if problems:
        raise InputError(problems)


def _place(node: Node, file: str) -> None:
    node.place = Place(file)
    if node.is_list:
        for item in node.value:
            _place(item, file)
    elif node.is_map:
        for name, (_, item) in list(node.value.items()):
            node.value[name] = (Place(file), item)
            _place(item, file)
