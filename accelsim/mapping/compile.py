"""From a chip and a workload to the Program: a mapping and a segment for every operator."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip, Machine, machine
from accelsim.chip.machine import instance_names
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.areas import Areas
from accelsim.mapping.assemble import Segment
from accelsim.mapping.choose import choose_mapping, fits
from accelsim.mapping.crossbars import CrossbarMapping, assign, blocks_of
from accelsim.mapping.emit_mac import INPUT, WEIGHT_MATRIX, MacEmitter
from accelsim.mapping.emit_mvm import MvmEmitter
from accelsim.mapping.emit_vector import VectorEmitter
from accelsim.mapping.join import Joiner
from accelsim.mapping.mac_record import WalkedMac, walked
from accelsim.mapping.mapping import Geometry, Mapping, geometry_of
from accelsim.mapping.placement import place
from accelsim.mapping.tensors import (
    TensorTable,
    build_tensors,
    check_room,
    never_spilled,
    operator_formats,
    tensor_formats,
    vector_formats,
)
from accelsim.mapping.walk_vector import WalkedVector, walked_vector
from accelsim.mapping.writer import Bounds, Writer, Written, bounds_of
from accelsim.program.table import Program, ResidentRow
from accelsim.workload import MacOperator, VectorOperator, Workload

Ints = NDArray[np.int64]
Made = Segment | WalkedMac | WalkedVector


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided for each operator: its mapping (None for vector operators)."""

    mappings: Dict[str, Mapping | CrossbarMapping]
    formats: Dict[str, str]


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
                problems.append(Problem("mapping.crossbar", "runs on crossbars, which take no tiles",
                                        "leave it out", path=op.name))  # fmt: skip
            continue
        geometry = geometry_of(op)
        triple = (*operator_formats(op, chip), formats[op.output])
        if op.name in given:
            mapping = given.pop(op.name)
            problems += check_mapping(chip, geometry, mapping, triple, op.name,
                                      cold or not workload.is_stored(op.weight))  # fmt: skip
        else:
            fetched = cold or not workload.is_stored(op.weight)
            key = (geometry, triple, fetched)
            if key not in cache:
                cache[key] = choose_mapping(chip, geometry, triple, op.name, reserve, fetched)
            mapping = cache[key]
        chosen[op.name] = mapping
    names = ", ".join(chosen)
    problems += [
        Problem("mapping.operator", f"the workload has no MAC operator {name!r}",
                f"write one of: {names}", path=name)
        for name in given
    ]  # fmt: skip
    if problems:
        raise InputError(problems)
    return Plan(chosen, formats)


def on_crossbars(chip: Chip, workload: Workload, formats: Dict[str, str]) -> dict[str, CrossbarMapping]:
    """The operators that run on crossbars, none on a chip without."""
    if chip.crossbar is None:
        return {}
    operators = [op for op in workload.operators if not isinstance(op, VectorOperator)]
    triples = {op.name: (*operator_formats(op, chip), formats[op.output]) for op in operators}
    computed = {op.name for op in operators if not workload.is_stored(op.weight)}
    return assign(chip, operators, triples, chip.weights == "cold", computed)


def check_mapping(chip: Chip, geometry: Geometry, mapping: Mapping, formats: tuple[str, str, str],
                  name: str, cold: bool | None = None) -> list[Problem]:  # fmt: skip
    """Everything wrong with an explicit mapping: ranges, shapes of tiles, buffers. cold: its weights
    are fetched, default what the chip says."""
    problems = []

    def wrong(key: str, message: str, fix: str) -> None:
        problems.append(Problem(f"mapping.{key}", message, fix, path=f"{name}.{key}"))

    limits = {"batch": geometry.batch, "height": geometry.out_height, "width": geometry.out_width,
              "n": geometry.n, "k": geometry.k}  # fmt: skip
    for key, high in limits.items():
        value = getattr(mapping, key)
        if not 1 <= value <= high:
            wrong(key, f"a tile of {value} is outside 1..{high}", f"write a number from 1 to {high}")
    if mapping.height < geometry.out_height and mapping.batch > 1:
        wrong("batch", "a tile of several images must hold all output rows",
              f"write batch: 1 or height: {geometry.out_height}")  # fmt: skip
    if mapping.width < geometry.out_width and (mapping.height > 1 or mapping.batch > 1):
        wrong("width", "a tile of several rows must hold all output columns",
              f"write height: 1 or width: {geometry.out_width}")  # fmt: skip
    if (mapping.split or chip.array.split) == "k" and chip.array.count > 1 and (
        mapping.order[2] != "k"
    ):
        wrong("order", "arrays that split k need k as the innermost loop", "write mnk or nmk")
    cold = chip.weights == "cold" if cold is None else cold
    if not problems:
        for memory, (need, room) in fits(chip, geometry, mapping, formats,
                                         None if cold else 0).items():  # fmt: skip
            wrong("fits", f"the tiles need {need} bytes of {memory}, which has {room}",
                  "make the tiles smaller")  # fmt: skip
    return problems


