"""Integers: two's complement or plain binary; the codes are the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.formats.base import Codes, EvenlySpaced
from accelsim.formats.rounding import Floats, Grid

EXACT = 53  # bits of an integer that float64 holds


@dataclass(frozen=True)
class Integer(EvenlySpaced):
    """An integer of ``bits`` bits. Codes are int64, equal to the values.

    Of more than 53 bits (int64), quantize gives what float64 holds of them.
    """

    two_complement: bool = True
    kind: ClassVar[str] = "integer"

    @property
    def signed(self) -> bool:
        return self.two_complement

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

    def code_of(self, values: Floats) -> Codes:
        return np.asarray(values, np.float64).astype(np.int64)

    def decode(self, codes: Codes) -> Floats:
        """Values of codes; bit patterns above the largest code are read as two's complement."""
        return self.whole(codes).astype(np.float64)
