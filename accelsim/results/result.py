"""The Result of a run: everything it rests on and everything it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.constants.scaling import between_nodes
from accelsim.devices.wear import wear_named
from accelsim.energy import AreaRow, EnergyReport, area
from accelsim.explore import SearchReport
from accelsim.explore.planned import Planned
from accelsim.explore.steady import Steady
from accelsim.explore.streamed import Streamed
from accelsim.mapping import Plan, compile_program
from accelsim.mapping.homes import homes_in_words
from accelsim.mapping.tensors import formats_in_words
from accelsim.numerics.network import Network
from accelsim.numerics.quantize import Quantization
from accelsim.program.table import Program
from accelsim.results.narrow_operands import narrow_operands
from accelsim.results.units import units_in_words
from accelsim.timing import Timeline, UnitTime, simulate
from accelsim.units.crossbar import Crossbar
from accelsim.workload import Workload


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator's line; cycles are of the array's clock.

    cycles: what it adds to the run, its end minus the latest end before it, so that operators' add up to the
    run. utilisation: its multiply-accumulates over the arrays' peak in those cycles; above 1 where it worked
    beside operators that ended just before, None where it adds none. computing_cycles: those of them in which
    an array computed, on whatever operator; parts of cycles where another clock cut them. from_cycle, to_cycle:
    from its first issue, loads ahead of time included, to its last result; these spans overlap. busy_cycles,
    stalled_cycles (by cause): of the arrays on its passes, all instances added.
    """

    name: str
    kind: str
    macs: int
    cycles: int
    from_cycle: int
    to_cycle: int
    busy_cycles: int
    stalled_cycles: dict[str, int]
    utilisation: float | None
    computing_cycles: float
    dram_read_bytes: int
    dram_written_bytes: int
    joules: float
    mapping: str

    @property
    def ran(self) -> bool:
        """Whether it has any command: views of tensors have none."""
        return self.to_cycle > 0

    @property
    def waiting(self) -> float | None:
        """The part of its cycles in which no array computed, 0..1; None where it adds none."""
        return max(0.0, 1.0 - self.computing_cycles / self.cycles) if self.cycles else None


@dataclass(slots=True)
class Kept:
    """What a trace of values is written from. tensors: codes of every tensor. stored: real values of
    stored tensors, as far as they are known."""

    tensors: Mapping[str, NDArray[np.int64]]
    network: Network
    stored: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


@dataclass(slots=True)
class Values:
    """outputs: codes. quantization: their scales. signal_to_noise_db: by tensor, against the
    float reference. scores: top1, top1_float. assumptions: how values became codes. repeated: vectors
    that crossbars read again, by command; part of the run's time. kept: where it was asked for. checked: what
    onnxruntime said of the float reference (importers.onnx_check.Checked), None where there is no model."""

    outputs: dict[str, NDArray[np.int64]]
    quantization: dict[str, Quantization]
    signal_to_noise_db: dict[str, float]
    scores: dict[str, float]
    assumptions: list[str] = field(default_factory=list)
    repeated: dict[int, int] = field(default_factory=dict)
    kept: Kept | None = None
    checked: Any = None


