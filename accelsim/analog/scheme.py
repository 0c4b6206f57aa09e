"""Weights to cells: signs, slices, levels, several devices a weight.

A weight code w, |w| <= top, becomes slices of digits; a digit becomes the conductances of a pair (or
of one cell and a reference column); each conductance is held by one or several devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Device, Floats
from accelsim.devices.levels import error_spaced, evenly_spaced, nearest
from accelsim.fields import Bounds

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a weight stands in cells.

    sign: "differential", a pair of cells that are read against each other; "offset", one cell around
    the middle of its range and a reference column in every crossbar; "flipped", the same with each
    column stored negated where that needs less current. levels: conductances a cell is programmed to
    (0: any). spacing: of the levels. slices: cells of different significance side by side. devices:
    cells that hold one conductance together; fill: all alike, or one after another until each is
    full. scaling: the largest code that fills a cell, of each column or of the format.
    """

    sign: Literal["differential", "offset", "flipped"] = "differential"
    levels: Annotated[int, Bounds(0, 4096)] = 0
    spacing: Literal["even", "error"] = "even"
    slices: Annotated[int, Bounds(1, 16)] = 1
    devices: Annotated[int, Bounds(1, 8)] = 1
    fill: Literal["together", "in_turn"] = "together"
    scaling: Literal["column", "format"] = "column"

    @property
    def sides(self) -> int:
        """Conductances a slice of a weight has of its own."""
        return 2 if self.sign == "differential" else 1

    @property
    def cells(self) -> int:
        """Devices that hold one weight."""
        return self.slices * self.sides * self.devices

    @property
    def spare_columns(self) -> int:
        """Columns of a crossbar that hold no weights."""
        return 0 if self.sign == "differential" else 1

    def base(self, top: int) -> int:
        """Radix of the slices' digits for codes up to ``top``."""
        if self.levels:
            return self.levels
        base: int = max(2, round((top + 1) ** (1.0 / self.slices)))
        while base**self.slices < top + 1:
            base += 1
        return base


@dataclass(frozen=True, slots=True)
class Split:
    """Codes of one block in slices. parts: of each slice, values in -1..1 of the largest conductance,
    (rows, columns). factors: of each slice, what 1 stands for in codes, (columns,)."""

    parts: tuple[Floats, ...]
    factors: tuple[Floats, ...]


def split_codes(codes: Ints, top: int, scheme: Scheme) -> Split:
    """The slices of weight codes (rows, columns); with enough levels they add up to the codes exactly.

    One slice: every column's largest code (or the format's) fills a cell. Several: digits of the
    magnitude, least significant first, all with the code's sign.
    """
    size = np.abs(codes).astype(np.float64)
    peak = np.maximum(size.max(axis=0, initial=0.0), 1.0)
    if scheme.scaling == "format":
        peak = np.full_like(peak, float(top))
    sign = np.sign(codes).astype(np.float64)
    if scheme.slices == 1:
        return Split((sign * (size / peak),), (peak,))
    base = scheme.base(top)
    most = float(base**scheme.slices - 1)
    unit = np.ones_like(peak) if most >= top else peak / most
    rest = np.minimum(np.rint(size / unit), most).astype(np.int64)
    parts, factors = [], []
    for number in range(scheme.slices):
        digit = rest % base
        rest = rest // base
        parts.append(sign * (digit / (base - 1.0)))
        factors.append(unit * float(base**number * (base - 1)))
    return Split(tuple(parts), tuple(factors))


def placed_levels(device: Device, scheme: Scheme) -> Floats | None:
    """Conductances (siemens) a cell may be programmed to, rising; None where any will do."""
    if not scheme.levels:
        return None
    low = device.g_min
    if scheme.spacing == "even":
        return evenly_spaced(scheme.levels, device.g_max, low)
    grid = np.linspace(low, device.g_max, 257)
    sigma = np.maximum(device.write_sigma(grid), 1e-3 * device.g_max)
    return error_spaced(scheme.levels, device.g_max, sigma, grid, low)


def targets(part: Floats, device: Device, scheme: Scheme) -> tuple[Floats, ...]:
    """Target conductances (siemens) of each side of one slice: (plus, minus), or (cell,).

    part: values in -1..1. Zero stands at the device's smallest conductance on both sides of a pair,
    and in the middle of the range of a single cell.
    """
    low, span = device.g_min, device.g_max - device.g_min
    levels = placed_levels(device, scheme)
    if scheme.sign == "differential":
        sides = [np.maximum(part, 0.0), np.maximum(-part, 0.0)]
    else:
        sides = [(part + 1.0) * 0.5]
    found = [low + span * side for side in sides]
    if levels is not None:
        found = [levels[nearest(levels, goal)] for goal in found]
    return tuple(np.minimum(goal, device.g_max) for goal in found)


def device_targets(goal: Floats, device: Device, scheme: Scheme) -> list[Floats]:
    """Targets of the single devices that hold a conductance together; their mean is the goal."""
    if scheme.devices == 1 or scheme.fill == "together":
        return [goal] * scheme.devices
    low, span = device.g_min, device.g_max - device.g_min
    whole = (goal - low) / span * scheme.devices
    return [low + span * np.clip(whole - i, 0.0, 1.0) for i in range(scheme.devices)]
