"""What a sweep asked and of whom: what captions and the page say beside the points."""

from __future__ import annotations

from dataclasses import dataclass, field

from accelsim.store.measures import MEASURES, USUAL
from accelsim.store.spec import Joint


@dataclass(frozen=True, slots=True)
class BaseNote:
    """What is known of a base chip, "" or nothing where unknown. technology: "22 nm, 0.8 V". weights: "cold" or
    "resident". precision: formats of inputs and weights, "" also where a key varies them. assumptions: what
    its figures take for granted. sources: (constant, source) of its energy."""

    name: str
    analog: bool
    source: str = ""
    digest: str = ""
    technology: str = ""
    weights: str = ""
    precision: str = ""
    description: str = ""
    assumptions: tuple[str, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """The question of a sweep. objectives: measures, "-" before one that is better when larger.
    joint: an objective over all workloads.
    constraints: (measure, "<=" or ">=", SI number), ("fits", "", 0). axes: keys of each axis in the
    sweep's order. works: name to a note ("batch 1"). folder: of the store. command: makes the points and
    the page again."""

    name: str
    question: str = ""
    answer: str = ""
    source: str = ""
    model: str = ""
    sampling: str = "grid"
    objectives: tuple[str, ...] = USUAL
    joint: Joint | None = None
    constraints: tuple[tuple[str, str, float], ...] = ()
    axes: tuple[tuple[str, ...], ...] = ()
    bases: dict[str, BaseNote] = field(default_factory=dict)
    works: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    command: str = (
        "accelsim sweep STORE/sweep.yaml --store AGAIN && accelsim report AGAIN --out PAGE"
    )


def better_when_larger(objective: str) -> bool:
    """Whether more of an objective is better: "-" before it, or the measure's own sense."""
    if objective.startswith("-"):
        return True
    known = MEASURES.get(objective)
    return known is not None and known.larger
