"""Segments: the commands of one operator in columns, still relative to its first row.

Local tensor numbers are positions in the segment's tensor list, DRAM addresses are relative to
their tensor, dependencies name local rows. program.py (compile) relocates and joins segments.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Value = Ints | int

COMMAND_COLUMNS = ("opcode", "unit", "shape", "flags")
OPERAND_COLUMNS = ("tensor", "memory", "address", "span", "bytes", "access", "format")


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
    """One operator's commands. Columns as in program.table; see the module's note."""

    rows: int
    commands: dict[str, Ints]
    shapes: dict[str, Ints]
    operand_start: Ints
    operands: dict[str, Ints]
    edge_rows: Ints
    edges: dict[str, Ints]
    demand_start: Ints
    demands: dict[str, Ints]
    entries: list[Entry] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    reads: dict[int, int] = field(default_factory=dict)  # local tensor -> first row that loads it
    last_store: int = -1
    preloads: int = 0


def _fill(start: Ints, groups: list[tuple[Ints, dict[str, Value]]], names: tuple[str, ...]) -> dict[str, Ints]:
    total = int(start[-1])
    columns = {name: np.zeros(total, np.int64) for name in names}
    filled = np.zeros(len(start) - 1, np.int64)
    for rows, values in groups:
        where = start[rows] + filled[rows]
        filled[rows] += 1
        for name, value in values.items():
            columns[name][where] = value
    return columns


def _starts(rows: int, groups: list[tuple[Ints, dict[str, Value]]]) -> Ints:
    counts = np.zeros(rows + 1, np.int64)
    for owners, _ in groups:
        counts[1:][owners] += 1
    return np.cumsum(counts, out=counts)


class Assembler:
    """Collects groups of rows (each row at most once a group) and builds a Segment."""

    def __init__(self, rows: int, rank: int) -> None:
        self.rows = rows
        self.rank = rank
        self.columns = {name: np.zeros(rows, np.int64) for name in COMMAND_COLUMNS}
        self._operands: list[tuple[Ints, dict[str, Value]]] = []
        self._demands: list[tuple[Ints, dict[str, Value]]] = []
        self._edges: list[tuple[Ints, Ints, int, int]] = []
        self._names = OPERAND_COLUMNS + tuple(
            f"{kind}{axis}" for kind in ("offset", "extent") for axis in range(rank)
        )

    def command(self, rows: Ints, opcode: int, unit: Value, shape: Value, flags: Value = 0) -> None:
        """Set the command columns of those rows; ``shape`` is a local shape row."""
        for name, value in zip(COMMAND_COLUMNS, (opcode, unit, shape, flags), strict=True):
            self.columns[name][rows] = value

    def operand(self, rows: Ints, *, tensor: Value, memory: Value, address: Value, span: Value,
                bytes: Value, access: Value, format: Value,
                region: tuple[tuple[Value, Value], ...]) -> None:  # fmt: skip
        """One operand on each of those rows; region: (offset, extent) per dimension."""
        values: dict[str, Value] = {
            "tensor": tensor, "memory": memory, "address": address, "span": span,
            "bytes": bytes, "access": access, "format": format,
        }  # fmt: skip
        for axis in range(self.rank):
            low, size = region[axis] if axis < len(region) else (0, 1)
            values[f"offset{axis}"] = low
            values[f"extent{axis}"] = size
        self._operands.append((rows, values))

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
            self._demands.append((rows, {"port": port, "bytes": bytes}))

    def depend(self, rows: Ints, predecessor: Ints, kind: int, lag: int = 0) -> None:
        """An edge on each row; rows whose predecessor is negative get none."""
        keep = predecessor >= 0
        if not keep.all():
            rows, predecessor = rows[keep], predecessor[keep]
        if len(rows):
            self._edges.append((rows, predecessor, kind, lag))

    def build(self, shapes: dict[str, Ints]) -> Segment:
        """The finished segment."""
        operand_start = _starts(self.rows, self._operands)
        demand_start = _starts(self.rows, self._demands)
        edges = self._edges
        rows = np.concatenate([e[0] for e in edges]) if edges else np.zeros(0, np.int64)
        columns = {
            "predecessor": np.concatenate([e[1] for e in edges]) if edges else rows,
            "kind": np.repeat([e[2] for e in edges], [len(e[0]) for e in edges]).astype(np.int64),
            "lag": np.repeat([e[3] for e in edges], [len(e[0]) for e in edges]).astype(np.int64),
        }
        return Segment(
            self.rows, self.columns, shapes, operand_start,
            _fill(operand_start, self._operands, self._names), rows, columns, demand_start,
            _fill(demand_start, self._demands, ("port", "bytes")),
        )  # fmt: skip