def resident_bytes(chip: Chip, workload: Workload, elsewhere: tuple[str, ...] = ()) -> int:
    """Bytes of all stored weights when they stay in the weight buffer, those ``elsewhere`` left out;
    InputError when they do not fit."""
    total = sum({
        (op.weight, op.groups, op.k, op.n): get(operator_formats(op, chip)[1]).bytes_for(
            op.groups * op.k * op.n)
        for op in workload.operators
        if not isinstance(op, VectorOperator) and op.name not in elsewhere
        and workload.is_stored(op.weight)
    }.values())  # fmt: skip
    if total > chip.memories[chip.array.weight].size:
        raise _no_room(chip, workload, total)
    return total


def _no_room(chip: Chip, workload: Workload, total: int) -> InputError:
    room = chip.memories[chip.array.weight].size
    return InputError(
        Problem(
            "mapping.resident",
            f"the weights of {workload.name} take {total} bytes, {chip.array.weight} has {room}",
            "write weights: cold, or make the buffer larger",
            path="weights",
        )
    )


def compile_program(chip: Chip, workload: Workload, mappings: Dict[str, Mapping] | None = None,
                    chosen: Plan | None = None, areas: Areas | None = None) -> Program:  # fmt: skip
    """The Program of a workload on a chip.

    mappings: explicit mappings by operator; the others get the default. chosen: a Plan made
    before (saves the search). areas: of operators on crossbars that run at the same time, planned
    with its chip. InputError when something does not fit.
    """
    chosen = chosen or plan(chip, workload, mappings)
    sums = _summands(chip, workload, chosen.mappings)
    table = build_tensors(workload, chip, chosen.formats, sums, never_spilled(workload, chosen.mappings))
    check_room(table, chip, workload)
    parts = _Parts(chip, workload, chosen, table, sums, areas)
    names = tuple(op.name for op in workload.operators)
    writer = _written(chip, table, parts) if parts.walks and areas is None else None
    if writer is not None:
        return writer.finish(names, parts.residents)
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
    return joiner.finish(names, parts.residents)


def _waits(part: _Part, reads: Dict[int, int], stored: Dict[str, int]) -> list[tuple[int, int]]:
    """(row, row of the Program) of the first loads of tensors that earlier operators stored."""
    waits = [(reads[i], stored[name]) for i, name in part.sources.items()
             if name in stored and i in reads]  # fmt: skip
    return waits + [(row, stored[name]) for row, name in part.others if name in stored]


def _written(chip: Chip, table: TensorTable, parts: _Parts) -> Writer | None:
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
            written = (made.write(writer, part.tensors) if isinstance(made, WalkedMac | WalkedVector)
                       else writer.lay(made, part.tensors))  # fmt: skip
            if written is None:
                return None
            done[part.key] = written
        written, base = done[part.key], writer.rows
        writer.join(written, part.number, _waits(part, written.reads, stored))
        stored[part.output] = base + written.last_store
    return writer


@dataclass(slots=True)
class _Part:
    """One operator: what makes its rows, by a key that equal ones share; the tensors it reads, by local
    number, and its tensors' rows. others: further rows that wait for a tensor. same_as: its output is
    another name of that tensor, and there are no rows."""

    number: int
    output: str
    key: object = None
    make: Callable[[bool], Made] | None = None
    sources: Dict[int, str] = field(default_factory=dict)
    tensors: list[int] = field(default_factory=list)
    others: list[tuple[int, str]] = field(default_factory=list)
    same_as: str | None = None


