"""A cell that keeps what it is given: for checking everything around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.devices.base import ROOM, Cells, Device, Floats
from accelsim.noise import Stream


@dataclass(frozen=True, slots=True)
class Ideal(Device):
    """No programming error, no drift, no noise."""

    kind: ClassVar[str] = "ideal"
    name: str = "ideal"
    g_max: float = 25e-6
    read_time: float = 250e-9

    def program(self, target: Floats, stream: Stream) -> Cells:
        """The targets themselves."""
        del stream
        values = self._checked(target)
        return Cells(values, values)

    def drifted(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """The targets at any age."""
        del age, temperature
        return cells.conductance

    def read_sigma(self, cells: Cells, age: float, temperature: float = ROOM) -> Floats:
        """Nothing."""
        del age, temperature
        return np.zeros_like(cells.conductance)