@dataclass(slots=True, repr=False)
class Result:
    """Timing, energy and values of one Program, with what they depend on.

    planned: the Program as it was timed, equal layers noted once, or the sums of one whose rows passed; program and
    timeline have every command, made when first asked for.
    """

    chip: Chip
    workload: Workload
    planned: Planned | Streamed
    plan: Plan
    units: Sequence[UnitTime]
    energy: EnergyReport
    operators: list[OperatorRow]
    values: Values | None
    spread: dict[str, float]  # joules at the chip boundary by family of digital energy
    search: SearchReport | None = None
    steady: Steady | None = None  # runs back to back, when asked for
    folder: str = ""  # where it was saved
    scores: dict[str, float] = field(default_factory=dict)  # of a saved run's values
    job: str = ""  # the text of the job file that makes it again, where it was run from a job
    _full: tuple[Program, Timeline] | None = field(default=None, init=False, repr=False)

    def __repr__(self) -> str:
        """In one line: what ran, how long it took, what it cost."""
        return (
            f"<Result {self.workload.name!r:.80} on {self.chip.name!r:.80}: {self.cycles:,} cycles, "
            f"{self.seconds:.4g} s, {self.joules:.4g} J>"
        )

    def _in_full(self) -> tuple[Program, Timeline]:
        if self._full is None:
            planned = self.planned
            if isinstance(planned, Planned) and not (planned.counts or planned.program.repeat):
                self._full = (planned.program, planned.timeline)
                return self._full
            program = compile_program(self.chip, self.workload, chosen=self.plan)
            if isinstance(planned, Planned):
                timeline = planned.timeline.in_full(planned.program)
            else:
                timeline = simulate(program, self.chip)
            self._full = (program, timeline)
        return self._full

    @property
    def program(self) -> Program:
        """The Program in full. InputError where its rows passed and there is no memory for their table."""
        return self._in_full()[0]

    @property
    def timeline(self) -> Timeline:
        """When every command of the Program in full ran."""
        return self._in_full()[1]

    @property
    def commands(self) -> int:
        """How many commands ran."""
        return self.planned.commands

    @property
    def tick_hz(self) -> int:
        """Ticks a second."""
        return self.planned.tick_hz

    @property
    def makespan(self) -> int:
        """Ticks from the start to the last result."""
        return self.planned.makespan

    @property
    def program_digest(self) -> str:
        """SHA-256 of the Program as it was planned, or of its sums where its rows passed."""
        return self.planned.digest

    @property
    def area(self) -> list[AreaRow]:
        """Area of the parts that have a sourced constant."""
        return area(self.chip)

    @property
    def cycles(self) -> int:
        """Makespan in cycles of the array's clock."""
        return -(-self.makespan * self.chip.clocks[self.chip.core.clock] // self.tick_hz)

    @property
    def seconds(self) -> float:
        return self.makespan / self.tick_hz

    @property
    def joules(self) -> float:
        """Energy at the chip boundary."""
        return self.energy.total

    @property
    def utilisation(self) -> float:
        """Useful multiply-accumulates over the arrays' peak in the makespan, 0..1."""
        peak = peak_macs_per_cycle(self.chip) * self.cycles
        return self.workload.macs / peak if peak else 0.0

    @property
    def assumptions(self) -> list[str]:
        """What the figures take for granted."""
        tech = self.chip.technology
        notes = [
            _weights(self.chip),
            f"digital energy: {tech.family}, scaled to {tech.node_nm:g} nm, {tech.voltage:g} V"
            f"{between_nodes(tech.node_nm)}",
            f"SRAM: CACTI 7, {tech.sram_device}, leakage at {tech.temperature:g} K",
            f"off-chip: {self.chip.dram.standard} energy a bit, "
            f"{self.chip.dram.efficiency:g} of the peak bandwidth, "
            + (
                f"{self.chip.dram.background * 1e3:g} mW in the background"
                if self.chip.dram.background
                else "no background power"
            ),
            "no energy for the clock tree, control, idle logic and the wires inside the array: no "
            "sourced constants",
            "biases and scales are part of the configuration and move no bytes",
            *formats_in_words(self.workload, self.chip),
            *homes_in_words(self.plan.homes, self.chip, self.workload.inferences),
            *units_in_words(self.chip, self.workload, self.plan),
        ]
        if (crossbar := self.chip.crossbar) is not None:
            notes += self._analog(crossbar)
        notes += stated_batch(self.workload)
        if tech.constants:
            notes.append(
                "constants of the chip file: " + ", ".join(own.key for own in tech.constants)
            )
        notes += narrow_operands(self.workload, self.chip)
        if "assumed" in self.chip.notes:
            notes.append(str(self.chip.notes["assumed"]))
        notes += [str(note) for note in self.workload.notes.get("assumed", ())]
        if self.values is not None:
            notes += self.values.assumptions
        if (runs := self.steady) is not None and not runs.proved:
            notes.append(f"back to back: the mean of {runs.measured} of {runs.runs} runs")
        if (layers := self.planned.layers) is not None:
            kept = self.planned.kept
            notes.append(
                f"{layers.count} equal layers of {layers.length} operators: {kept} planned and timed, "
                f"the other {layers.count - kept} go as one of them, tick for tick"
            )
        return notes

    def _analog(self, crossbar: Crossbar) -> list[str]:
        """What the figures of crossbars take for granted."""
        drawn = (
            "drawn by the values"
            if self.values is not None
            else (
                f"from a mean conductance of {crossbar.mean_conductance:g} of the span and a mean input of "
                f"{crossbar.drive.mean:g}"
            )
        )
        notes = []
        if crossbar.drive.retries and self.values is None:
            notes = [f"{crossbar.drive.repeats:g} reads again a vector, as stated in the chip file"]
        if crossbar.wear.cycles:
            notes.append(_worn(crossbar))
        return [
            *notes,
            f"cells: {crossbar.device}, {crossbar.age:g} s after programming, {crossbar.temperature:g} K, "
            f"compensation {crossbar.compensation}",
            f"cell current at {crossbar.drive.supply:g} V supply, {drawn}",
            _programmed(crossbar),
            f"calibration: {crossbar.calibration_reads} vectors a crossbar, charged where it is written",
        ]


def _programmed(crossbar: Crossbar) -> str:
    """What writing a cell costs, and whether that is computed or stated."""
    found, at_once = crossbar.programming, crossbar.writing.parallel
    if found.stated:
        why = (
            ""
            if crossbar.writing.pulses == "stated"
            else f": {crossbar.device} has no pulses to compute it"
        )
        return (
            f"programming: {found.pulses:.3g} pulses of {found.pulse_joules * 1e12:.3g} pJ and "
            f"{crossbar.writing.pulse * 1e9:g} ns a cell, as stated in the chip file{why}"
        )
    return (
        f"programming: computed by program and verify, pulses {found.model}: {found.pulses:.3g} pulses with "
        f"RESET, {found.reads:.3g} reads and {found.joules * 1e12:.3g} pJ a cell, {found.seconds * 1e6:.3g} us "
        f"for {at_once} at once; {100 * found.failed:.2g} % end outside the window"
    )


def stated_batch(workload: Workload) -> list[str]:
    """What an inference is, where the workload does not say."""
    if workload.batch:
        return []
    first = next((t for t in workload.tensors.values() if t.role == "input"), None)
    what = "a run" if first is None else f"a row of {first.name} {list(first.shape)}"
    return [f"an inference is {what}: the workload states no batch"]


def _worn(crossbar: Crossbar) -> str:
    """What wear has done, and when it will matter."""
    model = wear_named(crossbar.wear.model)
    text = (
        f"wear: {100 * crossbar.worn:.3g} % of the cells have failed after {crossbar.wear.cycles:g} "
        f"cycles, one in a thousand will have after {model.cycles_until(1e-3):.2g} (low confidence; "
        f"{model.source})"
    )
    if crossbar.unmapped == "reprogram":
        text += "; reprogrammed operators wear their crossbars by one cycle a run and block"
    return text


def _weights(chip: Chip) -> str:
    """Where weights are at the start, side by side where cores differ."""
    by = {name: side.weights for name, side in chip.sides.items()}
    if len({*by.values()}) == 1:
        return f"weights {next(iter(by.values()))} at the start"
    return "weights at the start: " + ", ".join(f"{name} {how}" for name, how in by.items())


def peak_macs_per_cycle(chip: Chip) -> int:
    """Multiply-accumulates of all that multiplies in the chip's own precision, in a cycle of chip.core's clock."""
    clock = chip.clocks[chip.core.clock]
    sides = chip.sides.values()
    return sum(_peak(side) * side.clocks[side.core.clock] // clock for side in sides)


def _peak(chip: Chip) -> int:
    """Of one unit, in a cycle of its clock."""
    array = chip.core
    if isinstance(array, Crossbar):  # every cross-point works on every read
        return max(
            1,
            array.count
            * array.rows
            * array.outputs
            // max(1, array.cycles(array.interval_seconds)),
        )
    rate = array.rate(chip.precision.input, chip.precision.weight)
    return array.count * array.rows * array.columns * array.dot * array.simd * rate.factor
