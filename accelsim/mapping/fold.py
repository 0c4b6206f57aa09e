"""Programs of workloads with equal layers: a few of the layers are listed, the others are noted.

The listed ones are the whole Program of a shorter workload, planned as the whole one was, so that every
rule of a Program can be checked on it. Timing proves that it stands for the whole (timing/repeats.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from accelsim.chip import Chip
from accelsim.mapping.compile import compile_program
from accelsim.mapping.parts import Plan, parts_of
from accelsim.program.table import Program, RepeatRow
from accelsim.workload import VectorOperator, Workload
from accelsim.workload.repeats import Layers, equal_layers, shortened

BEHIND = 3  # listed copies behind the one that stands for more: the engine works ahead, and one ends them
FEWEST, COPIES = 64, 8  # operators, equal layers; what has fewer is planned in full


@dataclass(frozen=True, slots=True)
class Fold:
    """A Program with a repeat; the shorter workload that its listed rows compute; and the layers."""

    program: Program
    workload: Workload
    layers: Layers
    kept: int


def layers_of(chip: Chip, workload: Workload, chosen: Plan) -> Layers | None:
    """The equal layers of a workload as planned; None when they are fewer than COPIES. InputError for what
    does not fit, as compile_program says."""
    few = len(workload.operators) < FEWEST or chosen.turns(workload) > 1
    if few or _coarse(workload) is None:
        return None
    found = equal_layers(workload, [part.alike for part in parts_of(chip, workload, chosen).list])
    return found if found is not None and found.count >= COPIES else None


def _coarse(workload: Workload) -> Layers | None:
    """Equal layers by dimensions alone: quickly says no."""
    keys: list[object] = [
        (op.kind, op.input_shapes, op.output_shape)
        if isinstance(op, VectorOperator)
        else (op.kind, op.groups, op.m, op.n, op.k)
        for op in workload.operators
    ]
    found = equal_layers(workload, keys)
    return found if found is not None and found.count >= COPIES else None


def fold(chip: Chip, workload: Workload, chosen: Plan, layers: Layers, kept: int) -> Fold | None:
    """The Program with ``kept`` of the layers listed; None when the rest cannot be left out."""
    short = shortened(workload, layers, kept)
    if short is None:
        return None
    program = compile_program(chip, short, chosen=chosen)
    owner = program.commands.operator
    row = np.searchsorted(owner, layers.first + np.arange(kept + 1) * layers.length).tolist()
    at = kept - 1 - BEHIND
    length = row[at + 1] - row[at]
    if length == 0 or (np.diff(owner) < 0).any():
        return None
    repeat = RepeatRow(row[at], length, layers.count - kept, layers.length, (row[1], row[kept - 1]))
    return Fold(replace(program, repeat=repeat), short, layers, kept)
