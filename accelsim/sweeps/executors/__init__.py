"""Executors: each a file here, or a class that an installed package names in the entry points
"accelsim.executors". docs/adding_an_executor.md shows one."""

from __future__ import annotations

import sys
from typing import Any

from accelsim.errors import InputError, Problem
from accelsim.offered import modules_of, offered
from accelsim.sweeps.executors.base import Chunk, Done, Executor, Job, Outcome

GROUP = "accelsim.executors"


def classes() -> dict[str, type[Executor]]:
    """Executors by name: those of this folder, then those of installed packages."""
    found: dict[str, type[Executor]] = {}
    for module in modules_of(sys.modules[__name__], ("base", "work", "process")):
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, Executor) and "name" in vars(item):
                found[item.name] = item
    for entry in offered(GROUP):
        if entry.name not in found:
            found[entry.name] = entry.load()
    return found


def executor_named(
    name: str, workers: int | None = None, settings: dict[str, Any] | None = None
) -> Executor:
    """An executor by name; InputError with the choices for another."""
    known = classes()
    if name not in known:
        raise InputError(
            Problem(
                "sweep.executor",
                f"there is no executor {name!r}",
                "write one of: " + ", ".join(known),
                "execution.executor",
            )
        )
    return known[name](workers, settings)


__all__ = ["Chunk", "Done", "Executor", "Job", "Outcome", "classes", "executor_named"]
