"""Kinds of units and memories that a chip file may name: classes of this package, found by their place, and
those that installed packages offer as entry points."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from accelsim import units as here
from accelsim.offered import modules_of, offered
from accelsim.units.base import Memory, Unit
from accelsim.units.link import Link

GROUP = "accelsim.units"


@lru_cache(maxsize=1)
def _classes() -> tuple[Any, ...]:
    """Of this package, then of others."""
    found: list[Any] = []
    for module in modules_of(here):
        found += [item for item in vars(module).values() if inspect.isclass(item)]
    found += [point.load() for point in offered(GROUP)]
    return tuple(dict.fromkeys(found))


def _kinds(base: type) -> Mapping[str, Any]:
    return _kinds_among(base, _classes())


@lru_cache(maxsize=8)
def _kinds_among(base: type, classes: tuple[Any, ...]) -> Mapping[str, Any]:
    whole = [each for each in classes if issubclass(each, base) and not inspect.isabstract(each)]
    return {each.kind: each for each in whole if each.in_files}


def unit_kinds() -> Mapping[str, type[Unit]]:
    """Classes of units by the ``kind`` that a chip file writes."""
    return _kinds(Unit)


def memory_kinds() -> Mapping[str, type[Memory]]:
    """Classes of memories by the ``kind`` that a chip file writes."""
    return _kinds(Memory)


def link_kinds() -> Mapping[str, type[Link]]:
    """Classes of links by the ``kind`` that a chip file writes."""
    return _kinds(Link)
