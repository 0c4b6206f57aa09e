"""Weights that a run would fetch more than once from off chip, and where on chip they stay after the first time.

A run fetches weights again for each group of images, for each operator that shares them, and for each tile of m
where its loops come back to them. Where a memory in which no operator has tiles has room beside the tensors at home,
the first LOAD leaves a copy there, and later ones come from it: for all of the run where it goes in groups, else for
as long as the operators need that read them. Mappings and rooms stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from accelsim.chip import Chip
from accelsim.chip.machine import copies
from accelsim.mapping.homes import touched_by
from accelsim.mapping.lifetimes import gaps_of, lives
from accelsim.mapping.mapping import Mapping as Tiles
from accelsim.mapping.mapping import geometry_of
from accelsim.mapping.parts import Plan
from accelsim.mapping.placement import place
from accelsim.mapping.rooms import Kept
from accelsim.mapping.tensors import operator_formats
from accelsim.mapping.tiles import WEIGHTS
from accelsim.workload import MacOperator, VectorOperator, Workload


class Again(NamedTuple):
    """Weights that are fetched ``times`` in a run, by ``readers``, numbers of operators with the same tiles of them.
    first, last: operators between which they are needed. size: bytes with each tile in whole ones."""

    readers: tuple[int, ...]
    first: int
    last: int
    size: int
    times: int

    @property
    def gain(self) -> float:
        """Bytes saved off chip for each byte kept, and operator for which it is."""
        return (self.times - 1) / (self.last + 1 - self.first)


def with_kept(chip: Chip, workload: Workload, chosen: Plan) -> Plan:
    """The Plan with weights kept where there is room, those first that save most off chip for what they take. It is
    the same where none are."""
    group, taken = chosen.group(workload), _Taken(chip, workload, chosen)
    rooms = dict(chosen.homes.rooms)
    found = sorted(_again(chip, workload, chosen), key=lambda one: (-one.gain, one.first))
    for one in found:
        for memory in taken.memories:
            low = taken.lowest(memory, one)
            if low is None:
                continue
            taken.take(memory, low, one)
            for number in one.readers:
                name = group.operators[number].name
                kept = Kept(memory, low, one.size, number != one.readers[0])
                rooms[name] = chosen.homes.room(name)._replace(kept=kept)
            break
    if rooms == chosen.homes.rooms:
        return chosen
    return replace(chosen, homes=replace(chosen.homes, rooms=rooms))


class _Taken:
    """Bytes of memories without tiles that homes and kept weights take, by operator."""

    def __init__(self, chip: Chip, workload: Workload, chosen: Plan) -> None:
        group, homes = chosen.group(workload), chosen.homes
        tiles: set[str] = set()
        for op in group.operators:
            tiles |= touched_by(chosen.side(chip, op.name), op).tiles
        self.memories = [
            name
            for name, memory in chip.memories.items()
            if memory.part == "sram" and copies(chip, memory) == 1 and name not in tiles
        ]
        self.chip = chip
        self.at = {
            name: [set[tuple[int, int]]() for _ in group.operators] for name in self.memories
        }
        for life, _ in lives(group, chosen.formats):
            stand = homes.at.get(life.name)
            if stand is not None and stand.memory in self.at:
                for number in range(life.first, life.last + 1):
                    self.at[stand.memory][number].add((stand.address, stand.address + stand.span))

    def lowest(self, memory: str, one: Again) -> int | None:
        """The first byte from which weights have room as long as they are needed."""
        between = self.at[memory][one.first : one.last + 1]
        gaps = gaps_of(set[tuple[int, int]]().union(*between), self.chip.memories[memory].size)
        return next((low for low, high in gaps if high - low >= one.size), None)

    def take(self, memory: str, low: int, one: Again) -> None:
        """Give weights their bytes."""
        for taken in self.at[memory][one.first : one.last + 1]:
            taken.add((low, low + one.size))


def _again(chip: Chip, workload: Workload, chosen: Plan) -> Iterator[Again]:
    """Weights that are fetched more than once."""
    group, turns = chosen.group(workload), chosen.turns(workload)
    readers: dict[str, list[tuple[int, MacOperator]]] = {}
    for number, op in enumerate(group.operators):
        if isinstance(op, VectorOperator) or not group.is_stored(op.weight):
            continue
        if chosen.side(chip, op.name).weights == "cold":
            readers.setdefault(op.weight, []).append((number, op))
    for some in readers.values():
        cuts, times = set[object](), 0
        for _, op in some:
            mapping, formats = chosen.mappings[op.name], operator_formats(op, chip)
            if not isinstance(mapping, Tiles):
                cuts.add(None)
                continue
            layout = place(
                chosen.side(chip, op.name),
                geometry_of(op),
                mapping,
                (*formats, chosen.formats[op.output]),
                0,
                None,
                chosen.homes.room(op.name),
            )
            cuts.add((mapping.n, mapping.k, op.groups, op.n, op.k, formats[1]))
            size = op.groups * layout.tiles.found[WEIGHTS]
            times += turns * _visits(mapping, layout.tiles.counts)
        if len(cuts) != 1 or None in cuts or times < 2:
            continue
        first, last = (0, len(group.operators) - 1) if turns > 1 else (some[0][0], some[-1][0])
        yield Again(tuple(number for number, _ in some), first, last, size, times)


def _visits(mapping: Tiles, counts: tuple[int, int, int]) -> int:
    """How often the loops over tiles fetch the weights: once for each tile of m that has others of n or k inside."""
    tiles = dict(zip("mnk", counts, strict=True))
    inside = mapping.order[mapping.order.index("m") + 1 :]
    back = any(tiles[axis] > 1 for axis in inside)
    return tiles["m"] if back and not mapping.weight_resident else 1
