"""Scalar multiplication in one cell: its error over age and temperature, in bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.claims.claim import Claim, Table
from accelsim.devices import device_named
from accelsim.devices.base import BOLTZMANN, ROOM, Cells, Device
from accelsim.devices.pulses import program_and_verify, pulses_named
from accelsim.noise import Stream

Floats = NDArray[np.float64]
PRODUCTS = 1_000_000
CELLS = 20_000
AGES = (("20 s", 20.0), ("1 h", 3600.0), ("1 day", 86400.0), ("1 year", 3.1536e7))
KELVINS = (273.15, 298.15, 333.15)
IDEAL = (2.0 / 36.0) ** 0.5  # deviation x (2^b - 1) of a b-bit product of uniform operands
READ_VOLTAGE, PULSE = 0.2, 30e-9
DEVICES = (("projected", "fine"), ("plain", "fine"), ("pcm_like", "iterative"))


@dataclass(slots=True)
class Cell:
    """A device with its programmed cells."""

    device: Device
    cells: Cells


def bits(error: float) -> float:
    """Bits of the ideal multiplier with that error (deviation, part of full scale)."""
    return float(np.log2(1.0 + IDEAL / error))


def programmed(name: str, pulses: str, seed: int, cells: int = CELLS) -> Cell:
    """Cells of a device at uniform targets, brought there by pulses and verify."""
    device = device_named(name)
    goal = device.g_min + (device.g_max - device.g_min) * Stream(seed, ("targets",)).uniform(cells)
    return Cell(
        device, program_and_verify(pulses_named(pulses), device, goal, Stream(seed, (name,))).cells
    )


def errors(
    cell: Cell, age: float, kelvin: float, seed: int, johnson: bool = True
) -> tuple[float, float, float]:
    """Deviation of the product, part of full scale: as it is, after one factor for all cells, after a
    factor and an offset. Inputs are 8-bit; every cell meets PRODUCTS / cells of them."""
    device, cells = cell.device, cell.cells
    stream = Stream(seed, ("products", f"{age:g}", f"{kelvin:g}"))
    span = device.g_max - device.g_min
    w = (cells.target - device.g_min) / span
    turns = PRODUCTS // len(w)
    x = stream.of("x").uniform((turns, len(w)))
    sent = np.rint(x * 255.0) / 255.0
    now = device.drifted(cells, age, kelvin)
    sigma = device.read_sigma(cells, age, kelvin)
    seen = np.maximum(now + sigma * stream.of("read").normal(now.shape), 0.0)
    current = sent * seen / span
    if johnson:
        heat = np.sqrt(2.0 * BOLTZMANN * kelvin * seen / PULSE) / (READ_VOLTAGE * span)
        current = current + heat * stream.of("heat").normal(current.shape)
    base = sent * device.g_min / span  # the smallest conductance is known and taken off
    got, ideal = current - base, x * w
    plain = float((got - ideal).std() + abs((got - ideal).mean()))
    factor = float((got * ideal).sum() / (got * got).sum())
    scalar = float((factor * got - ideal).std())
    columns = np.stack([current.ravel(), sent.ravel()])  # a factor, and what an input of 1 adds
    solved, *_ = np.linalg.lstsq(columns.T, ideal.ravel(), rcond=None)
    affine = float((solved @ columns - ideal.ravel()).std())
    return plain, scalar, affine


def _aged(name: str, pulses: str, seed: int, figures: dict[str, float]) -> Table:
    """A device's errors over age and temperature; adds their bits to the figures."""
    cell = programmed(name, pulses, seed)
    rows = []
    for label, age in AGES:
        for kelvin in KELVINS:
            if name == "pcm_like" and kelvin != ROOM:
                continue
            found = errors(cell, age, kelvin, seed)
            of = dict(zip(("raw", "scalar", "affine"), map(bits, found), strict=True))
            figures |= {f"{name} {label} {kelvin:g} K {how}": value for how, value in of.items()}
            shown = (*(f"{e:.2e}" for e in found), *(f"{value:.2f}" for value in of.values()))
            rows.append([label, f"{kelvin - 273.15:g}", *shown])
    head = ["age", "deg C", "raw", "scalar", "affine", "bits raw", "scalar", "affine"]
    return Table(f"{name}, programmed with {pulses} pulses", head, rows)


def compute(seed: int) -> Claim:
    """The claim's figures for one seed."""
    figures: dict[str, float] = {}
    tables = [_aged(name, pulses, seed, figures) for name, pulses in DEVICES]
    best = figures["projected 20 s 298.15 K affine"]
    old = figures["projected 1 year 298.15 K affine"]
    plain = figures["plain 1 h 298.15 K scalar"]
    stat = figures["pcm_like 1 h 298.15 K scalar"]
    verdict = (
        f"projected: {best:.1f} bits 20 s after programming and {old:.1f} after a year (affine, room "
        f"temperature); plain: {plain:.1f} bits after an hour, {stat:.1f} with measured statistics; "
        "8-bit precision is an error of 9.24e-4 of full scale"
    )

    def draw(folder: Path) -> None:
        from accelsim.claims import pictures

        pictures.multiplication(folder, figures)

    return Claim(
        "multiplication",
        "multiplication in memory with projected PCM at 8-bit precision (Giannopoulos et al., "
        "IEDM 2018)",
        verdict,
        figures,
        tables,
        [
            f"{PRODUCTS:,} products of {CELLS:,} cells with 8-bit inputs; reference: the programmed target",
            f"Johnson noise at {READ_VOLTAGE:g} V and {PULSE * 1e9:g} ns; the spread comes from verify and time",
            "projected and plain: physical cells whose parameters are start values of low confidence",
            "no converter behind the cell",
        ],
        "deviations of a million products are known to 0.1 %; the model's parameters decide, not the seed",
        [
            "a sum over a column, whose converters and wires add errors of their own (accelsim compare)",
            "that these parameters are those of a certain device",
        ],
        draw,
    )
