"""SCALE-Sim's three report files, from Programs of folds and their Timelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.mapping.mapping import Geometry, geometry_of
from accelsim.mapping.rows.folds import fold_counts, spread
from accelsim.program.table import Program
from accelsim.timing import Timeline
from accelsim.units.dataflows import dataflow_named
from accelsim.units.dataflows.output_stationary import OutputStationary
from accelsim.units.dataflows.weight_stationary import WeightStationary
from accelsim.workload import VectorOperator, Workload

Ints = NDArray[np.int64]
COMPUTE = (
    "LayerID",
    "Total Cycles (incl. prefetch)",
    "Total Cycles",
    "Stall Cycles",
    "Overall Util %",
    "Mapping Efficiency %",
    "Compute Util %",
)
BANDWIDTH = (
    "LayerID",
    *(
        f"Avg {name} {memory} BW"
        for memory in ("SRAM", "DRAM")
        for name in ("IFMAP", "FILTER", "OFMAP")
    ),
)
DETAILED = (
    "LayerID",
    *(
        f"{memory} {name} {what}"
        for memory in ("SRAM", "DRAM")
        for name, moved in (("IFMAP", "Reads"), ("Filter", "Reads"), ("OFMAP", "Writes"))
        for what in ("Start Cycle", "Stop Cycle", moved)
    ),
)
#: columns that come from our own model because SCALE-Sim's rule for them is not published
OWN = (
    "Total Cycles (incl. prefetch)",
    "Stall Cycles",
    "Avg ... DRAM BW",
    "DRAM ... Start Cycle, Stop Cycle, Reads, Writes",
)


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One line of the reports: a layer, or one channel of a depthwise layer. Cycles are SCALE-Sim's:
    the index of the last cycle, which is one less than their number. Words, not bytes."""

    name: str
    with_prefetch: int
    cycles: int
    stalls: int
    overall_util: float
    mapping: float
    compute_util: float
    sram: tuple[tuple[int, int, int], ...]  # (start, stop, words) of ifmap, filter, ofmap
    dram: tuple[tuple[int, int, int], ...]


class Layer(NamedTuple):
    """A layer, or one channel of it: its dataflow's number and its commands."""

    name: str
    flow: int
    geometry: Geometry
    commands: slice


def layer_reports(
    chip: Chip, workload: Workload, program: Program, timeline: Timeline
) -> list[LayerReport]:
    """The lines of one Program's layers, in order."""
    cycle = program.tick_hz // chip.clocks[chip.array.clock]
    flow = dataflow_named(chip.array.dataflow).number
    words = _words(program, chip)
    extra = _phantom(program, chip)
    rows: list[LayerReport] = []
    at = 0
    for op in workload.operators:
        assert not isinstance(op, VectorOperator)
        geometry = geometry_of(op)
        folds = int(np.prod(fold_counts(flow, geometry, chip.array.rows, chip.array.columns)))
        for channel in range(op.groups):
            here = slice(at, at + folds)
            at += folds
            name = op.name if op.groups == 1 else f"{op.name}Channel_{channel}"
            layer = Layer(name, flow, geometry, here)
            rows.append(_report(chip, layer, timeline, cycle, words[:, here], extra[here]))
    return rows


def _words(program: Program, chip: Chip) -> Ints:
    """(6, commands) words moved: ifmap, filter, ofmap on chip, then off chip."""
    o = program.operands
    names = [memory.name for memory in program.memories]
    buffers = [names.index(getattr(chip.array, key)) for key in ("input", "weight", "output")]
    owner = np.repeat(np.arange(len(program)), np.diff(o.start))
    views = np.array([{"lowered": 0, "weight": 1}.get(row.view, 2) for row in program.tensors])
    far = ~np.isin(o.memory, buffers)
    table = np.zeros((6, len(program)), np.int64)
    np.add.at(table, (views[o.tensor] + 3 * far, owner), o.bytes)
    return table


def _phantom(program: Program, chip: Chip) -> Ints:
    counts = chip.array.actions(program.shapes)["phantom_writes"].astype(np.int64)
    return np.asarray(counts[program.commands.shape], np.int64)


