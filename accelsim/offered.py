"""What the package's folders and installed packages offer by name: plots, executors, units, kinds of operator."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distributions
from types import ModuleType


def modules_of(folder: ModuleType, without: Collection[str] = ()) -> Iterator[ModuleType]:
    """Every module of a package's folder, by name; some left out."""
    for found in pkgutil.iter_modules(folder.__path__):
        if found.name not in without:
            yield import_module(f"{folder.__name__}.{found.name}")


@lru_cache(maxsize=1)
def _all_offered() -> tuple[EntryPoint, ...]:
    """Of every installed package, the first of a name: looking for them takes some 12 ms."""
    packages: dict[str, Distribution] = {}
    for found in distributions():
        packages.setdefault(found.name.lower().replace("_", "-"), found)
    return tuple(point for package in packages.values() for point in package.entry_points)


def offered(group: str) -> list[EntryPoint]:
    """Entry points of a group of all installed packages, looked for once."""
    return [point for point in _all_offered() if point.group == group]


def look_again() -> None:
    """Packages were installed since: look for them anew."""
    _all_offered.cache_clear()
