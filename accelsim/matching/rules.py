"""The ways of matching, by name, and which chip the others are matched to.

Of several rules each comes on top of those before it, and the chips are compared after each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.matching.area import square_metres, with_area
from accelsim.matching.changes import Change, changes
from accelsim.matching.latency import with_latency
from accelsim.matching.memory import weight_bytes, with_memories
from accelsim.workload import Workload

#: what a rule does, for a person
RULES = {
    "memory": "its buffers, their banks, ports and off-chip memory; weights as it has them, in a "
    "weight buffer that holds the network where it keeps them in cells",
    "area": "its area: arrays in rows and columns, crossbars in number and buffers in bytes and "
    "banks by one factor; weights in place where the weight buffer then holds them",
    "latency": "the latency of the slowest: the others at a lower clock and off-chip bandwidth, by "
    "one factor, at their own supply",
}
Seconds = Callable[[Chip], float]
Stages = Iterator[list["Matched"]]


@dataclass(frozen=True, slots=True)
class Matched:
    """A chip after a rule. changes: of that rule, key by key. reached: what came of an area or a latency that was aimed
    at, for a person."""

    chip: Chip
    changes: list[Change] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)


def model_of(chips: Sequence[Chip]) -> int:
    """The chip that the others are matched to: the first that computes in memory, where others do
    not; else the first."""
    analog = [number for number, chip in enumerate(chips) if chip.crossbar is not None]
    return analog[0] if analog else 0


def made_alike(
    chips: Sequence[Chip], by: Sequence[str], workload: Workload, run: Seconds
) -> Stages:
    """The chips after each rule of RULES, one on top of the other. run: seconds of a run of a chip on the workload.
    InputError where that cannot be."""
    model, here = model_of(chips), list(chips)
    for rule in by:
        if rule not in RULES:
            fix = "write one of " + ", ".join(RULES)
            message = f"there is no way to match by {rule!r}"
            raise InputError(Problem("match.rule", message, fix, file="--match"))
        if rule == "latency":
            made = _as_slow(here, run)
        else:
            made = [
                Matched(chip) if number == model else _like(chip, here[model], rule, workload)
                for number, chip in enumerate(here)
            ]
        here = [one.chip for one in made]
        yield made


def _like(chip: Chip, model: Chip, rule: str, workload: Workload) -> Matched:
    """A chip with the memories or the area of a model."""
    if rule == "memory":
        made, reached = with_memories(chip, model, workload), []
    else:
        target = square_metres(model)
        made = _with_weights(with_area(chip, target), model, workload)
        reached = [f"area {square_metres(made) * 1e6:.4g} of {target * 1e6:.4g} mm2"]
    return Matched(made, changes(chip, made), reached)


def _as_slow(chips: Sequence[Chip], run: Seconds) -> list[Matched]:
    """Chips that take as long as the slowest of them, which stays: no clock above a chip file's is supposed."""
    took = [run(chip) for chip in chips]
    target, found = max(took), []
    for chip, seconds in zip(chips, took, strict=True):
        if seconds == target:
            found.append(Matched(chip))
            continue
        made = with_latency(chip, target, run)
        reached = f"latency {run(made) * 1e3:.4g} of {target * 1e3:.4g} ms"
        found.append(Matched(made, changes(chip, made), [reached]))
    return found


def _with_weights(chip: Chip, model: Chip, workload: Workload) -> Chip:
    """Weights in place as in the model, where the weight buffer holds them."""
    if chip.mac_array is None or model.weights != "resident" or chip.weights == "resident":
        return chip
    buffer = chip.memories[chip.array.weight]
    fits = weight_bytes(chip, workload) <= buffer.size
    return dataclasses.replace(chip, weights="resident") if fits else chip
