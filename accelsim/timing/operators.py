"""When operators ran: sums over their commands, from a Program and its Timeline or from rows as they pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.opcodes import Access, Opcode, Why
from accelsim.program.repeats import by_kernel, in_full, spans
from accelsim.program.table import Program
from accelsim.timing.timeline import Timeline
from accelsim.timing.windows import NEVER, Windows, by_visit, computing, ends

Ints = NDArray[np.int64]
GAPS = (Why.DATA, Why.SLOT, Why.START, Why.QUEUE)
FIRST_GAP, LAST_GAP = int(GAPS[0]), int(GAPS[-1])
MATMUL, MVM = int(Opcode.MATMUL), int(Opcode.MVM)
READ, WRITE = int(Access.READ), int(Access.WRITE)
BEGIN, END, BUSY, READ_OFF_CHIP, WRITTEN_OFF_CHIP, PORT, FIRST = range(7)
ROWS = FIRST + len(GAPS)


@dataclass(frozen=True, slots=True)
class OperatorTimes:
    """Of every operator, in the workload's order. table: (ROWS, operators): first issue (NEVER: no command) and last
    end in ticks, ticks that arrays were busy with its passes, bytes read and written off chip, ticks that arrays
    waited for ports, and before its passes by cause (GAPS). computing: ticks of its windows in which any array
    computes. windows: what it adds to those before it, once for each group of images."""

    table: Ints
    computing: Ints
    windows: Windows

    @property
    def stalls(self) -> dict[str, Ints]:
        """Ticks that arrays waited, by cause."""
        found = {cause.name.lower(): self.table[FIRST + i] for i, cause in enumerate(GAPS)}
        return {**found, "port": self.table[PORT]}


def operator_times(program: Program, memory: str, timeline: Timeline, count: int) -> OperatorTimes:
    """The times of so many operators. memory: the one off chip."""
    dram = [row.name for row in program.memories].index(memory)
    operators, (program, owner) = count, by_visit(program, count)
    count = len(owner)
    table = _ticks(program, dram, timeline, count) if by_kernel(program, operator_ticks) else None
    if table is None:
        timeline, program = timeline.in_full(program), in_full(program)
        commands = program.commands
        macs = (commands.opcode == Opcode.MATMUL) | (commands.opcode == Opcode.MVM)
        busy = np.zeros(count, np.int64)
        np.add.at(busy, commands.operator[macs], timeline.interval[macs])
        waits, moved = _stalls(program, timeline, macs, count), _off_chip(program, dram, count)
        table = np.stack([*ends(program, timeline, count), busy, *moved, *waits])
    windows = Windows.of(table[END], owner)
    return OperatorTimes(of_all(table, operators), computing(program, timeline, windows), windows)


def of_all(table: Ints, operators: int) -> Ints:
    """OperatorTimes.table from that of visits, group after group of so many operators."""
    each = table.reshape(ROWS, -1, operators)
    found: Ints = each.sum(axis=1)
    found[BEGIN], found[END] = each[BEGIN].min(axis=0), each[END].max(axis=0)
    return found


def blank_table(count: int) -> Ints:
    """OperatorTimes.table of operators without commands."""
    table = np.zeros((ROWS, count), np.int64)
    table[BEGIN] = NEVER
    return table


def _ticks(program: Program, dram: int, timeline: Timeline, count: int) -> Ints | None:
    """OperatorTimes.table; None where program order is not the order of issues."""
    table = blank_table(count)
    c, o = program.commands, program.operands
    before = np.zeros((2, len(program.units)), np.int64)
    if (c.operator < 0).any():
        return None
    t = timeline
    times = (t.issue, t.release, t.end, t.interval, t.why)
    columns = (c.opcode, c.unit, c.operator, *times, o.start, o.memory, o.access, o.bytes)
    rows = Timed(*map(np.ascontiguousarray, columns))
    kernel = jit.compiled(operator_ticks)
    sound = all(
        kernel(
            part.first,
            part.stop,
            part.operators,
            part.turns * timeline.period,
            rows,
            dram,
            before,
            table,
        )
        for part in spans(program)
    )
    return table if sound else None


class Timed(NamedTuple):
    """What operator_ticks() reads: of every command what it is, its times and where its operands begin; of
    those the memory, the access and bytes."""

    opcode: Any
    unit: Any
    operator: Any
    issue: Any
    release: Any
    end: Any
    interval: Any
    why: Any
    start: Any
    memory: Any
    access: Any
    bytes: Any


@jit.allocates_nothing
def operator_ticks(
    first: int,
    stop: int,
    more: int,
    later: int,
    rows: Timed,
    dram: int,
    before: Any,
    table: Any,
) -> bool:
    """Add up OperatorTimes.table of rows first .. stop in one pass, so many operators more and later. before: issue and
    release of the last pass on each unit, zeros at first."""
    opcode, unit, operator, issue, release, end, interval, why = rows[:8]
    start, memory, access, size = rows[8:]
    for i in range(first, stop):
        own, u = operator[i] + more, unit[i]
        begin, done = issue[i] + later, release[i] + later
        table[0, own] = min(table[0, own], begin)
        table[1, own] = max(table[1, own], end[i] + later)
        for j in range(start[i], start[i + 1]):
            if memory[j] == dram:
                if access[j] == READ:
                    table[3, own] += size[j]
                elif access[j] == WRITE:
                    table[4, own] += size[j]
        if opcode[i] != MATMUL and opcode[i] != MVM:
            continue
        if begin < before[0, u] or done < before[1, u]:
            return False
        table[2, own] += interval[i]
        table[5, own] += done - begin - interval[i]
        if FIRST_GAP <= why[i] <= LAST_GAP:
            table[6 + why[i] - FIRST_GAP, own] += begin - before[1, u]
        before[0, u], before[1, u] = begin, done
    return True


def _stalls(
    program: Program, timeline: Timeline, macs: NDArray[np.bool_], count: int
) -> list[Ints]:
    """Ticks that the arrays waited during (port) or before (by cause) each operator's passes."""
    commands = program.commands
    rows = np.flatnonzero(macs)
    order = rows[np.lexsort((timeline.release[rows], timeline.issue[rows], commands.unit[rows]))]
    unit = commands.unit[order]
    before = np.zeros(len(order), np.int64)
    before[1:] = np.where(unit[1:] == unit[:-1], timeline.release[order][:-1], 0)
    gap = timeline.issue[order] - before
    found: list[Ints] = []
    for cause in GAPS:
        ticks = np.zeros(count, np.int64)
        mine = timeline.why[order] == cause
        np.add.at(ticks, commands.operator[order][mine], gap[mine])
        found.append(ticks)
    port = np.zeros(count, np.int64)
    waited = timeline.release[rows] - timeline.issue[rows] - timeline.interval[rows]
    np.add.at(port, commands.operator[rows], waited)
    return [port, *found]


def _off_chip(program: Program, dram: int, count: int) -> tuple[Ints, Ints]:
    """Bytes read from and written to the off-chip memory, by operator."""
    o = program.operands
    owner = np.repeat(program.commands.operator, np.diff(o.start))
    totals = []
    for access in (Access.READ, Access.WRITE):
        ticks = np.zeros(count, np.int64)
        mine = (o.memory == dram) & (o.access == access)
        np.add.at(ticks, owner[mine], o.bytes[mine])
        totals.append(ticks)
    return totals[0], totals[1]
