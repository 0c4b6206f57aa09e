"""The pull engine on rows that pass: a ring of them, from the oldest that has not ended to the last that is known.

As many rows are known as the command memory may hold, and some more; the engine stops where it has to know more.
Rows that have ended, and all before them, are given away in program order, and their places are used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.table import Demands, Dependencies, PortRow, UnitRow
from accelsim.timing.costs import Times
from accelsim.timing.event_state import blank, columns_for
from accelsim.timing.pull import (
    ALL,
    INSIDE,
    KNOWN,
    NEVER,
    NOBODY,
    NOW,
    OLDEST,
    PULLING,
    STATES,
    lay_out,
    of_ports,
    ports_of,
    room,
    run_pull,
    units_of,
)
from accelsim.timing.records import Demanded, Edges, Found, Moves, PullRows, Ring

Ints = NDArray[np.int64]
TICKS = 1_000_000  # to go through in one call


class Static(NamedTuple):
    """Of rows, beside what the engine reads: interval, operator, opcode."""

    interval: Any
    operator: Any
    opcode: Any


class Ended(NamedTuple):
    """Rows that have ended, in program order: as a Timeline's columns, and what they are."""

    unit: Any
    issue: Any
    release: Any
    end: Any
    why: Any
    interval: Any
    operator: Any
    opcode: Any


class Passed(NamedTuple):
    """Rows that come to be known: unit, operator, opcode and times of each, edges and demands of them alone."""

    unit: Ints
    operator: Ints
    opcode: Ints
    times: Times
    edges: Dependencies
    demands: Demands


def bounded(ahead: int, total: int) -> int:
    """Entries of a command memory that a run can fill. ahead: entries that the chip has, 0 for no bound."""
    return max(1, min(ahead, total) if ahead else total)


def ring_size(ahead: int, most: int) -> int:
    """Rows that a ring holds. most: rows that come to be known at once. An edge names a row less than ``ahead`` before
    its own, which is less than that before the last known one."""
    return 1 << (2 * ahead + 4 * most).bit_length()


