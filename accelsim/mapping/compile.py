"""From a chip and a workload to the Program: every operator's segment, relocated and joined.

Operators follow one another without a barrier: an operator's first loads wait only for the bytes
they overwrite and for the tensors they read.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine, machine
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.assemble import OPERAND_COLUMNS, Segment
from accelsim.mapping.choose import choose_mapping, fits
from accelsim.mapping.emit_mac import MacEmitter
from accelsim.mapping.emit_vector import VectorEmitter
from accelsim.mapping.mapping import Geometry, Mapping, geometry_of
from accelsim.mapping.tensors import (
    TensorTable,
    build_tensors,
    operator_formats,
    output_format_of,
    tensor_formats,
)
from accelsim.program.opcodes import Edge
from accelsim.program.table import (
    Commands,
    Demands,
    Dependencies,
    Operands,
    Program,
    ResidentRow,
    Shapes,
)
from accelsim.workload import MacOperator, VectorOperator, Workload

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided for each operator: its mapping (None for vector operators)."""

    mappings: Dict[str, Mapping]
    formats: Dict[str, str]


def plan(chip: Chip, workload: Workload, mappings: Dict[str, Mapping] | None = None) -> Plan:
    """Choose a mapping for every MAC operator that has none given; check the given ones.

    InputError lists every given mapping that does not fit, and every name that is no operator.
    """
    formats = tensor_formats(workload, chip)
    given = dict(mappings or {})
    chosen: dict[str, Mapping] = {}
    cache: dict[object, Mapping] = {}
    reserve = resident_bytes(chip, workload) if chip.weights == "resident" else 0
    cold = chip.weights == "cold"
    problems: list[Problem] = []
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        geometry = geometry_of(op)
        triple = (*operator_formats(op, chip), formats[op.output])
        if op.name in given:
            mapping = given.pop(op.name)
            problems += check_mapping(chip, geometry, mapping, triple, op.name)
        else:
            key = (geometry, triple)
            if key not in cache:
                cache[key] = choose_mapping(chip, geometry, triple, op.name, reserve, cold)
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


def check_mapping(chip: Chip, geometry: Geometry, mapping: Mapping, formats: tuple[str, str, str],
                  name: str) -> list[Problem]:  # fmt: skip
    """Everything wrong with an explicit mapping: ranges, shapes of tiles, buffers."""
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
    if chip.array.split == "k" and chip.array.count > 1 and mapping.order[2] != "k":
        wrong("order", "arrays that split k need k as the innermost loop", "write mnk or nmk")
    cold = chip.weights == "cold"
    if not problems:
        for memory, (need, room) in fits(chip, geometry, mapping, formats,
                                         None if cold else 0).items():  # fmt: skip
            wrong("fits", f"the tiles need {need} bytes of {memory}, which has {room}",
                  "make the tiles smaller")  # fmt: skip
    return problems


def resident_bytes(chip: Chip, workload: Workload) -> int:
    """Bytes of all weights when they stay in the weight buffer; InputError when they do not fit."""
    total = sum(
        get(operator_formats(op, chip)[1]).bytes_for(op.groups * op.k * op.n)
        for op in workload.operators
        if not isinstance(op, VectorOperator)
    )
    room = chip.memories[chip.array.weight].size
    if total > room:
        raise InputError(
            Problem(
                "mapping.resident",
                f"the weights of {workload.name} take {total} bytes, {chip.array.weight} has "
                f"{room}",
                "write weights: cold, or make the buffer larger",
                path="weights",
            )
        )
    return total


