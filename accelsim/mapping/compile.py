"""From a chip and a workload to the Program: a mapping and a segment for every operator."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.chip.machine import instance_names
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.assemble import Segment
from accelsim.mapping.choose import choose_mapping, fits
from accelsim.mapping.crossbars import CrossbarMapping, assign, blocks_of
from accelsim.mapping.emit_mac import INPUT, WEIGHT_MATRIX, MacEmitter
from accelsim.mapping.emit_mvm import MvmEmitter
from accelsim.mapping.emit_vector import VectorEmitter
from accelsim.mapping.join import Joiner
from accelsim.mapping.mapping import Geometry, Mapping, geometry_of
from accelsim.mapping.placement import place
from accelsim.mapping.tensors import (
    TensorTable,
    build_tensors,
    operator_formats,
    tensor_formats,
    vector_formats,
)
from accelsim.program.table import Program, ResidentRow
from accelsim.workload import MacOperator, VectorOperator, Workload

Ints = NDArray[np.int64]


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
                    chosen: Plan | None = None) -> Program:  # fmt: skip
    """The Program of a workload on a chip.

    mappings: explicit mappings by operator; the others get the default. chosen: a Plan made
    before (saves the search). InputError when something does not fit.
    """
    chosen = chosen or plan(chip, workload, mappings)
    formats = chosen.formats
    sums = _summands(chip, workload, chosen.mappings)
    table = build_tensors(workload, chip, formats, sums)
    joiner = Joiner(chip, table)
    residents = _off_chip(joiner, table)
    stored: dict[str, int] = {}
    cache: dict[object, Segment] = {}
    weight_at: dict[tuple[int, int, int], int] = {}  # (weight's row, tile n, tile k) -> address
    weight_end = 0
    in_cells: set[int] = set()
    for number, op in enumerate(workload.operators):
        parity = number % 2
        if isinstance(op, VectorOperator):
            if op.is_view:
                if op.inputs[0] in stored:
                    stored[op.output] = stored[op.inputs[0]]
                continue
            kinds = vector_formats(op, formats)
            key: object = (op.kind, op.input_shapes, op.output_shape, op.kernel, op.stride,
                           op.padding, kinds, parity)  # fmt: skip
            if key not in cache:
                cache[key] = VectorEmitter(chip, joiner.machine, op, kinds, parity).emit()
            sources = dict(enumerate(op.inputs))
            local = [table.index[name] for name in (*op.inputs, op.output)]
        else:
            triple = (*operator_formats(op, chip), formats[op.output])
            mapping = chosen.mappings[op.name]
            if isinstance(mapping, CrossbarMapping):
                cold = chip.weights == "cold"
                emitter = MvmEmitter(chip, joiner.machine, geometry_of(op), mapping, triple, parity,
                                     cold)  # fmt: skip
                segment = emitter.emit()
                weight = table.index[f"{op.name}/weight"]
                if not emitter.cold and weight not in in_cells:
                    residents += _in_cells(joiner, chip, table, op, mapping, triple[1])
                    in_cells.add(weight)
                waits = [(segment.reads[0], stored[op.input])] if op.input in stored else []
                waits += [(row, stored[op.weight]) for row in emitter.programs.tolist()
                          if op.weight in stored]  # fmt: skip
                base = joiner.rows
                joiner.add(segment, number, _locals(table, op, sums[op.name]), waits)
                stored[op.output] = base + segment.last_store
                continue
            where = None
            if chip.weights == "resident":
                parity = 1
            if chip.weights == "resident" and workload.is_stored(op.weight):
                layout = (table.index[f"{op.name}/weight"], mapping.n, mapping.k)
                if layout not in weight_at:
                    weight_at[layout] = weight_end
                    size = place(chip, geometry_of(op), mapping, triple, 1, 0).weight_area.size
                    residents += _resident(joiner, chip, table, op, weight_end, size)
                    weight_end += size
                where = weight_at[layout]
            key = (geometry_of(op), triple, mapping, parity, where)
            if key not in cache:
                cache[key] = MacEmitter(chip, joiner.machine, geometry_of(op), mapping, triple,
                                        parity, where).emit()  # fmt: skip
            sources, local = {INPUT: op.input, WEIGHT_MATRIX: op.weight}, _locals(table, op, sums[op.name])
        segment = cache[key]
        waits = [(segment.reads[i], stored[name]) for i, name in sources.items()
                 if name in stored and i in segment.reads]  # fmt: skip
        base = joiner.rows
        joiner.add(segment, number, local, waits)
        stored[op.output] = base + segment.last_store
    if weight_end and weight_end > chip.memories[chip.array.weight].size:
        raise _no_room(chip, workload, weight_end)
    return joiner.finish(tuple(op.name for op in workload.operators), residents)


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


def _in_cells(joiner: Joiner, chip: Chip, table: TensorTable, op: MacOperator,
              mapping: CrossbarMapping, weight: str) -> tuple[ResidentRow, ...]:  # fmt: skip
    """Every block of an operator's weights, in the cells of its crossbar."""
    crossbar, geometry = chip.crossbar, geometry_of(op)
    assert crossbar is not None
    tensor, names = table.index[f"{op.name}/weight"], joiner.machine.memory_index
    rows, columns = blocks_of(crossbar, geometry)
    found = []
    for number in range(mapping.replicas * geometry.groups * rows * columns):
        r, c = number // columns % rows, number % columns
        k = min(crossbar.rows, geometry.k - r * crossbar.rows)
        n = min(crossbar.outputs, geometry.n - c * crossbar.outputs)
        instance = instance_names(crossbar.name, crossbar.count)[mapping.first + number]
        size = get(weight).bytes_for(k * n)
        found.append(ResidentRow(tensor, names[f"{instance}.cells"], 0, size, True, True))
    return tuple(found)


def _locals(table: TensorTable, op: MacOperator, summands: int) -> list[int]:
    keys = [op.input, f"{op.name}/lowered", f"{op.name}/weight", f"{op.name}/weight", op.output,
            f"{op.name}/matrix", f"{op.name}/sums"]  # fmt: skip
    keys += [f"{op.name}/sums.{i}" for i in range(1, summands)]
    return [table.index[key] for key in keys]


def _off_chip(joiner: Joiner, table: TensorTable) -> tuple[ResidentRow, ...]:
    """What lies in the off-chip memory before and after: inputs, weights, outputs."""
    rows = []
    caches = {row.view_of for row in table.rows if row.view == "cache" and row.role == "input"}
    for number, row in enumerate(table.rows):
        grown = number in caches
        if row.view_of >= 0 or (row.role not in ("input", "weight", "output") and not grown):
            continue
        elements = int(np.prod(row.shape))
        span = get(row.format).bytes_for(elements)
        rows.append(ResidentRow(number, joiner.dram, table.home[number], span,
                                row.role != "output" or grown, True))  # fmt: skip
    return tuple(rows)


def _resident(joiner: Joiner, chip: Chip, table: TensorTable, op: MacOperator, address: int,
              size: int) -> tuple[ResidentRow, ...]:  # fmt: skip
    tensor = table.index[f"{op.name}/weight"]
    name = chip.array.weight
    names = [n for n in joiner.machine.memory_index if n == name or n.startswith(f"{name}.")]
    return tuple(
        ResidentRow(tensor, joiner.machine.memory_index[n], address, size, True, True)
        for n in names
    )


__all__ = ["Plan", "check_mapping", "compile_program", "plan"]
