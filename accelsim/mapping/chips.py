"""What a chip file can say and no mapping uses yet: refused, never left aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.chip import Chip
from accelsim.errors import Problem

PARTS = ("mac_array", "crossbar", "vector_unit", "dma")


def unmapped(chip: Chip) -> list[Problem]:
    """Keys of the chip that no Program would make use of; of one with cores, only these."""
    whole = [] if chip.templates else [*_several(chip), *_queues(chip), *_levels(chip)]
    return [
        Problem("mapping.chip", f"{message} yet", fix, path=path, file=chip.source)
        for path, message, fix in (*_cores(chip), *_links(chip), *whole)
    ]


def _cores(chip: Chip) -> Iterator[tuple[str, str, str]]:
    for template in chip.templates.values():
        if "." not in template.name:
            message = "no mapping shares a network out over cores"
            fix = "write the memories and units of one core at the top of the file to run that"
            yield f"cores.{template.name}", message, fix
    if chip.core_weights:
        message = "no mapping tells cores with resident weights from others"
        yield "weights", message, "write weights: cold, or resident"


def _links(chip: Chip) -> Iterator[tuple[str, str, str]]:
    for name in chip.links:
        if "." not in name:
            message = "no mapping sends tiles over links"
            yield f"links.{name}", message, "leave it out, so that memories meet directly"


def _several(chip: Chip) -> Iterator[tuple[str, str, str]]:
    for part in PARTS:
        units = chip.parts(part)
        if len(units) > 1:
            names = ", ".join(unit.name for unit in units)
            message = (
                f"{names} are {len(units)} units of part {part}, and no mapping uses more than one"
            )
            fix = f"leave all but one out, or write one {part} with count"
            fix = fix if part in ("mac_array", "crossbar") else "leave all but one out"
            yield f"units.{units[1].name}", message, fix


def _queues(chip: Chip) -> Iterator[tuple[str, str, str]]:
    engines: Any = chip.parts("dma")
    for unit in engines:
        if unit.queues != 1:
            message = "no mapping keeps several commands of a DMA engine outstanding"
            yield f"units.{unit.name}.queues", message, "leave queues out"


def _levels(chip: Chip) -> Iterator[tuple[str, str, str]]:
    for name, memory in chip.memories.items():
        if memory.behind and chip.memories[memory.behind].part == "dram":
            message = f"{name} is filled from {memory.behind}, and no mapping fills it but from the DMA engine's memory"
            yield f"memories.{name}.behind", message, "leave the key out"
