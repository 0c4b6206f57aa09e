"""Times of a Program with a repeat: it is simulated as listed, and proved to go on as it does.

Proof. Let s(j) be everything the engine still reads when the first row of copy j of the body has
issued (folding.Mark). If s(j) = s(j + 1), the engine cannot tell the one moment from the other: as long
as it touches copies only, what happened between them happens again. In the Program in full there are
``times`` copies more behind copy j. So it happens ``times`` times more, and then everything goes on as it
did behind s(j + 1), later by ``times`` periods. That needs, and check() asks for:

- the listed copies around repeat row by row (program/blocks.py), and what the engine has touched at
  s(j + 1) lies inside them;
- all rows before the copies have ended by s(j), and no row behind them has issued by s(j + 1), so that
  nothing runs beside the copies;
- the rows that issue or end between the two marks run one period later in the next copy, whichever copies
  they are of; then the copies in between may be taken as whole copies of the body;
- no row has to wait for room in the command memory: then none has in full, where rows lie as far behind the
  oldest one that runs.

Where one fails, Unsettled is raised, and the caller lists more copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.blocks import same_rows
from accelsim.program.table import BlockRow, Program, RepeatRow
from accelsim.timing.costs import Times
from accelsim.timing.event_state import initial_state
from accelsim.timing.events import HELPERS, MARK, run_events
from accelsim.timing.folding import BlockMarks, Mark, waits_for_room

Ints = NDArray[np.int64]
SLICE = 1_000_000


class Unsettled(Exception):
    """The listed copies of the body do not show how it goes on."""


@dataclass(frozen=True, slots=True)
class Settled:
    """issue, first, release, end, why, ref, interval of the listed rows, and ticks from one copy of the
    body to the next."""

    columns: list[Ints]
    period: int


def run_repeated(program: Program, times: Times, fast: bool) -> Settled:
    """Times of the listed rows and the period of the repeat. Unsettled when it cannot be proved."""
    r = program.repeat
    assert r is not None
    low, high = r.alike
    if not same_rows(program, low, high, r.length):
        raise Unsettled("the copies differ")
    state = initial_state(replace(program, commands_ahead=0), times, True, None, fast)
    kernel = jit.compiled(run_events, HELPERS) if fast else run_events

    def advance(mark: int) -> None:
        state.progress[MARK] = mark
        while state.heap.size[0] > 0 and (mark < 0 or state.found.issue[mark] < 0):
            kernel(SLICE, state)

    block = BlockMarks(program, state, BlockRow(low, r.length, (high - low) // r.length))
    body = (r.first - low) // r.length
    marks = []
    for number in (body, body + 1):
        advance(low + number * r.length)
        marks.append(block.mark(number))
    inside = block.room(r.length) >= 0
    advance(-1)
    state.check()
    columns = state.results()
    if waits_for_room(program, columns):
        raise Unsettled("the command memory is full")
    if not inside or marks[0].state != marks[1].state:
        raise Unsettled("the state of the engine does not repeat")
    _check(program, r, columns, *marks)
    return Settled(columns, marks[1].now - marks[0].now)


def period(program: Program, times: Times, block: BlockRow, fast: bool) -> tuple[int, int] | None:
    """(ticks, turns) after which the engine is again as it was while it goes through the turns of a block: so it
    would go on in a block without end. None where that is not seen. A block whose turns differ: None."""
    if not same_rows(program, block.first, block.first + block.length * block.count, block.length):
        return None
    state = initial_state(program, times, True, None, fast)
    kernel = jit.compiled(run_events, HELPERS) if fast else run_events
    marks, seen = BlockMarks(program, state, block), dict[bytes, tuple[int, int]]()
    for body in range(block.count):
        row = block.first + body * block.length
        state.progress[MARK] = row
        while state.heap.size[0] > 0 and state.found.issue[row] < 0:
            kernel(SLICE, state)
        mark = marks.mark(body)
        if marks.room(block.length) < 0:
            return None
        if mark.state in seen:
            now, turn = seen[mark.state]
            return mark.now - now, body - turn
        seen[mark.state] = mark.now, body
    return None


def _check(program: Program, r: RepeatRow, columns: list[Ints], old: Mark, new: Mark) -> None:
    """Whether nothing runs beside the copies, and whole copies may be put in. Raises Unsettled."""
    low, high = r.alike
    issue, end = columns[0], columns[3]
    if low and int(end[:low].max()) > old.now:
        raise Unsettled("rows before the copies still run")
    if high < len(program) and int(issue[high:].min()) <= new.now:
        raise Unsettled("rows behind the copies already run")
    edges = program.dependencies
    far = edges.predecessor[edges.start[high] :]
    if ((far >= low) & (far < r.stop)).any():
        raise Unsettled("a row behind the copies depends on an early one")
    first = min(old.low, r.first)  # rows that issued or ended between the marks, in whole copies
    stop = max(new.low + int(new.issued.nonzero()[0].max(initial=-1)) + 1, r.stop)
    first -= (first - low) % r.length
    stop += (low - stop) % r.length
    if first < low or stop > high:
        raise Unsettled("the engine works on too many copies at once")
    now, later = slice(first, stop - r.length), slice(first + r.length, stop)
    period = new.now - old.now
    for column, step in zip(columns, (period, period, period, period, 0, r.length, 0), strict=True):
        if not np.array_equal(column[now] + step, column[later]):
            raise Unsettled("the copies do not run alike")
