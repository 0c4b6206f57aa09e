"""Lines and columns of problems that were found after a file had been read."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from accelsim.config.yaml_source import Node, Place, load_yaml
from accelsim.errors import InputError, Problem

STEP = re.compile(r"[^.\[\]]+")  # of "operators[2].input"
FILES = (".yaml", ".yml")


def located(error: InputError) -> InputError:
    """The error, its problems that know a file and a path, but no line, at the deepest key of the path that the file
    has. A name in the place of a path is an operator's of a layer trace."""
    return InputError([_placed(problem) for problem in error.problems])


def _placed(problem: Problem) -> Problem:
    known = problem.file.endswith(FILES) and os.path.isfile(problem.file)
    if problem.line or not problem.path or not known:
        return problem
    try:
        place = _place(load_yaml(problem.file), problem.path)
    except InputError:  # it has changed since
        return problem
    return replace(problem, line=place.line, column=place.column)


def _place(root: Node, path: str) -> Place:
    """The value's place where the path ends at a scalar, else that of the key."""
    here, place = root, root.place
    for step in STEP.findall(path):
        if step.isdigit() and here.is_list and int(step) < len(here.value):
            here = here.value[int(step)]
            place = here.place
        elif here.is_map and step in here.value:
            place, here = here.value[step]
        else:
            break
    if here is root:
        return _operator(root, path) or place
    return place if here.is_map or here.is_list else here.place


def _operator(root: Node, name: str) -> Place | None:
    """Where the operator of a name stands in a layer trace."""
    listed = root.value.get("operators", (None, None))[1] if root.is_map else None
    for item in listed.value if listed is not None and listed.is_list else ():
        if item.is_map and "name" in item.value and item.value["name"][1].value == name:
            found: Place = item.place
            return found
    return None
