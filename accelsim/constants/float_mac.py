"""Energy and area of floating-point multiply-accumulate units, from transistors by synthesis.

tables/mac_area.json counts the transistors of units of nine formats. A unit is charged as the family's
INT8 multiply and 32-bit add, times its transistors over those of the INT8 unit with 32-bit sums:
energy of logic taken to follow its size. The published tables of a family have float rows of their
own, but with neither FP8 nor 1-6-9 sums; they are shown beside, in docs/energy.md.
"""

from __future__ import annotations

from typing import Protocol

from accelsim.constants.price import DEVICE, Price, row_value
from accelsim.constants.rows import half_width, table
from accelsim.constants.technology import Technology
from accelsim.formats import Fixed, Integer, Minifloat, get


class Sums(Protocol):
    """An accumulator: bits wide, of a format or an integer ("")."""

    @property
    def bits(self) -> int: ...

    @property
    def format(self) -> str: ...


def is_float(*names: str) -> bool:
    """Whether any of the formats is neither an integer nor fixed point, which multiplies as one."""
    return any(not isinstance(get(name), Integer | Fixed) for name in names)


def unit_of(input_format: str, weight_format: str, held: Sums) -> str:
    """The synthesised unit that stands for a pair of operands: the listed one, or for others the one of
    the nearest width whose sums are as wide."""
    listed: dict[str, str | int] = table("mac_area")["accumulators"]
    floats = [name for name, total in listed.items() if isinstance(total, str)]
    sizes = table("mac_area")["transistors"]
    pair = sorted({input_format, weight_format} & set(floats), key=lambda name: float(sizes[name]))
    if pair and {input_format, weight_format} <= set(floats) and listed[pair[-1]] == held.format:
        return pair[-1]

    def distance(name: str) -> tuple[float, float]:
        record, total = get(name), get(str(listed[name]))
        assert isinstance(record, Minifloat) and isinstance(total, Minifloat)
        bits = max(get(input_format).bits, get(weight_format).bits)
        return abs(record.bits - bits), abs(total.bits - held.bits)

    return min(floats, key=distance)


def ratio(input_format: str, weight_format: str, held: Sums) -> tuple[float, float, str]:
    """(transistors over those of INT8 with 32-bit sums, band, source)."""
    whole = table("mac_area")
    unit = unit_of(input_format, weight_format, held)
    exact = unit in (input_format, weight_format) and whole["accumulators"][unit] == held.format
    band = float(whole["band"]) if exact else max(float(whole["band"]), half_width("der"))
    times = whole["transistors"][unit] / whole["transistors"]["int8"]
    return times, band, f"mac_area/{unit} ({whole['tool']})"


def float_multiply_accumulate(
    tech: Technology, input_format: str, weight_format: str, held: Sums
) -> Price:
    """One multiply-accumulate of two floats."""
    family = tech.family
    multiply, band_m = row_value(tech, f"{family}/int8/multiply")
    add, band_a = row_value(tech, f"{family}/int32/add")
    times, band, source = ratio(input_format, weight_format, held)
    joules = multiply + add
    known = (multiply * band_m + add * band_a) / joules
    return Price(
        joules * times,
        known + band,
        DEVICE,
        f"({family}/int8/multiply + {family}/int32/add) x {times:.3g}: {source}",
    )
