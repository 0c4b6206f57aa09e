"""Area of what has a sourced constant: multipliers, adders, registers, SRAM banks.

Vector units, DMA, control, wires and the off-chip interface have none and are left out; a total
is therefore a lower bound, and is called one where it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.chip import Chip
from accelsim.energy.converter import SOURCE, converter_area, outside
from accelsim.energy.crossbar import conversion_rate
from accelsim.energy.float_mac import is_float, ratio
from accelsim.energy.rows import components, half_width
from accelsim.energy.scaling import scale_area
from accelsim.energy.sram import sram_cost
from accelsim.formats import get
from accelsim.units.sram import Sram

SQUARE_MICRO = 1e-12  # square metres of a square micrometre


@dataclass(frozen=True, slots=True)
class AreaRow:
    """Square metres of one part of one unit, all instances; band: relative half width."""

    unit: str
    part: str
    area: float
    band: float
    source: str


def area(chip: Chip) -> list[AreaRow]:
    """Rows that add up to the area known. A family without area rows gives no logic."""
    return (
        _array_rows(chip)
        + _crossbar_rows(chip)
        + [_sram_row(chip, memory) for memory in chip.memories.values() if isinstance(memory, Sram)]
    )


def _row(chip: Chip, key: str) -> tuple[float, float] | None:
    row = components().get(key)
    if row is None:
        return None
    node, band = chip.technology.node_nm, half_width(row["confidence"])
    value = scale_area(row["value"] * SQUARE_MICRO, row["node_nm"], node)
    return value, band if node == row["node_nm"] else max(band, half_width("der"))


def _array_rows(chip: Chip) -> list[AreaRow]:
    """One multiplier as wide as the widest rate needs, an adder of the accumulator's width, and
    the registers of operand, partial sum and stationary values, in each lane. Floats take so many INT8
    multipliers and 32-bit adders as energy/float_mac.py says; integers of the chip share them."""
    array, family = chip.mac_array, chip.technology.family
    if array is None:
        return []
    lanes = array.count * array.rows * array.columns * array.dot * array.simd
    widest = max(get(rate.input).bits * get(rate.weight).bits * rate.factor for rate in array.rates)
    operand = max(get(rate.input).bits * rate.factor for rate in array.rates)
    bits = lanes * (operand + array.accumulator.bits) + array.count * 8 * array.register_bytes
    floats = max(
        (
            rate.factor * ratio(rate.input, rate.weight, rate.accumulator or array.accumulator)[0]
            for rate in array.rates
            if is_float(rate.input, rate.weight)
        ),
        default=0.0,
    )
    parts = (
        ("multipliers", f"{family}/int8/multiply/area", lanes * max(widest / 64, floats)),
        ("adders", f"{family}/int32/add/area", lanes * max(array.accumulator.bits / 32, floats)),
        ("registers", "aladdin_40nm/register/area", bits),
    )
    rows = []
    for part, key, count in parts:
        found = _row(chip, key)
        if found is not None:
            rows.append(AreaRow(array.name, part, count * found[0], found[1], key))
    return rows


def _crossbar_rows(chip: Chip) -> list[AreaRow]:
    """Cells, row drivers, converters (inside the survey's range) and shift-and-add of crossbars."""
    crossbar = chip.crossbar
    if crossbar is None:
        return []
    scheme, adc, node = crossbar.cells, crossbar.adc, chip.technology.node_nm
    cells = crossbar.rows * crossbar.columns * scheme.sides * scheme.devices
    converters = -(-crossbar.columns // adc.shared)
    parts = (
        ("cells", "lee_90nm/pcm_cell/area", crossbar.count * cells),
        ("row drivers", "puma_32nm/row_driver/area", crossbar.count * crossbar.rows),
        ("shift-and-add", "isaac_32nm/shift_add/area", crossbar.count * converters),
    )
    rows = []
    for part, key, count in parts:
        found = _row(chip, key)
        if found is not None:
            rows.append(AreaRow(crossbar.name, part, count * found[0], found[1], key))
    rate = conversion_rate(crossbar)
    if adc.bits and not outside(adc.bits, node, rate, ""):
        area = crossbar.count * converters * converter_area(adc.bits, node, rate)
        rows.append(AreaRow(crossbar.name, "converters", area, half_width("der"), SOURCE))
    return rows


def _sram_row(chip: Chip, memory: Sram) -> AreaRow:
    tech = chip.technology
    cost = sram_cost(
        memory.size, memory.banks, memory.width, tech.node_nm, tech.voltage, tech.sram_device
    )
    copies = chip.core.count if memory.scope == "private" else 1
    return AreaRow(
        memory.name, "banks", cost.area * memory.banks * copies, cost.area_band, cost.source
    )
