"""From a chip and a workload to the Program: a mapping and a segment for every operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from collections.abc import Mapping as Dict
from dataclasses import replace
from math import inf

from accelsim.chip import Chip, machine
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.chips import unmapped
from accelsim.mapping.cores import adds_up
from accelsim.mapping.crossbars import CrossbarMapping, assign
from accelsim.mapping.homes import OFF_CHIP, Homes
from accelsim.mapping.image_groups import check_images
from accelsim.mapping.mapping import Geometry, Mapping, array_for, geometry_of
from accelsim.mapping.parts import Plan, no_room, parts_of
from accelsim.mapping.placement import fits
from accelsim.mapping.programs import complete, program_of
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.size import check_size, commands_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.tilings.default import Pick, hopeful, legal, pick
from accelsim.mapping.tilings.setting import Task
from accelsim.mapping.tilings.tables import CLOSE
from accelsim.mapping.units import (
    GIVEN,
    ONLY,
    ROOM,
    Choice,
    array_side,
    crossbar_side,
    of_vectors,
    sides_that_run,
)
from accelsim.program.table import Program
from accelsim.timing import simulate
from accelsim.units.dataflows import dataflow
from accelsim.units.mac_array import MacArray
from accelsim.workload import MacOperator, VectorOperator, Workload
from accelsim.workload.images import of_group

TIMED = 3  # runs of a small workload that its Plan may take on as many arrays, and again on others
COMMANDS = 4000  # of all of them together


def plan(
    chip: Chip,
    workload: Workload,
    mappings: Dict[str, Mapping] | None = None,
    homes: Homes = OFF_CHIP,
    on: Dict[str, Choice] | None = None,
) -> Plan:
    """Choose a unit for every operator and a mapping for every MAC operator that has none given; check the given
    ones. homes: where tensors stand, which leaves operators so much room, and the groups of images that mappings are
    of. on: units of operators, by name; of the others those with a mapping run on the MAC array, and of the rest what
    crossbars have room for on these.

    InputError lists every given mapping that does not fit, and every name that is no operator; or what of the
    chip no mapping uses yet; or says that the batch does not run in such groups.
    """
    if problems := unmapped(chip):
        raise InputError(problems)
    if problems := unserved(chip, workload):
        raise InputError(problems)
    formats = tensor_formats(workload, chip)
    check_images(workload, formats, homes.images)
    whole, workload = workload, of_group(workload, homes.images)
    given = dict(mappings or {})
    choices, analog = placed(chip, workload, formats, given, on or {}, homes)
    chosen: dict[str, Mapping | CrossbarMapping] = {}
    picks: dict[str, tuple[object, Pick]] = {}
    problems = []
    array = _OnArrays(chip, workload, formats, homes, tuple(analog))
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        if op.name in analog:
            chosen[op.name] = analog[op.name]
            if given.pop(op.name, None) is not None:
                problems.append(_on_crossbars(op.name))
        elif op.name in given:
            chosen[op.name] = mapping = given.pop(op.name)
            problems += array.check(op, mapping)
        else:
            chosen[op.name], picked = array.pick(op, first=not chosen)
            if picked is not None:
                picks[op.name] = picked
    problems += [_unknown(name, chosen) for name in given]
    if problems:
        raise InputError(problems)
    several = len(chip.sides) > 1
    return quickest(chip, whole, Plan(chosen, formats, homes, choices if several else {}), picks)


class _OnArrays:
    """Mappings of operators on the MAC array. analog: operators on crossbars."""

    def __init__(
        self,
        chip: Chip,
        workload: Workload,
        formats: Dict[str, str],
        homes: Homes,
        analog: tuple[str, ...],
    ) -> None:
        self.chip = side = chip.sides.get(array_side(chip), chip)
        self.workload, self.formats, self.homes = workload, formats, homes
        self.cold = side.weights == "cold"
        held = self.cold or side.mac_array is None
        self.reserve = 0 if held else resident_bytes(side, workload, analog)
        macs = [op for op in workload.operators if not isinstance(op, VectorOperator)]
        self.readers = Counter(op.weight for op in macs)
        self.cache: dict[object, Pick] = {}
        self.sound: set[object] = set()
        self.kept: dict[str, Mapping] = {}

    def _case(self, op: MacOperator) -> tuple[Geometry, tuple[str, str, str], bool, Room]:
        """What mappings of an operator depend on. The third: whether its weights are fetched."""
        triple = (*operator_formats(op, self.chip), self.formats[op.output])
        fetched = self.cold or not self.workload.is_stored(op.weight)
        return geometry_of(op), triple, fetched, self.homes.room(op.name)

    def check(self, op: MacOperator, mapping: Mapping) -> list[Problem]:
        """What is wrong with a given mapping."""
        geometry, triple, fetched, room = self._case(op)
        case = (geometry, mapping, triple, fetched, room)
        if case in self.sound:
            return []
        wrong = check_mapping(self.chip, geometry, mapping, triple, op.name, fetched, room)
        if not wrong:
            self.sound.add(case)
        return wrong

    def pick(self, op: MacOperator, first: bool) -> tuple[Mapping, tuple[object, Pick] | None]:
        """The default mapping of an operator, and what else may be tried of it, by a key that equal ones share. first:
        before it nothing runs that hides how its weights come."""
        geometry, triple, fetched, room = self._case(op)
        stored = self.workload.is_stored(op.weight)
        first = fetched and first
        key = (geometry, triple, stored, first, room)
        if key not in self.cache:
            where = (self.chip, geometry, triple, op.name, self.reserve, fetched, stored)
            self.cache[key] = pick(Task(*where, first, room))
        found = self.cache[key]
        mapping = found.chosen.mapping
        if self.readers[op.weight] > 1 and not fetched:
            # it lies in its buffer once, in tiles of all who read it
            other = self.kept.setdefault(op.weight, mapping)
            return cut_alike(found.task, mapping, other), None
        return mapping, (key, found)


def unserved(chip: Chip, workload: Workload) -> list[Problem]:
    """Operators that no unit of the chip runs."""
    units, fix = chip.units.values(), "give the chip a unit that does, or leave the operator out"
    return [
        Problem(
            "mapping.unit",
            f"no unit of {chip.name} runs a {op.kind}",
            fix,
            path=op.name,
            file=workload.source,
        )
        for op in workload.operators
        if not (isinstance(op, VectorOperator) and op.is_view)
        and not any(unit.runs(op) for unit in units)
    ]


def cut_alike(task: Task, mapping: Mapping, other: Mapping) -> Mapping:
    """The mapping with another one's tiles of weights, if that is legal."""
    alike = replace(mapping, n=other.n, k=other.k)
    return alike if legal(task, alike) else mapping


