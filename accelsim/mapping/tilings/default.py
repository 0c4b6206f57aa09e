"""The default mapping of a MAC operator: the fastest legal tiling by the estimate, and what may be quicker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from accelsim.errors import InputError, Problem
from accelsim.mapping.mapping import Mapping, buffers_of, dataflow_named, slots_of
from accelsim.mapping.placement import fits
from accelsim.mapping.tilings.setting import Task, Variant
from accelsim.mapping.tilings.tables import Tilings

CLOSE = 0.01  # estimates within this part of the best count as equal: then fewer bytes off chip win
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
    flow, own = dataflow_named(dataflow or array.dataflow), (slots[0], slots[1], slots[2])
    if array.count == 1:
        return [Variant(flow, own)]
    splits = ["", *(axis for axis in "mnk" if axis != array.split)]
    return [
        Variant(flow, own, split, count if count < array.count else 0)
        for count in counts_of(array.count)
        for split in (splits if count > 1 else [""])
    ]


def legal(task: Task, mapping: Mapping) -> bool:
    """Whether the tiles fit the buffers."""
    address = None if task.cold else 0
    return not fits(task.chip, task.geometry, mapping, task.formats, address, task.reserve)


def promising(task: Task, dataflow: str = "") -> list[Tilings]:
    """The tilings of all variants that may hold the best one."""
    found: list[Tilings] = []
    best = float("inf")
    for variant in own_variants(task, dataflow):
        tilings = Tilings(task, variant)
        if tilings.floor > best * (1 + CLOSE):
            continue
        fit = tilings.columns.cycles[tilings.columns.fits]
        if len(fit):
            found.append(tilings)
            best = min(best, float(fit.min()))
        if best <= tilings.setting.needs * (1 + CLOSE):
            break
    return found


def ranked(sets: list[Tilings]) -> Iterator[Candidate]:
    """The tilings that fit by estimate, best first: on the fewest arrays that are as good as any, of those that
    are as good as the best the one of fewest bytes off chip."""
    best = [float(s.columns.cycles[s.columns.fits].min()) for s in sets]
    near = min(best, default=0.0) * (1 + CLOSE)
    fewest = min((s.arrays for s, one in zip(sets, best, strict=True) if one <= near), default=0)
    yield from _ranked([s for s in sets if s.arrays == fewest], CLOSE)
    yield from _ranked([s for s in sets if s.arrays != fewest], CLOSE)


def _ranked(sets: list[Tilings], close: float) -> Iterator[Candidate]:
    if not sets:
        return
    number = np.concatenate([np.flatnonzero(s.columns.fits) for s in sets])
    owner = np.repeat(np.arange(len(sets)), [int(s.columns.fits.sum()) for s in sets])
    cycles, moved, passes = (
        np.concatenate([getattr(s.columns, name)[s.columns.fits] for s in sets])
        for name in ("cycles", "moved", "passes")
    )
    best = cycles <= cycles.min() * (1 + close)
    first, rest = np.flatnonzero(best), np.flatnonzero(~best)
    first = first[np.lexsort((cycles[first], passes[first], moved[first]))]
    rest = rest[np.lexsort((passes[rest], moved[rest], cycles[rest]))]
    for at in (*first.tolist(), *rest.tolist()):
        yield Candidate(float(cycles[at]), sets[owner[at]].mapping(int(number[at])))


def choose_mapping(task: Task, dataflow: str = "") -> Mapping:
    """The default mapping by the estimate; InputError when not even the smallest tile fits the buffers."""
    return pick(task, dataflow).chosen.mapping


def pick(task: Task, dataflow: str = "") -> Pick:
    """choose_mapping() with what it was chosen from."""
    sets = promising(task, dataflow)
    for one in ranked(sets):
        if legal(task, one.mapping):
            return Pick(task, one, sets)
    array, buffers = task.chip.array, buffers_of(task.chip)
    raise InputError(
        Problem(
            "mapping.fits",
            f"no tile of {task.name} fits the buffers {array.input} ({buffers.input} bytes), "
            f"{array.weight} ({buffers.weight}), {array.output} ({buffers.output})",
            "make the buffers larger or buffering: single",
        )
    )


def hopeful(made: Pick) -> Iterator[tuple[Mapping, float]]:
    """Legal mappings that may be quicker than the chosen one, best first, and by what part they must be: one on
    as many arrays, then one on more or fewer, by CLOSE, of every number in turn. Of those of one estimate on equal
    tiles, which seldom differ, the first."""
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
    for one in _ranked(sets, 0.0):
        if one.cycles > made.chosen.cycles * HOPEFUL:
            return
        if _tiles(one) not in seen and legal(made.task, one.mapping):
            seen.add(_tiles(one))
            yield one.mapping


def _tiles(one: Candidate) -> tuple[float, Mapping]:
    plain = replace(one.mapping, order="mnk", input_resident=False, weight_resident=False)
    return one.cycles, plain
