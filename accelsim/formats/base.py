"""The contract of a number format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats.rounding import (
    OVERFLOWS,
    ROUNDINGS,
    Floats,
    Grid,
    RoundingRule,
    check_random_bits,
    round_to_grid,
    rounding_named,
)

Codes = NDArray[Any]
#: number of an array's first element, or of each
Numbers = int | NDArray[np.int64]
#: random bits where a format does not say: half a word
RANDOM_BITS = 16


@dataclass(frozen=True)
class Format(ABC):
    """A number format: a record and its codec.

    name: as chip files write it. bits: storage width of one code (sub-byte formats take sub-byte
    space). Values are float64, which holds every value of every format of up to 53 significant
    bits exactly. No method changes its arguments; every method keeps the shape.

    ``kind`` is "integer" (codes are what the arithmetic adds), "fixed", "float", "codebook" or
    "block". ``roundings`` and ``overflows`` are what quantize() takes; the first of each is the
    default. ``has_nan``: a NaN stays a NaN; other formats refuse one (format.nan).
    """

    name: str
    bits: int
    kind: ClassVar[str]

    @property
    def roundings(self) -> tuple[str, ...]:
        """What quantize() takes; the default first."""
        return ROUNDINGS

    @property
    @abstractmethod
    def overflows(self) -> tuple[str, ...]:
        """What may happen beyond the largest value; the default first."""

    @property
    @abstractmethod
    def has_nan(self) -> bool:
        """Whether a code stands for NaN."""

    @abstractmethod
    def code_of(self, values: Floats) -> Codes:
        """Codes of values that the format holds (as quantize gives them)."""

    @abstractmethod
    def decode(self, codes: Codes) -> Floats:
        """The values of codes."""

    @abstractmethod
    def _quantized(self, x: NDArray[np.generic], rule: RoundingRule) -> Floats:
        """quantize() after its arguments were checked; NaN passes."""

    @property
    @abstractmethod
    def largest(self) -> float:
        """The largest finite value."""

    @property
    @abstractmethod
    def smallest(self) -> float:
        """The smallest value above zero."""

    @property
    def grid(self) -> Grid | None:
        """The binades of the finite values; None for formats that have none."""
        return None

    @property
    def signed(self) -> bool:
        """Whether there are negative values."""
        return True

    @property
    def lowest(self) -> float:
        """The most negative finite value."""
        return -self.largest

    def quantize(
        self,
        x: Any,
        rounding: str | None = None,
        overflow: str | None = None,
        *,
        seed: int = 0,
        random_bits: int | None = None,
        first: Numbers = 0,
    ) -> Floats:
        """x rounded once to values of the format.

        x: real numbers of any shape; integers must fit float64. rounding: one of ROUNDINGS, as
        far as ``roundings`` has it.
        overflow: saturate, infinity, nan or wrap, as far as ``overflows`` has it.
        Stochastic: the distance to the next value towards zero, cut to ``random_bits`` (1..32)
        bits, is the chance of the one away from zero; stochastic_floor counts from the next
        value below and goes to the one above, as two's complement does. The bits depend on the
        seed and an element's number alone: counted from ``first`` in C order, or ``first`` lists
        them in x's shape.

        InputError for a NaN where the format has none, and for words that are no choice.
        """
        how, over = self.choices(rounding, overflow)
        drawn = check_random_bits(RANDOM_BITS if random_bits is None else random_bits)
        result = self._quantized(real_numbers(x), RoundingRule(how, over, seed, drawn, first))
        if not self.has_nan and np.isnan(result).any():
            raise InputError(
                Problem(
                    "format.nan",
                    f"{self.name} has no NaN, and a value is one",
                    "replace NaN first, or use a format that holds it",
                )
            )
        return result

    def encode(
        self,
        x: Any,
        rounding: str | None = None,
        overflow: str | None = None,
        *,
        seed: int = 0,
        random_bits: int | None = None,
    ) -> Codes:
        """Codes of x after quantize() with the same arguments."""
        values = self.quantize(x, rounding, overflow, seed=seed, random_bits=random_bits)
        return self._code_of(values, x)

    def _code_of(self, values: Floats, x: Any) -> Codes:
        """code_of() where it is known what the values were rounded from."""
        del x
        return self.code_of(values)

    def choices(self, rounding: str | None, overflow: str | None) -> tuple[str, str]:
        """Rounding and overflow with the defaults in place; InputError where there is no such."""
        how = self.roundings[0] if rounding is None else rounding_named(rounding)
        over = self.overflows[0] if overflow is None else overflow
        if how not in self.roundings:
            raise InputError(
                Problem(
                    "format.rounding",
                    f"{self.name} does not round {how}",
                    "write one of " + ", ".join(self.roundings),
                )
            )
        if over not in self.overflows:
            known = over in OVERFLOWS
            text = (
                f"{self.name} has no overflow {over!r}"
                if known
                else f"there is no overflow {over!r}"
            )
            raise InputError(
                Problem("format.overflow", text, "write one of " + ", ".join(self.overflows))
            )
        return how, over

    def bytes_for(self, elements: int) -> int:
        """Bytes that hold so many elements, packed, rounded up to whole bytes."""
        return (elements * self.bits + 7) // 8

    def values(self) -> Floats:
        """Every value, one a code, for formats of up to 16 bits; ValueError for wider ones."""
        if self.bits > 16:
            raise ValueError(f"{self.name} has 2^{self.bits} codes")
        return self.decode(np.arange(1 << self.bits, dtype=np.uint32))


def real_numbers(x: Any) -> NDArray[np.generic]:
    """x as an array of floats that holds it exactly; InputError otherwise."""
    values: NDArray[np.generic] = np.asarray(x)
    if values.dtype.kind in "bui":
        wide = values.astype(np.float64)
        if values.size and max(abs(int(values.max())), abs(int(values.min()))) > 1 << 53:
            raise InputError(
                Problem(
                    "format.input", "holds integers beyond 2^53", "give float64 values or codes"
                )
            )
        return wide
    if values.dtype in (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)):
        return values
    raise InputError(
        Problem(
            "format.input",
            f"is of type {values.dtype}, not real numbers",
            "give an array of float16, float32, float64 or integers",
        )
    )


class EvenlySpaced(Format):
    """Codes are whole numbers, two's complement or plain binary; values are evenly spaced. grid: never None."""

    @property
    def overflows(self) -> tuple[str, ...]:
        return ("saturate", "wrap")

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def minimum(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def whole(self, codes: Codes) -> NDArray[np.int64]:
        """Whole numbers of codes; bit patterns above the largest code are read as two's complement."""
        found = np.asarray(codes).astype(np.int64)
        if self.signed and self.bits < 64:
            found = np.where(found > self.maximum, found - (1 << self.bits), found)
        return found

    def _quantized(self, x: NDArray[np.generic], rule: RoundingRule) -> Floats:
        assert self.grid is not None
        return quantize_to_grid(self.grid, x, rule) + 0.0  # whole numbers have one zero


def quantize_to_grid(grid: Grid, x: NDArray[np.generic], rule: RoundingRule) -> Floats:
    """round_to_grid, and "wrap": rounded without an end, then taken modulo the range.

    The range from -bottom to top is a whole number of quanta; infinities become NaN.
    """
    if rule.overflow != "wrap":
        return round_to_grid(x, grid, rule)
    far = np.finfo(np.float64).max
    free = Grid(53, grid.lowest - grid.precision + 53, far, far)
    found = round_to_grid(x, free, replace(rule, overflow="infinity"))
    span = grid.top + grid.bottom + grid.quantum
    with np.errstate(invalid="ignore"):
        rest = np.fmod(found, span)  # exact
    rest = np.where(rest > grid.top, rest - span, rest)
    return np.where(rest < -grid.bottom, rest + span, rest)
