"""A price: joules a count with band, boundary and source; and the table rows behind it."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.chip import Chip, Constant
from accelsim.energy.rows import components, half_width
from accelsim.energy.scaling import scale_energy

PICO = 1e-12  # unit prefix
DEVICE, CORE, CHIP = "device", "core", "chip"


@dataclass(frozen=True, slots=True)
class Price:
    """joules: for one count. band: relative half width from the constants' confidence.
    boundary: the innermost of device, core, chip. source: rows and rule, for a person."""

    joules: float
    band: float
    boundary: str
    source: str


def row_value(chip: Chip, key: str) -> tuple[float, float]:
    """(joules at the chip's node and voltage, band) of a row of the component table, or of the
    chip's own constant of that key; a scaled value has the band of a derived one at least."""
    for own in chip.technology.constants:
        if own.key == key:
            return own_value(chip, own)
    row, tech = components()[key], chip.technology
    value, band = row["value"] * PICO, half_width(row["confidence"])
    if row["node_nm"] is None or (row["node_nm"], row["voltage"]) == (tech.node_nm, tech.voltage):
        return value, band
    scaled = scale_energy(value, row["node_nm"], row["voltage"], tech.node_nm, tech.voltage)
    return scaled, max(band, half_width("der"))


def own_value(chip: Chip, own: Constant) -> tuple[float, float]:
    """(joules at the chip's node and voltage, band) of a constant of the chip file."""
    tech, band = chip.technology, half_width(own.confidence)
    node = tech.node_nm if own.node is None else round(own.node * 1e9, 6)
    volts = tech.voltage if own.voltage is None else own.voltage
    if (node, volts) == (tech.node_nm, tech.voltage):
        return own.value, band
    scaled = scale_energy(own.value, node, volts, tech.node_nm, tech.voltage)
    return scaled, max(band, half_width("der"))


def row_price(chip: Chip, key: str, boundary: str) -> Price:
    """The price of one row of the component table."""
    joules, band = row_value(chip, key)
    return Price(joules, band, boundary, key)