def _on_crossbars(name: str) -> Problem:
    message = "runs on crossbars, which take no tiles"
    return Problem("mapping.crossbar", message, "leave it out", path=name)


def _unknown(name: str, chosen: Dict[str, object]) -> Problem:
    message = f"the workload has no MAC operator {name!r}"
    return Problem("mapping.operator", message, "write one of: " + ", ".join(chosen), path=name)


def quickest(
    chip: Chip, workload: Workload, chosen: Plan, picks: Dict[str, tuple[object, Pick]]
) -> Plan:
    """A small workload's Plan, with the mapping of one operator after another replaced where a run of the whole
    says that another one of the best few is quicker. picks: by operator, what its mapping was chosen from, under
    a key that equal operators share."""
    keys = dict(picks.values())
    if not keys:
        return chosen
    total = sum(commands_of(chip, workload, chosen).values())
    runs = min(TIMED, COMMANDS // max(1, total)) // len(keys)
    if not runs:
        return chosen

    def ticks(one: Plan) -> float:
        try:
            return simulate(compile_program(chip, workload, chosen=one), chip).makespan
        except InputError:  # weights that stay do not fit beside one another in such tiles
            return inf

    best = ticks(chosen)
    for key, made in keys.items():
        names = [name for name, (other, _) in picks.items() if other == key]
        left = {0.0: runs, CLOSE: runs}
        for mapping, margin in hopeful(made):
            left[margin] -= 1
            if left[margin] < 0:
                break
            changed = replace(chosen, mappings={**chosen.mappings, **dict.fromkeys(names, mapping)})
            took = ticks(changed)
            if took < best * (1 - margin):
                chosen, best = changed, took
    return chosen


def placed(
    chip: Chip,
    workload: Workload,
    formats: Dict[str, str],
    given: Collection[str],
    on: Dict[str, Choice],
    homes: Homes = OFF_CHIP,
) -> tuple[dict[str, Choice], dict[str, CrossbarMapping]]:
    """The unit of every operator, and crossbars of those that run on crossbars. given: operators with a mapping of
    tiles. on: units that are chosen already. InputError as assign()."""
    macs = [op for op in workload.operators if not isinstance(op, VectorOperator)]
    array, crossbars = array_side(chip), crossbar_side(chip)
    choices = {op.name: on[op.name] for op in macs if op.name in on}
    if array and not crossbars:
        choices |= {op.name: Choice(array, ONLY) for op in macs if op.name not in on}
    elif array:
        choices |= {name: Choice(array, GIVEN) for name in given if name not in on}
    analog: dict[str, CrossbarMapping] = {}
    if crossbars:
        side = chip.sides[crossbars]
        here = [op for op in macs if op.name not in choices or choices[op.name].unit == crossbars]
        triples = {op.name: (*operator_formats(op, chip), formats[op.output]) for op in here}
        computed = {op.name for op in here if not workload.is_stored(op.weight)}
        free = {op.name for op in here if array and op.name not in choices}
        analog = assign(side, here, triples, computed, homes.rooms, free)
    for op in macs:
        if op.name not in choices:
            here_too = op.name in analog
            why = ROOM if len(sides_that_run(chip, workload, op)) > 1 else ONLY
            choices[op.name] = Choice(crossbars if here_too else array, why)
    return dict(of_vectors(chip, workload, choices, on)), analog


def check_mapping(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    name: str,
    cold: bool | None = None,
    room: Room = UNDIVIDED,
) -> list[Problem]:
    """Everything wrong with an explicit mapping: ranges, shapes of tiles, buffers. cold: its weights
    are fetched, default what the chip says. room: of its tiles."""
    problems = []

    def wrong(key: str, message: str, fix: str) -> None:
        problems.append(Problem(f"mapping.{key}", message, fix, path=f"{name}.{key}"))

    limits = {
        "batch": geometry.batch,
        "height": geometry.out_height,
        "width": geometry.out_width,
        "n": geometry.n,
        "k": geometry.k,
    }
    for key, high in limits.items():
        value = getattr(mapping, key)
        if not 1 <= value <= high:
            message = f"a tile of {value} is outside 1..{high}"
            wrong(key, message, f"write a number from 1 to {high}")
    own = dataflow(mapping.dataflow).parameters
    if len(mapping.parameters) not in (0, len(own)) or min(mapping.parameters, default=1) < 1:
        text = f"numbers from 1 for {', '.join(own)}, or none" if own else "none"
        wrong("parameters", f"{mapping.parameters} are not the dataflow's", f"give {text}")
    if mapping.height < geometry.out_height and mapping.batch > 1:
        wrong(
            "batch",
            "a tile of several images must hold all output rows",
            f"write batch: 1 or height: {geometry.out_height}",
        )
    if mapping.width < geometry.out_width and (mapping.height > 1 or mapping.batch > 1):
        wrong(
            "width",
            "a tile of several rows must hold all output columns",
            f"write height: 1 or width: {geometry.out_width}",
        )
    if not 0 <= mapping.arrays <= chip.array.count:
        count = chip.array.count
        message = f"{mapping.arrays} arrays of the chip's {count}"
        wrong("arrays", message, f"write a number from 1 to {count}")
    array = array_for(chip.array, mapping.split, mapping.arrays)
    if array.split == "k" and array.count > 1 and mapping.order[2] != "k":
        wrong("order", "arrays that split k need k as the innermost loop", "write mnk or nmk")
    if not adds_up(chip, array):
        wrong("split", "sums in columns cannot go to another core", "write m or n")
    problems += _in_order(array, geometry, mapping, formats, name)
    cold = chip.weights == "cold" if cold is None else cold
    if not problems:
        try:
            short = fits(chip, geometry, mapping, formats, None if cold else 0, room=room)
        except InputError as error:  # the dataflow cannot run such a tile
            return [replace(one, path=f"{name}.{one.path}") for one in error.problems]
        for memory, (need, free) in short.items():
            message = f"the tiles need {need} bytes of {memory}, which has {free}"
            wrong("fits", message, "make the tiles smaller")
    return problems


def _in_order(
    array: MacArray, geometry: Geometry, mapping: Mapping, formats: tuple[str, str, str], name: str
) -> list[Problem]:
    """What is wrong where sums that are rounded on the way are dealt along k: each array adds one part of k."""
    least = -(-geometry.k // array.count)
    dealt = array.split == "k" and array.count > 1 and mapping.k < least
    if not dealt or array.adder(array.rate(*formats[:2])) is None:
        return []
    message = f"{array.count} arrays would add parts of k that do not follow one another"
    return [Problem("mapping.k", message, f"write a number from {least}", path=f"{name}.k")]


def resident_bytes(chip: Chip, workload: Workload, elsewhere: tuple[str, ...] = ()) -> int:
    """Bytes of all stored weights when they stay in the weight buffer, those ``elsewhere`` left out;
    InputError when they do not fit."""
    total = sum(
        {
            (op.weight, op.groups, op.k, op.n): get(operator_formats(op, chip)[1]).bytes_for(
                op.groups * op.k * op.n
            )
            for op in workload.operators
            if not isinstance(op, VectorOperator)
            and op.name not in elsewhere
            and workload.is_stored(op.weight)
        }.values()
    )
    if total > chip.memories[chip.array.weight].size:
        raise no_room(chip, workload, total)
    return total


def compile_program(
    chip: Chip,
    workload: Workload,
    mappings: Dict[str, Mapping] | None = None,
    chosen: Plan | None = None,
) -> Program:
    """The Program of a workload on a chip.

    mappings: explicit mappings by operator; the others get the default. chosen: a Plan made
    before (saves the search). InputError when something does not fit, or when the table would not fit the
    memory that may be used (resources.allowed_bytes()).
    """
    chosen = chosen or plan(chip, workload, mappings)
    commands = check_size(chip, workload, chosen, len(machine(chip).units))
    parts = parts_of(chip, workload, chosen, commands)
    placed, transfers, fast = parts.segments()
    made = program_of(chip, workload, parts.table, placed, parts.residents, fast)
    return complete(made, chip, transfers)


__all__ = ["Plan", "check_mapping", "compile_program", "plan"]
