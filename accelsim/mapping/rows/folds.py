"""SCALE-Sim's plan of a layer: one command a fold, column folds outermost, row folds inside.

Operands of a fold: input, weight and output words of the on-chip buffers, then the words that move
off chip in it. How many those are is our own rule, because its is not published: an operand that
fits half its buffer is fetched once, any other again whenever a fold needs it; every fold's
outputs are written, sums of unfinished folds too, and never read back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from accelsim import jit
from accelsim.chip import Chip, Machine
from accelsim.formats import FORMAT_INDEX
from accelsim.mapping.mapping import Geometry
from accelsim.mapping.rows.record import (
    HOME,
    READ,
    WRITE,
    Nest,
    Rows,
    What,
    begin,
    touches,
)
from accelsim.program.opcodes import Flag, Opcode
from accelsim.units.dataflows.input_stationary import InputStationary
from accelsim.units.dataflows.output_stationary import OutputStationary
from accelsim.units.dataflows.weight_stationary import WeightStationary

LOWERED, WEIGHT, OUTPUT, SUMS = range(4)
BITS, FORM = 8, FORMAT_INDEX["int8"]  # a word is a byte, as there
FIRST_K, LAST_K = int(Flag.FIRST_K), int(Flag.LAST_K)
OUTPUT_STATIONARY = OutputStationary.number
WEIGHT_STATIONARY = WeightStationary.number
INPUT_STATIONARY = InputStationary.number
EVERY_FOLD, FIRST_COLUMN, FIRST_ROW = range(3)  # folds that fetch an operand


def spread(flow: int, g: Geometry) -> tuple[int, int, int]:
    """(extent on the rows, extent on the columns, streamed length): Sr, Sc, T."""
    if flow == OUTPUT_STATIONARY:
        return g.m, g.n, g.k
    if flow == WEIGHT_STATIONARY:
        return g.k, g.n, g.m
    return g.k, g.m, g.n


def fold_counts(flow: int, geometry: Geometry, rows: int, columns: int) -> tuple[int, int]:
    """(row folds, column folds) of one group."""
    along_rows, along_columns, _ = spread(flow, geometry)
    return -(-along_rows // rows), -(-along_columns // columns)


class Words(NamedTuple):
    """A tensor of the layer, and the buffer that the array has it in."""

    what: What
    buffer: int


class Layer(NamedTuple):
    """A layer on an array of rows x columns.

    down, across, steps: extents on the rows, on the columns, streamed. unique: words of the input,
    of which a fold that is ``shared`` fetches its part of ``uses``, all words that folds read.
    input_when, weight_when: folds that fetch.
    """

    flow: int
    unit: int
    groups: int
    row_folds: int
    column_folds: int
    rows: int
    columns: int
    down: int
    across: int
    steps: int
    unique: int
    uses: int
    shared: int
    input_when: int
    weight_when: int
    input: Words
    weight: Words
    output: Words


@jit.allocates_nothing
def fold_rows(op: Layer, state: Any, rows: Rows) -> bool:
    """Rows of the layer. state: folds that are done."""
    folds = op.groups * op.column_folds * op.row_folds
    while state[0] < folds:
        if rows.at[0] > rows.limit[0] or rows.at[1] > rows.limit[1]:
            return False
        fold(op, state[0], rows)
        state[0] += 1
    return True


def fold(op: Layer, number: Any, rows: Rows) -> None:
    """One fold: what the array reads and writes, then what moves off chip."""
    row, column = number % op.row_folds, number // op.row_folds % op.column_folds
    group = number // op.row_folds // op.column_folds
    m0, m, n0, n, k0, k = ranges(op, row, column)
    whole = op.flow == OUTPUT_STATIONARY
    flags = FIRST_K if whole or row == 0 else 0
    flags += LAST_K if whole or row == op.row_folds - 1 else 0
    a, b = (group, 1, m0, m, k0, k, 0, 1), (group, 1, k0, k, n0, n, 0, 1)
    c = (group, 1, m0, m, n0, n, 0, 1)
    begin(rows, 0, op.unit, flags, (m, n, k, op.flow, 0))
    touches(rows, READ, op.input.what, (op.input.buffer, 0, 0), m * k, a)
    touches(rows, READ, op.weight.what, (op.weight.buffer, 0, 0), k * n, b)
    touches(rows, WRITE, op.output.what, (op.output.buffer, 0, 0), m * n, c)
    if fetches(op.input_when, row, column):
        part = min(m * k, -(-m * k * op.unique // op.uses)) if op.shared else m * k
        touches(rows, READ, op.input.what, (HOME, 0, 0), part, a)
    if fetches(op.weight_when, row, column):
        touches(rows, READ, op.weight.what, (HOME, 0, 0), k * n, b)
    touches(rows, WRITE, op.output.what, (HOME, 0, 0), m * n, c)


def ranges(op: Layer, row: Any, column: Any) -> Any:
    """Offset and extent of a fold along m, n and k."""
    r0, c0 = row * op.rows, column * op.columns
    r, c = min(op.rows, op.down - r0), min(op.columns, op.across - c0)
    if op.flow == OUTPUT_STATIONARY:
        return r0, r, c0, c, 0, op.steps
    if op.flow == WEIGHT_STATIONARY:
        return 0, op.steps, c0, c, r0, r
    return c0, c, 0, op.steps, r0, r


def fetches(when: Any, row: Any, column: Any) -> Any:
    """Whether a fold fetches an operand."""
    return when == EVERY_FOLD or (column if when == FIRST_COLUMN else row) == 0


FOLD: jit.Helpers = (begin, touches, ranges, fetches)
HELPERS: jit.Helpers = ((fold, FOLD),)


def folds_nest(chip: Chip, machine: Machine, geometry: Geometry, flow: int) -> Nest:
    """What writes the rows of one layer. Local tensors: lowered input, weight, output matrix, sums. Addresses and
    spans are not tracked."""
    op = layer(chip, machine, geometry, flow)
    styles = np.array([(Opcode.MATMUL, FORM, FORM, FORM, 0)], np.int64)
    return Nest(fold_rows, HELPERS, op, np.zeros(1, np.int64), styles, (1, 6))


def layer(chip: Chip, machine: Machine, g: Geometry, flow: int) -> Layer:
    """What the rows of a layer follow from. Input-stationary folds read every input word once."""
    array = chip.array
    row_folds, column_folds = fold_counts(flow, g, array.rows, array.columns)
    unique = g.batch * g.in_height * g.in_width * g.channels if g.convolution else g.m * g.k
    fits = unique <= chip.memories[array.input].size // 2
    input_stationary = flow == INPUT_STATIONARY
    sums = flow != OUTPUT_STATIONARY and row_folds > 1
    return Layer(
        int(flow),
        machine.unit_index[array.name],
        g.groups,
        row_folds,
        column_folds,
        array.rows,
        array.columns,
        *spread(flow, g),
        unique,
        g.m * g.k,
        int(fits or input_stationary),
        FIRST_COLUMN if fits and not input_stationary else EVERY_FOLD,
        weight_fetches(chip, g, flow),
        Words(What(LOWERED, BITS, FORM), machine.memory_index[array.input]),
        Words(What(WEIGHT, BITS, FORM), machine.memory_index[array.weight]),
        Words(
            What(SUMS if sums else OUTPUT, BITS, FORM),
            machine.memory_index[array.output],
        ),
    )


def weight_fetches(chip: Chip, g: Geometry, flow: int) -> int:
    """Folds that fetch weights: those in the array once, streamed ones as often as they do not fit."""
    array = chip.array
    room = chip.memories[array.weight].size // 2
    if flow == INPUT_STATIONARY and g.k * g.n <= room:
        return FIRST_COLUMN
    if flow == OUTPUT_STATIONARY and g.k * array.columns <= room:
        return FIRST_ROW
    return EVERY_FOLD
