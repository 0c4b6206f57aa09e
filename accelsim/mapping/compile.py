"""From a chip and a workload to the Program: a mapping and a segment for every operator."""

from __future__ import annotations

from collections import Counter
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
from accelsim.program.table import Program
from accelsim.timing import simulate
from accelsim.units.dataflows import dataflow
from accelsim.units.mac_array import MacArray
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.images import of_group

TIMED = 3  # runs of a small workload that its Plan may take on as many arrays, and again on others
COMMANDS = 4000  # of all of them together


def plan(
    chip: Chip,
    workload: Workload,
    mappings: Dict[str, Mapping] | None = None,
    homes: Homes = OFF_CHIP,
) -> Plan:
    """Choose a mapping for every MAC operator that has none given; check the given ones. homes: where tensors
    stand, which leaves operators so much room, and the groups of images that mappings are of.

    InputError lists every given mapping that does not fit, and every name that is no operator; or what of the
    chip no mapping uses yet; or says that the batch does not run in such groups.
    """
    if problems := unmapped(chip):
        raise InputError(problems)
    formats = tensor_formats(workload, chip)
    check_images(workload, formats, homes.images)
    whole, workload = workload, of_group(workload, homes.images)
    given = dict(mappings or {})
    chosen: dict[str, Mapping | CrossbarMapping] = {}
    cache: dict[object, Pick] = {}
    picks: dict[str, tuple[object, Pick]] = {}
    sound: set[object] = set()
    kept: dict[str, Mapping] = {}
    macs = [op for op in workload.operators if not isinstance(op, VectorOperator)]
    readers = Counter(op.weight for op in macs)
    cold = chip.weights == "cold"
    analog = on_crossbars(chip, workload, formats, homes)
    reserve = 0 if cold or chip.mac_array is None else resident_bytes(chip, workload, tuple(analog))
    problems = unserved(chip, workload)
    for op in macs:
        if op.name in analog:
            chosen[op.name] = analog[op.name]
            if given.pop(op.name, None) is not None:
                problems.append(_on_crossbars(op.name))
            continue
        geometry = geometry_of(op)
        triple, room = (*operator_formats(op, chip), formats[op.output]), homes.room(op.name)
        if op.name in given:
            mapping = given.pop(op.name)
            fetched = cold or not workload.is_stored(op.weight)
            case = (geometry, mapping, triple, fetched, room)
            if case not in sound:
                wrong = check_mapping(chip, geometry, mapping, triple, op.name, fetched, room)
                problems += wrong
                if not wrong:
                    sound.add(case)
        else:
            stored = workload.is_stored(op.weight)
            fetched = cold or not stored
            first = fetched and not chosen  # before it nothing hides how its weights come
            key = (geometry, triple, stored, first, room)
            if key not in cache:
                task = Task(chip, geometry, triple, op.name, reserve, fetched, stored, first, room)
                cache[key] = pick(task)
            mapping, several = cache[key].chosen.mapping, readers[op.weight] > 1
            if several and not fetched:  # it lies in its buffer once, in tiles of all who read it
                mapping = cut_alike(cache[key].task, mapping, kept.setdefault(op.weight, mapping))
            else:
                picks[op.name] = key, cache[key]
        chosen[op.name] = mapping
    problems += [_unknown(name, chosen) for name in given]
    if problems:
        raise InputError(problems)
    return quickest(chip, whole, Plan(chosen, formats, homes), picks)


def unserved(chip: Chip, workload: Workload) -> list[Problem]:
    """Operators that no unit of the chip runs."""
    units, fix = chip.units.values(), "give the chip a unit that does, or leave the operator out"
    return [
        Problem("mapping.unit", f"no unit of {chip.name} runs a {op.kind}", fix, path=op.name)
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


def on_crossbars(
    chip: Chip, workload: Workload, formats: Dict[str, str], homes: Homes = OFF_CHIP
) -> dict[str, CrossbarMapping]:
    """The operators that run on crossbars, none on a chip without."""
    if chip.crossbar is None:
        return {}
    operators = [op for op in workload.operators if not isinstance(op, VectorOperator)]
    triples = {op.name: (*operator_formats(op, chip), formats[op.output]) for op in operators}
    computed = {op.name for op in operators if not workload.is_stored(op.weight)}
    return assign(chip, operators, triples, chip.weights == "cold", computed, homes.rooms)


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
