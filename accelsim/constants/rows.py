"""The tables of constants: every row with unit, source, year, technology, voltage, confidence."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "tables"


@lru_cache(maxsize=16)
def table(name: str) -> dict[str, Any]:
    """A table file of this package, read once."""
    whole: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return whole


@lru_cache(maxsize=1)
def components() -> dict[str, dict[str, Any]]:
    """Rows of components.json by key."""
    return {row["key"]: row for row in table("components")["rows"]}


def families() -> tuple[str, ...]:
    """Names of the energy families of digital logic; a chip uses one."""
    return tuple(sorted({row["family"] for row in components().values() if "family" in row}))


def half_width(confidence: str) -> float:
    """Relative half width of the band that a confidence stands for."""
    return float(table("confidence")[confidence])
