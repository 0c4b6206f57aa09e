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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.blocks import find_blocks, proved_blocks
from accelsim.program.table import BlockRow, Program
from accelsim.timing.costs import Times
from accelsim.timing.event_state import EventState, initial_state
from accelsim.timing.events import HEAP_SIZE, HELPERS, ISSUED, MARK, PHASE, run_events

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

    least: rows that a block must have to be looked at; shorter ones cost more than they save.
    """
    state = initial_state(program, times, True, words)
    kernel = jit.compiled(run_events, HELPERS) if fast else run_events
    arguments = state.arguments()
    copied = 0

    def advance(mark: int) -> None:
        state.misc[MARK] = mark
        while state.misc[HEAP_SIZE] > 0 and (mark < 0 or state.issue[mark] < 0):
            kernel(SLICE, *arguments)

    for block in proved_blocks(program) or find_blocks(program, least):
        copied += BlockMarks(program, state, block).run(advance)
    advance(-1)
    if state.misc[ISSUED] != len(program):
        raise RuntimeError(f"{len(program) - int(state.misc[ISSUED])} commands never became ready")
    return Folded(state.results(), copied)


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
        self.share = np.bincount(state.queue[body], minlength=len(state.q_head))
        self.used = np.bincount(state.unit[body], minlength=len(state.u_free)) > 0
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
        s = self.state
        left = s.q_head < s.q_stop
        row = s.q_items[np.where(left, s.q_head, 0)]
        return np.where(left, row, self.end)[self.share > 0]

    def _window(self) -> tuple[int, int]:
        """Rows low .. high: every row of the block that is neither finished nor untouched."""
        while self.floor < self.end and self.state.release[self.floor] >= 0:
            self.floor += 1
        return self.floor, int(self._heads().max()) + self.reach + 1

    def room(self, period: int) -> int:
        """How often the period fits before the state touches a row behind the block; negative when it
        touches one already."""
        return (self.end - self._window()[1]) // period

    def mark(self, body: int) -> Mark:
        """The engine now that a body's first row has issued."""
        s, inside = self.state, self.share > 0
        base = self.block.first + body * self.block.length
        now = int(s.issue[base])
        low, high = self._window()
        rows = slice(low, min(high, self.end))
        issued, finished = s.issue[rows] >= 0, s.release[rows] >= 0
        known = s.dep_ref[rows] >= 0
        waits, holds, asks = s.q_wait > 0, s.p_holder >= 0, s.p_left > 0
        parts = [
            [low - base, high - base],
            self._heads() - base,
            np.where(inside, 0, s.q_head),
            s.q_wait,
            _at(waits, s.q_ready - now),
            _at(inside, s.q_issue - now),
            _at(inside, s.q_last - base),
            np.where(self.used, s.u_free - now, s.u_free),
            np.where(self.used, s.u_end - now, s.u_end),
            np.where(self.used, s.u_last - base, s.u_last),
            s.u_busy,
            s.u_left,
            s.u_wait,
            s.p_active,
            s.p_holder,
            s.p_last,
            _at(holds, s.p_from - now),
            _at(holds, s.p_granted),
            s.p_left,
            _at(asks, s.p_arrival - now),
            self._heap(base, now),
            issued,
            finished,
            s.pending[rows],
            _at(issued & ~finished, s.issue[rows] - now),
            known,
            _at(known, s.dep_at[rows] - now),
            _at(known, s.dep_why[rows]),
            _at(known, s.dep_ref[rows] - base),
            _at(known, s.dep_edge[rows] - self.edge_start[rows]),
        ]
        state = b"|".join(np.asarray(part, np.int64).tobytes() for part in parts)
        return Mark(body, now, state, low, issued, finished)

    def _heap(self, base: int, now: int) -> Ints:
        """Pending events, relative and in a canonical order; cancelled grant ends left out."""
        s, size = self.state, int(self.state.misc[HEAP_SIZE])
        phase, who = s.h_key[:size] // PHASE, s.h_key[:size] % PHASE
        valid = (phase != 0) | (s.h_stamp[:size] == s.p_stamp[np.where(phase == 0, who, 0)])
        who = np.where(phase == 1, who - base, who)
        heap = np.stack([s.h_time[:size] - now, phase, who])[:, valid]
        return np.asarray(heap[:, np.lexsort(heap[::-1])], np.int64).ravel()

    def _copy(self, old: Mark, new: Mark, period: int, jumps: int) -> None:
        """Write ``jumps`` repetitions of what happened between two marks, and move the state."""
        s, delta = self.state, new.now - old.now
        low, high = self._window()
        moved = slice(low, min(high, self.end))
        kept = {
            name: getattr(s, name)[moved].copy()
            for name in ("pending", "dep_at", "dep_why", "dep_ref", "dep_edge")
        }
        since = slice(old.low, moved.stop)
        issued, finished = s.issue[since] >= 0, s.release[since] >= 0
        issued[: len(old.issued)] &= ~old.issued
        finished[: len(old.finished)] &= ~old.finished
        turn = np.arange(1, jumps + 1, dtype=np.int64)[:, None]
        for names, chosen in (
            (("issue", "why", "ref"), issued),
            (("first_at", "release", "end"), finished),
        ):
            rows = np.flatnonzero(chosen) + old.low
            for name in names:
                column = getattr(s, name)
                step = {"why": 0, "ref": period}.get(name, delta)
                column[rows + turn * period] = column[rows] + turn * step
        s.misc[ISSUED] += jumps * int(issued.sum())
        rows_on, time_on = jumps * period, jumps * delta
        target = slice(low + rows_on, moved.stop + rows_on)
        known = kept["dep_ref"] >= 0
        s.pending[target], s.dep_why[target] = kept["pending"], kept["dep_why"]
        s.dep_at[target] = kept["dep_at"] + np.where(known, time_on, 0)
        s.dep_ref[target] = kept["dep_ref"] + np.where(known, rows_on, 0)
        s.dep_edge[target] = kept["dep_edge"] + np.where(
            known, self.edge_start[target] - self.edge_start[moved], 0
        )
        self._shift(rows_on, time_on)

    def _shift(self, rows: int, ticks: int) -> None:
        """The dynamic state as it will be so many rows and ticks later."""
        s, size, inside = self.state, int(self.state.misc[HEAP_SIZE]), self.share > 0
        s.h_key[:size] += np.where(s.h_key[:size] // PHASE == 1, rows, 0)
        s.h_time[:size] += ticks
        s.q_head += self.share * (rows // self.block.length)
        s.q_last += np.where(inside, rows, 0)
        s.u_last += np.where(self.used, rows, 0)
        for times, mine in (
            (s.q_issue, inside),
            (s.q_ready, inside),
            (s.u_free, self.used),
            (s.u_end, self.used),
        ):
            times += np.where(mine, ticks, 0)
        s.p_from += ticks
        s.p_arrival += ticks


def _at(mask: NDArray[np.bool_], values: Ints) -> Ints:
    """Values where the mask holds, else 0: what no later decision reads."""
    return np.where(mask, values, 0)