class _Parts:
    """The operators of a workload in order, and what stays resident. walks: whether walks write them."""

    def __init__(self, chip: Chip, workload: Workload, chosen: Plan, table: TensorTable,
                 sums: Dict[str, int], areas: Areas | None) -> None:  # fmt: skip
        self.areas, self.planned = areas, chip if areas is None else areas.chip
        self.chip, self.table, self.chosen, self.sums = chip, table, chosen, sums
        self.machine = machine(chip)
        self.walks = jit.hot() and walked(chip)
        self.residents = _off_chip(self.machine, chip, table)
        self.workload = workload
        self.weight_at: dict[tuple[int, int, int], int] = {}  # (weight's row, tile n, tile k) -> address
        self.weight_end = 0
        self.in_cells: set[int] = set()
        self._made: dict[object, Made] = {}
        self.list = [self._part(number, op) for number, op in enumerate(workload.operators)]
        if self.weight_end and self.weight_end > chip.memories[chip.array.weight].size:
            raise _no_room(chip, workload, self.weight_end)

    def made(self, part: _Part, walks: bool) -> Made:
        """What makes the rows of a part, once a key."""
        key = (part.key, walks)
        if key not in self._made:
            assert part.make is not None
            self._made[key] = part.make(walks)
        return self._made[key]

    def _part(self, number: int, op: MacOperator | VectorOperator) -> _Part:
        if isinstance(op, VectorOperator):
            return self._vector(number, op)
        chip, formats = self.chip, self.chosen.formats
        triple = (*operator_formats(op, chip), formats[op.output])
        mapping, geometry = self.chosen.mappings[op.name], geometry_of(op)
        tensors = _locals(self.table, op, self.sums[op.name])
        parity = number % 2
        if isinstance(mapping, CrossbarMapping):
            return self._on_crossbars(number, op, mapping, triple, tensors)
        where = None
        if chip.weights == "resident":
            parity = 1
            if self.workload.is_stored(op.weight):
                where = self._kept(op, mapping, triple)

        def make(walks: bool) -> Made:
            if walks:
                return WalkedMac(chip, self.machine, geometry, mapping, triple, parity, where)
            return MacEmitter(chip, self.machine, geometry, mapping, triple, parity, where).emit()

        key = (geometry, triple, mapping, parity, where)
        return _Part(number, op.output, key, make, {INPUT: op.input, WEIGHT_MATRIX: op.weight}, tensors)

    def _kept(self, op: MacOperator, mapping: Mapping, triple: tuple[str, str, str]) -> int:
        """Address of weights that stay in their buffer; operators that share them share it."""
        layout = (self.table.index[f"{op.name}/weight"], mapping.n, mapping.k)
        if layout not in self.weight_at:
            self.weight_at[layout] = self.weight_end
            size = place(self.chip, geometry_of(op), mapping, triple, 1, 0).weight_area.size
            self.residents += _resident(self.machine, self.chip, self.table, op, self.weight_end, size)
            self.weight_end += size
        return self.weight_at[layout]

    def _on_crossbars(self, number: int, op: MacOperator, mapping: CrossbarMapping,
                      triple: tuple[str, str, str], tensors: list[int]) -> _Part:  # fmt: skip
        emitter = MvmEmitter(self.planned, self.machine, geometry_of(op), mapping, triple,
                             number % 2 if self.areas is None else 0, self.chip.weights == "cold")  # fmt: skip
        weight = self.table.index[f"{op.name}/weight"]
        if not emitter.cold and weight not in self.in_cells:
            self.residents += _in_cells(self.machine, self.chip, self.table, op, mapping, triple[1])
            self.in_cells.add(weight)
        others = [(row, op.weight) for row in emitter.programs.tolist()]
        return _Part(number, op.output, op.name, lambda _: emitter.emit(), {INPUT: op.input}, tensors,
                     others)  # fmt: skip

    def _vector(self, number: int, op: VectorOperator) -> _Part:
        if op.is_view:
            return _Part(number, op.output, same_as=op.inputs[0])
        kinds = vector_formats(op, self.chosen.formats)
        parity = number % 2 if self.areas is None else 0
        alike = tuple(op.inputs.index(name) for name in op.inputs)
        key = (op.kind, op.input_shapes, op.output_shape, op.kernel, op.stride, op.padding, alike, kinds,
               parity)  # fmt: skip
        tensors = [self.table.index[name] for name in (*op.inputs, op.output)]
        reads = dict(enumerate(op.inputs))

        def make(walks: bool) -> Made:
            walk = walked_vector(self.planned, self.machine, op, kinds, parity) if walks else None
            return walk or VectorEmitter(self.planned, self.machine, op, kinds, parity).emit()

        return _Part(number, op.output, key, make, reads, tensors)


