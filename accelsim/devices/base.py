"""The contract of a device model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.noise import Stream

Floats = NDArray[np.float64]
BOLTZMANN = 1.380649e-23  # joules a kelvin (SI)
ROOM = 298.15  # kelvin: reads without a stated temperature


@dataclass(frozen=True, slots=True)
class Cells:
    """Programmed cells. target: siemens asked for. conductance: siemens at the model's reference
    time after programming, with no read noise. state: what else the model keeps of each cell,
    arrays of the same shape."""

    target: Floats
    conductance: Floats
    state: dict[str, Floats] = field(default_factory=dict)


class Device(ABC):
    """One kind of memory cell.

    Conductances are siemens, times seconds, temperatures kelvin. Ages count from the end of
    programming. Randomness comes from a Stream alone: the same stream, the same cells, whatever
    the order of calls. No method changes its arguments. Every model says which effects it has.
    """

    kind: ClassVar[str]
    name: str
    g_max: float
    read_time: float

    @property
    def temperatures(self) -> tuple[float, float]:
        """Kelvin between which the model holds."""
        return 200.0, 700.0

    @property
    def pulses(self) -> str:
        """The record of tables/pulses.json that programs such cells, "" where none is known."""
        return ""

    @property
    def confidence(self) -> str:
        """Of its conductances: a key of constants/tables/confidence.json, or "exact"."""
        return "exact"

    @property
    def g_min(self) -> float:
        """Smallest conductance (siemens) a cell can have at the reference time."""
        return 0.0

    def stored(self, cells: Cells, profile: Sequence[tuple[float, float]]) -> tuple[Device, Cells]:
        """The cells after times (s) at temperatures (K), and the device that reads them without counting
        that heat again; both as they are where the model has no heat."""
        del profile
        return self, cells

    def with_effects(self, programming: bool, drift: bool, noise: bool) -> Device:
        """The same cell with some of its effects off: for saying which of them costs what."""
        del programming, drift, noise
        return self

    def write_sigma(self, target: Floats) -> Floats:
        """Standard deviation (siemens) that programming leaves around the targets."""
        return np.zeros_like(np.asarray(target, np.float64))

    @abstractmethod
    def program(self, target: Floats, stream: Stream) -> Cells:
        """Cells after programming to ``target`` (any shape, 0..g_max); ValueError outside."""

    def written(self, target: Floats, conductance: Floats, stream: Stream) -> Cells:
        """Cells that a process of pulses brought to ``conductance`` (siemens)."""
        del stream
        return Cells(target, conductance)

    def verify_sigma(self, conductance: Floats) -> Floats:
        """Standard deviation (siemens) of a read of one read time just after the last pulse."""
        return np.zeros_like(conductance)

    @abstractmethod
    def drifted(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """Conductances ``age`` seconds after programming, without read noise."""

    def noise_span(self, age: float) -> float:
        """Seconds since which 1/f noise has built up, at that age."""
        return age + self.read_time

    @abstractmethod
    def read_sigma(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """Standard deviation (siemens) of one read of ``read_time`` at that age."""

    def read(self, cells: Cells, age: float, stream: Stream, temperature: float = ROOM) -> Floats:
        """Conductances as one read sees them; never negative. stream: of this read alone."""
        now = self.drifted(cells, age, temperature)
        noise = self.read_sigma(cells, age, temperature) * stream.normal(now.shape)
        return np.maximum(now + noise, 0.0)

    def _checked(self, target: Floats) -> Floats:
        values = np.asarray(target, np.float64)
        if values.size and not (
            values.min() >= 0.0 and values.max() <= self.g_max * (1 + 1e-12)
        ):  # nor NaN
            raise ValueError(f"targets must lie in 0..{self.g_max} S")
        return values
