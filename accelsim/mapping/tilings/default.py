"""The default mapping of a MAC operator: the fastest legal tiling by the estimate, and what may be quicker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.chips import path_of
from accelsim.mapping.cores import adds_up
from accelsim.mapping.mapping import Mapping, array_for, buffers_of, slots_of
from accelsim.mapping.placement import fits
from accelsim.mapping.tilings.near import Limits, Near
from accelsim.mapping.tilings.setting import Task, Variant
from accelsim.mapping.tilings.tables import CLOSE, Tilings
from accelsim.units.dataflows import dataflow_named

ALIKE = 0.005  # a dataflow's own mappings count as equally fast within this part
HOPEFUL = 1.25  # times the best estimate, up to which a tiling may turn out to be quicker


class Candidate(NamedTuple):
    """A tiling that fits by estimate. cycles: estimated."""

    cycles: float
    mapping: Mapping


class Pick(NamedTuple):
    """What was chosen for a task, and from what."""

    task: Task
    chosen: Candidate
    sets: list[Tilings]


def counts_of(count: int) -> list[int]:
    """How many of so many arrays may work: one, all, half of them, powers of two."""
    powers = [1 << i for i in range(count.bit_length()) if 1 << i < count]
    more = sorted({count, max(1, count // 2), *powers} - {1}, reverse=True)
    return [1, *more]


def own_variants(task: Task, dataflow: str = "") -> list[Variant]:
    """The chip's own dataflow and slots; of several arrays one, all or some, dealt along any dimension."""
    array = task.chip.array
    slots = [slots_of(task.chip, name) for name in (array.input, array.weight, array.output)]
    flow, own = dataflow_named(dataflow or array.dataflow).number, (slots[0], slots[1], slots[2])
    if array.count == 1:
        return [Variant(flow, own)]
    splits = ["", *(axis for axis in "mnk" if axis != array.split)]
    return [
        Variant(flow, own, split, count if count < array.count else 0)
        for count in counts_of(array.count)
        for split in (splits if count > 1 else [""])
        if adds_up(task.chip, array_for(array, split, count))
    ]


def legal(task: Task, mapping: Mapping) -> bool:
    """Whether the tiles fit the buffers."""
    address = None if task.cold else 0
    return not fits(
        task.chip, task.geometry, mapping, task.formats, address, task.reserve, task.room
    )


def promising(task: Task, dataflow: str = "") -> list[Tilings]:
    """The tilings of all variants that may hold the best one."""
    found: list[Tilings] = []
    best = float("inf")
    for variant in own_variants(task, dataflow):
        tilings = Tilings(task, variant)
        if tilings.floor > best * (1 + CLOSE):
            continue
        if len(tilings.quick.cycles):
            found.append(tilings)
            best = min(best, float(tilings.quick.cycles.min()))
        if best <= tilings.setting.needs * (1 + CLOSE):
            break
    return found


def ranked(sets: list[Tilings]) -> Iterator[Candidate]:
    """The tilings that fit by estimate, best first: on the fewest arrays that are as good as any, of those that
    are as good as the best the one of fewest bytes off chip."""
    best = [float(s.quick.cycles.min()) for s in sets]
    near = min(best, default=0.0) * (1 + CLOSE)
    fewest = min((s.arrays for s, one in zip(sets, best, strict=True) if one <= near), default=0)
    yield from _ranked([s for s in sets if s.arrays == fewest], CLOSE)
    yield from _ranked([s for s in sets if s.arrays != fewest], CLOSE)


def _ranked(sets: list[Tilings], close: float, most: float = np.inf) -> Iterator[Candidate]:
    """Those within ``close`` of the best by bytes off chip, then those of up to ``most`` cycles by cycles."""
    if not sets:
        return
    best = min(float(s.quick.cycles.min()) for s in sets) * (1 + close)
    columns = _columns([s.quick for s in sets])
    _, _, cycles, moved, passes = columns
    first = np.lexsort((cycles, passes, moved))
    yield from _candidates(sets, columns, first[cycles[first] <= min(best, most)])
    columns = _columns([s.near(Limits(most)) for s in sets])
    _, _, cycles, moved, passes = columns
    rest = np.lexsort((passes, moved, cycles))
    yield from _candidates(sets, columns, rest[cycles[rest] > best])


def _columns(found: list[Near]) -> tuple[NDArray[Any], ...]:
    """Of tilings of several sets: the set, the number in it, cycles, bytes moved, passes."""
    owner = np.repeat(np.arange(len(found)), [len(one.number) for one in found])
    names = ("number", "cycles", "moved", "passes")
    return owner, *(np.concatenate([getattr(one, name) for one in found]) for name in names)


def _candidates(
    sets: list[Tilings], columns: tuple[NDArray[Any], ...], order: NDArray[np.intp]
) -> Iterator[Candidate]:
    owner, number, cycles = columns[:3]
    for at in order.tolist():
        yield Candidate(float(cycles[at]), sets[owner[at]].mapping(int(number[at])))


def choose_mapping(task: Task, dataflow: str = "") -> Mapping:
    """The default mapping by the estimate; InputError when not even the smallest tile fits the buffers."""
    return pick(task, dataflow).chosen.mapping


