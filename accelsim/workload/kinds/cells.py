"""Cells of recurrent layers: gates beside each other along the last axis."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.workload.vector_kind import Shape, VectorKind


def _four_gates(shapes: Sequence[Shape]) -> Shape | None:
    gates, state = shapes
    return state if gates == (*state[:-1], 4 * state[-1]) else None


def _three_gates(shapes: Sequence[Shape]) -> Shape | None:
    gates, recurrent, state = shapes
    return state if gates == recurrent == (*state[:-1], 3 * state[-1]) else None


KINDS = {
    # c: two sigmoids, tanh, two multiplies, add
    "lstm_cell": VectorKind("same", 6, (2, 2), joined=_four_gates, wide=True),
    # h: sigmoid, tanh, multiply
    "lstm_output": VectorKind("same", 3, (2, 2), joined=_four_gates, wide=True),
    # 2 sigmoids, tanh; 5 adds, 3 multiplies
    "gru_cell": VectorKind("same", 11, (3, 3), joined=_three_gates, wide=True),
    # add, sigmoid, multiply
    "gru_reset": VectorKind("same", 3, (3, 3), wide=True),
    # 2 adds, sigmoid, tanh; subtract, multiply, add
    "gru_update": VectorKind("same", 7, (4, 4), wide=True),
}
