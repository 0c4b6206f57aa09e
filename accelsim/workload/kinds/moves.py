"""Elements change place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from accelsim.workload.vector_kind import Array, Shape, VectorKind

if TYPE_CHECKING:
    from accelsim.workload.operators import VectorOperator


def appended(shapes: Sequence[Shape]) -> Shape | None:
    """Rows behind those of a cache: along the one axis in which the two differ, else the last but one."""
    first, second = shapes
    if len(first) != len(second):
        return None
    differing = [axis for axis, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    axis = differing[0] if differing else max(0, len(first) - 2)
    return along(shapes, axis)


def along(shapes: Sequence[Shape], axis: int) -> Shape | None:
    """Tensors that differ along one axis only, one behind the other; None where others differ."""
    first = shapes[0]
    for shape in shapes:
        same = len(shape) == len(first)
        if not same or any(
            a != b for at, (a, b) in enumerate(zip(first, shape, strict=True)) if at != axis
        ):
            return None
    total = sum(shape[axis] for shape in shapes)
    return (*first[:axis], total, *first[axis + 1 :])


def _joined(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    del more
    axis = next(a for a, size in enumerate(op.output_shape) if size != op.input_shape[a])
    return np.concatenate(x, axis)


def _rows(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array | None:
    """Rows of a table."""
    del op, more
    return np.asarray(x[0][x[1].astype(np.int64)]) if len(x) == 2 else None


KINDS = {
    "transpose": VectorKind(
        "move",
        keys=("order",),
        reals=lambda op, x, more: x[0].transpose(op.order),
        moves=True,
        carries=True,
    ),
    "concat": VectorKind(
        "move",
        1,
        (1, 1 << 10),
        keys=("axis",),
        reals=_joined,
        moves=True,
        gathers_all=True,
        carries=True,
    ),
    "resize": VectorKind("move", 1, shaped=True),
    "interpolate": VectorKind("move", 7, shaped=True),  # three pairs of weighted neighbours
    "col2im": VectorKind(  # adds of overlapping columns
        "move", 1, per="input", shaped=True, from_onnx=("Col2Im",)
    ),
    "scatter": VectorKind("move", 1, (2, 3), shaped=True, indices=(1,)),
    # stays in place, the new rows come behind the cache's
    "append": VectorKind(
        "move", 1, (2, 2), joined=appended, moves=True, gathers_all=True, carries=True
    ),
    "slice": VectorKind("move", shaped=True, from_onnx=("Slice",), moves=True, carries=True),
    "pad": VectorKind("move", shaped=True, from_onnx=("Pad",), moves=True),
    "expand": VectorKind(
        "move", shaped=True, from_onnx=("Expand", "Tile", "OneHot"), moves=True, carries=True
    ),
    "unfold": VectorKind("move", shaped=True, carries=True),
    "shuffle": VectorKind(
        "move",
        shaped=True,
        from_onnx=("DepthToSpace", "SpaceToDepth", "Trilu", "ReverseSequence"),
        moves=True,
        carries=True,
    ),
    "gather": VectorKind("move", 1, (1, 2), shaped=True, reals=_rows, indices=(1,), moves=True),
}
