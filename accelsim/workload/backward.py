"""From the gradient of an operator's output to those of its inputs: what files of gradients/ are written with.

A gradient is a function ``gradient(op, error, back)`` in the file of gradients/ that bears the kind's name. error: the
tensor that holds what the loss changes with op.output, of its shape, a fused activation taken off already. For each
input whose gradient ``back.wants``, it appends operators by ``back.toward(op, tensor)`` and gives the last one's tensor
by ``give``: several gifts to one tensor are added up. It reads no values and changes nothing else. A kind whose forward
pass is another one in training has ``training(op, back)`` beside it, which appends that and returns the operator that
stands for op when its gradient is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import prod
from typing import Any

from accelsim.offered import modules_of, offered
from accelsim.workload import gradients as here
from accelsim.workload.operators import (
    Conv2d,
    Gemm,
    Operator,
    TensorSpec,
    VectorOperator,
    Workload,
)
from accelsim.workload.vector_kinds import VECTOR_KINDS

GROUP = "accelsim.gradients"
Shape = tuple[int, ...]
Gradient = Callable[[Any, str, "Backward"], None]
Training = Callable[[Any, "Backward"], Operator]


@cache
def gradients() -> dict[str, Any]:
    """By kind of operator, what has its gradient(), and training() where that kind has one."""
    found = {module.__name__.rpartition(".")[2]: module for module in modules_of(here)}
    return {point.name: point.load() for point in reversed(offered(GROUP))} | found


@dataclass(slots=True)
class Backward:
    """The operators and tensors of a step as they are appended. trained: stored tensors that the step changes.
    reached: tensors that depend on them. given: by tensor, what adds up to its gradient."""

    tensors: dict[str, TensorSpec]
    trained: Collection[str] = ()
    reached: Collection[str] = ()
    operators: list[Operator] = field(default_factory=list)
    given: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def shape(self, name: str) -> Shape:
        """The shape of a tensor."""
        return self.tensors[name].shape

    def wants(self, name: str) -> bool:
        """Whether anything needs the gradient of a tensor."""
        return name in self.reached

    def toward(self, op: Operator, name: str, role: str = "") -> Path:
        """What makes the gradient of a tensor that an operator reads. role: "" for that of a weight where the tensor is
        trained, of data where it is not; products have it by their operand, stored or not."""
        return Path(self, op.name, name, role or self.role_of(name))

    def role_of(self, name: str) -> str:
        """The role of what makes a tensor's gradient."""
        return "backward_weight" if name in self.trained else "backward_data"

    def gradient(self, name: str) -> str | None:
        """The gradient of a tensor, summed where it was read several times; None where the loss does not depend on
        it."""
        parts = self.given.get(name, [])
        path = Path(self, name, name, self.role_of(name))
        while len(parts) > 1:
            parts = [path.vector("add", parts[:2], self.shape(name)), *parts[2:]]
        return parts[0] if parts else None

    def append(self, op: Operator) -> str:
        """Append an operator; its output."""
        self.operators.append(op)
        self.names.add(op.name)
        self.tensors[op.output] = TensorSpec(op.output, op.output_shape)
        return op.output

    def rename(self, made: str, name: str, **more: Any) -> str:
        """Give the output of the last operator, and that, another name. more: further fields of it."""
        (last, spec) = self.operators[-1], self.tensors.pop(made)
        assert last.output == made
        name = self.fresh(name)
        self.operators[-1] = replace(last, name=name, output=name, **more)
        self.names = self.names - {last.name} | {name}
        self.tensors[name] = replace(spec, name=name)
        return name

    def fresh(self, name: str) -> str:
        """A name like this that no operator and no tensor has."""
        taken, number, found = self.names | self.tensors.keys(), 2, name
        while found in taken:
            found, number = f"{name}.{number}", number + 1
        return found


