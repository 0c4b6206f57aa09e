"""From a chip and a workload to the Program: a mapping and a segment for every operator."""

from __future__ import annotations

from collections.abc import Mapping as Dict

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, machine
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.areas import Areas
from accelsim.mapping.assemble import Segment
from accelsim.mapping.bursts import in_bursts
from accelsim.mapping.choose import choose_mapping, fits
from accelsim.mapping.crossbars import CrossbarMapping, assign
from accelsim.mapping.join import Joiner
from accelsim.mapping.mac_record import WalkedMac
from accelsim.mapping.mapping import Geometry, Mapping, geometry_of
from accelsim.mapping.parts import Part, Parts, Plan, no_room, parts_of
from accelsim.mapping.size import check_size
from accelsim.mapping.tensors import (
    TensorTable,
    operator_formats,
    tensor_formats,
)
from accelsim.mapping.walk_vector import WalkedVector
from accelsim.mapping.writer import Bounds, Writer, Written, bounds_of
from accelsim.program.dependencies import derived
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program
from accelsim.workload import VectorOperator, Workload

Ints = NDArray[np.int64]


def plan(chip: Chip, workload: Workload, mappings: Dict[str, Mapping] | None = None) -> Plan:
    """Choose a mapping for every MAC operator that has none given; check the given ones.

    InputError lists every given mapping that does not fit, and every name that is no operator.
    """
    formats = tensor_formats(workload, chip)
    given = dict(mappings or {})
    chosen: dict[str, Mapping | CrossbarMapping] = {}
    cache: dict[object, Mapping] = {}
    cold = chip.weights == "cold"
    analog = on_crossbars(chip, workload, formats)
    reserve = 0 if cold or chip.mac_array is None else resident_bytes(chip, workload, tuple(analog))
    problems: list[Problem] = []
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        if op.name in analog:
            chosen[op.name] = analog[op.name]
            if given.pop(op.name, None) is not None:
                problems.append(
                    Problem(
                        "mapping.crossbar",
                        "runs on crossbars, which take no tiles",
                        "leave it out",
                        path=op.name,
                    )
                )
            continue
        geometry = geometry_of(op)
        triple = (*operator_formats(op, chip), formats[op.output])
        if op.name in given:
            mapping = given.pop(op.name)
            problems += check_mapping(
                chip, geometry, mapping, triple, op.name, cold or not workload.is_stored(op.weight)
            )
        else:
            fetched = cold or not workload.is_stored(op.weight)
            key = (geometry, triple, fetched)
            if key not in cache:
                cache[key] = choose_mapping(chip, geometry, triple, op.name, reserve, fetched)
            mapping = cache[key]
        chosen[op.name] = mapping
    names = ", ".join(chosen)
    problems += [
        Problem(
            "mapping.operator",
            f"the workload has no MAC operator {name!r}",
            f"write one of: {names}",
            path=name,
        )
        for name in given
    ]
    if problems:
        raise InputError(problems)
    return Plan(chosen, formats)


def on_crossbars(
    chip: Chip, workload: Workload, formats: Dict[str, str]
) -> dict[str, CrossbarMapping]:
    """The operators that run on crossbars, none on a chip without."""
    if chip.crossbar is None:
        return {}
    operators = [op for op in workload.operators if not isinstance(op, VectorOperator)]
    triples = {op.name: (*operator_formats(op, chip), formats[op.output]) for op in operators}
    computed = {op.name for op in operators if not workload.is_stored(op.weight)}
    return assign(chip, operators, triples, chip.weights == "cold", computed)


