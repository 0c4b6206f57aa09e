"""Which crossbars hold which weights, and how long runs of vectors stream through them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.chips import path_of
from accelsim.mapping.mapping import Geometry, geometry_of, sum_format
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.tiles import (
    BOXES,
    MOST_M,
    PIECES,
    PLANE,
    Tiles,
    m_tiles,
    runs_of,
    tiles_of,
)
from accelsim.units.crossbar import MOST, Crossbar
from accelsim.workload import MacOperator

WORTH = 8  # vectors that a copy of an operator's weights is worth
# bytes of buffers that weigh as one off chip where tensors are on chip: of the order of an LPDDR4 byte's joules over an
# SRAM byte's. It ranks runs and is no part of what they are charged
NEAR = 64
ALIKE = 1.01  # times the least estimate of runs where tensors are on chip


@dataclass(frozen=True, slots=True)
class CrossbarMapping:
    """How one operator uses crossbars.

    batch, height, width: a run of vectors, as a Mapping's m tile. first: number of its first crossbar;
    blocks follow by replica, group or pack of groups, row block, column block. replicas: copies, which
    take runs in turn. reprogrammed: the weights are written in every run. slots: of inputs, partial
    sums and outputs. size: crossbars of a copy. pack: groups that share a crossbar, block-diagonally; the
    last may hold fewer. input_resident: the input is fetched once, run by run, and stays.
    """

    batch: int
    height: int
    width: int
    first: int
    replicas: int
    reprogrammed: bool
    slots: int
    size: int
    pack: int = 1
    input_resident: bool = False

    @property
    def last(self) -> int:
        """One past the number of its last crossbar."""
        return self.first + self.replicas * self.size

    @property
    def m(self) -> int:
        """Most vectors of a run."""
        return self.batch * self.height * self.width


def blocks_of(crossbar: Crossbar, geometry: Geometry) -> tuple[int, int]:
    """(row blocks, column blocks) of one group's weights."""
    return -(-geometry.k // crossbar.rows), -(-geometry.n // crossbar.outputs)


def pack_of(crossbar: Crossbar, geometry: Geometry) -> int:
    """Groups of a convolution that stand on one crossbar's diagonal, read together; 1 for none."""
    if not (crossbar.pack_groups and geometry.convolution):
        return 1
    return max(1, min(geometry.groups, crossbar.rows // geometry.k, crossbar.outputs // geometry.n))


def packs_of(crossbar: Crossbar, geometry: Geometry) -> int:
    """Packs that an operator's groups make; a group alone is one."""
    return -(-geometry.groups // pack_of(crossbar, geometry))


def crossbars_of(crossbar: Crossbar, geometry: Geometry) -> int:
    """Crossbars that one copy of an operator's weights takes."""
    rows, columns = blocks_of(crossbar, geometry)
    return packs_of(crossbar, geometry) * rows * columns


def trimmed(chip: Chip, mappings: Iterable[object]) -> Chip:
    """The chip with no more crossbars than mappings made for it use: what a run does and when is the
    same, without the length of tables of a thousand idle crossbars."""
    crossbar = chip.crossbar
    if crossbar is None:
        return chip
    used = max(
        (mapping.last for mapping in mappings if isinstance(mapping, CrossbarMapping)), default=0
    )
    fewer = replace(crossbar, clock_hz=0, count=max(1, min(used, crossbar.count)))
    return replace(chip, units={**chip.units, crossbar.name: fewer})


@dataclass(slots=True)
class _Want:
    op: MacOperator
    geometry: Geometry
    size: int
    first: int = -1
    replicas: int = 1
    reprogrammed: bool = False
    computed: bool = False  # the second operand is no stored weight
    free: bool = False  # another unit runs it where no crossbar is left


def assign(
    chip: Chip,
    operators: Iterable[MacOperator],
    formats: dict[str, tuple[str, str, str]],
    computed: Collection[str] = (),
    rooms: Mapping[str, Room] | None = None,
    free: Collection[str] = (),
) -> dict[str, CrossbarMapping]:
    """A CrossbarMapping for every operator that runs on the chip's crossbars.

    In order, one copy each (operators that share a weight share its crossbars), those first that are not ``free``:
    these another unit runs where they find none, or have a ``computed`` second operand instead of a weight; the
    others follow ``unmapped``. Then, with ``replicate``, copies of the operator with the most vectors a copy while
    there is room. rooms: of operators that have only a part of the buffers. InputError when weights find no place, or
    a run of one vector no buffer.
    """
    crossbar = chip.crossbar
    assert crossbar is not None
    members: dict[object, list[_Want]] = {}
    for op in operators:
        geometry = geometry_of(op)
        size = crossbars_of(crossbar, geometry)
        want = _Want(op, geometry, size, computed=op.name in computed, free=op.name in free)
        key = (op.weight, geometry.groups, geometry.k, geometry.n, op.name if want.computed else "")
        members.setdefault(key, []).append(want)
    for group in members.values():
        group[0].free = all(want.free for want in group)
    wants = sorted((group[0] for group in members.values()), key=lambda want: want.free)
    left = crossbar.count
    must = [want for want in wants if not want.free]
    pool = 0
    if crossbar.unmapped != "reprogram":
        for want in must:
            if want.computed:
                raise _computed(chip, crossbar, want, must)
        if (total := sum(want.size for want in must)) > left:
            raise _too_many(chip, crossbar, must, total)
    elif sum(want.size for want in wants) > left or any(want.computed for want in wants):
        pool = _pool(chip, crossbar, wants)
        left -= pool
    at = 0
    for want in wants:
        if want.size <= left and not want.computed:
            want.first, at, left = at, at + want.size, left - want.size
        elif crossbar.unmapped == "reprogram":
            want.first, want.reprogrammed = crossbar.count - pool, True
    if crossbar.replicate and chip.weights == "resident":
        _replicate([want for want in wants if want.first >= 0 and not want.reprogrammed], at, left)
    for first, *others in members.values():
        for want in others:
            want.first, want.replicas, want.reprogrammed = (
                first.first,
                first.replicas,
                first.reprogrammed,
            )
    return {
        want.op.name: _tiled(
            chip, crossbar, want, formats[want.op.name], (rooms or {}).get(want.op.name, UNDIVIDED)
        )
        for group in members.values()
        for want in group
        if want.first >= 0
    }


def _computed(chip: Chip, crossbar: Crossbar, want: _Want, wants: list[_Want]) -> InputError:
    return InputError(
        Problem(
            "mapping.computed",
            f"{want.op.name} multiplies two computed tensors, so no crossbar holds {want.op.weight}",
            "write " + " or ".join(_ways(chip, crossbar, wants)),
            path=f"{path_of(crossbar.name, 'units')}.unmapped",
            file=chip.source,
        )
    )


def _too_many(chip: Chip, crossbar: Crossbar, wants: list[_Want], total: int) -> InputError:
    worst = max(wants, key=lambda want: want.size)
    ways = _ways(chip, crossbar, wants)
    if crossbar.unmapped == "error" and total <= MOST:
        ways.insert(0, f"count: {total}")
    return InputError(
        Problem(
            "mapping.crossbars",
            f"the weights take {total} crossbars of {crossbar.rows} x {crossbar.outputs} weights "
            f"({worst.op.name} alone {worst.size}), the chip has {crossbar.count}",
            "write " + " or ".join(ways),
            path=f"{path_of(crossbar.name, 'units')}.count",
            file=chip.source,
        )
    )


def _ways(chip: Chip, crossbar: Crossbar, wants: list[_Want]) -> list[str]:
    """What may become of operators that find no crossbar, each so that this chip then takes them: written anew
    where the largest finds room, or on its MAC array."""
    worst = max(want.size for want in wants)
    anew = [] if crossbar.unmapped == "reprogram" else ["unmapped: reprogram"]
    if worst > crossbar.count:
        larger = f"rows and columns for {worst / MOST:.3g} times the weights and count: {MOST}"
        anew.append(f"count: {worst}" if worst <= MOST else larger)
    return [" and ".join(anew), "a unit of kind mac_array, which runs what is left"]


def _pool(chip: Chip, crossbar: Crossbar, wants: list[_Want]) -> int:
    """Crossbars kept for operators that are written anew: the least that lets all of them run."""
    sizes = [want.size for want in wants]
    if max(sizes) > crossbar.count:
        raise _too_many(chip, crossbar, wants, sum(sizes))
    for pool in sorted(set(sizes)):
        free, left = crossbar.count - pool, 0
        for want, size in zip(wants, sizes, strict=True):
            if size <= free and not want.computed:
                free -= size
            else:
                left = max(left, size)
        if left <= pool:
            return pool
    return max(sizes)


def _replicate(wants: list[_Want], at: int, free: int) -> None:
    """Give spare crossbars to the operators that stream the most vectors a copy, WORTH at least."""
    growing = list(wants)
    while growing:
        slowest = max(growing, key=lambda want: want.geometry.m / want.replicas)
        if slowest.size > free or (slowest.replicas + 1) * WORTH > slowest.geometry.m:
            growing.remove(slowest)
            continue
        slowest.replicas += 1
        free -= slowest.size
    shift = 0
    for want in sorted(wants, key=lambda want: want.first):
        want.first += shift
        shift += want.size * (want.replicas - 1)


def needs(
    chip: Chip,
    geometry: Geometry,
    formats: tuple[str, str, str],
    mapping: CrossbarMapping,
    room: Room = UNDIVIDED,
    most: list[int] | None = None,
) -> dict[str, tuple[str, int, int]]:
    """(memory, bytes of a slot, slots) of "input", "sums" and "out". most: what m_tiles() finds of the mapping's runs,
    if known."""
    crossbar = chip.crossbar
    assert crossbar is not None
    run = mapping.batch, mapping.height, mapping.width
    most = most or m_tiles(geometry, run, listed=False)[1]
    box = most[PLANE] * mapping.pack * geometry.channels * get(formats[0]).bits
    held = most[MOST_M] * mapping.pack * geometry.n
    rows = blocks_of(crossbar, geometry)[0]
    inputs = 0 if 0 in room.here else (box + 7) // 8, mapping.slots
    if mapping.input_resident:
        inputs = (
            packs_of(crossbar, geometry) * pieces_of(geometry, mapping, formats[0]).found[PIECES],
            1,
        )
    return {
        "input": (crossbar.input, *inputs),
        "sums": (crossbar.output, rows * get(sum_format(crossbar)).bytes_for(held), mapping.slots),
        "out": (crossbar.output, get(formats[2]).bytes_for(held), mapping.slots),
    }


def pieces_of(geometry: Geometry, mapping: CrossbarMapping, form: str) -> Tiles:
    """The runs with the pieces of an input that stays, of a pack of groups."""
    deep = geometry.channels * mapping.pack
    pack = replace(geometry, channels=deep)
    sizes = mapping.batch, mapping.height, mapping.width, geometry.n, deep * geometry.kernel
    return tiles_of(pack, sizes, (get(form).bits, 1), True, True)


def _tiled(
    chip: Chip, crossbar: Crossbar, want: _Want, formats: tuple[str, str, str], room: Room
) -> CrossbarMapping:
    """The runs with the least product of estimated time and bytes moved off chip: long runs fetch the
    rows between them once, short ones let loads, products and stores overlap. Where tensors are on chip the longest of
    those that are ALIKE: the estimate tells them no better, and their rows are fewer."""
    geometry, chip = want.geometry, room.of(chip)
    tried: list[tuple[float, CrossbarMapping]] = []
    placed = want.first, want.replicas, want.reprogrammed
    bits, pack = get(formats[0]).bits, pack_of(crossbar, geometry)
    stays = (True, False) if room.once and 0 not in room.on_chip else (False,)
    for run, stay in product(_runs(geometry), stays):
        mapping = CrossbarMapping(*run, *placed, 2, want.size, pack, stay)
        most = m_tiles(geometry, run, geometry.channels * bits, listed=False)[1]
        for slots in _slots(want.replicas, bool(room.on_chip)):
            mapping = replace(mapping, slots=slots)
            used: dict[str, int] = {}
            for memory, size, count in needs(chip, geometry, formats, mapping, room, most).values():
                used[memory] = used.get(memory, 0) + size * count
            if all(size <= chip.memories[memory].size for memory, size in used.items()):
                break
        else:
            continue
        cost = _estimate(chip, crossbar, geometry, formats, mapping, room, most[BOXES])
        tried.append((cost, mapping))
    if not tried:
        wanted: dict[str, int] = {}
        for memory, size, count in needs(chip, geometry, formats, mapping, room).values():
            wanted[memory] = wanted.get(memory, 0) + size * count
        listed = ", ".join(f"{memory} {size}" for memory, size in wanted.items())
        small = [
            f"memories.{memory}.size: at least {size} B"
            for memory, size in wanted.items()
            if size > chip.memories[memory].size
        ]
        raise InputError(
            Problem(
                "mapping.fits",
                f"one vector of {want.op.name} needs more than the buffers have "
                f"(bytes of {listed})",
                "write " + " and ".join(small),
                path=path_of(crossbar.name, "units"),
                file=chip.source,
            )
        )
    least = min(cost for cost, _ in tried) * (ALIKE if room.on_chip else 1)
    alike = [(-mapping.m, cost, mapping) for cost, mapping in tried if cost <= least]
    *_, best = min(alike, key=lambda one: one[:2])
    runs = runs_of(geometry, (best.batch, best.height, best.width))
    return replace(best, replicas=min(best.replicas, runs))  # a copy without a run is none


def _slots(replicas: int, several: bool) -> Iterable[int]:
    """Slots that are tried, the most first: enough that all copies work at once, or a few. several: of those between,
    too, where tensors are on chip."""
    yield from (2 * replicas, replicas + 1)
    while several and replicas > 2:
        yield replicas
        replicas = -(-replicas // 2)
    yield from (2, 1)


def _estimate(
    chip: Chip,
    crossbar: Crossbar,
    geometry: Geometry,
    formats: tuple[str, str, str],
    mapping: CrossbarMapping,
    room: Room,
    boxes: int,
) -> float:
    """Seconds times bytes off chip of an operator; it only ranks, the engine says what it takes. boxes: bytes of
    all input boxes of a group."""
    plane = geometry.batch * geometry.in_height * geometry.in_width
    loaded = geometry.groups * boxes
    if mapping.input_resident:
        loaded = get(formats[0]).bytes_for(geometry.groups * geometry.channels * plane)
    if 0 in room.on_chip:
        loaded = 0
    outputs = stored = get(formats[2]).bytes_for(geometry.groups * geometry.m * geometry.n)
    if 2 in room.on_chip:
        stored = 0
    packs = packs_of(crossbar, geometry)
    tiles = runs_of(geometry, (mapping.batch, mapping.height, mapping.width))
    runs = tiles * packs
    dram, vector = chip.dram, chip.vector_unit
    if room.on_chip:  # the other side moves a burst a run, however short the run
        loaded, stored = (size and max(size, runs * dram.burst) for size in (loaded, stored))
    rate = dram.bandwidth * dram.efficiency
    work = geometry.groups * geometry.m * geometry.n * blocks_of(crossbar, geometry)[0]
    at_once = min(mapping.replicas, mapping.slots, tiles)
    setup = chip.dma.setup / chip.clocks[chip.dma.clock]
    streamed = packs * geometry.m * crossbar.interval_seconds
    stages = [
        loaded / rate + runs * setup,
        streamed / at_once,
        work / vector.lanes / chip.clocks[vector.clock],
        stored / rate,
    ]
    if room.on_chip:  # transfers take so little that slots going round tell
        alone = crossbar.latency_seconds + (streamed + stages[2]) / runs + setup
        stages.append(runs / mapping.slots * alone)
    fill = 2 * dram.latency + crossbar.latency_seconds
    overlapped = sum(stages) / runs + max(stages) * (runs - 1) / runs
    if mapping.slots == 1:
        overlapped = sum(stages)
    moved = loaded + stored
    if room.on_chip:
        sums = get(sum_format(crossbar)).bytes_for(work)
        moved += -(-(2 * sums + outputs + packs * boxes) // NEAR)
    return (fill + overlapped) * max(1, moved)


def _runs(geometry: Geometry) -> Iterable[tuple[int, int, int]]:
    """(batch, height, width) of runs, the longest first."""
    size = geometry.batch
    while size > 1:
        yield size, geometry.out_height, geometry.out_width
        size = -(-size // 2)
    size = geometry.out_height
    while size > 1:
        yield 1, size, geometry.out_width
        size = -(-size // 2)
    size = geometry.out_width
    while True:
        yield 1, 1, size
        if size == 1:
            return
        size = -(-size // 2)
