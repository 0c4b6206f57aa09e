"""The error at its place among zeros. A slice that does not say where it begins takes the first elements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import Operator, VectorOperator


def training(op: VectorOperator, back: Backward) -> Operator:
    found = op if op.offset else replace(op, offset=(0,) * len(op.input_shape))
    back.append(found)
    return found


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    path = back.toward(op, op.inputs[0])
    path.give(path.vector("pad", [error], op.input_shape, offset=op.offset))
