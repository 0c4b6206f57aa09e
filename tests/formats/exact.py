"""The slow obvious reference: rational numbers, one definition of each rounding, no bit tricks."""

from __future__ import annotations

import math
from fractions import Fraction

from accelsim.formats import Codebook, Fixed, Format, Integer, Minifloat

Number = Fraction | float  # floats only for infinities and NaN


def decoded(record: Format, code: int) -> Number:
    """The value of a bit pattern (Minifloat, Integer, Fixed, Codebook)."""
    if isinstance(record, Codebook):
        return Fraction(record.entries[code])
    if isinstance(record, Integer | Fixed):
        whole = code - (1 << record.bits) if record.signed and code >> (record.bits - 1) else code
        return Fraction(whole, 1 << (record.fraction if isinstance(record, Fixed) else 0))
    assert isinstance(record, Minifloat)
    sign = -1 if code >> (record.bits - 1) else 1
    field = (code >> record.fraction) & ((1 << record.exponent) - 1)
    rest = code & ((1 << record.fraction) - 1)
    top_field, top_rest = (1 << record.exponent) - 1, (1 << record.fraction) - 1
    if record.specials == "ieee" and field == top_field:
        return math.nan if rest else sign * math.inf
    if record.specials == "nan" and field == top_field and rest == top_rest:
        return math.nan
    if record.specials == "fnuz" and code == 1 << (record.bits - 1):
        return math.nan
    part = Fraction(rest, 1 << record.fraction)
    if field == 0 and record.small == "subnormals":
        return sign * part * Fraction(2) ** (1 - record.bias)
    if field == 0 and (record.small == "zero" or rest == 0):
        return Fraction(0)
    return sign * (1 + part) * Fraction(2) ** (field - record.bias)


def floor_log2(x: Fraction) -> int:
    """The largest n with 2^n <= x."""
    n = x.numerator.bit_length() - x.denominator.bit_length()
    while Fraction(2) ** n > x:
        n -= 1
    while Fraction(2) ** (n + 1) <= x:
        n += 1
    return n


def rounded_up(rest: Fraction, odd: bool, negative: bool, rounding: str, draw: Fraction) -> bool:
    """Whether a magnitude with ``rest`` of a spacing above a value goes to the next one."""
    half = Fraction(1, 2)
    return {
        "nearest_even": rest > half or (rest == half and odd),
        "nearest_away": rest >= half,
        "nearest_up": rest > half or (rest == half and not negative),
        "nearest_down": rest > half or (rest == half and negative),
        "nearest_zero": rest > half,
        "toward_zero": False,
        "up": rest > 0 and not negative,
        "down": rest > 0 and negative,
        "stochastic": rest + draw >= 1,
    }[rounding]


def exact(
    record: Format, x: Fraction, rounding: str, overflow: str, draw: int = 0, random_bits: int = 16
) -> Number:
    """x in a Minifloat, Integer or Fixed. draw: the random number of random_bits bits."""
    grid = record.grid
    assert grid is not None
    negative, size = x < 0, abs(x)
    if size == 0:
        return Fraction(0)
    binade = floor_log2(size)
    if isinstance(record, Integer | Fixed):
        binade = grid.lowest
    elif grid.least == 0:
        binade = max(binade, grid.lowest)
    spacing = Fraction(2) ** (binade - grid.precision + 1)
    count = size // spacing
    rest = size / spacing - count
    chance = Fraction(draw, 2**random_bits)
    if rounding == "stochastic_floor":  # from the value below, whatever the sign
        low = math.floor(x / spacing)
        above = math.floor((x / spacing - low) * 2**random_bits)
        found = abs(low + (Fraction(above, 2**random_bits) + chance >= 1)) * spacing
    else:
        if rounding == "stochastic":
            rest = Fraction(math.floor(rest * 2**random_bits), 2**random_bits)
        found = (count + rounded_up(rest, count % 2 == 1, negative, rounding, chance)) * spacing
    if found < Fraction(grid.least):
        return Fraction(0)
    end = Fraction(grid.bottom if negative else grid.top)
    sign = -1 if negative else 1
    if overflow == "wrap":
        span = Fraction(grid.top) + Fraction(grid.bottom) + Fraction(grid.quantum)
        inside = (sign * found + Fraction(grid.bottom)) % span
        return inside - Fraction(grid.bottom)
    if found <= end:
        return sign * found
    towards = {"toward_zero": True, "up": negative, "down": not negative}.get(rounding, False)
    if overflow == "saturate" or towards:
        return sign * end
    return math.nan if overflow == "nan" else sign * math.inf


def same(got: float, wanted: Number) -> bool:
    """Equal numbers, or both NaN."""
    if isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(got)
    if isinstance(wanted, float) or math.isinf(got) or math.isnan(got):
        return got == wanted
    return Fraction(got) == wanted
