"""Broadcast array with a stationary operand and a registered adder tree under each column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.jit import Helpers
from accelsim.rtl.word import Word, fit_word

Ints = NDArray[np.int64]


class Ports(NamedTuple):
    """What stands at the edges of an array with a stationary operand, cycle by cycle.

    stream (cycles, rows, k lanes x stream lanes): operands at the left edge, before any skew. valid, slot (cycles):
    whether, and which stationary slot they meet. load, load_start, load_slot (cycles), load_values (cycles,
    columns, k lanes x held lanes): the preload at the top edge, before any skew.
    """

    stream: Ints
    valid: Ints
    slot: Ints
    load: Ints
    load_start: Ints
    load_slot: Ints
    load_values: Ints


class Numbers(NamedTuple):
    """Lanes of k, of the held operand, of the stream; leaves of the tree a row (a leaf adds k lanes / leaves
    products inside the element); latency (registers of a product); slots; levels of the tree; of sums the word."""

    lanes: int
    held: int
    streamed: int
    leaves: int
    latency: int
    slots: int
    levels: int
    word: Word


class Elements(NamedTuple):
    """tree (registers, columns, lanes, nodes): products, then sums. flags (registers): what is valid. store: the
    stationary operand. row: that was loaded last."""

    tree: Ints
    flags: Ints
    store: Ints
    row: Ints


def at_rest(ports: Ports, size: Numbers) -> Elements:
    """The array before the first edge."""
    rows, columns = ports.stream.shape[1], ports.load_values.shape[1]
    stages, wide = size.latency + size.levels, size.held * size.streamed
    return Elements(
        np.zeros((stages, columns, wide, 1 << size.levels), np.int64),
        np.zeros(stages, np.int64),
        np.zeros((rows, columns, size.slots, size.lanes * size.held), np.int64),
        np.zeros(1, np.int64),
    )


def shift(e: Elements, size: Numbers) -> None:
    """Products go one register on, and from level to level of the tree in pairs."""
    columns, wide = e.tree.shape[1], e.tree.shape[2]
    for stage in range(len(e.flags) - 1, 0, -1):  # from the last register to the first
        e.flags[stage] = e.flags[stage - 1]
        if stage < size.latency:
            e.tree[stage] = e.tree[stage - 1]
            continue
        for j in range(columns):
            for x in range(wide):
                for node in range(e.tree.shape[3] >> (stage - size.latency + 1)):
                    pair = e.tree[stage - 1, j, x, 2 * node : 2 * node + 2]
                    e.tree[stage, j, x, node] = pair[0] + pair[1]


def multiply(ports: Ports, e: Elements, size: Numbers, now: int) -> None:
    """The products of a cycle enter the first register, added up a leaf."""
    lanes, held, streamed, leaves = size.lanes, size.held, size.streamed, size.leaves
    rows, columns = e.store.shape[0], e.store.shape[1]
    share, slot = lanes // leaves, ports.slot[now]
    e.flags[0] = ports.valid[now]
    for i in range(rows):
        for j in range(columns):
            for x in range(held):
                for y in range(streamed):
                    for leaf in range(leaves):
                        total = 0
                        for lane in range(leaf * share, (leaf + 1) * share):
                            weight = e.store[i, j, slot, lane * held + x]
                            total += weight * ports.stream[now, i, lane * streamed + y]
                        e.tree[0, j, x * streamed + y, i * leaves + leaf] = total


def preload(ports: Ports, e: Elements, now: int) -> None:
    """One row of all columns is written a cycle, from row 0 on."""
    if not ports.load[now]:
        return
    e.row[0] = 0 if ports.load_start[now] else e.row[0] + 1
    slot = ports.load_slot[now]
    if not (ports.valid[now] and ports.slot[now] == slot):  # hold rule: in use, not written
        e.store[e.row[0], :, slot] = ports.load_values[now]


def broadcast_cycles(ports: Ports, e: Elements, size: Numbers, out: Ints, out_valid: Ints) -> None:
    """Run len(ports.valid) cycles without any skew: the stream reaches every column in its cycle. out[t] (columns,
    held x stream lanes), out_valid[t] is what the exit shows after edge t."""
    last = len(e.flags) - 1
    for now in range(len(ports.valid)):
        shift(e, size)
        multiply(ports, e, size, now)
        preload(ports, e, now)
        for j in range(out.shape[1]):
            out_valid[now + 1, j] = e.flags[last]
            for x in range(out.shape[2]):
                out[now + 1, j, x] = fit_word(e.tree[last, j, x, 0], size.word)


STEPS: Helpers = (shift, multiply, preload, fit_word)
