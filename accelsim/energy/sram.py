"""SRAM energy, leakage and area by interpolation in CACTI's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from typing import Any

import numpy as np

from accelsim.energy.rows import table
from accelsim.energy.scaling import energy_factor, scale_area
from accelsim.errors import InputError, Problem

QUANTITIES = ("read_pj", "write_pj", "leak_mw", "area_mm2")
#: nominal supply of CACTI's technology files at the nodes of the table, used for scaling only
NODES = (22, 32, 45, 65)


@dataclass(frozen=True, slots=True)
class SramCost:
    """One bank: joules an access of its whole width, watts of leakage, square metres."""

    read: float
    write: float
    leakage: float
    area: float
    source: str


@lru_cache(maxsize=8)
def _grid(node: int, device: str) -> tuple[list[int], list[int], dict[str, Any]]:
    rows = [row for row in table("cacti_sram")["rows"]
            if row["tech_nm"] == node and row["device"] == device]  # fmt: skip
    sizes = sorted({row["size_bytes"] for row in rows})
    widths = sorted({row["width_bits"] for row in rows})
    grids = {name: np.full((len(sizes), len(widths)), np.nan) for name in QUANTITIES}
    for row in rows:
        at = sizes.index(row["size_bytes"]), widths.index(row["width_bits"])
        for name in QUANTITIES:
            grids[name][at] = row[name]
    for grid in grids.values():
        _fill(np.log(sizes), grid)
    return sizes, widths, grids


def _fill(positions: Any, grid: Any) -> None:
    """Cells that CACTI found no solution for: interpolated along the size, in logarithms."""
    for column in grid.T:
        known = np.isfinite(column)
        column[~known] = np.exp(np.interp(positions[~known], positions[known],
                                          np.log(column[known])))  # fmt: skip


@lru_cache(maxsize=1)
def devices() -> tuple[str, ...]:
    """CACTI device types of the table."""
    return tuple(sorted({row["device"] for row in table("cacti_sram")["rows"]}))


def _bracket(values: list[int], x: float) -> tuple[int, float]:
    """Lower node and fraction in the logarithm; outside the table the nearest edge interval is
    extended, by at most a factor of two (InputError beyond)."""
    if not values[0] / 2 <= x <= values[-1] * 2:
        raise InputError(
            Problem("energy.sram.range", f"a bank of {x:g} bytes is outside the SRAM table",
                    f"choose size and banks so that one has {values[0]}..{values[-1]} bytes")
        )  # fmt: skip
    if len(values) == 1:
        return 0, 0.0
    low = min(max(int(np.searchsorted(values, x, side="right")) - 1, 0), len(values) - 2)
    return low, log(x / values[low]) / log(values[low + 1] / values[low])


def interpolate(node: int, device: str, quantity: str, size: float, width: float) -> float:
    """A quantity of the table at a bank size (bytes) and width (bits), exact at its nodes.

    Bilinear in logarithms of size, width and value.
    """
    sizes, widths, grids = _grid(node, device)
    grid = grids[quantity]
    row, along = _bracket(sizes, size)
    column, across = _bracket(widths, min(max(width, widths[0]), widths[-1]))
    total = 0.0
    for i, wi in ((row, 1 - along), (min(row + 1, len(sizes) - 1), along)):
        for j, wj in ((column, 1 - across), (min(column + 1, len(widths) - 1), across)):
            total += wi * wj * log(grid[i, j])
    return exp(total)


@lru_cache(maxsize=1024, typed=True)
def sram_cost(size: int, banks: int, width: int, node_nm: float, voltage: float,
              device: str) -> SramCost:  # fmt: skip
    """Cost of one bank of an SRAM of ``size`` bytes in ``banks`` banks of ``width`` bits.

    At a node of the table the table's own voltage holds; other nodes are scaled from the nearest
    one. Widths beyond the table are made of several of its widest banks side by side.
    """
    if device not in devices():
        raise InputError(
            Problem("energy.sram.device", f"no SRAM device type {device!r}",
                    "write one of " + ", ".join(devices()), path="technology.sram_device")
        )  # fmt: skip
    node = min(NODES, key=lambda n: abs(log(n / node_nm)))
    sizes, widths, _ = _grid(node, device)
    wide = max(1, -(-width // widths[-1]))
    share, slim = size / banks / wide, width / wide
    bank = max(share, sizes[0] / 2)
    values = {q: interpolate(node, device, q, bank, slim) * wide for q in QUANTITIES}
    factor, area = 1.0, values["area_mm2"]
    if abs(node / node_nm - 1) > 0.02:
        factor = energy_factor(node_nm, voltage) / energy_factor(node, voltage)
        area = scale_area(area, node, node_nm)
    return SramCost(
        values["read_pj"] * 1e-12 * factor, values["write_pj"] * 1e-12 * factor,
        values["leak_mw"] * 1e-3 * factor, area * 1e-6,
        f"cacti_sram/{node} nm {device}, {bank:.0f} bytes x {slim:g} bits a bank",
    )  # fmt: skip
