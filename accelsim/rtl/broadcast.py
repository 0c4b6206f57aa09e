"""Broadcast array with a stationary operand and a registered adder tree under each column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.rtl.word import fit_word

Ints = NDArray[np.int64]


def broadcast_cycles(
    stream: Ints,
    valid: Ints,
    slot: Ints,
    load: Ints,
    load_start: Ints,
    load_slot: Ints,
    load_values: Ints,
    sizes: tuple[int, int, int, int, int, int],
    low: int,
    high: int,
    saturate: int,
    out: Ints,
    out_valid: Ints,
) -> None:
    """Signals as in stationary_cycles, without any skew: the stream reaches every column in its
    cycle, and a preload writes one row of all columns a cycle, from row 0 on.

    sizes: k lanes, held lanes, stream lanes, leaves a row (a leaf adds k lanes / leaves products
    inside the element), latency (registers of a product), slots.
    """
    cycles, rows = stream.shape[0], stream.shape[1]
    columns = load_values.shape[1]
    lanes, held, streamed, leaves, latency, slots = sizes
    levels, width = 0, 1
    while width < rows * leaves:
        levels, width = levels + 1, width * 2
    share = lanes // leaves
    stages = latency + levels
    tree = np.zeros((stages, columns, held * streamed, width), np.int64)
    flags = np.zeros(stages, np.int64)
    store = np.zeros((rows, columns, slots, lanes * held), np.int64)
    row = 0
    for now in range(cycles):
        for stage in range(stages - 1, 0, -1):  # from the last register to the first
            flags[stage] = flags[stage - 1]
            if stage < latency:
                tree[stage] = tree[stage - 1]
            else:
                nodes = width >> (stage - latency + 1)
                for j in range(columns):
                    for x in range(held * streamed):
                        for node in range(nodes):
                            tree[stage, j, x, node] = (
                                tree[stage - 1, j, x, 2 * node]
                                + tree[stage - 1, j, x, 2 * node + 1]
                            )
        flags[0] = valid[now]
        for i in range(rows):
            for j in range(columns):
                for x in range(held):
                    for y in range(streamed):
                        for leaf in range(leaves):
                            total = 0
                            for lane in range(leaf * share, (leaf + 1) * share):
                                total += (
                                    store[i, j, slot[now], lane * held + x]
                                    * stream[now, i, lane * streamed + y]
                                )
                            tree[0, j, x * streamed + y, i * leaves + leaf] = total
        if load[now]:
            row = 0 if load_start[now] else row + 1
            if not (valid[now] and slot[now] == load_slot[now]):  # hold rule
                for j in range(columns):
                    store[row, j, load_slot[now]] = load_values[now, j]
        for j in range(columns):
            out_valid[now + 1, j] = flags[stages - 1]
            for x in range(held * streamed):
                out[now + 1, j, x] = fit_word(tree[stages - 1, j, x, 0], low, high, saturate)
