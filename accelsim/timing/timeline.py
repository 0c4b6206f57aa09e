"""The Timeline: when every command ran and why it waited, and where each unit's time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.errors import ConservationError
from accelsim.program.opcodes import Why
from accelsim.program.repeats import by_kernel, listed, spans
from accelsim.program.table import Program, UnitRow

Ints = NDArray[np.int64]
GAPS = (Why.DATA, Why.SLOT, Why.START, Why.QUEUE)
FIRST_GAP, LAST_GAP = int(GAPS[0]), int(GAPS[-1])
COLUMNS = 10  # of the sums by unit, the last one for the walk


@dataclass(frozen=True, slots=True)
class UnitTime:
    """Ticks of one unit; busy + stalled (all causes) + idle = makespan.

    busy: its commands' own intervals plus ``drain``, the wait for its very last result.
    stalled: cause -> ticks; "port" is bandwidth, the others are gaps before an issue, charged to
    the constraint satisfied last. idle: after its last result, or always when it has no command.
    """

    name: str
    busy: int
    drain: int
    stalled: dict[str, int]
    idle: int


class UnitTimes(Sequence[UnitTime]):
    """A line a unit, made when it is read: a chip may have 100,000 of them. table: by unit its busy, port, last
    release, last end and other ticks, and gaps by cause. ConservationError when a unit's do not add up."""

    def __init__(self, units: Sequence[UnitRow], table: Ints, makespan: int) -> None:
        self.units, self.table, self.makespan = units, table[:, :9], makespan
        busy, port, released, ended, other = self.table[:, :5].T
        idle = makespan - ended
        total = busy + (ended - released) + port + self.table[:, 5:].sum(axis=1) + idle
        wrong = np.flatnonzero((total != makespan) | (other != 0) | (idle < 0))
        if len(wrong):
            raise ConservationError(f"the time of unit {units[wrong[0]].name} does not add up")

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, at: int) -> UnitTime: ...
    @overload
    def __getitem__(self, at: slice) -> list[UnitTime]: ...
    def __getitem__(self, at: int | slice) -> UnitTime | list[UnitTime]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        busy, port, released, ended, _, *gaps = self.table[at].tolist()
        stalled = {cause.name.lower(): ticks for cause, ticks in zip(GAPS, gaps, strict=True)}
        stalled["port"] = port
        drain = ended - released
        return UnitTime(self.units[at].name, busy + drain, drain, stalled, self.makespan - ended)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnitTimes) and list(self) == list(other)


@dataclass(slots=True)
class Timeline:
    """Ticks (int64) of every listed command: issue, first result, release, last result; why it waited
    (Why) and for which command (-1: none). makespan: the last result of all. period: ticks from one
    turn of the Program's repeat to the next; port_busy and makespan are of all turns."""

    issue: Ints
    first: Ints
    release: Ints
    end: Ints
    why: Ints
    ref: Ints
    interval: Ints
    tick_hz: int
    makespan: int
    port_busy: Ints
    engine: str = ""
    period: int = 0

    @property
    def seconds(self) -> float:
        """Makespan in seconds."""
        return self.makespan / self.tick_hz

    def cycles(self, clock_hz: int) -> int:
        """Makespan in whole cycles of a clock, rounded up."""
        return -(-self.makespan * clock_hz // self.tick_hz)

    def units(self, program: Program) -> UnitTimes:
        """Where each unit's time went. ConservationError when it does not add up."""
        count = len(program.units)
        if by_kernel(program, unit_ticks):
            table, kernel = np.zeros((count, COLUMNS), np.int64), jit.compiled(unit_ticks)
            if all(
                kernel(
                    *(
                        np.ascontiguousarray(column[part.first : part.stop])
                        for column in (
                            program.commands.unit,
                            self.issue,
                            self.release,
                            self.end,
                            self.interval,
                            self.why,
                        )
                    ),
                    part.turns * self.period,
                    table,
                )
                for part in spans(program)
            ):
                return UnitTimes(program.units, table, self.makespan)
        if program.repeat is not None:
            return self.in_full(program)._units(
                program.commands.unit[listed(program).rows], program
            )
        return self._units(program.commands.unit, program)

    def _units(self, unit: Ints, program: Program) -> UnitTimes:
        """units() in columns, in any order of issues. unit: of every row."""
        count = len(program.units)
        order = np.lexsort((self.release, self.issue, unit))
        owner = unit[order]
        issue, release = self.issue[order], self.release[order]
        before = np.zeros(len(order), np.int64)
        before[1:] = np.where(owner[1:] == owner[:-1], release[:-1], 0)
        gap = issue - before
        why = self.why[order]
        port = release - issue - self.interval[order]
        busy = _per_unit(owner, self.interval[order], count)
        waiting = _per_unit(owner, port, count)
        last_release = np.zeros(count, np.int64)
        np.maximum.at(last_release, unit, self.release)
        last_end = np.zeros(count, np.int64)
        np.maximum.at(last_end, unit, self.end)
        gaps = {cause: _per_unit(owner, np.where(why == cause, gap, 0), count) for cause in GAPS}
        other = _per_unit(owner, np.where((why == Why.UNIT) | (why == Why.NONE), gap, 0), count)
        return UnitTimes(
            program.units,
            np.stack(
                [busy, waiting, last_release, last_end, other, *(gaps[cause] for cause in GAPS)],
                axis=1,
            ),
            self.makespan,
        )

    def in_full(self, program: Program) -> Timeline:
        """The Timeline with a row for every command that the Program stands for."""
        if program.repeat is None:
            return self
        whole = listed(program)
        rows, later = whole.rows, whole.turns * self.period
        ref = whole.shifted(program, self.ref[rows], np.arange(len(rows)))
        return replace(
            self,
            issue=self.issue[rows] + later,
            first=self.first[rows] + later,
            release=self.release[rows] + later,
            end=self.end[rows] + later,
            why=self.why[rows],
            ref=ref,
            interval=self.interval[rows],
            period=0,
        )


@jit.allocates_nothing
def unit_ticks(
    unit: Any, issue: Any, release: Any, end: Any, interval: Any, why: Any, later: int, table: Any
) -> bool:
    """Add up sums by unit (UnitTimes) in one pass; False where program order is not the order of
    issues. later: to be added to the times.

    The fourth column holds the last end; a unit's issue before is kept in the last column.
    """
    for i in range(len(unit)):
        row = table[unit[i]]
        begin, done = issue[i] + later, release[i] + later
        if begin < row[COLUMNS - 1] or done < row[2]:
            return False
        row[COLUMNS - 1] = begin
        gap = begin - row[2]
        row[0] += interval[i]
        row[1] += done - begin - interval[i]
        row[2] = done
        row[3] = max(row[3], end[i] + later)
        if FIRST_GAP <= why[i] <= LAST_GAP:
            row[5 + why[i] - FIRST_GAP] += gap
        else:
            row[4] += gap
    return True


def _per_unit(owner: Ints, values: Ints, count: int) -> Ints:
    """Sums by unit, exact in int64 (bincount would go through float64)."""
    total = np.zeros(count, np.int64)
    np.add.at(total, owner, values)
    return total
