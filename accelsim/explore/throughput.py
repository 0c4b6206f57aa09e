"""Steady-state throughput: the same workload again and again, each run overlapping the next."""

from __future__ import annotations

from dataclasses import replace

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.explore.pipeline import period_seconds, pipelines
from accelsim.mapping import Mapping, Plan, compile_program
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.homes import Homes, Stand
from accelsim.mapping.rooms import Room
from accelsim.timing import simulate
from accelsim.workload import TensorSpec, VectorOperator, Workload
from accelsim.workload.operators import Operator

COPIES = 3  # the last period is taken; the first two fill the pipeline


def steady_seconds(chip: Chip, workload: Workload, chosen: Plan) -> float:
    """Seconds between the results of one run and the next, back to back on one chip.

    Every run fetches its weights again, as one run does; where all of them stay in crossbars, runs are
    pipelined over the layers (pipeline.py). InputError for weights that are resident in buffers: copies of
    them do not fit, and a single run's time is then the bound.
    """
    if pipelines(chip, workload, chosen):
        return period_seconds(chip, workload)
    if chip.weights == "resident":
        raise InputError(
            Problem(
                "throughput.resident",
                "is not measured with weights resident in a buffer",
                "run with --weights cold",
                file="--throughput",
            )
        )
    ends = []
    for copies in (COPIES - 1, COPIES):
        many, plan = repeated(workload, chosen, copies)
        timeline = simulate(compile_program(chip, many, chosen=plan), chip)
        ends.append(timeline.seconds)
    return ends[1] - ends[0]


def repeated(workload: Workload, chosen: Plan, copies: int) -> tuple[Workload, Plan]:
    """The workload several times over, independent but for the hardware."""
    operators: list[Operator] = []
    tensors: dict[str, TensorSpec] = {}
    mappings: dict[str, Mapping | CrossbarMapping] = {}
    formats: dict[str, str] = {}
    at: dict[str, Stand] = {}
    rooms: dict[str, Room] = {}
    for copy in range(copies):

        def name_of(name: str, copy: int = copy) -> str:
            return name if copy == 0 else f"{name}@{copy + 1}"

        for op in workload.operators:
            if isinstance(op, VectorOperator):
                operators.append(
                    replace(
                        op,
                        name=name_of(op.name),
                        output=name_of(op.output),
                        inputs=tuple(name_of(x) for x in op.inputs),
                        parameters=tuple(name_of(x) for x in op.parameters),
                    )
                )
                continue
            bias = None if op.bias is None else name_of(op.bias)
            operators.append(
                replace(
                    op,
                    name=name_of(op.name),
                    input=name_of(op.input),
                    bias=bias,
                    weight=name_of(op.weight),
                    output=name_of(op.output),
                )
            )
            mappings[name_of(op.name)] = chosen.mappings[op.name]
        tensors |= {
            name_of(name): replace(spec, name=name_of(name))
            for name, spec in workload.tensors.items()
        }
        formats |= {name_of(name): form for name, form in chosen.formats.items()}
        at |= {name_of(name): stand for name, stand in chosen.homes.at.items()}
        rooms |= {name_of(name): room for name, room in chosen.homes.rooms.items()}
    many = replace(workload, operators=tuple(operators), tensors=tensors, values=None)
    return many, Plan(mappings, formats, Homes(at, rooms))
