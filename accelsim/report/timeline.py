"""The timeline of a run: which unit worked on which operator when; and a file for Perfetto."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.escaping import CsvWriter
from accelsim.program.opcodes import Opcode, Why
from accelsim.report.pictures import caption
from accelsim.report.style import below, figure, save
from accelsim.results.result import Result

FINEST = 1 / 1500  # of the makespan: shorter gaps are not drawn
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
HATCHES = ("", "///", "...", "xx", "\\\\\\")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a unit's work on one operator, gaps shorter than FINEST included; ticks."""

    unit: str
    operator: str
    start: int
    end: int


def spans(result: Result) -> list[Span]:
    """Stretches of every unit in order of time."""
    program, timeline = result.program, result.timeline
    c = program.commands
    order = np.lexsort((timeline.issue, c.unit))
    unit, operator = c.unit[order], c.operator[order]
    start, end = timeline.issue[order], timeline.release[order]
    if len(order) == 0:
        return []
    gap = max(1, int(timeline.makespan * FINEST))
    new = np.ones(len(order), bool)
    new[1:] = (unit[1:] != unit[:-1]) | (operator[1:] != operator[:-1]) | (start[1:] - end[:-1] > gap)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(order)) - 1
    names = [*program.operators, "-"]
    return [Span(program.units[int(unit[a])].name, names[int(operator[a])], int(start[a]), int(end[b]))
            for a, b in zip(first, last, strict=True)]  # fmt: skip


def draw_timeline(result: Result, folder: Path, formats: Sequence[str] = ("png", "svg")) -> None:
    """timeline.png, .svg and timeline_points.csv."""
    found = spans(result)
    scale = 1e3 / result.tick_hz
    units = list(dict.fromkeys(row.name for row in result.planned.program.units
                               if any(s.unit == row.name for s in found)))  # fmt: skip
    names = list(dict.fromkeys(s.operator for s in sorted(found, key=lambda s: s.start)))
    looks = {name: (COLOURS[i % len(COLOURS)], HATCHES[i // len(COLOURS) % len(HATCHES)])
             for i, name in enumerate(names)}  # fmt: skip
    made, axes, _ = figure(1.4 + 0.28 * len(units))
    for span in found:
        colour, hatch = looks[span.operator]
        row = len(units) - 1 - units.index(span.unit)
        axes.barh(row, (span.end - span.start) * scale, 0.7, span.start * scale, color=colour,
                  hatch=hatch, edgecolor="black", linewidth=0.15)  # fmt: skip
    whole = result.makespan * scale
    array = next(row.name for row in result.planned.program.units
                 if result.planned.program.unit_kinds[row.kind] == result.chip.core.name)  # fmt: skip
    for span in found:  # names above the first array's row, where they have room
        if span.unit == array and (span.end - span.start) * scale > whole / 20:
            axes.text((span.start + span.end) / 2 * scale, len(units) - 0.45, span.operator,
                      rotation=35, ha="left", va="bottom")  # fmt: skip
    axes.set_yticks(range(len(units)), units[::-1])
    axes.set_xlabel("time (ms)")
    axes.set_xlim(0, whole)
    axes.set_ylim(-0.6, len(units) + 0.5)
    below(made, caption(result, "none (times only)"))
    save(made, folder, "timeline", formats)
    with (folder / "timeline_points.csv").open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        writer.writerow(["unit", "operator", "start_ms", "end_ms"])
        writer.writerows([s.unit, s.operator, repr(s.start * scale), repr(s.end * scale)]
                         for s in found)  # fmt: skip


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
        events.append({"ph": "M", "name": "thread_name", "pid": 1, "tid": number,
                       "args": {"name": instance.name}})  # fmt: skip
        events.append({"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": number,
                       "args": {"sort_index": number}})  # fmt: skip
    names = [*program.operators, "-"]
    opcodes = [Opcode(code).name for code in range(len(Opcode))]
    causes = {int(why): why.name.lower() for why in Why}
    columns = (c.unit, c.opcode, c.operator, timeline.issue, timeline.release, timeline.end,
               timeline.why, timeline.ref)  # fmt: skip
    for row, (unit, opcode, operator, issue, release, end, why, ref) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        events.append(
            {"ph": "X", "name": names[operator], "cat": opcodes[opcode], "pid": 1, "tid": unit,
             "ts": issue * scale, "dur": (release - issue) * scale,
             "args": {"command": row, "opcode": opcodes[opcode], "last_result_us": end * scale,
                      "waited_for": causes[why] + (f" {ref}" if ref >= 0 else "")}}
        )  # fmt: skip
    return events


def trace_json(result: Result) -> bytes:
    """The trace file's bytes."""
    whole = {"displayTimeUnit": "ns", "traceEvents": trace_events(result)}
    return json.dumps(whole, separators=(",", ":")).encode()
