"""The error with its axes back in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    path = back.toward(op, op.inputs[0])
    order = tuple(op.order.index(axis) for axis in range(len(op.order)))
    path.give(path.transpose(error, order))
