"""Where an operator's tiles lie in the buffers: slot sizes, areas, addresses, and whether they fit."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.chip import Chip
from accelsim.chip.machine import serving
from accelsim.formats import get
from accelsim.mapping.cores import gathers
from accelsim.mapping.mapping import Geometry, Mapping, array_for, sum_format
from accelsim.mapping.rooms import UNDIVIDED, Kept, Room
from accelsim.mapping.tiles import (
    DEEPEST,
    MOST_K,
    MOST_M,
    MOST_N,
    PIECES,
    PLANE,
    WEIGHTS,
    Tiles,
    tiles_of,
)
from accelsim.units.mac_array import MacArray

HELD = 64  # tables of tiles that a chip keeps


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
    is finished in one pass). input_here: passes read the input where it stands, and no tile of it is anywhere else.
    kept: where weights stay that were fetched once, None where they do not. gathered_at: address to which other
    cores' sums come, -1 where they are added where they are.
    input_split, weight_split: instances read different tiles.
    A tile's outputs lie packed, one block of all its rows for each pass along n.
    """

    array: MacArray
    limits: tuple[int, int, int]
    tiles: Tiles
    input_bits: int
    weight_bits: int
    sum_format: str
    input_here: bool
    input_resident: bool
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
    gathered_at: int
    kept: Kept | None

    def needs(self) -> dict[str, int]:
        """Bytes that each memory must have for this operator."""
        total: dict[str, int] = {}
        for area in (self.input_area, self.weight_area, self.sums_area, self.output_area):
            total[area.memory] = total.get(area.memory, 0) + area.size
        return total


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
    room: Room = UNDIVIDED,
) -> Placement:
    """Sizes and addresses of one operator's tiles. parity: 0 fills its room from the bottom, 1
    from the top, so that neighbouring operators overlap little. weight_address: where resident
    weights already lie. formats: input, weight, output."""
    chip, here, g = room.of(chip), 0 in room.here, geometry
    array = array_for(chip.array, mapping.split, mapping.arrays)
    bits = get(formats[0]).bits, get(formats[1]).bits
    limits = array.pass_limits(mapping.dataflow, array.rate(formats[0], formats[1]), g, mapping)
    several = array.count > 1
    split = several and array.split in ("m", "k"), several and array.split in ("n", "k")
    reuse = not (split[0] and serving(chip, array.input) < array.count)
    stays = mapping.input_resident and not here
    tiles = _tiles(chip, g, mapping, bits, (stays, reuse))
    most = tiles.found
    lanes = lanes_of(chip, array, (*split, several))
    held = most[MOST_M] * most[MOST_N]
    slots = (
        (most[PLANE] * most[DEEPEST] * bits[0] + 7) // 8,
        (most[MOST_K] * most[MOST_N] * bits[1] + 7) // 8,
    )
    wide = sum_format(array)
    sums_slot, out_slot = get(wide).bytes_for(held), get(formats[2]).bytes_for(held)
    spills = tiles.counts[2] > 1 and mapping.order[2] != "k"
    one_pass = tiles.counts[2] == 1 and (limits[2] == 0 or most[MOST_K] <= limits[2])
    sums_slots = _sums_slots(array, mapping, one_pass, spills)
    kept = mapping.weight_resident or weight_address is not None
    whole = g.groups * most[PIECES], g.groups * most[WEIGHTS] * int(kept)
    held_in = 0 if here else slots[0], slots[1], sums_slot, out_slot
    sizes = _sizes(array, mapping, lanes, held_in, sums_slots, whole)
    own, gathered = sizes["sums"][1], several and gathers(chip, array)
    if gathered:
        sizes["sums"] = array.output, own + sums_slot
    areas = _areas(chip, sizes, parity, weight_address, room)
    return Placement(
        array,
        limits,
        tiles,
        *bits,
        wide,
        here,
        stays,
        *slots,
        sums_slot,
        out_slot,
        sums_slots,
        *split,
        *lanes,
        areas["input"],
        areas["weight"],
        areas["sums"],
        areas["out"],
        spills,
        areas["sums"].base + own if gathered else -1,
        room.kept if room.kept and g.groups * most[WEIGHTS] <= room.kept.span else None,
    )


