"""Formats whose codes stand for listed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.formats.base import Codes, Format
from accelsim.formats.rounding import ROUNDINGS, Floats, RoundingRule, draws


@dataclass(frozen=True)
class Codebook(Format):
    """2^bits ascending values; code i is the i-th. Saturates at both ends.

    A tie of nearest_even goes to the even code. There is no stochastic rounding: neighbours do not
    lie a power of two apart.
    """

    entries: tuple[float, ...] = ()
    kind: ClassVar[str] = "codebook"

    @property
    def roundings(self) -> tuple[str, ...]:
        return tuple(name for name in ROUNDINGS if not draws(name))

    @property
    def overflows(self) -> tuple[str, ...]:
        return ("saturate",)

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def largest(self) -> float:
        return self.entries[-1]

    @property
    def lowest(self) -> float:
        return self.entries[0]

    @property
    def smallest(self) -> float:
        return min(value for value in self.entries if value > 0)

    @property
    def signed(self) -> bool:
        return self.entries[0] < 0

    def _quantized(self, x: NDArray[np.generic], rule: RoundingRule) -> Floats:
        table = np.array(self.entries)
        values = np.asarray(x, np.float64)
        inside = np.clip(values, table[0], table[-1])
        low = np.clip(np.searchsorted(table, inside, side="right") - 1, 0, len(table) - 2)
        below, above = table[low], table[low + 1]
        middle = (below + above) / 2  # exact: entries are float32
        if rule.rounding.startswith("nearest"):
            ties: Any = {
                "nearest_even": low % 2 == 1,
                "nearest_away": inside > 0,
                "nearest_zero": inside < 0,
                "nearest_up": True,
                "nearest_down": False,
            }[rule.rounding]
            up = (inside > middle) | ((inside == middle) & ties)
        elif rule.rounding == "toward_zero":
            up = (inside == above) | (inside < 0) & (inside > below)
        elif rule.rounding == "up":
            up = inside > below
        else:
            up = inside == above
        return np.where(np.isnan(values), np.nan, np.where(up, above, below))

    def code_of(self, values: Floats) -> Codes:
        return np.searchsorted(np.array(self.entries), values).astype(np.uint8)

    def decode(self, codes: Codes) -> Floats:
        return np.array(self.entries)[np.asarray(codes).astype(np.int64)]
