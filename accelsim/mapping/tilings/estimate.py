"""What a tiling of a MAC operator takes, said once for numbers and for arrays.

Estimates only rank and lower bounds only prune: the cycles and joules that users see come from the
event engine and the accounts. How long a pass takes is the array's own closed form.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.jit import choose
from accelsim.mapping.tiles import packed_bytes
from accelsim.mapping.tilings.setting import Setting, Stream

Floats = NDArray[np.float64]


class MTile(NamedTuple):
    """Of a cut of m: tiles, those of an array, passes, outputs of the largest; elements of one channel: of the
    largest tile, of all, of all in full rows, of all in full rows that no tile before has."""

    tiles: Any
    steps: Any
    passes: Any
    most: Any
    plane: Any
    planes: Any
    rows: Any
    new_rows: Any


class NTile(NamedTuple):
    """Of a size of n: tiles, those of an array, passes, the size."""

    tiles: Any
    steps: Any
    passes: Any
    size: Any


class KTile(NamedTuple):
    """Of a size of k: tiles, those of an array, passes, the size; runs of tiles that need the same channels,
    those of an array, channels of the deepest, of all runs."""

    tiles: Any
    steps: Any
    passes: Any
    size: Any
    runs: Any
    run_steps: Any
    deepest: Any
    channels: Any


class Tile(NamedTuple):
    """A tiling, or arrays of them. cycles, settled, least: of the arrays' passes, as ports let them, where what
    stays in an array is there already, and at least; load: of a PRELOAD; carried: of the port that serves most
    of them. Bytes off chip over bytes: of an input that streams, that stays, of weights, of outputs."""

    m: MTile
    n: NTile
    k: KTile
    cycles: Any
    settled: Any
    load: Any
    carried: Any
    least: Any
    streamed: Any
    resident: Any
    weights: Any
    stored: Any


class Choice(NamedTuple):
    """order (0: mnk, 1: nmk), whether the input stays, whether the weights do."""

    order: Any
    keep_input: Any
    keep_weights: Any


class Loads(NamedTuple):
    """Transfers off chip of one operand: how many, those of one array that take turns in its slots (0 where all
    stay), how often each tile comes, bytes near the array, bytes off chip."""

    count: Any
    turns: Any
    times: Any
    bytes: Any
    moved: Any


class Estimate(NamedTuple):
    """cycles of the operator; bound: no schedule takes fewer; bytes off chip; bytes off chip that no schedule
    avoids; passes; bytes moved on chip; whether the tiles fit (placement decides exactly)."""

    cycles: Any
    bound: Any
    moved: Any
    certain: Any
    passes: Any
    near: Any
    fits: Any


def estimate(e: Setting, t: Tile, choice: Choice) -> Estimate:
    """Of one tiling, or of arrays of them."""
    inputs, weights, outputs = transfers(e, t, choice)
    m_all, n_all, k_all = e.sizes
    near = (
        e.groups * m_all * k_all * (e.bits[0] / 8) * t.n.passes,
        e.groups * k_all * n_all * (e.bits[1] / 8) * t.m.passes,
        e.groups * m_all * n_all * (e.bits_sum / 8) * (t.k.passes - 1),
        outputs.bytes,
    )
    cycles = time(e, t, choice.order, (inputs, weights, outputs), near)
    used = choose(choice.keep_input, e.needed, inputs.bytes)
    certain = e.far[2] * outputs.bytes + e.far[1] * weights.bytes + e.far[0] * used
    bound = np.maximum(t.least, certain * e.cycle)
    return Estimate(
        cycles,
        bound,
        inputs.moved + weights.moved + outputs.moved,
        certain,
        t.m.passes * t.n.passes * t.k.passes,
        near[0] + near[1] + 2 * near[2],
        room(e, t, choice),
    )


def transfers(e: Setting, t: Tile, choice: Choice) -> tuple[Loads, Loads, Loads]:
    """Of inputs, weights, outputs. A tile is fetched again where another one took its slot in between."""
    order, keep_i, keep_w = choice
    turned_i = (t.k.run_steps > 1) | ((order == 1) & (t.m.steps * t.k.run_steps > 1))
    turned_w = (t.k.steps > 1) | ((order == 0) & (t.n.steps * t.k.steps > 1))
    times_i = choose(turned_i & (keep_i == 0), t.n.steps, 1)
    times_w = choose(turned_w & (keep_w == 0), t.m.steps, 1)
    channel = e.groups * t.k.channels * (e.bits[0] / 8)
    kept = channel * (t.m.rows if e.pieces else t.m.new_rows)
    bytes_i = choose(keep_i, kept, channel * t.m.planes * times_i) * (1 - e.here)
    inputs = Loads(
        e.groups * t.m.tiles * t.k.runs * times_i * (1 - e.here),
        choose(keep_i, 0, e.groups * t.m.steps * t.k.run_steps * times_i) * (1 - e.here),
        times_i,
        bytes_i,
        bytes_i * choose(keep_i, t.resident, t.streamed) * e.far[0],
    )
    count = e.cold * e.groups * t.n.tiles * t.k.tiles * times_w
    bytes_w = e.cold * e.whole[1] * times_w
    turns = choose(keep_w, 0, e.cold * e.groups * t.n.steps * t.k.steps * times_w)
    weights = Loads(count, turns, times_w, bytes_w, bytes_w * t.weights * e.far[1])
    visits = e.groups * t.m.tiles * t.n.tiles, e.groups * t.m.steps * t.n.steps
    return inputs, weights, Loads(*visits, 1, e.whole[2], e.whole[2] * t.stored * e.far[2])


def hold(e: Setting, loads: Loads, near: Stream) -> Any:
    """Cycles of one transfer."""
    count = np.maximum(loads.count, 1)
    near_byte = near.beat / near.width
    ports = np.maximum(loads.moved * e.cycle, loads.bytes * near_byte) / count
    return choose(loads.count > 0, np.maximum(ports, e.setup), 0.0)


def work(e: Setting, t: Tile, order: Any) -> Any:
    """Cycles of the busiest array: one pass behind another. What stays in it comes again when it changes."""
    weights = (t.k.passes == t.k.tiles) & (t.n.passes == t.n.tiles) & (t.k.steps == 1)
    inputs = (t.k.passes == t.k.tiles) & (t.m.passes == t.m.tiles) & (t.k.steps == 1)
    weights = weights & ((order == 1) | (t.n.steps == 1))
    inputs = inputs & ((order == 0) | (t.m.steps == 1))
    same = (weights & (e.weights_stay == 1)) | (inputs & (e.inputs_stay == 1))
    return choose(same, t.settled, t.cycles)


def time(e: Setting, t: Tile, order: Any, loads: tuple[Loads, ...], near: tuple[Any, ...]) -> Any:
    """Cycles. near: bytes that arrays read and write: inputs, weights, sums (once each way), codes.

    The busiest of array, off-chip memory, DMA channels, ports and vector unit, each between what comes before
    it and what comes after; or slots, each of which is filled, worked on and only then filled again.
    """
    s, (inputs, weights, outputs), cycles = e.streams, loads, work(e, t, order)
    held = hold(e, inputs, s.input_write), hold(e, weights, s.weight_write)
    store = hold(e, outputs, s.codes_read)
    vector = e.groups * e.sizes[0] * e.sizes[1] * e.vector
    passes = t.cycles / e.groups / (t.m.passes * t.n.passes * t.k.passes)
    first = fill(e, inputs, weights, held) + np.minimum(e.preload, passes)
    finish = e.drain + vector / np.maximum(outputs.count, 1)
    final = finish + store + e.latency * e.far[2]
    job = cycles / (e.groups * t.m.steps * t.n.steps * t.k.steps)
    visit = cycles / outputs.turns
    moved = inputs.moved + weights.moved + outputs.moved
    far = moved * e.cycle - outputs.moved * e.cycle / outputs.count
    busy = np.maximum(far, np.maximum(inputs.count * held[0], weights.count * held[1]))
    both = np.minimum(inputs.moved, weights.moved) * e.cycle
    round_m = choose((order == 0) & (weights.times == 1), 1 - 1 / t.m.steps, 0.0) * e.cold
    round_n = choose((order == 1) & (inputs.times == 1), 1 - 1 / t.n.steps, 0.0)
    last = np.maximum(
        weights.moved * e.cycle + both + round_m * cycles,
        inputs.moved * e.cycle + both + round_n * cycles,
    )
    busy = np.maximum(busy, choose(round_m + round_n > 0, last, 0.0)) + e.latency + job
    longest = np.maximum(cycles + first, np.maximum(busy, t.carried + first))
    longest = np.maximum(longest, ports(e, loads, near) + first)
    longest = np.maximum(longest, first + visit + (outputs.count - 1) * store)
    longest = np.maximum(longest, first + visit + vector)
    longest = np.maximum(longest, rounds(e, t, cycles, loads, held))
    longest = np.maximum(longest, first + visits(e, cycles, outputs, store, finish))
    return longest + final


def fill(e: Setting, inputs: Loads, weights: Loads, held: tuple[Any, Any]) -> Any:
    """Cycles until the first tiles have come. held: of a transfer of either, alone; both share the memory, which
    serves them in turn as long as both have something to fetch."""
    first = come(e, (inputs, weights), e.slots[1], held[0])
    return np.maximum(first, come(e, (weights, inputs), e.slots[0], held[1]) * (1 - e.hidden))


def come(e: Setting, pair: tuple[Loads, Loads], room: Any, alone: Any) -> Any:
    """Cycles until the first transfer has come. pair: of the operand, of the other one. room: slots of the other.
    alone: cycles of a transfer."""
    own, other = pair
    piece, theirs = own.moved / np.maximum(own.count, 1), other.moved
    behind = choose(other.turns > 0, theirs * room / np.maximum(other.count, 1), theirs)
    shared = (piece + np.minimum(piece, np.minimum(behind, theirs))) * e.cycle
    return choose(own.count > 0, np.maximum(alone, shared) + e.latency, 0.0)


def rounds(
    e: Setting, t: Tile, cycles: Any, loads: tuple[Loads, ...], held: tuple[Any, Any]
) -> Any:
    """Cycles until slots of inputs and of weights have gone round: filled, read, filled again. cycles: of the array.
    held: of a transfer of either."""
    inside = (
        t.n.passes * t.k.passes / (t.n.tiles * t.k.tiles)
    )  # stationary tiles of a weight's slot
    early = choose(e.weights_stay == 1, 1 / np.maximum(inside, 1), 0.0)
    each_i = held[0] + e.latency + cycles / np.maximum(loads[0].turns, 1)
    come_w = held[1] + e.latency + e.weights_stay * t.load
    each_w = come_w + cycles / np.maximum(loads[1].turns, 1) * (1 - early)
    round_i = choose(loads[0].turns > 0, np.ceil(loads[0].turns / e.slots[0]) * each_i, 0.0)
    round_w = choose(loads[1].turns > 0, np.ceil(loads[1].turns / e.slots[1]) * each_w, 0.0)
    return np.maximum(round_i, round_w)


def visits(e: Setting, cycles: Any, outputs: Loads, store: Any, finish: Any) -> Any:
    """Cycles until slots of outputs and of sums have gone round: worked on, finished, stored, worked on again.
    cycles: of the array. store: of a transfer; finish: from the last pass of a tile to its codes."""
    each = cycles / outputs.turns + finish
    codes = np.ceil(outputs.turns / e.slots[2]) * (each + store) - store
    return np.maximum(codes, np.ceil(outputs.turns / e.sums_slots) * each) - finish


def ports(e: Setting, loads: tuple[Loads, ...], near: tuple[Any, ...]) -> Any:
    """Cycles of the buffers' busiest port."""
    s, (inputs, weights, outputs) = e.streams, loads
    busiest: Any = 0.0
    for port in range(s.ports):
        busy: Any = 0.0
        for stream, size in (
            (s.input_read, near[0]),
            (s.weight_read, near[1]),
            (s.sums_read, near[2]),
            (s.sums_write, near[2]),
            (s.codes_write, near[3]),
            (s.input_write, inputs.bytes),
            (s.weight_write, weights.bytes),
            (s.codes_read, outputs.bytes),
        ):
            if stream.port == port:
                busy = busy + size * (stream.beat / stream.width) * stream.share
        busiest = np.maximum(busiest, busy)
    return busiest


