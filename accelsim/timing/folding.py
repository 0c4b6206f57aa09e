"""Folding: a repeat block is simulated until the engine repeats itself, then skipped over.

Proof condition. Let s(j) be everything the engine still reads when row ``first + j * length`` has
issued: heads and waits of queues, units, ports, the event heap, and what is known of rows not
yet finished, with times relative to now and rows relative to that row. If s(i) = s(j), i < j,
then because rows of a block are alike (program/blocks.py proves it column by column) and every
decision of the engine compares times and unit, port or queue numbers only, what happened between
i and j happens again and again, later by now(j) - now(i), until the state touches a row that is
no longer of the block. So the repetitions before that are copied, not simulated.
Stateful units have state of another kind: blocks with one are not folded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.blocks import find_blocks, proved_blocks
from accelsim.program.table import BlockRow, Program
from accelsim.timing.costs import Times
from accelsim.timing.event_state import initial_state
from accelsim.timing.events import GRANT_END, HELPERS, ISSUED, MARK, PHASE, REQUEST, run_events
from accelsim.timing.records import EventState, Waits

Ints = NDArray[np.int64]
SLICE = 1_000_000
RUN = 24  # neighbouring bodies whose states are compared


@dataclass(frozen=True, slots=True)
class Mark:
    """The engine when one body's first row has issued: body number, time, relative state; and,
    from row ``low`` on, which rows had issued and finished."""

    body: int
    now: int
    state: bytes
    low: int
    issued: NDArray[np.bool_]
    finished: NDArray[np.bool_]


@dataclass(slots=True)
class Folded:
    """issue, first, release, end, why, ref, interval; and how many rows were copied."""

    columns: list[Ints]
    copied: int


def run_folded(
    program: Program, times: Times, fast: bool, words: Ints | None = None, least: int = 4096
) -> Folded:
    """Times of all commands, with repetitions of the engine's state skipped.

    least: rows that a block must have to be looked at; shorter ones cost more than they save. Rows that would
    wait for room in the command memory are simulated one by one.
    """
    state = initial_state(replace(program, commands_ahead=0), times, True, words)
    kernel = jit.compiled(run_events, HELPERS) if fast else run_events
    copied = 0

    def advance(mark: int) -> None:
        state.progress[MARK] = mark
        while state.heap.size[0] > 0 and (mark < 0 or state.found.issue[mark] < 0):
            kernel(SLICE, state)

    for block in proved_blocks(program) or find_blocks(program, least):
        copied += BlockMarks(program, state, block).run(advance)
    advance(-1)
    if waits_for_room(program, state.results()):
        state, copied = initial_state(program, times, True, words), 0
        advance(-1)
    state.check()
    return Folded(state.results(), copied)


def waits_for_room(program: Program, columns: list[Ints]) -> bool:
    """Whether a row of a Program that ran without a bound would wait for room in the command memory, or say that it
    did. columns: issue first, end fourth."""
    ahead, issue, end = program.commands_ahead, columns[0], columns[3]
    if not 0 < ahead < len(issue):
        return False
    return bool((np.maximum.accumulate(end[:-ahead]) >= issue[ahead:]).any())


def tried(body: int) -> bool:
    """Whether a body is compared: runs of RUN bodies, each run starting twice as far on."""
    start = RUN
    while start * 2 <= body:
        start *= 2
    return body < RUN or body - start < RUN


class BlockMarks:
    """One block in a running engine: notes of its state, and jumps once it repeats."""

    def __init__(self, program: Program, state: EventState, block: BlockRow) -> None:
        self.state, self.block = state, block
        self.end = block.first + block.length * block.count
        self.edge_start = program.dependencies.start
        edges = slice(self.edge_start[block.first], self.edge_start[self.end])
        owners = np.repeat(
            np.arange(block.first, self.end), np.diff(self.edge_start[block.first : self.end + 1])
        )
        reach = owners - program.dependencies.predecessor[edges]
        self.reach = int(reach.max(initial=0))
        body = slice(block.first, block.first + block.length)
        self.share = np.bincount(state.costs.queue[body], minlength=len(state.queues.head))
        self.used = np.bincount(state.costs.unit[body], minlength=len(state.units.free)) > 0
        self.floor = block.first  # no earlier row of the block is unfinished

    def run(self, advance: Callable[[int], None]) -> int:
        """Simulate until the state repeats, then copy; returns the rows copied."""
        block = self.block
        seen: list[Mark] = []
        for body in range(block.count):
            if not tried(body):
                seen = []
                continue
            advance(block.first + body * block.length)
            mark = self.mark(body)
            same = next((old for old in reversed(seen) if old.state == mark.state), None)
            if same is not None:
                period = (body - same.body) * block.length
                jumps = max(0, self.room(period))
                if jumps:
                    self._copy(same, mark, period, jumps)
                return jumps * period
            seen.append(mark)
        return 0

    def _heads(self) -> Ints:
        """The next row of every queue of the block; past the block when there is none."""
        q = self.state.queues
        left = q.head < q.stop
        row = q.items[np.where(left, q.head, 0)]
        return np.where(left, row, self.end)[self.share > 0]

    def _window(self) -> tuple[int, int]:
        """Rows low .. high: every row of the block that is neither finished nor untouched."""
        release = self.state.found.release
        while self.floor < self.end and release[self.floor] >= 0:
            self.floor += 1
        return self.floor, int(self._heads().max()) + self.reach + 1

    def room(self, period: int) -> int:
        """How often the period fits before the state touches a row behind the block; negative when it
        touches one already."""
        return (self.end - self._window()[1]) // period

    def mark(self, body: int) -> Mark:
        """The engine now that a body's first row has issued."""
        found = self.state.found
        base = self.block.first + body * self.block.length
        now = int(found.issue[base])
        low, high = self._window()
        rows = slice(low, min(high, self.end))
        issued, finished = found.issue[rows] >= 0, found.release[rows] >= 0
        parts = [
            [low - base, high - base],
            self._heads() - base,
            *self._machine(base, now),
            self._heap(base, now),
            issued,
            finished,
            _at(issued & ~finished, found.issue[rows] - now),
            *self._waits(rows, base, now),
        ]
        state = b"|".join(np.asarray(part, np.int64).tobytes() for part in parts)
        return Mark(body, now, state, low, issued, finished)

    def _machine(self, base: int, now: int) -> list[Ints]:
        """Queues, units and ports, relative to a row and a time."""
        q, u, p = self.state.queues, self.state.units, self.state.ports
        inside, used = self.share > 0, self.used
        waits, holds, asks = q.waits > 0, p.holder >= 0, p.left > 0
        return [
            np.where(inside, 0, q.head),
            q.waits,
            _at(waits, q.ready - now),
            _at(inside, q.issue - now),
            _at(inside, q.last - base),
            np.where(used, u.free - now, u.free),
            np.where(used, u.end - now, u.end),
            np.where(used, u.last - base, u.last),
            u.busy,
            u.left,
            u.waiting,
            p.active,
            p.holder,
            p.last,
            _at(holds, p.since - now),
            _at(holds, p.granted),
            p.left,
            _at(asks, p.arrival - now),
        ]

    def _waits(self, rows: slice, base: int, now: int) -> list[Ints]:
        """What rows wait for, relative to a row and a time."""
        w = self.state.waits
        known = w.ref[rows] >= 0
        return [
            w.pending[rows],
            known,
            _at(known, w.at[rows] - now),
            _at(known, w.why[rows]),
            _at(known, w.ref[rows] - base),
            _at(known, w.edge[rows] - self.edge_start[rows]),
        ]

    def _heap(self, base: int, now: int) -> Ints:
        """Pending events, relative and in a canonical order; cancelled grant ends left out."""
        h, end = self.state.heap, self.state.ports.end
        size = int(h.size[0])
        phase, who = h.key[:size] // PHASE, h.key[:size] % PHASE
        grants = phase == GRANT_END
        valid = ~grants | (h.time[:size] == end[np.where(grants, who, 0)])
        who = np.where(phase == REQUEST, who - base, who)
        heap = np.stack([h.time[:size] - now, phase, who])[:, valid]
        return np.asarray(heap[:, np.lexsort(heap[::-1])], np.int64).ravel()

    def _copy(self, old: Mark, new: Mark, period: int, jumps: int) -> None:
        """Write ``jumps`` repetitions of what happened between two marks, and move the state."""
        found, delta = self.state.found, new.now - old.now
        low, high = self._window()
        moved = slice(low, min(high, self.end))
        kept = Waits(*(column[moved].copy() for column in self.state.waits))
        since = slice(old.low, moved.stop)
        issued, finished = found.issue[since] >= 0, found.release[since] >= 0
        issued[: len(old.issued)] &= ~old.issued
        finished[: len(old.finished)] &= ~old.finished
        turn = np.arange(1, jumps + 1, dtype=np.int64)[:, None]
        for column, chosen, step in (
            (found.issue, issued, delta),
            (found.why, issued, 0),
            (found.ref, issued, period),
            (found.first, finished, delta),
            (found.release, finished, delta),
            (found.end, finished, delta),
        ):
            rows = np.flatnonzero(chosen) + old.low
            column[rows + turn * period] = column[rows] + turn * step
        self.state.progress[ISSUED] += jumps * int(issued.sum())
        self._move_waits(kept, moved, jumps * period, jumps * delta)
        self._shift(jumps * period, jumps * delta)

    def _move_waits(self, kept: Waits, moved: slice, rows: int, ticks: int) -> None:
        """What the moved rows waited for, for those so many rows and ticks later."""
        w, target = self.state.waits, slice(moved.start + rows, moved.stop + rows)
        known = kept.ref >= 0
        w.pending[target], w.why[target] = kept.pending, kept.why
        w.at[target] = kept.at + np.where(known, ticks, 0)
        w.ref[target] = kept.ref + np.where(known, rows, 0)
        w.edge[target] = kept.edge + np.where(
            known, self.edge_start[target] - self.edge_start[moved], 0
        )

    def _shift(self, rows: int, ticks: int) -> None:
        """The dynamic state as it will be so many rows and ticks later."""
        h, q, u, p = self.state.heap, self.state.queues, self.state.units, self.state.ports
        size, inside = int(h.size[0]), self.share > 0
        h.key[:size] += np.where(h.key[:size] // PHASE == REQUEST, rows, 0)
        h.time[:size] += ticks
        q.head[:] += self.share * (rows // self.block.length)
        q.last[:] += np.where(inside, rows, 0)
        u.last[:] += np.where(self.used, rows, 0)
        for times, mine in (
            (q.issue, inside),
            (q.ready, inside),
            (u.free, self.used),
            (u.end, self.used),
        ):
            times += np.where(mine, ticks, 0)
        p.since[:] += ticks
        p.end[:] += ticks
        p.arrival[:] += ticks


def _at(mask: NDArray[np.bool_], values: Ints) -> Ints:
    """Values where the mask holds, else 0: what no later decision reads."""
    return np.where(mask, values, 0)
