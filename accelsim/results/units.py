"""On which unit each operator of a run worked, and why."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.chip import Chip
from accelsim.mapping import Plan, geometry_of
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.units import COMPARED, WORDS, array_side
from accelsim.workload import VectorOperator, Workload

LISTED = 4  # operators that a line names


@dataclass(frozen=True, slots=True)
class Used:
    """An operator on its unit. unit: that multiplies, or the vector unit. why: a key of mapping.units.WORDS. digital,
    analog: joules alone on the MAC array and on crossbars, None where they were not compared. crossbars: of a copy
    of its weights, cells: their cross-points that hold weights."""

    operator: str
    unit: str
    why: str
    digital: float | None
    analog: float | None
    crossbars: int
    cells: int


def used_units(chip: Chip, workload: Workload, plan: Plan) -> list[Used]:
    """Every operator that moves or computes something, in order; none on a chip of one unit that multiplies."""
    found = []
    for op in workload.operators if plan.on else ():
        choice, side = plan.on[op.name], plan.side(chip, op.name)
        compared = choice.why in COMPARED
        digital, analog = (choice.digital, choice.analog) if compared else (None, None)
        if isinstance(op, VectorOperator):
            if not op.is_view:
                unit = side.vector_unit.name
                found.append(Used(op.name, unit, choice.why, digital, analog, 0, 0))
            continue
        mapping, geometry = plan.mappings[op.name], geometry_of(op)
        crossbars = mapping.size if isinstance(mapping, CrossbarMapping) else 0
        cells = geometry.groups * geometry.k * geometry.n if crossbars else 0
        found.append(Used(op.name, choice.unit, choice.why, digital, analog, crossbars, cells))
    return found


def units_in_words(chip: Chip, workload: Workload, plan: Plan) -> list[str]:
    """What a run says of the units that its MAC operators were given."""
    macs = {op.name for op in workload.operators if not isinstance(op, VectorOperator)}
    used = [one for one in used_units(chip, workload, plan) if one.operator in macs]
    if not used:
        return []
    parts = []
    for unit in dict.fromkeys(one.unit for one in used):
        mine = [one for one in used if one.unit == unit]
        whys = dict.fromkeys(one.why for one in mine)
        listed = [
            f"{_some([one.operator for one in mine if one.why == why])} ({WORDS[why]})"
            for why in whys
        ]
        parts.append(f"{len(mine)} on {unit}: {', '.join(listed)}")
    return [f"of {len(used)} MAC operators " + "; ".join(parts), *_filled(chip, workload, plan)]


def _filled(chip: Chip, workload: Workload, plan: Plan) -> list[str]:
    """How much of the crossbars holds weights, copies left out."""
    crossbar = chip.crossbar
    if crossbar is None or array_side(chip) == "":
        return []
    held: dict[int, tuple[int, int]] = {}
    for one in used_units(chip, workload, plan):
        mapping = plan.mappings.get(one.operator)
        if isinstance(mapping, CrossbarMapping) and not mapping.reprogrammed:
            held[mapping.first] = one.crossbars, one.cells
    taken, cells = (sum(part) for part in zip(*held.values(), strict=True)) if held else (0, 0)
    full = cells / (crossbar.count * crossbar.rows * crossbar.outputs)
    return [
        f"{taken} of {crossbar.count} crossbars hold weights ({100 * full:.1f} % of the cross-points), "
        "copies left out"
    ]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
