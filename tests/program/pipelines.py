"""Pipelines of a few stages, one request long: each stage reads a buffer and writes the next one."""

from __future__ import annotations

import numpy as np

from accelsim.program.builder import Part, ProgramBuilder
from accelsim.program.opcodes import Opcode
from accelsim.program.requests import Slots
from accelsim.program.table import Program
from accelsim.timing.costs import Times

WIDE = 64  # bytes of a slot


def pipeline(stages: int) -> Program:
    """One request through so many stages, a unit each; the first reads what is there from the start."""
    b = ProgramBuilder()
    sram = b.memory("sram", 1 << 16)
    tensors = [b.tensor("t0", (8,), role="input")]
    tensors += [b.tensor(f"t{i + 1}", (8,)) for i in range(stages)]
    places = [Part(tensor, sram, 1024 * at) for at, tensor in enumerate(tensors)]
    b.resident(places[0])
    for stage in range(stages):
        unit, own = b.unit(f"stage{stage}", (Opcode.VECTOR,)), b.operator(f"op{stage}")
        reads, writes = [places[stage]], [places[stage + 1]]
        b.command(unit, Opcode.VECTOR, reads=reads, writes=writes, operator=own)
    return b.build()


def slots(program: Program, counts: tuple[int, ...]) -> Slots:
    """So many slots of each buffer between two stages."""
    of = np.array([1, *counts, 1], np.int64)[program.operands.tensor]
    return Slots(np.zeros(len(of), np.int64), of, np.where(of > 1, WIDE, 0))


def taking(ticks: tuple[int, ...], requests: int) -> Times:
    """Times of the stages' commands, request after request."""
    column = np.tile(np.array(ticks, np.int64), requests)
    return Times(column, column.copy(), column.copy())
