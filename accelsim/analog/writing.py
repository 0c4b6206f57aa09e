"""What it costs to write a cell: computed from pulses of its device, or as a chip file states it.

Program-and-verify of targets spread evenly over the levels gives every cell its pulses and reads. Cells
that are written at once wait for the slowest: with F(r) the part of the cells that are done after r reads,
p of them take sum_r (1 - F(r)^p) reads on average, and a pulse less. Cells that have failed by wear do not
move and, unless they are stuck inside their window, take all pulses that there may be.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np

from accelsim.analog.parts import Use
from accelsim.analog.scheme import Scheme, placed_levels
from accelsim.devices import device_named, kept
from accelsim.devices.base import Floats
from accelsim.devices.pulses import Pulses, most_pulses, program_and_verify, pulses_named
from accelsim.devices.wear import Wear, wear_named
from accelsim.fields import Bounds, Quantity
from accelsim.noise import Stream

CELLS = 1 << 14  # programmed to find the distribution: means within half a percent
TARGETS = 16  # of cells that hold any conductance


@dataclass(frozen=True, slots=True)
class Writing:
    """How cells are programmed, and what that costs.

    pulses: "program_and_verify" runs the pulses of the cell's device; "stated" takes the figures below, and
    so do devices without pulses. model: a record of devices/tables/pulses.json, default the device's own.
    margin: siemens, half of verify's window, 0 for the record's. limit: most pulses of a cell, which cells
    that have failed take; 0 for the record's,
    or the most published where figures are stated. parallel: cells of a row that are
    written at once.

    Stated: iterations: pulses of program-and-verify a cell, each followed by a read. pulse: seconds of a pulse
    with its read. energy: joules of a pulse at the supply.
    """

    pulses: Literal["stated", "program_and_verify"] = "stated"
    model: str = ""
    margin: Annotated[float, Quantity("S"), Bounds(0.0, 1e-3)] = 0.0
    limit: Annotated[int, Bounds(0, 10_000)] = 0
    parallel: Annotated[int, Bounds(1, 65536)] = 1
    iterations: Annotated[float, Bounds(1.0, 1e4)] = 10.0
    pulse: Annotated[float, Quantity("s"), Bounds(1e-12, 1.0)] = 1e-6
    energy: Annotated[float, Quantity("J"), Bounds(0.0, 1e-3)] = 100e-12


@dataclass(frozen=True, slots=True)
class Programming:
    """What writing a cell comes to, on average. pulses: of SET and RESET together. reads: that verify. joules:
    of the pulses. seconds: of all cells that are written at once, until the slowest is done, reads counted.
    failed: part of the cells outside the window at the end, worn ones too; NaN where figures are stated.
    model: the pulses' record, "" where figures are stated."""

    pulses: float
    reads: float
    joules: float
    seconds: float
    failed: float
    model: str

    @property
    def stated(self) -> bool:
        """Whether the chip file's own figures were taken."""
        return not self.model

    @property
    def pulse_joules(self) -> float:
        """Joules of one pulse, SET or RESET, on average."""
        return self.joules / self.pulses


def record_of(writing: Writing, device: str) -> Pulses | None:
    """The pulses that write cells of that device; None where figures are stated. KeyError for a record or a
    device that there is not."""
    if writing.pulses == "stated":
        return None
    name = writing.model or device_named(device).pulses
    if not name:
        return None
    record = pulses_named(name)
    return replace(
        record,
        margin=writing.margin or record.margin,
        iterations=writing.limit or record.iterations,
    )


def programming(writing: Writing, device: str, scheme: Scheme, use: Use) -> Programming:
    """What writing a cell of the device costs after such use: cells that have failed by wear do not move."""
    wear = wear_named(use.model)
    worn = wear.failed_share(use.cycles)
    record = record_of(writing, device)
    if record is None:
        return _stated(writing, worn)
    counts = _counts(kept(device), scheme, record, None)
    if worn:
        counts = counts.mixed(_counts(kept(device), scheme, record, wear), worn)
    turns = counts.pulses + counts.resets - 1.0
    spent = counts.pulses * record.pulse_s + (counts.resets - 1.0) * record.reset_s
    slowest = float(np.cumsum(1.0 - counts.done**writing.parallel)[-1]) + 1.0
    return Programming(
        counts.pulses + counts.resets,
        counts.reads,
        counts.pulses * record.pulse_j + counts.resets * record.reset_j,
        record.reset_s
        + (slowest - 1.0) * (spent / turns if turns else 0.0)
        + slowest * record.read_s,
        counts.failed,
        record.name,
    )


def _stated(writing: Writing, worn: float) -> Programming:
    """The chip file's own figures; cells that have failed take all pulses."""
    usual = writing.iterations
    pulses = usual + worn * (max(writing.limit or most_pulses(), usual) - usual)
    return Programming(
        pulses, pulses, pulses * writing.energy, pulses * writing.pulse, float("nan"), ""
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    """Means over cells. done: part of them that needs at most r + 1 reads, up to the last there may be."""

    pulses: float
    resets: float
    reads: float
    failed: float
    done: Floats

    def mixed(self, other: _Counts, share: float) -> _Counts:
        """These cells with so large a share of others among them."""
        return _Counts(
            *(
                getattr(self, f.name) * (1.0 - share) + getattr(other, f.name) * share
                for f in fields(self)
            )
        )


@lru_cache(maxsize=256)
def _counts(device: str, scheme: Scheme, record: Pulses, wear: Wear | None) -> _Counts:
    """Program-and-verify of CELLS cells, spread evenly over the levels that the scheme places, or over
    TARGETS conductances where any will do. wear: all of them have failed in its way."""
    cell = device_named(device)
    levels = placed_levels(cell, scheme)
    if levels is None:
        levels = np.linspace(cell.g_min, cell.g_max, TARGETS)
    goals = np.repeat(levels[:, None], max(1, CELLS // len(levels)), axis=1)
    made = program_and_verify(
        record, cell, goals, Stream(0, ("writing",)), wear=wear, cycles=np.inf
    )
    reads = np.bincount(made.reads.ravel() - 1, minlength=record.iterations + 1)
    return _Counts(
        float(made.pulses.mean()),
        float(made.resets.mean()),
        float(made.reads.mean()),
        float(made.failed.mean()),
        np.cumsum(reads) / made.reads.size,
    )
