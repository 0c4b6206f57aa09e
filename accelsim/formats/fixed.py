"""Fixed point <IL, FL>, as Gupta et al. (ICML 2015) write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accelsim.formats.base import Codes, EvenlySpaced
from accelsim.formats.rounding import Floats, Grid


@dataclass(frozen=True)
class Fixed(EvenlySpaced):
    """IL integer bits (the sign is one of them) and FL fraction bits, two's complement.

    value = code 2^-FL; range [-2^(IL-1), 2^(IL-1) - 2^-FL]. bits = IL + FL, at most 53. Codes are
    int64.
    """

    fraction: int = 0
    kind: ClassVar[str] = "fixed"

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

    def code_of(self, values: Floats) -> Codes:
        return (np.asarray(values, np.float64) * 2.0**self.fraction).astype(np.int64)

    def decode(self, codes: Codes) -> Floats:
        """Values of codes; bit patterns above the largest code are read as two's complement."""
        return self.whole(codes).astype(np.float64) * self.smallest
