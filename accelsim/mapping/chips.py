"""What a chip file can say and no mapping uses yet: refused, never left aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.chip import Chip
from accelsim.chip.cores import local, scope_of
from accelsim.chip.machine import all_of
from accelsim.errors import InputError, Problem

PARTS = ("mac_array", "crossbar", "vector_unit", "dma")
Refused = Iterator[tuple[str, str, str]]


def unmapped(chip: Chip) -> list[Problem]:
    """Keys of the chip that no Program would make use of, and links on which no way leads to a buffer."""
    found = [*_several(chip), *_queues(chip)] or [*_levels(chip), *_cores(chip)]
    problems = [
        Problem("mapping.chip", f"{message} yet", fix, path=path, file=chip.source)
        for path, message, fix in found
    ]
    return problems or _routes(chip)


def path_of(name: str, section: str) -> str:
    """Where the chip's file has something: "core.array" among units is "cores.core.units.array"."""
    scope = scope_of(name)
    outer = "".join(f"cores.{part}." for part in scope.split(".")) if scope else ""
    return f"{outer}{section}.{local(name)}"


def _several(chip: Chip) -> Refused:
    for part in PARTS:
        units = chip.parts(part)
        if len(units) > 1:
            names = ", ".join(unit.name for unit in units)
            message = (
                f"{names} are {len(units)} units of part {part}, and no mapping uses more than one"
            )
            fix = "leave all but one out, or write one, in one core of a count"
            yield path_of(units[1].name, "units"), message, fix


def _queues(chip: Chip) -> Refused:
    engines: Any = chip.parts("dma")
    for unit in engines:
        if unit.queues != 1:
            message = "no mapping keeps several commands of a DMA engine outstanding"
            yield f"{path_of(unit.name, 'units')}.queues", message, "leave queues out"


def _levels(chip: Chip) -> Refused:
    for name, memory in chip.memories.items():
        far = memory.behind
        if far and chip.memories[far].part == "dram" and far != chip.dma.memory:
            message = f"{name} is filled from {far}, and no mapping fills it but from the DMA engine's memory"
            yield f"{path_of(name, 'memories')}.behind", message, "leave the key out"


def _cores(chip: Chip) -> Refused:
    """Cores that are not equal, or do not serve the same arrays."""
    if chip.core_weights:
        message = "no mapping tells cores with resident weights from others"
        yield "weights", message, "write weights: cold, or resident"
    (unit, engine), crossbars = (chip.vector_unit, chip.dma), chip.parts("crossbar")
    if any(chip.standing(crossbar.name) > 1 for crossbar in crossbars):
        message = "no mapping shares a network out over cores of crossbars"
        fix = "write the crossbars at the top of the file, with count"
        yield path_of(crossbars[0].name, "units"), message, fix
        return
    arrays = chip.parts("mac_array") or crossbars
    around = f"{scope_of(arrays[0].name)}."
    for served in (unit, engine):
        scope = scope_of(served.name)
        if scope and not around.startswith(f"{scope}."):
            message = f"{served.name} stands in another core than {arrays[0].name}, and no mapping uses it there"
            fix = f"write it in the core of {arrays[0].name}, or at the top of the file"
            yield path_of(served.name, "units"), message, fix
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
    names = {chip.vector_unit.input, chip.vector_unit.output}
    for part in ("mac_array", "crossbar"):
        for unit in chip.parts(part):
            names |= {
                str(getattr(unit, key))
                for key in ("input", "weight", "output")
                if hasattr(unit, key)
            }
    far = chip.dma.memory
    for name in sorted(names & {*chip.memories}):
        for place in all_of(chip, name):
            for ends in ((far, place), (place, far)):
                try:
                    chip.route(*ends)
                except InputError as error:
                    found += error.problems
    return found