@dataclass(frozen=True, slots=True)
class Path:
    """Appends operators of one role, named after the operator whose gradient it is. target: what give() gives to."""

    back: Backward
    of: str
    target: str
    role: str

    def vector(self, kind: str, inputs: Sequence[str], shape: Shape, **more: Any) -> str:
        """A vector operator; its output. more: further fields of it."""
        name = self.back.fresh(f"{self.of}.{self.role}.{kind}")
        shapes = tuple(self.back.shape(x) for x in inputs)
        op = VectorOperator(name, kind, tuple(inputs), name, shapes, shape, role=self.role, **more)
        return self.back.append(op)

    def gemm(self, first: str, second: str, sizes: tuple[int, int, int, int], turned: bool) -> str:
        """A product of sizes (groups, m, k, n). turned: the second operand is (n, k)."""
        groups, m, k, n = sizes
        name = self.back.fresh(f"{self.of}.{self.role}")
        return self.back.append(
            Gemm(
                name, first, second, name, m, k, n, groups, weight_transposed=turned, role=self.role
            )
        )

    def conv(
        self, first: str, second: str, filters: int, kernel: tuple[int, int], **more: Any
    ) -> str:
        """A convolution of a tensor of four dimensions. more: stride, padding, dilation, groups, weight_transposed."""
        batch, channels, height, width = self.back.shape(first)
        name = self.back.fresh(f"{self.of}.{self.role}")
        sizes = batch, channels, height, width, filters, kernel
        return self.back.append(Conv2d(name, first, second, name, *sizes, role=self.role, **more))

    def reshape(self, x: str, shape: Shape) -> str:
        """A tensor under another shape; itself where it has that."""
        return x if self.back.shape(x) == shape else self.vector("reshape", [x], shape)

    def transpose(self, x: str, order: tuple[int, ...]) -> str:
        """A tensor with its axes in another order."""
        shape = self.back.shape(x)
        return self.vector("transpose", [x], tuple(shape[a] for a in order), order=order)

    def total(self, x: str, shape: Shape) -> str:
        """A tensor summed over the axes in which a shape has 1, or that it does not have: what was broadcast.

        The last axes first, then leading ones, each sum with its own element in a row, so that a tile of it holds one
        column, however many rows there are."""
        own = self.back.shape(x)
        wide = (*(1,) * (len(own) - len(shape)), *shape)
        axes = [axis for axis, size in enumerate(own) if wide[axis] != size]
        last = len(own)
        while last - 1 in axes and last > 1:
            last -= 1
        if last < len(own):
            x = self.reduce(x, tuple(range(last, len(own))))
        axes = [axis for axis in axes if axis < last]
        if axes and axes == list(range(len(axes))):
            rows, rest = prod(own[: len(axes)]), prod(self.back.shape(x)[len(axes) :])
            x = self.reduce(self.reshape(x, (rows, rest, 1)), (0,))
        elif axes:
            x = self.reduce(x, tuple(axes))
        return self.reshape(x, shape)

    def reduce(self, x: str, axes: tuple[int, ...], kind: str = "reduce_sum") -> str:
        """A tensor with some axes summed, or otherwise reduced, to 1; itself where there are none."""
        own = self.back.shape(x)
        out = tuple(1 if axis in axes else size for axis, size in enumerate(own))
        return self.vector(kind, [x], out) if axes else x

    def give(self, gradient: str) -> None:
        """Give a tensor, under the target's shape, as a part of the target's gradient."""
        made = self.reshape(gradient, self.back.shape(self.target))
        self.back.given.setdefault(self.target, []).append(made)


def reached(workload: Workload, trained: Collection[str]) -> set[str]:
    """The trained tensors and every tensor of reals that depends on one."""
    found = set(trained)
    for op in workload.operators:
        if found & set(read_by(op)) and _is_real(op):
            found.add(op.output)
    return found


def read_by(op: Operator) -> tuple[str, ...]:
    """Every tensor that an operator reads, parameters and biases among them."""
    if isinstance(op, VectorOperator):
        return (*op.inputs, *op.parameters)
    return (op.input, op.weight, *((op.bias,) if op.bias is not None else ()))


def _is_real(op: Operator) -> bool:
    return not isinstance(op, VectorOperator) or not VECTOR_KINDS[op.kind].holds
