"""Dependencies and port demands, derived from what commands do to memory.

A command reads bytes after whoever wrote them has ended (DATA), overwrites them after whoever read
them has let go of them (SLOT), and writes over a write after that has ended (DATA). An edge that a
command already knows of, from its queue, its unit or another edge, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.formats import get
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.passes import Carried, add_up, collect, index_ends, locate, places
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
    copy_cells,
    count_cells,
    scan,
)
from accelsim.program.table import (
    Demands,
    Dependencies,
    MemoryRow,
    PortRow,
    Program,
    ResidentRow,
    TensorRow,
    UnitRow,
    plain_int64,
)

Ints = NDArray[np.int64]
READ, WRITE = int(Access.READ), int(Access.WRITE)
MOST = 100  # findings that are noted
SUMMING = {Opcode.MATMUL, Opcode.MVM}  # whose units add to sums that they hold
WHOLE, UNBOUNDED = -1, 1 << 61  # mask of a ring that holds every row; a command memory that does
MANY_UNITS, HUBS = 32, 8  # above so many units only the busiest ones are followed at first


def dependencies(program: Program, lag: Ints) -> Dependencies:
    """Every edge that a Program needs and does not follow from others. lag: as hazards.derived() takes it."""
    walk = Walk(touches_of(program), lag, ahead=program.commands_ahead)
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
    columns = (
        o.start,
        o.memory,
        o.access,
        o.bytes,
        *memory_ports(program.ports, program.memories),
        np.zeros(ports),
    )
    fast = jit.fits(add_up, (), len(program), jit.COMMANDS_ABOVE)
    ready: list[Any] = plain_int64(*columns) if fast else [c.astype(int).tolist() for c in columns]
    most = 2 * len(o.memory)
    made = [np.empty(n, np.int64) if fast else [0] * n for n in (len(o.start), most, most)]
    count = (jit.compiled(add_up) if fast else add_up)(Carried(*ready[:4]), *ready[4:], *made)
    start, port, size = made
    return Demands(*(np.array(column, np.int64) for column in (start, port[:count], size[:count])))


def memory_ports(ports: Sequence[PortRow], memories: Sequence[MemoryRow]) -> tuple[Ints, Ints]:
    """The port rows that each memory is read and written through, -1 for none."""
    names = {port.name: number for number, port in enumerate(ports)}
    read, write = (
        np.array(
            [names.get(f"{m.name}.{side}", names.get(f"{m.name}.port", -1)) for m in memories],
            np.int64,
        )
        for side in ("read", "write")
    )
    return read, write


def roots_of(tensors: Sequence[TensorRow]) -> Ints:
    """The tensor version that each tensor row is a view of, all views followed."""
    root: list[int] = []
    for seen in range(len(tensors)):
        while tensors[seen].view_of >= 0:
            seen = tensors[seen].view_of
        root.append(seen)
    return np.array(root, np.int64)


def region_tensors(program: Program) -> Ints:
    """Tensor row of each operand, for comparing regions; a number of its own for operands whose
    footprint is a whole tensor but whose region is a part of it (off-chip tensors, of which each DMA engine writes
    a share), and for those inside a tensor's home on chip, where addresses tell regions."""
    o = program.operands
    elements = np.array([prod(t.shape) for t in program.tensors], np.int64)
    bits = np.array([get(t.format).bits for t in program.tensors], np.int64)
    inside = o.extent[:, 0].copy()
    for axis in range(1, o.extent.shape[1]):
        inside *= o.extent[:, axis]
    part = inside < elements[o.tensor]
    part &= (o.span >= -(-elements * bits // 8)[o.tensor]) | _at_home(program)
    part |= inside_homes(program)
    return np.where(part, -1 - np.arange(len(part)), o.tensor)


def _at_home(program: Program) -> NDArray[np.bool_]:
    """Which operands LOADs fetch and STOREs leave at home, sums apart, which lie there tile by tile."""
    o, owner = program.operands, np.repeat(np.arange(len(program)), np.diff(program.operands.start))
    opcode = program.commands.opcode[owner]
    far = ((opcode == Opcode.LOAD) & (o.access == READ)) | (
        (opcode == Opcode.STORE) & (o.access == WRITE)
    )
    sums = np.array([tensor.view == "sums" for tensor in program.tensors], np.bool_)
    return np.asarray(far & ~sums[o.tensor], np.bool_)


def inside_homes(program: Program) -> NDArray[np.bool_]:
    """Which operands lie in their tensor's home on chip: a resident that is there neither at the start nor at the
    end."""
    o, root = program.operands, roots_of(program.tensors)
    homes = [one for one in program.residents if not (one.at_start or one.at_end)]
    memory, low, high = np.full((3, len(program.tensors)), -1, np.int64)
    for home in homes:
        own = root[home.tensor]
        memory[own], low[own], high[own] = home.memory, home.address, home.address + home.span
    of = root[o.tensor]
    inside = (o.memory == memory[of]) & (o.address >= low[of])
    return np.asarray(inside & (o.address + o.span <= high[of]), np.bool_)


def widest(memories: tuple[MemoryRow, ...]) -> int:
    """Bytes that one memory's addresses are given in numbers over all memories."""
    wide = 1 + max([memory.bytes for memory in memories] or [0])
    return 1 << 40 if wide * max(1, len(memories)) > 1 << 62 else wide


class Touches(NamedTuple):
    """What commands touch, as a walk reads it. unit, queue: of each command; units: what those are. start .. extent:
    of operands as shadow.Operands, but that low and high are bytes, counted through all memories, and that
    those of ``residents`` stand behind the operands'. rank: numbers of offset and extent of each operand. root:
    of residents the tensor version that each is of; at_start: whether it is there at the start."""

    units: tuple[UnitRow, ...]
    unit: Ints
    queue: Ints
    start: Ints
    root: Ints
    number: Ints
    access: Ints
    low: Ints
    high: Ints
    offset: Ints
    extent: Ints
    rank: int
    resident: Ints
    at_start: list[bool]


def touches_of(program: Program) -> Touches:
    """What a Program's commands touch."""
    c, o, root = program.commands, program.operands, roots_of(program.tensors)
    low, high = footprints(program.residents, widest(program.memories))
    below = o.memory * widest(program.memories) + o.address
    count = len(o.tensor)
    return Touches(
        program.units,
        c.unit,
        c.queue,
        o.start,
        root[o.tensor] if count else o.tensor,
        region_tensors(program) if count else o.tensor,
        o.access,
        np.concatenate([below, low]),
        np.concatenate([below + o.span, high]),
        o.offset.ravel(),
        o.extent.ravel(),
        o.offset.shape[1],
        root[[resident.tensor for resident in program.residents]],
        [resident.at_start for resident in program.residents],
    )


def footprints(residents: tuple[ResidentRow, ...], wide: int) -> tuple[Ints, Ints]:
    """First byte of each resident, and the one behind it, counted through all memories. wide: widest()."""
    low = np.array([r.memory * wide + r.address for r in residents], np.int64)
    return low, low + np.array([r.span for r in residents], np.int64)


def in_segments(low: Ints, high: Ints, fast: bool) -> tuple[Ints, Ints, int]:
    """Ranges of bytes as ranges of elementary segments, low and high, and how many segments there are."""
    if not fast:
        edges = np.unique(np.concatenate([low, high]))
        found = edges.searchsorted(np.concatenate([low, high])).astype(np.int64)
        return found[: len(low)], found[len(low) :], len(edges)
    room, count = 4096, -1
    while count < 0:
        table, ends = np.full(4 * room, -1, np.int64), np.empty(room, np.int64)
        count = jit.compiled(collect)(low, high, table, ends, 0)
        room *= 4
    edges, index = np.sort(ends[:count]), np.empty_like(table)
    places_of = np.empty((2, len(low)), np.int64)
    jit.compiled(index_ends)(edges, table, index)
    for values, out in zip((low, high), places_of, strict=True):
        jit.compiled(locate)(values, table, index, out)
    return places_of[0], places_of[1], count


class Ends:
    """Ends of footprints as they come, then where they are among the sorted ones: in_segments() by and by."""

    def __init__(self, fast: bool) -> None:
        self.fast, self.count = fast, 0
        self.found, self.table = np.empty(1024, np.int64), np.full(4096, -1, np.int64)
        self.index: Any = {}

    def note(self, low: Any, high: Any) -> None:
        """Ends of more footprints."""
        if not self.fast:
            self.index.update(dict.fromkeys([*low, *high]))
            return
        kernel, need = jit.compiled(collect), self.count + 2 * len(low)
        if need > len(self.found):
            old, room = self.found[: self.count], 1 << need.bit_length()
            self.found, self.table = np.empty(room, np.int64), np.full(4 * room, -1, np.int64)
            kernel(old, old, self.table, self.found, 0)
        self.count = kernel(low, high, self.table, self.found, self.count)

    def settle(self) -> int:
        """No more will come; how many there are."""
        if not self.fast:
            self.index = {end: place for place, end in enumerate(sorted(self.index))}
            return len(self.index)
        self.found, self.index = np.sort(self.found[: self.count]), np.empty_like(self.table)
        jit.compiled(index_ends)(self.found, self.table, self.index)
        return self.count

    def places(self, ends: Any) -> Any:
        """Segments that begin at these ends."""
        if not self.fast:
            return [self.index[end] for end in ends]
        found = np.empty(len(ends), np.int64)
        jit.compiled(locate)(ends, self.table, self.index, found)
        return found


def streams(seen: Touches, fast: bool) -> tuple[Ints, Ints, Ints, Ints]:
    """Commands of one unit from one queue issue and are released in order, and are a stream: the number of each
    command's, the unit of each stream, the place of each command in its own, and how many a stream has."""
    stream, unit_of = seen.unit, np.arange(len(seen.units), dtype=np.int64)
    while True:
        place, many = np.zeros(len(stream), np.int64), np.zeros(len(unit_of), np.int64)
        columns = (stream, seen.queue, place, np.full(len(unit_of), -1, np.int64), many)
        made: Any = columns if fast else [column.tolist() for column in columns]
        if (jit.compiled(places) if fast else places)(*made):
            return stream, unit_of, np.asarray(made[2], np.int64), np.asarray(made[4], np.int64)
        queues = 1 + int(seen.queue.max(initial=0))
        found, stream = np.unique(seen.unit * queues + seen.queue, return_inverse=True)
        stream, unit_of = stream.astype(np.int64), found // queues


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


Runs = tuple[list[int], list[int]]  # first segments, and those behind the last


def busiest(many: Ints) -> Ints:
    """Hub number of each stream: of all where they are few, else of those with the most commands; -1 for the others.
    many: commands of each."""
    units = len(many)
    if units <= MANY_UNITS:
        return np.arange(units, dtype=np.int64)
    hub = np.full(units, -1, np.int64)
    hub[np.argsort(-many, kind="stable")[:HUBS]] = np.arange(HUBS)
    return hub


def summing(units: Sequence[UnitRow]) -> Ints:
    """Which units add to sums that they hold (1)."""
    return np.array([bool(SUMMING & set(unit.opcodes)) for unit in units], np.int64)


class Walk:
    """What commands touch, as scan() takes it. lag: as hazards.derived() takes it. stated: edges that are followed,
    none where they are derived. ahead: Program.commands_ahead."""

    def __init__(
        self, seen: Touches, lag: Ints, stated: Dependencies | None = None, ahead: int = 0
    ) -> None:
        self.seen, self.most = seen, 64 + len(seen.root)  # edges, as a rule
        self.ahead = ahead
        self.fast = jit.fits(scan, HELPERS, len(seen.unit), jit.COMMANDS_ABOVE)
        low, high, self.segments = in_segments(seen.low, seen.high, self.fast)
        count = len(seen.root)
        self.resident_runs = low[count:].tolist(), high[count:].tolist()
        stream, self.unit_of, place, self.many = streams(seen, self.fast)
        edges = (np.zeros(len(seen.start), np.int64), *(np.zeros(0, np.int64),) * 2)
        if stated is not None:
            edges = (stated.start, stated.predecessor, stated.kind)
        self.stated = Stated(*self._ready(*plain_int64(seen.queue, *edges)))
        sums = summing(seen.units)[self.unit_of]
        self.commands = self._ready(*plain_int64(stream, place, lag, sums))
        columns = (seen.start, seen.root, seen.number, seen.access, low[:count], high[:count])
        regions = (seen.offset, seen.extent)
        made = self._ready(*plain_int64(*columns, *regions))
        self.operands = Operands._make((*made, seen.rank))

    def busiest(self) -> Ints:
        """Hub number of each stream."""
        return busiest(self.many)

    def run(self, hub: Ints, most: int, derive: bool) -> Result:
        """Follow the streams that ``hub`` numbers. most: room for edges, which get more when they need it."""
        seen = self.seen
        queues = 1 + int(seen.queue.max(initial=0))
        shadow = Shadow(self.fast, derive, self._segments(), queues)
        shadow.follow(self.commands, hub, len(seen.unit), WHOLE, self.ahead)
        shadow.room(len(seen.root) + 1024, most if derive else 0)
        shadow.over(self.stated, self.operands, 0)
        return Result(_listed(shadow.state.faults), _listed(shadow.state.edges), shadow.held())

    def _segments(self) -> Segments:
        """The segments of all memories before the first command."""
        return segments_of(self.segments, self.seen, self.resident_runs, self.fast)

    def _ready(self, *columns: Any) -> list[Any]:
        """Columns as arrays for machine code, as lists for plain Python."""
        return list(columns) if self.fast else [column.tolist() for column in columns]


def segments_of(count: int, seen: Touches, runs: Runs, fast: bool) -> Segments:
    """So many elementary segments of all memories before the first command. runs: of the residents of ``seen``."""
    end = np.arange(1, count + 1)
    writer, holder = np.full((2, count), NONE)
    for root, at_start, a, b in zip(seen.resident.tolist(), seen.at_start, *runs, strict=True):
        if at_start:
            writer[a:b], holder[a:b] = RESIDENT, root
    none, owned = np.full(count, -1), np.zeros(count, np.int64)
    columns = (end, writer, none.copy(), holder, none, owned)
    return Segments(*(columns if fast else [column.tolist() for column in columns]))


class Shadow:
    """The walk's State. fast: arrays, for machine code. queues: how many."""

    def __init__(self, fast: bool, derive: bool, segments: Segments, queues: int) -> None:
        self.fast, self.derive, self.segments, self.queues = fast, derive, segments, queues

    def follow(self, columns: Sequence[Any], hub: Ints, rows: int, mask: int, ahead: int) -> None:
        """Rows are known in a ring of so many. columns: the first four of Known. hub: number of each stream."""
        units, hubs = len(hub), int(hub.max(initial=-1)) + 1
        table = np.empty(2 * hubs * rows, np.int32) if self.fast else [0] * (2 * hubs * rows)
        numbered: Any = hub if self.fast else hub.tolist()
        empty, full = self._room, self._full
        self.state = State(
            Last(full(self.queues, -1), full(units, -1)),
            self.segments,
            Readers(empty(0), empty(0), empty(0), full(1)),
            Known._make(
                (
                    *columns,
                    table,
                    hubs,
                    numbered,
                    full(units),
                    full(units),
                    mask,
                    ahead or UNBOUNDED,
                )
            ),
            Needs(
                full(units),
                full(units, -1),
                full(units),
                full(units, -1),
                full(1),
                int(self.derive),
            ),
            self._found(MOST),
            self._found(0),
            full(2),
        )

    def room(self, cells: int, edges: int) -> None:
        """Room for so many cells of readers and edges, those of now among them."""
        state = self.state
        gone = state.at[0] - state.known.ahead
        counting, copying = (
            (jit.compiled(f) if self.fast else f) for f in (count_cells, copy_cells)
        )
        used = counting(state.segments, state.readers, gone)
        rooms = (self._room(max(cells, used)) for _ in range(3))
        readers = Readers._make((*rooms, self._full(1)))
        copying(state.segments, state.readers, readers, gone)
        found = self._found(max(edges, int(state.edges.used[0])))
        for old, new in zip(state.edges, found, strict=True):
            new[: len(old)] = old
        self.state = state._replace(readers=readers, edges=found)

    def over(self, stated: Stated, operands: Operands, first: int) -> None:
        """Walk over the next columns. first: the number of their first row."""
        kernel = jit.compiled(scan, HELPERS) if self.fast else scan
        while not kernel(stated, operands, self.state, first):
            at, state = self.state.at, self.state
            x = int(at[0]) - first
            here = range(operands.start[x], operands.start[x + 1])
            need = sum(max(0, int(operands.high[j]) - int(operands.low[j])) for j in here)
            cells, edges = len(state.readers.row), len(state.edges.row)
            self.room(max(2 * need, cells), edges)
            if 2 * (int(self.state.readers.used[0]) + need) > len(self.state.readers.row):
                self.room(2 * cells + 4 * need, edges)
            if at[1]:
                self.room(cells, 2 * edges + 2 * int(state.needs.used[0]))

    def held(self) -> Ints:
        """The tensor in every segment."""
        begins, holder = (np.asarray(c) for c in (self.segments.end, self.segments.holder))
        begins = np.where(begins != 0, np.arange(len(begins)), 0)
        return np.asarray(holder[np.maximum.accumulate(begins)], np.int64)

    def _full(self, size: int, value: int = 0) -> Any:
        return np.full(size, value, np.int64) if self.fast else [value] * size

    def _room(self, size: int) -> Any:
        return np.empty(size, np.int64) if self.fast else [0] * size

    def _found(self, size: int) -> Found:
        return Found._make((*(self._room(size) for _ in range(3)), self._full(1)))


def _listed(found: Found) -> Listed:
    """What was found, without the room for more."""
    columns = (found.row, found.kind, found.earlier)
    return Listed(*(np.array(column[: found.used[0]], np.int64) for column in columns))
