"""Integers: two's complement or plain binary; the codes are the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.formats.base import Codes, Format, Numbers, quantize_to_grid
from accelsim.formats.rounding import Floats, Grid

EXACT = 53  # bits of an integer that float64 holds


@dataclass(frozen=True)
class Integer(Format):
    """An integer of ``bits`` bits. Codes are int64, equal to the values.

    Of more than 53 bits (int64), quantize gives what float64 holds of them.
    """

    two_complement: bool = True
    kind: ClassVar[str] = "integer"

    @property
    def overflows(self) -> tuple[str, ...]:
        return ("saturate", "wrap")

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def signed(self) -> bool:
        return self.two_complement

    @property
    def minimum(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def holds(self, other: Integer) -> bool:
        """Whether every value of another integer format is one of this."""
        return self.minimum <= other.minimum and other.maximum <= self.maximum

    @property
    def largest(self) -> float:
        top = self.maximum
        return float(top - top % (1 << max(0, self.bits - 1 - EXACT)))

    @property
    def lowest(self) -> float:
        return float(self.minimum)

    @property
    def smallest(self) -> float:
        return 1.0

    @property
    def grid(self) -> Grid:
        width = self.bits - 1 if self.signed else self.bits
        if width > EXACT:
            return Grid(EXACT, EXACT - 1, self.largest, float(-self.minimum))
        return Grid(width, width - 1, self.largest, float(-self.minimum))

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
        return found + 0.0  # integers have one zero

    def code_of(self, values: Floats) -> Codes:
        return np.asarray(values, np.float64).astype(np.int64)

    def decode(self, codes: Codes) -> Floats:
        """Values of codes; bit patterns above the largest code are read as two's complement."""
        whole = np.asarray(codes).astype(np.int64)
        if self.signed and self.bits < 64:
            whole = np.where(whole > self.maximum, whole - (1 << self.bits), whole)
        return whole.astype(np.float64)
