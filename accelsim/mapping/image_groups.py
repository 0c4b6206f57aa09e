"""Groups of images that a batch may run in, one after another, and the bytes that a run moves off chip.

Tensors of a group fit where those of the whole batch do not; weights that are fetched come again for every group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.homes import Homes
from accelsim.mapping.lifetimes import moves, roots
from accelsim.mapping.rows.vector_tiles import PICKED, read_inputs
from accelsim.mapping.tensors import operator_formats
from accelsim.workload import Operator, VectorOperator, Workload
from accelsim.workload.images import group_sizes, of_group


def sizes_of(workload: Workload, formats: Mapping[str, str]) -> tuple[int, ...]:
    """Images that a group may have, the most first, fewer than all: those whose tensors are whole bytes. formats: of
    activations."""
    found = []
    for images in group_sizes(workload):
        group = of_group(workload, images).tensors
        if all(
            group[name].elements * get(form).bits % 8 == 0
            for name, form in formats.items()
            if group[name].shape != workload.tensors[name].shape
        ):
            found.append(images)
    return tuple(found)


def check_images(workload: Workload, formats: Mapping[str, str], images: int) -> None:
    """InputError where a batch does not run in groups of so many images (0: all of them)."""
    if images in (0, workload.inferences):
        return
    sizes = sizes_of(workload, formats)
    if images not in sizes:
        listed = ", ".join(map(str, (*sizes, workload.inferences)))
        why = "" if sizes else ": its operators do not work image by image, or it is one image"
        raise InputError(
            Problem(
                "mapping.images",
                f"{workload.name} does not run in groups of {images} images{why}",
                f"write one of {listed}",
                path="images",
            )
        )


def bytes_off_chip(chip: Chip, workload: Workload, formats: Mapping[str, str], homes: Homes) -> int:
    """Bytes that a run asks of the memory off the chip: what an operator reads or writes that is at home there once
    for each group of images, stored weights too where the chip fetches them. formats: of activations."""
    group = of_group(workload, homes.images)
    turns = workload.inferences // homes.images if homes.images else 1
    root, total = roots(group), 0
    for op in group.operators:
        for name, size in _moved(chip, group, op, formats):
            total += size * (root[name] not in homes.at)
    return turns * total


def _moved(
    chip: Chip, workload: Workload, op: Operator, formats: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    """Tensors that an operator fetches or writes, with the bytes that it needs of each."""
    tensors = workload.tensors

    def whole(name: str, form: str) -> tuple[str, int]:
        return name, get(form).bytes_for(tensors[name].elements)

    if not moves(op):
        return
    if isinstance(op, VectorOperator):
        new = op.inputs[1] if op.kind == "append" else op.output
        for number in read_inputs(op):
            name, size = whole(op.inputs[number], formats[op.inputs[number]])
            picked = op.kind in PICKED and number == 0
            yield name, min(size, whole(new, formats[op.output])[1]) if picked else size
        yield op.output, whole(new, formats[op.output])[1]
        return
    yield whole(op.input, formats[op.input])
    if chip.weights == "cold" or not workload.is_stored(op.weight):
        yield whole(op.weight, operator_formats(op, chip)[1])
    yield whole(op.output, formats[op.output])
