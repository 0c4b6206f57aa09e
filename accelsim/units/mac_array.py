"""A systolic or broadcast array of multiply-accumulate elements.

docs/timing.md derives the closed forms; the register-transfer model (accelsim/rtl) proves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from accelsim.constants.price import AreaRow
from accelsim.constants.technology import Technology
from accelsim.errors import InputError, Problem
from accelsim.fields import Names, Quantity
from accelsim.formats import FORMAT_NAMES, FORMATS, Integer, get
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Shapes
from accelsim.units.accumulation import Accumulation, Adder, adder
from accelsim.units.array_rules import array_rules
from accelsim.units.base import (
    Around,
    Bounds,
    Cost,
    Counts,
    Instance,
    Precision,
    Prices,
    Rule,
    Unit,
    instance_names,
)
from accelsim.units.dataflows import (
    Chosen,
    Dataflow,
    Work,
    dataflow,
    dataflow_named,
    dataflow_names,
)
from accelsim.units.mac_arithmetic import fit
from accelsim.units.mac_costs import array_areas, array_prices
from accelsim.units.mac_counts import counts
from accelsim.workload import Operator, VectorOperator

Ints = NDArray[np.int64]
LARGEST_SIDE = 65536  # rows or columns


@dataclass(frozen=True, slots=True)
class Accumulator:
    """bits: width. overflow: what happens at every add. location: where sums over several passes
    live (in the element, in a register file under each column, in the output memory).
    depth: entries a column, for location "column".

    format: of the sums, instead of an integer of ``bits`` (which follow from it); chunk, rounding,
    product, random_bits, seed and result as units.accumulation has them. A float takes its own overflow
    where "wrap" stands.
    """

    bits: Annotated[int, Bounds(4, 64)] = 32
    overflow: Literal["wrap", "saturate", "infinity", "nan"] = "wrap"
    location: Literal["element", "column", "sram"] = "sram"
    depth: Annotated[int, Bounds(1, 1 << 20)] = 1024
    format: str = ""
    chunk: Annotated[int, Bounds(0, 1 << 30)] = 0
    rounding: str = "nearest_even"
    product: str = "exact"
    random_bits: Annotated[int, Bounds(1, 16)] = 12
    seed: Annotated[int, Bounds(0, 1 << 62)] = 0
    result: str = ""

    def __post_init__(self) -> None:
        if self.format in FORMATS:
            object.__setattr__(self, "bits", FORMATS[self.format].bits)

    @property
    def accumulation(self) -> Accumulation:
        """The same as units.accumulation takes it."""
        over = (
            ""
            if self.overflow == "wrap" and not isinstance(get(self.format), Integer)
            else self.overflow
        )
        return Accumulation(
            self.format,
            self.chunk,
            self.rounding,
            self.product,
            over,
            self.random_bits,
            self.seed,
            self.result,
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """A pair of operand formats that the array runs, and how many times faster than one
    element per cycle: ``factor`` more products an element and cycle along ``along`` (k or n).
    accumulator: of this pair, where it is not the array's; a chip whose precision is the pair has it."""

    input: str
    weight: str
    factor: Annotated[int, Bounds(1, 64)] = 1
    along: Literal["k", "n"] = "k"
    accumulator: Accumulator | None = None


@dataclass(frozen=True, slots=True)
class Scratchpads:
    """Words that every element keeps beside its multiplier: of filters, of inputs, of sums. bus: bits a cycle
    on which filters come to all of them."""

    filter: Annotated[int, Bounds(1, 1 << 20)]
    input: Annotated[int, Bounds(1, 1 << 20)]
    sums: Annotated[int, Bounds(1, 1 << 20)]
    bus: Annotated[int, Quantity("bit"), Bounds(1, 1 << 20)]


def _holds(multiplier: str, operand: str) -> bool:
    wide, narrow = get(multiplier), get(operand)
    return isinstance(wide, Integer) and isinstance(narrow, Integer) and wide.holds(narrow)


