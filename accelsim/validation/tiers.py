"""Kinds of published figures, in the order in which they are printed."""

from __future__ import annotations

from typing import Literal

Tier = Literal["peak", "closure", "timing", "traffic", "energy", "power", "area", "accuracy"]
TIERS: tuple[Tier, ...] = (
    *("peak", "closure", "timing", "traffic"),
    *("energy", "power", "area", "accuracy"),
)
#: arithmetic, and sums of a paper's own parts: they show no model right
SHOWN = ("peak", "closure")
