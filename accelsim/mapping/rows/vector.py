"""A vector operator, row by row: for every tile of the output LOADs of the inputs, VECTOR, STORE."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip, Machine
from accelsim.chip.machine import all_of, beside, serving
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.cores import lead
from accelsim.mapping.mapping import slots_of
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.rows.record import (
    HOME,
    MOVE,
    READ,
    USES,
    WRITE,
    Nest,
    Route,
    Rows,
    What,
    begin,
    cut,
    left,
    move,
    packed,
    share,
    uses,
)
from accelsim.mapping.rows.vector_tiles import (
    ABSENT,
    BITS,
    HERE,
    IN_A_ROW,
    READS,
    SPAN,
    Output,
    Tiling,
    four,
    own_axes,
    read_box,
    read_inputs,
    tile_vector,
)
from accelsim.program.opcodes import Opcode
from accelsim.workload import VectorOperator

Ints = NDArray[np.int64]
#: columns of a tensor's places: local number, format, its memory near the unit (a column of what belongs to a core),
#: address of the first slot there, slots, its bytes at home, style of what moves it
TENSOR, FORM, NEAR, ADDRESS, SLOTS, WHOLE, STYLE = range(7)
#: what belongs to a core: memories, units, and cycles of a DMA channel's links
INPUT_AT, OUTPUT_AT, VECTOR_UNIT, DMA_INPUT, DMA_OUTPUT, LEAD_INPUT, LEAD_OUTPUT = range(7)


class VectorNest(NamedTuple):
    """An operator and its tiles. tensors, places: a row for each input that is read, then one for the
    output (columns of vector_tiles.py and above). image .. column: where in the output what is computed
    begins. work: operations in all. pace: how fast they are on the unit. style: of VECTOR. owned: a row for each
    core that tiles are dealt to in turn. engine: cores that one DMA engine serves; engines: that work."""

    output: Output
    tensors: Ints
    places: Ints
    tile_channels: int
    tile_rows: int
    image: int
    channel: int
    row: int
    column: int
    work: int
    pace: int
    style: int
    owned: Ints
    engine: int
    engines: int


@jit.allocates_nothing
def vector_rows(op: Any, state: Any, rows: Rows) -> bool:
    """Write tile after tile from number state[0] on; whether all are written."""
    output, inputs = op.output, len(op.tensors) - 1
    deep, tall = cut(output.channels, op.tile_channels), cut(output.rows, op.tile_rows)
    for tile in range(state[0], output.images * deep * tall):
        if rows.at[0] > rows.limit[0] or rows.at[1] > rows.limit[1]:
            state[0] = tile
            return False
        channel, row = tile // tall % deep * op.tile_channels, tile % tall * op.tile_rows
        channels = min(op.tile_channels, output.channels - channel)
        height = min(op.tile_rows, output.rows - row)
        box = (tile // (tall * deep), 1, channel, channels, row, height, 0, output.columns)
        for i in range(inputs):
            if op.tensors[i][HERE] == 0:
                load_input(op, rows, i, tile, box)
        compute_tile(op, rows, tile, box)
        store_tile(op, rows, tile, box)
    return True


def load_input(op: Any, rows: Rows, i: int, tile: int, box: Any) -> None:
    """Fetch the part of an input that a tile reads."""
    tensor, place = op.tensors[i], op.places[i]
    read = own_axes(read_box(op.output, tensor, box), tensor[ABSENT])
    core = op.owned[tile % len(op.owned)]
    route = Route(place[STYLE], core[DMA_INPUT], 1, core[LEAD_INPUT])
    far = at_home(op.output, tensor, place, box)
    move(rows, route, what(tensor, place), far, slot(op, tensor, place, tile), read)


def compute_tile(op: Any, rows: Rows, tile: int, box: Any) -> None:
    """Compute a tile from the parts of the inputs."""
    last = len(op.tensors) - 1
    elements = box[3] * box[5] * box[7]
    work = work_until(op, box, elements) - work_until(op, box, 0)
    unit = op.owned[tile % len(op.owned)][VECTOR_UNIT]
    begin(rows, op.style, unit, 0, (elements, work, op.pace, 0, 0))
    for i in range(last):
        tensor, place = op.tensors[i], op.places[i]
        read = own_axes(read_box(op.output, tensor, box), tensor[ABSENT])
        near = slot(op, tensor, place, tile)
        if tensor[HERE]:
            far = at_home(op.output, tensor, place, box)
            near = HOME, far[0], far[1]
        uses(rows, READ, what(tensor, place), near, read)
    tensor, place = op.tensors[last], op.places[last]
    near = slot(op, tensor, place, tile)
    uses(rows, WRITE, what(tensor, place), near, made_box(op, tensor, box))


def store_tile(op: Any, rows: Rows, tile: int, box: Any) -> None:
    """Take a computed tile home."""
    last = len(op.tensors) - 1
    tensor, place = op.tensors[last], op.places[last]
    core = op.owned[tile % len(op.owned)]
    route = Route(place[STYLE], core[DMA_OUTPUT], 0, core[LEAD_OUTPUT])
    made, far = made_box(op, tensor, box), at_home(op.output, tensor, place, box)
    if tensor[IN_A_ROW] == 0:
        out, writer = op.output, (tile % len(op.owned) // op.engine, op.engines)
        tiles = out.images * cut(out.channels, op.tile_channels) * cut(out.rows, op.tile_rows)
        far = left(rows, what(tensor, place), place[WHOLE], writer, (tile, tiles))
    move(rows, route, what(tensor, place), far, slot(op, tensor, place, tile), made)


def what(tensor: Any, place: Any) -> What:
    """A tensor as rows name it."""
    return What(place[TENSOR], tensor[BITS], place[FORM])


def slot(op: Any, tensor: Any, place: Any, tile: int) -> Any:
    """Where a tile's part of a tensor lies near the unit: memory, address, span."""
    cores, span = len(op.owned), tensor[SPAN]
    near = op.owned[tile % cores][place[NEAR]]
    return near, place[ADDRESS] + tile // cores % place[SLOTS] * span, span


