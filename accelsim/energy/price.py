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
    chip's own constant of that key."""
    for own in chip.technology.constants:
        if own.key == key:
            return own_value(chip, own), half_width(own.confidence)
    row = components()[key]
    node = chip.technology.node * 1e9
    value = row["value"] * PICO
    if row["node_nm"] is not None:
        value = scale_energy(value, row["node_nm"], row["voltage"], node, chip.technology.voltage)
    return value, half_width(row["confidence"])


def own_value(chip: Chip, own: Constant) -> float:
    """Joules of a constant of the chip file at the chip's node and voltage."""
    tech = chip.technology
    if own.node is None and own.voltage is None:
        return own.value
    node, volts = own.node or tech.node, own.voltage or tech.voltage
    return scale_energy(own.value, node * 1e9, volts, tech.node * 1e9, tech.voltage)


def row_price(chip: Chip, key: str, boundary: str) -> Price:
    """The price of one row of the component table."""
    joules, band = row_value(chip, key)
    return Price(joules, band, boundary, key)
