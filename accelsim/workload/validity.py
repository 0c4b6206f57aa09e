"""What must hold of a Workload, whoever made it: tensors known, written once and before they are read, of the
shapes that operators say, inside the sizes that the engines count in."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from accelsim.workload.aliases import Alias, add
from accelsim.workload.operators import (
    ACTIVATIONS,
    ROLES,
    Conv2d,
    Gemm,
    TensorSpec,
    VectorOperator,
    Workload,
)
from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS

LARGEST_DIMENSION = 1 << 24
MOST_DIMENSIONS = 8
MOST_ELEMENTS = 1 << 50  # as many as products, so that no weight of one is too large alone
MOST_MACS = 1 << 50
LARGEST_WINDOW = 1 << 16
Wrong = tuple[str, str]  # path, what is wrong


def wrong_in(workload: Workload) -> list[Wrong]:
    """Everything that does not hold, as (dotted path, message)."""
    found = [wrong for name, spec in workload.tensors.items() for wrong in _tensor(name, spec)]
    if found:
        return found
    ready = {
        name for name, spec in workload.tensors.items() if spec.role in ("input", "weight", "bias")
    }
    names: set[str] = set()
    alias: dict[str, Alias] = {}
    for number, op in enumerate(workload.operators):
        path = f"operators[{number}]"
        if not op.name or op.name in names:
            found.append((f"{path}.name", f"{op.name!r} is no name of its own"))
        names.add(op.name)
        wrong = _operator(op, workload.tensors, ready)
        found += [(f"{path}.{key}", message) for key, message in wrong]
        if not wrong and (message := add(alias, op)):
            found.append((f"{path}.inputs", message))
        ready.add(op.output)
    if not found and workload.macs > MOST_MACS:
        found.append(("operators", f"ask for {workload.macs} multiply-accumulates"))
    return found


def is_shape(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape is inside the sizes that the engines count in."""
    sizes = all(1 <= size <= LARGEST_DIMENSION for size in shape)
    return sizes and len(shape) <= MOST_DIMENSIONS and prod(shape) <= MOST_ELEMENTS


def as_matrix(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the ones before its last two dimensions, as a product of one group reads it."""
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return shape


def _tensor(name: str, spec: TensorSpec) -> list[Wrong]:
    path, found = f"tensors.{name}", []
    if spec.name != name:
        found.append((f"{path}.name", f"is {spec.name!r}"))
    if spec.role not in ROLES:
        found.append((f"{path}.role", f"is {spec.role!r}"))
    if not is_shape(spec.shape):
        found.append((f"{path}.shape", f"{list(spec.shape)} is no shape"))
    return found


def _operator(
    op: Gemm | Conv2d | VectorOperator, tensors: Mapping[str, TensorSpec], ready: set[str]
) -> list[Wrong]:
    wrong = _vector(op) if isinstance(op, VectorOperator) else _product(op)
    if wrong:
        return wrong
    if isinstance(op, VectorOperator):
        read = [
            (f"inputs[{i}]", *pair)
            for i, pair in enumerate(zip(op.inputs, op.input_shapes, strict=True))
        ]
        small = op.parameters
    else:
        read = [("input", op.input, op.input_shape), ("weight", op.weight, op.weight_shape)]
        small = (op.bias,) if op.bias is not None else ()
    found = [
        ("parameters", f"there is no tensor {name!r}") for name in small if name not in tensors
    ]
    for key, name, shape in read:
        if name not in ready or name not in tensors:
            found.append((key, f"{name!r} is no tensor that stands before it"))
        elif tensors[name].shape != tuple(shape) and not (
            key in ("input", "weight")
            and isinstance(op, Gemm)
            and as_matrix(tensors[name].shape) == tuple(shape)
        ):
            found.append(
                (key, f"{name} has the shape {list(tensors[name].shape)}, not {list(shape)}")
            )
    if op.output not in tensors or op.output in ready:
        found.append(("output", f"{op.output!r} is no tensor of its own"))
    elif tensors[op.output].shape != op.output_shape:
        found.append(
            (
                "output",
                f"has the shape {list(tensors[op.output].shape)}, not {list(op.output_shape)}",
            )
        )
    if op.activation not in ACTIVATIONS:
        found.append(("activation", f"is {op.activation!r}"))
    return found


def _product(op: Gemm | Conv2d) -> list[Wrong]:
    if isinstance(op, Gemm):
        sizes = {"m": op.m, "k": op.k, "n": op.n, "groups": op.groups}
        return [
            (key, f"is {size}") for key, size in sizes.items() if not 1 <= size <= LARGEST_DIMENSION
        ]
    sizes = {
        key: getattr(op, key)
        for key in ("batch", "channels", "height", "width", "filters", "groups")
    }
    found = [
        (key, f"is {size}") for key, size in sizes.items() if not 1 <= size <= LARGEST_DIMENSION
    ]
    found += _window(op.kernel, op.stride, op.padding, op.dilation)
    if not found and (op.channels % op.groups or op.filters % op.groups):
        found.append(
            ("groups", f"{op.groups} does not divide {op.channels} channels, {op.filters} filters")
        )
    if not found and min(op.out_height, op.out_width) < 1:
        found.append(("kernel", f"{list(op.kernel)} is larger than what it reads"))
    return found


def _vector(op: VectorOperator) -> list[Wrong]:
    if op.kind not in VECTOR_KINDS:
        return [("kind", f"is {op.kind!r}")]
    kind = VECTOR_KINDS[op.kind]
    if not kind.inputs[0] <= len(op.inputs) <= kind.inputs[1] or len(op.inputs) != len(
        op.input_shapes
    ):
        return [("inputs", f"names {len(op.inputs)} tensors and {len(op.input_shapes)} shapes")]
    if not all(1 <= size <= LARGEST_DIMENSION for size in op.output_shape):
        return [("output_shape", f"is {list(op.output_shape)}")]
    found = _window(op.kernel, op.stride, op.padding, (1, 1))
    if op.kind in POOLS and (len(op.input_shape) != 4 or len(op.output_shape) != 4):
        found.append(("input_shapes", "a pool reads and writes four dimensions"))
    turned = (
        op.kind == "transpose"
        and sorted(op.order) == list(range(len(op.input_shape)))
        and (op.output_shape == tuple(op.input_shape[axis] for axis in op.order))
    )
    if op.kind == "transpose" and not turned:
        found.append(("order", f"{list(op.order)} does not turn {list(op.input_shape)}"))
    elif op.is_view and prod(op.input_shape) != op.elements:
        found.append(
            ("output_shape", f"does not hold the {prod(op.input_shape)} elements that are read")
        )
    return found


def _window(
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[Wrong]:
    found = []
    for key, sizes, count, low in (
        ("kernel", kernel, 2, 1),
        ("stride", stride, 2, 1),
        ("padding", padding, 4, 0),
        ("dilation", dilation, 2, 1),
    ):
        if len(sizes) != count or not all(low <= size <= LARGEST_WINDOW for size in sizes):
            found.append((key, f"is {list(sizes)}"))
    return found
