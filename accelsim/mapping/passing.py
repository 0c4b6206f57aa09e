"""Rows as they pass: chunk after chunk of columns with edges and demands, of which nothing is kept.

The nests write twice. The first time shows what must be known of all rows before the first one can go on: how many
there are, their shapes, which ports units share, where footprints begin and end, and in which order of axes each
tensor lies off chip. The second time each chunk's bytes, dependencies and demands follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip
from accelsim.errors import ConservationError
from accelsim.mapping.counted import READERS, Counted, RowReader
from accelsim.mapping.links import may_move, with_links_of
from accelsim.mapping.parts import Part, Plan, parts_of
from accelsim.mapping.programs import shape_lags
from accelsim.mapping.rows.record import OPERAND, Nest, Rows, filled, rows_for
from accelsim.mapping.size import commands_of
from accelsim.program.dependencies import (
    Ends,
    Shadow,
    Touches,
    busiest,
    footprints,
    memory_ports,
    segments_of,
    summing,
)
from accelsim.program.passes import Carried, add_up, places
from accelsim.program.shadow import READ, SLOT, WRITE, Operands, Stated
from accelsim.program.table import Demands, Dependencies, Shapes
from accelsim.timing.ring import put
from accelsim.workload import Workload

Ints = NDArray[np.int64]
CHUNK = 8192  # rows that pass at once, or a tile where that has more


class Chunk(NamedTuple):
    """Rows of one operator for a group of images, number ``turn``. shape: of each; start, memory, access, bytes: of
    operands, as Program.operands has them. edges: predecessors are numbers among all."""

    operator: int
    turn: int
    unit: Ints
    shape: Ints
    start: Ints
    memory: Ints
    access: Ints
    bytes: Ints
    edges: Dependencies
    demands: Demands


@dataclass(slots=True)
class Survey:
    """What the first pass shows. rows: how many. many: commands of each unit. moves: (units, ports) whether a unit
    moves anything through a port. most: rows of a chunk."""

    rows: int
    shapes: Shapes
    many: Ints
    moves: NDArray[np.bool_]
    most: int


class Passing:
    """The rows of a Plan. InputError as compile_program's, but for memory."""

    def __init__(self, chip: Chip, workload: Workload, chosen: Plan) -> None:
        self.chip, self.workload = chip, workload
        counts = commands_of(chip, workload, chosen)
        self.parts = parts_of(chip, workload, chosen, counts)
        self.parts.fast.readers = READERS
        parts = [part for part in self.parts.list if part.same_as is None]
        self.fast = all(self.parts.fast(self.parts.nest(part)) for part in parts)
        self.machine = self.parts.machine
        self.ends = Ends(self.fast)
        self._room: Rows = rows_for(CHUNK, 4 * CHUNK, (0, 0), self.fast)
        self._out = self._columns()

    def _columns(self) -> Counted:
        commands, operands = len(self._room.first), len(self._room.operand) // OPERAND
        return Counted(
            *(
                self._empty(commands + 1 if name in ("unit", "shape", "start") else operands)
                for name in Counted._fields
            )
        )

    def _empty(self, size: int) -> Any:
        return np.empty(size, np.int64) if self.fast else [0] * size

    def _ready(self, column: Ints) -> Any:
        return column if self.fast else column.tolist()

    def _emptied(self, nest: Nest) -> Rows:
        """The room, with a place for the largest tile of a nest."""
        most, room = nest.most, self._room
        if len(room.first) < most[0] or len(room.operand) < OPERAND * most[1]:
            sizes = (max(len(room.first), most[0]), max(len(room.operand) // OPERAND, most[1]))
            room = self._room = rows_for(*sizes, (0, 0), self.fast)
            self._out = self._columns()
        room.at[0] = room.at[1] = 0
        room.limit[0] = len(room.first) - most[0]
        room.limit[1] = len(room.operand) // OPERAND - most[1]
        return room

    def _read(self, reader: RowReader) -> Iterator[tuple[Part, int, Counted]]:
        """All rows as columns, some of one operator and group of images at once."""
        for part, turn in self.parts.visits():
            nest = self.parts.nest(part)

            def room(nest: Nest = nest) -> Rows:
                return self._emptied(nest)

            for rows in filled(nest, self.fast, self.parts.local(part, turn), room):
                count, used = int(rows.at[0]), int(rows.at[1])
                if not count:
                    continue
                reader.read(rows, nest.styles, self._out, 0, 0)
                self._out.start[count] = used
                sizes = (count, count, count + 1, *(used,) * 6)
                columns = zip(self._out, sizes, strict=True)
                yield part, turn, Counted(*(column[:size] for column, size in columns))

    def survey(self) -> Survey:
        """The first pass."""
        made, kept = self.machine, self.parts.residents
        self.reader = reader = RowReader(self.parts, self.fast, noted=False)
        self.kept = footprints(kept, reader.wide)
        self.ends.note(*(self._ready(column) for column in self.kept))
        rows, most = 0, 0
        many = np.zeros(len(made.units), np.int64)
        moves = may_move(self.chip)
        sides = memory_ports(made.ports, made.memories)
        for _, _, out in self._read(reader):
            count = len(out.unit)
            rows, most = rows + count, max(most, count)
            self.ends.note(out.low, out.high)
            unit, memory, access, size = (
                np.asarray(c, np.int64) for c in (out.unit, out.memory, out.access, out.size)
            )
            many += np.bincount(unit, minlength=len(many))
            start = np.asarray(out.start, np.int64)
            owner = np.repeat(unit, start[1:] - start[:-1])
            for side, other in zip(sides, (WRITE, READ), strict=True):
                port = side[memory]
                moving = (port >= 0) & (access != other) & (size > 0)
                moves[owner[moving], port[moving]] = True
        self.segments = self.ends.settle()
        return Survey(rows, reader.numbering.shapes(), many, moves, most)

    def chunks(self, survey: Survey) -> Iterator[Chunk]:
        """The second pass. ConservationError where rows read what is not there, or results are missing at the end."""
        turned = self.reader.transfers.turned()
        self.reader = reader = RowReader(self.parts, self.fast, noted=False, turned=turned)
        walk = Walking(self, reader, survey)
        adding = Adding(self, survey.shapes)
        first = 0
        for part, turn, out in self._read(reader):
            edges = walk.edges(out, first)
            columns = (out.unit, out.shape, out.start, out.memory, out.access, out.size)
            arrays = (np.array(column, np.int64) for column in columns)
            yield Chunk._make((part.number, turn, *arrays, edges, adding.demands(out)))
            first += len(out.unit)
        walk.check()
        if first != survey.rows or reader.outside:
            raise ConservationError(
                "rows that pass twice are not the same, or lie outside a memory"
            )


class Walking:
    """The walk over rows that pass, which derives their dependencies."""

    def __init__(self, rows: Passing, reader: RowReader, survey: Survey) -> None:
        made, kept = rows.machine, rows.parts.residents
        self.rows, self.fast = rows, rows.fast
        ahead = rows.chip.commands_ahead
        self.ahead = min(ahead, survey.rows) if ahead else survey.rows
        self.lags = shape_lags(rows.chip, survey.shapes)
        empty = np.zeros(0, np.int64)
        none = (empty,) * 6
        roots = reader.roots[[resident.tensor for resident in kept]]
        at_start = [resident.at_start for resident in kept]
        seen = Touches(made.units, *none, empty, empty, empty, empty, 0, roots, at_start)
        low, high = (np.asarray(rows.ends.places(rows._ready(c))) for c in rows.kept)
        self.runs, self.kept = (low.tolist(), high.tolist()), zip(kept, roots.tolist(), strict=True)
        self.size = 1 << (self.ahead + survey.most).bit_length()
        self.known = [rows._empty(self.size) for _ in range(3)]  # unit, place and lag
        units = len(made.units)
        self.first, self.many = (rows._ready(np.full(units, value, np.int64)) for value in (-1, 0))
        columns = (*self.known, rows._ready(summing(made.units)))
        segments = segments_of(rows.segments, seen, self.runs, self.fast)
        self.shadow = Shadow(self.fast, True, segments, units)
        self.shadow.follow(columns, busiest(survey.many), self.size, self.size - 1, self.ahead)
        self.shadow.room(4096, 4096)
        self.numbering = jit.compiled(places) if self.fast else places
        self.none = rows._ready(empty)

    def edges(self, out: Counted, first: int) -> Dependencies:
        """The edges of the next rows."""
        count, ready = len(out.unit), self.rows._ready
        place = self.rows._empty(count)
        self.numbering(out.unit, out.unit, place, self.first, self.many)
        lag = self.lags[np.asarray(out.shape, np.int64)]
        for ring, values in zip(self.known, (out.unit, place, lag), strict=True):
            put(ring, first, np.asarray(values, np.int64), self.fast)
        low, high = self.rows.ends.places(out.low), self.rows.ends.places(out.high)
        none = self.none
        operands = Operands(out.start, out.root, none, out.access, low, high, none, none, 0)
        stated = Stated(out.unit, ready(np.zeros(count + 1, np.int64)), none, none)
        self.shadow.over(stated, operands, first)
        found = self.shadow.state.edges
        used = int(found.used[0])
        found.used[0] = 0
        row, kind, earlier = (np.array(column[:used], np.int64) for column in found[:3])
        start = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(row - first, minlength=count), out=start[1:])
        lags = np.where(kind == SLOT, lag[row - first], 0)
        return Dependencies(start, earlier, kind, lags)

    def check(self) -> None:
        """ConservationError where rows read what was not there, or what stays resident is not there at the end."""
        faults, held = self.shadow.state.faults, self.shadow.held()
        if faults.used[0]:
            raise ConservationError(f"row {faults.row[0]} reads what is not there")
        for (resident, root), low, high in zip(self.kept, *self.runs, strict=True):
            if resident.at_end and (held[low:high] != root).any():
                raise ConservationError("a tensor that stays is not there at the end")


class Adding:
    """Port demands of rows that pass."""

    def __init__(self, rows: Passing, shapes: Shapes) -> None:
        made = rows.machine
        self.rows, self.shapes = rows, shapes
        self.sides = [rows._ready(side) for side in memory_ports(made.ports, made.memories)]
        self.moved = rows._ready(np.zeros(max(1, len(made.ports)), np.int64))
        self.kernel = jit.compiled(add_up) if rows.fast else add_up

    def demands(self, out: Counted) -> Demands:
        """What rows ask of ports."""
        carried = Carried(out.start, out.memory, out.access, out.size)
        most = 2 * len(out.memory)
        start, port, size = (self.rows._empty(n) for n in (len(out.start), most, most))
        count = self.kernel(carried, *self.sides, self.moved, start, port, size)
        columns = (start, port[:count], size[:count])
        held = Demands(*(np.asarray(column, np.int64) for column in columns))
        shape, *operands = (np.asarray(c, np.int64) for c in (out.shape, out.start, out.memory))
        return with_links_of(self.rows.chip, self.shapes, shape, (operands[0], operands[1]), held)
