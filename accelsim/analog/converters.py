"""Quantisation at a crossbar's edges: input codes and output codes, both symmetric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Converter:
    """b bits give 2**b - 1 codes from -(2**(b-1) - 1) to 2**(b-1) - 1; the largest stands for
    ``bound``. Values are rounded to the nearest code, ties to even, then clipped."""

    bits: int
    bound: float = 1.0

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 24:
            raise ValueError(f"{self.bits} bits: converters have 2 to 24")
        if not np.isfinite(self.bound) or self.bound <= 0:
            raise ValueError(f"bound {self.bound} is no positive number")

    @property
    def top(self) -> int:
        """The largest code."""
        return (1 << (self.bits - 1)) - 1

    @property
    def step(self) -> float:
        """What one code stands for."""
        return self.bound / self.top

    def codes(self, values: Floats) -> Ints:
        """Integer codes of values."""
        return np.clip(np.rint(values / self.step), -self.top, self.top).astype(np.int64)

    def clipped(self, values: Floats) -> NDArray[np.bool_]:
        """Which values lie beyond the last code."""
        return np.asarray(np.abs(np.rint(values / self.step)) > self.top)