class _Joiner:
    """Collects relocated segments."""

    def __init__(self, chip: Chip, table: TensorTable) -> None:
        self.machine: Machine = machine(chip)
        self.table = table
        self.home = np.array(table.home, np.int64)
        self.dram = self.machine.memory_index[chip.dma.memory]
        self.rows = self.shapes = 0
        self.parts: dict[str, list[Ints]] = {}
        self.occupied: dict[int, list[tuple[int, int, tuple[int, ...]]]] = {}

    def put(self, name: str, column: Ints) -> None:
        self.parts.setdefault(name, []).append(column)

    def whole(self, name: str, empty: tuple[int, ...] = (0,)) -> Ints:
        parts = self.parts.get(name)
        return np.concatenate(parts) if parts else np.zeros(empty, np.int64)

    def add(self, segment: Segment, operator: int, local: list[int], waits: list[tuple[int, int]]) -> None:
        """Append a segment; local: its tensor numbers; waits: (local row, absolute row) DATA edges."""
        base = self.rows
        commands = segment.commands
        for name in ("opcode", "unit", "flags"):
            self.put(name, commands[name])
        self.put("shape", commands["shape"] + self.shapes)
        self.put("operator", np.full(segment.rows, operator, np.int64))
        for name, column in segment.shapes.items():
            self.put(f"shape.{name}", column)
        self.put("operand.count", np.diff(segment.operand_start))
        self.put("demand.count", np.diff(segment.demand_start))
        operands = segment.operands
        tensor = np.array(local, np.int64)[operands["tensor"]]
        far = operands["memory"] == self.dram
        for name, column in operands.items():
            if name == "tensor":
                column = tensor
            elif name == "address":
                column = column + np.where(far, self.home[tensor], 0)
            self.put(f"operand.{name}", column)
        for name, column in segment.demands.items():
            self.put(f"demand.{name}", column)
        self.put("edge.row", segment.edge_rows + base)
        self.put("edge.predecessor", segment.edges["predecessor"] + base)
        self.put("edge.kind", segment.edges["kind"])
        self.put("edge.lag", segment.edges["lag"])
        extra = [(row + base, before, int(Edge.DATA)) for row, before in waits]
        extra += self._take_over(segment, base)
        if extra:
            block = np.array(sorted(set(extra)), np.int64)
            self.put("edge.row", block[:, 0])
            self.put("edge.predecessor", block[:, 1])
            self.put("edge.kind", block[:, 2])
            self.put("edge.lag", np.zeros(len(block), np.int64))
        self.rows += segment.rows
        self.shapes += len(segment.shapes["kind"])

    def _take_over(self, segment: Segment, base: int) -> list[tuple[int, int, int]]:
        """SLOT edges on whoever used the bytes that the segment touches first."""
        edges = []
        for entry in segment.entries:
            for start, end, rows in self.occupied.get(entry.memory, ()):
                if start < entry.end and entry.start < end:
                    edges += [(entry.row + base, row, int(Edge.SLOT)) for row in rows]
        for leaving in segment.exits:
            kept = []
            for start, end, rows in self.occupied.get(leaving.memory, ()):
                if start >= leaving.end or end <= leaving.start:
                    kept.append((start, end, rows))
                    continue
                if start < leaving.start:
                    kept.append((start, leaving.start, rows))
                if end > leaving.end:
                    kept.append((leaving.end, end, rows))
            rows = tuple(row + base for row in leaving.rows)
            kept.append((leaving.start, leaving.end, rows))
            self.occupied[leaving.memory] = kept
        return edges

    def finish(self, workload: Workload, residents: tuple[ResidentRow, ...]) -> Program:
        """The Program of everything appended."""
        zeros = np.zeros(self.rows, np.int64)
        unit = self.whole("unit")
        commands = Commands(
            self.whole("opcode"), unit, unit.copy(), self.whole("operator"), self.whole("shape"),
            zeros, self.whole("flags"), zeros - 1, zeros.copy(), zeros.copy(),
        )  # fmt: skip
        names = ("kind", "opcode", "flags", "format_a", "format_b", "format_out")
        shapes = Shapes(**{n: self.whole(f"shape.{n}") for n in names},
                        extents=self.whole("shape.extents", (0, 8)))  # fmt: skip
        rank = 4
        operands = Operands(
            start=_cumulative(self.whole("operand.count")),
            pitch=np.zeros(len(self.whole("operand.tensor")), np.int64),
            offset=np.stack([self.whole(f"operand.offset{i}") for i in range(rank)], axis=1),
            extent=np.stack([self.whole(f"operand.extent{i}") for i in range(rank)], axis=1),
            **{n: self.whole(f"operand.{n}") for n in OPERAND_COLUMNS},
        )
        row = self.whole("edge.row")
        order = np.argsort(row, kind="stable")
        counts = np.bincount(row, minlength=self.rows)
        dependencies = Dependencies(
            _cumulative(counts), *(self.whole(f"edge.{n}")[order]
                                   for n in ("predecessor", "kind", "lag"))
        )  # fmt: skip
        demands = _merged(_cumulative(self.whole("demand.count")), self.whole("demand.port"),
                          self.whole("demand.bytes"), len(self.machine.ports))  # fmt: skip
        m = self.machine
        return Program(
            commands, shapes, operands, dependencies, demands, m.units, m.unit_kinds, m.queues,
            m.ports, m.memories, tuple(self.table.rows),
            tuple(op.name for op in workload.operators), m.tick_hz, (), residents,
        )  # fmt: skip


def _cumulative(counts: Ints) -> Ints:
    start = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    return start


