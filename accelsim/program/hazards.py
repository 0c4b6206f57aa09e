"""Hazards: sequential execution in program order is the meaning; concurrency may not change it.

Every two commands that touch the same bytes, one of them writing, must be ordered by what the
timing semantics guarantee. The walk of shadow.py follows the edges that are stated; what a command
touches and does not know to be done is a finding, with the edge that is missing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from accelsim.program.dependencies import (
    MANY_UNITS,
    Result,
    Walk,
    demands,
    dependencies_of,
    touches_of,
)
from accelsim.program.findings import Findings
from accelsim.program.opcodes import Opcode
from accelsim.program.shadow import OTHER, RAW, REGION, UNWRITTEN, WAR, WAW
from accelsim.program.table import Program

Ints = NDArray[np.int64]
MESSAGES = {
    UNWRITTEN: ("program.unwritten", "reads bytes that nothing has written", ""),
    OTHER: ("program.clobbered", "reads bytes that hold another tensor", ""),
    RAW: ("program.read_early", "may read before the command that writes has ended", "DATA"),
    WAR: ("program.overwrite", "may overwrite bytes that an earlier command still reads", "SLOT"),
    WAW: (
        "program.write_order",
        "may write before an earlier write of the same bytes has ended",
        "DATA",
    ),
    REGION: ("program.region", "reads a region that its source did not write", ""),
}


def check_hazards(f: Findings) -> None:
    """Find reads before writes and writes too early, over every memory."""
    p = f.program
    if len(p) == 0 or not (p.operands.span.any() or p.residents):
        return
    walk = Walk(touches_of(p), np.zeros(len(p), np.int64), p.dependencies, p.commands_ahead)
    found = walk.run(walk.busiest(), 0, derive=False)
    if len(found.faults.row) and len(walk.unit_of) > MANY_UNITS:
        # what the busiest streams know is not enough: ask what all know
        found = walk.run(np.arange(len(walk.unit_of), dtype=np.int64), 0, derive=False)
    _report(f, walk, found)


def derived(program: Program, lag: Ints) -> Program:
    """The Program with the dependencies and demands that its operands ask for. lag: of each command,
    ticks between the release of what it overwrites and its issue. ProgramError for what no edge mends:
    bytes that are read and were not written, or not with that tensor."""
    walk = Walk(touches_of(program), lag, ahead=program.commands_ahead)
    found = walk.run(walk.busiest(), walk.most, derive=True)
    findings = Findings(program)
    _report(findings, walk, found)
    findings.stop()
    edges = dependencies_of(found.edges, lag)
    return replace(program, dependencies=edges, demands=demands(program))


def _report(f: Findings, walk: Walk, found: Result) -> None:
    """Findings of a walk in words."""
    p = f.program
    rows, kinds, earlier = found.faults
    for kind, (code, message, edge) in MESSAGES.items():
        where, first = np.unique(rows[kinds == kind], return_index=True)
        before = earlier[kinds == kind][first]
        fixes = [
            f"add a {edge} edge from command {b} ({Opcode(int(p.commands.opcode[b])).name})"
            if edge and b >= 0
            else ""
            for b in before.tolist()
        ]
        f.rows(code, where, message, fixes)
    for resident, root, a, b in zip(
        p.residents, walk.seen.resident.tolist(), *walk.resident_runs, strict=True
    ):
        if resident.at_end and (found.held[a:b] != root).any():
            f.one(
                "program.resident",
                p.tensors[resident.tensor].name,
                f"is not in {p.memories[resident.memory].name} at the end",
            )
