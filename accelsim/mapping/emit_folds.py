"""SCALE-Sim's plan of a layer: one command a fold, column folds outermost, folds in order.

Operands of a fold: input, weight and output words of the on-chip buffers, then the words that move
off chip in it. How many those are is our own rule, because its is not published: an operand that
fits half its buffer is fetched once, any other again whenever a fold needs it; every fold's
outputs are written, sums of unfinished folds too, and never read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.formats import FORMAT_INDEX
from accelsim.mapping.assemble import Assembler, Segment
from accelsim.mapping.join import Joiner
from accelsim.mapping.mapping import Geometry, dataflow_named, geometry_of
from accelsim.mapping.shapes import ShapeRows
from accelsim.mapping.size import check_commands
from accelsim.mapping.tensors import build_tensors, tensor_formats
from accelsim.program.opcodes import Access, Flag, Opcode
from accelsim.program.table import Program
from accelsim.units.fold_array import FoldArray
from accelsim.units.mac_array import Dataflow
from accelsim.workload import VectorOperator, Workload

Ints = NDArray[np.int64]
MOST_FOLDS = 1_000_000  # in one Program; layers are independent, so more go into the next
LARGEST = 20_000_000  # in one layer
LOWERED, WEIGHT, OUTPUT, SUMS = range(4)
_INT8 = FORMAT_INDEX["int8"]  # a word is a byte, as there


def fold_counts(flow: int, geometry: Geometry, rows: int, columns: int) -> tuple[int, int]:
    """(row folds, column folds) of one group."""
    along_rows, along_columns, _ = spread(flow, geometry)
    return -(-along_rows // rows), -(-along_columns // columns)


def spread(flow: int, g: Geometry) -> tuple[int, int, int]:
    """(extent on the rows, extent on the columns, streamed length): Sr, Sc, T."""
    if flow == Dataflow.OUTPUT_STATIONARY:
        return g.m, g.n, g.k
    if flow == Dataflow.WEIGHT_STATIONARY:
        return g.k, g.n, g.m
    return g.k, g.m, g.n


def compile_folds(chip: Chip, workload: Workload) -> Iterator[tuple[Workload, Program]]:
    """Programs of the workload's layers in order, each of at most MOST_FOLDS folds (or one layer).

    The chip's array is a FoldArray. InputError for a layer with more than LARGEST folds.
    """
    array = chip.array
    assert isinstance(array, FoldArray)
    flow = dataflow_named(array.dataflow)
    part: list[int] = []
    folds = 0
    for number, op in enumerate(workload.operators):
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
            yield _program(chip, workload, part, flow)
            part, folds = [], 0
        part.append(number)
        folds += own
    if part:
        yield _program(chip, workload, part, flow)


def _program(
    chip: Chip, workload: Workload, chosen: list[int], flow: int
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
    joiner = Joiner(chip, table)
    cache: dict[Geometry, Segment] = {}
    for number, op in enumerate(operators):
        assert not isinstance(op, VectorOperator)
        geometry = geometry_of(op)
        if geometry not in cache:
            cache[geometry] = emit_folds(chip, joiner, geometry, flow)
        local = [table.index[f"{op.name}/{key}"] for key in ("lowered", "weight", "matrix", "sums")]
        joiner.add(cache[geometry], number, local, [])
    return work, joiner.finish(tuple(op.name for op in operators), ())


def emit_folds(chip: Chip, joiner: Joiner, g: Geometry, flow: int) -> Segment:
    """The Segment of one layer. Local tensors: lowered input, weight, output matrix, sums."""
    array, machine = chip.array, joiner.machine
    row_folds, column_folds = fold_counts(flow, g, array.rows, array.columns)
    grid = np.indices((g.groups, column_folds, row_folds)).reshape(3, -1).astype(np.int64)
    group, column, row = grid
    along_rows, along_columns, steps = spread(flow, g)
    r0, c0 = row * array.rows, column * array.columns
    nr = np.minimum(array.rows, along_rows - r0)
    nc = np.minimum(array.columns, along_columns - c0)
    zero, whole = np.zeros_like(r0), np.full_like(r0, steps)
    output, weight = (flow == Dataflow.OUTPUT_STATIONARY, flow == Dataflow.WEIGHT_STATIONARY)
    m = (r0, nr) if output else (zero, whole) if weight else (c0, nc)
    n = (c0, nc) if output or weight else (zero, whole)
    k = (zero, whole) if output else (r0, nr)
    rows = np.arange(len(group), dtype=np.int64)
    shapes = ShapeRows()
    last = np.ones(len(rows), bool) if output else row == row_folds - 1
    first = np.ones(len(rows), bool) if output else row == 0
    flags = first * np.int64(Flag.FIRST_K) + last * np.int64(Flag.LAST_K)
    shape = shapes.unique(
        machine.kind_index[array.name],
        Opcode.MATMUL,
        (_INT8, _INT8, _INT8),
        (m[1], n[1], k[1], np.full_like(r0, flow)),
    )
    assembler = Assembler(len(rows))
    assembler.command(rows, Opcode.MATMUL, machine.unit_index[array.name], shape, flags)
    done = OUTPUT if output or row_folds == 1 else SUMS
    parts = (
        (LOWERED, array.input, m[1] * k[1], Access.READ, ((group, 1), m, k)),
        (WEIGHT, array.weight, k[1] * n[1], Access.READ, ((group, 1), k, n)),
        (done, array.output, m[1] * n[1], Access.WRITE, ((group, 1), m, n)),
    )
    for tensor, memory, size, access, region in parts:
        port = machine.read_port if access == Access.READ else machine.write_port
        assembler.operand(
            rows,
            tensor=tensor,
            memory=machine.memory_index[memory],
            address=0,
            span=0,
            bytes=size,
            access=access,
            format=_INT8,
            region=region,
        )
        assembler.demand(rows, port(memory), size)
    moved = (*_fetched(chip, g, flow, row, column, m[1], n[1], k[1]), m[1] * n[1])
    for (tensor, _, _, access, region), words in zip(parts, moved, strict=True):
        some = np.flatnonzero(words)
        if len(some):
            assembler.operand(
                some,
                tensor=tensor,
                memory=joiner.dram,
                address=0,
                span=0,
                bytes=words[some],
                access=access,
                format=_INT8,
                region=tuple((_pick(a, some), _pick(b, some)) for a, b in region),
            )
            assembler.demand(some, machine.read_port(chip.dma.memory), words[some])
    return assembler.build(shapes.columns())


def _pick(value: Ints | int, some: Ints) -> Ints | int:
    return value if isinstance(value, int) else value[some]


def _fetched(
    chip: Chip, g: Geometry, flow: int, row: Ints, column: Ints, m: Ints, n: Ints, k: Ints
) -> tuple[Ints, Ints]:
    """Input and weight words fetched from off chip in every fold."""
    array = chip.array
    unique = g.batch * g.in_height * g.in_width * g.channels if g.convolution else g.m * g.k
    room_i = chip.memories[array.input].size // 2
    room_w = chip.memories[array.weight].size // 2
    share = np.minimum(m * k, -(-m * k * unique // (g.m * g.k)))
    first_row, first_column = row == 0, column == 0
    if flow == Dataflow.INPUT_STATIONARY:  # every input word once; weights for each column fold
        again = k * n
        return share, again if g.k * g.n > room_w else np.where(first_column, again, 0)
    inputs = share if unique <= room_i else m * k
    inputs = np.where(first_column, inputs, 0) if unique <= room_i else inputs
    if flow == Dataflow.WEIGHT_STATIONARY:
        return inputs, k * n
    slice_fits = g.k * array.columns <= room_w
    return inputs, np.where(first_row, k * n, 0) if slice_fits else k * n
