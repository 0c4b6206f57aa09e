"""Plans whose tensors stand on chip where that pays: judged whole, against the one with all of them off chip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

from accelsim.chip import Chip
from accelsim.energy import Work, charge, compact, counts_of
from accelsim.errors import InputError, one_of
from accelsim.explore.planned import run_counts
from accelsim.explore.units import chosen_units, is_mixed, other_units
from accelsim.mapping import Mapping as OperatorMapping
from accelsim.mapping import Plan, geometry_of, plan
from accelsim.mapping.homes import DEFAULT, MODES, Homes, has_levels, ways
from accelsim.mapping.image_groups import bytes_off_chip, sizes_of
from accelsim.mapping.kept import with_kept
from accelsim.mapping.placement import place
from accelsim.mapping.size import commands_of
from accelsim.mapping.tensors import operator_formats
from accelsim.mapping.units import Choice
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.images import of_group

JUDGED = 4000  # commands of a workload whose units runs of the whole judge
PART = 0.999  # of a figure: a way to divide memories that comes to no less than this gains nothing
WORSE = 1.01  # times the cycles or joules with everything off chip: more is not taken
ALIKE = 1e-9  # of the figure: what sums in another order differ by makes no plan better


class Reading(Protocol):
    """What a Plan was found to take."""

    @property
    def work(self) -> Work:
        """What was done, in the chip's memories."""


Read = TypeVar("Read", bound=Reading)


def plan_at_home(
    chip: Chip,
    workload: Workload,
    mappings: Mapping[str, OperatorMapping] | None = None,
    homes: str = DEFAULT,
    on: Mapping[str, Choice] | None = None,
    images: int | None = None,
) -> Plan:
    """plan() with units of the fewest joules where operators have a choice, but for those that ``on`` says (units.py;
    in a small workload each choice is tried the other way); with homes "off_chip", or "on_chip" where they fit: the
    best() of readings(). images: of the groups that the batch runs in, one after another; all of them where nobody
    says, but with "on_chip", where as many as move the fewest bytes off chip are tried beside. InputError as plan()."""
    one_of("homes", homes, MODES)
    given, said = mappings or {}, on or {}
    units = chosen_units(chip, workload, given, said)
    found = _at_home(chip, workload, given, homes, units, images)
    if not is_mixed(chip) or sum(commands_of(chip, workload, found).values()) > JUDGED:
        return found
    least = _Run(found, chip, workload).joules(chip)
    for changed in other_units(chip, workload, found):
        try:
            made = _at_home(chip, workload, given, homes, changed(found.on), images)
        except InputError:  # no crossbars are left
            continue
        joules = _Run(made, chip, workload).joules(chip)
        if joules < least:
            found, least = made, joules
    return found


def _at_home(
    chip: Chip,
    workload: Workload,
    mappings: Mapping[str, OperatorMapping],
    homes: str,
    on: Mapping[str, Choice],
    images: int | None,
) -> Plan:
    """The Plan with operators on these units."""
    if homes == "off_chip":
        return plan(chip, workload, mappings, _in_groups(workload, images), on)
    runs = readings(
        chip, workload, lambda chosen: _Run(chosen, chip, workload), mappings, on=on, images=images
    )
    return runs[best((run.work.seconds, run.joules(chip)) for run in runs)].chosen


class _Run:
    """A Plan and what its run does, equal layers once."""

    def __init__(self, chosen: Plan, chip: Chip, workload: Workload) -> None:
        self.chosen, self.work = chosen, compact(run_counts(chip, workload, chosen).work, chip)

    def joules(self, chip: Chip) -> float:
        """At the chip boundary."""
        return charge(counts_of(self.work, chip), chip).total


