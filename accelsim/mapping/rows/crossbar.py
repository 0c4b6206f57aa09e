"""An operator on crossbars: where weights are not resident, PROGRAM of every block; then job after job.

A job is a run of vectors of one group, or of a pack of groups that share a crossbar, on one copy of the
weights: LOAD, one MVM a block, ACCUMULATE over row blocks, REQUANTIZE, STORE.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from accelsim import jit
from accelsim.chip import Chip, Machine
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.crossbars import (
    CrossbarMapping,
    blocks_of,
    needs,
    packs_of,
    pieces_of,
)
from accelsim.mapping.mapping import Geometry, sum_format
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.rows.record import (
    ACCUMULATE,
    HOME,
    MOVE,
    READ,
    WRITE,
    Ints,
    Nest,
    Route,
    Rows,
    What,
    begin,
    move,
    packed,
    touches,
)
from accelsim.mapping.tiles import BOX, M_TILE, REACHES_BACK_TO, m_tiles
from accelsim.program.opcodes import Flag, Opcode
from accelsim.units.base import instance_names

INPUT, LOWERED, WEIGHT, WEIGHT_MATRIX, OUTPUT, OUTPUT_MATRIX, SUMS = range(7)
LOADS, STORES, PROGRAMS, PRODUCTS, ADDS, CODES = range(6)  # styles
WHOLE_SUM = int(Flag.FIRST_K | Flag.LAST_K)


class Area(NamedTuple):
    """Slots of ``size`` bytes in a memory, from ``base`` on."""

    memory: int
    base: int
    size: int


class Crossbars(NamedTuple):
    """An operator on its crossbars.

    packs, pack: packs of groups, groups in a full one. high, wide: rows and outputs of a crossbar.
    row_blocks, column_blocks: of a pack. channels: of a group. programs: crossbars that are written
    first. unit, cells: of its first crossbar, the others follow. far: addresses and bytes at home. here: products
    read the input there; stays: it is fetched once, a run's new rows at a time, and stays, a pack in ``whole``
    bytes. tiles: (runs of vectors, 9) first, size; first image, images, first row, rows, first column, columns
    of the input that its LOAD brings; the run whose rows come first in what it reads. pieces: offsets of what LOADs
    bring where it stays.
    """

    groups: int
    packs: int
    pack: int
    k: int
    n: int
    high: int
    wide: int
    row_blocks: int
    column_blocks: int
    channels: int
    rank: int
    replicas: int
    slots: int
    programs: int
    unit: int
    cells: Area
    vector: int
    load: Route
    program: Route
    store: Route
    input: What
    lowered: What
    weight: What
    sums: What
    output: What
    inputs: Area
    partials: Area
    codes: Area
    far_input: tuple[int, int]
    far_weight: tuple[int, int]
    far_output: tuple[int, int]
    here: int
    stays: int
    whole: int
    tiles: Any
    pieces: Any


class Job(NamedTuple):
    """A run of vectors ``first`` .. ``first + size`` of ``groups`` groups. number: of the copy's first
    crossbar. source: memory, address and span of its input. sums, codes: addresses of its slots."""

    group: int
    groups: int
    first: int
    size: int
    number: int
    source: tuple[int, int, int]
    sums: int
    codes: int


@jit.allocates_nothing
def crossbar_rows(op: Crossbars, state: Any, rows: Rows) -> bool:
    """Rows of the operator. state: crossbars that are programmed, jobs that are done."""
    programs, jobs = op.programs, len(op.tiles) * op.packs
    while state[0] < programs or state[1] < jobs:
        if rows.at[0] > rows.limit[0] or rows.at[1] > rows.limit[1]:
            return False
        if state[0] < programs:
            program(op, state[0], rows)
            state[0] += 1
        else:
            run(op, state[1], rows)
            state[1] += 1
    return True


def program(op: Crossbars, number: Any, rows: Rows) -> None:
    """The weights of one crossbar written to its cells."""
    block = number // op.column_blocks
    k0, n0 = block % op.row_blocks * op.high, number % op.column_blocks * op.wide
    k, n = min(op.high, op.k - k0), min(op.wide, op.n - n0)
    group = block // op.row_blocks % op.packs * op.pack
    groups = min(op.pack, op.groups - group)
    box = (group, groups, k0, k, n0, n, 0, 1)
    size = packed(groups * k * n, op.weight.bits)
    shared = groups if op.pack > 1 else 0
    begin(rows, op.program.style, op.unit + number, 0, (0, n, k, shared, 0))
    far = (HOME, op.far_weight[0], op.far_weight[1])
    touches(rows, READ, op.weight, far, size, box)
    touches(rows, WRITE, op.weight, (op.cells.memory + number, op.cells.base, size), size, box)


def run(op: Crossbars, number: Any, rows: Rows) -> None:
    """One job, from its input to its output codes."""
    tile, slot = number // op.packs, number % op.slots
    pack = number % op.packs
    first, size, image, images, row, high, column, wide, back = op.tiles[tile]
    group = pack * op.pack
    groups = min(op.pack, op.groups - group)
    copy = (tile % op.replicas * op.packs + pack) * op.row_blocks * op.column_blocks
    near = source = op.inputs.memory, op.inputs.base + slot * op.inputs.size, op.inputs.size
    if op.here:
        source = HOME, op.far_input[0], op.far_input[1]
    elif op.stays:
        base, low, end = op.inputs.base + pack * op.whole, op.pieces[tile], op.pieces[tile + 1]
        near = op.inputs.memory, base + low, end - low
        source = op.inputs.memory, base + op.pieces[back], end - op.pieces[back]
    job = Job(
        group,
        groups,
        first,
        size,
        copy,
        source,
        op.partials.base + slot * op.partials.size,
        op.codes.base + slot * op.codes.size,
    )
    channel, channels = group * op.channels, groups * op.channels
    if op.rank == 4:
        box = (image, images, channel, channels, row, high, column, wide)
    elif op.rank == 2:
        box = (row, high, 0, channels, 0, 1, 0, 1)
    else:
        box = (group, groups, row, high, 0, op.channels, 0, 1)
    if op.here == 0 and images * high * wide > 0:
        move(rows, op.load, op.input, op.far_input, near, box)
    products(op, job, rows)
    digital(op, job, rows)


def products(op: Crossbars, job: Job, rows: Rows) -> None:
    """One MVM on every crossbar of the job's copy: all row blocks see the same slot of inputs, each
    leaves partial sums of its own."""
    apart = op.partials.size // op.row_blocks
    bits = op.sums.bits
    for r in range(op.row_blocks):
        k0 = r * op.high
        k = min(op.high, op.k - k0)
        moved = packed(job.groups * job.size * k, op.lowered.bits)
        seen = (job.group, job.groups, job.first, job.size, k0, k, 0, 1)
        partial, low = What(SUMS + r, bits, op.sums.form), job.sums + r * apart
        for c in range(op.column_blocks):
            n0 = c * op.wide
            n = min(op.wide, op.n - n0)
            crossbar = job.number + r * op.column_blocks + c
            held = packed(job.groups * k * n, op.weight.bits)
            out = packed(job.groups * job.size * n, bits)
            shared = job.groups if op.pack > 1 else 0
            begin(rows, PRODUCTS, op.unit + crossbar, WHOLE_SUM, (job.size, n, k, shared, 0))
            touches(rows, READ, op.lowered, job.source, moved, seen)
            weights = (job.group, job.groups, k0, k, n0, n, 0, 1)
            cells = (op.cells.memory + crossbar, op.cells.base, held)
            touches(rows, READ, op.weight, cells, held, weights)
            at = low + n0 * job.size * bits // 8
            box = (job.group, job.groups, job.first, job.size, n0, n, 0, 1)
            touches(rows, WRITE, partial, (op.partials.memory, at, out), out, box)


def digital(op: Crossbars, job: Job, rows: Rows) -> None:
    """Row blocks added into the first, codes made of the sums, and stored."""
    elements = job.groups * job.size * op.n
    box = (job.group, job.groups, job.first, job.size, 0, op.n, 0, 1)
    memory, size = op.partials.memory, packed(elements, op.sums.bits)
    if op.row_blocks > 1:
        work = elements * (op.row_blocks - 1)
        begin(rows, ADDS, op.vector, 0, (elements, work, 0, 0, 0))
        for r in range(1, op.row_blocks):
            at = job.sums + r * (op.partials.size // op.row_blocks)
            partial = What(SUMS + r, op.sums.bits, op.sums.form)
            touches(rows, READ, partial, (memory, at, size), size, box)
        touches(rows, ACCUMULATE, op.sums, (memory, job.sums, size), size, box)
    begin(rows, CODES, op.vector, 0, (elements, elements, 0, 0, 0))
    touches(rows, READ, op.sums, (memory, job.sums, size), size, box)
    codes = packed(elements, op.output.bits)
    near = (op.codes.memory, job.codes, codes)
    touches(rows, WRITE, op.output, near, codes, box)
    move(rows, op.store, op.output, op.far_output, near, box)


PRODUCT: jit.Helpers = (begin, packed, touches)
DIGITAL: jit.Helpers = (*PRODUCT, (move, MOVE))
HELPERS: jit.Helpers = (
    (program, PRODUCT),
    (run, ((move, MOVE), (products, PRODUCT), (digital, DIGITAL))),
)


def crossbar_nest(
    chip: Chip,
    machine: Machine,
    geometry: Geometry,
    mapping: CrossbarMapping,
    formats: tuple[str, str, str],
    parity: int,
    cold: bool,
    room: Room = UNDIVIDED,
) -> Nest:
    """What writes the rows of an operator on its crossbars. formats: of input, weight, output. parity: its slots lie
    at the start of its room (0) or at the end. cold: weights are written in every run."""
    assert chip.crossbar is not None
    areas = slot_areas(chip, machine, geometry, mapping, formats, parity, room)
    op = crossbars(chip, machine, geometry, mapping, formats, areas, cold or mapping.reprogrammed)
    op = op._replace(here=int(0 in room.here))
    blocks = op.row_blocks * op.column_blocks
    most = (blocks + 4, 3 * blocks + op.row_blocks + 6)
    a, b, out, s = (FORMAT_INDEX[name] for name in (*formats, sum_format(chip.crossbar)))
    styles = np.array(
        [
            (Opcode.LOAD, a, -1, -1, 0),
            (Opcode.STORE, out, -1, -1, 0),
            (Opcode.PROGRAM, -1, b, -1, 0),
            (Opcode.MVM, a, b, s, WHOLE_SUM),
            (Opcode.ACCUMULATE, s, -1, s, 0),
            (Opcode.REQUANTIZE, s, -1, out, 0),
        ],
        np.int64,
    )
    return Nest(crossbar_rows, HELPERS, op, np.zeros(2, np.int64), styles, most)


def crossbars(
    chip: Chip,
    machine: Machine,
    geometry: Geometry,
    mapping: CrossbarMapping,
    formats: tuple[str, str, str],
    areas: tuple[Area, Area, Area],
    cold: bool,
) -> Crossbars:
    """What the rows follow from. areas: of input, sums, output."""
    unit, dma, g = chip.crossbar, chip.dma.name, geometry
    assert unit is not None
    row_blocks, column_blocks = blocks_of(unit, g)
    packs = packs_of(unit, g)
    first = instance_names(unit.name, unit.count)[0]
    at = machine.unit_index[first] + mapping.first
    input, weight, output, sums = (get(name) for name in (*formats, sum_format(unit)))
    a, b, out, s = (FORMAT_INDEX[name] for name in (*formats, sum_format(unit)))
    return Crossbars(
        g.groups,
        packs,
        mapping.pack,
        g.k,
        g.n,
        unit.rows,
        unit.outputs,
        row_blocks,
        column_blocks,
        g.channels,
        g.rank,
        mapping.replicas,
        mapping.slots,
        mapping.replicas * packs * row_blocks * column_blocks if cold else 0,
        at,
        Area(machine.memory_index[f"{first}.cells"] + mapping.first, 0, unit.cell_bytes),
        machine.unit_index[chip.vector_unit.name],
        Route(LOADS, machine.unit_index[f"{dma}.input"], 1),
        Route(PROGRAMS, at, 1),
        Route(STORES, machine.unit_index[f"{dma}.output"], 0),
        What(INPUT, input.bits, a),
        What(LOWERED, input.bits, a),
        What(WEIGHT_MATRIX, weight.bits, b),
        What(SUMS, sums.bits, s),
        What(OUTPUT_MATRIX, output.bits, out),
        *areas,
        (0, input.bytes_for(g.groups * g.batch * g.channels * g.in_height * g.in_width)),
        (0, weight.bytes_for(g.groups * g.k * g.n)),
        (0, output.bytes_for(g.groups * g.m * g.n)),
        0,
        int(mapping.input_resident),
        areas[0].size // packs,
        *run_table(g, mapping, formats[0]),
    )


def slot_areas(
    chip: Chip,
    machine: Machine,
    geometry: Geometry,
    mapping: CrossbarMapping,
    formats: tuple[str, str, str],
    parity: int,
    room: Room,
) -> tuple[Area, Area, Area]:
    """Slots of input, sums and output."""
    used: dict[str, int] = {}
    areas, free = {}, room.of(chip).memories
    for name, (memory, size, count) in needs(chip, geometry, formats, mapping, room).items():
        below = used.get(memory, 0)
        used[memory] = below + size * count
        base = free[memory].size - used[memory] if parity else below
        areas[name] = Area(machine.memory_index[memory], room.base(memory) + base, size)
    return areas["input"], areas["sums"], areas["out"]


def run_table(geometry: Geometry, mapping: CrossbarMapping, form: str) -> tuple[Ints, Ints]:
    """Runs of vectors and the input that each needs, as Crossbars.tiles and pieces. form: of the input."""
    if mapping.input_resident:
        found = pieces_of(geometry, mapping, form)
        table, pieces = found.m, found.pieces
    else:
        table, _ = m_tiles(geometry, (mapping.batch, mapping.height, mapping.width))
        pieces = np.zeros(1, np.int64)
    rows = table.reshape(-1, M_TILE)
    columns = rows[:, :2], rows[:, BOX:], rows[:, REACHES_BACK_TO : REACHES_BACK_TO + 1]
    return np.concatenate(columns, axis=1), pieces
