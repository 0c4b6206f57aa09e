"""One rounding rule for every table: parts are rounded so that they add up, as printed, to their total."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import floor, isfinite, log10


def apportioned(
    values: Iterable[float | Fraction], decimals: int = 0, total: Fraction | None = None
) -> list[Fraction]:
    """Values as multiples of 10 ** -decimals that add up to ``total``, a multiple too (default: their rounded
    sum). Each is rounded down, and what is missing goes to the largest remainders; zeros stay zeros."""
    scale = 10**decimals
    scaled = [Fraction(value) * scale for value in values]
    floors = [floor(value) for value in scaled]
    wanted = round(sum(scaled, Fraction(0))) if total is None else round(total * scale)
    order = sorted(
        (i for i, value in enumerate(scaled) if value), key=lambda i: floors[i] - scaled[i]
    )
    if order:
        every, more = divmod(wanted - sum(floors), len(order))
        for place, index in enumerate(order):
            floors[index] += every + (place < more)
    return [Fraction(value, scale) for value in floors]


def decimals_of(total: float, digits: int = 5, least: int = 2) -> int:
    """Decimals that show a total with so many digits, at least ``least``."""
    size = abs(float(total))
    return least if not size or not isfinite(size) else max(least, digits - 1 - floor(log10(size)))


def column(values: Sequence[float | Fraction], decimals: int) -> list[str]:
    """Values as text of a table's column, their total behind them; the parts add up to it as printed."""
    parts = apportioned(values, decimals)
    return [text_of(value, decimals) for value in [*parts, sum(parts, Fraction(0))]]


def text_of(value: Fraction, decimals: int, signed: bool = False) -> str:
    """A multiple of 10 ** -decimals, every digit of it."""
    whole, rest = divmod(abs(value.numerator) * 10**decimals // value.denominator, 10**decimals)
    before = "-" if value < 0 else "+" if signed and value > 0 else ""
    return f"{before}{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")


def percentages(values: Sequence[float | Fraction], digits: int = 1) -> list[float]:
    """Shares in percent that add up to exactly 100; zeros where there is nothing."""
    total = sum((Fraction(value) for value in values), Fraction(0))
    if total <= 0:
        return [0.0] * len(values)
    return [
        float(part) for part in apportioned([100 * Fraction(v) / total for v in values], digits)
    ]
