"""A mapped MAC operator as numbers that its loop nest reads, and the numbers by which it names rows and instances."""

from __future__ import annotations

from typing import Any, NamedTuple

from accelsim.mapping.rows.record import Route, What
from accelsim.program.opcodes import Flag

#: tensors of an operator
INPUT, LOWERED, WEIGHT, WEIGHT_MATRIX, OUTPUT, OUTPUT_MATRIX, SUMS = range(7)
NOTHING, WEIGHTS, INPUTS = range(3)  # what stays in the array's registers
FIRST_K, LAST_K, FUSED = int(Flag.FIRST_K), int(Flag.LAST_K), int(Flag.FUSED)
#: styles of rows; one of MATMUL for every value of its flags, the last ones
LOAD_INPUT, LOAD_WEIGHT, RELOAD, SPILL, STORE, PRELOAD, ADD, REQUANTIZE, SEND, MATMUL = range(10)
#: what belongs to an array instance: memories, units, and cycles of a DMA channel's links
INPUTS_AT, WEIGHTS_AT, SUMS_AT, CODES_AT, REGISTERS_AT, ARRAY, LOADER, FINISHER = range(8)
DMA_INPUT, DMA_WEIGHT, DMA_OUTPUT, LEAD_INPUT, LEAD_WEIGHT, LEAD_OUTPUT, OWN = range(8, 15)
LEAD = LEAD_INPUT - DMA_INPUT  # columns from a DMA channel to the cycles of its links
#: what is known of an instance between its jobs: the tile in the newest slot and the slots taken so far, of
#: input, weights and output; what stays in the registers and how often that changed
HELD_INPUT, TURN_INPUT, HELD_WEIGHT, TURN_WEIGHT, VISIT, TURN_VISIT, STAYS, TURN_STAYS, KNOWN = (
    range(9)
)


class Loops(NamedTuple):
    """The loops over tiles. Of m, n, k: tiles, steps (tiles side by side on several instances are one),
    stride (steps of the whole nest that one of it takes), dealt (tiles of a step), mine (1 where they are
    dealt to instances). total: steps of all groups."""

    instances: int
    tiles: tuple[int, int, int]
    steps: tuple[int, int, int]
    stride: tuple[int, int, int]
    dealt: tuple[int, int, int]
    mine: tuple[int, int, int]
    group: int
    total: int


class Buffer(NamedTuple):
    """Where an operand lies near the array, in slots of ``size`` bytes from ``base``. stored, used: the tensor
    as it comes from home and as passes see it. lane: bytes between the slots of two instances in one memory.
    stays: all tiles do, each at an offset of its own, a group after ``group`` bytes. apart: instances need
    different tiles. sharing: instances in a row that one memory serves; together: that one LOAD serves, where
    they need the same tile. keys: tiles of all groups. whole: bytes at home. here: passes read it there."""

    stored: What
    used: What
    base: int
    size: int
    slots: int
    lane: int
    stays: int
    group: int
    apart: int
    sharing: int
    together: int
    keys: int
    whole: int
    here: int


class Kept(NamedTuple):
    """Where tiles of weights stay once they were fetched, each at an offset of its own, a group after ``group`` bytes.
    memory: -1 where they do not. there: another operator has brought them."""

    memory: int
    base: int
    group: int
    there: int


class Slide(NamedTuple):
    """How passes read the input as rows (units.dataflows.Window). width: outputs of a row, 0 where they read
    a word for each product of a row of m with k."""

    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    width: int


class Pass(NamedTuple):
    """What one pass does at most. limit: of m, n, k, 0 for none. cuts: most passes of a tile along n (where
    weights stay) or m, and along k. depth, size: register slots. exit_row: or the dataflow's code. fused: the
    array finishes sums."""

    limit: tuple[int, int, int]
    cuts: tuple[int, int]
    stays: int
    depth: int
    size: int
    dataflow: int
    exit_row: int
    fused: int
    slide: Slide


class Op(NamedTuple):
    """One operator, mapped. m: first, size, tile whose LOAD brings the input, tile whose input comes first
    in what it reads, images, rows, columns of that LOAD (each offset, extent). n: first, size. k: first,
    size, channel, channels, tile whose LOAD brings them. pieces: (k tiles, m tiles + 1) offsets of an input
    that stays. weights: (k tiles, n tiles) offsets of weights that stay. owned: memories and units of every
    instance. Routes have a column of these in the place of a unit. gathered: where the first instance gets
    another core's sums before it adds them, -1 where it reads them where they are. sent: 0 where they come by way
    of home, else 1 and the cycles of a link's head on the longest way. engine: instances that one DMA engine
    serves; engines: that leave results at home. results: output tiles of all groups.
    """

    loops: Loops
    passes: Pass
    input: Buffer
    weight: Buffer
    sums: Buffer
    output: Buffer
    kept: Kept
    load_input: Route
    load_weight: Route
    reload: Route
    spill: Route
    store: Route
    m: Any
    n: Any
    k: Any
    pieces: Any
    weights: Any
    owned: Any
    cold: int
    summands: int
    gathered: int
    sent: int
    engine: int
    engines: int
    results: int
    channels: int
    out: tuple[int, int]
    rank: int


class State(NamedTuple):
    """Where the nest stands. at: step, instance, output tiles stored. input, weight: tiles that were fetched to stay;
    kept: that stay in another memory. known: of every instance."""

    at: Any
    input: Any
    weight: Any
    kept: Any
    known: Any
