"""Plans whose tensors stand on chip where that pays: judged whole, against the one with all of them off chip."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.chip import Chip
from accelsim.errors import InputError, one_of
from accelsim.explore.measured import whole
from accelsim.explore.units import chosen_units, is_mixed, other_units
from accelsim.mapping import Mapping as OperatorMapping
from accelsim.mapping import Plan, geometry_of, plan
from accelsim.mapping.homes import DEFAULT, MODES, ways
from accelsim.mapping.placement import place
from accelsim.mapping.size import commands_of
from accelsim.mapping.tensors import operator_formats
from accelsim.mapping.units import Choice
from accelsim.workload import VectorOperator, Workload

JUDGED = 4000  # commands of a workload whose units runs of the whole judge
WORSE = 1.01  # times the cycles or joules with everything off chip: more is not taken


def plan_at_home(
    chip: Chip,
    workload: Workload,
    mappings: Mapping[str, OperatorMapping] | None = None,
    homes: str = DEFAULT,
    on: Mapping[str, Choice] | None = None,
) -> Plan:
    """plan() with units of the fewest joules where operators have a choice, but for those that ``on`` says (units.py;
    in a small workload each choice is tried the other way); with homes "off_chip", or "on_chip" where they fit: of a
    few ways to divide the memories between homes and tiles the one of the least cycles times joules; none that takes
    1 % more of either than off_chip."""
    one_of("homes", homes, MODES)
    given, said = mappings or {}, on or {}
    best = _at_home(chip, workload, given, homes, chosen_units(chip, workload, given, said))
    if not is_mixed(chip) or sum(commands_of(chip, workload, best).values()) > JUDGED:
        return best
    least = whole(chip, workload, best)[1]
    for changed in other_units(chip, workload, best):
        try:
            made = _at_home(chip, workload, given, homes, changed(best.on))
        except InputError:  # no crossbars are left
            continue
        joules = whole(chip, workload, made)[1]
        if joules < least:
            best, least = made, joules
    return best


def _at_home(
    chip: Chip,
    workload: Workload,
    mappings: Mapping[str, OperatorMapping],
    homes: str,
    on: Mapping[str, Choice],
) -> Plan:
    """The Plan with operators on these units."""
    far = plan(chip, workload, mappings, on=on)
    if homes == "off_chip":
        return far
    needs = _needs(chip, workload, far, mappings)
    before = whole(chip, workload, far)
    best, least = far, before[0] * before[1]
    for found in ways(chip, workload, far.formats, far.on, needs):
        try:
            near = plan(chip, workload, mappings, found, on)
        except InputError:  # too little room is left for the tiles of some operator
            continue
        cycles, joules = whole(chip, workload, near)
        good = cycles <= before[0] * WORSE and joules <= before[1] * WORSE
        if good and cycles * joules < least:
            best, least = near, cycles * joules
    return best


def _needs(
    chip: Chip, workload: Workload, far: Plan, given: Mapping[str, OperatorMapping]
) -> dict[str, dict[str, int]]:
    """Bytes of memories that tiles of given mappings take."""
    found = {}
    for op in workload.operators:
        if isinstance(op, VectorOperator) or op.name not in given:
            continue
        triple = (*operator_formats(op, chip), far.formats[op.output])
        side = far.side(chip, op.name)
        cold = side.weights == "cold" or not workload.is_stored(op.weight)
        layout = place(side, geometry_of(op), given[op.name], triple, 0, None if cold else 0)
        found[op.name] = layout.needs()
    return found
