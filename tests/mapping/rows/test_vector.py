"""The nest of vector operators: one source plain and compiled, resumable, tiles that cover the output."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from accelsim.chip import Chip, machine
from accelsim.chip.machine import memory_of
from accelsim.errors import InputError
from accelsim.loading import load_chip
from accelsim.mapping.rows.record import HOME, Nest, Segment, written
from accelsim.mapping.rows.vector import vector_nest
from accelsim.mapping.rows.vector_tiles import (
    PIECES,
    READ_AS,
    SPAN,
    UNDER_WINDOWS,
    Output,
    four,
    made_shape,
    read_box,
    read_inputs,
    tile_vector,
)
from accelsim.program.opcodes import Opcode
from accelsim.workload import VectorOperator
from tests.mapping.rows.vector_cases import KINDS, random_formats, random_vector, small_chip
from tests.mapping.rows.ways import every_way

Case = tuple[Chip, VectorOperator, tuple[str, ...], int]
TENSOR, MEMORY, ADDRESS, REACH, BYTES = range(5)  # of an operand
BOX = 7


def cases(seed: int, each: int = 1) -> Iterator[tuple[Case, Segment]]:
    """Operators of every kind on small chips, those that fit, with their rows."""
    rng = np.random.default_rng(seed)
    for kind in KINDS * each:
        op, chip = random_vector(rng, kind), small_chip(rng)
        case = chip, op, random_formats(rng, op), int(rng.integers(2))
        try:
            yield case, rows_of(case)
        except InputError as error:
            assert error.problems[0].code == "mapping.vector.fits"


def nest_of(case: Case) -> Nest:
    chip, op, formats, parity = case
    return vector_nest(chip, machine(chip), op, formats, parity)


def rows_of(case: Case) -> Segment:
    return written(nest_of(case), fast=True)


def shape_of(op: VectorOperator, tensor: int) -> tuple[int, ...]:
    """A tensor as boxes see it: leading axes merged, trailing ones added."""
    shape = (*op.input_shapes, op.output_shape)[tensor]
    return four(shape) if len(shape) > 4 else (*shape, 1, 1, 1, 1)[:4]


def rows_with(rows: Segment, opcode: Opcode) -> np.ndarray:
    """Numbers of the commands with an opcode."""
    return np.flatnonzero(rows.styles[rows.commands[:, 0], 0] == opcode)


def test_one_source_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for case, _ in list(cases(1, 2)):
        every_way(lambda case=case: nest_of(case), monkeypatch)  # type: ignore[misc]


def test_boxes_of_the_output_cover_it_once() -> None:
    for (_, op, _, _), rows in cases(3):
        made = len(op.inputs)
        cover = np.zeros(shape_of(op, made), np.int64)
        for row in rows_with(rows, Opcode.STORE):
            for entry in rows.operands[rows.start[row] : rows.start[row + 1]]:
                low, size = entry[BOX::2], entry[BOX + 1 :: 2]
                cover[tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))] += 1
        assert set(np.unique(cover)) <= ({0, 2} if op.kind == "append" else {2})
        assert cover.sum() == 2 * np.prod(made_shape(op))


def test_boxes_lie_inside_their_tensors() -> None:
    for (_, op, _, _), rows in cases(4):
        for entry in rows.operands:
            low, size = entry[BOX::2], entry[BOX + 1 :: 2]
            assert (low >= 0).all()
            assert (size >= 1).all()
            assert (low + size <= shape_of(op, entry[TENSOR])).all()


def test_slots_lie_inside_their_memories_and_apart() -> None:
    for (chip, op, _, _), rows in cases(5):
        whole = machine(chip)
        sizes = {
            whole.memory_index[memory_of(chip, name, 0)]: chip.memories[name].size
            for name in (chip.vector_unit.input, chip.vector_unit.output)
        }
        near = rows.operands[rows.operands[:, MEMORY] != HOME]
        assert (near[:, ADDRESS] >= 0).all()
        assert all(e[ADDRESS] + e[REACH] <= sizes[e[MEMORY]] for e in near)
        slots = sorted({(e[MEMORY], e[ADDRESS], e[REACH], e[TENSOR]) for e in near.tolist()})
        assert {slot[3] for slot in slots} == {*read_inputs(op), len(op.inputs)}
        for a, b in pairwise(slots):
            assert a[0] != b[0] or a[1] + a[2] <= b[1]


def test_bytes_fit_their_slots() -> None:
    for _, rows in cases(6):
        near = rows.operands[rows.operands[:, MEMORY] != HOME]
        assert (near[:, BYTES] <= near[:, REACH]).all()


def test_work_adds_up() -> None:
    for (_, op, _, _), rows in cases(7):
        compute = rows.commands[rows_with(rows, Opcode.VECTOR)]
        assert compute[:, 3].sum() == np.prod(made_shape(op))
        assert compute[:, 4].sum() == op.work
        assert (compute[:, 4] >= 0).all()


def test_a_tile_loads_computes_and_stores() -> None:
    op = VectorOperator("y", "add", ("a", "b"), "y", ((2, 2, 3, 5), (2, 1, 5)), (2, 2, 3, 5))
    rows = rows_of((load_chip("int8_edge"), op, ("int8", "int4", "int8"), 0))
    turn = [Opcode.LOAD, Opcode.LOAD, Opcode.VECTOR, Opcode.STORE]
    assert rows.styles[rows.commands[:, 0], 0].tolist() == turn * PIECES
    second = rows.operands[rows.start[4] : rows.start[8]]
    assert second[:, TENSOR].tolist() == [0, 0, 1, 1, 0, 1, 2, 2, 2]
    assert second[:, BYTES].tolist() == [15, 15, 3, 3, 15, 3, 15, 15, 15]
    assert second[0, BOX:].tolist() == [0, 1, 1, 1, 0, 3, 0, 5]
    assert second[2, BOX:].tolist() == [1, 1, 0, 1, 0, 5, 0, 1]


def test_an_append_stores_behind_the_cache() -> None:
    op = VectorOperator("y", "append", ("old", "new"), "y", ((1, 6, 4), (1, 2, 4)), (1, 8, 4))
    rows = rows_of((load_chip("int8_edge"), op, ("int8",) * 3, 1))
    stored = rows.operands[rows.start[rows_with(rows, Opcode.STORE)]]
    assert stored[:, BOX : BOX + 6].tolist() == [[0, 1, 6, 1, 0, 4], [0, 1, 7, 1, 0, 4]]
    assert set(rows.operands[:, TENSOR].tolist()) == {1, 2}


def test_a_pool_reads_the_rows_under_its_windows() -> None:
    output = Output(1, 1, 4, 4, 2, 1, 3)
    tensor = [1, 1, 8, 8, UNDER_WINDOWS, 0, 8, 0]
    assert len(tensor) == SPAN + 1
    assert tensor[READ_AS] == UNDER_WINDOWS
    assert read_box(output, tensor, (0, 1, 0, 1, 0, 1, 0, 4))[4:6] == (0, 2)
    assert read_box(output, tensor, (0, 1, 0, 1, 1, 2, 0, 4))[4:6] == (1, 5)
    assert read_box(output, tensor, (0, 1, 0, 1, 3, 1, 0, 4))[4:6] == (5, 3)


def test_tiles_are_the_largest_that_fit() -> None:
    chip = load_chip("int8_edge", ["memories.input_buffer.size=1 KiB"])
    op = VectorOperator("y", "relu", ("a",), "y", ((1, 64, 8, 16),), (1, 64, 8, 16))
    tiling = tile_vector(op, chip, (8, 8))
    assert (tiling.channels, tiling.rows) == (4, 8)  # 16 channels halved until two slots fit
    assert tiling.tensors[:, SPAN].tolist() == [512, 512]


def test_a_row_that_does_not_fit_is_refused() -> None:
    chip = load_chip("int8_edge", ["memories.input_buffer.size=1 KiB"])
    op = VectorOperator("y", "softmax", ("a",), "y", ((4, 600),), (4, 600))
    with pytest.raises(InputError, match="one row of y needs 1200 bytes of input_buffer"):
        tile_vector(op, chip, (8, 8))
