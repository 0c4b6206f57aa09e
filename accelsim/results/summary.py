"""One line an operator, from the Program's three readings."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any, NamedTuple

import numpy as np

from accelsim import jit
from accelsim.chip import Chip
from accelsim.energy import EnergyReport
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.mapping import Mapping
from accelsim.program.opcodes import Access, Opcode, Why
from accelsim.program.repeats import by_kernel, in_full, spans
from accelsim.program.table import Program
from accelsim.results.result import OperatorRow, peak_macs_per_cycle
from accelsim.results.windows import NEVER, Windows, computing, ends
from accelsim.timing import Timeline
from accelsim.workload import VectorOperator, Workload

GAPS = (Why.DATA, Why.SLOT, Why.START, Why.QUEUE)
FIRST_GAP, LAST_GAP = int(GAPS[0]), int(GAPS[-1])
MATMUL, MVM = int(Opcode.MATMUL), int(Opcode.MVM)
READ, WRITE = int(Access.READ), int(Access.WRITE)
ROWS = 6 + len(GAPS)


def summarise(
    program: Program,
    chip: Chip,
    workload: Workload,
    timeline: Timeline,
    energy: EnergyReport,
    mappings: Dict[str, Mapping | CrossbarMapping],
) -> list[OperatorRow]:
    """Rows in the workload's order; their cycles add up to those of the run."""
    count = len(workload.operators)
    tick = program.tick_hz // chip.clocks[chip.core.clock]
    quick = by_kernel(program, operator_ticks)
    found = _ticks(program, chip, timeline, count) if quick else None
    if found is None:
        timeline, program = timeline.in_full(program), in_full(program)
        commands = program.commands
        begin, end = ends(program, timeline)
        macs = (commands.opcode == Opcode.MATMUL) | (commands.opcode == Opcode.MVM)
        busy = np.zeros(count, np.int64)
        np.add.at(busy, commands.operator[macs], timeline.interval[macs])
        stalls = _stalls(program, timeline, macs, count)
        read, written = _off_chip(program, chip, count)
    else:
        begin, end, busy, read, written, port, *gaps = found
        stalls = {cause.name.lower(): ticks for cause, ticks in zip(GAPS, gaps, strict=True)}
        stalls["port"] = port
    joules = energy.by("operator")
    begin[begin == NEVER] = 0
    windows, peak = Windows.of(end), peak_macs_per_cycle(chip)
    added, worked = windows.cycles(tick), computing(program, timeline, windows)
    rows = []
    for number, op in enumerate(workload.operators):
        work = 0 if isinstance(op, VectorOperator) else op.macs
        cycles = int(added[number])
        rows.append(
            OperatorRow(
                op.name,
                op.kind,
                work,
                cycles,
                int(begin[number]) // tick,
                -(-int(end[number]) // tick),
                int(busy[number]) // tick,
                {cause: int(ticks[number]) // tick for cause, ticks in stalls.items()},
                work / (peak * cycles) if cycles else None,
                int(worked[number]) / tick,
                int(read[number]),
                int(written[number]),
                joules.get((number,), 0.0),
                describe(mappings.get(op.name)),
            )
        )
    return rows


def _ticks(program: Program, chip: Chip, timeline: Timeline, count: int) -> np.ndarray | None:
    """Rows by operator: first issue, last end, busy, bytes read and written off chip, port, gaps by
    cause; None where program order is not the order of issues."""
    dram = [memory.name for memory in program.memories].index(chip.dma.memory)
    table = np.zeros((ROWS, count), np.int64)
    table[0] = NEVER
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
    """Add up _ticks of rows first .. stop in one pass, so many operators more and later. before: issue and
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


def describe(mapping: Mapping | CrossbarMapping | None) -> str:
    """A mapping in one line."""
    if mapping is None:
        return ""
    if isinstance(mapping, CrossbarMapping):
        copies = f", {mapping.replicas} copies" if mapping.replicas > 1 else ""
        anew = ", written in every run" if mapping.reprogrammed else ""
        packed = f", {mapping.pack} groups a crossbar" if mapping.pack > 1 else ""
        return f"runs of {mapping.m} vectors, crossbars from {mapping.first}{packed}{copies}{anew}"
    kept = [
        word
        for word, stays in (("input", mapping.input_resident), ("weights", mapping.weight_resident))
        if stays
    ]
    stay = f", {' and '.join(kept)} resident" if kept else ""
    return f"tiles m {mapping.m} n {mapping.n} k {mapping.k}, order {mapping.order}{stay}"


def _stalls(
    program: Program, timeline: Timeline, macs: np.ndarray, count: int
) -> dict[str, np.ndarray]:
    """Ticks that the arrays waited before (by cause) or during (port) each operator's passes."""
    commands = program.commands
    rows = np.flatnonzero(macs)
    order = rows[np.lexsort((timeline.release[rows], timeline.issue[rows], commands.unit[rows]))]
    unit = commands.unit[order]
    before = np.zeros(len(order), np.int64)
    before[1:] = np.where(unit[1:] == unit[:-1], timeline.release[order][:-1], 0)
    gap = timeline.issue[order] - before
    found: dict[str, np.ndarray] = {}
    for cause in GAPS:
        ticks = np.zeros(count, np.int64)
        mine = timeline.why[order] == cause
        np.add.at(ticks, commands.operator[order][mine], gap[mine])
        found[cause.name.lower()] = ticks
    port = np.zeros(count, np.int64)
    waited = timeline.release[rows] - timeline.issue[rows] - timeline.interval[rows]
    np.add.at(port, commands.operator[rows], waited)
    found["port"] = port
    return found


def _off_chip(program: Program, chip: Chip, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes read from and written to the off-chip memory, by operator."""
    names = [memory.name for memory in program.memories]
    dram = names.index(chip.dma.memory)
    o = program.operands
    owner = np.repeat(program.commands.operator, np.diff(o.start))
    totals = []
    for access in (Access.READ, Access.WRITE):
        ticks = np.zeros(count, np.int64)
        mine = (o.memory == dram) & (o.access == access)
        np.add.at(ticks, owner[mine], o.bytes[mine])
        totals.append(ticks)
    return totals[0], totals[1]
