"""What the arrays of a chip share with one another: memories, DMA engines, vector units, LOADs, links.

Arrays are counted over all equal cores, core after core, so each instance of a memory or a unit works with some of
them in a row: all, those of one core, or one.
"""

from __future__ import annotations

from math import ceil

from accelsim.chip import Chip
from accelsim.chip.cores import template_of
from accelsim.chip.machine import all_of, beside, serving
from accelsim.chip.routes import Route
from accelsim.units.mac_array import MacArray


def engines(chip: Chip, name: str, arrays: int) -> int:
    """Instances of a unit that so many arrays, the first ones, work with."""
    return -(-arrays // serving(chip, name))


def loaded_together(chip: Chip, memory: str) -> int:
    """Arrays in a row that one LOAD of a tile that all need serves: those of one DMA engine or one instance of the
    memory, or all where a link takes one transfer to several."""
    if _multicast(chip, memory):
        return chip.array.count
    return max(serving(chip, chip.dma.name), serving(chip, memory))


def gathers(chip: Chip, array: MacArray) -> bool:
    """Whether sums of a split k must come to the vector unit that adds them. array: as many of the chip's as work."""
    several = array.split == "k" and engines(chip, chip.vector_unit.name, array.count) > 1
    return several and serving(chip, array.output) < chip.array.count


def adds_up(chip: Chip, array: MacArray) -> bool:
    """Whether sums of a split k can be added: none lies in accumulators from which it would have to go to another
    core."""
    return array.accumulator.location != "column" or not gathers(chip, array)


def lead(chip: Chip, memory: str, inward: int) -> int:
    """Cycles of a DMA engine beyond the bytes' own until the head of a transfer between an instance of a memory and
    the memory off the chip has passed the links on the way."""
    if not chip.links:
        return 0
    far = chip.far
    return _lead(chip, chip.route(far, memory) if inward else chip.route(memory, far))


def sending(chip: Chip, arrays: int) -> int:
    """How sums of other arrays come to the first one's memory: 0 where no link leads there in one transfer, else 1
    and the cycles of its head on the longest way."""
    first, *others = (beside(chip, chip.array.output, i) for i in range(arrays))
    ways = [chip.route(other, first) for other in dict.fromkeys(others) if other != first]
    if not all(len(way.hops) == 1 and way.ports for way in ways):
        return 0
    return 1 + max((_lead(chip, way) for way in ways), default=0)


def link_cycle(chip: Chip, memory: str, arrays: int, apart: bool) -> float:
    """Seconds for which a byte of a tile, from or to the memory off the chip, holds the busiest link. apart: whether
    arrays hold different tiles."""
    if not chip.links:
        return 0.0
    found: dict[str, float] = {}
    places = list(dict.fromkeys(beside(chip, memory, i) for i in range(arrays)))
    alone = apart or not _multicast(chip, memory)
    for place in places:
        for hop in chip.route(chip.far, place).hops:
            for port in hop.ports:
                link = chip.links[template_of(hop.link)]
                byte = 1 / (hop.width * chip.clocks[link.clock])
                found[port] = found.get(port, 0.0) * alone + byte / (len(places) if alone else 1)
    return max(found.values(), default=0.0)


def _multicast(chip: Chip, memory: str) -> bool:
    """Whether every way from off the chip to a memory takes one transfer to several."""
    if not chip.links:
        return False
    ways = [chip.route(chip.far, place) for place in all_of(chip, memory)]
    hops = [hop for way in ways for hop in way.hops if hop.link]
    return bool(hops) and all(hop.multicast for hop in hops)


def _lead(chip: Chip, way: Route) -> int:
    total = 0.0
    for hop in way.hops:
        if hop.lead:
            link = chip.links[template_of(hop.link)]
            total += (hop.lead - 1) * chip.clocks[chip.dma.clock] / chip.clocks[link.clock]
    return ceil(total - 1e-6)
