"""The ways of matching, by name, and which chip the others are matched to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    "latency": "its latency: clocks and off-chip bandwidth by one factor, at their own supply",
}
Seconds = Callable[[Chip], float]


@dataclass(frozen=True, slots=True)
class Matched:
    """A chip made like another. changes: key by key. reached: what came of an area or a latency
    that was aimed at, for a person."""

    chip: Chip
    changes: list[Change]
    reached: list[str]


def model_of(chips: Sequence[Chip]) -> int:
    """The chip that the others are matched to: the first that computes in memory, where others do
    not; else the first."""
    analog = [number for number, chip in enumerate(chips) if chip.crossbar is not None]
    return analog[0] if analog else 0


def like(chip: Chip, model: Chip, by: Sequence[str], workload: Workload, run: Seconds) -> Matched:
    """A chip matched to a model by rules of RULES, one after the other. run: seconds of a run of a
    chip on the workload. InputError where that cannot be."""
    made, reached = chip, []
    for rule in by:
        if rule == "memory":
            made = with_memories(made, model, workload)
        elif rule == "area":
            target = square_metres(model)
            made = _with_weights(with_area(made, target), model, workload)
            reached.append(f"area {square_metres(made) * 1e6:.4g} of {target * 1e6:.4g} mm2")
        elif rule == "latency":
            target = run(model)
            made = with_latency(made, target, run)
            reached.append(f"latency {run(made) * 1e3:.4g} of {target * 1e3:.4g} ms")
        else:
            raise InputError(
                Problem(
                    "match.rule",
                    f"there is no way to match by {rule!r}",
                    "write one of " + ", ".join(RULES),
                    file="--match",
                )
            )
    return Matched(made, changes(chip, made), reached)


def _with_weights(chip: Chip, model: Chip, workload: Workload) -> Chip:
    """Weights in place as in the model, where the weight buffer holds them."""
    if chip.mac_array is None or model.weights != "resident" or chip.weights == "resident":
        return chip
    buffer = chip.memories[chip.array.weight]
    fits = weight_bytes(chip, workload) <= buffer.size
    return dataclasses.replace(chip, weights="resident") if fits else chip
