"""Plans whose tensors stand on chip where that pays: judged whole, against the one with all of them off chip."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.chip import Chip
from accelsim.errors import InputError, one_of
from accelsim.explore.measured import whole
from accelsim.explore.units import chosen_units
from accelsim.mapping import Mapping as OperatorMapping
from accelsim.mapping import Plan, geometry_of, plan
from accelsim.mapping.homes import DEFAULT, MODES, ways
from accelsim.mapping.placement import place
from accelsim.mapping.tensors import operator_formats
from accelsim.mapping.units import Choice
from accelsim.workload import VectorOperator, Workload

WORSE = 1.01  # times the cycles or joules with everything off chip: more is not taken


def plan_at_home(
    chip: Chip,
    workload: Workload,
    mappings: Mapping[str, OperatorMapping] | None = None,
    homes: str = DEFAULT,
    on: Mapping[str, Choice] | None = None,
) -> Plan:
    """plan() with units of the fewest joules where operators have a choice (units.py), but for those that ``on``
    says; with homes "off_chip", or "on_chip" where they fit: of a few ways to divide the memories between
    homes and tiles the one of the least cycles times joules; none that takes 1 % more of either than
    off_chip."""
    one_of("homes", homes, MODES)
    on = chosen_units(chip, workload, mappings or {}, on or {})
    far = plan(chip, workload, mappings, on=on)
    if homes == "off_chip":
        return far
    needs = _needs(chip, workload, far, mappings or {})
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
