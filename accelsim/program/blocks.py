"""Repeat blocks: runs of rows where every row does what the row one body earlier did.

Rows repeat when unit, queue, shape, how they are served, port demands and all dependencies, as
distances, to both sides, are equal. Addresses, regions and tensors may differ: timing does not
read them. A hash proposes runs; the columns themselves decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.program.opcodes import Served
from accelsim.program.table import BlockRow, Program

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
CANDIDATES = 32  # body lengths tried
BODIES = 4  # that a block has at least
_ODD = np.uint64(0x9E3779B97F4A7C15)


def _mixed(values: Ints | Hashes, salt: int) -> Hashes:
    """A 64-bit mix of every value (multiply, shift, multiply)."""
    with np.errstate(over="ignore"):
        word = (values.astype(np.uint64) + np.uint64(salt)) * _ODD
        word ^= word >> np.uint64(29)
        return word * np.uint64(0xBF58476D1CE4E5B9) ^ (word >> np.uint64(32))


def _per_row(start: Ints, entries: Hashes) -> Hashes:
    """Sum of a row's entries, modulo 2^64; entries of a row are in a fixed order or a set."""
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(entries, dtype=np.uint64)])
    return np.asarray(total[start[1:]] - total[start[:-1]], np.uint64)


def row_hashes(program: Program) -> Hashes:
    """One number a row, equal for rows that repeat (and, rarely, for others)."""
    commands, edges, demands = program.commands, program.dependencies, program.demands
    count = len(program)
    rows = np.repeat(np.arange(count), np.diff(edges.start))
    distance = rows - edges.predecessor
    kind = _mixed(edges.kind, 11) ^ _mixed(edges.lag, 12)
    backward = _mixed(_mixed(distance, 13) ^ kind, 14)
    forward = np.zeros(count, np.uint64)
    np.add.at(forward, edges.predecessor, _mixed(backward, 15))
    moved = _mixed(_mixed(demands.port, 16) ^ _mixed(demands.bytes, 17), 18)
    total = np.zeros(count, np.uint64)
    for salt, column in enumerate((commands.unit, commands.queue, commands.shape, commands.served)):
        total = _mixed(total ^ _mixed(column, salt), 19)
    return _mixed(total ^ _per_row(edges.start, backward), 20) ^ _mixed(
        _per_row(demands.start, moved) ^ forward, 21
    )


class _Columns:
    """The columns that must repeat, computed once: plain ones, and lists of entries by row."""

    def __init__(self, program: Program) -> None:
        commands, edges, demands = program.commands, program.dependencies, program.demands
        self.served = commands.served
        self.plain = (commands.unit, commands.queue, commands.shape)
        rows = np.repeat(np.arange(len(program)), np.diff(edges.start))
        distance = rows - edges.predecessor
        order = np.argsort(edges.predecessor, kind="stable")
        start = np.zeros(len(program) + 1, np.int64)
        np.cumsum(np.bincount(edges.predecessor, minlength=len(program)), out=start[1:])
        self.entries: tuple[tuple[Ints, tuple[Ints, ...]], ...] = (
            (edges.start, (distance, edges.kind, edges.lag)),
            (start, (distance[order], edges.kind[order], edges.lag[order])),
            (demands.start, (demands.port, demands.bytes)),
        )

    def repeat(self, low: int, high: int, length: int) -> bool:
        """Whether rows low .. high really repeat with that body length."""
        if (self.served[low:high] == Served.STATEFUL).any():
            return False
        for column in self.plain:
            if not np.array_equal(column[low : high - length], column[low + length : high]):
                return False
        return all(
            _entries_repeat(start, columns, low, high, length) for start, columns in self.entries
        )


def _entries_repeat(
    start: Ints, columns: tuple[Ints, ...], low: int, high: int, length: int
) -> bool:
    sizes = np.diff(start[low : high + 1])
    if not np.array_equal(sizes[:-length], sizes[length:]):
        return False
    first, second = start[low], start[low + length]
    stop_first, stop_second = start[high - length], start[high]
    return all(
        np.array_equal(column[first:stop_first], column[second:stop_second]) for column in columns
    )


def same_rows(program: Program, low: int, high: int, length: int) -> bool:
    """Whether every row of low + length .. high does what the row ``length`` earlier does: unit, queue,
    shape, demands, and dependencies as distances."""
    c, edges, demands = program.commands, program.dependencies, program.demands
    if low < 0 or high > len(program) or high - low < 2 * length or c.served[low:high].any():
        return False
    shape = _distinct_shapes(program)[c.shape[low:high]]
    for inside in (c.unit[low:high], c.queue[low:high], shape):
        if not np.array_equal(inside[:-length], inside[length:]):
            return False
    entries, moved = (slice(table.start[low], table.start[high]) for table in (edges, demands))
    owner = np.repeat(np.arange(low, high), np.diff(edges.start[low : high + 1]))
    lists = (
        (
            edges.start - entries.start,
            (owner - edges.predecessor[entries], edges.kind[entries], edges.lag[entries]),
        ),
        (demands.start - moved.start, (demands.port[moved], demands.bytes[moved])),
    )
    return all(_entries_repeat(start, columns, low, high, length) for start, columns in lists)


def _distinct_shapes(program: Program) -> Ints:
    """A number for every shape, the same for equal ones."""
    s = program.shapes
    whole = np.column_stack(
        [s.kind, s.opcode, s.flags, s.format_a, s.format_b, s.format_out, s.extents]
    )
    return np.asarray(np.unique(whole, axis=0, return_inverse=True)[1], np.int64).ravel()


def proved_blocks(program: Program) -> tuple[BlockRow, ...]:
    """The blocks noted in the Program that really repeat; the rest are left out."""
    columns = _Columns(program) if program.blocks else None
    return tuple(
        block
        for block in program.blocks
        if columns
        and columns.repeat(block.first, block.first + block.length * block.count, block.length)
    )


def find_blocks(program: Program, least: int = 4096) -> tuple[BlockRow, ...]:
    """Non-overlapping blocks of at least ``least`` rows and BODIES bodies, in program order;
    where runs overlap, those that save most rows come first."""
    count = len(program)
    if count < max(least, 2 * BODIES):
        return ()
    hashes = row_hashes(program)
    order = np.argsort(hashes, kind="stable")
    again = hashes[order[1:]] == hashes[order[:-1]]
    distance = (order[1:] - order[:-1])[again]
    lengths, uses = np.unique(distance, return_counts=True)
    lengths = lengths[np.argsort(-uses, kind="stable")][:CANDIDATES]
    found: list[tuple[int, int, int]] = []
    for length in lengths.tolist():
        same = hashes[length:] == hashes[:-length]
        edge = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
        for low, high in zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True):
            bodies = (high - low) // length + 1
            if bodies >= BODIES and bodies * length >= least:
                found.append((bodies * length - length, low, length))
    columns = _Columns(program) if found else None
    taken = np.zeros(count, bool)
    blocks = []
    for saved, low, length in sorted(found, key=lambda item: (-item[0], item[1], item[2])):
        high = low + saved + length
        if taken[low:high].any() or columns is None or not columns.repeat(low, high, length):
            continue
        taken[low:high] = True
        blocks.append(BlockRow(low, length, (high - low) // length))
    return tuple(sorted(blocks, key=lambda block: block.first))
