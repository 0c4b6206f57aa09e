"""--set key=value: replaces or adds one value before validation.

A key is a path of names, "units.array.rows". One constant of the user's own is a path too:
"technology.constants.dram/lpddr4/bit" is the entry of that key in the list of constants, which is added
where there is none. A record that the file leaves out, all of it at its defaults, begins with what is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accelsim.config.yaml_source import Node, Place, parse_yaml
from accelsim.errors import InputError, Problem

CONSTANTS = ["technology", "constants"]
STATED = (
    "stated in place of the shipped value"  # source of a constant that is given as a bare number
)
BAND = "mem"  # its confidence: the widest band
RECORDS = ("precision",)  # at the top of a chip file, beside those of units, memories and links


def apply_overrides(root: Node, overrides: Sequence[str]) -> Node:
    """The document with values replaced; the given one stays as it is. InputError lists every
    override that leads nowhere."""
    pairs, problems = assignments(overrides)
    for key, node in pairs:
        found = replaced(root, key, node, Place("--set"))
        if isinstance(found, Problem):
            problems.append(found)
        else:
            root = found
    if problems:
        raise InputError(problems)
    return root


def assignments(texts: Sequence[str]) -> tuple[list[tuple[str, Node]], list[Problem]]:
    """KEY=VALUE texts as keys with their values, and what is wrong with others."""
    pairs: list[tuple[str, Node]] = []
    problems = []
    for text in texts:
        key, sign, value = text.partition("=")
        key = key.strip()
        if sign and key:
            place = Place(f"--set {key}")
            pairs.append((key, node_of(parse_yaml(value, "--set").plain(), place)))
        else:
            message, fix = f"{text!r} is not key=value", "write units.array.rows=64"
            problems.append(Problem("set.form", message, fix, file="--set"))
    return pairs, problems


def replaced(root: Node, key: str, node: Node, said: Place) -> Node | Problem:
    """A copy of the document with one value replaced or added, or why it leads nowhere. Only what
    lies on the way is copied. said: where a problem with the way itself stands."""
    path = key.split(".")
    if path[:2] == CONSTANTS and len(path) > 2:
        return _constant(root, ".".join(path[2:]), node, said)
    return _step(root, path, 0, node, said)


def _step(here: Node, path: list[str], depth: int, node: Node, said: Place) -> Node | Problem:
    step, last = path[depth], depth == len(path) - 1
    if last and not here.is_map:
        return Problem(
            "set.path",
            f"{'.'.join(path[:-1])} has no keys",
            "",
            ".".join(path),
            said.file,
            said.line,
            said.column,
        )
    if last:
        return Node({**here.value, step: (node.place, node)}, here.place)
    if here.is_map and step not in here.value and _leaves_out(here, step, depth):
        here = Node({**here.value, step: (node.place, Node({}, node.place))}, here.place)
    if not here.is_map or step not in here.value:
        choices = ", ".join(here.value) if here.is_map else "it has no keys"
        whole = ".".join(path)
        return Problem(
            "set.path",
            f"there is no key {step!r} on the way to {whole}",
            f"write one of: {choices}",
            whole,
            said.file,
            said.line,
            said.column,
        )
    where, inner = here.value[step]
    changed = _step(inner, path, depth + 1, node, said)
    return (
        changed
        if isinstance(changed, Problem)
        else Node({**here.value, step: (where, changed)}, here.place)
    )


def _leaves_out(here: Node, step: str, depth: int) -> bool:
    """Whether a file need not write a record that a key leads into: one of something that has a kind, which is asked
    what it knows when it is read."""
    return "kind" in here.value or (depth == 0 and step in RECORDS and "clocks" in here.value)


def _constant(root: Node, name: str, node: Node, said: Place) -> Node | Problem:
    """One entry of the list of constants: its value alone, or a mapping of several of its keys."""
    given = dict(node.value) if node.is_map else {"value": (node.place, node)}
    old: list[Node] = []
    if root.is_map and "technology" in root.value:
        section = root.value["technology"][1]
        if (
            section.is_map
            and "constants" in section.value
            and section.value["constants"][1].is_list
        ):
            old = section.value["constants"][1].value
    base: dict[str, tuple[Place, Node]] = {"key": (node.place, Node(name, node.place))}
    if not node.is_map:
        base |= {
            "source": (node.place, Node(STATED, node.place)),
            "confidence": (node.place, Node(BAND, node.place)),
        }
    fresh, entries = True, []
    for entry in old:
        if fresh and entry.is_map and "key" in entry.value and entry.value["key"][1].value == name:
            entry, fresh = Node({**entry.value, **given}, entry.place), False
        entries.append(entry)
    if fresh:
        entries.append(Node({**base, **given}, node.place))
    return _step(root, CONSTANTS, 0, Node(entries, node.place), said)


def node_of(value: Any, place: Place) -> Node:
    """Plain values as a Node, all of it at one place."""
    if isinstance(value, dict):
        return Node({str(key): (place, node_of(item, place)) for key, item in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([node_of(item, place) for item in value], place)
    return Node(value, place)
