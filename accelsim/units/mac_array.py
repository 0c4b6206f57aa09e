"""A systolic or broadcast array of multiply-accumulate elements.

docs/timing.md derives the closed forms; the register-transfer model (accelsim/rtl) proves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar, Literal

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