def at_home(output: Any, tensor: Any, place: Any, box: Any) -> Any:
    """Where a tile's part of a tensor lies at home: address there and span, of all of it where the part is not in
    a row."""
    if tensor[IN_A_ROW] == 0:
        return 0, place[WHOLE]
    plane = (box[0] * output.channels + box[2]) * output.rows + box[4]
    size = packed(box[1] * box[3] * box[5] * box[7], tensor[BITS])
    return packed(plane * output.columns, tensor[BITS]), size


def made_box(op: Any, tensor: Any, box: Any) -> Any:
    """Where a tile stands in the output, in the output's own axes."""
    moved = (
        box[0] + op.image,
        box[1],
        box[2] + op.channel,
        box[3],
        box[4] + op.row,
        box[5],
        box[6] + op.column,
        box[7],
    )
    return own_axes(moved, tensor[ABSENT])


def work_until(op: Any, box: Any, elements: int) -> int:
    """The operator's work up to so many elements of a tile: shares add up to it whatever the tiles."""
    out = op.output
    image, channel, row = box[0], box[2], box[4]
    planes = (image * out.channels + channel) * out.rows + box[3] * row
    total = out.images * out.channels * out.rows * out.columns
    return wrapped((planes * out.columns + elements) * op.work) // int(max(1, total))


def wrapped(number: int) -> int:
    """A number as 64 bits hold it, in plain Python too."""
    return (number & 0x7FFFFFFFFFFFFFFF) + (number >> 63 & 1) * -0x8000000000000000


BOX: jit.Helpers = ((read_box, READS), own_axes)
NEAR_UNIT: jit.Helpers = (what, slot)
MADE: jit.Helpers = ((made_box, (own_axes,)),)
MOVES: jit.Helpers = ((move, MOVE),)
AT_HOME: jit.Helpers = ((at_home, (packed,)),)
COMPUTE: jit.Helpers = (
    *BOX,
    *NEAR_UNIT,
    *AT_HOME,
    *MADE,
    begin,
    (uses, USES),
    (work_until, (wrapped,)),
)
VECTOR: jit.Helpers = (
    cut,
    (load_input, (*BOX, *NEAR_UNIT, *AT_HOME, *MOVES)),
    (compute_tile, COMPUTE),
    (store_tile, (*NEAR_UNIT, *AT_HOME, *MADE, *MOVES, cut, (left, (share,)))),
)


