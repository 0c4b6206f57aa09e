"""Cores of a chip: templates that stand several times, and the names of what stands in them.

A name of a chip's units, memories and links says where they stand in the file: "l2", "core.l1",
"cluster.core.l1". Each stands once in every instance of its core: "core[2].l1", "cluster[0].core[1].l1",
"pe[1,3].weights".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.chip.chip import Chip

MOST_CORES = 4096
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Template:
    """A core of a chip file. name: with those of the cores that it stands in. count: in one of those. grid: rows
    and columns of them, where they are laid out so; count is their product then."""

    name: str
    count: int = 1
    grid: tuple[int, int] | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """What its instances add to its name: nothing where there is one."""
        if self.count == 1:
            return ("",)
        if self.grid is None:
            return tuple(f"[{i}]" for i in range(self.count))
        return tuple(f"[{r},{c}]" for r, c in product(*map(range, self.grid)))


@dataclass(frozen=True, slots=True)
class Core:
    """One instance of a core; "" is what stands in none. template: its name among the chip's. units, memories,
    links: by the name that the core's file gives them, the name of this instance's."""

    name: str
    template: str
    units: Mapping[str, str]
    memories: Mapping[str, str]
    links: Mapping[str, str]


def scope_of(name: str) -> str:
    """The core that something stands in, "" for none."""
    return name.rpartition(".")[0]


def local(name: str) -> str:
    """The name within its core."""
    return name.rpartition(".")[2]


def joined(scope: str, name: str) -> str:
    """The name of what stands in a core, or in an instance of one."""
    return f"{scope}.{name}" if scope else name


def template_of(instance: str) -> str:
    """The name in the chip of something of which an instance is named."""
    return _INDEX.sub("", instance)


def prefixes(chip: Chip, scope: str) -> tuple[str, ...]:
    """Names of all instances of a core, in order; ("",) for what stands in none."""
    key = ("prefixes", scope)
    if key not in chip.memo:
        found: tuple[str, ...] = ("",)
        if scope:
            template = chip.templates[scope]
            found = tuple(
                joined(outer, local(scope)) + place
                for outer in prefixes(chip, scope_of(scope))
                for place in template.places
            )
        chip.memo[key] = found
    found = chip.memo[key]
    return found


def instances(chip: Chip, name: str) -> tuple[str, ...]:
    """Names of all that a unit, a memory or a link of the chip stands for, one a core; several of ``count``
    within one core count once."""
    return tuple(joined(prefix, local(name)) for prefix in prefixes(chip, scope_of(name)))


def nearby(name: str, core: str) -> str:
    """The instance of something that an instance of a core means by it: its own, or that of a core around it."""
    scope = scope_of(name)
    around = core.split(".")[: scope.count(".") + 1] if scope else []
    return ".".join((*around, local(name)))


def scopes(chip: Chip) -> tuple[str, ...]:
    """All cores, outer before inner ones, and "" first."""
    return ("", *chip.templates)


def cores(chip: Chip) -> dict[str, Core]:
    """Every instance of a core by its name, "" first."""
    found = {}
    for scope in scopes(chip):
        parts = [
            [name for name in section if scope_of(name) == scope]
            for section in (chip.units, chip.memories, chip.links)
        ]
        for prefix in prefixes(chip, scope):
            named = ({local(name): joined(prefix, local(name)) for name in part} for part in parts)
            found[prefix] = Core(prefix, scope, *named)
    return found
