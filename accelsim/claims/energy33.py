"""A product in a cell against a digital multiplier: where 33 times less energy holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accelsim.claims.claim import Claim, Table
from accelsim.claims.multiplication import PULSE, READ_VOLTAGE, Cell, bits, errors, programmed
from accelsim.constants.rows import components
from accelsim.constants.scaling import scale_energy
from accelsim.devices.base import BOLTZMANN, ROOM

CLAIMED, TOLERANCE = 33.0, 0.1
NODES = ((45.0, 0.9), (32.0, 0.9), (22.0, 0.8), (14.0, 0.8), (7.0, 0.7))
SUPPLY = 0.8
PICO = 1e-12  # unit prefix


def digital(node: float, volts: float) -> tuple[float, float]:
    """(8-bit multiply, multiply and 8-bit add), joules, scaled from 45 nm."""
    rows = components()
    found = []
    for key in ("horowitz_45nm/int8/multiply", "horowitz_45nm/int8/add"):
        row = rows[key]
        found.append(scale_energy(row["value"] * PICO, row["node_nm"], row["voltage"], node, volts))
    return found[0], found[0] + found[1]


def cell_energy(
    cell: Cell, voltage: float, seconds: float, age: float = 3600.0
) -> tuple[float, float]:
    """Joules dissipated by one product: at full scale, and on average over the programmed cells and
    uniform pulse widths."""
    g = cell.device.drifted(cell.cells, age)
    full = voltage * voltage * cell.device.g_max * seconds
    return full, float(voltage * voltage * g.mean() * seconds * 0.5)


def _ratios(full: float, mean: float, supplied: float, figures: dict[str, float]) -> Table:
    """Multiply and add of every node over a product's joules in a cell; adds the ratios to the figures."""
    rows = []
    for node, volts in NODES:
        multiply, both = digital(node, volts)
        figures[f"ratio {node:g} nm"] = both / mean
        over = (multiply / full, both / full, both / mean, both / supplied)
        rows.append(
            [f"{node:g} nm {volts:g} V", f"{both * 1e15:.1f}", *(f"{one:.2f}" for one in over)]
        )
    head = ["digital", "multiply + add fJ", "multiply / full scale", "both / full scale"]
    head += ["both / mean", "both / mean at the supply"]
    return Table("one product, device boundary", head, rows)


def _contour() -> Table:
    """The pulses with which cells of several conductances take 33 times less than several nodes."""
    rows = []
    for micro in (5.0, 10.0, 25.0):
        for node, volts in NODES[:1] + NODES[2:3] + NODES[4:]:
            power = READ_VOLTAGE**2 * micro * 1e-6
            seconds = digital(node, volts)[1] / CLAIMED / (power * 0.25)
            noise = np.sqrt(2 * BOLTZMANN * ROOM / (power * seconds))
            rows.append([f"{micro:g}", f"{node:g}", f"{seconds * 1e9:.1f}", f"{noise:.2e}"])
    return Table(
        "where the mean product is 33 times cheaper (uniform operands)",
        ["g_max uS", "node nm", "pulse ns", "Johnson noise of full scale"],
        rows,
    )


def compute(seed: int) -> Claim:
    """The claim's figures for one seed."""
    cell = programmed("projected", "fine", seed)
    full, mean = cell_energy(cell, READ_VOLTAGE, PULSE)
    supplied = mean * SUPPLY / READ_VOLTAGE
    figures = {"cell full": full, "cell mean": mean, "supplied mean": supplied}
    ratios = _ratios(full, mean, supplied, figures)
    needed = digital(45.0, 0.9)[1] / CLAIMED / mean  # of conductance x time
    figures["conductance x time for 33"] = needed
    figures["bits"] = bits(errors(cell, 3600.0, ROOM, seed)[2])
    ratio = figures["ratio 45 nm"]
    close = abs(ratio / CLAIMED - 1) <= TOLERANCE
    verdict = (
        f"{ratio:.1f}x at the device boundary, 45 nm multiply and add against the mean product of cells of "
        f"{cell.device.g_max * 1e6:g} uS at {READ_VOLTAGE:g} V and {PULSE * 1e9:g} ns, {figures['bits']:.1f} "
        f"bits: {'within' if close else 'not within'} 10 % of 33x; at the supply "
        f"{figures['ratio 45 nm'] * mean / supplied:.1f}x"
    )

    def draw(folder: Path) -> None:
        from accelsim.claims import pictures

        pictures.energy33(folder, digital, READ_VOLTAGE)

    return Claim(
        "energy33",
        "33 times less energy than a digital architecture of similar precision (The Register, "
        "December 2018, on IBM: a press figure without a published derivation)",
        verdict,
        figures,
        [
            ratios,
            _contour(),
        ],
        [
            f"same cells, voltage and pulse as `reproduce multiplication`; supply {SUPPLY:g} V",
            "digital: Horowitz's 45 nm table (from memory, unchecked), scaled by Stillmaker and Baas",
            "core and chip boundary: accelsim compare int8_edge pcm_projected -w resnet18",
        ],
        "33 within 10 %; a result that misses is a result",
        [
            "converters, drivers, buffers, leakage: at the core and chip boundary the ratio is another",
            "that 45 nm is the right opponent for a given memory technology",
        ],
        draw,
    )
