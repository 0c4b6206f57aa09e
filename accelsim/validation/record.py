"""Published figures of a chip, and what is known of its file: the records of an expected.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from accelsim.fields import Bounds, Names
from accelsim.job import Job
from accelsim.validation.measures import MEASURES
from accelsim.validation.tiers import Tier

Kind = Literal["measured", "rtl", "estimate", "simulation"]
KINDS = {
    "measured": "on silicon",
    "rtl": "from a register-transfer model",
    "estimate": "its maker's estimate",
    "simulation": "from a simulator in a paper",
}


def _measures() -> tuple[str, ...]:
    return tuple(MEASURES)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where values of the chip file come from. of: keys, each with all below it that has no mark of its own.
    source: one of the file's sources, or why it is assumed."""

    of: tuple[str, ...]
    mark: Literal["spec", "component", "assumed"]
    source: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure and how it is computed from a run.

    compute: a measure, with the operators, memory or units that it is of (all where nothing is said). condition:
    under which the figure holds. kind: what it was found by. uses: keys of the chip file that it entered. shapes:
    whether the layers' sizes are published. missing: what a large error comes from, how that is known, what it would
    cost to add. run: the job without its chip.
    """

    name: str
    tier: Tier
    value: Annotated[float, Bounds(1e-30, 1e30)]
    unit: str
    condition: str
    source: str
    kind: Kind
    confidence: Literal["high", "medium", "low", "mem"]
    compute: Annotated[str, Names(_measures)]
    run: Job
    operators: tuple[str, ...] = ()
    memory: str = ""
    by: tuple[Literal["passes", "loads", "stores"], ...] = ()
    units: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    boundary: Literal["device", "core", "chip"] = "chip"
    uses: tuple[str, ...] = ()
    shapes: Literal["published", "assumed"] = "published"
    missing: str = ""

    @property
    def published(self) -> float:
        """The value in the measure's own unit."""
        return self.value * MEASURES[self.compute].units[self.unit]


@dataclass(frozen=True, slots=True)
class Case:
    """A published chip. assumed: keys of its file that are assumed numbers, with what stands there. rows_from:
    the chip that rows of tables are marked with which came from it."""

    name: str
    folder: Path
    chip: Path
    sources: Mapping[str, str]
    marks: tuple[Mark, ...]
    figures: tuple[Figure, ...]
    assumed: Mapping[str, Any]
    rows_from: str