def pick(task: Task, dataflow: str = "") -> Pick:
    """choose_mapping() with what it was chosen from: nothing where the dataflow chooses itself."""
    try:
        own = own_mappings(task, own_variants(task, dataflow)[0])
    except InputError as error:  # the dataflow cannot run such an operator
        chip = task.chip
        raise InputError(
            replace(
                each,
                message=f"{task.name}: {each.message}",
                path=f"{path_of(chip.array.name, 'units')}.{each.path}",
                file=chip.source,
            )
            for each in error.problems
        ) from None
    if own is not None:
        for mapping in own:
            if legal(task, mapping):
                return Pick(task, Candidate(0.0, mapping), [])
        raise too_small(task)
    sets = promising(task, dataflow)
    for one in ranked(sets):
        if legal(task, one.mapping):
            return Pick(task, one, sets)
    raise too_small(task)


def own_mappings(task: Task, variant: Variant) -> Iterator[Mapping] | None:
    """Mappings that the dataflow itself chooses, the fastest by arrays and memory first; None where any tiling
    will do. Of those that are ALIKE the one of the fewest words off chip is first: bursts of loads and stores
    stand in one another's way, which the estimate does not see. Each comes with the chip's slots of outputs,
    and with one, whose stores hide behind other passes of the next tile."""
    chip, g, array = task.chip, task.geometry, task.chip.array
    found = array.running(variant.dataflow).choices(array, g)
    if found is None:
        return None
    bits = [get(name).bits / 8 for name in task.formats]
    cycle = chip.clocks[array.clock] / (chip.dram.bandwidth * chip.dram.efficiency)
    busy = np.maximum(
        found.cycles / (variant.arrays or array.count), found.far * max(bits[:2]) * cycle
    )
    last = found.images * found.height * g.out_width * found.n * bits[2] * cycle
    first = found.n * found.k * bits[1] * cycle
    slots = np.array([[variant.slots[2]], [1]])
    alone = (slots == 1) & (found.k >= g.k)
    stores = np.where(alone, g.groups * g.m * g.n * bits[2] * cycle, last)
    taken = (busy + first + stores).ravel()
    level = np.floor((taken / taken.min() - 1) / ALIKE)
    order = np.lexsort((taken, np.tile(found.far, 2), level))
    few = len(found.cycles)
    return (
        Mapping(
            variant.dataflow,
            int(found.images[at]),
            int(found.height[at]),
            g.out_width,
            int(found.n[at]),
            int(found.k[at]),
            weight_resident=not task.cold,
            input_slots=variant.slots[0],
            weight_slots=variant.slots[1],
            output_slots=int(slots[turn, 0]),
            split=variant.split,  # type: ignore[arg-type]
            arrays=variant.arrays,
            parameters=tuple(found.parameters[at].tolist()),
        )
        for turn, at in (divmod(int(one), few) for one in order)
    )


def own_best(task: Task, variant: Variant) -> list[Mapping] | None:
    """The first of own_mappings() that fits, if any; None where any tiling will do."""
    try:
        own = own_mappings(task, variant)
    except InputError:
        return []
    return None if own is None else list(islice((m for m in own if legal(task, m)), 1))


def too_small(task: Task) -> InputError:
    """That no tile fits."""
    array, buffers = task.chip.array, buffers_of(task.chip)
    return InputError(
        Problem(
            "mapping.fits",
            f"no tile of {task.name} fits the buffers {array.input} ({buffers.input} bytes), "
            f"{array.weight} ({buffers.weight}), {array.output} ({buffers.output})",
            "make the buffers larger or buffering: single",
            path=path_of(array.name, "units"),
            file=task.chip.source,
        )
    )


def hopeful(made: Pick) -> Iterator[tuple[Mapping, float]]:
    """Legal mappings that may be quicker than the chosen one, best first, and by what part they must be: one on
    as many arrays, then one on more or fewer, by CLOSE, of every number in turn. Of those of one estimate on equal
    tiles, which seldom differ, the first."""
    if not made.sets:
        return
    own = made.chosen.mapping.arrays
    turns = {
        arrays: _hopeful(made, [s for s in made.sets if s.variant.arrays == arrays])
        for arrays in dict.fromkeys(s.variant.arrays for s in made.sets)
    }
    first, others = turns.pop(own), deque(turns.values())
    while True:
        mapping = next(first, None)
        if mapping is not None:
            yield mapping, 0.0
        other = None
        while others and other is None:
            other = next(others[0], None)
            if other is None:
                others.popleft()
        if other is not None:
            others.rotate(-1)
            yield other, CLOSE
        elif mapping is None:
            return


def _hopeful(made: Pick, sets: list[Tilings]) -> Iterator[Mapping]:
    seen = {_tiles(made.chosen)}
    for one in _ranked(sets, 0.0, made.chosen.cycles * HOPEFUL):
        if _tiles(one) not in seen and legal(made.task, one.mapping):
            seen.add(_tiles(one))
            yield one.mapping


def _tiles(one: Candidate) -> tuple[float, Mapping]:
    plain = replace(one.mapping, order="mnk", input_resident=False, weight_resident=False)
    return one.cycles, plain
