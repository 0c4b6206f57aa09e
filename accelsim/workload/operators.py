"""What to compute: tensors and operators in topological order.

A MAC operator is one GEMM per group, (M x K)(K x N), or a 2-D convolution lowered to one:
m runs over (batch, out row, out column), n over the group's filters, k over (channel in group,
kernel row, kernel column). Activations are NCHW, convolution weights OIHW, as in ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS

ROLES = ("input", "weight", "bias", "intermediate", "output")
ACTIVATIONS = ("none", "relu")
HOLDS = ("reals", "integers", "fine")
#: what an operator is for in a training step
OPERATOR_ROLES = ("forward", "backward_data", "backward_weight", "update")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor: shape, role, and a number format (None: the chip's choice). holds: one of HOLDS; what is no
    real is not quantised (workload/integers.py)."""

    name: str
    shape: tuple[int, ...]
    role: str = "intermediate"
    format: str | None = None
    holds: str = "reals"

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Gemm:
    """output[g] = activation(input[g] @ weight[g] + bias); tensors (M, K), (K, N), (M, N),
    with a leading group dimension when groups > 1. input_format and weight_format override the
    chip's precision when given. weight may name any tensor, also another operator's output; with
    weight_transposed it has the shape (N, K). role: one of OPERATOR_ROLES."""

    name: str
    input: str
    weight: str
    output: str
    m: int
    k: int
    n: int
    groups: int = 1
    bias: str | None = None
    activation: str = "none"
    input_format: str | None = None
    weight_format: str | None = None
    weight_transposed: bool = False
    role: str = "forward"
    kind: str = field(default="gemm", init=False)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, all groups."""
        return self.groups * self.m * self.k * self.n

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.m, self.k) if self.groups == 1 else (self.groups, self.m, self.k)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        matrix = (self.n, self.k) if self.weight_transposed else (self.k, self.n)
        return matrix if self.groups == 1 else (self.groups, *matrix)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.m, self.n) if self.groups == 1 else (self.groups, self.m, self.n)


@dataclass(frozen=True, slots=True)
class Conv2d:
    """A 2-D convolution with padding (top, left, bottom, right), stride, dilation and groups.

    weight_transposed: the weight is that of the convolution which this one is the transposed of: (channels, filters
    of a group, kernel), each kernel turned by 180 degrees as it is read. role: one of OPERATOR_ROLES."""

    name: str
    input: str
    weight: str
    output: str
    batch: int
    channels: int
    height: int
    width: int
    filters: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: str | None = None
    activation: str = "none"
    input_format: str | None = None
    weight_format: str | None = None
    weight_transposed: bool = False
    role: str = "forward"
    kind: str = field(default="conv2d", init=False)

    @property
    def out_height(self) -> int:
        top, _, bottom, _ = self.padding
        span = self.dilation[0] * (self.kernel[0] - 1) + 1
        return (self.height + top + bottom - span) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        _, left, _, right = self.padding
        span = self.dilation[1] * (self.kernel[1] - 1) + 1
        return (self.width + left + right - span) // self.stride[1] + 1

    @property
    def m(self) -> int:
        return self.batch * self.out_height * self.out_width

    @property
    def n(self) -> int:
        """Filters of one group."""
        return self.filters // self.groups

    @property
    def k(self) -> int:
        return self.channels // self.groups * self.kernel[0] * self.kernel[1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates, all groups (products with padding zeros included)."""
        return self.groups * self.m * self.k * self.n

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.batch, self.channels, self.height, self.width)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        if self.weight_transposed:
            return (self.channels, self.n, *self.kernel)
        return (self.filters, self.channels // self.groups, *self.kernel)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.batch, self.filters, self.out_height, self.out_width)


@dataclass(frozen=True, slots=True)
class VectorOperator:
    """Work of the vector unit: element-wise, along rows, pooling, reducing, moving.

    kind: one of VECTOR_KINDS. inputs, input_shapes: tensors read, broadcast where the kind allows.
    parameters: small tensors of it (scales, shifts), which are configuration and move no bytes.
    kernel, stride, padding, dilation as in Conv2d, for the pools, their gradients and col2im. order: axes of a
    transpose. offset: where a slice begins in what it reads, or a pad puts that, by axis; () where nobody says.
    factors: numbers that it computes with, as its kind says. updates: the stored tensor, one of its inputs, that the
    output takes the place of: its next version, at its address. node: name of the node of the model file that computes
    its values, "" for the project's own arithmetic. role: one of OPERATOR_ROLES.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    input_shapes: tuple[tuple[int, ...], ...]
    output_shape: tuple[int, ...]
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: str = "none"
    parameters: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    node: str = ""
    dilation: tuple[int, int] = (1, 1)
    offset: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()
    updates: str = ""
    role: str = "forward"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return self.input_shapes[0]

    @property
    def elements(self) -> int:
        """Output elements."""
        return prod(self.output_shape)

    @property
    def is_view(self) -> bool:
        """Whether nothing moves: the output is the input under another shape, or with its rows (the
        last axis whole) in another order, which is only a matter of addresses."""
        if self.kind == "transpose":
            return self.order[-1:] == (len(self.order) - 1,)
        return VECTOR_KINDS[self.kind].access == "view"

    @property
    def work(self) -> int:
        """Element operations, as VECTOR_KINDS counts them."""
        kind = VECTOR_KINDS[self.kind]
        if self.is_view:
            return 0
        pooled = kind.per == "output" or self.kind in POOLS
        of = self.elements if pooled else prod(self.input_shape)
        if kind.per == "window":
            of *= self.kernel[0] * self.kernel[1]
        if self.kind == "append":
            of = prod(self.input_shapes[1])
        return of * kind.operations


MacOperator = Gemm | Conv2d
Operator = Gemm | Conv2d | VectorOperator


@dataclass(frozen=True, slots=True, repr=False)
class Workload:
    """Operators in topological order with their tensors.

    values: path of an .npz with tensor values, or None. source: the file it was read from. batch: inferences
    of one run (0: not stated). tokens: of one run, all inferences together (0: none).
    """

    name: str
    operators: tuple[Operator, ...]
    tensors: Mapping[str, TensorSpec]
    description: str = ""
    values: str | None = None
    source: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 0
    tokens: int = 0

    def __repr__(self) -> str:
        """In one line: how much there is to compute."""
        return (
            f"<Workload {self.name!r:.80}: {len(self.operators):,} operators, "
            f"{len(self.tensors):,} tensors, {self.macs:,} multiply-accumulates>"
        )

    @property
    def inferences(self) -> int:
        """Inferences of one run: the batch that is stated, else the first dimension of the first input."""
        if self.batch:
            return self.batch
        return next(
            (int(t.shape[0]) for t in self.tensors.values() if t.role == "input" and t.shape), 1
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all MAC operators."""
        return sum(op.macs for op in self.operators if not isinstance(op, VectorOperator))

    def is_stored(self, weight: str) -> bool:
        """Whether a MAC operator's second operand is a stored weight, not computed in the run."""
        return self.tensors[weight].role == "weight"

    @property
    def moments(self) -> set[str]:
        """Stored tensors that updates alone read: an optimiser's own, zeros before the first step."""
        stored = {name for name, spec in self.tensors.items() if spec.role == "weight"}
        updates = [op for op in self.operators if op.role == "update"]
        own = {name for op in updates for name in getattr(op, "inputs", ()) if name in stored}
        for op in self.operators if own else ():
            if op.role != "update":
                own -= {*getattr(op, "inputs", ()), getattr(op, "weight", "")}
        return own

    @property
    def parameters(self) -> int:
        """Elements of all weights and biases."""
        return sum(t.elements for t in self.tensors.values() if t.role in ("weight", "bias"))
