"""The EnergyReport: every joule with its operator, unit, action, count, boundary and source."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose, isfinite

from accelsim.errors import ConservationError

BOUNDARIES = ("device", "core", "chip")


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """operator: index in the Program, -1 for the whole run (static power). joules = count times
    the price of the action; band: relative half width of the price."""

    operator: int
    unit: str
    action: str
    count: float
    joules: float
    band: float
    boundary: str
    source: str


@dataclass(slots=True)
class EnergyReport:
    """Rows that add up to the total; boundaries are sets of actions, never declared."""

    rows: list[EnergyRow]

    @property
    def total(self) -> float:
        """Joules at the chip boundary."""
        return self.boundary("chip")

    def boundary(self, name: str) -> float:
        """Joules of all actions inside a boundary: device within core within chip."""
        inside = BOUNDARIES[: BOUNDARIES.index(name) + 1]
        return sum(row.joules for row in self.rows if row.boundary in inside)

    @property
    def band(self) -> float:
        """Joules that the total may be off either way, if all constants err together."""
        return self.band_of("chip")

    def band_of(self, name: str) -> float:
        """The same within a boundary."""
        inside = BOUNDARIES[: BOUNDARIES.index(name) + 1]
        return sum(row.joules * row.band for row in self.rows if row.boundary in inside)

    def by(self, *names: str) -> dict[tuple[object, ...], float]:
        """Joules summed by the given row fields."""
        sums: dict[tuple[object, ...], float] = {}
        for row in self.rows:
            key = tuple(getattr(row, name) for name in names)
            sums[key] = sums.get(key, 0.0) + row.joules
        return sums

    def macs(self) -> int:
        """Multiply-accumulates counted, gated ones included."""
        return round(sum(row.count for row in self.rows if row.action.startswith("mac_")))

    def check(self, macs: int | None = None) -> None:
        """Raise ConservationError unless parts, boundaries and counted work agree."""
        for row in self.rows:
            if not isfinite(row.joules) or row.joules < 0 or row.boundary not in BOUNDARIES:
                raise ConservationError(f"{row.unit} {row.action}: {row.count} times, {row.joules} J")
        parts = sum(self.by("boundary").values())
        device, core = self.boundary("device"), self.boundary("core")
        if not isclose(parts, self.total, rel_tol=1e-9) or not device <= core <= self.total:
            raise ConservationError("the energy's parts do not add up to its total")
        if macs is not None and self.macs() != macs:
            raise ConservationError(f"charged {self.macs()} multiply-accumulates of {macs}")
