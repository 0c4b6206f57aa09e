"""On-chip SRAM: capacity, ports, and what an access costs in actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, Self

from accelsim.constants.price import CORE, AreaRow, Price
from accelsim.constants.sram import sram_cost
from accelsim.constants.technology import Technology
from accelsim.errors import InputError
from accelsim.fields import LATER, binary
from accelsim.units.base import Bounds, Memory, Prices, Quantity

STEP = 1024  # bytes that a buffer is enlarged by
MOST_BANKS = 4096


@dataclass(frozen=True, slots=True)
class Sram(Memory):
    """A buffer of ``banks`` banks, each ``width`` bits a cycle; no bank conflicts are modelled.

    size: bytes, all banks of one instance. ports: "separate" gives one read and one write port,
    "shared" one port for both. buffering: "double" keeps two tiles of each streamed tensor so
    that a load overlaps the work on the other, "single" keeps one. scope: "shared" is one
    instance for all arrays, "private" one for each array instance.
    quantum: beats granted at a time when several requesters share a port. behind: the memory that
    it is filled from and spilled to; "": the one of the DMA engine.
    """

    kind: ClassVar[str] = "sram"
    part: ClassVar[str] = "sram"
    name: str
    size: Annotated[int, Quantity("B"), Bounds(1)]
    clock: str
    banks: Annotated[int, Bounds(1, MOST_BANKS)] = 1
    width: Annotated[int, Quantity("bit"), Bounds(8, 1 << 20)] = 64
    ports: Literal["separate", "shared"] = "separate"
    buffering: Literal["single", "double"] = "double"
    scope: Literal["shared", "private"] = "shared"
    arbiter: Literal["round_robin", "first_come", "priority"] = "round_robin"
    quantum: Annotated[int, Bounds(1, 1 << 20)] = 16
    behind: str = field(default="", metadata=LATER)

    @property
    def bytes_per_cycle(self) -> int:
        """Bytes that one port moves a cycle."""
        return max(1, self.banks * self.width // 8)

    def caption(self) -> tuple[str, ...]:
        banks = f"{self.banks} x {self.width} bit" if self.banks > 1 else f"{self.width} bit"
        return binary(self.size), banks

    def timed(self) -> Sram:
        """All of it: sizes, widths and ports decide Programs and times."""
        return self

    @property
    def sides(self) -> tuple[str, ...]:
        return ("read", "write") if self.ports == "separate" else ("port",)

    def beat(self, ticks: int, clocks: Mapping[str, int]) -> tuple[int, int]:
        return self.bytes_per_cycle, ticks // clocks[self.clock]

    def prices(self, technology: Technology, copies: int) -> Prices:
        tech = technology
        try:
            cost = sram_cost(
                self.size,
                self.banks,
                self.width,
                tech.node_nm,
                tech.voltage,
                tech.sram_device,
                tech.temperature,
            )
        except InputError as error:
            raise InputError(
                replace(problem, path=problem.path or f"memories.{self.name}.size")
                for problem in error.problems
            ) from None
        read, write = (
            Price(joules / self.width, cost.energy_band, CORE, cost.source)
            for joules in (cost.read, cost.write)
        )
        watts = cost.leakage * self.banks * copies
        return {
            (self.name, "read_bit"): read,
            (self.name, "write_bit"): write,
            (self.name, "leakage_second"): Price(watts, cost.leakage_band, CORE, cost.source),
        }

    def areas(self, technology: Technology, copies: int) -> list[AreaRow]:
        tech = technology
        cost = sram_cost(
            self.size, self.banks, self.width, tech.node_nm, tech.voltage, tech.sram_device
        )
        area = cost.area * self.banks * copies
        return [AreaRow(self.name, "banks", area, cost.area_band, cost.source)]

    def enlarged(self, factor: float) -> Self:
        """In banks as large as before where they are several."""
        return replace(
            self,
            size=STEP * max(1, min(1 << 40, round(self.size * factor / STEP))),
            banks=max(1, min(MOST_BANKS, round(self.banks * factor))),
        )
