"""A batch in groups of images: the workload of one group, where no operator mixes images.

Images lie one behind another along the first axis of every activation. An operator that would see more than one of
them in an element of its output, or that reads stored tensors alone, leaves the batch in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accelsim.workload.operators import Conv2d, Gemm, Operator, TensorSpec, VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

Shape = tuple[int, ...]


def group_sizes(workload: Workload) -> tuple[int, ...]:
    """Images that a group may have, the most first, fewer than all; none where images cannot be told apart."""
    batch = workload.inferences
    if batch < 2 or carrying(workload) is None:
        return ()
    return tuple(size for size in range(batch // 2, 0, -1) if batch % size == 0)


def of_group(workload: Workload, images: int) -> Workload:
    """The workload of a group of so many images, one of group_sizes(); 0: of all."""
    batch = workload.inferences
    if images in (0, batch):
        return workload
    batched = carrying(workload)
    assert batched is not None

    def part(shape: Shape) -> Shape:
        return (shape[0] * images // batch, *shape[1:])

    def spec(one: TensorSpec) -> TensorSpec:
        return replace(one, shape=part(one.shape)) if one.name in batched else one

    def operator(op: Operator) -> Operator:
        if isinstance(op, Conv2d):
            return replace(op, batch=op.batch * images // batch)
        if isinstance(op, Gemm):
            key = "m" if op.groups == 1 else "groups"
            return replace(op, **{key: getattr(op, key) * images // batch})
        pairs = zip(op.inputs, op.input_shapes, strict=True)
        shapes = tuple(part(shape) if name in batched else shape for name, shape in pairs)
        return replace(op, input_shapes=shapes, output_shape=part(op.output_shape))

    return replace(
        workload,
        operators=tuple(map(operator, workload.operators)),
        tensors={name: spec(one) for name, one in workload.tensors.items()},
        batch=images,
        tokens=workload.tokens * images // batch,
    )


def carrying(workload: Workload) -> set[str] | None:
    """Tensors along whose first axis images lie one behind another; None where some operator does not work image by
    image."""
    batch, tensors = workload.inferences, workload.tensors
    batched = {
        name
        for name, one in tensors.items()
        if one.role == "input" and one.shape and one.shape[0] % batch == 0
    }
    for op in workload.operators:
        shape = tensors[op.output].shape
        if not shape or shape[0] % batch or not _image_by_image(op, batched, batch):
            return None
        batched.add(op.output)
    return batched


def _image_by_image(op: Operator, batched: set[str], batch: int) -> bool:
    """Whether every image of the output is made of the same image of what is batched."""
    if isinstance(op, VectorOperator):
        reads = [name in batched for name in op.inputs]
        return any(reads) and _vector(op, reads, batch)
    if op.input not in batched:
        return False
    if isinstance(op, Conv2d):
        return op.batch % batch == 0 and op.weight not in batched
    if op.groups == 1:
        return op.m % batch == 0 and op.weight not in batched
    return op.groups % batch == 0 and op.weight in batched


def _vector(op: VectorOperator, reads: Sequence[bool], batch: int) -> bool:
    """As _image_by_image(). reads: whether each input is batched."""
    out, access = op.output_shape, VECTOR_KINDS[op.kind].access
    mine = [shape for shape, read in zip(op.input_shapes, reads, strict=True) if read]
    if any(not shape or shape[0] % batch for shape in (*mine, out)):
        return False
    if op.is_view:
        return not op.order or op.order[0] == 0
    if any(shape[0] != out[0] for shape in mine):
        return False
    if access == "reduce":
        return all(_reduced_behind(shape, out) for shape in mine)
    if access == "move":
        return _moved_behind(op, reads)
    if any(len(shape) != len(out) for shape in mine) or (access == "row" and len(out) < 2):
        return False
    others = (shape for shape, read in zip(op.input_shapes, reads, strict=True) if not read)
    return all(len(shape) < len(out) or shape[0] == 1 for shape in others)


def _reduced_behind(shape: Shape, out: Shape) -> bool:
    """Whether only axes behind the first are reduced, whichever those may be."""
    if len(shape) == len(out):
        return len(shape) > 1
    return bool(out) and not _among(out, shape[1:])


def _among(some: Shape, shape: Shape) -> bool:
    """Whether some sizes are those of a shape, in order, with others between them."""
    left = iter(shape)
    return all(size in left for size in some)


def _moved_behind(op: VectorOperator, reads: Sequence[bool]) -> bool:
    """Whether elements change place inside their image alone."""
    if op.kind == "transpose":
        return op.order[:1] == (0,)
    if op.kind == "gather":  # rows of a table
        rows = (*op.input_shapes[-1], *op.input_shape[1:])
        return len(op.inputs) == 2 and not reads[0] and op.output_shape == rows
    if op.kind == "slice" and op.node:  # a model may count images backwards
        return False
    return op.kind in ("slice", "concat") and len(op.output_shape) > 1 and all(reads)
