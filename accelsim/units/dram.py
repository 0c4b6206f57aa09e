"""Off-chip memory as one shared port: bandwidth, latency, burst, a stated efficiency.

Banks, rows and refresh come as a stateful unit; until then ``efficiency`` stands for them. A piece that
is contiguous off chip is moved in whole bursts: those that it touches, by its own address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated, ClassVar, Literal

from accelsim.constants.price import CHIP, Price, row_value
from accelsim.constants.rows import components
from accelsim.constants.technology import Technology
from accelsim.errors import InputError, Problem
from accelsim.fields import binary
from accelsim.units.base import Bounds, Memory, Prices, Quantity

LONGEST_BEAT = 1 << 53  # ticks of one burst


@dataclass(frozen=True, slots=True)
class Dram(Memory):
    """bandwidth: peak, bytes a second. latency: seconds from request to last byte beyond the
    transfer itself. burst: bytes of the smallest transfer. efficiency: the part of the peak that
    is reached. standard: row of the energy table (pJ a bit). background: standby and refresh
    power, W; we have no sourced figure, so it is 0 unless the chip file gives one."""

    kind: ClassVar[str] = "dram"
    part: ClassVar[str] = "dram"
    scope: ClassVar[str] = "shared"  # type: ignore[misc]
    sides: ClassVar[tuple[str, ...]] = ("port",)
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

    def caption(self) -> tuple[str, ...]:
        return (f"{self.standard}, {binary(self.size)}", f"{self.bandwidth / 1e9:.4g} GB/s")

    def timed(self) -> Dram:
        """Without what only joules depend on; its speed is one number."""
        rate = self.bandwidth * self.efficiency
        return replace(self, standard="", background=0.0, bandwidth=rate, efficiency=1.0)

    def beat(self, ticks: int, clocks: Mapping[str, int]) -> tuple[int, int]:
        """InputError for a burst that takes more than LONGEST_BEAT ticks."""
        rate = self.bandwidth * self.efficiency
        beat = ceil(self.burst / rate * ticks - 1e-6)
        if beat > LONGEST_BEAT:
            raise InputError(
                Problem(
                    "chip.beat",
                    f"a burst of {self.burst} B at {rate:g} B/s takes {self.burst / rate:.3g} s, "
                    f"more than {LONGEST_BEAT} ticks of {ticks:g} Hz",
                    "raise the bandwidth or lower the burst",
                    f"memories.{self.name}.bandwidth",
                )
            )
        return self.burst, beat

    def prices(self, technology: Technology, copies: int) -> Prices:
        key = f"dram/{self.standard}/bit"
        if key not in components():
            raise InputError(
                Problem(
                    "energy.dram",
                    f"no energy row for the standard {self.standard!r}",
                    "write one of " + ", ".join(standards()),
                    path=f"memories.{self.name}.standard",
                )
            )
        joules, band = row_value(technology, key)
        price = Price(joules, band, CHIP, key)
        found = {(self.name, action): price for action in ("read_bit", "write_bit")}
        if self.background:
            source = f"the chip file: memories.{self.name}.background"
            found[self.name, "background_second"] = Price(self.background, 0.0, CHIP, source)
        return found


def standards() -> tuple[str, ...]:
    """Off-chip memory standards with an energy row."""
    return tuple(sorted(key.split("/")[1] for key in components() if key.startswith("dram/")))


def bursts_touched(start: int, length: int, count: int, pitch: int, burst: int) -> int:
    """Bursts of ``burst`` bits that pieces of ``length`` > 0 bits touch: ``count`` > 0 of them, the
    first at bit ``start`` >= 0 of the memory, each ``pitch`` >= 0 bits behind the one before; every
    piece for itself."""
    first, step = start % burst, pitch % burst  # whole bursts change nothing
    ends = sum_of_floors(count, step, first + length - 1, burst)
    return count + ends - sum_of_floors(count, step, first, burst)


def sum_of_floors(count: int, step: int, first: int, divisor: int) -> int:
    """Sum of floor((first + i step) / divisor) over i below count: Euclid's algorithm, which counts
    the lattice points under the line by rows where that is shorter than by columns."""
    total, n, a, b, m = count * (first // divisor), count, step, first % divisor, divisor
    while True:
        total += n * (n - 1) // 2 * (a // m) + n * (b // m)
        a, b = a % m, b % m
        top = a * n + b
        if top < m:
            return total
        n, b = top // m, top % m
        a, m = m, a
