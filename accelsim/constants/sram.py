"""SRAM energy, leakage and area by interpolation in CACTI's outputs.

Where a bank is a row of the table at its node and supply, the row holds. Everything else is brought
there by a stated rule (docs/energy.md) and carries the wider band of that rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.constants.rows import half_width, table
from accelsim.constants.scaling import scale_area, scale_energy
from accelsim.errors import InputError, Problem

QUANTITIES = ("read_pj", "write_pj", "leak_mw", "area_mm2")
#: nodes of the table
NODES = (22, 32, 45, 65)


@dataclass(frozen=True, slots=True)
class SramCost:
    """One bank: joules an access of its whole width, watts of leakage, square metres; and the
    relative half width of each."""

    read: float
    write: float
    leakage: float
    area: float
    source: str
    energy_band: float
    leakage_band: float
    area_band: float


@dataclass(frozen=True, slots=True)
class Supply:
    """What holds for every row of a node and device type: the supply (volt), the power of the supply
    that the off-current follows, off-currents (ampere a micrometre) by temperature."""

    volts: float
    exponent: float
    off_current: tuple[float, ...]


@lru_cache(maxsize=8)
def _grid(node: int, device: str) -> tuple[list[int], list[int], dict[str, Any], NDArray[np.bool_]]:
    """Sizes, widths, grids of the quantities, and which cells are rows of the table."""
    rows = [
        row
        for row in table("cacti_sram")["rows"]
        if row["tech_nm"] == node and row["device"] == device
    ]
    sizes = sorted({row["size_bytes"] for row in rows})
    widths = sorted({row["width_bits"] for row in rows})
    grids = {name: np.full((len(sizes), len(widths)), np.nan) for name in QUANTITIES}
    for row in rows:
        at = sizes.index(row["size_bytes"]), widths.index(row["width_bits"])
        for name in QUANTITIES:
            grids[name][at] = row[name]
    known = np.isfinite(grids["read_pj"])
    for grid in grids.values():
        _fill(np.log(sizes), grid)
    return sizes, widths, grids, known


def _fill(positions: Any, grid: Any) -> None:
    """Cells that CACTI found no solution for: interpolated along the size, in logarithms."""
    for column in grid.T:
        known = np.isfinite(column)
        column[~known] = np.exp(
            np.interp(positions[~known], positions[known], np.log(column[known]))
        )


@lru_cache(maxsize=1)
def devices() -> tuple[str, ...]:
    """CACTI device types of the table."""
    return tuple(sorted({row["device"] for row in table("cacti_sram")["rows"]}))


@lru_cache(maxsize=16)
def supply(node: int, device: str) -> Supply:
    """The supply of a node of the table; missing off-currents are interpolated in the logarithm."""
    row = next(
        row
        for row in table("cacti_sram")["supplies"]["rows"]
        if row["tech_nm"] == node and row["device"] == device
    )
    currents = row["off_current_a_per_um"]
    known = [i for i, current in enumerate(currents) if current is not None]
    logs = np.interp(range(len(currents)), known, [log(currents[i]) for i in known])
    return Supply(row["supply_v"], row["off_current_exponent"], tuple(np.exp(logs).tolist()))


def _bracket(values: list[int], x: float) -> tuple[int, float]:
    """Lower node and fraction in the logarithm; outside the table the nearest edge interval is
    extended, by at most a factor of two (InputError beyond)."""
    if not values[0] / 2 <= x <= values[-1] * 2:
        raise InputError(
            Problem(
                "energy.sram.range",
                f"a bank of {x:g} bytes is outside the SRAM table",
                f"choose size and banks so that one has {values[0]}..{values[-1]} bytes",
            )
        )
    if len(values) == 1:
        return 0, 0.0
    low = min(max(int(np.searchsorted(values, x, side="right")) - 1, 0), len(values) - 2)
    return low, log(x / values[low]) / log(values[low + 1] / values[low])


def _cells(node: int, device: str, size: float, width: float) -> list[tuple[int, int, float]]:
    """(row, column, weight) of the cells between which a bank lies."""
    sizes, widths, _, _ = _grid(node, device)
    row, along = _bracket(sizes, size)
    column, across = _bracket(widths, min(max(width, widths[0]), widths[-1]))
    return [
        (i, j, wi * wj)
        for i, wi in ((row, 1 - along), (min(row + 1, len(sizes) - 1), along))
        for j, wj in ((column, 1 - across), (min(column + 1, len(widths) - 1), across))
        if wi * wj
    ]


def interpolate(node: int, device: str, quantity: str, size: float, width: float) -> float:
    """A quantity of the table at a bank size (bytes) and width (bits), exact at its nodes.

    Bilinear in logarithms of size, width and value.
    """
    grid = _grid(node, device)[2][quantity]
    return exp(sum(weight * log(grid[i, j]) for i, j, weight in _cells(node, device, size, width)))


def confidence(node: int, device: str, size: float, width: float) -> str:
    """How near to a row of the table a bank is: "run" for a row, "interpolated" between two sizes next
    to each other, "extended" across a gap of the table or beyond its sizes, else "between_widths"."""
    sizes, widths, _, known = _grid(node, device)
    cells = _cells(node, device, size, width)
    if width not in widths:
        return "between_widths"
    if not sizes[0] <= size <= sizes[-1] or not all(known[i, j] for i, j, _ in cells):
        return "extended"
    return "run" if len(cells) == 1 else "interpolated"


def between(node_nm: float) -> tuple[tuple[int, float], ...]:
    """The nodes of the table that stand for ``node_nm``, with weights in the logarithm; beyond the
    ends the last one alone."""
    inside = min(max(node_nm, NODES[0]), NODES[-1])
    at = min(max(int(np.searchsorted(NODES, inside, side="right")) - 1, 0), len(NODES) - 2)
    low, high = NODES[at], NODES[at + 1]
    along = log(inside / low) / log(high / low)
    return tuple((node, weight) for node, weight in ((low, 1 - along), (high, along)) if weight)


@lru_cache(maxsize=1024, typed=True)
def sram_cost(
    size: int,
    banks: int,
    width: int,
    node_nm: float,
    voltage: float,
    device: str,
    temperature: float | None = None,
) -> SramCost:
    """Cost of one bank of an SRAM of ``size`` bytes in ``banks`` banks of ``width`` bits.

    Widths beyond the table are made of several of its widest banks side by side. Dynamic energy: the
    table's at its supply, moved to ``voltage`` by the law of logic (scaling.py). Leakage: with the
    off-current's power of the supply and one more, with the off-current's temperature (kelvin; default the
    table's), and beyond the table with the gate's width, which is the node's. Between nodes all is interpolated
    in logarithms.
    """
    if device not in devices():
        raise InputError(
            Problem(
                "energy.sram.device",
                f"no SRAM device type {device!r}",
                "write one of " + ", ".join(devices()),
                path="technology.sram_device",
            )
        )
    nodes = between(node_nm)
    wide = max(1, max(-(-width // _grid(node, device)[1][-1]) for node, _ in nodes))
    smallest = max(_grid(node, device)[0][0] for node, _ in nodes)
    bank, slim = max(size / banks / wide, smallest / 2), width / wide

    def blend(of: Callable[[int], float]) -> float:
        """Of the nodes, in the logarithm; exact at one."""
        if len(nodes) == 1:
            return of(nodes[0][0])
        return exp(sum(weight * log(of(node)) for node, weight in nodes))

    def value(quantity: str) -> float:
        return wide * blend(lambda node: interpolate(node, device, quantity, bank, slim))

    inside = min(max(node_nm, NODES[0]), NODES[-1])
    factor = blend(lambda node: _moved(node, device, node_nm, voltage))
    leakage = blend(lambda node: _leaking(node, device, voltage, temperature)) * (node_nm / inside)
    near = max(half_width(confidence(node, device, bank, slim)) for node, _ in nodes)
    moved = node_nm not in NODES
    elsewhere = moved or voltage != supply(nodes[0][0], device).volts
    scaled = max(near, half_width("der")) if elsewhere else near
    leak = max(scaled, half_width("der")) if leakage != 1.0 else scaled
    names = " and ".join(f"{node}" for node, _ in nodes)
    return SramCost(
        value("read_pj") * 1e-12 * factor,
        value("write_pj") * 1e-12 * factor,
        value("leak_mw") * 1e-3 * leakage,
        scale_area(value("area_mm2"), inside, node_nm) * 1e-6,
        f"cacti_sram/{names} nm {device}, {bank:.0f} bytes x {slim:g} bits a bank"
        + (f", scaled to {node_nm:g} nm and {voltage:g} V" if elsewhere else ""),
        scaled,
        max(leak, half_width("leakage_moved")) if moved else leak,
        max(near, half_width("der")) if moved else near,
    )


def _moved(node: int, device: str, node_nm: float, voltage: float) -> float:
    """What the law makes of a row's dynamic energy at another node and supply. The law is linear in
    logarithms between its nodes, so that blended nodes follow it as ``node_nm`` does."""
    volts = supply(node, device).volts
    return (
        1.0
        if (node, volts) == (node_nm, voltage)
        else scale_energy(1.0, node, volts, node_nm, voltage)
    )


def _leaking(node: int, device: str, voltage: float, temperature: float | None) -> float:
    """What supply and temperature make of a row's leakage."""
    at = supply(node, device)
    return float((voltage / at.volts) ** (1 + at.exponent)) * _warmth(node, device, temperature)


def _warmth(node: int, device: str, temperature: float | None) -> float:
    """Off-current at a temperature over that of the table's rows."""
    whole = table("cacti_sram")["supplies"]
    kelvins: list[float] = whole["temperatures_k"]
    reference: float = whole["rows_at_k"]
    if temperature is None or temperature == reference:
        return 1.0
    if not kelvins[0] <= temperature <= kelvins[-1]:
        raise InputError(
            Problem(
                "energy.sram.temperature",
                f"no leakage at {temperature:g} K",
                f"write {kelvins[0]} to {kelvins[-1]} K",
                path="technology.temperature",
            )
        )
    logs = np.log(supply(node, device).off_current)
    here, there = (float(np.interp(kelvin, kelvins, logs)) for kelvin in (temperature, reference))
    return exp(here - there)
