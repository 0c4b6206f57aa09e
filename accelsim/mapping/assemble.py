"""Segments: the commands of one operator in columns, still relative to its first row.

Tensor numbers are positions in the operator's own tensor list, DRAM addresses are relative to
their tensor, dependencies name rows of the segment. join.py relocates and joins segments.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Value = Ints | int

RANK = 4  # dimensions of an operand's region
COMMAND_COLUMNS = ("opcode", "unit", "shape", "flags")
OPERAND_COLUMNS = ("tensor", "memory", "address", "span", "bytes", "access", "format")
REGION_COLUMNS = tuple(f"{kind}{axis}" for axis in range(RANK) for kind in ("offset", "extent"))
EDGE_COLUMNS = ("row", "predecessor", "kind", "lag")
DEMAND_COLUMNS = ("port", "bytes")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that first touches bytes start..end of a memory: it waits for who was there."""

    row: int
    memory: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Exit:
    """Bytes that the segment leaves occupied, and the rows that used them last."""

    memory: int
    start: int
    end: int
    rows: tuple[int, ...]


@dataclass(slots=True)
class Segment:
    """One operator's commands: one matrix a table, a row of it for each column named above.

    commands: (4, rows). operands: (7 + 2 * RANK, entries), owned by the rows as operand_count
    says; demands: (2, entries), likewise; edges: (4, edges) in any order. shapes: by column.
    reads: local tensor -> first row that loads it. last_store: the row that completes the output.
    """

    rows: int
    commands: Ints
    shapes: dict[str, Ints]
    operand_count: Ints
    operands: Ints
    edges: Ints
    demand_count: Ints
    demands: Ints
    entries: list[Entry] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    reads: dict[int, int] = field(default_factory=dict)
    last_store: int = -1
    preloads: int = 0


class _Groups:
    """Groups of entries, each given by its owner rows and one value or column a name."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.owners: list[Ints] = []
        self.values: list[tuple[Value, ...]] = []

    def add(self, owners: Ints, values: tuple[Value, ...]) -> None:
        self.owners.append(owners)
        self.values.append(values)

    def matrix(self) -> tuple[Ints, Ints]:
        """(owners, matrix of the columns), in the order of adding."""
        sizes = [len(owners) for owners in self.owners]
        whole = np.empty((self.columns, sum(sizes)), np.int64)
        at = 0
        for size, values in zip(sizes, self.values, strict=True):
            part = whole[:, at : at + size]
            for column, value in enumerate(values):
                part[column] = value
            at += size
        owners = np.concatenate(self.owners) if sizes else np.zeros(0, np.int64)
        return owners, whole

    def by_owner(self, rows: int) -> tuple[Ints, Ints]:
        """(entries of each of the rows, matrix sorted by owner; an owner's keep their order)."""
        owners, whole = self.matrix()
        count = np.bincount(owners, minlength=rows)
        return count, whole[:, np.argsort(owners, kind="stable")]


class Assembler:
    """Collects groups of rows (each row at most once a group) and builds a Segment."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.commands = np.zeros((len(COMMAND_COLUMNS), rows), np.int64)
        self._operands = _Groups(len(OPERAND_COLUMNS) + len(REGION_COLUMNS))
        self._demands = _Groups(len(DEMAND_COLUMNS))
        self._edges = _Groups(len(EDGE_COLUMNS) - 1)

    def command(self, rows: Ints, opcode: int, unit: Value, shape: Value, flags: Value = 0) -> None:
        """Set the command columns of those rows; ``shape`` is a local shape row."""
        for column, value in zip(self.commands, (opcode, unit, shape, flags), strict=True):
            column[rows] = value

    def operand(
        self,
        rows: Ints,
        *,
        tensor: Value,
        memory: Value,
        address: Value,
        span: Value,
        bytes: Value,
        access: Value,
        format: Value,
        region: tuple[tuple[Value, Value], ...],
    ) -> None:
        """One operand on each of those rows; region: (offset, extent) per dimension."""
        bounds: tuple[Value, ...] = sum(region, ())
        bounds += (0, 1) * (RANK - len(region))
        self._operands.add(rows, (tensor, memory, address, span, bytes, access, format, *bounds))

    def demand(self, rows: Ints, port: Value, bytes: Value) -> None:
        """Bytes through a port on each of those rows (rows with port -1 are left out)."""
        if not isinstance(port, int):
            keep = port >= 0
            if not keep.all():
                rows, port = rows[keep], port[keep]
                bytes = bytes if isinstance(bytes, int) else bytes[keep]
        elif port < 0:
            return
        if len(rows):
            self._demands.add(rows, (port, bytes))

    def depend(self, rows: Ints, predecessor: Ints, kind: int, lag: int = 0) -> None:
        """An edge on each row; rows whose predecessor is negative get none."""
        keep = predecessor >= 0
        if not keep.all():
            rows, predecessor = rows[keep], predecessor[keep]
        if len(rows):
            self._edges.add(rows, (predecessor, int(kind), lag))

    def build(self, shapes: dict[str, Ints]) -> Segment:
        """The finished segment."""
        operand_count, operands = self._operands.by_owner(self.rows)
        demand_count, demands = self._demands.by_owner(self.rows)
        owners, edges = self._edges.matrix()
        return Segment(
            self.rows,
            self.commands,
            shapes,
            operand_count,
            operands,
            np.concatenate([owners[None, :], edges]),
            demand_count,
            demands,
        )
