"""Weights to cells: signs, slices, levels, several devices a weight.

A weight code w, |w| <= top, becomes slices of digits; a digit becomes the conductances of a pair (or
of one cell and a reference column); each conductance is held by one or several devices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.slices import Digits, Losses, Split, in_digits
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

    def digits(self, top: int) -> Digits:
        """What a slice holds of codes up to ``top``: a side of a pair has all levels, a single cell those on
        either side of its middle."""
        steps = self.base(top) - 1
        return Digits(steps if self.sign == "differential" else max(1, steps // 2), self.slices)

    def part(self, steps: int) -> float:
        """Value in -1..1 of one step of a digit. A single cell of an even number of levels leaves one out."""
        if self.sign == "differential" or not self.levels:
            return 1.0 / steps
        return 2.0 / (self.levels - 1)

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


def without(steps: int) -> Losses:
    """No loss: of ideal cells and converters."""
    return Losses(np.zeros(steps + 1))


def split_codes(
    codes: Ints, top: int, scheme: Scheme, losses: Callable[[int], Losses] = without
) -> Split:
    """The slices of weight codes (rows, columns); with enough levels they add up to the codes exactly.

    Cells of any conductance, or of levels at uneven distances, in one slice: every column's largest
    code (or the format's) takes the whole span. Else a code becomes digits of the slices, all with its
    sign, as slices.py chooses. losses: of a digit by its steps.
    """
    size = np.abs(codes).astype(np.int64)
    peak = np.maximum(size.max(axis=0, initial=0), 1)
    if scheme.scaling == "format":
        peak = np.full_like(peak, max(top, int(peak.max(initial=1))))
    sign = np.sign(codes).astype(np.float64)
    if scheme.slices == 1 and (not scheme.levels or scheme.spacing == "error"):
        whole = peak.astype(np.float64)
        return Split((sign * (size / whole),), (whole,), np.ones_like(whole), np.ones_like(peak))
    digits = scheme.digits(top)
    found, unit, used = in_digits(size, peak, digits, losses(digits.steps))
    parts = tuple(sign * (digit * scheme.part(digits.steps)) for digit in found)
    factors = tuple(
        np.where(used > i, unit * digits.radix**i, 0.0) / scheme.part(digits.steps)
        for i in range(scheme.slices)
    )
    return Split(parts, factors, 1.0 / unit, used)


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
    and a single cell at the middle of its range, or at the level there.
    """
    low, span = device.g_min, device.g_max - device.g_min
    levels = placed_levels(device, scheme)
    if scheme.sign == "differential":
        found = [low + span * np.maximum(part, 0.0), low + span * np.maximum(-part, 0.0)]
    else:
        found = [
            (low + 0.5 * span if levels is None else levels[middle(len(levels))])
            + 0.5 * span * part
        ]
    if levels is not None:
        found = [levels[nearest(levels, goal)] for goal in found]
    return tuple(np.minimum(goal, device.g_max) for goal in found)


def middle(levels: int) -> int:
    """Number of the level that a single cell holds zero at: as many above it as below, or one more."""
    return (levels - 1) // 2


def device_targets(goal: Floats, device: Device, scheme: Scheme) -> list[Floats]:
    """Targets of the single devices that hold a conductance together; their mean is the goal."""
    if scheme.devices == 1 or scheme.fill == "together":
        return [goal] * scheme.devices
    low, span = device.g_min, device.g_max - device.g_min
    whole = (goal - low) / span * scheme.devices
    return [low + span * np.clip(whole - i, 0.0, 1.0) for i in range(scheme.devices)]
