"""Tiles of a vector operator: boxes of its output, the part of each input that one reads, their sizes.

A pool reads the rows under its windows; any other operator the part of each input that lies in
proportion: the same box of an equal shape, all of a broadcast axis, the whole of a reduced one. Where
elements change place (a gather, a concatenation) the part stands for the elements that are read, with
the same bytes. Rows are always whole.

Every tensor is seen with four axes: images, channels, rows, columns. A box is eight numbers, offset and
extent of each axis. Functions of numbers serve plain Python and compiled code.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.mapping.mapping import slots_of
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.rows.record import cut, packed
from accelsim.workload import VectorOperator
from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS

Ints = NDArray[np.int64]
Shape = tuple[int, int, int, int]
PICKED = ("gather", "slice")  # only as much of the first input is read as comes out
PIECES = 4  # tiles of a core to aim at, so that loads, work and stores overlap
CLOSE = 0.01  # cores whose time is within this part of the shortest count as equally quick: then fewer win
IN_PROPORTION, AS_MANY, UNDER_WINDOWS = 0, 1, 2  # how an input is read

#: columns of a tensor's row: its four axes, how it is read, axes of the four that it does not have,
#: bits of an element, bytes of its part of the largest tile; whether it is read where it stands, without a slot;
#: whether its part of a tile, at home, is the same elements in a row as the tile's in the output
IMAGES, CHANNELS, ROWS, COLUMNS, READ_AS, ABSENT, BITS, SPAN, HERE, IN_A_ROW = range(10)


class Output(NamedTuple):
    """What is computed: its axes, and the windows of a pool along the rows."""

    images: int
    channels: int
    rows: int
    columns: int
    stride: int
    padding: int
    window: int


class Bytes(NamedTuple):
    """Bytes for the input parts and for the output, and the slots that each is held in."""

    input: int
    output: int
    input_slots: int
    output_slots: int


def four(shape: tuple[int, ...], rank: int = 0) -> Shape:
    """A shape as (images, channels, rows, columns): leading ones added, or leading axes merged.

    rank: of the shape it is broadcast to, which adds leading ones first.
    """
    axes = (*(1,) * max(0, 4 - len(shape), rank - len(shape)), *shape)
    return prod(axes[:-3]), axes[-3], axes[-2], axes[-1]


def read_inputs(op: VectorOperator) -> range:
    """Numbers of the inputs that are fetched: all, but for a cache only what is appended to it."""
    return range(1, 2) if op.kind == "append" else range(len(op.inputs))


def made_shape(op: VectorOperator) -> Shape:
    """The shape of what is computed and stored."""
    return four(op.input_shapes[1] if op.kind == "append" else op.output_shape)


def in_proportion(low: int, size: int, out: int, into: int) -> tuple[int, int]:
    """Offset and size of the part of an input axis that a part of the output axis reads."""
    if into == out:
        return low, size
    first = min(low * into // max(1, out), into - 1)
    return first, max((low + size) * into // max(1, out), first + 1) - first


def as_many(low: int, size: int, into: int) -> tuple[int, int]:
    """As much of an input axis as a part of the output: it stands for what is picked."""
    size = min(size, into)
    return min(low, into - size), size


def under_windows(output: Any, low: int, size: int, into: int) -> tuple[int, int]:
    """The rows of an input of a pool under the windows of output rows, padding left out."""
    first = min(max(low * output.stride - output.padding, 0), into - 1)
    end = (low + size - 1) * output.stride - output.padding + output.window
    return first, min(max(end, first + 1), into) - first


def read_axis(how: int, low: int, size: int, out: int, into: int) -> tuple[int, int]:
    """The images or channels of an input that those of a tile read."""
    if how == AS_MANY:
        return as_many(low, size, into)
    return in_proportion(low, size, out, into)


def read_rows(output: Any, tensor: Any, low: int, size: int) -> tuple[int, int]:
    """The rows of an input that the rows of a tile read."""
    if tensor[READ_AS] == UNDER_WINDOWS:
        return under_windows(output, low, size, tensor[ROWS])
    return read_axis(tensor[READ_AS], low, size, output.rows, tensor[ROWS])


def read_columns(output: Any, tensor: Any) -> int:
    """The columns of an input that every tile reads."""
    if tensor[READ_AS] == AS_MANY:
        return int(min(tensor[COLUMNS], output.columns))
    return int(tensor[COLUMNS])


def read_box(output: Any, tensor: Any, box: Any) -> Any:
    """The box of a tensor that a box of the output reads; of the output itself that box."""
    how = tensor[READ_AS]
    image, images = read_axis(how, box[0], box[1], output.images, tensor[IMAGES])
    channel, channels = read_axis(how, box[2], box[3], output.channels, tensor[CHANNELS])
    row, rows = read_rows(output, tensor, box[4], box[5])
    return image, images, channel, channels, row, rows, 0, read_columns(output, tensor)


def own_axes(box: Any, absent: int) -> Any:
    """A box in a tensor's own axes. absent: of the four, leading ones that it does not have."""
    if absent == 0:
        return box
    if absent == 1:
        return box[2], box[3], box[4], box[5], box[6], box[7], 0, 1
    if absent == 2:
        return box[4], box[5], box[6], box[7], 0, 1, 0, 1
    if absent == 3:
        return box[6], box[7], 0, 1, 0, 1, 0, 1
    return 0, 1, 0, 1, 0, 1, 0, 1


