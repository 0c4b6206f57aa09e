"""Images pipelined over layers: weights stay in their crossbars, every layer works on another image.

A command waits in its unit's queue until those before it have been issued, so the order of commands
decides what overlaps. Image after image is compiled, every layer with a part of the buffers of its own, in
turn for successive images, because layers hold their tiles at the same time; then the commands are put in
the order in which a greedy schedule starts them (explore/order.py), older images first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.explore.order import listed, reordered
from accelsim.mapping import Plan, compile_program, plan
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.homes import Homes
from accelsim.mapping.rooms import Room
from accelsim.program.table import Program
from accelsim.timing import simulate
from accelsim.timing.costs import command_times
from accelsim.workload import TensorSpec, VectorOperator, Workload
from accelsim.workload.operators import Operator

AREAS = (
    3,
    2,
    1,
)  # parts of the buffers a layer, as many as fit: one being filled, one read, one stored
MEASURED = 8  # images whose period is taken, after the pipeline is full


@dataclass(frozen=True, slots=True)
class Pipelined:
    """program: of several images. image: of every operator. areas: parts of the buffers a layer has."""

    program: Program
    workload: Workload
    image: tuple[int, ...]
    areas: int


def pipelines(chip: Chip, workload: Workload, chosen: Plan) -> bool:
    """Whether every product's weights stay in crossbars of their own."""
    return chip.weights == "resident" and all(
        isinstance(mapping := chosen.mappings[op.name], CrossbarMapping)
        and not mapping.reprogrammed
        and workload.is_stored(op.weight)
        for op in workload.operators
        if not isinstance(op, VectorOperator)
    )


def pipelined(chip: Chip, workload: Workload, images: int) -> Pipelined:
    """``images`` runs of a workload through its layers at once. InputError where no layer's tile fits its
    part of the buffers."""
    layers = [
        op for op in workload.operators if not (isinstance(op, VectorOperator) and op.is_view)
    ]
    place = {op.name: number for number, op in enumerate(layers)}
    small, chosen, parts = _planned(chip, workload, len(layers))
    operators: list[Operator] = []
    owner: list[int] = []
    rooms: dict[str, Room] = {}
    for image in range(images):
        group = [_copy(op, workload, image) for op in workload.operators]
        operators += group
        owner += [image] * len(group)
        rooms |= {
            _name(name, image): _part(chip, small, parts * number + image % parts)
            for name, number in place.items()
        }
    tensors: dict[str, TensorSpec] = {}
    for image in range(images):
        for name, spec in workload.tensors.items():
            copied = name if workload.is_stored(name) else _name(name, image)
            tensors[copied] = replace(spec, name=copied)
    many = replace(workload, operators=tuple(operators), tensors=tensors, values=None)
    mappings = {
        _name(name, image): mapping
        for name, mapping in chosen.mappings.items()
        for image in range(images)
    }
    formats = {
        (name if workload.is_stored(name) else _name(name, image)): form
        for name, form in chosen.formats.items()
        for image in range(images)
    }
    program = compile_program(chip, many, chosen=Plan(mappings, formats, Homes(rooms=rooms)))
    times = command_times(program, chip)
    program = reordered(program, listed(program, times.interval, times.last))
    return Pipelined(program, many, tuple(owner), parts)


def _part(chip: Chip, small: Chip, number: int) -> Room:
    """One of the equal parts of the buffers. small: the chip with memories of a part's size."""
    sizes = {name: memory.size for name, memory in small.memories.items()}
    parts = [
        (name, number * size, size)
        for name, size in sizes.items()
        if size != chip.memories[name].size
    ]
    return Room(tuple(parts), turns=False)


def period_seconds(chip: Chip, workload: Workload) -> float:
    """Seconds from one image's result to the next once the pipeline is full."""
    layers = sum(not (isinstance(op, VectorOperator) and op.is_view) for op in workload.operators)
    fill = _planned(chip, workload, layers)[2] * layers
    made = pipelined(
        chip, workload, 2 * fill + MEASURED
    )  # the first layers work on to the last one measured
    timeline = simulate(made.program, chip)
    owner = np.array(made.image)[made.program.commands.operator]
    ends = np.array(
        [timeline.end[owner == image].max() for image in range(fill, fill + MEASURED + 1)]
    )
    return float(ends[-1] - ends[0]) / MEASURED / made.program.tick_hz


def _name(name: str, image: int) -> str:
    return name if image == 0 else f"{name}@{image + 1}"


def _copy(op: Operator, workload: Workload, image: int) -> Operator:
    """The operator on another image: activations of its own, the same weights."""

    def own(name: str) -> str:
        return name if workload.is_stored(name) else _name(name, image)

    if isinstance(op, VectorOperator):
        return replace(
            op,
            name=_name(op.name, image),
            output=own(op.output),
            inputs=tuple(own(x) for x in op.inputs),
        )
    return replace(op, name=_name(op.name, image), input=own(op.input), output=own(op.output))


def _planned(chip: Chip, workload: Workload, layers: int) -> tuple[Chip, Plan, int]:
    """The chip with a part of its on-chip memories, what one layer's tiles may take; its plan; parts a
    layer."""
    unit = chip.crossbar
    assert unit is not None
    names = {unit.input, unit.output, chip.vector_unit.input, chip.vector_unit.output}
    for areas in AREAS:
        memories = {
            name: replace(memory, size=memory.size // (areas * layers)) if name in names else memory  # type: ignore[type-var]
            for name, memory in chip.memories.items()
        }
        small = replace(chip, memories=memories)
        try:
            return small, plan(small, workload), areas
        except InputError as error:
            problem = error.problems[0]
    raise InputError(
        Problem(
            "throughput.buffers",
            f"the buffers are too small to be divided among {layers} layers: {problem.message}",
            "make the buffers larger",
            file=chip.source,
        )
    )