class RingEngine:
    """One run. user: by port its only unit, or pull.SEVERAL. ahead: entries of the command memory. most: rows that
    come to be known at once. total: rows of the run."""

    def __init__(
        self,
        units: Sequence[UnitRow],
        ports: Sequence[PortRow],
        user: Ints,
        ahead: int,
        most: int,
        total: int,
        fast: bool,
    ) -> None:
        self.fast, self.most, self.total = fast, most, total
        self.ahead = bounded(ahead, total)
        self.size = ring_size(self.ahead, most)
        (numbers,) = columns_for(fast, user)
        self.user, self.units = numbers, units_of(units, fast, len(user))
        self.ports = ports_of(ports, fast, numbers, len(units))
        self.widths = of_ports(ports, fast, "width", "beat")
        self.tail = blank(fast, len(units), NOBODY)
        self.static = Static(*(room(fast, self.size) for _ in Static._fields))
        self.found = Found(*(room(fast, self.size) for _ in Found._fields))
        self.progress = blank(fast, STATES)
        self.rows = self._rows()
        self.edges = self.moves = self.taken = 0  # entries so far, rows given away
        self.kernel = jit.compiled(run_pull, PULLING) if fast else run_pull
        self.lay_out = jit.compiled(lay_out) if fast else lay_out

    def _rows(self) -> PullRows:
        fast, size = self.fast, self.size
        made = [room(fast, size) for _ in range(8)]
        unit, hold, drain, first, later, gone, edge_start, move_start = made
        edge_start[0] = move_start[0] = 0
        ring = Ring(size - 1, size - 1, size - 1, self.ahead)
        edges = Edges(edge_start, *(room(fast, size) for _ in range(3)))
        moves = Moves(move_start, *(room(fast, size) for _ in range(2)))
        return PullRows(unit, hold, drain, first, later, edges, moves, ring, gone)

    @property
    def known(self) -> int:
        """Rows that are known so far."""
        return int(self.progress[KNOWN])

    @property
    def oldest(self) -> int:
        """The first row that has not ended, or not all before it."""
        return int(self.progress[OLDEST])

    def wants(self) -> bool:
        """Whether more rows should come to be known before the engine goes on."""
        return self.known < min(self.total, self.oldest + self.ahead + 2 * self.most)

    def add(self, rows: Passed) -> None:
        """More rows come to be known, at most ``most``."""
        begin, count, r = self.known, len(rows.unit), self.rows
        times = rows.times
        issued = np.full(count, -1, np.int64)
        for ring, values in (
            (r.unit, rows.unit),
            (r.hold, times.interval),
            (r.drain, times.last - times.interval),
            (r.first, times.first),
            (self.static.interval, times.interval),
            (self.static.operator, rows.operator),
            (self.static.opcode, rows.opcode),
            (self.found.issue, issued),
            (self.found.release, issued),
        ):
            self._put(ring, begin, values)
        self._add_edges(begin, rows.edges)
        carried = columns_for(self.fast, rows.demands.start, rows.demands.port, rows.demands.bytes)
        self.moves += len(rows.demands.port)  # at most
        self._make_room_for_moves()
        demanded = Demanded(*carried, *self.widths)
        self.lay_out(self.rows, demanded, self.user, self.units, self.tail, begin)
        self.moves = int(self.rows.moves.start[(begin + count) & self.rows.ring.row])
        self.progress[KNOWN] = begin + count
        self.progress[ALL] = int(begin + count == self.total)

    def run(self) -> None:
        """Go on to the end, or to where more must be known."""
        while self.progress[NOW] != NEVER:
            self.kernel(TICKS, self.rows, self.units, self.ports, self.found, self.progress)
            if self.progress[INSIDE]:
                return
        if self.oldest != self.total:
            raise RuntimeError(f"{self.total - self.oldest} commands never became ready")

    @property
    def over(self) -> bool:
        """Whether all rows have ended."""
        return self.oldest == self.total

    def until(self) -> int:
        """Of rows that have not been given away none issues before this tick."""
        now = int(self.progress[NOW])
        for part in self._parts(self.taken, self.known):
            issue = np.asarray(self.found.issue[part], np.int64)
            now = min(now, int(issue[issue >= 0].min(initial=NEVER)))
        return now

    def ended(self) -> Iterator[Ended]:
        """The rows that have ended since the last time; their places are used again."""
        oldest = self.oldest
        for part in self._parts(self.taken, oldest):
            f, s = self.found, self.static
            columns = (self.rows.unit, f.issue, f.release, f.end, f.why, *s)
            yield Ended(*(column[part] for column in columns))
        self.taken = oldest

    def _parts(self, begin: int, stop: int) -> Iterator[slice]:
        """Where rows begin .. stop lie."""
        while begin < stop:
            at = begin & (self.size - 1)
            count = min(stop - begin, self.size - at)
            yield slice(at, at + count)
            begin += count

    def _put(self, ring: Any, begin: int, values: Ints) -> None:
        """Write one value a row."""
        put(ring, begin, values, self.fast)

    def _add_edges(self, begin: int, e: Dependencies) -> None:
        """Edges of the next rows."""
        more = len(e.kind)
        old = self.rows.edges
        live = self.edges - int(old.start[self.taken & (self.size - 1)])
        size = roomier(len(old.row), live + more)
        if size != len(old.row):
            kept = (moved(c, self.edges - live, self.edges, size, self.fast) for c in old[1:])
            self.rows = self.rows._replace(
                edges=Edges(old.start, *kept), ring=self.rows.ring._replace(edge=size - 1)
            )
        edges = self.rows.edges
        self._put(edges.start, begin + 1, e.start[1:] + self.edges)
        for ring, values in zip(edges[1:], (e.predecessor, e.kind, e.lag), strict=True):
            put(ring, self.edges, values, self.fast)
        self.edges += more

    def _make_room_for_moves(self) -> None:
        """Room for the moves of rows, ``self.moves`` of them with the next ones."""
        old = self.rows.moves
        first = int(old.start[self.taken & (self.size - 1)])
        last = int(old.start[self.known & (self.size - 1)])
        size = roomier(len(old.port), self.moves - first)
        if size != len(old.port):
            kept = (moved(c, first, last, size, self.fast) for c in old[1:])
            self.rows = self.rows._replace(
                moves=Moves(old.start, *kept), ring=self.rows.ring._replace(move=size - 1)
            )


def roomier(size: int, need: int) -> int:
    """The size of a ring that has room for so many."""
    while size < need:
        size *= 2
    return size


def put(ring: Any, begin: int, values: Ints, fast: bool) -> None:
    """Write values into a ring whose size is a power of two, from number ``begin`` on."""
    size, done = len(ring), 0
    while done < len(values):
        at = (begin + done) & (size - 1)
        part = values[done : done + size - at]
        ring[at : at + len(part)] = part if fast else part.tolist()
        done += len(part)


def moved(ring: Any, begin: int, stop: int, size: int, fast: bool) -> Any:
    """A larger ring with the entries begin .. stop of one."""
    new, numbers = room(fast, size), np.arange(begin, stop)
    put(new, begin, np.asarray(ring, np.int64)[numbers & (len(ring) - 1)], fast)
    return new
