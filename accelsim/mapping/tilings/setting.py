"""What the estimate of tilings reads beside the tiling: the chip's numbers, in cycles of the array."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.chip import Chip
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.mapping import Geometry, array_for, buffers_of, sum_format
from accelsim.mapping.placement import fused, is_private
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Shapes
from accelsim.units.dataflows import dataflow
from accelsim.units.mac_array import MacArray
from accelsim.units.sram import Sram


class Task(NamedTuple):
    """One MAC operator to be tiled. formats: input, weight, output. reserve: bytes of the weight buffer
    that other operators' weights hold. cold: its weights are fetched. stored: they are laid out tile by tile.
    alone: no operator before it works while its first weights come. room: of its tiles. turned: whether its
    input and its output lie off chip in the other order of axes (bursts.py), () where it is not known."""

    chip: Chip
    geometry: Geometry
    formats: tuple[str, str, str]
    name: str
    reserve: int = 0
    cold: bool = True
    stored: bool = True
    alone: bool = True
    room: Room = UNDIVIDED
    turned: tuple[bool, ...] = ()


class Variant(NamedTuple):
    """What all tilings of a set share. slots: of inputs, weights, outputs. split, arrays: as in Mapping."""

    dataflow: int
    slots: tuple[int, int, int]
    split: str = ""
    arrays: int = 0


class Stream(NamedTuple):
    """Where bytes pass near the array. port: its number, -1 for none. width: bytes of a beat, which takes ``beat``
    cycles. share: of all arrays' bytes, those that pass one instance."""

    port: int
    width: int
    beat: float
    share: float


class Streams(NamedTuple):
    """What passes the buffers' ports: of passes, of the DMA's channels. ports: how many there are. finished: the
    array finishes sums."""

    input_read: Stream
    weight_read: Stream
    sums_read: Stream
    sums_write: Stream
    codes_write: Stream
    input_write: Stream
    weight_write: Stream
    codes_read: Stream
    ports: int
    finished: bool


def streams_of(chip: Chip, array: MacArray) -> Streams:
    """The buffers' ports. array: as many of the chip's as work."""
    numbers: dict[str, int] = {}
    column = array.accumulator.location == "column"

    def stream(memory: str, side: str, axes: str) -> Stream:
        spec = chip.memories[memory]
        assert isinstance(spec, Sram)
        name = f"{memory}.{side if spec.ports == 'separate' else 'port'}"
        port = numbers.setdefault(name, len(numbers))
        beat = chip.clocks[array.clock] / chip.clocks[spec.clock]
        apart = spec.scope == "private" and array.split in axes
        return Stream(port, spec.bytes_per_cycle, beat, 1 / array.count if apart else 1.0)

    nowhere = Stream(-1, 1, 0.0, 0.0)
    return Streams(
        stream(array.input, "read", "mnk"),
        stream(array.weight, "read", "mnk"),
        nowhere if column else stream(array.output, "read", "mnk"),
        nowhere if column else stream(array.output, "write", "mnk"),
        stream(array.output, "write", "mnk"),
        stream(array.input, "write", "mk"),
        stream(array.weight, "write", "nk"),
        stream(array.output, "read", "mnk"),
        len(numbers),
        fused(array),
    )


class Setting(NamedTuple):
    """What the estimate reads beside the tiling: elements, bytes, cycles of the array. Three numbers are of
    (m, n, k) or of (inputs, weights, outputs).

    lanes: sets of slots in one memory. pieces: a resident input is fetched tile by tile. here: 1 where passes read the
    input where it stands. far: 1 where an operand is at home off chip. cycle: a byte's off chip,
    which comes in bursts. setup, latency: of a transfer. drain: of the last pass. preload: of the first. hidden:
    other operators work while the first weights come. vector: an element's on the vector unit, 0 where the array
    finishes sums. sums_slots: in which sums wait for it. needs: cycles that bytes off chip take at the least. whole:
    bytes of the tensors; needed: of the input, those that some output reads. room: of the buffers. same: whether
    inputs and weights, inputs and outputs, weights and outputs share one. sum_room: of the columns' accumulators,
    -1 where sums lie with the outputs.
    """

    groups: int
    sizes: tuple[int, int, int]
    bits: tuple[int, int, int]
    bits_sum: int
    slots: tuple[int, int, int]
    lanes: tuple[int, int, int]
    pieces: bool
    limit_k: int
    weights_stay: int
    inputs_stay: int
    cold: int
    hidden: int
    here: int
    far: tuple[int, int, int]
    setup: float
    latency: float
    cycle: float
    drain: float
    preload: float
    streams: Streams
    vector: float
    sums_slots: int
    needs: float
    whole: tuple[float, float, float]
    needed: float
    room: tuple[int, int, int]
    same: tuple[bool, bool, bool]
    sum_room: int


