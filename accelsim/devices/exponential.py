"""Steps of a cell that shrink exponentially with its conductance, as published for PCM and CMOS cells.

With the state w of a cell between w_min and w_max, a pulse in direction d (+1 up, -1 down) gives

    w <- w + d max(y, 0) dw_min + sigma dw_min (sigma_add + max(y, 0) + sigma_slope |w|) xi
    y = 1 - A_d exp(d gamma_d z),   z = 2 a w / (w_max - w_min) + b

(aihwkit's ExpStepDevice with its cycle-to-cycle noise; own code after the documentation.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accelsim.devices.base import Floats
from accelsim.noise import exp


@dataclass(frozen=True, slots=True)
class Exponential:
    """window: (w_min, w_max). full: siemens of w_max; w_min has none. least: dw_min, in w. up, down:
    (A, gamma); down is None where only pulses upwards are to be had. slope, offset: a and b. noise:
    (sigma, sigma_add, sigma_slope)."""

    window: tuple[float, float]
    full: float
    least: float
    up: tuple[float, float]
    down: tuple[float, float] | None
    slope: float
    offset: float
    noise: tuple[float, float, float]

    def state(self, g: Floats) -> Floats:
        """w of conductances (siemens)."""
        low, high = self.window
        return low + (high - low) * g / self.full

    def step(self, g: Floats, rising: bool) -> tuple[Floats, Floats]:
        """(size of a pulse's step, deviation of its result), siemens, of cells at conductances g."""
        law = self.up if rising else self.down
        assert law is not None, "no pulses downwards"
        low, high = self.window
        w = self.state(g)
        z = 2.0 * self.slope * w / (high - low) + self.offset
        y = np.maximum(1.0 - law[0] * exp((1.0 if rising else -1.0) * law[1] * z), 0.0)
        unit = self.least * self.full / (high - low)
        sigma, add, slope = self.noise
        return unit * y, unit * sigma * (add + y + slope * np.abs(w))
