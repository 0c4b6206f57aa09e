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


def _box(offset: Shape, sizes: Shape) -> tuple[slice, ...]:
    return tuple(slice(o, o + size) for o, size in zip(offset, sizes, strict=True))


def _cut_out(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array | None:
    """A slice, where it is said where it begins."""
    del more
    return np.asarray(x[0][_box(op.offset, op.output_shape)]) if op.offset else None


def _put_in(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array | None:
    """A pad with zeros, where it is said where the input begins."""
    del more
    if not op.offset:
        return None
    out = np.zeros(op.output_shape)
    out[_box(op.offset, op.input_shape)] = x[0]
    return out


def _added_rows(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array:
    """Rows, each added to that of a table of zeros which an index names, in ascending order."""
    del more
    out = np.zeros(op.output_shape)
    np.add.at(out, x[1].astype(np.int64), x[0])
    return out


def _overlapped(op: VectorOperator, x: Sequence[Array], more: Sequence[Array]) -> Array | None:
    """Columns (images, channels x kernel, rows, columns) added up where a convolution's windows overlap, taps in
    ascending order; None for those of a model's node, whose kernel it does not say."""
    del more
    (images, wide, rows, columns), (kh, kw) = op.input_shape, op.kernel
    channels, height, width = op.output_shape[1:]
    if op.node or wide != channels * kh * kw:
        return None
    top, left, bottom, right = op.padding
    out = np.zeros((images, channels, height + top + bottom, width + left + right))
    taps = x[0].reshape(images, channels, kh, kw, rows, columns)
    for i, j in np.ndindex(kh, kw):
        r, c = i * op.dilation[0], j * op.dilation[1]
        down = slice(r, r + (rows - 1) * op.stride[0] + 1, op.stride[0])
        across = slice(c, c + (columns - 1) * op.stride[1] + 1, op.stride[1])
        out[:, :, down, across] += taps[:, :, i, j]
    return np.asarray(out[:, :, top : top + height, left : left + width])


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
        "move",
        1,
        per="input",
        keys=("kernel", "stride", "padding", "dilation"),
        shaped=True,
        reals=_overlapped,
        from_onnx=("Col2Im",),
    ),
    # rows of the first input added where the second says: the gradient of a gather
    "scatter_add": VectorKind(
        "move", 1, (2, 2), per="input", shaped=True, reals=_added_rows, indices=(1,)
    ),
    "scatter": VectorKind("move", 1, (2, 3), shaped=True, indices=(1,)),
    # stays in place, the new rows come behind the cache's
    "append": VectorKind(
        "move", 1, (2, 2), joined=appended, moves=True, gathers_all=True, carries=True
    ),
    "slice": VectorKind(
        "move",
        keys=("offset",),
        shaped=True,
        reals=_cut_out,
        from_onnx=("Slice",),
        moves=True,
        carries=True,
    ),
    "pad": VectorKind(
        "move", keys=("offset",), shaped=True, reals=_put_in, from_onnx=("Pad",), moves=True
    ),
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
