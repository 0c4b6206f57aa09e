"""DMA engine: three channels (input, weight, output) that share the off-chip port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Annotated, ClassVar, Self

import numpy as np

from accelsim.constants.price import CHIP, Price, row_price
from accelsim.constants.technology import Technology
from accelsim.fields import LATER
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Bounds, Cost, Counts, Instance, Memory, Prices, Unit


@dataclass(frozen=True, slots=True)
class Dma(Unit):
    """Moves tiles between an off-chip memory and the buffers, and from one buffer to another.

    Shape extents: (bytes, 1 where both ends are on chip). The transfer time is the ports'; the unit itself
    is busy ``setup`` cycles, and the last byte arrives ``setup + memory_latency`` cycles after the issue when
    the ports keep up, ``setup`` cycles after it on chip. memory_latency (cycles of this clock) is filled in from
    the memory's latency.
    memory: off the chip; a chip file may leave it out where there is one. queues: commands outstanding
    at once.
    """

    kind: ClassVar[str] = "dma"
    part: ClassVar[str] = "dma"
    opcodes: ClassVar[tuple[Opcode, ...]] = (Opcode.LOAD, Opcode.STORE, Opcode.TRANSFER)
    channels: ClassVar[tuple[str, ...]] = ("input", "weight", "output")
    given: ClassVar[tuple[str, ...]] = ("memory_latency",)
    name: str
    clock: str
    memory: str = ""
    count: Annotated[int, Bounds(1, 1)] = 1
    setup: Annotated[int, Bounds(0, 1 << 20)] = 0
    memory_latency: int = 0
    queues: Annotated[int, Bounds(1, 64)] = field(default=1, metadata=LATER)

    def instances(self) -> Iterator[Instance]:
        for channel in self.channels:
            yield Instance(f"{self.name}.{channel}", self.name, self.opcodes)

    def caption(self) -> tuple[str, ...]:
        of = f"DMA of {self.memory.rpartition('.')[2]}"
        return (of, f"{self.queues} queues") if self.queues > 1 else (of,)

    def within(self, clocks: Mapping[str, int], memories: Mapping[str, Memory]) -> Self:
        latency = getattr(memories[self.memory], "latency", 0.0)
        return replace(self, memory_latency=ceil(latency * clocks[self.clock] - 1e-6))

    def prices(self, technology: Technology) -> Prices:
        """Control has no sourced constant, wires have."""
        none = Price(0.0, 0.0, CHIP, "not charged: no sourced constant")
        bus = row_price(technology, "isaac_32nm/bus/bit", CHIP)
        return {(self.name, "transfer"): none, (self.name, "bus_bits"): bus}

    def cost(self, shapes: Shapes) -> Cost:
        rows = len(shapes.opcode)
        interval = np.full(rows, self.setup, np.int64)
        last = self.setup + np.where(shapes.extents[:, 1] == 0, self.memory_latency, 0)
        return Cost(interval, last.copy(), last)

    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        """transfer: one a command. bus_bits: bits carried between the interface and a buffer, of which
        the rest of a burst goes no further than the interface."""
        bits = 8.0 * shapes.extents[:, 0].astype(np.float64)
        return {"transfer": np.ones(len(shapes.opcode)), "bus_bits": bits}
