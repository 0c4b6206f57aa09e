"""What the package's folders and installed packages offer by name: plots, executors, units, kinds of operator."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint


def modules_of(folder: ModuleType, without: Collection[str] = ()) -> Iterator[ModuleType]:
    """Every module of a package's folder, by name; some left out."""
    for found in pkgutil.iter_modules(folder.__path__):
        if found.name not in without:
            yield import_module(f"{folder.__name__}.{found.name}")


@lru_cache(maxsize=1)
def _all_offered() -> tuple[EntryPoint, ...]:
    """Of every installed package, the first of a name. Where no package speaks of accelsim, which is looked at
    first, importlib.metadata is not even loaded: it takes a tenth of a first small run."""
    if not any(_speaks_of_us(Path(folder or ".")) for folder in sys.path):
        return ()
    from importlib.metadata import distributions

    packages: dict[str, Distribution] = {}
    for found in distributions():
        packages.setdefault(found.name.lower().replace("_", "-"), found)
    return tuple(
        point
        for package in packages.values()
        for point in package.entry_points
        if point.group.startswith("accelsim.")
    )


def _speaks_of_us(folder: Path) -> bool:
    for info in (*folder.glob("*.dist-info"), *folder.glob("*.egg-info")):
        with suppress(OSError, UnicodeDecodeError):
            if "[accelsim." in (info / "entry_points.txt").read_text("utf-8"):
                return True
    return False


def offered(group: str) -> list[EntryPoint]:
    """Entry points of a group of all installed packages, looked for once."""
    return [point for point in _all_offered() if point.group == group]


def look_again() -> None:
    """Packages were installed since: look for them anew."""
    _all_offered.cache_clear()
