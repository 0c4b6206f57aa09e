"""One line an operator, from the three readings of a run."""

from __future__ import annotations

from collections.abc import Mapping as Dict

from accelsim.chip import Chip
from accelsim.energy import EnergyReport
from accelsim.explore.planned import Planned
from accelsim.explore.streamed import Streamed
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.mapping import Mapping
from accelsim.results.result import OperatorRow, peak_macs_per_cycle
from accelsim.timing.operators import (
    BEGIN,
    BUSY,
    END,
    READ_OFF_CHIP,
    WRITTEN_OFF_CHIP,
)
from accelsim.timing.windows import NEVER
from accelsim.workload import VectorOperator, Workload


def summarise(
    planned: Planned | Streamed,
    chip: Chip,
    workload: Workload,
    energy: EnergyReport,
    mappings: Dict[str, Mapping | CrossbarMapping],
) -> list[OperatorRow]:
    """Rows in the workload's order; their cycles add up to those of the run."""
    times = planned.operators(chip, len(workload.operators))
    tick = planned.tick_hz // chip.clocks[chip.core.clock]
    joules, peak = energy.by("operator"), peak_macs_per_cycle(chip)
    table, stalls = times.table, times.stalls
    added = times.windows.cycles(tick)
    rows = []
    for number, op in enumerate(workload.operators):
        work = 0 if isinstance(op, VectorOperator) else op.macs
        cycles, begin = int(added[number]), int(table[BEGIN, number])
        rows.append(
            OperatorRow(
                op.name,
                op.kind,
                work,
                cycles,
                0 if begin == NEVER else begin // tick,
                -(-int(table[END, number]) // tick),
                int(table[BUSY, number]) // tick,
                {cause: int(ticks[number]) // tick for cause, ticks in stalls.items()},
                work / (peak * cycles) if cycles else None,
                int(times.computing[number]) / tick,
                int(table[READ_OFF_CHIP, number]),
                int(table[WRITTEN_OFF_CHIP, number]),
                joules.get((number,), 0.0),
                describe(mappings.get(op.name)),
            )
        )
    return rows


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
