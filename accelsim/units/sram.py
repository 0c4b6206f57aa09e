"""On-chip SRAM: capacity, ports, and what an access costs in actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from accelsim.units.base import Bounds, Quantity


@dataclass(frozen=True, slots=True)
class Sram:
    """A buffer of ``banks`` banks, each ``width`` bits a cycle; no bank conflicts are modelled.

    size: bytes, all banks of one instance. ports: "separate" gives one read and one write port,
    "shared" one port for both. buffering: "double" keeps two tiles of each streamed tensor so
    that a load overlaps the work on the other, "single" keeps one. scope: "shared" is one
    instance for all arrays, "private" one for each array instance.
    quantum: beats granted at a time when several requesters share a port.
    """

    kind: ClassVar[str] = "sram"
    name: str
    size: Annotated[int, Quantity("B"), Bounds(1)]
    clock: str
    banks: Annotated[int, Bounds(1, 4096)] = 1
    width: Annotated[int, Quantity("bit"), Bounds(8, 1 << 20)] = 64
    ports: Literal["separate", "shared"] = "separate"
    buffering: Literal["single", "double"] = "double"
    scope: Literal["shared", "private"] = "shared"
    arbiter: Literal["round_robin", "first_come", "priority"] = "round_robin"
    quantum: Annotated[int, Bounds(1, 1 << 20)] = 16

    @property
    def bytes_per_cycle(self) -> int:
        """Bytes that one port moves a cycle."""
        return max(1, self.banks * self.width // 8)

    def timed(self) -> Sram:
        """All of it: sizes, widths and ports decide Programs and times."""
        return self