def room(e: Setting, t: Tile, choice: Choice) -> Any:
    """Whether the tiles fit the buffers, as far as numbers of the largest tell."""
    _, keep_i, keep_w = choice
    slot_i = packed_bytes(t.m.plane * t.k.deepest, e.bits[0])
    slot_w = packed_bytes(t.k.size * t.n.size, e.bits[1])
    outputs = t.n.size * t.m.most
    one_pass = (t.k.tiles == 1) & ((e.limit_k == 0) | (t.k.size <= e.limit_k))
    sums = choose(e.streams.finished, choose(one_pass, 0, 1), e.slots[2]) * (
        outputs * (e.bits_sum / 8)
    )
    kept = e.groups * t.k.channels * (e.bits[0] / 8) * (t.m.rows if e.pieces else t.m.new_rows)
    size_i = choose(keep_i, kept + t.m.tiles * t.k.tiles, e.lanes[0] * e.slots[0] * slot_i)
    size_i = size_i * (1 - e.here)
    size_w = e.cold * choose(keep_w, e.whole[1] + 64, e.lanes[1] * e.slots[1] * slot_w)
    column = e.sum_room >= 0
    size_o = e.lanes[2] * (e.slots[2] * outputs * (e.bits[2] / 8) + choose(column, 0.0, sums))
    iw, io, wo = e.same
    fits = ((not column) | (sums <= e.sum_room)) & ((e.cold == 1) | (keep_w == 1))
    fits = fits & (size_i + iw * size_w + io * size_o <= e.room[0])
    fits = fits & (iw | (size_w + wo * size_o <= e.room[1]))
    return fits & (io | wo | (size_o <= e.room[2]))
