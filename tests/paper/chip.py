"""A chip and two operators small enough for paper, with every constant of the chip file as a field.

The arithmetic of the tests next to this uses these fields and the tables' own rows, never the simulator's code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from math import ceil, exp, log
from pathlib import Path
from typing import Any

import accelsim
from accelsim.mapping.compile import plan
from accelsim.mapping.mapping import Mapping
from accelsim.workload import Gemm, TensorSpec, VectorOperator, Workload

TABLES = Path(accelsim.__file__).parent / "constants" / "tables"
TICKS = 10**12  # a second: 500 MHz and 250 MHz have picoseconds in common
M, K, N = 5, 8, 4  # two passes on a 4 x 4 array
ELEMENTS = 7  # of the vector operator


@dataclass(frozen=True)
class Constants:
    """What the chip file says. Sizes in bytes, widths in bits, times in seconds."""

    node: float = 22
    voltage: float = 0.8
    core: int = 500_000_000
    dma: int = 250_000_000
    bandwidth: float = 3e9
    efficiency: float = 0.7
    burst: int = 32
    latency: float = 33e-9
    background: float = 5e-3
    size: int = 8192
    banks: int = 2
    width: int = 64
    rows: int = 4
    columns: int = 4
    hop_registers: int = 1
    mac_latency: int = 2
    epilogue: int = 3
    location: str = "sram"
    count: int = 1
    lanes: int = 3
    vector_latency: int = 5
    setup: int = 5

    def chip(self, *more: str) -> accelsim.Chip:
        """The chip that the program makes of it."""
        scope = "private" if self.count > 1 else "shared"
        sram = f"size={self.size} B", f"banks={self.banks}", f"width={self.width} bit"
        parts = {name: sram for name in ("near", "held", "out")}
        overrides = [f"memories.{name}.{item}" for name, items in parts.items() for item in items]
        overrides += [f"memories.{name}.scope={scope}" for name in ("near", "held", "out")]
        overrides += [
            f"technology.node={self.node} nm",
            f"technology.voltage={self.voltage} V",
            f"clocks.core={self.core} Hz",
            f"clocks.dma={self.dma} Hz",
            f"memories.dram.bandwidth={self.bandwidth} B/s",
            f"memories.dram.efficiency={self.efficiency}",
            f"memories.dram.burst={self.burst} B",
            f"memories.dram.latency={self.latency * 1e9} ns",
            f"memories.dram.background={self.background * 1e3} mW",
            f"units.array.rows={self.rows}",
            f"units.array.columns={self.columns}",
            f"units.array.hop_registers={self.hop_registers}",
            f"units.array.mac_latency={self.mac_latency}",
            f"units.array.epilogue_latency={self.epilogue}",
            f"units.array.accumulator.location={self.location}",
            f"units.array.count={self.count}",
            f"units.vector.lanes={self.lanes}",
            f"units.vector.latency={self.vector_latency}",
            f"units.dma.setup={self.setup}",
        ]
        return accelsim.load_chip(str(Path(__file__).parent / "tiny.yaml"), [*overrides, *more])

    # -- times in ticks ------------------------------------------------------------------------

    @property
    def cycle(self) -> int:
        return TICKS // self.core

    @property
    def dma_cycle(self) -> int:
        return TICKS // self.dma

    @property
    def beat(self) -> int:
        """Ticks of one burst at the part of the peak that is reached, rounded up."""
        return ceil(self.burst / (self.bandwidth * self.efficiency) * TICKS)

    @property
    def flight(self) -> int:
        """Ticks from the end of a transfer to its last byte: whole cycles of the DMA engine."""
        return ceil(self.latency * self.dma) * self.dma_cycle

    def bursts(self, size: int) -> int:
        return ceil(size / self.burst)

    def port(self, size: int) -> int:
        """Ticks in which a buffer's port moves so many bytes: all banks side by side, whole cycles."""
        return ceil(size / (self.banks * self.width // 8)) * self.cycle


def gemm() -> Workload:
    """5 x 8 times 8 x 4, whose sums leave as they are."""
    shapes = {"x": ((M, K), "input"), "w": ((K, N), "weight"), "y": ((M, N), "output")}
    specs = {name: TensorSpec(name, shape, role) for name, (shape, role) in shapes.items()}
    return Workload("gemm", (Gemm("product", "x", "w", "y", M, K, N),), specs)


def addition() -> Workload:
    """Seven sums of two codes."""
    shape = (1, ELEMENTS)
    roles = {"a": "input", "b": "input", "y": "output"}
    specs = {name: TensorSpec(name, shape, role) for name, role in roles.items()}
    return Workload(
        "addition", (VectorOperator("sum", "add", ("a", "b"), "y", (shape, shape), shape),), specs
    )


def mapped(work: Workload) -> dict[str, Mapping] | None:
    """The whole product as one tile, whatever the chip."""
    if work.name != "gemm":
        return None
    chosen = plan(Constants().chip(), work).mappings["product"]
    assert isinstance(chosen, Mapping)
    whole = {"height": M, "n": N, "k": K, "input_resident": True, "weight_resident": True}
    return {"product": replace(chosen, **whole)}


def rows(name: str) -> list[dict[str, Any]]:
    """Rows of a table of constants."""
    found: list[dict[str, Any]] = json.loads((TABLES / f"{name}.json").read_text())["rows"]
    return found


def constant(key: str) -> dict[str, Any]:
    """A row of the component table."""
    return next(row for row in rows("components") if row["key"] == key)


def law(node: float, volts: float) -> float:
    """a V^2 + b V + c of the listed nodes around, in logarithms of node and value."""
    listed = {
        int(n): abc
        for n, abc in json.loads((TABLES / "scaling.json").read_text())["energy"].items()
    }
    below, above = max(n for n in listed if n <= node), min(n for n in listed if n >= node)
    low, high = (a * volts**2 + b * volts + c for a, b, c in (listed[below], listed[above]))
    along = 0.0 if below == above else log(node / below) / log(above / below)
    return exp((1 - along) * log(low) + along * log(high))


def smaller(node: float, of: float) -> float:
    """Area at a node over that at another."""
    listed = {
        int(n): part
        for n, part in json.loads((TABLES / "scaling.json").read_text())["area"].items()
    }

    def part(where: float) -> float:
        below, above = max(n for n in listed if n <= where), min(n for n in listed if n >= where)
        along = 0.0 if below == above else log(where / below) / log(above / below)
        return exp((1 - along) * log(listed[below]) + along * log(listed[above]))

    return part(node) / part(of)


def changed(**values: Any) -> Constants:
    """The chip with some constants changed."""
    assert set(values) <= {item.name for item in fields(Constants)}
    return Constants(**values)
