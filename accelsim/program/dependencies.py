"""Dependencies and port demands, derived from what commands do to memory.

A command reads bytes after whoever wrote them has ended (DATA), overwrites them after whoever read
them has let go of them (SLOT), and writes over a write after that has ended (DATA). An edge that a
command already knows of, from its queue, its unit or another edge, is left out.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.formats import get
from accelsim.program.opcodes import Opcode
from accelsim.program.passes import Carried, add_up, collect, locate, places
from accelsim.program.shadow import (
    HELPERS,
    NONE,
    RESIDENT,
    SLOT,
    Found,
    Known,
    Last,
    Needs,
    Operands,
    Readers,
    Segments,
    State,
    Stated,
    scan,
)
from accelsim.program.table import Demands, Dependencies, Program, plain_int64

Ints = NDArray[np.int64]
MOST = 100  # findings that are noted
SUMMING = {Opcode.MATMUL, Opcode.MVM}  # whose units add to sums that they hold
MANY_UNITS, HUBS = 32, 8  # above so many units only the busiest ones are followed at first


def dependencies(program: Program, lag: Ints) -> Dependencies:
    """Every edge that a Program needs and does not follow from others. lag: as hazards.derived() takes it."""
    walk = Walk(program, lag, stated=False)
    return dependencies_of(walk.run(walk.busiest(), walk.most, derive=True).edges, lag)


def dependencies_of(edges: Listed, lag: Ints) -> Dependencies:
    """Edges of a walk as a table."""
    row, kind, earlier = edges
    start = np.zeros(len(lag) + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=len(lag)), out=start[1:])
    return Dependencies(start, earlier, kind, np.where(kind == SLOT, lag[row], 0))


def demands(program: Program) -> Demands:
    """Bytes that each command moves through each port: its operands' on their memories' ports."""
    o, ports = program.operands, max(1, len(program.ports))
    columns = (o.start, o.memory, o.access, o.bytes, *memory_ports(program), np.zeros(ports))
    fast = jit.fits(add_up, (), len(program), jit.COMMANDS_ABOVE)
    ready: list[Any] = plain_int64(*columns) if fast else [c.astype(int).tolist() for c in columns]
    most = 2 * len(o.memory)
    made = [np.empty(n, np.int64) if fast else [0] * n for n in (len(o.start), most, most)]
    count = (jit.compiled(add_up) if fast else add_up)(Carried(*ready[:4]), *ready[4:], *made)
    start, port, size = made
    return Demands(*(np.array(column, np.int64) for column in (start, port[:count], size[:count])))


def memory_ports(program: Program) -> tuple[Ints, Ints]:
    """The port rows that each memory is read and written through, -1 for none."""
    names = {port.name: number for number, port in enumerate(program.ports)}
    read, write = (
        np.array(
            [
                names.get(f"{m.name}.{side}", names.get(f"{m.name}.port", -1))
                for m in program.memories
            ],
            np.int64,
        )
        for side in ("read", "write")
    )
    return read, write


def roots(program: Program) -> Ints:
    """The tensor version that each tensor row is a view of, all views followed."""
    root = []
    for seen in range(len(program.tensors)):
        while program.tensors[seen].view_of >= 0:
            seen = program.tensors[seen].view_of
        root.append(seen)
    return np.array(root, np.int64)


def region_tensors(program: Program) -> Ints:
    """Tensor row of each operand, for comparing regions; a number of its own for operands whose
    footprint is a whole tensor but whose region is a part of it (off-chip tensors)."""
    o = program.operands
    elements = np.array([prod(t.shape) for t in program.tensors], np.int64)
    bits = np.array([get(t.format).bits for t in program.tensors], np.int64)
    inside = o.extent[:, 0].copy()
    for axis in range(1, o.extent.shape[1]):
        inside *= o.extent[:, axis]
    part = inside < elements[o.tensor]
    part &= o.span >= -(-elements * bits // 8)[o.tensor]
    return np.where(part, -1 - np.arange(len(part)), o.tensor)


def footprints(program: Program, fast: bool) -> tuple[Ints, Ints, int]:
    """Every operand's bytes as a range of elementary segments, then every resident's: low, high; and
    how many segments there are."""
    o, kept = program.operands, program.residents
    wide = 1 + max([memory.bytes for memory in program.memories] or [0])
    if wide * max(1, len(program.memories)) > 1 << 62:
        wide = 1 << 40
    low = np.concatenate([o.address, np.array([r.address for r in kept], np.int64)])
    low += np.concatenate([o.memory, np.array([r.memory for r in kept], np.int64)]) * wide
    high = low + np.concatenate([o.span, np.array([r.span for r in kept], np.int64)])
    if not fast:
        edges = np.unique(np.concatenate([low, high]))
        places_of = edges.searchsorted(np.concatenate([low, high])).astype(np.int64)
        return places_of[: len(low)], places_of[len(low) :], len(edges)
    room, count = 4096, -1
    while count < 0:
        table, ends = np.full(4 * room, -1, np.int64), np.empty(room, np.int64)
        count = jit.compiled(collect)(low, high, table, ends)
        room *= 4
    edges, index = np.sort(ends[:count]), np.empty_like(table)
    found = np.empty((2, len(low)), np.int64)
    for values, out in zip((low, high), found, strict=True):
        jit.compiled(locate)(values, edges, table, index, out)
    return found[0], found[1], count


class Listed(NamedTuple):
    """Findings, or edges, as shadow.Found."""

    row: Ints
    kind: Ints
    earlier: Ints


class Result(NamedTuple):
    """What a walk found: faults, at most MOST, and edges. held: the tensor in every segment at the end."""

    faults: Listed
    edges: Listed
    held: Ints


class Walk:
    """A Program's columns as scan() takes them. stated: whether its own edges are followed."""

    def __init__(self, program: Program, lag: Ints, stated: bool) -> None:
        self.program, self.most = program, 64 + len(program.operands.tensor)  # edges, as a rule
        c, o, d = program.commands, program.operands, program.dependencies
        self.fast = jit.fits(scan, HELPERS, len(program), jit.COMMANDS_ABOVE)
        self.root = roots(program)
        low, high, self.segments = footprints(program, self.fast)
        count, units = len(o.tensor), len(program.units)
        self.resident_runs = low[count:].tolist(), high[count:].tolist()
        place, self.alone = np.zeros(len(program), np.int64), np.ones(units, np.int64)
        seen = plain_int64(c.unit, c.queue) if self.fast else (c.unit.tolist(), c.queue.tolist())
        first, many = np.full(units, -1, np.int64), np.zeros(units, np.int64)
        numbering = jit.compiled(places) if self.fast else places
        numbering(seen[0], seen[1], place, self.alone, first, many)
        none = np.zeros(len(program) + 1, np.int64)
        stated_edges = (d.start, d.predecessor, d.kind) if stated else (none, none[:0], none[:0])
        self.stated = Stated(*self._ready(*plain_int64(c.queue, *stated_edges)))
        adds = [bool(SUMMING & set(unit.opcodes)) for unit in program.units]
        sums = np.array(adds, np.int64).reshape(units)
        self.commands = self._ready(*plain_int64(c.unit, place, lag, self.alone, sums))
        columns = (
            o.start,
            self.root[o.tensor] if count else o.tensor,
            region_tensors(program) if count else o.tensor,
            o.access,
            low[:count],
            high[:count],
            o.offset.ravel(),
            o.extent.ravel(),
        )
        self.operands = Operands._make((*self._ready(*plain_int64(*columns)), o.offset.shape[1]))

    def busiest(self) -> Ints:
        """Hub number of each unit: of all where they are few, else of those with the most commands; -1
        for the others."""
        units = len(self.program.units)
        if units <= MANY_UNITS:
            return np.arange(units, dtype=np.int64)
        count = np.bincount(self.program.commands.unit, minlength=units)
        hub = np.full(units, -1, np.int64)
        hub[np.argsort(-count, kind="stable")[:HUBS]] = np.arange(HUBS)
        return hub

    def run(self, hub: Ints, most: int, derive: bool) -> Result:
        """Follow the units that ``hub`` numbers. most: room for edges, which get more when they need it."""
        cells = len(self.program.operands.tensor) + 1024
        while True:
            state = self._start(hub, cells, most, derive)
            kernel = jit.compiled(scan, HELPERS) if self.fast else scan
            if kernel(self.stated, self.operands, state):
                break
            cells, most = 4 * cells, 4 * most if derive else most
        begins, holder = np.asarray(state.segments.end), np.asarray(state.segments.holder)
        begins = np.where(begins != 0, np.arange(self.segments), 0)
        return Result(
            _listed(state.faults), _listed(state.edges), holder[np.maximum.accumulate(begins)]
        )

    def _start(self, hub: Ints, cells: int, most: int, derive: bool) -> State:
        """Before the first command. cells, most: room for readers of runs, and for edges."""
        p, units, hubs = self.program, len(self.program.units), int(hub.max(initial=-1)) + 1

        def full(size: int, value: int = 0, dtype: type = np.int64) -> Any:
            return np.full(size, value, dtype) if self.fast else [value] * size

        def room(size: int) -> Any:
            return np.empty(size, np.int64) if self.fast else [0] * size

        def found(size: int) -> Found:
            return Found(room(size), room(size), room(size), full(1))

        table = full(2 * hubs * len(p), dtype=np.int32)
        return State(
            Last(full(max(1, len(p.queues)), -1), full(units, -1)),
            self._segments(),
            Readers(room(cells), room(cells), room(cells), full(1)),
            Known._make((*self.commands, table, hubs, *self._ready(hub), full(units), full(units))),
            Needs(full(units), full(units, -1), full(units), full(units, -1), full(1), int(derive)),
            found(MOST),
            found(most if derive else 0),
        )

    def _segments(self) -> Segments:
        """The segments of all memories before the first command."""
        end = np.arange(1, self.segments + 1)
        writer, holder = np.full((2, self.segments), NONE)
        for resident, a, b in zip(self.program.residents, *self.resident_runs, strict=True):
            if resident.at_start:
                writer[a:b], holder[a:b] = RESIDENT, self.root[resident.tensor]
        none, owned = np.full(self.segments, -1), np.zeros(self.segments, np.int64)
        return Segments(*self._ready(end, writer, none.copy(), holder, none, owned))

    def _ready(self, *columns: Any) -> list[Any]:
        """Columns as arrays for machine code, as lists for plain Python."""
        return list(columns) if self.fast else [column.tolist() for column in columns]


def _listed(found: Found) -> Listed:
    """What was found, without the room for more."""
    columns = (found.row, found.kind, found.earlier)
    return Listed(*(np.array(column[: found.used[0]], np.int64) for column in columns))
