"""MAC array or crossbars: each operator where it costs the fewest joules, as far as crossbars reach.

What an operator costs on either is simulated, alone, under the chip's own prices. Those that cost less on crossbars
compete for them, as many as a copy of their weights takes: a knapsack, filled for the most joules saved in all. Runs of
the whole then judge each choice of a small workload (homes.py): how a tensor lies off chip, its writer and its readers
share.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.explore.measured import Run
from accelsim.mapping.chips import unmapped
from accelsim.mapping.compile import Plan, plan
from accelsim.mapping.crossbars import crossbars_of
from accelsim.mapping.mapping import Geometry, geometry_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.units import (
    CHEAPER,
    COMPARED,
    DEARER,
    FULL,
    GIVEN,
    ONLY,
    SAID,
    WHOLE,
    Choice,
    array_side,
    crossbar_side,
    sides_that_run,
)
from accelsim.workload import MacOperator, VectorOperator, Workload


def is_mixed(chip: Chip) -> bool:
    """Whether operators choose between a MAC array and crossbars: these are not written anew for what finds none."""
    crossbars = chip.crossbar
    return len(chip.sides) > 1 and crossbars is not None and crossbars.unmapped != "reprogram"


def chosen_units(
    chip: Chip, workload: Workload, mappings: Collection[str], on: Mapping[str, Choice]
) -> dict[str, Choice]:
    """The unit of every MAC operator of a mixed chip; of another chip what is said. mappings: operators with a mapping
    of tiles, which is one for the MAC array. on: units that are said, which hold. Operators that share weights go
    together. InputError for a chip that no mapping uses."""
    if problems := unmapped(chip):
        raise InputError(problems)
    if not is_mixed(chip):
        return dict(on)
    array, crossbars = array_side(chip), crossbar_side(chip)
    given = {**{name: Choice(array, GIVEN) for name in mappings}, **on}
    found, formats = dict(given), tensor_formats(workload, chip)
    groups: dict[str, list[MacOperator]] = {}
    for op in workload.operators:
        if isinstance(op, VectorOperator) or op.name in given:
            continue
        able = sides_that_run(chip, workload, op)
        if len(able) == 1:
            found[op.name] = Choice(able[0], ONLY)
        else:
            groups.setdefault(op.weight, []).append(op)
    offers = []
    for members in groups.values():
        costs = [_costs(chip, workload, op, formats) for op in members]
        size = crossbars_of(chip.crossbar, geometry_of(members[0]))  # type: ignore[arg-type]
        digital, analog = (sum(side) for side in zip(*costs, strict=True))
        offers.append((members, costs, size, digital - analog))
    room = _room(chip, workload, given)
    wanted = [number for number, offer in enumerate(offers) if offer[3] > 0]
    best = knapsack(
        [offers[number][2] for number in wanted], [offers[number][3] for number in wanted], room
    )
    chosen = {wanted[at] for at in best}
    for number, (members, costs, size, saved) in enumerate(offers):
        unit = crossbars if number in chosen else array
        why = CHEAPER if number in chosen else FULL if saved > 0 else DEARER
        for op, (digital, analog) in zip(members, costs, strict=True):
            found[op.name] = Choice(unit, why, digital, analog, size)
    return found


Change = Callable[[Mapping[str, Choice]], dict[str, Choice]]


def other_units(chip: Chip, workload: Workload, chosen: Plan) -> Iterator[Change]:
    """Single changes of the choices among units: operators that share weights on the other one."""
    sides = {array_side(chip): crossbar_side(chip), crossbar_side(chip): array_side(chip)}
    groups: dict[str, list[str]] = {}
    for op in workload.operators:
        if not isinstance(op, VectorOperator) and chosen.on[op.name].why in COMPARED:
            groups.setdefault(op.weight, []).append(op.name)
    macs = [op.name for op in workload.operators if not isinstance(op, VectorOperator)]

    def change(names: list[str], on: Mapping[str, Choice]) -> dict[str, Choice]:
        kept = {name: choice for name, choice in on.items() if name in macs or choice.why in SAID}
        turned = {name: on[name]._replace(unit=sides[on[name].unit], why=WHOLE) for name in names}
        return {**kept, **turned}

    for names in groups.values():
        yield partial(change, names)


def knapsack(sizes: list[int], worth: list[float], room: int) -> list[int]:
    """Which things of a size fit a room and are worth most together; of as good ones the earlier. sizes: from 1;
    worth: above 0."""
    room = min(room, sum(sizes))
    if sum(sizes) <= room:
        return list(range(len(sizes)))
    best, kept = np.zeros(room + 1), []
    for size, value in zip(reversed(sizes), reversed(worth), strict=True):
        with_it = np.full(room + 1, -1.0)
        if size <= room:
            with_it[size:] = best[: room + 1 - size] + value
        kept.append(with_it >= best)
        best = np.maximum(best, with_it)
    found, left = [], room
    for at, takes in enumerate(reversed(kept)):
        if takes[left]:
            found.append(at)
            left -= sizes[at]
    return found


def _room(chip: Chip, workload: Workload, given: Mapping[str, Choice]) -> int:
    """Crossbars that operators leave which are said to run on them."""
    unit, crossbars = chip.crossbar, crossbar_side(chip)
    assert unit is not None
    held = {
        op.weight: crossbars_of(unit, geometry_of(op))
        for op in workload.operators
        if not isinstance(op, VectorOperator)
        and op.name in given
        and given[op.name].unit == crossbars
    }
    return max(0, unit.count - sum(held.values()))


def _costs(
    chip: Chip, workload: Workload, op: MacOperator, formats: Mapping[str, str]
) -> tuple[float, float]:
    """Joules of an operator alone on the MAC array and on crossbars, as many as it takes; infinite where it does not
    fit the buffers."""
    triple = (*operator_formats(op, chip), formats[op.output])
    key = ("alone", geometry_of(op), triple)
    if key not in chip.memo:
        one, roomy = alone(workload, op, formats), _with_room(chip, geometry_of(op))
        units = array_side(chip), crossbar_side(chip)
        chip.memo[key] = tuple(_joules(roomy, one, op, unit) for unit in units)
    found: tuple[float, float] = chip.memo[key]
    return found


def _with_room(chip: Chip, geometry: Geometry) -> Chip:
    """The chip with crossbars enough for one copy of an operator's weights."""
    unit, name = chip.crossbar, crossbar_side(chip)
    assert unit is not None
    size = crossbars_of(unit, geometry)
    if size <= unit.count:
        return chip
    return replace(chip, units={**chip.units, name: replace(unit, clock_hz=0, count=size)})


def _joules(chip: Chip, workload: Workload, op: MacOperator, unit: str) -> float:
    try:
        return Run(chip, workload, plan(chip, workload, on={op.name: Choice(unit)})).joules
    except InputError:
        return float("inf")


def alone(workload: Workload, op: MacOperator, formats: Mapping[str, str]) -> Workload:
    """A workload of one operator, with its tensors in the formats that they have among the others."""
    tensors = {
        name: replace(
            workload.tensors[name],
            role=role,
            format=workload.tensors[name].format or formats.get(name),
        )
        for name, role in ((op.input, "input"), (op.weight, "weight"), (op.output, "output"))
    }
    if op.bias is not None:
        tensors[op.bias] = workload.tensors[op.bias]
    return replace(workload, operators=(op,), tensors=tensors)
