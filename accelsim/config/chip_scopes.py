"""The cores of a chip file while it is read: what stands in each, and what a name in it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from accelsim.chip.cores import Template, joined
from accelsim.config.yaml_source import Node, Place

Items = dict[str, tuple[Place, Node]]
#: keys of a unit that name a memory, and what that must be
MEMORY_KEYS = {"input": "sram", "weight": "sram", "output": "sram", "memory": "dram"}


@dataclass
class Scope:
    """A core as its file has it; "" is the file itself. path: before its keys in the file. memories, units, links: by
    their names in it, None for what could not be read; unread: sections of which nothing could."""

    name: str
    path: str
    items: Items
    place: Place
    outer: Scope | None = None
    template: Template | None = None
    memories: dict[str, Any] = field(default_factory=dict)
    units: dict[str, Any] = field(default_factory=dict)
    links: dict[str, Any] = field(default_factory=dict)
    inner: dict[str, Scope] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    def __iter__(self) -> Iterator[Scope]:
        """Itself and all in it, outer before inner ones."""
        yield self
        for scope in self.inner.values():
            yield from scope

    def outwards(self) -> Iterator[Scope]:
        """Itself and those around it."""
        here: Scope | None = self
        while here is not None:
            yield here
            here = here.outer

    def memory(self, name: str) -> tuple[str, Any] | None:
        """The memory that a name means: of this core, or of the nearest around it; with its name in the chip. None
        as a memory where it could not be read, or may be one of those."""
        for scope in self.outwards():
            if name in scope.memories or "memories" in scope.unread:
                return joined(scope.name, name), scope.memories.get(name)
        return None

    @property
    def hidden(self) -> bool:
        """Whether names may mean memories that could not be read."""
        return any("memories" in scope.unread for scope in self.outwards())

    def visible(self) -> dict[str, Any]:
        """Memories by the names that this core has for them."""
        found: dict[str, Any] = {}
        for scope in reversed(list(self.outwards())):
            found |= scope.memories
        return found

    def node(self, path: str) -> str | None:
        """The name in the chip of a memory or core that a link joins, "l2", "core" or "core.l1": looked for here,
        then outwards; None where there is none."""
        first, *rest = path.split(".")
        for scope in self.outwards():
            if not rest and (first in scope.memories or "memories" in scope.unread):
                return joined(scope.name, first)
            if first in scope.inner:
                return scope.inner[first]._within(rest)
            if "cores" in scope.unread:
                return joined(scope.name, path)
        return None

    def _within(self, rest: list[str]) -> str | None:
        if not rest:
            return self.name
        if len(rest) == 1 and (rest[0] in self.memories or "memories" in self.unread):
            return joined(self.name, rest[0])
        return self.inner[rest[0]]._within(rest[1:]) if rest[0] in self.inner else None

    def nodes(self) -> list[str]:
        """What a link here may join, by the names that it has for them."""
        inner = [
            joined(name, each) if each else name
            for name, scope in self.inner.items()
            for each in ("", *scope.memories)
        ]
        return [*self.visible(), *inner]