def _report(
    chip: Chip, layer: Layer, timeline: Timeline, cycle: int, words: Ints, phantom: Ints
) -> LayerReport:
    """The line of a layer. words, phantom: of its commands."""
    array, flow, here = chip.array, layer.flow, layer.commands
    rows, columns = array.rows, array.columns
    along_rows, along_columns, steps = spread(flow, layer.geometry)
    start = int(timeline.issue[here.start]) // cycle
    ends = -(-timeline.release[here] // cycle) - start
    own = int(timeline.interval[here].sum()) // cycle
    folds = here.stop - here.start
    total = int(ends[-1]) - 1
    work = along_rows * along_columns * steps
    lines = own // folds
    useful = lines if flow == OutputStationary.number else lines + columns - 1  # its rule
    counts = [int(part.sum()) for part in words]
    counts[2] += int(phantom.sum())
    far = _off_chip(chip, words[3:], timeline.issue[here] // cycle - start, int(ends[-1]))
    return LayerReport(
        layer.name,
        far[2][1] - min(far[0][0], far[1][0]),
        total,
        total + 1 - own,
        100 * work / (total * rows * columns) if total else 0.0,
        100 * along_rows * along_columns / (folds * rows * columns),
        100 * along_rows * along_columns * steps / (folds * rows * columns * useful),
        tuple(
            (*span, count)
            for span, count in zip(
                _on_chip(
                    array.rows,
                    columns,
                    flow,
                    along_rows,
                    along_columns,
                    steps,
                    int(timeline.issue[here.stop - 1]) // cycle - start,
                    lines,
                ),
                counts[:3],
                strict=True,
            )
        ),
        far,
    )


def _on_chip(
    rows: int,
    columns: int,
    flow: int,
    along_rows: int,
    along_columns: int,
    steps: int,
    last: int,
    lines: int,
) -> tuple[tuple[int, int], ...]:
    """(start, stop) of ifmap, filter and ofmap accesses. last: cycle in which the last fold begins.

    The streamed operand enters row i (column j) i (j) cycles after the first.
    """
    used_rows = along_rows - (along_rows - 1) // rows * rows
    used_columns = along_columns - (along_columns - 1) // columns * columns
    end = last + lines - 1 - (columns - used_columns)
    if flow == OutputStationary.number:
        inputs = (1, last + steps + used_rows - 1)
        weights = (1, last + steps + used_columns - 1)
        return inputs, weights, (steps - 1 + rows - min(rows, along_rows), end)
    held = (1 + rows - min(rows, along_rows), last + rows)
    moving = (rows + 1, last + rows + steps + used_rows - 1)
    outputs = (2 * rows - 1, end)
    if flow == WeightStationary.number:
        return moving, held, outputs
    return held, moving, outputs


def _off_chip(chip: Chip, words: Ints, issue: Ints, end: int) -> tuple[tuple[int, int, int], ...]:
    """(start, stop, words) off chip by our own model: the first fold's operands come before it, a
    later fold's while the one before it runs; the last fold's outputs leave after it."""
    width = chip.dram.burst
    found = []
    for part in words[:2]:
        needed = np.flatnonzero(part)
        ahead = -(-int(part[0]) // width)
        last = int(issue[needed[-1]]) if len(needed) else 0
        found.append((-ahead, last - 1, int(part.sum())))
    drain = -(-int(words[2][-1]) // width)
    first = int(issue[1]) if len(issue) > 1 else end
    found.append((first, end + drain - 1, int(words[2].sum())))
    return tuple(found)


def report_files(rows: list[LayerReport]) -> dict[str, str]:
    """File name -> text of the three reports, headers and columns as SCALE-Sim 3.0.0 writes them."""

    def text(head: tuple[str, ...], lines: list[list[object]]) -> str:
        body = [", ".join(str(cell) for cell in line) + ",\n" for line in lines]
        return ", ".join(head) + ",\n" + "".join(body)

    compute: list[list[object]] = [
        [
            i,
            row.with_prefetch,
            row.cycles,
            row.stalls,
            row.overall_util,
            row.mapping,
            row.compute_util,
        ]
        for i, row in enumerate(rows)
    ]
    bandwidth: list[list[object]] = [
        [
            i,
            *(words / max(1, row.cycles) for _, _, words in row.sram),
            *(words / max(1, stop - start + 1) for start, stop, words in row.dram),
        ]
        for i, row in enumerate(rows)
    ]
    detailed: list[list[object]] = [
        [
            i,
            *(
                float(x) if j < 2 else x
                for part in (*row.sram, *row.dram)
                for j, x in enumerate(part)
            ),
        ]
        for i, row in enumerate(rows)
    ]
    return {
        "COMPUTE_REPORT.csv": text(COMPUTE, compute),
        "BANDWIDTH_REPORT.csv": text(BANDWIDTH, bandwidth),
        "DETAILED_ACCESS_REPORT.csv": text(DETAILED, detailed),
    }


__all__ = [
    "BANDWIDTH",
    "COMPUTE",
    "DETAILED",
    "OWN",
    "LayerReport",
    "layer_reports",
    "report_files",
]
