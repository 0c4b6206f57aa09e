"""The sink of counts: rows as columns of what times, bytes and joules follow from, and nothing else.

Rows come as nests write them, a room full at a time, and are left behind once they are counted: of commands
unit and shape are kept, of operands the memory, the bytes and where they lie. The Program that stands for them
has no regions, so it can be timed and charged, but neither executed nor listed; its dependencies come from the
same walk. What coverage proves of a table is here a sum: every product once, every output element stored.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip, machine
from accelsim.errors import ConservationError
from accelsim.mapping.bursts import BURSTS, Transfers, in_bursts
from accelsim.mapping.compile import compile_program
from accelsim.mapping.links import with_links
from accelsim.mapping.parts import Part, Parts, Plan, parts_of
from accelsim.mapping.programs import release_lag
from accelsim.mapping.rows.record import OPERAND, Nest, Rows, filled, rows_for
from accelsim.mapping.rows.shapes import NUMBER, Numbering, number_shapes
from accelsim.mapping.size import check_size
from accelsim.program.dependencies import (
    Result,
    Touches,
    Walk,
    demands,
    dependencies_of,
    footprints,
    roots_of,
    widest,
)
from accelsim.program.opcodes import Opcode
from accelsim.program.table import (
    Commands,
    Demands,
    Dependencies,
    Operands,
    Program,
    Shapes,
)
from accelsim.program.validate import validate
from accelsim.workload import VectorOperator, Workload

Ints = NDArray[np.int64]
WINDOW = 2048  # rows that are written, then counted: they stay in the processor's cache
NO_STYLE = np.zeros((0, 5), np.int64)


class Counted(NamedTuple):
    """Columns so far, with room for more. unit, shape, start: of commands. root .. size: of operands as
    dependencies.Touches and Program.operands have them."""

    unit: Any
    shape: Any
    start: Any
    root: Any
    memory: Any
    access: Any
    size: Any
    low: Any
    high: Any


@jit.allocates_nothing
def count_rows(rows: Rows, facts: Any, out: Counted, command: int, operand: int) -> None:
    """Rows that a nest has written as columns, from a command and an operand on; their shapes are numbered
    elsewhere. facts: tensor version of each tensor row; bytes that a memory is given (widest()); bytes of each
    memory; and how many operands reach past its end, which is counted here."""
    root, wide, room, past = facts
    c, o = rows.command, rows.operand
    for i in range(rows.at[0]):
        out.unit[command + i] = c[8 * i + 1]
        out.start[command + i] = operand + rows.first[i]
    for e in range(rows.at[1]):
        at, x = 15 * e, operand + e
        memory = o[at + 1]
        low = memory * wide[0] + o[at + 2]
        out.root[x] = root[o[at]]
        out.memory[x] = memory
        out.access[x] = o[at + 5]
        out.size[x] = o[at + 4]
        out.low[x] = low
        out.high[x] = low + o[at + 3]
        past[0] += o[at + 2] + o[at + 3] > room[memory]


READERS: tuple[tuple[Any, jit.Helpers], ...] = (
    (in_bursts, BURSTS),
    (number_shapes, NUMBER),
    (count_rows, ()),
)


class RowReader:
    """Rows as columns. noted, turned: as Transfers takes them."""

    def __init__(
        self, parts: Parts, fast: bool, noted: bool = True, turned: Ints | None = None
    ) -> None:
        self.parts, self.fast = parts, fast
        made, tensors = parts.machine, parts.table.rows
        self.wide, self.roots = widest(made.memories), roots_of(tensors)
        room = [memory.bytes for memory in made.memories]
        facts = (self.roots, *(np.array(column, np.int64) for column in ([self.wide], room, [0])))
        self.facts = tuple(self._ready(column) for column in facts)
        burst = parts.chip.dram.burst
        self.transfers = Transfers(parts.table, parts.workload, burst, fast, noted, turned)
        self.numbering = Numbering([unit.kind for unit in made.units], fast)
        self.kernel = jit.quick(count_rows) if fast else count_rows

    def _ready(self, column: Ints) -> Any:
        return column if self.fast else column.tolist()

    def _empty(self, size: int) -> Any:
        return np.empty(size, np.int64) if self.fast else [0] * size

    def read(self, rows: Rows, styles: Ints, out: Counted, command: int, operand: int) -> None:
        """Write the rows in a room as columns, from a command and an operand on; those have ``operand`` in all
        before them. styles: of their nests."""
        self.transfers.note(rows, operand)
        self.numbering.note(rows.command, int(rows.at[0]), styles, out.shape, command)
        self.kernel(rows, self.facts, out, command, operand)

    @property
    def outside(self) -> bool:
        """Whether an operand reaches past its memory."""
        return bool(self.facts[3][0])


class Counter(RowReader):
    """Rows of all operators, counted as they come. commands: how many there are, about."""

    def __init__(self, parts: Parts, commands: int, fast: bool) -> None:
        super().__init__(parts, fast)
        self.room = rows_for(WINDOW, 4 * WINDOW, (0, 0), fast)
        self.styles: list[Ints] = []
        self.commands = self.operands = 0
        self.columns = Counted(*(self._empty(0) for _ in Counted._fields))
        self._widen(commands + 1, 3 * commands)

    def _widen(self, commands: int, operands: int) -> None:
        """Room for so many commands and operands."""
        grown = []
        for name, old in zip(Counted._fields, self.columns, strict=True):
            new = self._empty(commands if name in ("unit", "shape", "start") else operands)
            used = min(len(old), len(new))
            new[:used] = old[:used]
            grown.append(new)
        self.columns = Counted(*grown)

    def _window(self, nest: Nest) -> Rows:
        """Room for the largest tile of a nest, behind the rows that are there already where they leave some."""
        most, room = nest.most, self.room
        commands, operands = len(room.first) - most[0], len(room.operand) // OPERAND - most[1]
        if room.at[0] > commands or room.at[1] > operands:
            self._count()
            if min(commands, operands) < 0:
                wide = 4 * max(WINDOW, *most)
                room = self.room = rows_for(wide, wide, (0, 0), self.fast)
                commands, operands = wide - most[0], wide - most[1]
        room.limit[0], room.limit[1] = commands, operands
        return room

    def add(self, nest: Nest, part: Part, turn: int) -> int:
        """Write the rows of a part for a group of images; how many there are so far."""
        tensors = self.parts.local(part, turn)._replace(styles=sum(map(len, self.styles)))
        self.styles.append(nest.styles)
        for _ in filled(nest, self.fast, tensors, lambda: self._window(nest)):
            pass  # what is written is counted when there is no room for more
        return self.commands + int(self.room.at[0])

    def _count(self) -> None:
        """Count the rows in the room, and empty it."""
        rows = self.room
        count, used = int(rows.at[0]), int(rows.at[1])
        commands, operands = self.commands + count, self.operands + used
        if commands >= len(self.columns.unit) or operands > len(self.columns.root):
            self._widen(2 * commands + 1, 2 * operands)
        styles = np.concatenate([NO_STYLE, *self.styles])
        self.read(rows, styles, self.columns, self.commands, self.operands)
        self.commands, self.operands = commands, operands
        rows.at[0] = rows.at[1] = 0

    def taken(self) -> Counted:
        """All columns, as they are used."""
        self._count()
        self.columns.start[self.commands] = self.operands
        sizes = (self.commands, self.commands, self.commands + 1, *(self.operands,) * 6)
        return Counted(
            *(
                np.asarray(column[:size], np.int64)
                for column, size in zip(self.columns, sizes, strict=True)
            )
        )


def compile_counts(chip: Chip, workload: Workload, chosen: Plan) -> Program:
    """The Program of a Plan as counts: with the commands, times and bytes of compile_program()'s, without flags,
    tensors' regions and addresses. InputError as compile_program; ConservationError where products or stored
    elements are missing."""
    return counted(chip, workload, chosen)[0]


def counted(chip: Chip, workload: Workload, chosen: Plan) -> tuple[Program, dict[str, bool]]:
    """compile_counts(), and whether each tensor lies off chip in the other order of its axes (bursts.py)."""
    commands = check_size(chip, workload, chosen, len(machine(chip).units))
    parts = parts_of(chip, workload, chosen, commands)
    parts.fast.readers = READERS
    fast = all(parts.fast(parts.nest(part)) for part in parts.list if part.same_as is None)
    counter = Counter(parts, sum(commands.values()), fast)
    visits, ends = list(parts.visits()), []
    for part, turn in visits:
        ends.append(counter.add(parts.nest(part), part, turn))
    rows = counter.taken()
    counter.transfers.settle(rows.size)
    sizes = [end - begin for begin, end in pairwise([0, *ends])]
    of = [(part.number, turn) for part, turn in visits]
    owner, turns = np.repeat(np.array(of, np.int64).reshape(-1, 2), sizes, axis=0).T
    program = _program(parts, rows, counter.numbering, (owner, turns))
    lag = release_lag(chip, program)
    walk, found = _walked(counter, rows, program, lag)
    if len(found.faults.row) or counter.outside or not _kept(walk, found, program):
        # says in words what is wrong
        validate(compile_program(chip, workload, chosen=chosen), workload, derived=True)
        raise ConservationError("rows are wrong as counts and right as a table")
    done = _products(program, len(workload.operators))
    check_sums(done, workload, counter.transfers.written, parts)
    program.dependencies = dependencies_of(found.edges, lag)
    program.demands = demands(program)
    program.demands = with_links(chip, program)
    return program, counter.transfers.lies(parts.named)


def _program(parts: Parts, rows: Counted, numbering: Numbering, of: tuple[Ints, Ints]) -> Program:
    """The columns as a Program, without dependencies and demands. of: operator and group of images of each row."""
    made, count = parts.machine, len(rows.unit)
    none, shapes = np.zeros(count + 1, np.int64), numbering.shapes()
    zeros, empty = none[:count], none[:0]
    regions = np.zeros((0, 4), np.int64)
    return Program(
        Commands(
            shapes.opcode[rows.shape],
            rows.unit,
            rows.unit,
            np.ascontiguousarray(of[0]),
            rows.shape,
            np.ascontiguousarray(of[1]),
            *(zeros, zeros, zeros, zeros),
        ),
        shapes,
        Operands(
            rows.start,
            *(rows.root, rows.memory, empty, empty, empty, rows.size, rows.access, empty),
            *(regions, regions),
        ),
        Dependencies(none, empty, empty, empty),
        Demands(none, empty, empty),
        made.units,
        made.unit_kinds,
        made.queues,
        made.ports,
        made.memories,
        tuple(parts.table.rows),
        tuple(op.name for op in parts.workload.operators),
        made.tick_hz,
        (),
        parts.residents,
        commands_ahead=parts.chip.commands_ahead,
    )


def _walked(counter: Counter, rows: Counted, program: Program, lag: Ints) -> tuple[Walk, Result]:
    """The walk over the rows that derives their dependencies; regions are not compared."""
    kept, empty = program.residents, np.zeros(0, np.int64)
    low, high = footprints(kept, counter.wide)
    count = len(rows.root)
    seen = Touches(
        program.units,
        *(rows.unit, rows.unit, rows.start, rows.root),
        np.arange(-1, -1 - count, -1, dtype=np.int64),
        rows.access,
        np.concatenate([rows.low, low]),
        np.concatenate([rows.high, high]),
        *(empty, empty, 0),
        counter.roots[[resident.tensor for resident in kept]],
        [resident.at_start for resident in kept],
    )
    walk = Walk(seen, lag, ahead=program.commands_ahead)
    return walk, walk.run(walk.busiest(), walk.most, derive=True)


def _kept(walk: Walk, found: Result, program: Program) -> bool:
    """Whether what stays resident is there at the end."""
    return all(
        not resident.at_end or (found.held[low:high] == root).all()
        for resident, root, low, high in zip(
            program.residents, walk.seen.resident.tolist(), *walk.resident_runs, strict=True
        )
    )


def products_of(s: Shapes) -> Ints:
    """Products that one command of each shape computes."""
    groups = np.where(s.opcode == Opcode.MVM, np.maximum(s.extents[:, 3], 1), 1)
    macs = (s.opcode == Opcode.MATMUL) | (s.opcode == Opcode.MVM)
    return np.where(macs, groups * s.extents[:, :3].prod(axis=1), 0)


def _products(program: Program, operators: int) -> Ints:
    """Products that each operator computes."""
    each = products_of(program.shapes)[program.commands.shape]
    found = np.zeros(operators, np.int64)
    np.add.at(found, program.commands.operator, each)
    return found


def check_sums(done: Ints, workload: Workload, written: Ints, parts: Parts) -> None:
    """ConservationError unless every operator computes all its products and stores all its results. done:
    products of each operator. written: elements of each tensor row that were written at home."""
    for part, op in zip(parts.list, workload.operators, strict=True):
        if part.same_as is not None:
            continue
        macs_of, made = (
            (0, 0) if isinstance(op, VectorOperator) else (op.macs, op.groups * op.m * op.n)
        )
        if done[part.number] != macs_of:
            raise ConservationError(
                f"{op.name} computes {done[part.number]} products, it has {macs_of}"
            )
        if made and written[parts.table.index[f"{op.name}/matrix"]] != made:
            raise ConservationError(f"{op.name} does not store its {made} results")
