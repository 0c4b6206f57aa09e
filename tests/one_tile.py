"""Mappings of one tile, for what is worked out on paper."""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.mapping import Mapping, geometry_of
from accelsim.units.dataflows import dataflow_named
from accelsim.workload import VectorOperator, Workload


def one_tile(chip: Chip, workload: Workload) -> dict[str, Mapping]:
    """Every MAC operator as one tile under the chip's own dataflow."""
    flow = dataflow_named(chip.array.dataflow).number
    made = {}
    for op in workload.operators:
        if not isinstance(op, VectorOperator):
            g = geometry_of(op)
            made[op.name] = Mapping(flow, g.batch, g.out_height, g.out_width, g.n, g.k)
    return made
