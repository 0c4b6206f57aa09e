"""What a chip file can say and no mapping uses yet: refused, never left aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.chip import Chip
from accelsim.chip.cores import local, scope_of
from accelsim.chip.machine import all_of
from accelsim.errors import InputError, Problem

MULTIPLIERS, SERVING = ("mac_array", "crossbar"), ("vector_unit", "dma")
Refused = Iterator[tuple[str, str, str]]


def unmapped(chip: Chip) -> list[Problem]:
    """Keys of the chip that no Program would make use of, and links on which no way leads to a buffer."""
    found = [*_several(chip), *_queues(chip)] or [*_levels(chip), *_serving(chip)]
    for side in () if found else chip.sides.values():
        found += _cores(side)
    problems = [
        Problem("mapping.chip", f"{message} yet", fix, path=path, file=chip.source)
        for path, message, fix in dict.fromkeys(found)
    ]
    return problems or _routes(chip)


def path_of(name: str, section: str) -> str:
    """Where the chip's file has something: "core.array" among units is "cores.core.units.array"."""
    scope = scope_of(name)
    outer = "".join(f"cores.{part}." for part in scope.split(".")) if scope else ""
    return f"{outer}{section}.{local(name)}"


def _several(chip: Chip) -> Refused:
    """Units that multiply alike but are not equal, and units that serve them of which a core has several."""
    for part in (*MULTIPLIERS, *SERVING):
        cores: dict[str, list[str]] = {}
        for unit in chip.parts(part):
            here = "" if part in MULTIPLIERS else scope_of(unit.name)
            cores.setdefault(here, []).append(unit.name)
        for names in cores.values():
            if len(names) > 1:
                listed = ", ".join(names)
                message = f"{listed} are {len(names)} units of part {part}, and no mapping uses more than one"
                fix = "leave all but one out, or write one, in one core of a count"
                yield path_of(names[1], "units"), message, fix
    formats = {unit.name: unit.format for unit in chip.parts("vector_unit")}  # type: ignore[attr-defined]
    if len(set(formats.values())) > 1:
        listed = ", ".join(f"{name} {form or 'none'}" for name, form in formats.items())
        message = (
            f"vector units state several formats ({listed}), and no mapping converts between them"
        )
        yield f"{path_of([*formats][1], 'units')}.format", message, "write one format for all"


def _serving(chip: Chip) -> Refused:
    """Sides that nothing serves, and units that serve none."""
    used: set[str] = set()
    for name, side in chip.sides.items():
        used |= {*side.units}
        for part in SERVING:
            if not side.parts(part):
                message = (
                    f"{name} has no {part} in its core or around it, and no mapping uses another's"
                )
                yield path_of(name, "units"), message, f"write a {part} in its core"
    for name in chip.units:
        if name not in used:
            owner = next(iter(chip.sides))
            message = f"{name} stands in another core than {owner}, and no mapping uses it there"
            fix = f"write it in the core of {owner}, or at the top of the file"
            yield path_of(name, "units"), message, fix


def _queues(chip: Chip) -> Refused:
    engines: Any = chip.parts("dma")
    for unit in engines:
        if unit.queues != 1:
            message = "no mapping keeps several commands of a DMA engine outstanding"
            yield f"{path_of(unit.name, 'units')}.queues", message, "leave queues out"


def _levels(chip: Chip) -> Refused:
    engines: Any = chip.parts("dma")
    for unit in engines:
        if unit.memory != chip.far:
            message = f"{unit.name} serves {unit.memory} and {engines[0].name} {chip.far}, and no mapping uses both"
            yield f"{path_of(unit.name, 'units')}.memory", message, f"write memory: {chip.far}"
    for name, memory in chip.memories.items():
        far = memory.behind
        if far and chip.memories[far].part == "dram" and far != chip.far:
            message = f"{name} is filled from {far}, and no mapping fills it but from the DMA engine's memory"
            yield f"{path_of(name, 'memories')}.behind", message, "leave the key out"


def _cores(chip: Chip) -> Refused:
    """Cores that do not serve the same arrays, or share what no mapping divides. chip: one side."""
    (unit, engine), crossbars = (chip.vector_unit, chip.dma), chip.parts("crossbar")
    if any(chip.standing(crossbar.name) > 1 for crossbar in crossbars):
        message = "no mapping shares a network out over cores of crossbars"
        fix = "write the crossbars in one core, or at the top of the file, with count"
        yield path_of(crossbars[0].name, "units"), message, fix
        return
    for name in dict.fromkeys((unit.input, unit.output)):
        if len(all_of(chip, name)) < unit.count:
            message = (
                f"{unit.count} vector units share {name}, and no mapping divides it among them"
            )
            fix = f"write {name} in their core, or one vector unit at the top of the file"
            yield path_of(unit.name, "units"), message, fix
    if len(all_of(chip, engine.memory)) > 1:
        message = (
            f"{engine.memory} stands in each core, and no mapping divides tensors among several"
        )
        yield path_of(engine.memory, "memories"), message, "write it at the top of the file"


def _routes(chip: Chip) -> list[Problem]:
    """Buffers that no link leads to, or from."""
    if not chip.links:
        return []
    found: list[Problem] = []
    names = {
        str(getattr(unit, key))
        for unit in chip.units.values()
        for key in ("input", "weight", "output")
        if hasattr(unit, key)
    }
    far = chip.far
    for name in sorted(names & {*chip.memories}):
        for place in all_of(chip, name):
            for ends in ((far, place), (place, far)):
                try:
                    chip.route(*ends)
                except InputError as error:
                    found += error.problems
    return found
