"""Systolic array with a stationary operand (weights or inputs), every element at every clock edge.

The loops are plain Python and compile as they stand. Within one cycle elements are visited from
the last row and column to the first, so that a neighbour above or to the left still shows the
value it had before the edge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def fit_word(value: int, low: int, high: int, saturate: int) -> int:
    """value brought into low..high, by saturation or by wrapping."""
    if saturate:
        return min(max(value, low), high)
    return (value - low) % (high - low + 1) + low


def stationary_cycles(
    stream: Ints,
    valid: Ints,
    slot: Ints,
    load: Ints,
    load_start: Ints,
    load_slot: Ints,
    load_values: Ints,
    sizes: tuple[int, int, int, int, int],
    exit_row: int,
    low: int,
    high: int,
    saturate: int,
    out: Ints,
    out_valid: Ints,
) -> None:
    """Run len(valid) cycles; out[t], out_valid[t] is what the exit shows after edge t.

    stream (cycles, rows, k lanes x stream lanes): operands at the left edge, before the skew of
    ``hop`` cycles a row. valid, slot (cycles): whether, and which stationary slot they meet.
    load, load_start, load_slot (cycles), load_values (cycles, columns, k lanes x held lanes): the
    preload at the top edge, before the skew of one cycle a column. sizes: k lanes, held lanes,
    stream lanes, hop (registers of the partial sum a row), slots. exit_row: counted from 1.
    out (cycles + 1, columns, held x stream lanes).
    """
    cycles, rows = stream.shape[0], stream.shape[1]
    columns = load_values.shape[1]
    lanes, held, streamed, hop, slots = sizes
    a_reg = np.zeros((rows, columns, lanes * streamed), np.int64)
    a_valid = np.zeros((rows, columns), np.int64)
    a_slot = np.zeros((rows, columns), np.int64)
    sums = np.zeros((rows, columns, hop, held * streamed), np.int64)
    sum_valid = np.zeros((rows, columns, hop), np.int64)
    taken = np.zeros((rows, columns), np.int64)
    store = np.zeros((rows, columns, slots, lanes * held), np.int64)
    for now in range(cycles):
        for i in range(rows - 1, -1, -1):
            edge = now - hop * i
            for j in range(columns - 1, -1, -1):
                # stream operand, its valid bit and slot select, from the left
                if j > 0:
                    use, which = a_valid[i, j - 1], a_slot[i, j - 1]
                    a_reg[i, j] = a_reg[i, j - 1]
                elif edge >= 0:
                    use, which = valid[edge], slot[edge]
                    a_reg[i, j] = stream[edge, i]
                else:
                    use, which = 0, 0
                a_valid[i, j] = use
                a_slot[i, j] = which
                # multiply, add to the sum from above, hop registers on the way down
                for stage in range(hop - 1, 0, -1):
                    sums[i, j, stage] = sums[i, j, stage - 1]
                    sum_valid[i, j, stage] = sum_valid[i, j, stage - 1]
                for x in range(held):
                    for y in range(streamed):
                        total = sums[i - 1, j, hop - 1, x * streamed + y] if i > 0 else 0
                        for lane in range(lanes):
                            total += (
                                store[i, j, which, lane * held + x]
                                * a_reg[i, j, lane * streamed + y]
                            )
                        sums[i, j, 0, x * streamed + y] = fit_word(total, low, high, saturate)
                sum_valid[i, j, 0] = use
                # preload: a column-wide enable; a row takes what the row above pushes out
                top = now - j
                enable = load[top] if top >= 0 else 0
                if enable and i > 0:
                    enable = 0 if load_start[top] else taken[i - 1, j]
                taken[i, j] = enable
                if enable:
                    target = load_slot[top]
                    if not (use and which == target):  # hold rule: in use, not written
                        if i > 0:
                            store[i, j, target] = store[i - 1, j, target]
                        else:
                            store[i, j, target] = load_values[top, j]
        for j in range(columns):
            out_valid[now + 1, j] = sum_valid[exit_row - 1, j, hop - 1]
            out[now + 1, j] = sums[exit_row - 1, j, hop - 1]