def vector_nest(
    chip: Chip,
    machine: Machine,
    op: VectorOperator,
    formats: tuple[str, ...],
    parity: int,
    kept: int = 0,
    room: Room = UNDIVIDED,
) -> Nest:
    """What writes the rows of a vector operator. Local tensors: its inputs, then its output.

    formats: of each input, then of the output. parity: 1 to lie at the top of the buffers. kept: bytes at the
    bottom of the array's weight buffer that hold weights.
    """
    own = room.of(chip)
    free = beside_weights(own, kept) if kept else own
    tiling = tile_vector(op, free, tuple(get(name).bits for name in formats), room)
    addresses = _addresses(own, tiling, parity, room)
    owned = _owned(chip, machine, min(tiling.cores, tiling.count))
    engines = len({int(row[DMA_OUTPUT]) for row in owned})
    nest = _nest(chip, machine, op, formats, tiling, addresses)._replace(
        owned=owned, engine=-(-len(owned) // engines), engines=engines
    )
    many = len(read_inputs(op))
    state, most = np.zeros(1, np.int64), (many + 2, 3 * many + 3)
    return Nest(vector_rows, VECTOR, nest, state, _styles(op, formats), most)


def shares_weights(chip: Chip) -> bool:
    """Whether the vector unit works in the buffer in which weights stay."""
    unit, array = chip.vector_unit, chip.mac_array
    stay = chip.weights == "resident" and array is not None
    return stay and chip.array.weight in (unit.input, unit.output)


def beside_weights(chip: Chip, kept: int) -> Chip:
    """The chip whose weight buffer is what weights leave of it."""
    name = chip.array.weight
    left = replace(chip.memories[name], size=max(0, chip.memories[name].size - kept))  # type: ignore[type-var]
    return replace(chip, memories={**chip.memories, name: left})


def _nest(
    chip: Chip,
    machine: Machine,
    op: VectorOperator,
    formats: tuple[str, ...],
    tiling: Tiling,
    addresses: list[int],
) -> VectorNest:
    many, unit = len(read_inputs(op)), chip.vector_unit
    places = [
        _place(chip, op, formats, which) for which in (*read_inputs(op), len(op.input_shapes))
    ]
    for i, place in enumerate(places):
        place[ADDRESS], place[STYLE] = addresses[i], i if i < many else many + 1
    begins = (0, 0, 0, 0)
    if op.kind == "append":
        whole, new = four(op.output_shape), tiling.output[:4]
        begins = (whole[0] - new[0], whole[1] - new[1], whole[2] - new[2], whole[3] - new[3])
    return VectorNest(
        tiling.output,
        tiling.tensors,
        np.array(places, np.int64),
        tiling.channels,
        tiling.rows,
        *begins,
        op.work,
        unit.pace(op.kind),
        many,
        np.zeros((0, 0), np.int64),
        *(1, 1),
    )


def _owned(chip: Chip, machine: Machine, cores: int) -> Ints:
    """Memories and units of the first cores, one of each where the chip's vector units are one."""
    unit, dma = chip.vector_unit, chip.dma.name
    units, memories = machine.unit_index, machine.memory_index
    rows = []
    for name in all_of(chip, unit.name)[:cores]:
        i = all_of(chip, unit.name).index(name) * serving(chip, unit.name)
        near, out, engine = (beside(chip, one, i) for one in (unit.input, unit.output, dma))
        channels = units[f"{engine}.input"], units[f"{engine}.output"]
        leads = lead(chip, near, 1), lead(chip, out, 0)
        rows.append([memories[near], memories[out], units[name], *channels, *leads])
    return np.array(rows, np.int64)


def _place(chip: Chip, op: VectorOperator, formats: tuple[str, ...], which: int) -> list[int]:
    """The places of an input, or of the output, but for address and style."""
    shapes = (*op.input_shapes, op.output_shape)
    unit, made = chip.vector_unit, which == len(op.input_shapes)
    near = unit.output if made else unit.input
    return [
        which,
        FORMAT_INDEX[formats[which]],
        OUTPUT_AT if made else INPUT_AT,
        0,
        slots_of(chip, near),
        get(formats[which]).bytes_for(prod(shapes[which])),
        0,
    ]


def _addresses(chip: Chip, tiling: Tiling, parity: int, room: Room) -> list[int]:
    """First bytes of the slots of each input, then of the output: from the bottom of the room, or up to its top.
    chip: with memories of that room."""
    unit = chip.vector_unit
    spans = tiling.tensors[:, SPAN]
    sizes = [int(span) * tiling.input_slots for span in spans[:-1]]
    read, made = sum(sizes), int(spans[-1]) * tiling.output_slots
    below = read if unit.input == unit.output else 0
    base, last = 0, below
    if parity:
        base = chip.memories[unit.input].size - read
        last = chip.memories[unit.output].size - made - below
    base, last = room.base(unit.input) + base, room.base(unit.output) + last
    return [*accumulate(sizes[:-1], initial=base), last]


def _styles(op: VectorOperator, formats: tuple[str, ...]) -> Ints:
    """A style for the LOADs of each input, then those of VECTOR and STORE."""
    read, out = [FORMAT_INDEX[formats[i]] for i in read_inputs(op)], FORMAT_INDEX[formats[-1]]
    loads = [[Opcode.LOAD, form, -1, -1, 0] for form in read]
    last = [[Opcode.VECTOR, read[0], -1, out, 0], [Opcode.STORE, out, -1, -1, 0]]
    return np.array([*loads, *last], np.int64)
