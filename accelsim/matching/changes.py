"""What tells two chips apart, key by key, as their files would write it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from accelsim.chip import Chip
from accelsim.config.writer import chip_values

NONE = "none"  # of a key that only one of both chips has


@dataclass(frozen=True, slots=True)
class Change:
    """A key of the chip file, its value before and after, as text with units."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key}: {self.before} -> {self.after}"


def changes(before: Chip, after: Chip) -> list[Change]:
    """Keys that differ, in the order of the file; name and description left out."""
    old, new = (dict(_leaves(chip_values(chip, every=True))) for chip in (before, after))
    return [
        Change(key, old.get(key, NONE), new.get(key, NONE))
        for key in {**old, **new}
        if old.get(key, NONE) != new.get(key, NONE)
    ]


def _leaves(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if not path and key in ("name", "description"):
            continue
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", str(value)
