"""Floating point of few bits: sign, exponent, fraction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.formats.base import Codes, Format
from accelsim.formats.rounding import (
    BIAS,
    FRACTION,
    ROUNDINGS,
    Floats,
    Grid,
    RoundingRule,
    round_to_grid,
)

Specials = Literal["ieee", "nan", "fnuz", "none"]
Small = Literal["subnormals", "zero", "binade"]


@dataclass(frozen=True)
class Minifloat(Format):
    """1 sign bit, ``exponent`` and ``fraction`` bits, value (-1)^s 2^(E - bias) (1 + f).

    specials: "ieee": the largest exponent holds infinity and NaN; "nan": only the code of all ones
    is special, a NaN; "fnuz": only the sign bit alone is special, a NaN, so that there is one zero;
    "none": every code is a number.
    small: what exponent 0 holds: "subnormals"; "zero" (any fraction is read as zero); or
    "binade", an ordinary one in which only fraction 0 is zero. Without subnormals what rounds to
    less than the smallest value becomes zero.
    rounding, overflow: the defaults.
    """

    exponent: int = 0
    fraction: int = 0
    bias: int = 0
    specials: Specials = "ieee"
    small: Small = "subnormals"
    rounding: str = "nearest_even"
    overflow: str = "saturate"
    kind: ClassVar[str] = "float"

    @property
    def roundings(self) -> tuple[str, ...]:
        return (self.rounding, *(name for name in ROUNDINGS if name != self.rounding))

    @property
    def overflows(self) -> tuple[str, ...]:
        known = {
            "ieee": ("saturate", "infinity", "nan"),
            "nan": ("saturate", "nan"),
            "fnuz": ("saturate", "nan"),
            "none": ("saturate",),
        }[self.specials]
        return (self.overflow, *(name for name in known if name != self.overflow))

    @property
    def has_nan(self) -> bool:
        return self.specials != "none"

    @property
    def has_infinity(self) -> bool:
        """Whether a code stands for infinity."""
        return self.specials == "ieee"

    @property
    def top_code(self) -> int:
        """The code of the largest finite value."""
        ones = (1 << (self.exponent + self.fraction)) - 1
        taken = {"ieee": 1 << self.fraction, "nan": 1, "fnuz": 0, "none": 0}[self.specials]
        return ones - taken

    @property
    def lowest_exponent(self) -> int:
        """Exponent of the smallest normal binade."""
        return -self.bias if self.small == "binade" else 1 - self.bias

    @property
    def largest(self) -> float:
        return float(self.decode(np.array([self.top_code]))[0])

    @property
    def smallest(self) -> float:
        unit = 2.0 ** (self.lowest_exponent - self.fraction)
        normal = 2.0**self.lowest_exponent
        return {"subnormals": unit, "zero": normal, "binade": normal + unit}[self.small]

    @cached_property
    def grid(self) -> Grid:
        top = self.largest
        least = 0.0 if self.small == "subnormals" else self.smallest
        return Grid(self.fraction + 1, self.lowest_exponent, top, top, least)

    def _quantized(self, x: NDArray[np.generic], rule: RoundingRule) -> Floats:
        found = round_to_grid(x, self.grid, rule)
        return found + 0.0 if self.specials == "fnuz" else found  # one zero

    def code_of(self, values: Floats) -> Codes:
        u = np.ascontiguousarray(values, np.float64).view(np.int64)
        size = u & np.iinfo(np.int64).max
        exponent = np.maximum(size >> FRACTION, 1)
        significand = size - ((exponent - 1) << FRACTION)
        binade = np.maximum(exponent - BIAS, self.lowest_exponent)
        # float64's own subnormals are below every format's smallest value
        cut = np.clip(FRACTION - self.fraction + binade - (exponent - BIAS), 0, 63)
        count = significand >> cut
        step = binade - self.lowest_exponent - (self.small == "binade")
        code = (step << self.fraction) + count
        code = np.where(size == 0, 0, code)
        infinity = ((1 << self.exponent) - 1) << self.fraction
        quiet = infinity | (1 << max(self.fraction - 1, 0))
        ones = (1 << (self.exponent + self.fraction)) - 1
        code = np.where(np.isinf(values), infinity if self.has_infinity else ones, code)
        code = np.where(np.isnan(values), quiet if self.has_infinity else ones, code)
        sign = 1 << (self.bits - 1)
        code |= np.where((u < 0) & ~np.isnan(values), sign, 0)
        if self.specials == "fnuz":
            code = np.where(np.isnan(values), sign, np.where(size == 0, 0, code))
        return code.astype(
            np.uint8 if self.bits <= 8 else np.uint16 if self.bits <= 16 else np.uint32
        )

    def decode(self, codes: Codes) -> Floats:
        code = np.asarray(codes).astype(np.int64)
        size = code & ((1 << (self.bits - 1)) - 1)
        field, rest = size >> self.fraction, size & ((1 << self.fraction) - 1)
        lead = np.int64(1 << self.fraction)
        low = field == 0
        power = (field - self.bias - self.fraction).astype(np.int32)
        normal = np.ldexp((lead + rest).astype(np.float64), power)
        if self.small == "subnormals":
            tiny = rest * 2.0 ** (self.lowest_exponent - self.fraction)
            normal = np.where(low, tiny, normal)
        elif self.small == "zero":
            normal = np.where(low, 0.0, normal)
        else:
            normal = np.where(size == 0, 0.0, normal)
        if self.specials == "ieee":
            special = np.where(rest == 0, np.inf, np.nan)
            normal = np.where(field == (1 << self.exponent) - 1, special, normal)
        elif self.specials == "nan":
            normal = np.where(size == (1 << (self.bits - 1)) - 1, np.nan, normal)
        elif self.specials == "fnuz":
            normal = np.where(code == 1 << (self.bits - 1), np.nan, normal)
        negative = code >> (self.bits - 1) & 1
        return np.where(negative == 1, -normal, normal)


def minifloat(
    name: str,
    exponent: int,
    fraction: int,
    bias: int | None = None,
    specials: Specials = "ieee",
    small: Small = "subnormals",
    rounding: str = "nearest_even",
    overflow: str = "saturate",
) -> Minifloat:
    """A record; bias: 2^(exponent - 1) - 1 by default."""
    middle = (1 << (exponent - 1)) - 1 if bias is None else bias
    return Minifloat(
        name,
        1 + exponent + fraction,
        exponent,
        fraction,
        middle,
        specials,
        small,
        rounding,
        overflow,
    )
