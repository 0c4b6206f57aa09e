"""What a claim's file gives: figures with their claim, tolerance and limits, and a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

#: name -> one line; the code is in the file of that name, function ``compute(seed)``
CLAIMS = {
    "levels": "eight conductance levels by pulses: what it takes, and how long they stay apart",
    "multiplication": "in-memory multiplication at 8-bit precision, over age and temperature",
    "energy33": "33 times less energy than a digital multiplication of similar precision",
    "digits_three": "thirty projected devices tell the digits 0, 1 and 4 apart",
    "area": "16-bit engines four times smaller than 32-bit ones, by synthesis",
    "swamping": "where sums in 1-6-9 stop growing, and how chunks and stochastic rounding keep them going",
    "chunked_inference": "a classifier with sums of 4,096 terms, without chunks and with them",
    "stochastic_update": "weights of 5 mantissa bits: updates rounded to nearest or stochastically",
    "limited_precision": "training in 16-bit fixed point, rounded to nearest or stochastically",
    "int4_inference": "INT4 against INT8, HFP8 and FP16 on simulated chips",
    "memory": "bytes of a network in FP8 training against FP32",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of figures."""

    title: str
    head: list[str]
    rows: list[list[str]]


@dataclass(slots=True)
class Claim:
    """claim: as published, with its source. verdict: computed against claimed. figures: by name, for
    programs. assumptions; tolerance; not_shown: what it does not show. draw: writes pictures."""

    name: str
    claim: str
    verdict: str
    figures: dict[str, float]
    tables: list[Table]
    assumptions: list[str]
    tolerance: str
    not_shown: list[str]
    draw: Callable[[Path], None] | None = field(default=None, repr=False)


def reproduce(name: str, seed: int = 0) -> Claim:
    """Compute a claim of CLAIMS; KeyError for any other name."""
    if name not in CLAIMS:
        raise KeyError(name)
    found: Claim = import_module(f"accelsim.claims.{name}").compute(seed)
    return found
