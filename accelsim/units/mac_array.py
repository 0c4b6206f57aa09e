"""A systolic or broadcast array of multiply-accumulate elements.

docs/timing.md derives the closed forms; the register-transfer model (accelsim/rtl) proves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats import FORMAT_NAMES, get
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Bounds, Cost, Counts, Unit

Ints = NDArray[np.int64]


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

    def slot_lag(self, dataflow: int) -> int:
        """Cycles after a MATMUL's release until its stationary slot may be overwritten.

        New values move down one row a cycle, partial sums take ``row_latency``: the slower data
        still needs the last row's old value (row_latency - 1) (rows - 1) cycles longer.
        """
        if self.structure == "broadcast" or dataflow == Dataflow.OUTPUT_STATIONARY:
            return 0
        return (self.row_latency - 1) * (self.rows - 1)

    @property
    def row_latency(self) -> int:
        """Cycles a partial sum needs to pass one row."""
        return self.hop_registers + self.mac_latency - 1

    def used(self, shapes: Shapes) -> tuple[Ints, Ints, Ints]:
        """(rows used, columns used, stream length) of each MATMUL or PRELOAD shape."""
        m, n, k = (shapes.extents[:, axis] for axis in range(3))
        flow = shapes.extents[:, 3]
        along_k, along_n = self._lanes(shapes)
        deep, wide = -(-k // along_k), -(-n // along_n)
        output = flow == Dataflow.OUTPUT_STATIONARY
        weight = flow == Dataflow.WEIGHT_STATIONARY
        rows = np.where(output, m, deep)
        columns = np.where(output | weight, wide, m)
        stream = np.where(output, deep * self.mac_latency, np.where(weight, m, wide))
        return rows, columns, stream

    def _lanes(self, shapes: Shapes) -> tuple[Ints, Ints]:
        """Products an element takes along k, and outputs it holds along n, by the shapes' rates."""
        pairs = np.stack([shapes.format_a, shapes.format_b], axis=1)
        along_k = np.full(len(pairs), self.dot, np.int64)
        along_n = np.full(len(pairs), self.simd, np.int64)
        for pair in {(int(a), int(b)) for a, b in pairs}:
            rate = self.rate(FORMAT_NAMES[pair[0]], FORMAT_NAMES[pair[1]])
            chosen = (pairs == pair).all(axis=1)
            (along_k if rate.along == "k" else along_n)[chosen] *= rate.factor
        return along_k, along_n

    def cost(self, shapes: Shapes) -> Cost:
        """Closed forms of docs/timing.md, one a dataflow and structure."""
        rows, columns, stream = self.used(shapes)
        output = shapes.extents[:, 3] == Dataflow.OUTPUT_STATIONARY
        deep = rows if self.bypass else np.full_like(rows, self.rows)
        if self.structure == "broadcast":
            tree = int(np.ceil(np.log2(self.rows * self.dot))) if self.rows * self.dot > 1 else 0
            first = np.where(output, stream + 1, self.mac_latency + tree)
            last = np.where(output, stream + deep, first + stream - 1)
            interval = np.where(output, stream + deep, stream)
            if self.stationary_depth > 1:
                interval = np.where(output, np.maximum(stream, deep), interval)
        else:
            moving_first = self.row_latency * deep
            moving_last = stream - 1 + moving_first + columns - 1
            held = np.maximum(stream, deep) if self.stationary_depth > 1 else stream
            held_first = held + self.rows if not self.bypass else held + deep
            held_last = held_first + deep + columns - 2
            held_interval = held if self.stationary_depth > 1 else stream + deep
            first = np.where(output, held_first, moving_first)
            last = np.where(output, held_last, moving_last)
            interval = np.where(output, held_interval, stream)
        fused = (shapes.flags & Flag.FUSED) != 0
        first = first + np.where(fused, self.epilogue_latency, 0)
        last = np.maximum(last, interval) + np.where(fused, self.epilogue_latency, 0)
        preload = shapes.opcode == Opcode.PRELOAD
        return Cost(*(np.where(preload, rows, column) for column in (interval, first, last)))

    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        """Counts of one execution.

        mac_<input>_<weight>: useful multiply-accumulates. register_bits: bits clocked into
        operand, partial-sum and stationary registers of the rows and columns used (every streamed
        value crosses each column or row of the tile once, every partial sum each row).
        accumulator_bits: bits read and written in accumulators outside the elements' own adders.
        requantize: outputs finished in the output pipeline. idle_slots: element-cycles inside the
        interval without useful work.
        """
        m, n, k = (shapes.extents[:, axis].astype(np.float64) for axis in range(3))
        flow = shapes.extents[:, 3]
        matmul = shapes.opcode == Opcode.MATMUL
        fused = matmul & ((shapes.flags & Flag.FUSED) != 0)
        macs = np.where(matmul, m * n * k, 0.0)
        bits_a, bits_b = (self._bits(column) for column in (shapes.format_a, shapes.format_b))
        rows, columns, _ = self.used(shapes)
        output = flow == Dataflow.OUTPUT_STATIONARY
        weight = flow == Dataflow.WEIGHT_STATIONARY
        stream_a = m * k * bits_a * np.where(output | weight, columns, 0)
        stream_b = k * n * bits_b * np.where(output, rows, np.where(weight, 0, columns))
        sums = m * n * rows * self.accumulator.bits
        held_a = m * k * bits_a * np.where(matmul | weight, 0, rows)
        held_b = k * n * bits_b * np.where(matmul, 0, np.where(weight, rows, 0))
        registers = np.where(matmul, stream_a + stream_b + sums, held_a + held_b)
        first = (shapes.flags & Flag.FIRST_K) != 0
        touches = np.where(first, 0.0, 1.0) + np.where(fused, 0.0, 1.0)
        column = self.accumulator.location == "column"
        along_k, along_n = self._lanes(shapes)
        capacity = self.cost(shapes).interval * self.rows * self.columns * (along_k * along_n)
        counts: dict[str, Counts] = {
            "register_bits": registers,
            "accumulator_bits": np.where(matmul & column, touches * m * n, 0.0)
            * self.accumulator.bits,
            "requantize": np.where(fused, m * n, 0.0),
            "idle_slots": np.where(matmul, capacity - macs, 0.0),
        }
        pairs = np.stack([shapes.format_a, shapes.format_b], axis=1)
        for a, b in sorted({(int(a), int(b)) for a, b in pairs}):
            name = f"mac_{FORMAT_NAMES[a]}_{FORMAT_NAMES[b]}"
            counts[name] = np.where((pairs == (a, b)).all(axis=1), macs, 0.0)
        return counts

    @staticmethod
    def _bits(column: Ints) -> Counts:
        widths = np.array([get(name).bits for name in FORMAT_NAMES], np.float64)
        return widths[column]

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