def check_mapping(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    name: str,
    cold: bool | None = None,
) -> list[Problem]:
    """Everything wrong with an explicit mapping: ranges, shapes of tiles, buffers. cold: its weights
    are fetched, default what the chip says."""
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
            wrong(
                key, f"a tile of {value} is outside 1..{high}", f"write a number from 1 to {high}"
            )
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
    if (
        (mapping.split or chip.array.split) == "k"
        and chip.array.count > 1
        and (mapping.order[2] != "k")
    ):
        wrong("order", "arrays that split k need k as the innermost loop", "write mnk or nmk")
    cold = chip.weights == "cold" if cold is None else cold
    if not problems:
        for memory, (need, room) in fits(
            chip, geometry, mapping, formats, None if cold else 0
        ).items():
            wrong(
                "fits",
                f"the tiles need {need} bytes of {memory}, which has {room}",
                "make the tiles smaller",
            )
    return problems


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
    areas: Areas | None = None,
) -> Program:
    """The Program of a workload on a chip.

    mappings: explicit mappings by operator; the others get the default. chosen: a Plan made
    before (saves the search). areas: of operators on crossbars that run at the same time, planned
    with its chip. InputError when something does not fit, or when the table would not fit the memory that
    may be used (resources.allowed_bytes()).
    """
    chosen = chosen or plan(chip, workload, mappings)
    check_size(chip, workload, chosen, len(machine(chip).units))
    parts = parts_of(chip, workload, chosen, areas)
    table = parts.table
    names = tuple(op.name for op in workload.operators)
    writer = _written(chip, table, parts) if parts.walks and areas is None else None
    if writer is not None:
        return _whole(writer.finish(names, parts.residents), chip, workload)
    joiner = Joiner(chip, table)
    stored: dict[str, int] = {}
    for part in parts.list:
        if part.same_as is not None:
            if part.same_as in stored:
                stored[part.output] = stored[part.same_as]
            continue
        segment = parts.made(part, walks=False)
        assert isinstance(segment, Segment)
        if areas is not None:
            segment = areas.placed(segment, names[part.number], parts.machine.memory_index)
        base = joiner.rows
        joiner.add(segment, part.number, part.tensors, _waits(part, segment.reads, stored))
        stored[part.output] = base + segment.last_store
    return _whole(joiner.finish(names, parts.residents), chip, workload)


def _whole(program: Program, chip: Chip, workload: Workload) -> Program:
    """The Program with all that follows from its commands and operands."""
    return derived(in_bursts(program, chip, workload), release_lag(chip, program))


def release_lag(chip: Chip, program: Program) -> Ints:
    """Ticks between the release of the elements' registers by a pass and what each command may write over
    them: of a PRELOAD what the array says, else 0."""
    lag = np.zeros(len(program), np.int64)
    if chip.mac_array is not None:
        preloads = program.rows(Opcode.PRELOAD)
        flow = program.shapes.extents[program.commands.shape[preloads], 3]
        period = machine(chip).tick_hz // chip.clocks[chip.array.clock]
        for dataflow in np.unique(flow).tolist():
            lag[preloads[flow == dataflow]] = chip.array.slot_lag(dataflow) * period
    return lag


def _waits(part: Part, reads: Dict[int, int], stored: Dict[str, int]) -> list[tuple[int, int]]:
    """(row, row of the Program) of the first loads of tensors that earlier operators stored."""
    waits = [
        (reads[i], stored[name])
        for i, name in part.sources.items()
        if name in stored and i in reads
    ]
    return waits + [(row, stored[name]) for row, name in part.others if name in stored]


def _written(chip: Chip, table: TensorTable, parts: Parts) -> Writer | None:
    """All operators written by walks and laid in; None when one has too many shapes."""
    room, seen = Bounds(), set()
    for part in parts.list:
        if part.same_as is None:
            made = parts.made(part, walks=True)
            need = made.bounds() if isinstance(made, WalkedMac | WalkedVector) else bounds_of(made)
            room.add(need, part.key in seen)
            seen.add(part.key)
    writer = Writer(chip, table, room)
    stored: dict[str, int] = {}
    done: dict[object, Written] = {}
    for part in parts.list:
        if part.same_as is not None:
            if part.same_as in stored:
                stored[part.output] = stored[part.same_as]
            continue
        if part.key in done:
            writer.again(done[part.key], part.tensors)
        else:
            made = parts.made(part, walks=True)
            written = (
                made.write(writer, part.tensors)
                if isinstance(made, WalkedMac | WalkedVector)
                else writer.lay(made, part.tensors)
            )
            if written is None:
                return None
            done[part.key] = written
        written, base = done[part.key], writer.rows
        writer.join(written, part.number, _waits(part, written.reads, stored))
        stored[part.output] = base + written.last_store
    return writer


__all__ = ["Plan", "check_mapping", "compile_program", "plan"]
