"""Ends of a job in walk_mac.py: the LOAD of its input; REQUANTIZE, STORE, spilled sums."""

from __future__ import annotations

from typing import Any

from accelsim.mapping.mac_sizes import cut, packed
from accelsim.mapping.walk_rows import (
    MATRIX,
    edge,
    matrix,
    operand,
    region,
    row_done,
    row_of,
    shape_number,
    want,
)
from accelsim.program.opcodes import Access, Edge, Opcode

LOAD, STORE, REQUANTIZE = int(Opcode.LOAD), int(Opcode.STORE), int(Opcode.REQUANTIZE)
READ, WRITE = int(Access.READ), int(Access.WRITE)
DATA, SLOT = int(Edge.DATA), int(Edge.SLOT)
INPUT, OUTPUT_MATRIX, SUMS = 0, 5, 6
SHAPE_INPUT, SHAPE_REQUANTIZE, SHAPE_STORE, SHAPE_SPILL = 0, 4, 5, 6


def begin_input(
    w: Any,
    at: Any,
    commands: Any,
    operands: Any,
    offset: Any,
    extent: Any,
    need: Any,
    known: Any,
    heads: Any,
    target: Any,
    g: int,
    channel0: int,
    channels: int,
    b0: int,
    images: int,
    row0: int,
    row1: int,
    column0: int,
    column1: int,
    address: int,
    span: int,
    size: int,
) -> int:
    """Begin the row that loads an input tile, all but its edges; -1 without room for its shape."""
    shape = shape_number(at, known, heads, SHAPE_INPUT, 0, size, 0, 0, 0, 0)
    if shape < 0:
        return -1
    row = row_of(at, commands, LOAD, w.unit_input, shape, 0)
    whole = packed(w.groups * w.batch * w.channels * w.in_height * w.in_width, w.bits_a)
    for side in range(2):
        if side == 0:
            operand(at, operands, target, INPUT, w.memory_dram, 0, whole, size, READ, w.format_a)
        else:
            operand(
                at, operands, target, INPUT, w.memory_input, address, span, size, WRITE, w.format_a
            )
        if w.rank == 4:
            region(
                at,
                offset,
                extent,
                b0,
                images,
                g * w.channels + channel0,
                channels,
                row0,
                row1 - row0,
                column0,
                column1 - column0,
            )
        elif w.rank == 2:
            region(
                at,
                offset,
                extent,
                row0,
                row1 - row0,
                g * w.channels + channel0,
                channels,
                0,
                1,
                0,
                1,
            )
        else:
            region(at, offset, extent, g, 1, row0, row1 - row0, channel0, channels, 0, 1)
    want(at, need, w.input_write, size)
    want(at, need, w.dram_read, size)
    return row


def write_results(
    w: Any,
    at: Any,
    commands: Any,
    starts: Any,
    operands: Any,
    offset: Any,
    extent: Any,
    demands: Any,
    edges: Any,
    need: Any,
    known: Any,
    heads: Any,
    target: Any,
    g: int,
    first_m: int,
    size_m: int,
    n_low: int,
    size_n: int,
    sums_at: int,
    out_at: int,
    far: int,
    finishes: bool,
    spills: bool,
    last_pass: int,
    before_store: int,
) -> tuple[int, int]:
    """Rows that end a visit of an output tile; (row of REQUANTIZE, row of STORE), -1 for none."""
    elements, word = size_m * size_n, cut(w.bits_sum, 8)
    sums_size = packed(elements, w.bits_sum)
    whole_out = packed(w.groups * w.batch * w.out_height * w.out_width * w.n, w.bits_out)
    quantized, stored = -1, -1
    out_size = packed(elements, w.bits_out)
    if finishes and w.fused == 0:
        shape = shape_number(at, known, heads, SHAPE_REQUANTIZE, 0, elements, elements, 0, 0, 0)
        if shape < 0:
            return -1, -1
        quantized = row_of(at, commands, REQUANTIZE, w.unit_vector, shape, 0)
        matrix(
            at,
            operands,
            target,
            offset,
            extent,
            SUMS,
            w.memory_sums,
            sums_at,
            sums_size,
            sums_size,
            READ,
            w.format_sum,
            g,
            first_m,
            size_m,
            n_low,
            size_n,
        )
        matrix(
            at,
            operands,
            target,
            offset,
            extent,
            OUTPUT_MATRIX,
            w.memory_output,
            out_at,
            out_size,
            out_size,
            WRITE,
            w.format_out,
            g,
            first_m,
            size_m,
            n_low,
            size_n,
        )
        want(at, need, w.sums_read, sums_size)
        want(at, need, w.output_write, out_size)
        edge(at, edges, last_pass, DATA, 0)
        edge(at, edges, before_store, SLOT, 0)
        row_done(at, need, demands, starts)
    if finishes:
        shape = shape_number(at, known, heads, SHAPE_STORE, 0, out_size, 0, 0, 0, 0)
        if shape < 0:
            return -1, -1
        stored = row_of(at, commands, STORE, w.unit_output, shape, 0)
        matrix(
            at,
            operands,
            target,
            offset,
            extent,
            OUTPUT_MATRIX,
            w.memory_output,
            out_at,
            out_size,
            out_size,
            READ,
            w.format_out,
            g,
            first_m,
            size_m,
            n_low,
            size_n,
        )
        matrix(
            at,
            operands,
            target,
            offset,
            extent,
            OUTPUT_MATRIX,
            w.memory_dram,
            0,
            whole_out,
            out_size,
            WRITE,
            w.format_out,
            g,
            first_m,
            size_m,
            n_low,
            size_n,
        )
        want(at, need, w.output_read, out_size)
        want(at, need, w.dram_write, out_size)
        edge(at, edges, last_pass if w.fused else quantized, DATA, 0)
        row_done(at, need, demands, starts)
    elif spills:
        shape = shape_number(at, known, heads, SHAPE_SPILL, 0, sums_size, 0, 0, 0, 0)
        if shape < 0:
            return -1, -1
        stored = row_of(at, commands, STORE, w.unit_output, shape, 0)
        matrix(
            at,
            operands,
            target,
            offset,
            extent,
            SUMS,
            w.memory_sums,
            sums_at,
            sums_size,
            sums_size,
            READ,
            w.format_sum,
            g,
            first_m,
            size_m,
            n_low,
            size_n,
        )
        matrix(
            at,
            operands,
            target,
            offset,
            extent,
            SUMS,
            w.memory_dram,
            far,
            elements * word,
            sums_size,
            WRITE,
            w.format_sum,
            g,
            first_m,
            size_m,
            n_low,
            size_n,
        )
        want(at, need, w.sums_read, sums_size)
        want(at, need, w.dram_write, sums_size)
        edge(at, edges, last_pass, DATA, 0)
        row_done(at, need, demands, starts)
    return quantized, stored


RESULT_HELPERS = (cut, packed, shape_number, row_of, operand, region, MATRIX, want, edge, row_done)
