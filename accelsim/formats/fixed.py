"""Fixed point <IL, FL>, as Gupta et al. (ICML 2015) write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.formats.base import Codes, Format, Numbers, quantize_to_grid
from accelsim.formats.rounding import Floats, Grid


@dataclass(frozen=True)
class Fixed(Format):
    """IL integer bits (the sign is one of them) and FL fraction bits, two's complement.

    value = code 2^-FL; range [-2^(IL-1), 2^(IL-1) - 2^-FL]. bits = IL + FL, at most 53. Codes are
    int64.
    """

    fraction: int = 0
    kind: ClassVar[str] = "fixed"

    @property
    def overflows(self) -> tuple[str, ...]:
        return ("saturate", "wrap")

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def minimum(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1))

    @property
    def maximum(self) -> int:
        """Largest code."""
        return (1 << (self.bits - 1)) - 1

    @property
    def smallest(self) -> float:
        return 2.0**-self.fraction

    @property
    def largest(self) -> float:
        return self.maximum * self.smallest

    @property
    def lowest(self) -> float:
        return self.minimum * self.smallest

    @property
    def grid(self) -> Grid:
        width = self.bits - 1
        return Grid(width, width - 1 - self.fraction, self.largest, -self.lowest)

    def _quantized(
        self,
        x: NDArray[np.generic],
        rounding: str,
        overflow: str,
        seed: int,
        random_bits: int,
        first: Numbers,
    ) -> Floats:
        found = quantize_to_grid(self.grid, x, rounding, overflow, seed, random_bits, first)
        return found + 0.0  # two's complement has one zero

    def code_of(self, values: Floats) -> Codes:
        return (np.asarray(values, np.float64) * 2.0**self.fraction).astype(np.int64)

    def decode(self, codes: Codes) -> Floats:
        """Values of codes; bit patterns above the largest code are read as two's complement."""
        whole = np.asarray(codes).astype(np.int64)
        whole = np.where(whole > self.maximum, whole - (1 << self.bits), whole)
        return whole.astype(np.float64) * self.smallest
