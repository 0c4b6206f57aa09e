"""``use`` of a core: the memories, units, links and cores of another chip file, in the place of the key."""

from __future__ import annotations

import os
from pathlib import Path

from accelsim import shipped
from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.errors import InputError, Problem

TAKEN = ("memories", "units", "links", "cores")
OWN = ("count", "grid")
DEEPEST = 8  # files within files


def with_used(root: Node, source: str, path: str = "", files: tuple[str, ...] = ()) -> Node:
    """The document with what its cores take from other files in its place; itself where they take nothing. A file
    is named from the folder of the one that names it, on the command line from here. InputError where a file
    cannot be taken, with the place of the key."""
    if not root.is_map or "cores" not in root.value or not root.value["cores"][1].is_map:
        return root
    where, section = root.value["cores"]
    files = files or (os.path.realpath(source),)
    cores = {
        name: (key, _core(node, f"{path}cores.{name}", files))
        for name, (key, node) in section.value.items()
    }
    if all(node is section.value[name][1] for name, (_, node) in cores.items()):
        return root
    return Node({**root.value, "cores": (where, Node(cores, section.place))}, root.place)


def _core(node: Node, path: str, files: tuple[str, ...]) -> Node:
    if not node.is_map or "use" not in node.value:
        return with_used(node, "", f"{path}.", files)
    place, named = node.value["use"][0], node.value["use"][1]
    if others := [key for key in node.value if key not in ("use", *OWN)]:
        message = f"takes the whole core from a file, and {', '.join(others)} stand beside it"
        raise _problem("chip.use", message, "leave them out, or write the core out", path, place)
    if not isinstance(named.value, str):
        raise _problem(
            "type.text", "must be text", "write the name of a chip file", path, named.place
        )
    here = Path(named.place.file).parent if os.path.isfile(named.place.file) else None
    try:
        found = str(shipped.find("chip", named.value, here))
        file = os.path.realpath(found)
        if file in files or len(files) > DEEPEST:
            raise _problem(
                "chip.use", f"{found} uses itself", "name another file", path, named.place
            )
        taken = load_yaml(found)
    except InputError as error:
        if any(problem.line for problem in error.problems):
            raise
        first = error.problems[0]
        said = f"{named.value!r} {first.message}"
        raise _problem(first.code, said, first.fix, path, named.place) from None
    if not taken.is_map:
        raise _problem(
            "chip.use", f"{found} is no chip file", "name a chip file", path, named.place
        )
    taken = with_used(taken, found, f"{path}.", (*files, file))
    own = {key: item for key, item in node.value.items() if key in OWN}
    whole = {key: item for key, item in taken.value.items() if key in TAKEN}
    return Node({**own, **whole}, node.place)


def _problem(code: str, message: str, fix: str, path: str, place: Place) -> InputError:
    whole = f"{path}.use"
    return InputError(Problem(code, message, fix, whole, place.file, place.line, place.column))
