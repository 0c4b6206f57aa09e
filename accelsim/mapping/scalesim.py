"""Programs of a workload as SCALE-Sim plans it: layer after layer, fold after fold (rows/folds.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from accelsim.chip import Chip, machine
from accelsim.errors import InputError, Problem
from accelsim.mapping.mapping import geometry_of
from accelsim.mapping.programs import Placed, program_of
from accelsim.mapping.rows.folds import fold_counts, folds_nest
from accelsim.mapping.rows.record import Fast, Local, written
from accelsim.mapping.rows.shapes import NUMBER, number_shapes
from accelsim.mapping.size import check_commands
from accelsim.mapping.tensors import build_tensors, tensor_formats
from accelsim.program.dependencies import demands
from accelsim.program.table import Program
from accelsim.units.dataflows import dataflow_named
from accelsim.units.fold_array import FoldArray
from accelsim.workload import VectorOperator, Workload

MOST_FOLDS = 1_000_000  # in one Program; layers are independent, so more go into the next
LARGEST = 20_000_000  # in one layer


def compile_folds(chip: Chip, workload: Workload) -> Iterator[tuple[Workload, Program]]:
    """Programs of the workload's layers in order, each of at most MOST_FOLDS folds (or one layer).

    The chip's array is a FoldArray. InputError for a layer with more than LARGEST folds.
    """
    array = chip.array
    assert isinstance(array, FoldArray)
    flow = dataflow_named(array.dataflow).number
    part: list[int] = []
    folds = 0
    for at, op in enumerate(workload.operators):
        if isinstance(op, VectorOperator):
            continue
        own = op.groups * int(
            np.prod(fold_counts(flow, geometry_of(op), array.rows, array.columns))
        )
        if own > LARGEST:
            raise InputError(
                Problem(
                    "scalesim.folds",
                    f"{op.name} takes {own:,} folds, at most {LARGEST:,} fit",
                    "make the array larger, or split the layer",
                    path=op.name,
                    file=workload.source,
                )
            )
        check_commands(
            max(own, min(MOST_FOLDS, folds + own)), 1, f"{op.name} alone {own:,}", workload.source
        )
        if part and folds + own > MOST_FOLDS:
            yield _program(chip, workload, part, flow, folds)
            part, folds = [], 0
        part.append(at)
        folds += own
    if part:
        yield _program(chip, workload, part, flow, folds)


def _program(
    chip: Chip, workload: Workload, chosen: list[int], flow: int, folds: int
) -> tuple[Workload, Program]:
    operators = tuple(workload.operators[i] for i in chosen)
    names = {
        name
        for op in operators
        if not isinstance(op, VectorOperator)
        for name in (op.input, op.weight, op.output)
    }
    tensors = {name: spec for name, spec in workload.tensors.items() if name in names}
    work = replace(workload, operators=operators, tensors=tensors)
    table = build_tensors(work, chip, tensor_formats(work, chip))
    fast = Fast(folds, (number_shapes, NUMBER))
    placed = []
    for at, op in enumerate(operators):
        assert not isinstance(op, VectorOperator)
        nest = folds_nest(chip, machine(chip), geometry_of(op), flow)
        keys = [table.index[f"{op.name}/{key}"] for key in ("lowered", "weight", "matrix", "sums")]
        own = Local([found for row in keys for found in table.local(row, 0)])
        placed.append(Placed(written(nest, fast(nest), own), at))
    kernels = bool(placed) and fast(nest)
    program = program_of(
        chip, work, table, placed, (), kernels
    )  # folds in order on one unit need no edges
    return work, replace(program, demands=demands(program))
