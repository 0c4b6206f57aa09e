"""The EnergyReport: every joule with its operator, unit, action, count, boundary and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain
from math import isclose, isfinite

from accelsim.constants.price import Price
from accelsim.errors import ConservationError, one_of

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


@dataclass(frozen=True, slots=True)
class Charge:
    """One action of one unit at its price, by operator: a run of rows in columns."""

    unit: str
    action: str
    price: Price
    operators: list[int]
    counts: list[float]
    joules: list[float]

    def rows(self) -> list[EnergyRow]:
        """The same as rows."""
        price = self.price
        return [
            EnergyRow(
                operator,
                self.unit,
                self.action,
                count,
                joules,
                price.band,
                price.boundary,
                price.source,
            )
            for operator, count, joules in zip(
                self.operators, self.counts, self.joules, strict=True
            )
        ]

    def keys(self, names: tuple[str, ...]) -> list[tuple[object, ...]]:
        """The named fields of each of its rows."""
        own: dict[str, Sequence[object]] = {
            "operator": self.operators,
            "count": self.counts,
            "joules": self.joules,
        }
        size = len(self.joules)
        columns: list[Sequence[object]] = [
            own[name]
            if name in own
            else [getattr(self if name in ("unit", "action") else self.price, name)] * size
            for name in names
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * size


def charge_of(row: EnergyRow) -> Charge:
    """A row as a charge of one entry."""
    each = row.joules / row.count if row.count else 0.0
    price = Price(each, row.band, row.boundary, row.source)
    return Charge(row.unit, row.action, price, [row.operator], [row.count], [row.joules])


class EnergyReport:
    """Rows that add up to the total; boundaries are sets of actions, never declared.

    Made from rows, or from charges; the rows of charges are made when they are asked for. Sums go
    through the entries in order, so both give the same bits.
    """

    __slots__ = ("_charges", "_rows")

    def __init__(
        self, rows: list[EnergyRow] | None = None, charges: list[Charge] | None = None
    ) -> None:
        self._rows = rows
        self._charges = charges or []

    @property
    def rows(self) -> list[EnergyRow]:
        """Every entry; a list of the report's own, which its sums follow once it has been read."""
        if self._rows is None:
            self._rows = [row for charge in self._charges for row in charge.rows()]
        return self._rows

    @property
    def charges(self) -> list[Charge]:
        """The entries, gathered by action where they came so."""
        return self._charges if self._rows is None else [charge_of(row) for row in self._rows]

    @property
    def total(self) -> float:
        """Joules at the chip boundary."""
        return self.boundary("chip")

    def boundary(self, name: str) -> float:
        """Joules of all actions inside a boundary: device within core within chip; InputError for another."""
        inside = _inside(name)
        return sum(
            chain.from_iterable(
                charge.joules for charge in self.charges if charge.price.boundary in inside
            )
        )

    @property
    def band(self) -> float:
        """Joules that the total may be off either way, if all constants err together."""
        return self.band_of("chip")

    def band_of(self, name: str) -> float:
        """The same within a boundary."""
        inside = _inside(name)
        parts = (
            (charge.joules, charge.price.band)
            for charge in self.charges
            if charge.price.boundary in inside
        )
        return sum(chain.from_iterable([one * band for one in joules] for joules, band in parts))

    def by(self, *names: str) -> dict[tuple[object, ...], float]:
        """Joules summed by the given row fields; InputError for others."""
        for name in names:
            one_of("field", name, (field.name for field in fields(EnergyRow)))
        sums: dict[tuple[object, ...], float] = {}
        for charge in self.charges:
            for key, joules in zip(charge.keys(names), charge.joules, strict=True):
                sums[key] = sums.get(key, 0.0) + joules
        return sums

    def macs(self) -> int:
        """Multiply-accumulates counted, gated ones included."""
        return round(
            sum(
                chain.from_iterable(
                    charge.counts for charge in self.charges if charge.action.startswith("mac_")
                )
            )
        )

    def check(self, macs: int | None = None) -> None:
        """Raise ConservationError unless parts, boundaries and counted work agree."""
        charges = self.charges
        for charge in charges:
            low, high = (
                min(charge.joules, default=0.0),
                sum(charge.joules),
            )  # the sum is NaN if one is
            if not isfinite(high) or not low >= 0 or charge.price.boundary not in BOUNDARIES:
                raise ConservationError(
                    f"{charge.unit} {charge.action}: {charge.counts} times, {charge.joules} J"
                )
        total = self.total
        parts = sum(sum(charge.joules) for charge in charges)
        device, core = self.boundary("device"), self.boundary("core")
        if not isclose(parts, total, rel_tol=1e-9) or not device <= core <= total:
            raise ConservationError("the energy's parts do not add up to its total")
        if macs is not None and self.macs() != macs:
            raise ConservationError(f"charged {self.macs()} multiply-accumulates of {macs}")


def _inside(boundary: str) -> tuple[str, ...]:
    """A boundary and those within it."""
    one_of("boundary", boundary, BOUNDARIES)
    return BOUNDARIES[: BOUNDARIES.index(boundary) + 1]
