"""The default mapping of a MAC operator: the fastest legal tiling by the estimate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.mapping import Mapping, buffers_of, slots_of
from accelsim.mapping.placement import fits
from accelsim.mapping.tilings.estimate import Task, Tilings, Variant
from accelsim.units.dataflows import dataflow_named

ALIKE = 0.005  # a dataflow's own mappings count as equally fast within this part


def own_variant(task: Task, name: str = "") -> Variant:
    """The chip's own dataflow, slots and split."""
    array = task.chip.array
    slots = [slots_of(task.chip, name) for name in (array.input, array.weight, array.output)]
    number = dataflow_named(name or array.dataflow).number
    return Variant(number, (slots[0], slots[1], slots[2]))


def legal(task: Task, mapping: Mapping) -> bool:
    """Whether the tiles fit the buffers."""
    address = None if task.cold else 0
    return not fits(task.chip, task.geometry, mapping, task.formats, address, task.reserve)


def choose_mapping(task: Task, name: str = "") -> Mapping:
    """The default mapping; InputError when not even the smallest tile fits the buffers."""
    own = own_mappings(task, own_variant(task, name))
    if own is not None:
        for mapping in own:
            if legal(task, mapping):
                return mapping
        raise too_small(task)
    tilings = Tilings(task, own_variant(task, name))
    for number in tilings.ranked():
        mapping = tilings.mapping(number)
        if legal(task, mapping):
            return mapping
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
    busy = np.maximum(found.cycles / array.count, found.far * max(bits[:2]) * cycle)
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
        )
    )
