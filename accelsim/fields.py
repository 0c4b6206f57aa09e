"""Marks on dataclass fields that say what a file may write there: units and ranges."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
V = TypeVar("V")
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


class Table(Mapping[str, V]):
    """Values by name that nobody changes; hashable, as records that hold it are."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def unsaid(item: dataclasses.Field[Any], value: object) -> bool:
    """Whether a field that came later has its default."""
    if not item.metadata.get("later"):
        return False
    made = item.default_factory
    return bool(value == (item.default if made is dataclasses.MISSING else made()))


def binary(size: int) -> str:
    """Bytes as a person says them: "64 KiB"."""
    for prefix, one in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if size >= one:
            return f"{size / one:.4g} {prefix}B"
    return f"{size} B"


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