@dataclass(frozen=True, slots=True)
class MacArray(Unit):
    """``count`` identical arrays of ``rows`` x ``columns`` elements.

    dot: products an element adds along k each cycle. simd: outputs an element holds side by side
    along n. stationary_depth: stationary tiles an element holds (1: no double buffering).
    hop_registers: registers a vertical hop. mac_latency: cycles of one multiply-accumulate.
    bypass: partial sums leave at the last used row instead of crossing all rows.
    split: the dimension dealt to the instances. fused_epilogue: bias, requantisation and clamp
    run in the output pipeline, ``epilogue_latency`` cycles deep, instead of on the vector unit.
    scratchpads: what elements of a dataflow that needs them keep.

    Shape extents: MATMUL and PRELOAD (m, n, k, dataflow, exit row) of the tile; PRELOAD has 0 for
    the streamed dimension. exit row: with ``bypass``, the row under which results leave, set once
    an operator to the most rows any of its passes uses (0: the pass's own rows).
    """

    kind: ClassVar[str] = "mac_array"
    part: ClassVar[str] = "mac_array"
    opcodes: ClassVar[tuple[Opcode, ...]] = (Opcode.PRELOAD, Opcode.MATMUL)
    name: str
    clock: str
    rows: Annotated[int, Bounds(1, LARGEST_SIDE)]
    columns: Annotated[int, Bounds(1, LARGEST_SIDE)]
    input: str
    weight: str
    output: str
    rates: tuple[Rate, ...]
    count: Annotated[int, Bounds(1, 1024)] = 1
    split: Literal["m", "n", "k"] = "n"
    dataflow: Annotated[str, Names(dataflow_names)] = "weight_stationary"
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
    scratchpads: Scratchpads | None = None

    # -- in a chip -----------------------------------------------------------------------------

    def runs(self, operator: Operator | VectorOperator) -> bool:
        return not isinstance(operator, VectorOperator)

    def instances(self) -> Iterator[Instance]:
        """The elements, and what loads their registers."""
        for name in instance_names(self.name, self.count):
            own: tuple[tuple[str, int], ...] = ((f"{name}.registers", self.register_bytes),)
            if self.accumulator.location == "column":
                own += ((f"{name}.accumulators", self.accumulator_bytes),)
            yield Instance(name, self.name, (Opcode.MATMUL,), own)
            yield Instance(f"{name}.preload", f"{self.name}.preload", (Opcode.PRELOAD,))

    def caption(self) -> tuple[str, ...]:
        factors = [
            f" x {n} {name}" for n, name in ((self.dot, "dot"), (self.simd, "simd")) if n > 1
        ]
        pairs = [f"{rate.input} x {rate.weight}" for rate in self.rates]
        more = f", {len(pairs) - 1} more" if len(pairs) > 1 else ""
        flow = self.dataflow.replace("_", " ")
        return f"{self.rows} x {self.columns} MACs{''.join(factors)}", flow, f"{pairs[0]}{more}"

    def at_precision(self, precision: Precision) -> Self:
        """The array with the accumulator of the pair of formats that the chip runs. InputError where it does
        not run the pair."""
        rate = self.rate(precision.input, precision.weight)
        return self if rate.accumulator is None else replace(self, accumulator=rate.accumulator)

    def rules(self, around: Around, written: Mapping[str, Any]) -> Iterator[Rule]:
        yield from array_rules(self, written)

    def enlarged(self, factor: float) -> Self:
        """Rows and columns by the root."""
        sides = (
            max(1, min(LARGEST_SIDE, round(side * sqrt(factor))))
            for side in (self.rows, self.columns)
        )
        rows, columns = sides
        return replace(self, rows=rows, columns=columns)

    # -- energy and area -----------------------------------------------------------------------

    def prices(self, technology: Technology) -> Prices:
        """Clock tree, leakage and wires inside the array have no sourced constant, nor have idle slots."""
        return array_prices(self, technology)

    def areas(self, technology: Technology) -> list[AreaRow]:
        return array_areas(self, technology)

    # -- formats -------------------------------------------------------------------------------

    def rate(self, input_format: str, weight_format: str) -> Rate:
        """The rate that a pair of formats runs at: its own, else that of a wider integer multiplier.

        Of several that hold both operands: the one of most products a cycle, then the smallest.
        InputError with the choices when there is none.
        """
        for rate in self.rates:
            if (rate.input, rate.weight) == (input_format, weight_format):
                return rate
        wider = [
            rate
            for rate in self.rates
            if _holds(rate.input, input_format) and _holds(rate.weight, weight_format)
        ]
        if wider:
            return min(
                wider, key=lambda rate: (-rate.factor, get(rate.input).bits * get(rate.weight).bits)
            )
        pairs = ", ".join(f"{rate.input} x {rate.weight}" for rate in self.rates)
        raise InputError(
            Problem(
                "mac_array.format",
                f"{self.name} does not multiply {input_format} x {weight_format}",
                f"write one of: {pairs}, or narrower integers",
            )
        )

    def multiplication(self, input_format: str, weight_format: str) -> str:
        """The action of one product of a pair of formats: of the multiplier that it runs on."""
        rate = self.rate(input_format, weight_format)
        return f"mac_{rate.input}_{rate.weight}"

    def adder(self, rate: Rate) -> tuple[Adder, int] | None:
        """(adder, products it takes as one exact sum) of a pair of formats; None where sums are plain
        integers of ``accumulator.bits``. InputError where operands and accumulator do not fit."""
        held = self.accumulator
        plain = isinstance(get(rate.input), Integer) and isinstance(get(rate.weight), Integer)
        if not held.format or (plain and isinstance(get(held.format), Integer)):
            return None
        return adder(held.accumulation, rate.input, rate.weight), self.group(rate)

    def group(self, rate: Rate) -> int:
        """Products along k that an element adds at once."""
        return self.dot * (rate.factor if rate.along == "k" else 1)

    def wide(self, rate: Rate) -> int:
        """Outputs along n that an element holds side by side."""
        return self.simd * (rate.factor if rate.along == "n" else 1)

    def pass_limits(
        self, number: int, rate: Rate, work: Work | None = None, chosen: Chosen | None = None
    ) -> tuple[int, int, int]:
        """Largest (m, n, k) tile of one pass of a dataflow; 0 for the dimension that streams. work, chosen:
        the operator and its buffer tile. InputError where the array or the dataflow cannot run it."""
        return self.running(number).limits(self, rate, work, chosen)

    def running(self, number: int) -> Dataflow:
        """The dataflow of a number; InputError where the array cannot run it."""
        flow = dataflow(number)
        if refused := flow.refuses(self):
            raise InputError(
                Problem("mac_array.dataflow", refused, "take another dataflow", path="dataflow")
            )
        return flow

    def slot_lag(self, number: int, rows: int | None = None) -> int:
        """Cycles from a MATMUL's release until a PRELOAD may overwrite its stationary slot. number: of the
        dataflow. rows: used by the new tile, default all of the array's, which is never too early."""
        return dataflow(number).slot_lag(self, self.rows if rows is None else rows)

    @property
    def row_latency(self) -> int:
        """Cycles a partial sum needs to pass one row."""
        return self.hop_registers + self.mac_latency - 1

    @property
    def tree_levels(self) -> int:
        """Registered levels of the adder tree under a column of a broadcast array."""
        return (self.rows * self.dot - 1).bit_length()

    def by_dataflow(self, shapes: Shapes) -> Iterator[tuple[Dataflow, Any, Shapes]]:
        """(dataflow, which rows are its, those rows) of MATMULs and PRELOADs."""
        flows = shapes.extents[:, 3]
        numbers = sorted(set(flows.tolist())) or [dataflow_named(self.dataflow).number]
        for number in numbers:
            if len(numbers) == 1:
                yield dataflow(number), slice(None), shapes
            else:
                rows = np.flatnonzero(flows == number)
                yield dataflow(number), rows, shapes.take(rows)

    def used(self, shapes: Shapes) -> tuple[Ints, Ints, Ints]:
        """(rows used, columns used, steps streamed) of each MATMUL or PRELOAD shape."""
        found = np.zeros((3, len(shapes.extents)), np.int64)
        for flow, rows, some in self.by_dataflow(shapes):
            found[:, rows] = flow.used(self, some)
        return found[0], found[1], found[2]

    def exit_rows(self, shapes: Shapes) -> Ints:
        """Row under which the results of each shape leave, counted from 1."""
        if not self.bypass:
            return np.full(len(shapes.extents), self.rows, np.int64)
        return np.maximum(shapes.extents[:, 4], self.used(shapes)[0])

    def lanes(self, shapes: Shapes) -> tuple[Ints, Ints]:
        """Products an element takes along k, and outputs it holds along n, by the shapes' rates."""
        pair = shapes.format_a * len(FORMAT_NAMES) + shapes.format_b
        along_k = np.full(len(pair), self.dot, np.int64)
        along_n = np.full(len(pair), self.simd, np.int64)
        for number in set(pair.tolist()):
            a, b = divmod(number, len(FORMAT_NAMES))
            rate = self.rate(FORMAT_NAMES[a], FORMAT_NAMES[b])
            (along_k if rate.along == "k" else along_n)[pair == number] *= rate.factor
        return along_k, along_n

    def cost(self, shapes: Shapes) -> Cost:
        """Closed forms of docs/timing.md. Cycle 0 is the one in which the first operand stands at
        the array's edge; a result counts from the clock edge that puts it into the output register
        (one edge ends each cycle, so "first = 1" is the edge at the end of cycle 0)."""
        found = np.zeros((3, len(shapes.extents)), np.int64)
        loading = np.zeros(len(shapes.extents), np.int64)
        for flow, rows, some in self.by_dataflow(shapes):
            found[:, rows] = flow.times(self, some)
            loading[rows] = flow.loading(self, some)
        fused = Flag.FUSED | Flag.LAST_K
        epilogue = np.where((shapes.flags & fused) == fused, self.epilogue_latency, 0)
        preload = shapes.opcode == Opcode.PRELOAD
        interval, first, last = (
            np.where(preload, loading, found[column] + extra)
            for column, extra in enumerate((0, epilogue, epilogue))
        )
        return Cost(interval, first, last)

    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        """Counts of one execution; mac_counts.py has the formulas.

        mac_<input>_<weight>: useful multiply-accumulates, m n k exactly, of the multiplier's own
        formats, also where narrower integers run on it. register_bits: bits
        clocked into operand, product, partial-sum, stationary and drain registers, as wide as they
        are whatever runs.
        scratchpad_bits: bits read and written in the elements' scratchpads of operands, where they have any.
        accumulator_bits: bits read and written in the elements' accumulators (accumulators under
        the columns or in SRAM are memories: their traffic is in the operands). requantize: outputs
        finished in the output pipeline, none where they are stored as sums. idle_slots: multiply
        slots of the interval without useful work.

        Zero gating depends on data, so it is not here: of the multiply-accumulates of a command,
        those with a zero operand (numerics counts them) are charged by an array with
        ``zero_gating`` under the name "mac_gated_<input>_<weight>" instead of "mac_...".
        """
        return counts(self, shapes)

    def execute(
        self,
        a: Ints,
        b: Ints,
        accumulator_in: Ints | None = None,
        *,
        number: int | None = None,
        rate: Rate | None = None,
        code: int = 0,
    ) -> Ints:
        """The sums of one pass, int64 (m, n), as the array's adders form them.

        a: (m, k) input codes. b: (k, n) weight codes. accumulator_in: (m, n) sums of earlier
        passes, added at the exit (None: the pass starts the sum). Products are exact; their order
        and what is added as one exact sum is the dataflow's (``sums``); every add wraps or
        saturates at ``accumulator.bits``. number: of the dataflow, default the array's own. rate:
        default the first. code: the shape's fifth extent.
        """
        flow = dataflow_named(self.dataflow) if number is None else dataflow(number)
        sums = flow.sums(self, a, b, self.rates[0] if rate is None else rate, code)
        if accumulator_in is None:
            return sums
        return fit(accumulator_in + sums, self.accumulator.bits, self.accumulator.overflow)

    @property
    def register_bytes(self) -> int:
        """Bytes of the stationary registers of one instance, all depths, widest rate."""
        lanes = max(
            rate.factor * max(get(rate.input).bits, get(rate.weight).bits) for rate in self.rates
        )
        words = self.scratchpads.filter if self.scratchpads else self.dot * self.simd
        elements = self.rows * self.columns * words
        return -(-elements * lanes * self.stationary_depth // 8)

    @property
    def accumulator_bytes(self) -> int:
        """Bytes of the column accumulators of one instance, widest rate along n."""
        along_n = max(rate.factor if rate.along == "n" else 1 for rate in self.rates)
        lanes = self.columns * self.simd * along_n
        return -(-lanes * self.accumulator.depth * self.accumulator.bits // 8)
