"""Programs written straight into their final columns, by walks: what join.py makes of segments.

The first operator of its kind is walked, the next ones are copies of its rows with other tensors;
segments that come as matrices are laid in row by row. Same Program, to the digest, as the Joiner's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip, Machine, machine
from accelsim.mapping.assemble import RANK, Entry, Exit, Segment
from accelsim.mapping.join import take_over
from accelsim.mapping.tensors import TensorTable
from accelsim.mapping.walk_rows import (
    BASE,
    DEMAND,
    DRAM,
    EDGE,
    LAYING,
    NUMBERING,
    OPERAND,
    ROW,
    SHAPES,
    Rows,
    lay_in,
    merge_edges,
    number_shapes,
    repeat_rows,
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

Ints = NDArray[np.int64]
MOST_SHAPES = 2048  # of one operator
GROUPS = 8  # of shapes of one operator


@dataclass(slots=True)
class Bounds:
    """At least so many rows, operands, demands and edges."""

    rows: int = 0
    operands: int = 0
    demands: int = 0
    edges: int = 0
    shapes: int = 0

    def add(self, other: Bounds, again: bool) -> None:
        """Room for another operator; again: a copy, whose edges and shapes are there already."""
        self.rows += other.rows
        self.operands += other.operands
        self.demands += other.demands
        if not again:
            self.edges += other.edges
            self.shapes += other.shapes


@dataclass(slots=True)
class Written:
    """An operator's rows in the columns: where they begin, how many; and what the joints need."""

    row: int
    rows: int
    shape: int
    target: Ints
    entries: list[Entry]
    exits: list[Exit]
    reads: dict[int, int]
    last_store: int


def bounds_of(segment: Segment) -> Bounds:
    """The exact sizes of a segment."""
    return Bounds(
        segment.rows,
        segment.operands.shape[1],
        segment.demands.shape[1],
        segment.edges.shape[1],
        len(segment.shapes["kind"]),
    )


