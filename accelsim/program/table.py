"""The Program: commands in columns, with their operands, dependencies and port demands.

Every column is an int64 NumPy array. Lists of unequal length (operands, dependencies, demands)
are in compressed-row form: row i owns entries start[i]:start[i + 1]. docs/program.md is the
prose; validate.py holds the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]

MAX_EXTENTS = 8


@dataclass(slots=True)
class Commands:
    """One row a command, in program order; sequential execution in this order is the meaning.

    opcode: Opcode. unit: row of Program.units. queue: row of Program.queues (in-order issue).
    operator: index of the workload's operator, -1 for none. shape: row of Program.shapes.
    request: request or batch id. flags: Flag bits. block: row of Program.blocks or -1.
    served: Served. address: where a stateful unit needs it (bytes), else 0.
    """

    opcode: Column
    unit: Column
    queue: Column
    operator: Column
    shape: Column
    request: Column
    flags: Column
    block: Column
    served: Column
    address: Column


@dataclass(slots=True)
class Shapes:
    """Unique (unit kind, opcode, formats, extents): what a unit's cost depends on.

    kind: row of Program.unit_kinds. opcode: Opcode. flags: the Flag bits that change the cost.
    format_a, format_b, format_out: index into formats.FORMAT_NAMES, -1 for none.
    extents: (shapes, 8) loop extents; their meaning is the unit's (its docstring says).
    """

    kind: Column
    opcode: Column
    flags: Column
    format_a: Column
    format_b: Column
    format_out: Column
    extents: Column

    def take(self, rows: Column) -> Shapes:
        """Some of them."""
        return Shapes(*(getattr(self, item.name)[rows] for item in fields(self)))


@dataclass(slots=True)
class Operands:
    """Operands in compressed-row form.

    start: (commands + 1). tensor: row of Program.tensors (a version or a view of one).
    memory: row of Program.memories. address: first byte of the footprint. span: bytes of the
    footprint, address to last byte (0: not tracked). pitch: bytes between rows, 0 = packed.
    bytes: bytes moved to or from the memory (traffic; for ACCUMULATE once each way).
    access: Access. format: index into formats.FORMAT_NAMES.
    offset, extent: (entries, rank) the region in the tensor's own dimensions; unused trailing
    dimensions have offset 0, extent 1.
    """

    start: Column
    tensor: Column
    memory: Column
    address: Column
    span: Column
    pitch: Column
    bytes: Column
    access: Column
    format: Column
    offset: Column
    extent: Column


@dataclass(slots=True)
class Dependencies:
    """Dependencies in compressed-row form: predecessor (always an earlier row), kind (Edge),
    lag in ticks (>= 0) after that event."""

    start: Column
    predecessor: Column
    kind: Column
    lag: Column


@dataclass(slots=True)
class Demands:
    """Port demands in compressed-row form: bytes to move through a port (row of Program.ports)."""

    start: Column
    port: Column
    bytes: Column


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One hardware instance that executes commands. kind: row of unit_kinds. period: ticks a
    cycle. opcodes: accepted opcodes. priority: for arbitration, smaller goes first.
    serve: name of the stateful server or ''."""

    name: str
    kind: int
    period: int
    opcodes: tuple[int, ...]
    priority: int = 0
    serve: str = ""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """An in-order command queue. priority: when several queues want one unit, smaller first."""

    name: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class PortRow:
    """A shared port. Moves ceil(bytes / width) beats of ``beat`` ticks each; ``quantum`` beats
    are granted at a time. width: bytes a beat. arbiter: Arbiter."""

    name: str
    width: int
    beat: int
    quantum: int
    arbiter: int


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A memory instance. bytes: capacity. boundary: innermost energy boundary name."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class TensorRow:
    """A tensor version. name is the workload's tensor; version counts its rewrites.
    shape: its dimensions. view_of: row of the tensor this is another view of, or -1.
    view: 'lowered' (group, m, k), 'matrix' (group, m, n) or ''; operator: the operator whose
    lowering defines the view, or -1. role: input | weight | bias | intermediate | output."""

    name: str
    shape: tuple[int, ...]
    format: str
    version: int = 0
    view_of: int = -1
    view: str = ""
    operator: int = -1
    role: str = "intermediate"


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Rows first .. first + length * count repeat one body of ``length`` rows ``count`` times."""

    first: int
    length: int
    count: int


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """Rows first .. first + length are ``operators`` operators that come ``times`` times more, right
    behind themselves, as other operators of the same dimensions. They are not listed again: whoever
    reads rows goes through spans() (repeats.py). alike: first row, and row past the last, of the listed
    copies around them, which repeat with that length."""

    first: int
    length: int
    times: int
    operators: int
    alike: tuple[int, int]

    @property
    def stop(self) -> int:
        """The row behind them."""
        return self.first + self.length


@dataclass(frozen=True, slots=True)
class ResidentRow:
    """A tensor that is in a memory at the start and / or stays there at the end."""

    tensor: int
    memory: int
    address: int
    span: int
    at_start: bool
    at_end: bool


@dataclass(slots=True)
class Program:
    """The one plan that timing, energy and numerics read. tick_hz: ticks a second. repeat: rows that
    stand for more than themselves, or None; len() counts the rows that are listed. commands_ahead: entries of the
    command memory, 0 for no bound: a row issues no earlier than the row so many before it, and all before that
    one, have ended."""

    commands: Commands
    shapes: Shapes
    operands: Operands
    dependencies: Dependencies
    demands: Demands
    units: tuple[UnitRow, ...]
    unit_kinds: tuple[str, ...]
    queues: tuple[QueueRow, ...]
    ports: tuple[PortRow, ...]
    memories: tuple[MemoryRow, ...]
    tensors: tuple[TensorRow, ...]
    operators: tuple[str, ...]
    tick_hz: int
    blocks: tuple[BlockRow, ...] = ()
    residents: tuple[ResidentRow, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)
    repeat: RepeatRow | None = None
    commands_ahead: int = 0

    def __len__(self) -> int:
        return len(self.commands.opcode)

    def rows(self, opcode: int) -> NDArray[np.intp]:
        """Indices of the commands with that opcode."""
        return np.flatnonzero(self.commands.opcode == opcode)


COLUMN_TABLES = {
    "commands": Commands,
    "shapes": Shapes,
    "operands": Operands,
    "dependencies": Dependencies,
    "demands": Demands,
}


def column_names(table: type) -> tuple[str, ...]:
    """Names of the columns of one of the column tables."""
    return tuple(item.name for item in fields(table))


def entries_of(table: Any, rows: Column) -> tuple[dict[str, Column], Column]:
    """Columns of a table in compressed-row form (operands, dependencies, demands) for those rows, in that
    order; and of every entry which of the rows it is of."""
    counts = np.diff(table.start)[rows]
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    owner = np.repeat(np.arange(len(rows)), counts)
    entries = np.arange(start[-1]) + (table.start[rows] - start[:-1])[owner]
    columns = {
        item.name: getattr(table, item.name)[entries]
        for item in fields(table)
        if item.name != "start"
    }
    return {"start": start, **columns}, owner


def plain_int64(*columns: Any) -> list[Column]:
    """Columns as kernels want them; no copy where they are so already."""
    return [np.ascontiguousarray(column, np.int64) for column in columns]
