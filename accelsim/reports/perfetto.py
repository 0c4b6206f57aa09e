"""A run for Perfetto: every command as a Chrome trace event."""

from __future__ import annotations

import json
from typing import Any

from accelsim.program.opcodes import Opcode, Why
from accelsim.results.result import Result


def trace_events(result: Result) -> list[dict[str, Any]]:
    """Every command as a Chrome trace event (ts and dur in microseconds), which Perfetto opens."""
    program, timeline = result.program, result.timeline
    c = program.commands
    scale = 1e6 / timeline.tick_hz
    title = f"{result.workload.name} on {result.chip.name}"
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": title}}
    ]
    for number, instance in enumerate(program.units):
        for what, value in (("name", instance.name), ("sort_index", number)):
            events.append(
                {
                    "ph": "M",
                    "name": f"thread_{what}",
                    "pid": 1,
                    "tid": number,
                    "args": {what: value},
                }
            )
    names = [*program.operators, "-"]
    opcodes = [Opcode(code).name for code in range(len(Opcode))]
    causes = {int(why): why.name.lower() for why in Why}
    columns = (
        c.unit,
        c.opcode,
        c.operator,
        timeline.issue,
        timeline.release,
        timeline.end,
        timeline.why,
        timeline.ref,
    )
    for row, (unit, opcode, operator, issue, release, end, why, ref) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        events.append(
            {
                "ph": "X",
                "name": names[operator],
                "cat": opcodes[opcode],
                "pid": 1,
                "tid": unit,
                "ts": issue * scale,
                "dur": (release - issue) * scale,
                "args": {
                    "command": row,
                    "opcode": opcodes[opcode],
                    "last_result_us": end * scale,
                    "waited_for": causes[why] + (f" {ref}" if ref >= 0 else ""),
                },
            }
        )
    return events


def trace_json(result: Result) -> bytes:
    """The trace file's bytes."""
    whole = {"displayTimeUnit": "ns", "traceEvents": trace_events(result)}
    return json.dumps(whole, separators=(",", ":")).encode()
