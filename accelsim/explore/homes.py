"""Plans whose tensors stand on chip where that pays: judged whole, against the one with all of them off chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from accelsim.chip import Chip
from accelsim.errors import InputError, one_of
from accelsim.explore.measured import whole
from accelsim.mapping import Mapping as OperatorMapping
from accelsim.mapping import Plan, geometry_of, plan
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.homes import DEFAULT, MODES, Homes, ways
from accelsim.mapping.image_groups import bytes_off_chip, sizes_of
from accelsim.mapping.kept import with_kept
from accelsim.mapping.placement import place
from accelsim.mapping.tensors import operator_formats
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.images import of_group

WORSE = 1.01  # times the cycles or joules with everything off chip: more is not taken


def plan_at_home(
    chip: Chip,
    workload: Workload,
    mappings: Mapping[str, OperatorMapping] | None = None,
    homes: str = DEFAULT,
    images: int | None = None,
) -> Plan:
    """plan() with homes "off_chip", or "on_chip" where they fit: of a few ways to divide the memories between
    homes and tiles the one of the least cycles times joules; none that takes 1 % more of either than
    off_chip. images: of the groups that the batch runs in, one after another; all of them where nobody says, but
    with "on_chip", where as many as move the fewest bytes off chip are tried beside. To the best come weights that
    stay on chip once fetched, where that is no worse. InputError as plan()."""
    one_of("homes", homes, MODES)
    given = mappings or {}
    far = plan(chip, workload, mappings, Homes(images=_number(workload, images or 0)))
    if homes == "off_chip":
        return far
    before = whole(chip, workload, far)
    best, least = far, before[0] * before[1]
    for found in (*_tried(chip, workload, far, given, images is None), None):
        try:
            near = (
                plan(chip, workload, mappings, found) if found else with_kept(chip, workload, best)
            )
        except InputError:  # too little room is left for the tiles of some operator
            continue
        if near == best:
            continue
        cycles, joules = whole(chip, workload, near)
        good = cycles <= before[0] * WORSE and joules <= before[1] * WORSE
        if good and cycles * joules < least:
            best, least = near, cycles * joules
    return best


def _number(workload: Workload, images: int) -> int:
    """Homes.images of groups of so many images."""
    return 0 if images == workload.inferences else images


def _tried(
    chip: Chip, workload: Workload, far: Plan, given: Mapping[str, OperatorMapping], free: bool
) -> list[Homes]:
    """Homes to be tried: of the groups of ``far``, and, where the choice is free, of those that move the fewest bytes
    off chip, of the largest of these."""
    first = _ways(chip, workload, far, given, far.homes.images)
    if not free:
        return first
    least, best = min(_bytes(chip, workload, far, [far.homes, *first])), []
    for images in sizes_of(workload, far.formats):
        found = _ways(chip, workload, far, given, images)
        if found and (moved := min(_bytes(chip, workload, far, found))) < least:
            least, best = moved, found
    return [*first, *best]


def _bytes(chip: Chip, workload: Workload, far: Plan, found: list[Homes]) -> list[int]:
    """Bytes off chip of each."""
    return [bytes_off_chip(chip, workload, far.formats, homes) for homes in found]


def _ways(
    chip: Chip,
    workload: Workload,
    far: Plan,
    given: Mapping[str, OperatorMapping],
    images: int,
) -> list[Homes]:
    """Homes of groups of so many images."""
    group = of_group(workload, images)
    analog = [name for name, one in far.mappings.items() if isinstance(one, CrossbarMapping)]
    needs = _needs(chip, group, far, given)
    found = ways(chip, group, far.formats, analog, needs)
    return [replace(homes, images=images) for homes in found]


def _needs(
    chip: Chip, workload: Workload, far: Plan, given: Mapping[str, OperatorMapping]
) -> dict[str, dict[str, int]]:
    """Bytes of memories that tiles of given mappings take."""
    found = {}
    for op in workload.operators:
        if isinstance(op, VectorOperator) or op.name not in given:
            continue
        triple = (*operator_formats(op, chip), far.formats[op.output])
        cold = chip.weights == "cold" or not workload.is_stored(op.weight)
        layout = place(chip, geometry_of(op), given[op.name], triple, 0, None if cold else 0)
        found[op.name] = layout.needs()
    return found