def _summands(chip: Chip, workload: Workload, mappings: Dict[str, Mapping | CrossbarMapping]) -> dict[
        str, int]:  # fmt: skip
    """Partial sums that are kept apart, by operator: of arrays that split k, of row blocks."""
    found = {}
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        mapping = mappings[op.name]
        if isinstance(mapping, CrossbarMapping):
            assert chip.crossbar is not None
            found[op.name] = blocks_of(chip.crossbar, geometry_of(op))[0]
        else:
            found[op.name] = chip.array.count if (mapping.split or chip.array.split) == "k" else 1
    return found


def _in_cells(machine: Machine, chip: Chip, table: TensorTable, op: MacOperator,
              mapping: CrossbarMapping, weight: str) -> tuple[ResidentRow, ...]:  # fmt: skip
    """Every block of an operator's weights, in the cells of its crossbar."""
    crossbar, geometry = chip.crossbar, geometry_of(op)
    assert crossbar is not None
    tensor, names = table.index[f"{op.name}/weight"], machine.memory_index
    rows, columns = blocks_of(crossbar, geometry)
    instances = instance_names(crossbar.name, crossbar.count)
    found = []
    for number in range(mapping.replicas * geometry.groups * rows * columns):
        r, c = number // columns % rows, number % columns
        k = min(crossbar.rows, geometry.k - r * crossbar.rows)
        n = min(crossbar.outputs, geometry.n - c * crossbar.outputs)
        instance = instances[mapping.first + number]
        size = get(weight).bytes_for(k * n)
        found.append(ResidentRow(tensor, names[f"{instance}.cells"], 0, size, True, True))
    return tuple(found)


def _locals(table: TensorTable, op: MacOperator, summands: int) -> list[int]:
    keys = [op.input, f"{op.name}/lowered", f"{op.name}/weight", f"{op.name}/weight", op.output,
            f"{op.name}/matrix", f"{op.name}/sums"]  # fmt: skip
    keys += [f"{op.name}/sums.{i}" for i in range(1, summands)]
    return [table.index[key] for key in keys]


def _off_chip(machine: Machine, chip: Chip, table: TensorTable) -> tuple[ResidentRow, ...]:
    """What lies in the off-chip memory before and after: inputs, weights, outputs."""
    rows, dram = [], machine.memory_index[chip.dma.memory]
    caches = {row.view_of for row in table.rows if row.view == "cache" and row.role == "input"}
    for number, row in enumerate(table.rows):
        grown = number in caches
        if row.view_of >= 0 or (row.role not in ("input", "weight", "output") and not grown):
            continue
        elements = prod(row.shape)
        span = get(row.format).bytes_for(elements)
        rows.append(ResidentRow(number, dram, table.home[number], span,
                                row.role != "output" or grown, True))  # fmt: skip
    return tuple(rows)


def _resident(machine: Machine, chip: Chip, table: TensorTable, op: MacOperator, address: int,
              size: int) -> tuple[ResidentRow, ...]:  # fmt: skip
    tensor = table.index[f"{op.name}/weight"]
    name = chip.array.weight
    names = [n for n in machine.memory_index if n == name or n.startswith(f"{name}.")]
    return tuple(
        ResidentRow(tensor, machine.memory_index[n], address, size, True, True)
        for n in names
    )


__all__ = ["Plan", "check_mapping", "compile_program", "plan"]
