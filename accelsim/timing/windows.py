"""A run cut into windows, one an operator, and group of images: from the latest end before it to its own end.

Windows do not overlap and fill the run, so whatever is counted in them adds up to the run. An operator's
span, from its first prefetch on, overlaps those of others and does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.program.opcodes import Opcode
from accelsim.program.repeats import spans
from accelsim.program.table import Program
from accelsim.timing import Timeline

Ints = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Windows:
    """order: visits as they end, an operator's once for each group of images; of those that end together the first
    takes all. edges: (visits + 1,) ticks, the first is 0; window i is between edges i and i + 1 and belongs to visit
    order[i]. owner: operator of each visit."""

    order: Ints
    edges: Ints
    owner: Ints

    @classmethod
    def of(cls, end: Ints, owner: Ints | None = None) -> Windows:
        """The windows of visits that end at these ticks (0: no command). owner: of each, by default an operator has
        one."""
        order = np.argsort(end, kind="stable")
        owner = np.arange(len(end)) if owner is None else owner
        return cls(order, np.concatenate(([0], end[order])), owner)

    @property
    def end(self) -> Ints:
        """Ticks at which visits end."""
        found = np.zeros(len(self.order), np.int64)
        found[self.order] = self.edges[1:]
        return found

    @property
    def ticks(self) -> Ints:
        """Ticks of each operator's window, (operators,)."""
        return self._by_operator(np.diff(self.edges))

    def cycles(self, tick: int) -> Ints:
        """Cycles of each operator's window, edges rounded up: they add up to the last end in cycles. tick:
        ticks a cycle."""
        return self._by_operator(np.diff(-(-self.edges // tick)))

    def shares(self, before: Ints) -> Ints:
        """What each operator's window has of what has come up before each operator's end."""
        return self._by_operator(np.diff(before[self.order], prepend=0))

    def within(self, start: Ints, stop: Ints) -> Ints:
        """Ticks of the stretches start .. stop (start <= stop) in each operator's window, added up."""
        return self._by_operator(covered(self.edges, start, stop))

    def _by_operator(self, windows: Ints) -> Ints:
        found = np.zeros(int(self.owner.max(initial=-1)) + 1, np.int64)
        np.add.at(found, self.owner[self.order], windows)
        return found


def covered(edges: Ints, start: Ints, stop: Ints) -> Ints:
    """Ticks of the stretches start .. stop (start <= stop) between each two edges, added up, (edges - 1,)."""
    return np.diff(_minima(edges, stop) - _minima(edges, start))


def _minima(edges: Ints, times: Ints) -> Ints:
    """Sum over ``times`` of min(edge, time), for each edge. Sums may wrap; their differences, which are
    ticks of a run, are exact all the same."""
    ordered = np.sort(times)
    before = np.concatenate(([0], np.cumsum(ordered)))
    below = np.searchsorted(ordered, edges)
    found: Ints = before[below] + edges * (len(ordered) - below)
    return found


class Computing:
    """computing() of passes as they end, in any order."""

    def __init__(self, operators: int) -> None:
        none = np.zeros(0, np.int64)
        self.start, self.stop = none, none  # passes not looked at yet
        self.until = self.reached = self.total = 0  # what lies before is settled
        self.before = np.zeros(operators, np.int64)  # ticks of computing before each operator's end

    def add(self, start: Ints, stop: Ints) -> None:
        """More passes, from and to."""
        self.start = np.concatenate([self.start, start])
        self.stop = np.concatenate([self.stop, stop])

    def settle(self, until: int, end: Ints) -> None:
        """Every pass that begins before ``until`` has been added, and operators end where ``end`` says, or later
        than that tick."""
        here = self.start < until
        order = np.argsort(self.start[here], kind="stable")
        start, stop = self.start[here][order], self.stop[here][order]
        self.start, self.stop = self.start[~here], self.stop[~here]
        top = np.maximum.accumulate(np.concatenate([[self.reached], stop]))
        start = np.concatenate([[self.until], np.maximum(start, top[:-1])])
        stop = np.concatenate([[max(self.until, self.reached)], top[1:]])
        over = np.flatnonzero((end >= self.until) & (end < until))
        over = over[np.argsort(end[over], kind="stable")]
        edges = np.concatenate([[self.until], end[over], [until]])
        so_far = self.total + np.cumsum(covered(edges, start, np.maximum(start, stop)))
        self.before[over] = so_far[:-1]
        self.until, self.reached, self.total = until, int(top[-1]), int(so_far[-1])

    def ticks(self, windows: Windows) -> Ints:
        """Ticks of each operator's windows in which any array computes; all has been added and settled."""
        return windows.shares(self.before)


def by_visit(program: Program, count: int) -> tuple[Program, Ints]:
    """The Program with visits in the place of its ``count`` operators: an operator's for each group of images
    (Commands.request), group after group; and the operator of each visit."""
    c = program.commands
    turns = 1 + int(c.request.max(initial=0))
    owner = np.tile(np.arange(count), turns)
    if turns == 1:
        return program, owner
    visit = np.where(c.operator < 0, -1, c.request * count + c.operator)
    return replace(program, commands=replace(c, operator=visit)), owner


def ends(program: Program, timeline: Timeline, count: int) -> tuple[Ints, Ints]:
    """First issue (NEVER: no command) and last end of each of ``count`` operators, or visits, ticks, of a Program in
    full."""
    begin, end = np.full(count, NEVER), np.zeros(count, np.int64)
    owned = program.commands.operator >= 0
    operator = program.commands.operator[owned]
    np.minimum.at(begin, operator, timeline.issue[owned])
    np.maximum.at(end, operator, timeline.end[owned])
    return begin, end


def computing(program: Program, timeline: Timeline, windows: Windows) -> Ints:
    """Ticks of each operator's window in which any array computes, whatever it works on."""
    code = program.commands.opcode
    found, reached = windows.within(*np.zeros((2, 0), np.int64)), 0
    for part in spans(program):
        rows = part.first + np.flatnonzero(
            np.isin(code[part.first : part.stop], (Opcode.MATMUL, Opcode.MVM))
        )
        if not len(rows):
            continue
        later = part.turns * timeline.period
        start = timeline.issue[rows] + later
        order = np.argsort(start, kind="stable")
        start, stop = start[order], (timeline.issue[rows] + later + timeline.interval[rows])[order]
        top = np.maximum.accumulate(np.maximum(stop, reached))
        before = np.concatenate(([reached], top[:-1]))
        found += windows.within(np.maximum(start, before), np.maximum(stop, before))
        reached = int(top[-1])
    return found
