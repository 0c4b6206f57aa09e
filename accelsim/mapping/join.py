"""Segments of all operators, relocated and joined into one Program.

Operators follow one another without a barrier: an operator's first loads wait only for the bytes
they overwrite and for the tensors they read.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine, machine
from accelsim.mapping.assemble import (
    COMMAND_COLUMNS,
    EDGE_COLUMNS,
    OPERAND_COLUMNS,
    RANK,
    Entry,
    Exit,
    Segment,
)
from accelsim.mapping.shapes import SHAPE_COLUMNS
from accelsim.mapping.tensors import TensorTable
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

Ints = NDArray[np.int64]
TENSOR, MEMORY, ADDRESS = (OPERAND_COLUMNS.index(n) for n in ("tensor", "memory", "address"))
SHAPE = COMMAND_COLUMNS.index("shape")


class Joiner:
    """Collects segments in program order; ``rows`` is how many commands it has so far."""

    def __init__(self, chip: Chip, table: TensorTable) -> None:
        self.machine: Machine = machine(chip)
        self.table = table
        self.dram = self.machine.memory_index[chip.dma.memory]
        self.rows = 0
        self._shapes = 0
        self._segments: list[Segment] = []
        self._operators: list[int] = []
        self._tensors: list[int] = []
        self._tensor_bases: list[int] = []
        self._shape_base: dict[int, int] = {}
        self._edges: list[Ints] = []
        self._edge_bases: list[int] = []
        self._occupied: dict[int, list[tuple[int, int, tuple[int, ...]]]] = {}

    def add(
        self, segment: Segment, operator: int, tensors: list[int], waits: list[tuple[int, int]]
    ) -> None:
        """Append a segment; tensors: its tensors' rows in the table; waits: DATA edges (row of
        the segment, row of the Program)."""
        base = self.rows
        self._segments.append(segment)
        self._operators.append(operator)
        self._tensor_bases.append(len(self._tensors))
        self._tensors += tensors
        if id(segment) not in self._shape_base:
            self._shape_base[id(segment)] = self._shapes
            self._shapes += len(segment.shapes["kind"])
        self._edges.append(segment.edges)
        self._edge_bases.append(base)
        extra = [(row, before - base, int(Edge.DATA), 0) for row, before in waits]
        extra += take_over(self._occupied, base, segment.entries, segment.exits)
        if extra:
            self._edges.append(np.array(sorted(set(extra)), np.int64).T)
            self._edge_bases.append(base)
        self.rows += segment.rows

    def finish(self, operators: tuple[str, ...], residents: tuple[ResidentRow, ...]) -> Program:
        """The Program of everything appended. The segments are used up."""
        counts = np.array([segment.rows for segment in self._segments], np.int64)
        shape_bases = [self._shape_base[id(segment)] for segment in self._segments]
        table = _side_by_side([s.commands for s in self._segments], len(COMMAND_COLUMNS))
        table[SHAPE] += np.repeat(np.array(shape_bases, np.int64), counts)
        opcode, unit, shape, flags = table
        request, served, address = (np.zeros(self.rows, np.int64) for _ in range(3))
        owner = np.repeat(np.array(self._operators, np.int64), counts)
        commands = Commands(
            opcode,
            unit,
            unit.copy(),
            owner,
            shape,
            request,
            flags,
            np.full(self.rows, -1, np.int64),
            served,
            address,
        )
        m = self.machine
        return Program(
            commands,
            self._shape_table(),
            self._operand_table(),
            self._edge_table(),
            self._demand_table(),
            m.units,
            m.unit_kinds,
            m.queues,
            m.ports,
            m.memories,
            tuple(self.table.rows),
            operators,
            m.tick_hz,
            (),
            residents,
        )

    def _shape_table(self) -> Shapes:
        distinct = {id(segment): segment for segment in self._segments}.values()
        if not distinct:
            none = np.zeros(0, np.int64)
            return Shapes(**dict.fromkeys(SHAPE_COLUMNS, none), extents=np.zeros((0, 8), np.int64))
        names = (*SHAPE_COLUMNS, "extents")
        return Shapes(
            **{
                name: np.concatenate([segment.shapes[name] for segment in distinct])
                for name in names
            }
        )

    def _operand_table(self) -> Operands:
        start = _cumulative([segment.operand_count for segment in self._segments])
        width = len(OPERAND_COLUMNS)
        sizes = [segment.operands.shape[1] for segment in self._segments]
        total = sum(sizes)
        table = np.empty((width, total), np.int64)
        offset, extent = np.empty((total, RANK), np.int64), np.empty((total, RANK), np.int64)
        at = 0
        last = {id(segment): number for number, segment in enumerate(self._segments)}
        for number, (segment, size) in enumerate(zip(self._segments, sizes, strict=True)):
            here = slice(at, at + size)
            table[:, here] = segment.operands[:width]
            offset[here] = segment.operands[width::2].T
            extent[here] = segment.operands[width + 1 :: 2].T
            at += size
            if last[id(segment)] == number:  # its memory goes as the table's comes
                segment.operands = np.zeros((len(segment.operands), 0), np.int64)
        bases = np.repeat(np.array(self._tensor_bases, np.int64), sizes)
        tensors = np.array(self._tensors or [0], np.int64)
        table[TENSOR] = tensors[table[TENSOR] + bases]
        home = np.array(self.table.home or [0], np.int64)
        far = table[MEMORY] == self.dram
        table[ADDRESS] += np.where(far, home[table[TENSOR]], 0)
        columns = dict(zip(OPERAND_COLUMNS, table, strict=True))
        return Operands(
            start, pitch=np.zeros(total, np.int64), offset=offset, extent=extent, **columns
        )

    def _edge_table(self) -> Dependencies:
        table = _side_by_side(self._edges, len(EDGE_COLUMNS))
        sizes = [part.shape[1] for part in self._edges]
        table[:2] += np.repeat(np.array(self._edge_bases, np.int64), sizes)
        order = np.argsort(table[0], kind="stable")
        start = _cumulative([np.bincount(table[0], minlength=self.rows)])
        return Dependencies(start, *table[1:, order])

    def _demand_table(self) -> Demands:
        start = _cumulative([segment.demand_count for segment in self._segments])
        port, size = _side_by_side([s.demands for s in self._segments], 2)
        return _merged(start, port, size, len(self.machine.ports))


def take_over(
    occupied: dict[int, list[tuple[int, int, tuple[int, ...]]]],
    base: int,
    entries: list[Entry],
    exits: list[Exit],
) -> list[tuple[int, int, int, int]]:
    """SLOT edges (row, predecessor, kind, lag; from row ``base`` on) on whoever used the bytes that a
    segment touches first. occupied: by memory, bytes with the rows that used them last; kept up."""
    slot, edges = int(Edge.SLOT), []
    for entry in entries:
        held = occupied.get(entry.memory, [])
        low, high = _overlapping(held, entry.start, entry.end)
        for _, _, rows in held[low:high]:
            edges += [(entry.row, row - base, slot, 0) for row in rows]
    for leaving in exits:
        if leaving.start >= leaving.end:
            continue
        held = occupied.setdefault(leaving.memory, [])
        low, high = _overlapping(held, leaving.start, leaving.end)
        fresh = [(leaving.start, leaving.end, tuple(row + base for row in leaving.rows))]
        if low < high:  # what sticks out on either side stays whose it was
            start, end = held[low][0], held[high - 1][1]
            if start < leaving.start:
                fresh.insert(0, (start, leaving.start, held[low][2]))
            if end > leaving.end:
                fresh.append((leaving.end, end, held[high - 1][2]))
        held[low:high] = fresh
    return edges


def _overlapping(
    held: list[tuple[int, int, tuple[int, ...]]], start: int, end: int
) -> tuple[int, int]:
    """Range of the disjoint, sorted intervals that share bytes with start .. end."""
    low = bisect_right(held, start, key=lambda item: item[1])
    high = bisect_left(held, end, low, key=lambda item: item[0])
    return low, max(low, high)


def _side_by_side(parts: list[Ints], columns: int) -> Ints:
    return np.concatenate(parts, axis=1) if parts else np.zeros((columns, 0), np.int64)


def _cumulative(counts: list[Ints]) -> Ints:
    whole = np.concatenate(counts) if counts else np.zeros(0, np.int64)
    start = np.zeros(len(whole) + 1, np.int64)
    np.cumsum(whole, out=start[1:])
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
