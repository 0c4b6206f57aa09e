"""A chip as one of its cores sees it: what a mapping for that core works on, by the names of the core's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from accelsim.chip.cores import local, nearby, scope_of
from accelsim.chip.routes import KEYS, upper
from accelsim.constants.technology import Technology
from accelsim.errors import InputError, Problem

if TYPE_CHECKING:
    from accelsim.chip.chip import Chip

SERVING = (
    "vector_unit",
    "dma",
)  # parts that a core without its own borrows from the cores around it


@dataclass(frozen=True, slots=True)
class Seen:
    """chip: one core, without cores or links in it. names: of its units and memories, those of the instances that
    they are in the whole chip, by which its routes and the rows of a Program are known."""

    chip: Chip
    names: Mapping[str, str]


def seen_from(chip: Chip, core: str) -> Seen:
    """The chip as one instance of a core sees it: its units, a vector unit and a DMA engine of the cores around it
    where it has none, the memories that they use and those behind them. InputError where two of these have one
    name in their cores. KeyError for a core that there is not."""
    template = chip.cores[core].template
    if not template and not chip.templates:
        return Seen(replace(chip, links={}), {name: name for name in (*chip.units, *chip.memories)})
    units = [unit for name, unit in chip.units.items() if scope_of(name) == template]
    own = {unit.part for unit in units}
    units += [unit for part in SERVING if part not in own for unit in nearest(chip, template, part)]
    used = [
        str(name) for unit in units for key in (*KEYS, "memory") if (name := getattr(unit, key, ""))
    ]
    memories: dict[str, str | None] = {}
    for name in used:
        here: str | None = name
        while here is not None and here not in memories:
            memories[here] = upper(chip, here)
            here = memories[here]
    _clash(chip, [*memories], [unit.name for unit in units])
    names = {
        local(name): nearby(name, core) for name in (*memories, *(unit.name for unit in units))
    }
    alone = replace(
        chip,
        name=f"{chip.name}/{core}" if core else chip.name,
        memories={local(name): _near(chip.memories[name]) for name in memories},
        units={local(unit.name): _near(unit) for unit in units},
        technology=_priced(chip, [*memories, *(unit.name for unit in units)]),
        weights=chip.weights_of(core),  # type: ignore[arg-type]
        templates={},
        links={},
        core_weights={},
    )
    return Seen(alone, names)


def nearest(chip: Chip, template: str, part: str) -> list[Any]:
    """Units of a part in a core, or in the nearest around it that has some."""
    found: list[Any] = [unit for unit in chip.parts(part) if scope_of(unit.name) == template]
    if found or not template:
        return found
    return nearest(chip, scope_of(template), part)


def _near(item: Any) -> Any:
    """The unit or memory under its name in its core, as are those that it names."""
    keys = (*KEYS, "memory", "behind")
    named = {key: local(name) for key in keys if isinstance(name := getattr(item, key, None), str)}
    return replace(
        item, name=local(item.name), **{k: v for k, v in named.items() if v != getattr(item, k)}
    )


def _priced(chip: Chip, kept: list[str]) -> Technology:
    """The technology with the constants of the actions of what is kept, under their names in the core."""
    found = []
    for own in chip.technology.constants:
        owner, sign, action = own.key.partition("/")
        if owner in kept:
            own = replace(own, key=f"{local(owner)}{sign}{action}")
        if owner in kept or not any(
            owner in part for part in (chip.units, chip.memories, chip.links)
        ):
            found.append(own)
    return replace(chip.technology, constants=tuple(found))


def _clash(chip: Chip, memories: list[str], units: list[str]) -> None:
    problems = []
    for section, names in (("memories", memories), ("units", units)):
        taken: dict[str, str] = {}
        for name in names:
            other = taken.setdefault(local(name), name)
            if other != name:
                message = f"{name} and {other} have one name for the core that uses both"
                fix = "give one of them another name"
                problems.append(Problem("chip.name", message, fix, path=section, file=chip.source))
    if problems:
        raise InputError(problems)
