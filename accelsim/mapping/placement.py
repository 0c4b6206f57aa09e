"""Where an operator's tiles lie in the buffers: slot sizes, areas, addresses, and whether they fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accelsim.chip import Chip
from accelsim.formats import get
from accelsim.mapping.mapping import Geometry, Mapping, chip_for, sum_format
from accelsim.mapping.tiles import (
    KTiles,
    MTiles,
    Pieces,
    box_bytes,
    k_tiles,
    m_tiles,
    packed_bytes,
    resident_pieces,
    starts,
)
from accelsim.units.mac_array import MacArray
from accelsim.units.sram import Sram


@dataclass(frozen=True, slots=True)
class Area:
    """Bytes base .. base + size of a memory that one operand of the operator occupies."""

    memory: str
    base: int
    size: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Tiles with their bytes, and the areas they live in.

    lanes: sets of slots inside one memory instance. sums_slots: partial-sum slots (0: every sum
    is finished in one pass). input_split, weight_split: instances read different tiles.
    A tile's outputs lie packed, one block of all its rows for each pass along n.
    """

    array: MacArray
    limits: tuple[int, int, int]
    m: MTiles
    k: KTiles
    n_first: np.ndarray
    n_size: np.ndarray
    input_bits: int
    weight_bits: int
    sum_format: str
    boxes: np.ndarray  # (m tiles, k tiles) bytes, streamed input
    pieces: Pieces | None
    input_slot: int
    weight_slot: int
    sums_slot: int
    out_slot: int
    sums_slots: int
    input_split: bool
    weight_split: bool
    input_lanes: int
    weight_lanes: int
    output_lanes: int
    input_area: Area
    weight_area: Area
    sums_area: Area
    output_area: Area
    spills: bool

    def needs(self) -> dict[str, int]:
        """Bytes that each memory must have for this operator."""
        total: dict[str, int] = {}
        for area in (self.input_area, self.weight_area, self.sums_area, self.output_area):
            total[area.memory] = total.get(area.memory, 0) + area.size
        return total


def is_private(chip: Chip, memory: str) -> bool:
    """Whether every array has one of its own."""
    spec = chip.memories[memory]
    return isinstance(spec, Sram) and spec.scope == "private"


def fused(array: MacArray, split: str = "") -> bool:
    """Whether sums are finished in the array's own output pipeline. split: default the array's."""
    return array.fused_epilogue and not ((split or array.split) == "k" and array.count > 1)


def place(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    parity: int,
    weight_address: int | None = None,
) -> Placement:
    """Sizes and addresses of one operator's tiles. parity: 0 fills memories from the bottom, 1
    from the top, so that neighbouring operators overlap little. weight_address: where resident
    weights already lie. formats: input, weight, output."""
    chip = chip_for(chip, mapping)
    array = chip.array
    rate = array.rate(formats[0], formats[1])
    bits = [get(name).bits for name in formats]
    limits = array.pass_limits(mapping.dataflow, rate)
    m = m_tiles(geometry, mapping.batch, mapping.height, mapping.width)
    k = k_tiles(geometry, mapping.k)
    n_first, n_size = starts(geometry.n, mapping.n)
    boxes = box_bytes(m, k.channels, bits[0])
    several = array.count > 1
    input_split = several and array.split in ("m", "k")
    weight_split = several and array.split in ("n", "k")
    pieces = None
    if mapping.input_resident:
        reuse = not (input_split and is_private(chip, array.input))
        pieces = resident_pieces(geometry, m, k.channels, bits[0], reuse)
    weight_tiles = packed_bytes(k.size[:, None] * n_size[None, :], bits[1])

    def lanes(split: bool, memory: str) -> int:
        return array.count if split and not is_private(chip, memory) else 1

    input_slot, weight_slot = int(boxes.max()), int(weight_tiles.max())
    input_lanes = lanes(input_split, array.input)
    weight_lanes = lanes(weight_split, array.weight)
    output_lanes = lanes(several, array.output)
    input_size = (
        geometry.groups * pieces.total if pieces else input_lanes * mapping.input_slots * input_slot
    )
    weight_size = (
        geometry.groups * int(weight_tiles.sum())
        if mapping.weight_resident or weight_address is not None
        else weight_lanes * mapping.weight_slots * weight_slot
    )
    wide = sum_format(array)
    tile_n, tile_m = int(n_size.max()), int(m.size.max())
    held = tile_m * tile_n
    sums_slot, out_slot = get(wide).bytes_for(held), get(formats[2]).bytes_for(held)
    one_pass = len(k.first) == 1 and (limits[2] == 0 or int(k.size.max()) <= limits[2])
    spills = len(k.first) > 1 and mapping.order[2] != "k"
    finished = fused(array)
    sums_slots = (
        0 if one_pass and finished else (1 if finished and not spills else mapping.output_slots)
    )
    if array.split == "k" and several:
        sums_slots = 1
    column = array.accumulator.location == "column" and sums_slots > 0
    sums_memory = f"{array.name}.accumulators" if column else array.output
    sums_size = (1 if column else output_lanes) * sums_slots * sums_slot
    out_size = output_lanes * mapping.output_slots * out_slot
    sizes = {
        "input": (array.input, input_size),
        "weight": (array.weight, weight_size if weight_address is None else 0),
        "sums": (sums_memory, sums_size),
        "out": (array.output, out_size),
    }
    areas = _areas(chip, sizes, parity)
    if weight_address is not None:
        areas["weight"] = Area(array.weight, weight_address, weight_size)
    return Placement(
        array,
        limits,
        m,
        k,
        n_first,
        n_size,
        bits[0],
        bits[1],
        wide,
        boxes,
        pieces,
        input_slot,
        weight_slot,
        sums_slot,
        out_slot,
        sums_slots,
        input_split,
        weight_split,
        input_lanes,
        weight_lanes,
        output_lanes,
        areas["input"],
        areas["weight"],
        areas["sums"],
        areas["out"],
        spills,
    )


def fits(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    weight_address: int | None = None,
    reserve: int = 0,
) -> dict[str, tuple[int, int]]:
    """Memories that are too small for a mapping: name -> (bytes needed, bytes there)."""
    short = {}
    for memory, size in place(chip, geometry, mapping, formats, 0, weight_address).needs().items():
        room = capacity(chip, memory)
        if memory == chip.array.weight:
            room -= reserve
            if weight_address is not None:  # all weights of the workload lie there, its own too
                size -= get(formats[1]).bytes_for(geometry.groups * geometry.k * geometry.n)
        if size > room:
            short[memory] = (size, room)
    return short


def capacity(chip: Chip, memory: str) -> int:
    """Bytes of one instance of a memory, the array's accumulators included."""
    if memory.endswith(".accumulators"):
        return chip.array.accumulator_bytes
    return chip.memories[memory].size


def _areas(chip: Chip, sizes: dict[str, tuple[str, int]], parity: int) -> dict[str, Area]:
    used: dict[str, int] = {}
    areas = {}
    for operand, (memory, size) in sizes.items():
        below = used.get(memory, 0)
        used[memory] = below + size
        base = below if parity == 0 else capacity(chip, memory) - below - size
        areas[operand] = Area(memory, base, size)
    return areas
