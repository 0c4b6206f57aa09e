"""What an operator's tiles may take of the on-chip memories, and which of its tensors it reads where they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from accelsim.chip import Chip

KEPT = 256  # chips of other rooms that a chip keeps


class Kept(NamedTuple):
    """Bytes of a memory on chip in which tiles of weights stay that were fetched once from off chip. there: whether
    another operator has brought them."""

    memory: str
    address: int
    span: int
    there: bool = False


class Room(NamedTuple):
    """parts: (memory, first byte, bytes) of memories that the operator's tiles have only a part of. here: inputs,
    by number, that are read where they stand, without a LOAD or a slot. on_chip: inputs, and last the output, by
    number, that are at home on chip. once: whether an input from off the chip stays in its buffer, where that has
    room, until all of it was used. kept: where its stored weights stay, none where each LOAD comes from their home."""

    parts: tuple[tuple[str, int, int], ...] = ()
    here: tuple[int, ...] = ()
    on_chip: tuple[int, ...] = ()
    once: bool = False
    kept: Kept | None = None

    def base(self, memory: str) -> int:
        """First byte of a memory that tiles may take."""
        return next((base for name, base, _ in self.parts if name == memory), 0)

    def of(self, chip: Chip) -> Chip:
        """The chip with memories of these sizes, for which the operator is tiled."""
        if not self.parts:
            return chip
        held: dict[object, Chip] = chip.memo.setdefault("rooms", {})
        sizes = tuple((name, size) for name, _, size in self.parts)
        found = held.get(sizes)
        if found is None:
            if len(held) >= KEPT:
                held.clear()
            smaller = {name: replace(chip.memories[name], size=size) for name, size in sizes}  # type: ignore[type-var]
            found = held[sizes] = replace(chip, memories={**chip.memories, **smaller})
        return found


UNDIVIDED = Room()