def setting_of(task: Task, variant: Variant) -> Setting:
    """What the estimate reads of a task whose tilings are a variant's."""
    chip, g = task.room.of(task.chip), task.geometry
    array = array_for(chip.array, variant.split, variant.arrays)
    buffers, clock = buffers_of(chip), chip.clocks[array.clock]
    along, count = array.split, array.count
    names = (array.input, array.weight, array.output)
    private = [is_private(chip, name) for name in names]
    lanes = [
        count if along in axes and count > 1 and not own else 1
        for axes, own in zip(("mk", "nk", "mnk"), private, strict=True)
    ]
    stays = dataflow(variant.dataflow).stays
    cycle = clock / (chip.dram.bandwidth * chip.dram.efficiency)
    drain, preload = _ends(array, task.formats, variant.dataflow, g)
    streams = streams_of(chip, array)
    whole, needed = _bytes(task)
    bits = [get(name).bits for name in task.formats]
    far = [int(operand not in task.room.on_chip) for operand in range(3)]
    least = needed, int(task.cold) * whole[1], whole[2]
    reserve_i = task.reserve if names[0] == names[1] else 0
    sums = variant.slots[2] if not streams.finished else 1 << 30
    return Setting(
        g.groups,
        (g.m, g.n, g.k),
        (bits[0], bits[1], bits[2]),
        get(sum_format(array)).bits,
        variant.slots,
        (lanes[0], lanes[1], lanes[2]),
        private[0] and along != "n" and count > 1,
        array.pass_limits(variant.dataflow, array.rate(*task.formats[:2]))[2],
        int(stays == "weight"),
        int(stays == "input"),
        int(task.cold),
        int(not task.alone),
        int(0 in task.room.here),
        (far[0], far[1], far[2]),
        float(chip.dma.setup),
        float(chip.dram.latency * clock),
        float(cycle),
        float(drain),
        float(preload),
        streams,
        0.0 if streams.finished else float(_finishing(chip, array, streams, bits[2])),
        1 if along == "k" and count > 1 else sums,
        cycle * sum(size * there for size, there in zip(least, far, strict=True)),
        whole,
        needed,
        (buffers.input - reserve_i, buffers.weight - task.reserve, buffers.output),
        (names[0] == names[1], names[0] == names[2], names[1] == names[2]),
        buffers.sum_capacity if buffers.sums == "column" else -1,
    )


def _finishing(chip: Chip, array: MacArray, s: Streams, bits: int) -> float:
    """Cycles of the vector unit, an output: the others' sums are added to the first one's, then codes made. bits:
    of an output."""
    unit, wide = chip.vector_unit, get(sum_format(array)).bits / 8
    lane = chip.clocks[array.clock] / chip.clocks[unit.clock] / unit.lanes
    read = s.sums_read.beat / s.sums_read.width * wide
    code = max(lane, read, s.codes_write.beat / s.codes_write.width * bits / 8)
    add = max(lane, 2 * (s.sums_read.beat / s.sums_read.width) * wide)
    return code + add * (array.count - 1 if array.split == "k" else 0)


def _bytes(task: Task) -> tuple[tuple[float, float, float], float]:
    """Bytes of the tensors, and of the input those that some output reads."""
    g, bits = task.geometry, [get(name).bits for name in task.formats]
    sides = zip((g.in_height, g.in_width), (g.out_height, g.out_width), g.reach, strict=True)
    tall, wide = (
        max(0, min(size, there) - 2 * reach) if g.convolution else size
        for size, there, reach in sides
    )
    plane = g.groups * g.batch * g.channels * bits[0] / 8
    weights, outputs = g.groups * g.k * g.n, g.groups * g.m * g.n
    whole = plane * g.in_height * g.in_width, weights * bits[1] / 8, outputs * bits[2] / 8
    return whole, plane * tall * wide


@lru_cache(maxsize=1024)
def _ends(
    array: MacArray, formats: tuple[str, str, str], number: int, g: Geometry
) -> tuple[int, int]:
    """Cycles from the release of a full pass to its last result, and of a full PRELOAD."""
    limits = array.pass_limits(number, array.rate(*formats[:2]))
    sides = zip(limits, (g.m, g.n, g.k), strict=True)
    extents = np.zeros((2, 8), np.int64)
    extents[:, :3] = [min(limit or size, size) for limit, size in sides]
    extents[:, 3] = number
    zero = np.zeros(2, np.int64)
    code = np.array([Opcode.MATMUL, Opcode.PRELOAD], np.int64)
    flags = np.array([Flag.FUSED | Flag.LAST_K, 0], np.int64)
    a, b = (zero + FORMAT_INDEX[name] for name in formats[:2])
    cost = array.cost(Shapes(zero, code, flags, a, b, zero - 1, extents))
    holds = dataflow(number).stays != "none"
    return int(cost.last[0] - cost.interval[0]), int(cost.interval[1]) if holds else 0
