"""The default mapping of a MAC operator: the fastest legal tiling by the estimate."""

from __future__ import annotations

from accelsim.errors import InputError, Problem
from accelsim.mapping.mapping import Mapping, buffers_of, slots_of
from accelsim.mapping.placement import fits
from accelsim.mapping.tilings.estimate import Task, Tilings, Variant
from accelsim.units.dataflows import dataflow_named


def own_variant(task: Task, dataflow: str = "") -> Variant:
    """The chip's own dataflow, slots and split."""
    array = task.chip.array
    slots = [slots_of(task.chip, name) for name in (array.input, array.weight, array.output)]
    number = dataflow_named(dataflow or array.dataflow).number
    return Variant(number, (slots[0], slots[1], slots[2]))


def legal(task: Task, mapping: Mapping) -> bool:
    """Whether the tiles fit the buffers."""
    address = None if task.cold else 0
    return not fits(task.chip, task.geometry, mapping, task.formats, address, task.reserve)


def choose_mapping(task: Task, dataflow: str = "") -> Mapping:
    """The default mapping; InputError when not even the smallest tile fits the buffers."""
    tilings = Tilings(task, own_variant(task, dataflow))
    for number in tilings.ranked():
        mapping = tilings.mapping(number)
        if legal(task, mapping):
            return mapping
    array, buffers = task.chip.array, buffers_of(task.chip)
    raise InputError(
        Problem(
            "mapping.fits",
            f"no tile of {task.name} fits the buffers {array.input} ({buffers.input} bytes), "
            f"{array.weight} ({buffers.weight}), {array.output} ({buffers.output})",
            "make the buffers larger or buffering: single",
        )
    )
