"""Programs written by hand, command by command: for probes, tests and new kinds of chip.

The mapping emits columns instead (a loop over rows is some hundred times slower).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX, get
from accelsim.program.opcodes import Access, Arbiter, Edge, Flag, Opcode, Served
from accelsim.program.table import (
    MAX_EXTENTS,
    BlockRow,
    Commands,
    Demands,
    Dependencies,
    MemoryRow,
    Operands,
    PortRow,
    Program,
    QueueRow,
    ResidentRow,
    Shapes,
    TensorRow,
    UnitRow,
    column_names,
)

Ints = NDArray[np.int64]
LEAST_RANK = 4


@dataclass(frozen=True, slots=True)
class Part:
    """A region of a tensor in a memory: ``region`` gives (offset, extent) per dimension, default
    all of it. address: its first byte. span: bytes from there that it occupies, default packed.
    format: default the tensor's own."""

    tensor: int
    memory: int
    address: int = 0
    region: tuple[tuple[int, int], ...] = ()
    span: int = -1
    format: str = ""


@dataclass(frozen=True, slots=True)
class After:
    """A dependency on an earlier command: its row, the Edge kind, and the lag in ticks."""

    row: int
    kind: Edge = Edge.DATA
    lag: int = 0


@dataclass(slots=True)
class ProgramBuilder:
    """Collects tables and commands; ``build`` gives the Program. Every method returns the row."""

    tick_hz: int = 10**12
    units: list[UnitRow] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    queues: list[QueueRow] = field(default_factory=list)
    ports: list[PortRow] = field(default_factory=list)
    memories: list[MemoryRow] = field(default_factory=list)
    tensors: list[TensorRow] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    residents: list[ResidentRow] = field(default_factory=list)
    blocks: list[BlockRow] = field(default_factory=list)
    commands_ahead: int = 0
    _shapes: dict[tuple[int, ...], int] = field(default_factory=dict)
    _commands: list[tuple[int, ...]] = field(default_factory=list)
    _operands: list[list[tuple[Part, Access]]] = field(default_factory=list)
    _edges: list[list[After]] = field(default_factory=list)
    _demands: list[dict[int, int]] = field(default_factory=list)

    def unit(
        self,
        name: str,
        opcodes: Sequence[Opcode],
        *,
        kind: str = "",
        period: int = 1000,
        priority: int = 0,
        serve: str = "",
    ) -> int:
        """A unit and its own queue of the same number. period: ticks a cycle."""
        kind = kind or name
        if kind not in self.kinds:
            self.kinds.append(kind)
        codes = tuple(int(code) for code in opcodes)
        self.units.append(UnitRow(name, self.kinds.index(kind), period, codes, priority, serve))
        while len(self.queues) < len(self.units):
            self.queues.append(QueueRow(name))
        return len(self.units) - 1

    def port(
        self,
        name: str,
        width: int,
        beat: int,
        quantum: int = 8,
        arbiter: Arbiter = Arbiter.ROUND_ROBIN,
    ) -> int:
        """A port of ``width`` bytes every ``beat`` ticks. Named "<memory>.read", "<memory>.write"
        or "<memory>.port" it carries that memory's traffic."""
        self.ports.append(PortRow(name, width, beat, quantum, int(arbiter)))
        return len(self.ports) - 1

    def memory(self, name: str, size: int) -> int:
        """A memory of so many bytes."""
        self.memories.append(MemoryRow(name, size))
        return len(self.memories) - 1

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        format: str = "int8",
        *,
        version: int = 0,
        view_of: int = -1,
        view: str = "",
        operator: int = -1,
        role: str = "intermediate",
    ) -> int:
        """A tensor version, or a view of one."""
        get(format)
        self.tensors.append(
            TensorRow(name, tuple(shape), format, version, view_of, view, operator, role)
        )
        return len(self.tensors) - 1

    def operator(self, name: str) -> int:
        """An operator that commands can belong to."""
        self.operators.append(name)
        return len(self.operators) - 1

    def resident(self, part: Part, *, at_start: bool = True, at_end: bool = True) -> None:
        """A tensor that lies in a memory at the start, at the end, or both."""
        size = self._bytes(part)
        self.residents.append(
            ResidentRow(part.tensor, part.memory, part.address, size, at_start, at_end)
        )

    def command(
        self,
        unit: int,
        opcode: Opcode,
        *,
        extents: Sequence[int] = (),
        reads: Sequence[Part] = (),
        writes: Sequence[Part] = (),
        accumulates: Sequence[Part] = (),
        after: Sequence[After | int] = (),
        flags: Flag = Flag.NONE,
        operator: int = -1,
        queue: int = -1,
        request: int = 0,
        address: int = 0,
        links: dict[int, int] | None = None,
    ) -> int:
        """A command. Operands stand in the order reads, accumulates, writes; traffic goes through
        the ports of their memories, and ``links`` adds bytes on other ports. after: rows (DATA)
        or After. ValueError for a row that is not earlier, or more than eight extents."""
        row = len(self._commands)
        edges = [After(entry) if isinstance(entry, int) else entry for entry in after]
        if any(not 0 <= edge.row < row for edge in edges):
            raise ValueError(f"command {row} can only wait for rows 0..{row - 1}")
        if len(extents) > MAX_EXTENTS:
            raise ValueError(f"command {row} has more than {MAX_EXTENTS} extents")
        parts = [(part, Access.READ) for part in reads]
        parts += [(part, Access.ACCUMULATE) for part in accumulates]
        parts += [(part, Access.WRITE) for part in writes]
        formats = [FORMAT_INDEX[self._format(part)] for part, _ in parts][:3]
        formats += [-1] * (3 - len(formats))
        shape = (
            self.units[unit].kind,
            int(opcode),
            int(flags),
            *formats,
            *extents,
            *[0] * (MAX_EXTENTS - len(extents)),
        )
        number = self._shapes.setdefault(shape, len(self._shapes))
        served = Served.STATEFUL if self.units[unit].serve else Served.COLUMN
        self._commands.append(
            (
                int(opcode),
                unit,
                unit if queue < 0 else queue,
                operator,
                number,
                request,
                int(flags),
                -1,
                int(served),
                address,
            )
        )
        self._operands.append(parts)
        self._edges.append(edges)
        self._demands.append(self._traffic(parts, links or {}))
        return row

    def _format(self, part: Part) -> str:
        return part.format or self.tensors[part.tensor].format

    def _region(self, part: Part) -> tuple[tuple[int, int], ...]:
        return part.region or tuple((0, size) for size in self.tensors[part.tensor].shape)

    def _bytes(self, part: Part) -> int:
        elements = 1
        for _, extent in self._region(part):
            elements *= extent
        return get(self._format(part)).bytes_for(elements)

    def _traffic(self, parts: list[tuple[Part, Access]], links: dict[int, int]) -> dict[int, int]:
        names = {row.name: number for number, row in enumerate(self.ports)}
        moved = dict(links)
        for part, access in parts:
            memory = self.memories[part.memory].name
            sides = {
                Access.READ: ("read",),
                Access.WRITE: ("write",),
                Access.ACCUMULATE: ("read", "write"),
            }[access]
            for side in sides:
                port = names.get(f"{memory}.{side}", names.get(f"{memory}.port"))
                if port is not None:
                    moved[port] = moved.get(port, 0) + self._bytes(part)
        return moved

    def build(self) -> Program:
        """The Program of everything so far."""
        commands = np.array(self._commands, np.int64).reshape(-1, len(fields(Commands))).T
        shapes = np.array(list(self._shapes), np.int64).reshape(-1, 6 + MAX_EXTENTS)
        demands = [(port, size) for row in self._demands for port, size in sorted(row.items())]
        port, size = np.array(demands, np.int64).reshape(-1, 2).T
        edges = [(edge.row, int(edge.kind), edge.lag) for row in self._edges for edge in row]
        past, kind, lag = np.array(edges, np.int64).reshape(-1, 3).T
        return Program(
            Commands(*(column.copy() for column in commands)),
            Shapes(
                extents=shapes[:, 6:].copy(),
                **{name: shapes[:, i].copy() for i, name in enumerate(column_names(Shapes)[:6])},
            ),
            self._operand_table(),
            Dependencies(_starts(self._edges), past.copy(), kind.copy(), lag.copy()),
            Demands(_starts(self._demands), port.copy(), size.copy()),
            tuple(self.units),
            tuple(self.kinds),
            tuple(self.queues),
            tuple(self.ports),
            tuple(self.memories),
            tuple(self.tensors),
            tuple(self.operators),
            self.tick_hz,
            tuple(self.blocks),
            tuple(self.residents),
            commands_ahead=self.commands_ahead,
        )

    def _operand_table(self) -> Operands:
        parts = [entry for row in self._operands for entry in row]
        rank = max([LEAST_RANK, *(len(tensor.shape) for tensor in self.tensors)])
        columns: dict[str, list[int]] = {
            "tensor": [part.tensor for part, _ in parts],
            "memory": [part.memory for part, _ in parts],
            "address": [part.address for part, _ in parts],
            "span": [part.span if part.span >= 0 else self._bytes(part) for part, _ in parts],
            "pitch": [0] * len(parts),
            "bytes": [self._bytes(part) for part, _ in parts],
            "access": [int(access) for _, access in parts],
            "format": [FORMAT_INDEX[self._format(part)] for part, _ in parts],
        }
        offset, extent = (
            np.zeros((len(parts), rank), np.int64),
            np.ones((len(parts), rank), np.int64),
        )
        for number, (part, _) in enumerate(parts):
            for axis, (low, count) in enumerate(self._region(part)):
                offset[number, axis], extent[number, axis] = low, count
        return Operands(
            start=_starts(self._operands),
            offset=offset,
            extent=extent,
            **{name: np.array(column, np.int64) for name, column in columns.items()},
        )


def _starts(rows: Sequence[Sequence[object] | dict[int, int]]) -> Ints:
    return np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
