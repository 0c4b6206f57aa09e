"""What a crossbar's actions and parts cost: cells, drivers, converters, programming.

A PCM read's energy is its charge (units/crossbar.py, or what the values drew) times the supply's
voltage: the part that falls across the cell is dissipated there, the rest in what regulates it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.constants.converter import SOURCE, conversion_energy, converter_area, outside
from accelsim.constants.price import CHIP, CORE, DEVICE, AreaRow, Price, area_rows, row_price
from accelsim.constants.rows import half_width
from accelsim.constants.technology import Technology
from accelsim.devices.pulses import energy_confidence
from accelsim.errors import InputError
from accelsim.units.base import Prices

if TYPE_CHECKING:
    from accelsim.units.crossbar import Crossbar


def conversion_rate(crossbar: Crossbar) -> float:
    """Conversions a second of one converter: one a pulse where it counts during the pulse."""
    adc = crossbar.adc
    if adc.kind == "counting":
        return 1.0 / crossbar.read_seconds
    return adc.rate / 2.0**adc.bits if adc.kind == "ramp" else adc.rate


def conversion(crossbar: Crossbar, tech: Technology) -> Price:
    """One conversion by bits and rate; free for an ideal converter. InputError outside the survey,
    unless the chip file gives a constant of its own."""
    adc = crossbar.adc
    if adc.bits == 0:
        return Price(0.0, 0.0, CORE, "an ideal converter: not charged")
    if any(own.key == f"{crossbar.name}/conversions" for own in tech.constants):
        return Price(0.0, 0.0, CORE, "the chip file")  # put in place by with_own()
    rate, node = conversion_rate(crossbar), tech.node * 1e9
    if problems := outside(adc.bits, node, rate, f"units.{crossbar.name}.adc"):
        raise InputError(problems)
    source = f"{SOURCE}: {adc.bits} bits, {rate / 1e6:g} MS/s, {node:g} nm"
    return Price(conversion_energy(adc.bits, node, rate), half_width("der"), CORE, source)


def crossbar_prices(crossbar: Crossbar, tech: Technology) -> Prices:
    """(unit, action) -> price of a crossbar's actions, and the watts of what is always on."""
    name, drive = crossbar.name, crossbar.drive
    convert = conversion(crossbar, tech)
    stated = f"the chip file: units.{name}"
    found = {
        (name, "mac_cells"): Price(
            0.0, 0.0, DEVICE, "summed by the bit lines: their charge is charged"
        ),
        (name, "cell_charge"): Price(
            drive.voltage, 0.0, DEVICE, f"{drive.voltage:g} V across the cell times the charge"
        ),
        (name, "supply_charge"): Price(
            drive.supply - drive.voltage,
            0.0,
            DEVICE,
            f"{drive.supply:g} V supply less the cell's, times the charge",
        ),
        (name, "driven_seconds"): row_price(tech, "puma_32nm/row_driver/second", CORE),
        (name, "conversions"): convert,
        (name, "shift_add"): row_price(tech, "isaac_32nm/shift_add/add", CORE),
        (name, "vectors"): Price(crossbar.overhead, 0.0, CORE, f"{stated}.overhead"),
        (name, "pulses"): pulse_price(crossbar),
        (name, "verify_reads"): Price(convert.joules, convert.band, CHIP, convert.source),
    }
    if crossbar.static:
        watts = crossbar.static * crossbar.count
        found[name, "static_second"] = Price(watts, 0.0, CORE, f"{stated}.static")
    return found


def pulse_price(crossbar: Crossbar) -> Price:
    """A pulse of programming, SET or RESET, on average: as computed, or as the chip file states it."""
    writes = crossbar.programming
    if writes.stated:
        return Price(
            writes.pulse_joules,
            half_width("mem"),
            CHIP,
            f"stated in the chip file: units.{crossbar.name}.writing.energy",
        )
    return Price(
        writes.pulse_joules,
        half_width(energy_confidence(writes.model)),
        CHIP,
        f"computed by program and verify with the pulses {writes.model}",
    )


def crossbar_areas(crossbar: Crossbar, tech: Technology) -> list[AreaRow]:
    """Cells, row drivers, shift-and-add, and converters inside the survey's range."""
    scheme, adc, node = crossbar.cells, crossbar.adc, tech.node_nm
    cells = crossbar.rows * crossbar.columns * scheme.sides * scheme.devices
    converters = crossbar.count * -(-crossbar.columns // adc.shared)
    parts = (
        ("cells", "lee_90nm/pcm_cell/area", crossbar.count * cells),
        ("row drivers", "puma_32nm/row_driver/area", crossbar.count * crossbar.rows),
        ("shift-and-add", "isaac_32nm/shift_add/area", converters),
    )
    rows, rate = area_rows(tech, crossbar.name, parts), conversion_rate(crossbar)
    if adc.bits and not outside(adc.bits, node, rate, ""):
        area = converters * converter_area(adc.bits, node, rate)
        rows.append(AreaRow(crossbar.name, "converters", area, half_width("der"), SOURCE))
    return rows