def largest_part(output: Any, tensor: Any, channels: int, rows: int) -> int:
    """Bytes of the largest part of a tensor that a tile of so many channels and rows reads."""
    how, images, deep, tall = tensor[READ_AS], 0, 0, 0
    for low in range(output.images):
        images = max(images, read_axis(how, low, 1, output.images, tensor[IMAGES])[1])
    for low in range(0, output.channels, channels):
        size = min(channels, output.channels - low)
        deep = max(deep, read_axis(how, low, size, output.channels, tensor[CHANNELS])[1])
    for low in range(0, output.rows, rows):
        size = min(rows, output.rows - low)
        tall = max(tall, read_rows(output, tensor, low, size)[1])
    return int(packed(images * deep * tall * read_columns(output, tensor), tensor[BITS]))


def tile_fits(output: Any, tensors: Any, room: Any, tile: Any) -> bool:
    """Whether a tile, channels and rows, fits the buffers. Writes the SPAN of every tensor."""
    last, total = len(tensors) - 1, 0
    for i in range(last + 1):
        tensors[i][SPAN] = 0
        if tensors[i][HERE] == 0:
            tensors[i][SPAN] = largest_part(output, tensors[i], tile[0], tile[1])
        total += tensors[i][SPAN]
    made = tensors[last][SPAN]
    read = (total - made) * room.input_slots
    return bool(read <= room.input and made * room.output_slots <= room.output)


def halve_tile(output: Any, tensors: Any, room: Any, tile: Any) -> bool:
    """Halve channels, then rows, of a tile until it fits; whether one does."""
    while not tile_fits(output, tensors, room, tile):
        if tile[0] > 1:
            tile[0] = cut(tile[0], 2)
        elif tile[1] > 1:
            tile[1] = cut(tile[1], 2)
        else:
            return False
    return True


