"""On which unit each operator runs: as someone says, or as crossbars have room.

A side (chip/sides.py) is a unit that multiplies and the vector unit and DMA engine that serve it. A MAC operator runs
on a side's unit; a vector operator on the vector unit of the side that made its first input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from accelsim.chip import Chip
from accelsim.chip.cores import scope_of
from accelsim.errors import InputError, Problem
from accelsim.units.base import Unit
from accelsim.workload import Operator, VectorOperator, Workload

GIVEN, LISTED, ROOM, ONLY, DATA = "given", "listed", "room", "only", "data"
SAID = (GIVEN, LISTED)
COMPARED = CHEAPER, DEARER, FULL, WHOLE = "cheaper", "dearer", "full", "whole"
#: why an operator runs where it does
WORDS = {
    "": "",
    GIVEN: "as given",
    LISTED: "the sensitivity list names it",
    ROOM: "the first that has room",
    ONLY: "no other unit runs it",
    DATA: "its input is made there",
    CHEAPER: "fewer joules there",
    DEARER: "more joules on crossbars",
    FULL: "no crossbars left for it",
    WHOLE: "fewer joules in the run of all",
}


class Choice(NamedTuple):
    """unit: that multiplies on the side that an operator runs on. why: a key of WORDS. digital, analog: joules of the
    operator alone on the MAC array and on crossbars, where they were compared; crossbars: that a copy of its weights
    takes."""

    unit: str
    why: str = ""
    digital: float = 0.0
    analog: float = 0.0
    crossbars: int = 0


def side_of(chip: Chip, on: Mapping[str, Choice], operator: str) -> Chip:
    """The chip as an operator on its unit sees it. on: the unit of every operator of a chip of several sides."""
    sides = chip.sides
    return sides[on[operator].unit] if len(sides) > 1 else next(iter(sides.values()))


def crossbar_side(chip: Chip) -> str:
    """Name of the chip's crossbars, "" for none."""
    return next((unit.name for unit in chip.parts("crossbar")), "")


def array_side(chip: Chip) -> str:
    """Name of the chip's MAC array, "" for none."""
    return next((unit.name for unit in chip.parts("mac_array")), "")


def sides_that_run(chip: Chip, workload: Workload, op: Operator) -> list[str]:
    """Sides that an operator may run on: those whose vector unit does a vector operator; those whose unit multiplies
    what a MAC operator multiplies, crossbars stored weights alone unless they are written in every run."""
    if isinstance(op, VectorOperator):
        return [
            name for name, side in chip.sides.items() if op.is_view or side.vector_unit.runs(op)
        ]
    found = []
    for name, side in chip.sides.items():
        crossbar = side.crossbar
        held = workload.is_stored(op.weight)
        if crossbar is None or held or crossbar.unmapped == "reprogram":
            found += [name] if side.units[name].runs(op) else []
    return found


def _means(unit: Unit) -> tuple[str, str, str]:
    """What a unit is known by: its name, its core, its kind."""
    return unit.name, scope_of(unit.name), unit.kind


def sides_named(chip: Chip, op: Operator, name: str) -> list[str]:
    """Sides with a unit that runs an operator's kind and is known by a name: its own first, then its core's, then its
    kind."""
    for key in (0, 1, 2):
        found = [
            which
            for which, side in chip.sides.items()
            if any(unit.runs(op) and name == _means(unit)[key] for unit in side.units.values())
        ]
        if found:
            return found
    return []


def names_of_sides(chip: Chip, op: Operator) -> list[str]:
    """All that sides_named() knows."""
    known = [_means(unit) for unit in chip.units.values() if unit.runs(op)]
    return [name for key in (1, 0, 2) for name in dict.fromkeys(one[key] for one in known) if name]


def choice_of(chip: Chip, workload: Workload, op: Operator, name: str) -> Choice | Problem:
    """The side that someone names for an operator, or what is wrong with that name."""
    path = f"operators.{op.name}.on"
    meant = sides_named(chip, op, name)
    if not meant:
        fix = "write one of: " + ", ".join(names_of_sides(chip, op))
        message = f"the chip has no unit, core or kind {name!r} that runs a {op.kind}"
        return Problem("mapping.on", message, fix, path=path)
    able = [side for side in meant if side in sides_that_run(chip, workload, op)]
    if not able:
        fix = "write one of: " + ", ".join(sides_that_run(chip, workload, op))
        return Problem("mapping.on", f"{name} does not run {op.name}", fix, path=path)
    return Choice(able[0], GIVEN)


def choices_of(chip: Chip, workload: Workload, on: Mapping[str, str | Choice]) -> dict[str, Choice]:
    """Choices by operator. on: names of units, cores or kinds, or Choices. InputError lists every name that means
    nothing."""
    operators = {op.name: op for op in workload.operators}
    found: dict[str, Choice] = {}
    problems = []
    for name, named in on.items():
        if name not in operators:
            message, fix = f"the workload has no operator {name!r}", "write one of: "
            path = f"operators.{name}"
            problems.append(
                Problem("mapping.operator", message, fix + ", ".join(operators), path=path)
            )
        elif isinstance(named, Choice):
            found[name] = named
        elif isinstance(made := choice_of(chip, workload, operators[name], named), Problem):
            problems.append(made)
        else:
            found[name] = made
    if problems:
        raise InputError(problems)
    return found


def of_vectors(
    chip: Chip, workload: Workload, macs: Mapping[str, Choice], given: Mapping[str, Choice]
) -> Iterator[tuple[str, Choice]]:
    """A Choice for every operator, in order: those of MAC operators, those given, and for other vector operators the
    side that made the first input that was made, else that first reads the output."""
    made: dict[str, str] = {}
    read: dict[str, str] = {}
    for op in workload.operators:
        if not isinstance(op, VectorOperator):
            read.setdefault(op.input, macs[op.name].unit)
    first = next(iter(chip.sides))
    for op in workload.operators:
        if not isinstance(op, VectorOperator):
            choice = macs[op.name]
        elif op.name in given:
            choice = given[op.name]
        else:
            wanted = [made[name] for name in op.inputs if name in made]
            wanted += [read[op.output]] if op.output in read else []
            able = sides_that_run(chip, workload, op)
            wanted = [side for side in wanted if side in able] or able or [first]
            choice = Choice(wanted[0], DATA if len(able) > 1 else ONLY)
        made[op.output] = choice.unit
        yield op.name, choice
