"""A systolic or broadcast array of multiply-accumulate elements.

docs/timing.md derives the closed forms; the register-transfer model (accelsim/rtl) proves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar, Literal

from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.program.opcodes import Opcode
from accelsim.units.base import Bounds, Unit


class Dataflow(IntEnum):
    """Which operand stays in the elements during a pass."""

    OUTPUT_STATIONARY = 0  # rows hold m, columns hold n, k streams
    WEIGHT_STATIONARY = 1  # rows hold k, columns hold n, m streams
    INPUT_STATIONARY = 2  # rows hold k, columns hold m, n streams


DATAFLOW_NAMES = tuple(flow.name.lower() for flow in Dataflow)


@dataclass(frozen=True, slots=True)
class Rate:
    """A pair of operand formats that the array runs, and how many times faster than one
    element per cycle: ``factor`` more products an element and cycle along ``along`` (k or n)."""

    input: str
    weight: str
    factor: Annotated[int, Bounds(1, 64)] = 1
    along: Literal["k", "n"] = "k"


@dataclass(frozen=True, slots=True)
class Accumulator:
    """bits: width. overflow: what happens at every add. location: where sums over several passes
    live (in the element, in a register file under each column, in the output memory).
    depth: entries a column, for location "column"."""

    bits: Annotated[int, Bounds(4, 64)] = 32
    overflow: Literal["wrap", "saturate"] = "wrap"
    location: Literal["element", "column", "sram"] = "sram"
    depth: Annotated[int, Bounds(1, 1 << 20)] = 1024


@dataclass(frozen=True, slots=True)
class MacArray(Unit):
    """``count`` identical arrays of ``rows`` x ``columns`` elements.

    dot: products an element adds along k each cycle. simd: outputs an element holds side by side
    along n. stationary_depth: stationary tiles an element holds (1: no double buffering).
    hop_registers: registers a vertical hop. mac_latency: cycles of one multiply-accumulate.
    bypass: partial sums leave at the last used row instead of crossing all rows.
    split: the dimension dealt to the instances. fused_epilogue: bias, requantisation and clamp
    run in the output pipeline, ``epilogue_latency`` cycles deep, instead of on the vector unit.

    Shape extents: MATMUL and PRELOAD (m, n, k, Dataflow) of the tile; PRELOAD has 0 for the
    streamed dimension.
    """

    kind: ClassVar[str] = "mac_array"
    opcodes: ClassVar[tuple[Opcode, ...]] = (Opcode.PRELOAD, Opcode.MATMUL)
    name: str
    clock: str
    rows: Annotated[int, Bounds(1, 65536)]
    columns: Annotated[int, Bounds(1, 65536)]
    input: str
    weight: str
    output: str
    rates: tuple[Rate, ...]
    count: Annotated[int, Bounds(1, 1024)] = 1
    split: Literal["m", "n", "k"] = "n"
    dataflow: Literal["output_stationary", "weight_stationary", "input_stationary"] = (
        "weight_stationary"
    )
    structure: Literal["systolic", "broadcast"] = "systolic"
    dot: Annotated[int, Bounds(1, 1024)] = 1
    simd: Annotated[int, Bounds(1, 1024)] = 1
    accumulator: Accumulator = Accumulator()
    stationary_depth: Annotated[int, Bounds(1, 4096)] = 2
    hop_registers: Annotated[int, Bounds(1, 64)] = 1
    mac_latency: Annotated[int, Bounds(1, 64)] = 1
    bypass: bool = False
    zero_gating: bool = False
    fused_epilogue: bool = True
    epilogue_latency: Annotated[int, Bounds(0, 1024)] = 4

    def rate(self, input_format: str, weight_format: str) -> Rate:
        """The rate of a format pair; InputError with the choices when the array has none."""
        for rate in self.rates:
            if (rate.input, rate.weight) == (input_format, weight_format):
                return rate
        pairs = ", ".join(f"{rate.input} x {rate.weight}" for rate in self.rates)
        raise InputError(
            Problem(
                "mac_array.format",
                f"{self.name} does not multiply {input_format} x {weight_format}",
                f"write one of: {pairs}",
            )
        )

    def pass_limits(self, dataflow: int, rate: Rate) -> tuple[int, int, int]:
        """Largest (m, n, k) tile of one pass; 0 for the dimension that streams."""
        along_k = self.dot * (rate.factor if rate.along == "k" else 1)
        along_n = self.simd * (rate.factor if rate.along == "n" else 1)
        if dataflow == Dataflow.OUTPUT_STATIONARY:
            return self.rows, self.columns * along_n, 0
        if dataflow == Dataflow.WEIGHT_STATIONARY:
            return 0, self.columns * along_n, self.rows * along_k
        return self.columns, 0, self.rows * along_k

    @property
    def register_bytes(self) -> int:
        """Bytes of the stationary registers of one instance, all depths, widest rate."""
        lanes = max(rate.factor * max(get(rate.input).bits, get(rate.weight).bits)
                    for rate in self.rates)  # fmt: skip
        elements = self.rows * self.columns * self.dot * self.simd
        return -(-elements * lanes * self.stationary_depth // 8)

    @property
    def accumulator_bytes(self) -> int:
        """Bytes of the column accumulators of one instance, widest rate along n."""
        along_n = max(rate.factor if rate.along == "n" else 1 for rate in self.rates)
        lanes = self.columns * self.simd * along_n
        return -(-lanes * self.accumulator.depth * self.accumulator.bits // 8)
