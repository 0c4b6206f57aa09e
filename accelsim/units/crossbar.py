"""A crossbar of resistive cells with its drivers and converters: time, action counts, arithmetic.

docs/pcm.md derives the times. What a read costs in joules is counted by actions() and priced by prices();
what it computes is analog/tile.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.parts import Adc, Drive, Lines, Storage, Tile, Use
from accelsim.analog.scheme import Scheme, targets
from accelsim.analog.writing import Programming, Writing, programming
from accelsim.constants.price import AreaRow
from accelsim.constants.technology import Technology
from accelsim.devices import device_named
from accelsim.devices.wear import wear_named
from accelsim.fields import Bounds, Quantity, with_defaults
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import (
    Around,
    Cost,
    Counts,
    Instance,
    Memory,
    Prices,
    Rule,
    Unit,
    instance_names,
)
from accelsim.units.crossbar_costs import crossbar_areas, crossbar_prices
from accelsim.units.crossbar_rules import crossbar_rules
from accelsim.workload import Operator, VectorOperator

Ints = NDArray[np.int64]
#: what neither a crossbar's times nor its place in a Program depend on
VALUE_FIELDS = (
    "wires",
    "ir_drop",
    "output_noise",
    "johnson",
    "weight_noise",
    "read_noise",
    "vector_interval",
    "stuck_low",
    "stuck_high",
    "age",
    "temperature",
    "profile",
    "seed",
    "mean_conductance",
    "static",
    "overhead",
)

MOST = 1 << 20  # crossbars of a chip
#: confidence of what a chip file says of a workload's values without a source
STATED = "mem"
CHARGES = ("cell_charge", "supply_charge")
READS = ("driven_seconds", "conversions", "shift_add", "vectors")


@dataclass(frozen=True, slots=True)
class Accumulation:
    """bits: of the integers that a crossbar hands over; sums of several row blocks saturate there."""

    bits: Annotated[int, Bounds(8, 48)] = 32


@dataclass(frozen=True, slots=True)
class Crossbar(Unit):
    """``count`` identical crossbars of ``rows`` x ``columns`` cross-points.

    A cross-point holds one slice of a weight (both cells of a pair, all devices of a cell); ``cells``
    says how weights stand in them. A vector is a product of the rows' inputs with every column.
    settle: seconds from the pulse's end (or its start, for amplitudes) to a valid sample. hold: a
    sample-and-hold lets the next read overlap this one's conversion and what follows. ir_drop: of the
    wires, "exact" at every age, or "reuse" of the drop at one reference age. fixed: seconds a vector needs
    beside its reads, before its result is out; it does not repeat with the phases. unmapped: what becomes
    of operators whose weights find no crossbar: "error", "reprogram" crossbars in every run, or "digital",
    the chip's MAC array. replicate: spare crossbars take copies of the slowest operators. pack_groups:
    groups of a convolution stand on one crossbar's diagonal where several fit, and are read together. age:
    seconds since programming; temperature: of the reads; profile: times and temperatures of storage before, for
    devices that heat changes; wear: programmings so far; read_noise: of the cells, "frozen" for the run,
    "fresh" for every vector, or "flicker", correlated from vector to vector; vector_interval: seconds
    between them for the latter, 0 for the crossbar's own interval. weight_noise: deviation of every weight
    of a slice in every read beside it, in parts of the largest, whatever the weight is. static: watts of
    one crossbar with its converters, always on. overhead: joules of a vector's read beside cells, drivers,
    converters and shift-add, in each phase and step.

    Shape extents: MVM (m vectors, n outputs, k rows, p groups); PROGRAM (0, n, k, p). n and k are of one
    group; p groups take p k rows and p n outputs, 0 stands for one group.
    """

    kind: ClassVar[str] = "crossbar"
    part: ClassVar[str] = "crossbar"
    opcodes: ClassVar[tuple[Opcode, ...]] = (Opcode.PROGRAM, Opcode.MVM)
    given: ClassVar[tuple[str, ...]] = ("clock_hz",)
    files: ClassVar[tuple[str, ...]] = ("device",)
    name: str
    clock: str
    rows: Annotated[int, Bounds(1, 8192)]
    columns: Annotated[int, Bounds(1, 8192)]
    device: str
    input: str
    output: str
    count: Annotated[int, Bounds(1, MOST)] = 1
    cells: Scheme = Scheme()
    drive: Drive = Drive()
    adc: Adc = Adc()
    wires: Lines | None = None
    ir_drop: Literal["exact", "reuse"] = "exact"
    settle: Annotated[float, Quantity("s"), Bounds(0.0, 1.0)] = 0.0
    hold: bool = True
    fixed: Annotated[float, Quantity("s"), Bounds(0.0, 1.0)] = 0.0
    accumulator: Accumulation = Accumulation()
    compensation: Literal["none", "global", "column", "affine"] = "global"
    calibration_reads: Annotated[int, Bounds(1, 1 << 16)] = 32
    output_noise: Annotated[float, Bounds(0.0, 1e3)] = 0.0
    johnson: bool = False
    weight_noise: Annotated[float, Bounds(0.0, 1.0)] = 0.0
    read_noise: Literal["frozen", "fresh", "flicker"] = "frozen"
    vector_interval: Annotated[float, Quantity("s"), Bounds(0.0, 1e4)] = 0.0
    stuck_low: Annotated[float, Bounds(0.0, 0.5)] = 0.0
    stuck_high: Annotated[float, Bounds(0.0, 0.5)] = 0.0
    age: Annotated[float, Quantity("s"), Bounds(0.0, 1e10)] = 0.0
    temperature: Annotated[float, Quantity("K"), Bounds(200.0, 500.0)] = 298.15
    profile: tuple[Storage, ...] = ()
    wear: Use = Use()
    seed: Annotated[int, Bounds(0, 1 << 31)] = 0
    mean_conductance: Annotated[float, Bounds(0.0, 1.0)] = 0.15
    writing: Writing = Writing()
    unmapped: Literal["error", "reprogram", "digital"] = "error"
    replicate: bool = True
    pack_groups: bool = True
    static: Annotated[float, Quantity("W"), Bounds(0.0, 1e3)] = 0.0
    overhead: Annotated[float, Quantity("J"), Bounds(0.0, 1e-3)] = 0.0
    clock_hz: int = 0

    # -- capacity ------------------------------------------------------------------------------

    @property
    def outputs(self) -> int:
        """Outputs that one crossbar holds weights of, all slices beside each other."""
        return (self.columns - self.cells.spare_columns) // self.cells.slices

    @property
    def cell_bytes(self) -> int:
        """Bytes of the memory that stands for one crossbar's weights in a Program."""
        return self.rows * self.outputs * 8

    # -- in a chip -----------------------------------------------------------------------------

    def runs(self, operator: Operator | VectorOperator) -> bool:
        return not isinstance(operator, VectorOperator)

    def instances(self) -> Iterator[Instance]:
        for name in instance_names(self.name, self.count):
            yield Instance(name, self.name, self.opcodes, ((f"{name}.cells", self.cell_bytes),))

    def caption(self) -> tuple[str, ...]:
        device = self.device.rpartition("/")[2].removesuffix(".json")
        return (
            f"{self.rows} x {self.columns} cells",
            device,
            f"{self.adc.bits} bit {self.adc.kind} ADC",
        )

    def within(self, clocks: Mapping[str, int], memories: Mapping[str, Memory]) -> Self:
        return replace(self, clock_hz=clocks[self.clock])

    def rules(self, around: Around, written: Mapping[str, Any]) -> Iterator[Rule]:
        yield from crossbar_rules(self, around)

    def enlarged(self, factor: float) -> Self:
        """More or fewer of them."""
        return replace(self, clock_hz=0, count=max(1, min(MOST, round(self.count * factor))))

    # -- energy and area -----------------------------------------------------------------------

    def prices(self, technology: Technology) -> Prices:
        """A read's energy is its charge times the supply's voltage: the part that falls across the cell is
        dissipated there, the rest in what regulates it."""
        return crossbar_prices(self, technology)

    def areas(self, technology: Technology) -> list[AreaRow]:
        return crossbar_areas(self, technology)

    # -- values --------------------------------------------------------------------------------

    def tile(self) -> Tile:
        """What decides the values. KeyError for a device that there is not."""
        return Tile(
            device_named(self.device),
            self.cells,
            self.drive,
            self.adc,
            self.wires,
            self.rows,
            self.outputs,
            self.age,
            self.temperature,
            self.compensation,
            self.calibration_reads,
            self.output_noise,
            self.johnson,
            self.stuck_low,
            self.stuck_high,
            self.seed,
            self.read_noise,
            self.profile,
            self.vector_interval or self.interval_seconds,
            self.ir_drop,
            self.wear,
            self.weight_noise,
        )

    def statistics(self, values: bool) -> Mapping[str, Sequence[tuple[float, str]]]:
        """The charge follows the device's conductances; without values it rests on a stated mean of the
        conductances and one of the inputs, and every count of a read on the stated repeats."""
        known = device_named(self.device).confidence
        charge = [] if known == "exact" else [(1.0, known)]
        again = self.drive.repeats / (1.0 + self.drive.repeats)
        stated = [] if values or not again else [(again, STATED)]
        if not values:
            charge += [(1.0, STATED), (1.0, STATED)]
        return {**dict.fromkeys(READS, stated), **dict.fromkeys(CHARGES, charge + stated)}

    def measured(self) -> Crossbar:
        """The same without the stated repeats, for a run whose values say which vectors are read again."""
        return replace(self, drive=replace(self.drive, repeats=0.0)) if self.drive.repeats else self

    @property
    def worn(self) -> float:
        """Part of the cells that have failed by wear."""
        return (
            wear_named(self.wear.model).failed_share(self.wear.cycles) if self.wear.cycles else 0.0
        )

    @property
    def programming(self) -> Programming:
        """What writing a cell costs, with those among them that have failed."""
        return programming(self.writing, self.device, self.cells, self.wear)

    @property
    def zero_conductance(self) -> float:
        """Siemens of a cell of a zero weight, the mean of its sides."""
        device = device_named(self.device)
        goals = targets(np.zeros((1, 1)), device, self.cells)
        return float(np.mean([goal[0, 0] for goal in goals]))

    # -- time ----------------------------------------------------------------------------------

    @property
    def reads(self) -> int:
        """Reads of one vector: phases, each in steps. Four phases need pairs."""
        phases = self.drive.phases
        if self.cells.sign != "differential":
            phases = min(phases, 2)
        return phases * self.drive.steps

    @property
    def read_seconds(self) -> float:
        """Seconds of the array's part of a read: the longest pulse and settling."""
        return self.drive.pulse + self.settle

    @property
    def conversion_seconds(self) -> float:
        """Seconds that the converters need after a read; a counting one is done with the pulse."""
        adc = self.adc
        if adc.kind == "counting":
            return 0.0
        if adc.kind == "ramp":
            return float(2.0**adc.bits * adc.shared / adc.rate)
        return adc.shared / adc.rate

    @property
    def interval_seconds(self) -> float:
        """Seconds from one vector to the next: the busiest stage, as often as a vector needs it."""
        read, convert = self.read_seconds, self.conversion_seconds
        if self.hold:
            return max(read, convert) * self.reads
        return (read + convert) * self.reads + self.fixed

    @property
    def latency_seconds(self) -> float:
        """Seconds from a lone vector's start to its result: fill, the repeated stages, drain."""
        read, convert = self.read_seconds, self.conversion_seconds
        stage = max(read, convert) if self.hold else read + convert
        return stage * (self.reads - 1) + read + convert + self.fixed

    def cycles(self, seconds: float) -> int:
        """Whole cycles of the unit's clock that hold so many seconds."""
        return max(0, ceil(seconds * self.clock_hz - 1e-6))

    def cost(self, shapes: Shapes) -> Cost:
        """MVM: interval II m, last result after latency + II (m - 1). PROGRAM: cells one after
        another, ``writing.parallel`` of a row at once, then the calibration's vectors. A pack's zeros are
        written too."""
        p = groups_of(shapes)
        m, n, k = shapes.extents[:, 0], shapes.extents[:, 1] * p, shapes.extents[:, 2] * p
        m = m + np.ceil(m * self.drive.repeats).astype(np.int64)
        program = shapes.opcode == Opcode.PROGRAM
        period = max(1, self.cycles(self.interval_seconds))
        latency = max(period, self.cycles(self.latency_seconds))
        groups = -(-n * self.cells.cells // self.writing.parallel)
        turn = self.cycles(self.programming.seconds) if program.any() else 0
        calibration = self.calibration_reads if self.compensation != "none" else 0
        write = k * groups * turn + calibration * period
        return Cost(
            np.where(program, write, m * period),
            np.where(program, write, latency),
            np.where(program, write, latency + period * (m - 1)),
        )

    def timed(self) -> Crossbar:
        """Without what only joules and values depend on: cells, noise, ages, voltages, and the bits of
        converters that take as long for any of them. Where vectors are read again, values decide times, and
        everything counts."""
        if self.drive.retries:
            return self
        drive: tuple[str, ...] = ("voltage", "supply", "mean", "rms", "bits")
        adc: tuple[str, ...] = ("range", "gain_error", "offset_error", "nonlinearity", "bits")
        if self.drive.mode == "bit_serial":
            drive = drive[:-1]
        if self.adc.kind == "ramp":
            adc = adc[:-1]
        return replace(
            with_defaults(self, VALUE_FIELDS),
            device="ideal",
            drive=with_defaults(self.drive, drive),
            adc=with_defaults(self.adc, adc),
            cells=with_defaults(self.cells, ("levels", "spacing", "scaling", "fill")),
            wear=Use(),
            writing=Writing(
                iterations=1.0, pulse=self.programming.seconds, parallel=self.writing.parallel
            ),
        )

    # -- actions -------------------------------------------------------------------------------

    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        """Counts of one execution; all but mac_cells grow with vectors that are read again.

        mac_cells: useful multiply-accumulates. cell_charge: coulombs through the cells, by the stated
        mean conductance and input; cells off a pack's diagonal stand at the conductance of a zero weight,
        G_min in pairs (execute() replaces it by what was really drawn); supply_charge: the
        same coulombs, on their way from the supply to the cell's voltage. driven_seconds:
        row lines times the time they are driven. conversions: of the converters, all outputs and
        slices, reference columns too. shift_add: digital adds of those, and a comparison
        an input where vectors are scaled to their largest. vectors: reads of the array,
        phases and steps counted. pulses, verify_reads: of programming, with the calibration that follows
        it, of all cells between a pack's first row and output and its last.
        """
        p = groups_of(shapes).astype(np.float64)
        m, n, k = (shapes.extents[:, axis].astype(np.float64) for axis in range(3))
        mvm = shapes.opcode == Opcode.MVM
        useful = m * n * k * p
        n = n * p  # outputs of the whole pack
        m = m * (1.0 + self.drive.repeats)
        lines = n * self.cells.slices
        blocks = 1.0 if self.cells.sign == "differential" else (lines + 1) / lines
        cells = n * k * self.cells.cells * blocks
        span = device_named(self.device)
        g = span.g_min + (span.g_max - span.g_min) * self.mean_conductance
        applied = self.drive.mean if self.drive.mode != "bit_serial" else 0.5 * self.drive.steps
        siemens = m * cells * g + m * cells * (p - 1.0) * self.zero_conductance
        coulombs = siemens * self.drive.voltage * self.drive.pulse * applied
        converted = m * lines * blocks * self.reads
        writes = self.programming if not mvm.all() else None
        written, seen = (
            cells * p * each
            for each in ((writes.pulses, writes.reads) if writes is not None else (0.0, 0.0))
        )
        k = k * p  # rows of the whole pack
        calibration = self.calibration_reads if self.compensation != "none" else 0
        verified = seen + calibration * lines * blocks * self.reads
        return {
            "mac_cells": np.where(mvm, useful, 0.0),
            "cell_charge": np.where(mvm, coulombs, 0.0),
            "supply_charge": np.where(mvm, coulombs, 0.0),
            "driven_seconds": np.where(mvm, m * k * self.drive.pulse * self.reads, 0.0),
            "conversions": np.where(mvm, converted, 0.0),
            "shift_add": np.where(
                mvm, converted + (m * k if self.drive.scale == "vector" else 0.0), 0.0
            ),
            "vectors": np.where(mvm, m * self.reads, 0.0),
            "pulses": np.where(mvm, 0.0, written),
            "verify_reads": np.where(mvm, 0.0, verified),
        }


def groups_of(shapes: Shapes) -> Ints:
    """Groups that share the crossbar of each MVM or PROGRAM, 1 where shapes name none."""
    return np.maximum(shapes.extents[:, 3], 1)
