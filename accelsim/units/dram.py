"""Off-chip memory as one shared port: bandwidth, latency, burst, a stated efficiency.

Banks, rows and refresh come as a stateful unit; until then ``efficiency`` stands for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from accelsim.units.base import Bounds, Quantity


@dataclass(frozen=True, slots=True)
class Dram:
    """bandwidth: peak, bytes a second. latency: seconds from request to last byte beyond the
    transfer itself. burst: bytes of the smallest transfer. efficiency: the part of the peak that
    is reached. standard: row of the energy table (pJ a bit). background: standby and refresh
    power, W; we have no sourced figure, so it is 0 unless the chip file gives one."""

    kind: ClassVar[str] = "dram"
    name: str
    bandwidth: Annotated[float, Quantity("B/s"), Bounds(1.0, 1e15)]
    standard: str
    size: Annotated[int, Quantity("B"), Bounds(1)] = 4 << 30
    latency: Annotated[float, Quantity("s"), Bounds(0.0, 1.0)] = 100e-9
    burst: Annotated[int, Quantity("B"), Bounds(1, 1 << 20)] = 64
    efficiency: Annotated[float, Bounds(0.01, 1.0)] = 1.0
    background: Annotated[float, Quantity("W"), Bounds(0.0, 1e4)] = 0.0
    arbiter: Literal["round_robin", "first_come", "priority"] = "round_robin"
    quantum: Annotated[int, Bounds(1, 1 << 20)] = 16

    def timed(self) -> Dram:
        """Without what only joules depend on."""
        return replace(self, standard="", background=0.0)