def _merged(start: Ints, port: Ints, size: Ints, ports: int) -> Demands:
    """Demands with the bytes of one command on one port added up."""
    rows = np.repeat(np.arange(len(start) - 1), np.diff(start))
    key = rows * ports + port
    if len(key) > 1 and not (key[1:] > key[:-1]).all():
        key, inverse = np.unique(key, return_inverse=True)
        total = np.zeros(len(key), np.int64)
        np.add.at(total, inverse, size)
        rows, port, size = key // ports, key % ports, total
        start = np.searchsorted(rows, np.arange(len(start))).astype(np.int64)
    return Demands(start, port, size)


def compile_program(chip: Chip, workload: Workload, mappings: Dict[str, Mapping] | None = None,
                    chosen: Plan | None = None) -> Program:  # fmt: skip
    """The Program of a workload on a chip.

    mappings: explicit mappings by operator; the others get the default. chosen: a Plan made
    before (saves the search). InputError when something does not fit.
    """
    chosen = chosen or plan(chip, workload, mappings)
    formats = chosen.formats
    table = build_tensors(workload, chip, formats)
    joiner = _Joiner(chip, table)
    residents = _off_chip(joiner, workload, table)
    stored: dict[str, int] = {}
    cache: dict[object, Segment] = {}
    reserve = resident_bytes(chip, workload) if chip.weights == "resident" else 0
    weight_at = 0
    for number, op in enumerate(workload.operators):
        parity = number % 2
        if isinstance(op, VectorOperator):
            if op.kind == "flatten":
                if op.inputs[0] in stored:
                    stored[op.output] = stored[op.inputs[0]]
                continue
            pair = output_format_of(op, formats)
            key: object = (op.kind, op.input_shape, op.output_shape, op.kernel, op.stride,
                           op.padding, len(op.inputs), pair, parity)  # fmt: skip
            if key not in cache:
                cache[key] = VectorEmitter(chip, joiner.machine, op, pair, parity).emit()
            sources, local = op.inputs, [table.index[name] for name in (*op.inputs, op.output)]
        else:
            triple = (*operator_formats(op, chip), formats[op.output])
            where = None
            if chip.weights == "resident":
                where, parity = weight_at, 1
                size = get(triple[1]).bytes_for(op.groups * op.k * op.n)
                residents += _resident(joiner, chip, table, op, where, size)
                weight_at += size
            mapping = chosen.mappings[op.name]
            key = (geometry_of(op), triple, mapping, parity, where)
            if key not in cache:
                cache[key] = MacEmitter(chip, joiner.machine, geometry_of(op), mapping, triple,
                                        parity, where).emit()  # fmt: skip
            sources, local = (op.input,), _locals(table, op, chip)
        segment = cache[key]
        waits = [(segment.reads[i], stored[name]) for i, name in enumerate(sources)
                 if name in stored and i in segment.reads]  # fmt: skip
        base = joiner.rows
        joiner.add(segment, number, local, waits)
        stored[op.output] = base + segment.last_store
    del reserve
    return joiner.finish(workload, residents)


def _locals(table: TensorTable, op: MacOperator, chip: Chip) -> list[int]:
    keys = [op.input, f"{op.name}/lowered", f"{op.name}/weight", f"{op.name}/weight", op.output,
            f"{op.name}/matrix", f"{op.name}/sums"]  # fmt: skip
    if chip.array.split == "k":
        keys += [f"{op.name}/sums.{i}" for i in range(1, chip.array.count)]
    return [table.index[key] for key in keys]


def _off_chip(joiner: _Joiner, workload: Workload, table: TensorTable) -> tuple[ResidentRow, ...]:
    """What lies in the off-chip memory before and after: inputs, weights, outputs."""
    rows = []
    for number, row in enumerate(table.rows):
        if row.view_of >= 0 or row.role not in ("input", "weight", "output"):
            continue
        elements = int(np.prod(row.shape))
        span = get(row.format).bytes_for(elements)
        rows.append(ResidentRow(number, joiner.dram, table.home[number], span,
                                row.role != "output", True))  # fmt: skip
    del workload
    return tuple(rows)


def _resident(joiner: _Joiner, chip: Chip, table: TensorTable, op: MacOperator, address: int,
              size: int) -> tuple[ResidentRow, ...]:  # fmt: skip
    tensor = table.index[f"{op.name}/weight"]
    name = chip.array.weight
    names = [n for n in joiner.machine.memory_index if n == name or n.startswith(f"{name}.")]
    return tuple(
        ResidentRow(tensor, joiner.machine.memory_index[n], address, size, True, True)
        for n in names
    )


__all__ = ["Plan", "check_mapping", "compile_program", "plan"]
