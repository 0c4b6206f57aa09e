"""Hazards: sequential execution in program order is the meaning; concurrency may not change it.

Every two commands that touch the same bytes, one of them writing, must be ordered by what the
timing semantics guarantee. The walk of shadow.py follows the edges that are stated; what a command
touches and does not know to be done is a finding, with the edge that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.program.dependencies import MANY_UNITS, Walk
from accelsim.program.opcodes import Opcode
from accelsim.program.shadow import OTHER, RAW, REGION, UNWRITTEN, WAR, WAW

if TYPE_CHECKING:
    from accelsim.program.validate import Findings

MOST = 100  # findings that are listed
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
    walk = Walk(p, np.zeros(len(p), np.int64), stated=True)
    found = walk.run(walk.busiest(), MOST, derive=False)
    if len(found[0]) and len(p.units) > MANY_UNITS:
        # what the busiest units know is not enough: ask what all know
        found = walk.run(np.arange(len(p.units), dtype=np.int64), MOST, derive=False)
    rows, kinds, earlier, held = found
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
    for resident, a, b in zip(p.residents, *walk.resident_runs, strict=True):
        if resident.at_end and (held[a:b] != walk.root[resident.tensor]).any():
            f.one(
                "program.resident",
                p.tensors[resident.tensor].name,
                f"is not in {p.memories[resident.memory].name} at the end",
            )