AXIS: jit.Helpers = (as_many, in_proportion)
READ_ROWS: jit.Helpers = (under_windows, (read_axis, AXIS))
READS: jit.Helpers = ((read_axis, AXIS), (read_rows, READ_ROWS), read_columns)


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tiles of one image, ``channels`` channels and ``rows`` rows of the output. tensors: a row for
    each input that is read, then one for the output. input_slots, output_slots: that each is held in. cores: that
    tiles are dealt to in turn."""

    output: Output
    tensors: Ints
    channels: int
    rows: int
    input_slots: int
    output_slots: int
    cores: int = 1

    @property
    def count(self) -> int:
        """How many tiles there are."""
        out = self.output
        return int(out.images * cut(out.channels, self.channels) * cut(out.rows, self.rows))


def tile_vector(
    op: VectorOperator, chip: Chip, bits: tuple[int, ...], room: Room = UNDIVIDED
) -> Tiling:
    """The largest tiles that fit the vector unit's buffers, at least PIECES of them a core if possible; on the fewest
    cores that are as quick as any.

    chip: with memories of the operator's room. bits: of an element of each input, then of the output.
    """
    count = chip.vector_unit.count
    if count == 1:
        return _tiled(op, chip, bits, room, 1)
    some = sorted({count, *(1 << i for i in range(count.bit_length()) if 1 << i < count)})
    tilings = [_tiled(op, chip, bits, room, cores) for cores in some]
    took = [_seconds(op, chip, room, tiling) for tiling in tilings]
    return next(t for t, s in zip(tilings, took, strict=True) if s <= min(took) * (1 + CLOSE))


def _seconds(op: VectorOperator, chip: Chip, room: Room, tiling: Tiling) -> float:
    """About how long an operator takes: the busiest of what all cores share and of what each has, behind the first
    tiles of all and before the last."""
    unit, tiles, cores = chip.vector_unit, tiling.count, tiling.cores
    mine = cut(tiles, cores)
    names = (*read_inputs(op), len(op.input_shapes))
    spans = [int(span) for span in tiling.tensors[:, SPAN]]
    byte = 1 / (chip.dram.bandwidth * chip.dram.efficiency)
    far = [span * byte * (i not in room.on_chip) for i, span in zip(names, spans, strict=True)]
    near = chip.memories[unit.input]
    port = sum(spans) / (near.bytes_per_cycle * chip.clocks[near.clock])  # type: ignore[attr-defined]
    rate = unit.rates.get(op.kind, 1.0)
    work = op.work / tiles / (unit.lanes * rate * chip.clocks[unit.clock])
    setup = (len(spans) - 1) * chip.dma.setup / chip.clocks[chip.dma.clock]
    busiest = max(tiles * sum(far), mine * max(work, port, setup))
    return float(busiest + min(cores, tiles) * sum(far) + work + 2 * chip.dram.latency)


def _tiled(op: VectorOperator, chip: Chip, bits: tuple[int, ...], room: Room, cores: int) -> Tiling:
    """The largest tiles for so many cores."""
    unit, memories = chip.vector_unit, chip.memories
    pieces = PIECES * cores
    output = Output(*made_shape(op), op.stride[0], op.padding[0], op.kernel[0])
    tensors = _tensors(op, bits, room)
    share = 2 if unit.input == unit.output else 1
    free = Bytes(
        memories[unit.input].size // share,
        memories[unit.output].size // share,
        slots_of(chip, unit.input),
        slots_of(chip, unit.output),
    )
    planes = output.images * output.channels
    channels, rows = min(output.channels, cut(planes, pieces)), output.rows
    if planes < pieces and VECTOR_KINDS[op.kind].access != "reduce":
        rows = cut(rows, cut(pieces, planes))
    tile = [channels, rows]
    if not halve_tile(output, tensors, free, tile):
        read, made = sum(row[SPAN] for row in tensors[:-1]), tensors[-1][SPAN]
        raise InputError(
            Problem(
                "mapping.vector.fits",
                f"one row of {op.name} needs {read * free.input_slots} bytes of "
                f"{unit.input} and {made * free.output_slots} bytes of {unit.output}",
                "make the buffers larger",
            )
        )
    channels, rows = tile
    slots = free.input_slots, free.output_slots
    return Tiling(output, np.array(tensors, np.int64), channels, rows, *slots, cores)


def _tensors(op: VectorOperator, bits: tuple[int, ...], room: Room) -> list[list[int]]:
    """The row of each input that is read, and of the output, without its SPAN."""
    rank, made = len(op.output_shape), len(op.input_shapes)
    found = []
    for which in read_inputs(op):
        shape, how = op.input_shapes[which], IN_PROPORTION
        if op.kind in PICKED and which == 0:
            how = AS_MANY
        elif op.kind in POOLS:
            how = UNDER_WINDOWS
        row = [*four(shape, rank), how, max(0, 4 - len(shape)), bits[which], 0]
        found.append([*row, int(which in room.here), int(in_a_row(op, bits, which, room))])
    last = int(in_a_row(op, bits, made, room))
    return [*found, [*made_shape(op), IN_PROPORTION, max(0, 4 - rank), bits[-1], 0, 0, last]]


def in_a_row(op: VectorOperator, bits: tuple[int, ...], which: int, room: Room) -> bool:
    """Whether every tile's part of an input, or of the output, is whole bytes in a row at home, and the parts follow
    one another as tiles do: on chip, and wherever it lies of a tensor that is updated in place, whose tiles must not
    seem to touch one another's bytes."""
    shape = (*op.input_shapes, op.output_shape)[which]
    same = VECTOR_KINDS[op.kind].access in ("same", "row") and shape == op.output_shape
    in_place = bool(op.updates) and (*op.inputs, op.updates)[which] == op.updates
    return same and bits[which] % 8 == 0 and (in_place or which in room.on_chip)
