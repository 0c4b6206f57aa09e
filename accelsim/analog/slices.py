"""Which digits stand for a column's weight codes: codes scaled up to fill the slices, or slices left empty.

A column of codes up to ``peak`` may stand in any number s of the slices, of D levels beside zero each:
its codes times a whole factor are digits of radix B = D + 1 and add up to the codes exactly; or its
largest code is stretched over all B^s - 1 steps, which rounds the others. A digit d of slice i counts
c_i = unit D B^i times the part d / D of the span that its cell holds, so the expected squared error of a
product sum is

    sum_i c_i^2 (rms^2 sum_rows sigma^2(d) + converter^2) + rms^2 sum_rows (code - unit digits)^2

with the deviation sigma that programming leaves at the digit's conductance, the inputs' rms and what
comes at the converters. Every column takes what loses least; slices it leaves empty count 0 times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Digits:
    """What a slice can hold. steps: D, levels of a cell's side beside zero; slices: how many there are."""

    steps: int
    slices: int

    @property
    def radix(self) -> int:
        """Values of one digit."""
        return self.steps + 1

    def most(self, slices: int) -> int:
        """The largest number in so many slices."""
        return int(self.radix**slices - 1)


@dataclass(frozen=True, slots=True)
class Losses:
    """What a digit costs. variance: (steps + 1,), of a weight whose digit is d, in squared parts of the
    span. converter: variance of what comes at the converters, in squared full columns. deviations: of a
    column's sum, that a converter of ``bits`` takes to either side (0 bits: an ideal one). rms: of the
    inputs."""

    variance: Floats
    converter: float = 0.0
    deviations: float = 0.0
    bits: int = 0
    rms: float = 1.0

    def step_variance(self, square: Floats) -> Floats:
        """Of a converter's rounding, in squared full columns, over a column whose squared parts sum to
        ``square``: a twelfth of its squared step."""
        if not self.bits:
            return np.zeros_like(square)
        step = 2.0 * self.deviations / float((1 << self.bits) - 2)
        return np.asarray(step * step / 12.0 * self.rms**2 * square, np.float64)


@dataclass(frozen=True, slots=True)
class Split:
    """Codes of one block in slices. parts: of each slice, values in -1..1 of the largest conductance,
    (rows, columns). factors: of each slice, what 1 stands for in codes, (columns,), 0 for a slice that the
    column leaves empty. multiples: what a code was multiplied by, (columns,), 1 without slices. used:
    slices, (columns,)."""

    parts: tuple[Floats, ...]
    factors: tuple[Floats, ...]
    multiples: Floats
    used: Ints


@dataclass(frozen=True, slots=True)
class Way:
    """One way to hold magnitudes 0 .. n - 1. slices: used. unit: what a step of the lowest stands for in
    codes. table: digits (all slices, n)."""

    slices: int
    unit: float
    table: Ints

    def counts(self, digits: Digits) -> list[float]:
        """What the largest digit of each slice used stands for in codes."""
        return [self.unit * float(digits.steps * digits.radix**i) for i in range(self.slices)]


def ways(peak: int, magnitudes: int, digits: Digits) -> list[Way]:
    """Every way to hold magnitudes of which ``peak`` is to fill the slices: all slices first, exact ones
    before stretched ones."""
    found = []
    for slices in range(digits.slices, 0, -1):
        most = digits.most(slices)
        units = [1.0 / (most // peak)] if most >= peak else []
        if not most or most % peak:
            units.append(peak / most)
        for unit in units:
            whole = np.minimum(np.rint(np.arange(magnitudes) / unit), most).astype(np.int64)
            table = np.zeros((digits.slices, magnitudes), np.int64)
            for number in range(slices):
                table[number] = whole // digits.radix**number % digits.radix
            found.append(Way(slices, unit, table))
    return found


def lost(way: Way, counts: Floats, digits: Digits, losses: Losses) -> Floats:
    """Expected squared error of sums, in squared codes, of every column. counts: (columns, magnitudes),
    how many rows hold each."""
    each = np.zeros(counts.shape[1])  # of a row, by its magnitude
    square = losses.rms**2
    total, stands = np.zeros(len(counts)), np.zeros(counts.shape[1])
    for digit, count in zip(way.table, way.counts(digits), strict=False):
        each += count**2 * square * losses.variance[digit]
        stands += digit / digits.steps * count
        parts = _weighed(counts, (digit / digits.steps) ** 2)
        total += count**2 * (losses.converter + losses.step_variance(parts))
    off = np.arange(counts.shape[1]) - stands
    off[np.abs(off) < 1e-9] = 0.0  # rounding of the unit, not of the codes
    return total + _weighed(counts, each + square * off * off)


def _weighed(counts: Floats, values: Floats) -> Floats:
    """Sums over the magnitudes, in order whatever the machine."""
    return np.asarray(np.cumsum(counts * values, axis=1)[:, -1], np.float64)


def in_digits(size: Ints, peak: Ints, digits: Digits, losses: Losses) -> tuple[Ints, Floats, Ints]:
    """(digits (slices, rows, columns), what one of the lowest stands for in codes (columns,), slices used
    (columns,)) of magnitudes (rows, columns) of which each column's peak (columns,) fills the slices."""
    columns, magnitudes = size.shape[1], int(max(size.max(initial=0), 1)) + 1
    places = size + np.arange(columns) * magnitudes
    counts = np.bincount(places.ravel(), minlength=columns * magnitudes).reshape(
        columns, magnitudes
    )
    units, used = np.ones(columns), np.zeros(columns, np.int64)
    tables: list[Ints] = []
    row = np.zeros(columns, np.int64)
    for one in np.unique(peak):
        mine = np.flatnonzero(peak == one)
        choices = ways(int(one), magnitudes, digits)
        losses_of = np.stack(
            [lost(way, counts[mine].astype(np.float64), digits, losses) for way in choices]
        )
        best = losses_of.argmin(axis=0)  # the first of equally good ones
        row[mine] = len(tables) + best
        units[mine] = np.array([way.unit for way in choices])[best]
        used[mine] = np.array([way.slices for way in choices])[best]
        tables += [way.table for way in choices]
    found = np.stack(tables, axis=1)[:, row[None, :], size]
    return found, units, used
