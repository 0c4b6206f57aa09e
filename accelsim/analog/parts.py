"""What a crossbar is made of around its cells: drivers, converters, lines; and all of it together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from accelsim.analog.scheme import Scheme
from accelsim.devices.base import ROOM, Device
from accelsim.fields import Bounds, Quantity


@dataclass(frozen=True, slots=True)
class Drive:
    """How input codes reach the word lines.

    mode: "pulse_width" and "amplitude" give a whole code in one read, "bit_serial" one bit of it
    a read. bits: of the converter, sign included where inputs have one. pulse: seconds of
    the longest pulse of a read. phases: 1, positive and negative inputs and both cells of a pair in
    one read; 2, positive inputs, then negative ones; 4, each with each cell of the pair. voltage:
    across the cell. supply: volts from which the current is drawn. mean, rms: of the inputs'
    magnitudes, as parts of the full scale, where no values are given; they also set automatic ADC ranges.
    scale: "fixed", or "vector", the largest element of each vector takes the full scale and the result is
    scaled back (noise management). retries: a vector that clips a converter of the crossbar is read again
    with half the input, at most so often (bound management). repeats: such reads a vector, on average,
    where no values are given.
    """

    pulse: Annotated[float, Quantity("s"), Bounds(1e-12, 1.0)] = 128e-9
    mode: Literal["pulse_width", "amplitude", "bit_serial"] = "pulse_width"
    bits: Annotated[int, Bounds(1, 16)] = 8
    phases: Literal[1, 2, 4] = 1
    voltage: Annotated[float, Quantity("V"), Bounds(0.001, 5.0)] = 0.2
    supply: Annotated[float, Quantity("V"), Bounds(0.001, 20.0)] = 0.8
    mean: Annotated[float, Bounds(0.0, 1.0)] = 0.15
    rms: Annotated[float, Bounds(0.0, 1.0)] = 0.25
    scale: Literal["fixed", "vector"] = "fixed"
    retries: Annotated[int, Bounds(0, 16)] = 0
    repeats: Annotated[float, Bounds(0.0, 16.0)] = 0.0

    @property
    def steps(self) -> int:
        """Reads of one phase: one, or one a bit. A phase has its time whether or not inputs have a sign."""
        return self.bits if self.mode == "bit_serial" else 1


@dataclass(frozen=True, slots=True)
class Adc:
    """The converters under the columns.

    kind: "counting" integrates while the inputs are applied; the others convert a held sample: "sar"
    and "flash" one in 1 / rate, "ramp" in 2^bits / rate for all columns at once. bits: 0 for an ideal
    one. rate: conversions (ramp: steps) a second. shared: columns that one converter serves. range:
    full scale in full columns (every input and weight largest in one cell = 1); 0: from the weights
    and the drive's mean and rms. gain_error, offset_error: standard deviations over columns, parts
    of 1 and of the range. nonlinearity: third-order, part of the range.
    """

    bits: Annotated[int, Bounds(0, 24)] = 8
    kind: Literal["sar", "counting", "flash", "ramp"] = "sar"
    rate: Annotated[float, Quantity("Hz"), Bounds(1.0, 1e11)] = 1e9
    shared: Annotated[int, Bounds(1, 4096)] = 1
    range: Annotated[float, Bounds(0.0, 1e5)] = 0.0
    gain_error: Annotated[float, Bounds(0.0, 0.5)] = 0.0
    offset_error: Annotated[float, Bounds(0.0, 0.5)] = 0.0
    nonlinearity: Annotated[float, Bounds(0.0, 0.5)] = 0.0


@dataclass(frozen=True, slots=True)
class Lines:
    """Ohms: segments of word and bit lines between cells, drivers, and the bit lines' ends."""

    word: Annotated[float, Quantity("ohm"), Bounds(1e-6, 1e9)]
    bit: Annotated[float, Quantity("ohm"), Bounds(1e-6, 1e9)]
    source: Annotated[float, Quantity("ohm"), Bounds(1e-6, 1e9)] = 1.0
    sink: Annotated[float, Quantity("ohm"), Bounds(1e-6, 1e9)] = 1.0


@dataclass(frozen=True, slots=True)
class Storage:
    """A time (s) that programmed cells spent at a temperature (K)."""

    time: Annotated[float, Quantity("s"), Bounds(0.0, 1e10)]
    temperature: Annotated[float, Quantity("K"), Bounds(200.0, 700.0)]


@dataclass(frozen=True, slots=True)
class Use:
    """How often the cells have been programmed. cycles: programmings so far, every cell alike. model: of
    wear, a record of devices/tables/wear.json."""

    cycles: Annotated[float, Bounds(0.0, 1e15)] = 0.0
    model: str = "mainstream"


@dataclass(frozen=True, slots=True)
class Tile:
    """Everything that decides a crossbar's values. age: seconds since programming. reads: of a
    calibration. output_noise: standard deviation at the converters, in full columns. johnson: thermal
    noise of the cells over one pulse. stuck_low, stuck_high: parts of the cells that hold their
    smallest or largest conductance whatever is written. columns: outputs of one crossbar. read_noise:
    "frozen" for a run, as 1/f noise slower than it is; drawn "fresh" for every vector, as noise faster than
    one is (through its exact variance); or "flicker", correlated in time from vector to vector.
    interval: seconds between vectors, for the latter. ir_drop: of lines, "exact", or "reuse" of what one age
    showed (reuse.py). wear: of the cells. weight_noise: standard deviation of every weight of a slice in
    every read, drawn anew, in parts of the largest weight, whatever the weight is. profile: where the cells
    spent their age; without one, all of it at the temperature of the read."""

    device: Device
    scheme: Scheme = Scheme()
    drive: Drive = Drive()
    adc: Adc = Adc()
    lines: Lines | None = None
    rows: int = 256
    columns: int = 256
    age: float = 0.0
    temperature: float = ROOM
    compensation: Literal["none", "global", "column", "affine"] = "none"
    reads: int = 32
    output_noise: float = 0.0
    johnson: bool = False
    stuck_low: float = 0.0
    stuck_high: float = 0.0
    seed: int = 0
    read_noise: Literal["frozen", "fresh", "flicker"] = "frozen"
    profile: tuple[Storage, ...] = ()
    interval: float = 1e-6
    ir_drop: Literal["exact", "reuse"] = "exact"
    wear: Use = Use()
    weight_noise: float = 0.0