def _tiles(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    bits: tuple[int, int],
    kept: tuple[bool, bool],
) -> Tiles:
    """The tiles of an operator; the last ones are kept, for whoever chooses a mapping is followed by whoever makes
    its rows. kept: whether its input stays, and whether rows that earlier tiles brought are not fetched again."""
    held: dict[object, Tiles] = chip.memo.setdefault("tiles", {})
    sizes = mapping.batch, mapping.height, mapping.width, mapping.n, mapping.k
    key = (geometry, sizes, bits, kept)
    found = held.get(key)
    if found is None:
        if len(held) >= HELD:
            held.clear()
        found = held[key] = tiles_of(geometry, sizes, bits, *kept)
    return found


def lanes_of(chip: Chip, array: MacArray, apart: tuple[bool, bool, bool]) -> tuple[int, int, int]:
    """Sets of slots in one memory, of inputs, weights, outputs. array: as many of the chip's as work. apart: whether
    they hold different ones."""
    inputs, weights, outputs = (
        min(array.count, serving(chip, memory)) if different else 1
        for different, memory in zip(apart, (array.input, array.weight, array.output), strict=True)
    )
    return inputs, weights, outputs


def _sizes(
    array: MacArray,
    mapping: Mapping,
    lanes: tuple[int, int, int],
    slots: tuple[int, int, int, int],
    sums_slots: int,
    whole: tuple[int, int],
) -> dict[str, tuple[str, int]]:
    """Memory and bytes of each area. slots: bytes of one of inputs, weights, sums, outputs. whole: bytes of
    inputs and weights that stay, 0 where they come and go."""
    column = array.accumulator.location == "column" and sums_slots > 0
    sums = f"{array.name}.accumulators" if column else array.output
    return {
        "input": (array.input, whole[0] or lanes[0] * mapping.input_slots * slots[0]),
        "weight": (array.weight, whole[1] or lanes[1] * mapping.weight_slots * slots[1]),
        "sums": (sums, (1 if column else lanes[2]) * sums_slots * slots[2]),
        "out": (array.output, lanes[2] * mapping.output_slots * slots[3]),
    }


def _sums_slots(array: MacArray, mapping: Mapping, one_pass: bool, spills: bool) -> int:
    """Slots of partial sums: none where every sum is finished in one pass."""
    if array.split == "k" and array.count > 1:
        return 1
    finished = fused(array)
    if one_pass and finished:
        return 0
    return 1 if finished and not spills else mapping.output_slots


def capacity(chip: Chip, memory: str) -> int:
    """Bytes of one instance of a memory, the array's accumulators included."""
    if memory.endswith(".accumulators"):
        return chip.array.accumulator_bytes
    return chip.memories[memory].size


def fits(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    weight_address: int | None = None,
    reserve: int = 0,
    room: Room = UNDIVIDED,
) -> dict[str, tuple[int, int]]:
    """Memories that are too small for a mapping: name -> (bytes needed, bytes there)."""
    short = {}
    placed = place(chip, geometry, mapping, formats, 0, weight_address, room)
    for memory, size in placed.needs().items():
        free = capacity(room.of(chip), memory)
        if memory == chip.array.weight:
            free -= reserve
            if weight_address is not None:  # all weights of the workload lie there, its own too
                size -= get(formats[1]).bytes_for(geometry.groups * geometry.k * geometry.n)
        if size > free:
            short[memory] = (size, free)
    return short


def _areas(
    chip: Chip,
    sizes: dict[str, tuple[str, int]],
    parity: int,
    weight_address: int | None,
    room: Room,
) -> dict[str, Area]:
    """Areas side by side in the room that memories have. chip: with memories of that room. weight_address: where
    weights are already, beside the others."""
    used: dict[str, int] = {}
    areas = {}
    for operand, (memory, size) in sizes.items():
        if operand == "weight" and weight_address is not None:
            areas[operand] = Area(memory, weight_address, size)
            continue
        below = used.get(memory, 0)
        used[memory] = below + size
        base = below if parity == 0 else capacity(chip, memory) - below - size
        areas[operand] = Area(memory, room.base(memory) + base, size)
    return areas
