"""Wear: how many programmings a cell stands, and what it is afterwards.

Every cell has a lifetime of its own, drawn once; a cell that has failed stays at its largest
conductance (stuck SET) or its smallest (stuck RESET, open). More cycles only add failed cells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from math import erf, log, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Floats
from accelsim.noise import Stream, exp, normal_quantile

Mask = NDArray[np.bool_]
TABLE = Path(__file__).parent / "tables" / "wear.json"


@dataclass(frozen=True, slots=True)
class Wear:
    """A record of tables/wear.json. median: cycles. sigma: standard deviation of ln(cycles). stuck_high:
    part of the failed cells that stay at their largest conductance."""

    name: str
    median: float
    sigma: float
    stuck_high: float
    source: str

    def failed_share(self, cycles: float) -> float:
        """Part of the cells (0..1) that have failed after so many cycles."""
        if cycles <= 0:
            return 0.0
        return 0.5 * (1.0 + erf(log(cycles / self.median) / (self.sigma * sqrt(2.0))))

    def cycles_until(self, share: float) -> float:
        """Cycles after which that part of the cells has failed (0 < share < 1)."""
        return float(self.median * exp(self.sigma * normal_quantile(np.array([share])))[0])

    def lifetimes(self, shape: tuple[int, ...], stream: Stream) -> Floats:
        """Cycles that each cell stands."""
        return np.asarray(
            self.median * exp(self.sigma * stream.of("life").normal(shape)), np.float64
        )

    def failed(self, shape: tuple[int, ...], cycles: float, stream: Stream) -> tuple[Mask, Mask]:
        """Which cells are stuck low and which high after so many cycles."""
        over = self.lifetimes(shape, stream) <= cycles
        high = stream.of("mode").uniform(shape) < self.stuck_high
        return over & ~high, over & high

    def stuck(self, g: Floats, low: float, high: float, cycles: float, stream: Stream) -> Floats:
        """Conductances with the failed cells at ``low`` or ``high`` (siemens)."""
        if cycles <= 0:
            return g
        down, up = self.failed(g.shape, cycles, stream)
        return np.where(up, high, np.where(down, low, g))


@lru_cache(maxsize=16)
def wear_named(name: str) -> Wear:
    """The named record of tables/wear.json; KeyError with the names for any other."""
    models = json.loads(TABLE.read_text("utf-8"))["models"]
    if name not in models:
        raise KeyError(f"no wear {name!r}; there are {', '.join(models)}")
    row = models[name]
    return Wear(name, row["median"], row["sigma"], row["stuck_high"], row["source"])


@lru_cache(maxsize=1)
def wear_names() -> tuple[str, ...]:
    """Names of the records."""
    return tuple(json.loads(TABLE.read_text("utf-8"))["models"])
