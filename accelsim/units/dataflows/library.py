"""Dataflows by name and by number: files of this folder, and classes of installed packages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from inspect import isabstract

from accelsim.errors import InputError, Problem
from accelsim.offered import modules_of, offered
from accelsim.units.dataflows.base import Dataflow

GROUP = "accelsim.dataflows"


@lru_cache(maxsize=1)
def own() -> dict[str, Dataflow]:
    """One Dataflow for each file of this folder, by name, in the order of their numbers."""
    here = import_module(__name__.rpartition(".")[0])
    found: list[Dataflow] = []
    for module in modules_of(here, ("base", "library")):
        found += [made() for made in members(vars(module), module.__name__)]
    found.sort(key=lambda flow: flow.number)
    return {flow.name: flow for flow in found}


def members(names: dict[str, object], module: str) -> list[type[Dataflow]]:
    """The dataflows that a module defines."""
    return [
        item
        for item in names.values()
        if isinstance(item, type)
        and issubclass(item, Dataflow)
        and item.__module__ == module
        and not isabstract(item)
    ]


@lru_cache(maxsize=1)
def dataflows() -> dict[str, Dataflow]:
    """All dataflows by name, accelsim's own first. InputError where a package's is none, or has a name or
    number that is taken."""
    found = dict(own())
    for point in sorted(offered(GROUP), key=lambda point: point.name):
        try:
            made = point.load()()
        except Exception as error:  # a package of somebody else: said, by its name
            raise _wrong(
                point.value, f"cannot be loaded: {type(error).__name__}: {error}"
            ) from None
        if not isinstance(made, Dataflow):
            raise _wrong(point.value, "is no accelsim.units.dataflows.Dataflow")
        taken = {flow.number: flow.name for flow in found.values()}
        if made.name in found or made.number in taken:
            other = made.name if made.name in found else taken[made.number]
            raise _wrong(point.value, f"has the name or number of {other}")
        found[made.name] = made
    return found


def _wrong(where: str, what: str) -> InputError:
    return InputError(
        Problem(
            "dataflow.package",
            f"the dataflow {where} {what}",
            "mend the package or uninstall it",
            file=f"entry point {GROUP}",
        )
    )


def dataflow_names() -> Iterator[str]:
    """Of all dataflows; packages are looked through after accelsim's own."""
    yield from own()
    yield from (name for name in dataflows() if name not in own())


def dataflow_named(name: str) -> Dataflow:
    """The dataflow of a name. KeyError without one."""
    return own().get(name) or dataflows()[name]


def dataflow(number: int) -> Dataflow:
    """The dataflow of a number. KeyError without one."""
    for known in (own, dataflows):
        for flow in known().values():
            if flow.number == number:
                return flow
    raise KeyError(number)
