"""A price: joules a count with band, boundary and source; and the table rows behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accelsim.constants.rows import components, half_width
from accelsim.constants.scaling import scale_area, scale_energy
from accelsim.constants.technology import Constant, Technology

PICO = 1e-12  # unit prefix
SQUARE_MICRO = 1e-12  # square metres of a square micrometre
DEVICE, CORE, CHIP = "device", "core", "chip"


@dataclass(frozen=True, slots=True)
class Price:
    """joules: for one count. band: relative half width from the constants' confidence.
    boundary: the innermost of device, core, chip. source: rows and rule, for a person."""

    joules: float
    band: float
    boundary: str
    source: str


@dataclass(frozen=True, slots=True)
class AreaRow:
    """Square metres of one part of one unit, all instances; band: relative half width."""

    unit: str
    part: str
    area: float
    band: float
    source: str


def row_value(tech: Technology, key: str) -> tuple[float, float]:
    """(joules at the technology's node and voltage, band) of a row of the component table, or of its
    own constant of that key; a scaled value has the band of a derived one at least."""
    for own in tech.constants:
        if own.key == key:
            return own_value(tech, own)
    row = components()[key]
    value, band = row["value"] * PICO, half_width(row["confidence"])
    if row["node_nm"] is None or (row["node_nm"], row["voltage"]) == (tech.node_nm, tech.voltage):
        return value, band
    scaled = scale_energy(value, row["node_nm"], row["voltage"], tech.node_nm, tech.voltage)
    return scaled, max(band, half_width("der"))


def own_value(tech: Technology, own: Constant) -> tuple[float, float]:
    """(joules at the technology's node and voltage, band) of a constant of a chip file."""
    band = half_width(own.confidence)
    node = tech.node_nm if own.node is None else round(own.node * 1e9, 6)
    volts = tech.voltage if own.voltage is None else own.voltage
    if (node, volts) == (tech.node_nm, tech.voltage):
        return own.value, band
    scaled = scale_energy(own.value, node, volts, tech.node_nm, tech.voltage)
    return scaled, max(band, half_width("der"))


def row_price(tech: Technology, key: str, boundary: str) -> Price:
    """The price of one row of the component table."""
    joules, band = row_value(tech, key)
    return Price(joules, band, boundary, key)


def area_rows(
    tech: Technology, unit: str, parts: Iterable[tuple[str, str, float]]
) -> list[AreaRow]:
    """Rows of a unit's parts: (part, key of an area row, how many); those without a row are left out."""
    rows = []
    for part, key, count in parts:
        found = row_area(tech, key)
        if found is not None:
            rows.append(AreaRow(unit, part, count * found[0], found[1], key))
    return rows


def row_area(tech: Technology, key: str) -> tuple[float, float] | None:
    """(square metres at the technology's node, band) of an area row of the component table, if there is
    one."""
    row = components().get(key)
    if row is None:
        return None
    band = half_width(row["confidence"])
    value = scale_area(row["value"] * SQUARE_MICRO, row["node_nm"], tech.node_nm)
    return value, band if tech.node_nm == row["node_nm"] else max(band, half_width("der"))
