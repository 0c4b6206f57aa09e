"""Segments of all operators as one Program.

Operators follow one another without a barrier: an operator's first loads wait only for the bytes
they overwrite and for the tensors they read, which the Program's dependencies say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, machine
from accelsim.mapping.bursts import Transfers
from accelsim.mapping.links import with_links
from accelsim.mapping.rows.record import Segment
from accelsim.mapping.rows.shapes import Numbering
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


@dataclass(slots=True)
class Placed:
    """A segment as the workload's operator ``number``. turn: its group of images."""

    segment: Segment
    number: int
    turn: int = 0


def program_of(
    chip: Chip,
    workload: Workload,
    table: TensorTable,
    placed: list[Placed],
    residents: tuple[ResidentRow, ...] = (),
    fast: bool = False,
) -> Program:
    """The Program of the operators, in their order, as they touch memory: without dependencies and demands.
    ``placed`` is used up: a segment's memory goes as the table's comes. fast: by machine code."""
    made = machine(chip)
    sizes = np.array([len(one.segment) for one in placed], np.int64)
    owner, turn = (
        np.repeat(np.array([getattr(one, key) for one in placed], np.int64), sizes)
        for key in ("number", "turn")
    )
    commands, shapes = _commands([one.segment for one in placed], (owner, turn), made.units, fast)
    start = np.zeros(len(owner) + 1, np.int64)
    if placed:
        np.cumsum(np.concatenate([np.diff(one.segment.start) for one in placed]), out=start[1:])
    none = np.zeros(len(owner) + 1, np.int64)
    return Program(
        commands,
        shapes,
        _operands(placed, start),
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
        commands_ahead=chip.commands_ahead,
    )


def complete(program: Program, chip: Chip, transfers: Transfers) -> Program:
    """The Program with all that follows from its commands and operands: whole bursts off chip, as
    ``transfers`` noted them, dependencies, demands."""
    transfers.settle(program.operands.bytes)
    made = derived(program, release_lag(chip, program))
    made.demands = with_links(chip, made)
    return made


def release_lag(chip: Chip, program: Program) -> Ints:
    """Ticks between the release of the elements' registers by a pass and what each command may write over
    them: of a PRELOAD what the array says, else 0."""
    return shape_lags(chip, program.shapes)[program.commands.shape]


def shape_lags(chip: Chip, shapes: Shapes) -> Ints:
    """release_lag() of every shape."""
    lag = np.zeros(len(shapes.kind), np.int64)
    if chip.mac_array is not None:
        period = machine(chip).tick_hz // chip.clocks[chip.array.clock]
        preloads = np.flatnonzero(shapes.opcode == Opcode.PRELOAD)
        for shape, number in zip(
            preloads.tolist(), shapes.extents[preloads, 3].tolist(), strict=True
        ):
            lag[shape] = chip.array.slot_lag(number) * period
    return lag


def _commands(
    segments: list[Segment], of: tuple[Ints, Ints], units: tuple[UnitRow, ...], fast: bool
) -> tuple[Commands, Shapes]:
    """Command columns, and the shapes that are numbered in them. of: operator and group of images of each row."""
    owner, turn = of
    numbering = Numbering([unit.kind for unit in units], fast)
    shape = [numbering.of(segment.commands, segment.styles) for segment in segments]
    own = [segment.styles[segment.commands[:, 0], 0] for segment in segments]
    none = np.zeros(len(owner), np.int64)
    unit, flags = (
        np.concatenate([none[:0], *(segment.commands[:, at] for segment in segments)])
        for at in (1, 2)
    )
    commands = Commands(
        opcode=np.concatenate([none[:0], *own]),
        unit=unit,
        queue=unit.copy(),
        operator=owner,
        shape=np.concatenate([none[:0], *shape]),
        request=turn,
        flags=flags,
        block=none - 1,
        served=none.copy(),
        address=none.copy(),
    )
    return commands, numbering.shapes()


def _operands(placed: list[Placed], start: Ints) -> Operands:
    """Operand columns."""
    total = int(start[-1])
    column = np.empty((7, total), np.int64)
    offset, extent = np.empty((2, total, RANK), np.int64)
    at = 0
    placed.reverse()
    while placed:
        own = placed.pop().segment.operands
        here = slice(at, at + len(own))
        column[:, here] = own[:, :7].T
        offset[here], extent[here] = own[:, 7::2], own[:, 8::2]
        at += len(own)
    tensor, memory, address, span, size, access, form = column
    pitch = np.zeros(total, np.int64)
    return Operands(start, tensor, memory, address, span, pitch, size, access, form, offset, extent)
