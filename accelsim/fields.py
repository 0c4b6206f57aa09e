"""Marks on dataclass fields that say what a file may write there: units and ranges."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    """Marks a dataclass field as a physical quantity read from YAML with its unit.

    unit: "B" (bytes, int), "bit" (int), "Hz" (int), "s", "J", "W", "V", "m", "B/s" (float).
    """

    unit: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Inclusive range of a numeric field (None: open)."""

    low: float | None = None
    high: float | None = None