class Writer:
    """Collects operators in program order, as the Joiner does; ``rows`` is how many commands it has.

    room: what all of them need at most.
    """

    def __init__(self, chip: Chip, table: TensorTable, room: Bounds) -> None:
        self.machine: Machine = machine(chip)
        self.table = table
        self.dram = self.machine.memory_index[chip.dma.memory]
        self.rows = 0
        self._shapes = 0
        n, e, d = room.rows, room.operands, room.demands
        empty = np.empty
        self._home = np.array(table.home or [0], np.int64)
        self._out = Rows(
            np.zeros(8, np.int64),
            empty((4, n), np.int64),
            empty((3, n + 1), np.int64),
            empty((7, e), np.int64),
            empty((e, RANK), np.int64),
            empty((e, RANK), np.int64),
            empty((2, d), np.int64),
            empty((3, room.edges), np.int64),
            empty((2, len(self.machine.ports) + 1), np.int64),
            empty((MOST_SHAPES, 8), np.int64),
            empty((2, GROUPS), np.int64),
            empty((0, 2), np.int64),
        )
        self._out.at[DRAM] = self.dram
        self._out.starts[:, 0] = 0
        self._order = empty((2, MOST_SHAPES), np.int64)
        self._shape_rows = np.zeros((6, room.shapes), np.int64)
        self._extents = np.zeros((room.shapes, 8), np.int64)
        self._operators: list[int] = []
        self._pieces: list[tuple[int, int, Ints]] = []  # source row, rows, extra edges
        self._occupied: dict[int, list[tuple[int, int, tuple[int, ...]]]] = {}

    # -- operators -----------------------------------------------------------------------------

    def begin(self, tensors: list[int]) -> Rows:
        """The columns, ready for the next operator's rows. tensors: its tensors' rows."""
        rows = np.array(tensors, np.int64)
        rows = np.array(tensors, np.int64)
        rows = np.array(tensors, np.int64)
        out = self._out._replace(target=np.stack([rows, self._home[rows]], axis=1))
        at = out.at
        at[BASE], at[SHAPES] = at[ROW], 0
        out.starts[2, at[ROW]] = at[EDGE]
        out.heads[:] = -1
        return out

    def end(
        self,
        out: Rows,
        kinds: Ints,
        entries: Ints,
        exits: Ints,
        reads: dict[int, int],
        last_store: int,
    ) -> Written:
        """The rows written since begin(). kinds: (groups, 5) kind, opcode and formats of its shapes;
        entries, exits: as walk_mac gives them."""
        jit.compiled(number_shapes, NUMBERING)(
            out.at,
            out.commands,
            out.known,
            self._shapes,
            *self._order,
            kinds,
            self._shape_rows,
            self._extents,
        )
        first, count = int(out.at[BASE]), int(out.at[ROW])
        made = Written(
            first,
            count - first,
            self._shapes,
            out.target,
            [Entry(*row[:4]) for row in entries.tolist()],
            [
                Exit(memory, start, end, tuple(row for row in used if row >= 0))
                for memory, start, end, *used in exits.tolist()
            ],
            reads,
            last_store,
        )
        self._shapes += int(out.at[SHAPES])
        return made

    def lay(self, segment: Segment, tensors: list[int]) -> Written:
        """The rows of a segment."""
        out = self.begin(tensors)
        jit.compiled(lay_in, LAYING)(
            *out[:9],
            out.target,
            self._shapes,
            segment.commands,
            segment.operand_count,
            segment.operands,
            segment.demand_count,
            segment.demands,
            segment.edges,
        )
        first, count = int(out.at[BASE]), len(segment.shapes["kind"])
        here = slice(self._shapes, self._shapes + count)
        for row, name in enumerate(SHAPE_ORDER):
            self._shape_rows[row, here] = segment.shapes[name]
        self._extents[here] = segment.shapes["extents"]
        self._shapes += count
        return Written(
            first,
            segment.rows,
            here.start,
            out.target,
            segment.entries,
            segment.exits,
            segment.reads,
            segment.last_store,
        )

    def again(self, made: Written, tensors: list[int]) -> None:
        """The rows of an operator once more, on other tensors."""
        out = self.begin(tensors)
        jit.compiled(repeat_rows)(*out[:7], out.target, made.row, made.rows, made.target)

    def join(self, made: Written, operator: int, waits: Iterable[tuple[int, int]]) -> None:
        """Joints of the rows just written; waits: DATA edges (row of it, row of the Program)."""
        base = self.rows
        extra = [(row, before - base, int(Edge.DATA), 0) for row, before in waits]
        extra += take_over(self._occupied, base, made.entries, made.exits)
        edges = np.array(sorted(set(extra)), np.int64).reshape(-1, 4).T
        self._pieces.append((made.row, made.rows, np.ascontiguousarray(edges)))
        self._operators.append(operator)
        self.rows += made.rows

    # -- the whole -----------------------------------------------------------------------------

    def finish(self, operators: tuple[str, ...], residents: tuple[ResidentRow, ...]) -> Program:
        """The Program of everything written."""
        out, n = self._out, self.rows
        e, d = int(out.at[OPERAND]), int(out.at[DEMAND])
        opcode, unit, shape, flags = (column[:n] for column in out.commands)
        owner = np.repeat(
            np.array(self._operators, np.int64),
            np.array([rows for _, rows, _ in self._pieces], np.int64),
        )
        request, served, address = (np.zeros(n, np.int64) for _ in range(3))
        commands = Commands(
            opcode,
            unit,
            unit.copy(),
            owner,
            shape,
            request,
            flags,
            np.full(n, -1, np.int64),
            served,
            address,
        )
        s = self._shapes
        shapes = Shapes(
            **{name: self._shape_rows[row, :s] for row, name in enumerate(SHAPE_ORDER)},
            extents=self._extents[:s],
        )
        tensor, memory, where, span, size, access, form = (column[:e] for column in out.operands)
        operands = Operands(
            out.starts[0, : n + 1],
            tensor,
            memory,
            where,
            span,
            np.zeros(e, np.int64),
            size,
            access,
            form,
            out.offset[:e],
            out.extent[:e],
        )
        m = self.machine
        return Program(
            commands,
            shapes,
            operands,
            self._edges(n),
            Demands(out.starts[1, : n + 1], out.demands[0, :d], out.demands[1, :d]),
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

    def _edges(self, rows: int) -> Dependencies:
        out = self._out
        total = sum(
            int(out.starts[2, row + count] - out.starts[2, row]) + extra.shape[1]
            for row, count, extra in self._pieces
        )
        start, table, base = np.zeros(rows + 1, np.int64), np.empty((3, total), np.int64), 0
        kernel = jit.compiled(merge_edges)
        for row, count, extra in self._pieces:
            kernel(out.starts, out.edges, row, count, base, extra, start, table)
            base += count
        return Dependencies(start, *table)


SHAPE_ORDER = ("kind", "opcode", "flags", "format_a", "format_b", "format_out")
