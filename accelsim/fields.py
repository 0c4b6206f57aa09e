"""Marks on dataclass fields that say what a file may write there: units and ranges."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
#: metadata of a field that came later: at its default it is no part of a canonical form, so that digests of
#: what does not use it stay
LATER = {"later": True}
FORMAT = 1  # version of the form of chip, workload, sweep, device and format files


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


@dataclass(frozen=True, slots=True)
class Names:
    """Marks a text field as one of a registry's names. listed: gives them, the dear ones to find last."""

    listed: Callable[[], Iterable[str]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed())


def with_defaults(item: T, names: Iterable[str]) -> T:
    """A dataclass instance with the named fields at their defaults."""
    wanted = set(names)
    made = {f.name: f.default for f in dataclasses.fields(item) if f.name in wanted}  # type: ignore[arg-type]
    return dataclasses.replace(item, **made)  # type: ignore[type-var]


def wrong_version(value: object) -> tuple[str, str] | None:
    """What is wrong with a file's key ``format`` (None: it has none) and what to write, if anything."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        return f"is {value!r:.40}, no version of a file", "write format: 1"
    if value > FORMAT:
        return (
            f"is {value}: a newer accelsim wrote this file, this one reads up to {FORMAT}",
            "use that accelsim, or make the file anew",
        )
    return None
