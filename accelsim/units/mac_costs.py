"""What a MAC array's actions and parts cost: multipliers, adders, registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.constants.float_mac import float_multiply_accumulate, is_float, ratio
from accelsim.constants.price import (
    CHIP,
    CORE,
    DEVICE,
    AreaRow,
    Price,
    area_rows,
    row_price,
    row_value,
)
from accelsim.constants.rows import half_width
from accelsim.constants.technology import Technology
from accelsim.formats import get
from accelsim.units.base import Prices
from accelsim.units.vector_unit import rescale_price

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray


def array_prices(array: MacArray, technology: Technology) -> Prices:
    """(array or its accumulators, action) -> price."""
    name, bit = array.name, row_price(technology, "aladdin_40nm/register/bit", CORE)
    found = {}
    for rate in array.rates:
        pair = f"{rate.input}_{rate.weight}"
        found[name, f"mac_{pair}"] = multiply_accumulate(array, technology, rate.input, rate.weight)
        found[name, f"mac_gated_{pair}"] = Price(
            0.0, 0.0, DEVICE, "a product with a zero operand: registers hold, nothing switches"
        )
    found[name, "register_bits"] = bit
    found[name, "accumulator_bits"] = bit
    if array.scratchpads is not None:
        found[name, "scratchpad_bits"] = bit  # register files; no SRAM so small has a row
    found[name, "requantize"] = rescale_price(technology)
    found[name, "idle_slots"] = Price(0.0, 0.0, CHIP, "not charged: no sourced constant")
    if array.accumulator.location == "column":
        for action in ("read_bit", "write_bit"):
            found[f"{name}.accumulators", action] = bit
    return found


def multiply_accumulate(
    array: MacArray, technology: Technology, input_format: str, weight_format: str
) -> Price:
    """One multiply-accumulate: the family's 8-bit multiply times the product of widths over 64,
    plus its 32-bit add times the accumulator's width over 32 (array and carry-chain area rules).
    Floats: constants/float_mac.py."""
    family = technology.family
    if is_float(input_format, weight_format):
        held = array.rate(input_format, weight_format).accumulator or array.accumulator
        return float_multiply_accumulate(technology, input_format, weight_format, held)
    a, b, width = get(input_format).bits, get(weight_format).bits, array.accumulator.bits
    multiply, band_m = row_value(technology, f"{family}/int8/multiply")
    add, band_a = row_value(technology, f"{family}/int32/add")
    joules_m, joules_a = multiply * a * b / 64, add * width / 32
    total = joules_m + joules_a
    derived = half_width("der") if (a, b, width) != (8, 8, 32) else 0.0
    band = max((joules_m * band_m + joules_a * band_a) / total, derived)
    source = f"{family}/int8/multiply x {a * b}/64 + {family}/int32/add x {width}/32"
    return Price(total, band, DEVICE, source)


def array_areas(array: MacArray, technology: Technology) -> list[AreaRow]:
    """One multiplier as wide as the widest rate needs, an adder of the accumulator's width, and
    the registers of operand, partial sum, stationary values and scratchpads, in each lane. Floats take
    so many INT8 multipliers and 32-bit adders as constants/float_mac.py says; integers of the chip share them. A
    family without area rows gives none."""
    family, held = technology.family, array.accumulator
    lanes = array.count * array.rows * array.columns * array.dot * array.simd
    widest = max(get(rate.input).bits * get(rate.weight).bits * rate.factor for rate in array.rates)
    operand = max(get(rate.input).bits * rate.factor for rate in array.rates)
    bits = lanes * (operand + held.bits) + array.count * 8 * array.register_bytes
    if (pads := array.scratchpads) is not None:
        bits += lanes * (pads.input * operand + pads.sums * held.bits)
    floats = max(
        (
            rate.factor * ratio(rate.input, rate.weight, rate.accumulator or held)[0]
            for rate in array.rates
            if is_float(rate.input, rate.weight)
        ),
        default=0.0,
    )
    parts = (
        ("multipliers", f"{family}/int8/multiply/area", lanes * max(widest / 64, floats)),
        ("adders", f"{family}/int32/add/area", lanes * max(held.bits / 32, floats)),
        ("registers", "aladdin_40nm/register/area", bits),
    )
    return area_rows(technology, array.name, parts)
