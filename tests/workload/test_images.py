"""Which workloads run image by image, and what a group of images is."""

from __future__ import annotations

from math import prod

import pytest

import accelsim
from accelsim.workload import Conv2d, Gemm, TensorSpec, VectorOperator, Workload
from accelsim.workload.images import carrying, group_sizes, of_group
from accelsim.workload.validity import wrong_in

NETWORKS = ("alexnet", "vgg16", "resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0")
Shape = tuple[int, ...]


@pytest.mark.parametrize("name", [*NETWORKS, "digits_mlp", "digits_residual", "speech_dnn"])
def test_a_group_is_the_trace_of_that_batch(name: str) -> None:
    """Networks with images: the group's operators and tensors are those of the trace read with that batch."""
    work = accelsim.load_workload(name, batch=12)
    assert group_sizes(work) == (6, 4, 3, 2, 1)
    for images in group_sizes(work):
        found, read = of_group(work, images), accelsim.load_workload(name, batch=images)
        assert found.operators == read.operators and found.tensors == read.tensors
        assert (found.batch, found.tokens) == (read.batch, read.tokens)
        assert not wrong_in(found)
    assert of_group(work, 0) is work and of_group(work, 12) is work


def test_one_image_and_decoding_stay_whole() -> None:
    assert group_sizes(accelsim.load_workload("resnet18")) == ()
    assert group_sizes(accelsim.load_workload("gpt2_decode_ragged")) == ()  # caches grow


def network(*operators: Conv2d | Gemm | VectorOperator, **stored: Shape) -> Workload:
    """Operators on an input x; stored: shapes of weights by name."""
    tensors = {name: TensorSpec(name, shape, "weight") for name, shape in stored.items()}
    for op in operators:
        reads = (
            zip(op.inputs, op.input_shapes, strict=True)
            if isinstance(op, VectorOperator)
            else [
                (op.input, op.input_shape),
                (op.weight, op.weight_shape),
            ]
        )
        for name, shape in reads:
            tensors.setdefault(name, TensorSpec(name, shape, "input"))
        tensors[op.output] = TensorSpec(op.output, op.output_shape)
    return Workload("made", operators, tensors, batch=4)


def vector(kind: str, *shapes: Shape, **more: object) -> VectorOperator:
    """One on x, and on y, w where there are more shapes; the last shape is the output's."""
    names = ("x", "w", "v")[: len(shapes) - 1]
    return VectorOperator("op", kind, names, "out", shapes[:-1], shapes[-1], **more)  # type: ignore[arg-type]


WEIGHT = {"w": (3, 5)}
CASES: list[tuple[bool, Workload]] = [
    (True, network(Gemm("g", "x", "w", "out", 8, 3, 5), **WEIGHT)),
    (False, network(Gemm("g", "x", "w", "out", 6, 3, 5), **WEIGHT)),  # no whole rows an image
    (True, network(Gemm("g", "x", "y", "out", 2, 3, 5, groups=8))),  # heads of images
    (
        False,
        network(Gemm("g", "x", "w", "out", 2, 3, 5, groups=8), w=(8, 3, 5)),
    ),  # weights by group
    (False, network(Gemm("g", "x", "y", "out", 8, 4, 5))),  # its second operand is all images
    (False, network(Gemm("g", "v", "w", "out", 8, 3, 5), v=(8, 3), **WEIGHT)),  # of constants alone
    (True, network(vector("relu", (4, 3), (4, 3)))),
    (False, network(vector("relu", (3, 4), (3, 4)))),
    (True, network(vector("softmax", (4, 3), (4, 3)))),
    (False, network(vector("softmax", (4,), (4,)))),  # its row is the batch
    (True, network(vector("add", (4, 3), (3,), (4, 3)), w=(3,))),
    (True, network(vector("add", (4, 3), (1, 3), (4, 3)), w=(1, 3))),
    (False, network(vector("add", (4, 3), (4, 3), (4, 3)), w=(4, 3))),  # an addend of each image
    (False, network(vector("add", (4, 1), (4, 4, 3), (4, 4, 3)), w=(4, 4, 3))),
    (True, network(vector("reduce_sum", (4, 3, 5), (4, 1, 5)))),
    (True, network(vector("reduce_sum", (4, 3, 5), (4, 5)))),
    (False, network(vector("reduce_sum", (4, 4, 5), (4, 5)))),  # either of two axes
    (False, network(vector("reduce_sum", (4, 3), (1, 3)))),
    (True, network(vector("transpose", (4, 3, 5), (4, 5, 3), order=(0, 2, 1)))),
    (False, network(vector("transpose", (4, 4, 5), (4, 4, 5), order=(1, 0, 2)))),
    (True, network(vector("reshape", (4, 6), (8, 3)))),
    (False, network(vector("reshape", (4, 6), (3, 8)))),
    (True, network(vector("slice", (4, 6), (4, 3)))),
    (False, network(vector("slice", (4, 6), (4, 3), node="Slice_1"))),  # which may count backwards
    (False, network(vector("slice", (8, 6), (4, 6)))),
    (True, network(vector("concat", (4, 6), (4, 6), (4, 12)))),
    (False, network(vector("concat", (4, 6), (4, 6), (8, 6)))),
    (False, network(vector("concat", (4, 6), (4, 6), (4, 12)), w=(4, 6))),
    (False, network(vector("shuffle", (4, 6), (4, 6)))),
    (False, network(vector("append", (4, 6), (4, 1), (4, 7)))),
]


@pytest.mark.parametrize(("apart", "work"), CASES)
def test_operators_that_work_image_by_image(apart: bool, work: Workload) -> None:
    """Where one does not, no operator's output of some images may be cut off."""
    assert (carrying(work) is not None) == apart
    assert group_sizes(work) == ((2, 1) if apart else ())
    if apart:
        part = of_group(work, 2)
        assert part.macs * 2 == work.macs and not wrong_in(part)
        for name, spec in work.tensors.items():
            share = 1 if spec.role == "weight" else 2
            assert prod(part.tensors[name].shape) * share == spec.elements


def test_rows_of_a_table_are_picked_image_by_image() -> None:
    def embedding(*shapes: Shape) -> Workload:
        op = VectorOperator("op", "gather", ("table", "x"), "out", shapes[:-1], shapes[-1])
        return network(op, table=shapes[0])

    assert group_sizes(embedding((9, 7), (4, 3), (4, 3, 7))) == (2, 1)
    assert group_sizes(embedding((4, 9), (4, 3), (4, 4, 3))) == ()  # columns, not rows
    assert group_sizes(network(vector("gather", (4, 7), (2, 7)))) == ()
