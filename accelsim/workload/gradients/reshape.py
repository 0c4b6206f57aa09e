"""The error under the shape of the input: nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward
    from accelsim.workload.operators import VectorOperator


def gradient(op: VectorOperator, error: str, back: Backward) -> None:
    path = back.toward(op, op.inputs[0])
    path.give(error)