def readings(
    chip: Chip,
    workload: Workload,
    read: Callable[[Plan], Read],
    mappings: Mapping[str, OperatorMapping] | None = None,
    homes: str = DEFAULT,
    on: Mapping[str, Choice] | None = None,
    images: int | None = None,
) -> list[Read]:
    """Of the plan() with every tensor off chip, and with "on_chip" of ways() to divide the memories between homes and
    tiles: the largest share for homes first, the next one while that gains(). Memories that buffers are filled from
    are done without only where homes gain nothing with them. Of each, too, with weights that stay on chip once
    fetched. Prices have no part in what is tried. on: units of operators, as plan() takes them; images: as
    plan_at_home() does. InputError as plan()."""
    one_of("homes", homes, MODES)
    given = mappings or {}
    far = plan(chip, workload, mappings, _in_groups(workload, images), on)
    found = [read(far)]
    if homes == "off_chip":
        return found
    groups = [far.homes.images]
    if images is None and (fewest := _fewest(chip, workload, far, given)):
        groups.append(fewest)
    plans = [far]
    for number in groups:
        for above in _levels(chip):
            tried: list[Read] = []
            for at_home in _ways(chip, workload, far, given, number, above):
                try:
                    near = plan(chip, workload, mappings, at_home, on)
                except InputError:  # too little room is left for the tiles of some operator
                    continue
                plans.append(near)
                tried.append(read(near))
                if len(tried) > 1 and not gains(tried[-1].work, tried[-2].work, chip):
                    break
            found += tried
            if any(gains(one.work, found[0].work, chip) for one in tried):
                break
    kept = [with_kept(chip, workload, chosen) for chosen in plans]
    return found + [read(one) for one, other in zip(kept, plans, strict=True) if one != other]


def _in_groups(workload: Workload, images: int | None) -> Homes:
    """Nothing on chip, in groups of so many images."""
    return Homes(images=0 if images in (None, workload.inferences) else images)


def _levels(chip: Chip) -> tuple[bool, ...]:
    """Whether homes may be in memories that buffers are filled from, as is tried in turn."""
    return (True, False) if has_levels(chip) else (True,)


def _fewest(chip: Chip, workload: Workload, far: Plan, given: Mapping[str, OperatorMapping]) -> int:
    """Images of the largest groups of those that move the fewest bytes off chip; 0 where the whole batch does."""

    def moved(images: int) -> float:
        every = (_ways(chip, workload, far, given, images, above) for above in _levels(chip))
        some = [homes for found in every for homes in found]
        return min(
            (bytes_off_chip(chip, workload, far.formats, homes) for homes in some),
            default=float("inf"),
        )

    sizes = sizes_of(workload, far.formats)
    if not sizes:
        return 0
    least, chosen = min(moved(0), bytes_off_chip(chip, workload, far.formats, far.homes)), 0
    for images in sizes:
        if (bytes_moved := moved(images)) < least:
            least, chosen = bytes_moved, images
    return chosen


def _ways(
    chip: Chip,
    workload: Workload,
    far: Plan,
    given: Mapping[str, OperatorMapping],
    images: int,
    above: bool,
) -> Iterator[Homes]:
    """Homes of groups of so many images."""
    group = of_group(workload, images)
    needs = _needs(chip, group, far, given)
    for homes in ways(chip, group, far.formats, far.on, needs, above):
        yield replace(homes, images=images)


def gains(one: Work, other: Work, chip: Chip) -> bool:
    """Whether a run takes less time than another one, or moves fewer bytes off chip, by more than PART."""
    return (
        one.seconds < other.seconds * PART or _off_chip(one, chip) < _off_chip(other, chip) * PART
    )


def _off_chip(work: Work, chip: Chip) -> float:
    """Bits that pass the off-chip memories."""
    return float(
        sum(
            read.sum() + written.sum()
            for name, read, written in zip(work.memories, work.read, work.written, strict=True)
            if name in chip.memories and chip.memories[name].part == "dram"
        )
    )


def best(figures: Iterable[tuple[float, float]]) -> int:
    """Which of readings() is taken: the one of the least seconds times joules; none that takes 1 % more of either
    than the first. figures: (seconds, joules) of each."""
    chosen, far, least = 0, (0.0, 0.0), 0.0
    for number, (seconds, joules) in enumerate(figures):
        figure = seconds * joules
        if number == 0:
            far, least = (seconds, joules), figure
        elif (
            seconds <= far[0] * WORSE and joules <= far[1] * WORSE and figure < least * (1 - ALIKE)
        ):
            chosen, least = number, figure
    return chosen


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
