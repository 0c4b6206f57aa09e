"""Segments of all operators as one Program.

Operators follow one another without a barrier: an operator's first loads wait only for the bytes
they overwrite and for the tensors they read, which the Program's dependencies say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, machine
from accelsim.mapping.bursts import in_bursts
from accelsim.mapping.rows.record import Segment
from accelsim.mapping.tensors import TensorTable
from accelsim.program.hazards import derived
from accelsim.program.opcodes import Opcode
from accelsim.program.table import (
    Commands,
    Demands,
    Dependencies,
    Operands,
    Program,
    ResidentRow,
    Shapes,
    UnitRow,
)
from accelsim.workload import Workload

Ints = NDArray[np.int64]
RANK = 4  # dimensions of an operand's region
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd; its bits are spread evenly


@dataclass(slots=True)
class Placed:
    """A segment as the workload's operator ``number``; tensors: rows of its local ones."""

    segment: Segment
    number: int
    tensors: Sequence[int]


def program_of(
    chip: Chip,
    workload: Workload,
    table: TensorTable,
    placed: list[Placed],
    residents: tuple[ResidentRow, ...] = (),
) -> Program:
    """The Program of the operators, in their order, as they touch memory: without dependencies and demands.
    ``placed`` is used up: a segment's memory goes as the table's comes."""
    made = machine(chip)
    sizes = np.array([len(one.segment) for one in placed], np.int64)
    owner = np.repeat(np.array([one.number for one in placed], np.int64), sizes)
    commands, shapes = _commands([one.segment for one in placed], owner, made.units)
    start = np.zeros(len(owner) + 1, np.int64)
    if placed:
        np.cumsum(np.concatenate([np.diff(one.segment.start) for one in placed]), out=start[1:])
    none = np.zeros(len(owner) + 1, np.int64)
    return Program(
        commands,
        shapes,
        _operands(placed, start, table, made.memory_index[chip.dma.memory]),
        Dependencies(none, none[:0], none[:0], none[:0]),
        Demands(none, none[:0], none[:0]),
        made.units,
        made.unit_kinds,
        made.queues,
        made.ports,
        made.memories,
        tuple(table.rows),
        tuple(op.name for op in workload.operators),
        made.tick_hz,
        (),
        residents,
    )


def complete(program: Program, chip: Chip, workload: Workload) -> Program:
    """The Program with all that follows from its commands and operands: whole bursts off chip,
    dependencies, demands."""
    return derived(in_bursts(program, chip, workload), release_lag(chip, program))


def release_lag(chip: Chip, program: Program) -> Ints:
    """Ticks between the release of the elements' registers by a pass and what each command may write over
    them: of a PRELOAD what the array says, else 0."""
    lag = np.zeros(len(program), np.int64)
    if chip.mac_array is not None:
        preloads = program.rows(Opcode.PRELOAD)
        flow = program.shapes.extents[program.commands.shape[preloads], 3]
        period = machine(chip).tick_hz // chip.clocks[chip.array.clock]
        for number in np.unique(flow).tolist():
            lag[preloads[flow == number]] = chip.array.slot_lag(number) * period
    return lag


def _commands(
    segments: list[Segment], owner: Ints, units: tuple[UnitRow, ...]
) -> tuple[Commands, Shapes]:
    """Command columns, and the shapes that are numbered in them."""
    own = [s.styles for s in segments] or [np.zeros((0, 5), np.int64)]
    styles, renamed = np.unique(np.concatenate(own), axis=0, return_inverse=True)
    first = np.cumsum([0] + [len(part) for part in own])[:-1]
    table = np.concatenate([s.commands for s in segments] or [np.zeros((0, 8), np.int64)])
    sizes = np.array([len(s) for s in segments], np.int64)
    style = renamed.reshape(-1)[table[:, 0] + np.repeat(first[: len(sizes)], sizes)]
    unit = table[:, 1].copy()
    kind = np.array([row.kind for row in units], np.int64)[unit]
    rows, shape = distinct((style, kind, *table[:, 3:].T))
    none = np.zeros(len(table), np.int64)
    commands = Commands(
        opcode=styles[style, 0],
        unit=unit,
        queue=unit.copy(),
        operator=owner,
        shape=shape,
        request=none,
        flags=table[:, 2].copy(),
        block=none - 1,
        served=none.copy(),
        address=none.copy(),
    )
    opcode, a, b, out, flags = styles[style[rows]].T.copy()
    extents = np.zeros((len(rows), 8), np.int64)
    extents[:, :5] = table[rows, 3:]
    return commands, Shapes(kind[rows], opcode, flags, a, b, out, extents)


def _operands(placed: list[Placed], start: Ints, table: TensorTable, dram: int) -> Operands:
    """Operand columns: rows of the Program's tensors, addresses off chip from where each is at home."""
    total = int(start[-1])
    column = np.empty((7, total), np.int64)
    offset, extent = np.empty((2, total, RANK), np.int64)
    home, at = np.array(table.home or [0], np.int64), 0
    placed.reverse()
    while placed:
        one = placed.pop()
        own = one.segment.operands
        here = slice(at, at + len(own))
        column[:, here] = own[:, :7].T
        column[0, here] = np.array(one.tensors or [0], np.int64)[own[:, 0]]
        offset[here], extent[here] = own[:, 7::2], own[:, 8::2]
        at += len(own)
    tensor, memory, address, span, size, access, form = column
    address += np.where(memory == dram, home[tensor], 0)
    pitch = np.zeros(total, np.int64)
    return Operands(start, tensor, memory, address, span, pitch, size, access, form, offset, extent)


def distinct(columns: Sequence[Ints]) -> tuple[Ints, Ints]:
    """(where each distinct row of the columns comes first, number of each row's), numbered as they come."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ column.astype(np.uint64)) * MIX
        mixed ^= mixed >> np.uint64(29)
    _, first, number = np.unique(mixed, return_index=True, return_inverse=True)
    if any(
        (column[first][number] != column).any() for column in columns
    ):  # unlike rows mix to one number
        rows = np.stack(columns, axis=1)
        _, first, number = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        number = number.reshape(-1)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[number].astype(np.int64)
