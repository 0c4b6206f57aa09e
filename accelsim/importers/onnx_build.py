"""The Workload under construction: operators and tensors as ONNX nodes add them.

Nothing is dropped: every node becomes an operator, becomes part of one (a bias, a batch norm, a ReLU
behind a MAC operator), or computes constants only; ``absorbed`` and the graph's ``folded`` say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError
from accelsim.importers.onnx_tensors import Graph, Shape
from accelsim.workload import Conv2d, Gemm, MacOperator, Operator, TensorSpec, VectorOperator

Array = NDArray[Any]
Lookup = Callable[[str], Array]
#: computes a stored tensor from the model's own
Recipe = Callable[[Lookup], Array]
#: computes a vector operator's output from its inputs, in float
Compute = Callable[[Sequence[Array], Lookup], Array]


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes as Python values."""
    from accelsim.importers.onnx_file import import_onnx

    onnx = import_onnx()
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


@dataclass(slots=True)
class Builder:
    """Operators so far. recipes: how a stored tensor follows from the model's (default: as it is).
    made: number of the operator that makes a tensor. turned: a tensor whose last two axes are
    swapped in the model, by the name of the unswapped one. absorbed: (node, its type, operator).
    computes: values of vector operators, by operator."""

    graph: Graph
    operators: list[Operator] = field(default_factory=list)
    tensors: dict[str, TensorSpec] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    computes: dict[str, Compute] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    turned: dict[str, str] = field(default_factory=dict)
    absorbed: list[tuple[str, str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    #: tensor -> (scale, zero point or "", element type of its codes); the same of stored weights, None where
    #: something was folded into them
    stated: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    weight_scales: dict[str, tuple[str, str, int] | None] = field(default_factory=dict)
    requantized: set[str] = field(default_factory=set)
    #: tensors of integer type that are codes of reals; least and largest code in use of a stated tensor
    codes: set[str] = field(default_factory=set)
    clips: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: of dynamic quantisation: a tensor of the model -> (reals, scales that they are over), the zero point of
    #: codes, scales with a constant that they are multiplied by, and what makes a tensor once it is read
    owed: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    zeros: dict[str, str] = field(default_factory=dict)
    factors: dict[str, tuple[tuple[str, ...], Recipe | None]] = field(default_factory=dict)
    later: dict[str, Callable[[], None]] = field(default_factory=dict)

    # -- names and tensors ---------------------------------------------------------------------

    def unique(self, wanted: str) -> str:
        """A name that no operator has yet."""
        name, number = wanted, 1
        while name in self.names:
            number += 1
            name = f"{wanted}_{number}"
        self.names.add(name)
        return name

    def shape(self, name: str) -> Shape:
        """Shape of a tensor of the model or of the workload."""
        return self.tensors[name].shape if name in self.tensors else self.graph.shapes[name]

    def is_constant(self, name: str) -> bool:
        """Whether a tensor of the model depends on no input."""
        return name in self.graph.constants

    def operand(self, name: str) -> str:
        """A tensor that an operator is to read; constants become stored tensors. InputError for one without
        elements, which no operator can read."""
        if not prod(self.shape(name)):
            raise self.graph.wrong(
                "empty",
                f"{name!r} has no elements, and an operator with elements reads it",
                "export the model without it",
                name,
            )
        if name in self.later:
            self.later.pop(name)()
        if name not in self.tensors:
            self.tensors[name] = TensorSpec(name, self.shape(name), "weight")
        elif (
            self.tensors[name].role == "bias"
        ):  # of a MAC operator too, which has it in its own units
            return self.stored(f"{name}:read", self.graph.shapes[name], lambda look: look(name))
        return name

    def stored(self, name: str, shape: Shape, recipe: Recipe, role: str = "weight") -> str:
        """A stored tensor of that shape. Equal names have equal recipes; another shape or role gets another
        name."""
        while name in self.tensors and (self.tensors[name].shape, self.tensors[name].role) != (
            shape,
            role,
        ):
            name += "'"
        if name not in self.tensors:
            self.tensors[name] = TensorSpec(name, shape, role)
            self.recipes[name] = recipe
        return name

    def variant(self, name: str, of: str) -> str:
        """A name for what a node makes of a constant that several nodes read, each in its way; the constant's
        own where only one does."""
        graph = self.graph
        if not name or len(graph.consumers.get(name, ())) < 2:
            return name
        made = f"{name}:{of}"
        graph.shapes[made], graph.types[made] = graph.shapes[name], graph.types[name]
        graph.constants.add(made)
        return made

    def only(self, name: str) -> bool:
        """Whether one node reads the tensor and it is no output of the model."""
        return len(self.graph.consumers.get(name, ())) == 1 and name not in self.graph.outputs

    def wrong(
        self, node: Any, message: str, fix: str = "export the model without it"
    ) -> InputError:
        """A node that cannot be mapped."""
        return self.graph.wrong("unsupported", f"{node.op_type}: {message}", fix, node.name)

    # -- operators -----------------------------------------------------------------------------

    def add(self, op: Operator) -> str:
        """Append an operator; its output's name."""
        self.made[op.output] = len(self.operators)
        self.operators.append(op)
        self.tensors[op.output] = TensorSpec(op.output, op.output_shape)
        types = self.graph.types
        if (
            isinstance(op, VectorOperator)
            and op.inputs[0] in self.codes
            and (types.get(op.output, 0) in (0, types.get(op.inputs[0], 0)))
        ):
            self.codes.add(op.output)
        return op.output

    def form(self, name: str) -> str:
        """The format of a stated tensor's codes."""
        return code_form(self.stated[name][2], self.clips.get(name))[0]

    def vector(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        output: str,
        shape: Shape,
        compute: Compute | None = None,
        **more: Any,
    ) -> str:
        """Append a vector operator; none where there is nothing to compute."""
        if not prod(shape):
            self.notes.append(f"{output} has no elements: nothing to do")
            return output
        read = tuple(self.operand(item) for item in inputs)
        shapes = tuple(self.shape(item) or (1,) for item in read)
        own = self.unique(name)
        if compute is not None:
            self.computes[own] = compute
        return self.add(
            VectorOperator(
                own, kind, read, output, shapes, shape or (1,), node=own if compute else "", **more
            )
        )

    def node(self, kind: str, node: Any, read: Sequence[str], number: int = 0, **more: Any) -> str:
        """Append a vector operator that is a node of the model: it reads those of the node's inputs,
        the others are constants. number: which output of the node it makes."""
        output = node.output[number]
        name = node.name if number == 0 else f"{node.name}:{number}"
        return self.vector(
            kind,
            name,
            read,
            output,
            self.graph.shapes[output],
            self.by_node(node, list(read), number),
            **more,
        )

    def by_node(self, node: Any, read: list[str], number: int = 0) -> Compute:
        """Values of one output of a node, by onnxruntime or onnx's reference implementation."""
        from accelsim.importers.onnx_run import run_fast

        place = sum(bool(name) for name in node.output[:number])

        def compute(inputs: Sequence[Array], look: Lookup) -> Array:
            given = dict(zip(read, inputs, strict=True))
            values: list[Any] = []
            for name in node.input:
                if not name:
                    values.append(None)
                elif name in given:
                    kind, value = self.graph.numpy_type(name), np.asarray(given[name])
                    if name in self.codes:
                        kind = np.dtype(np.float32)  # reals of codes
                    elif kind.kind in "iu":
                        value = np.rint(value)
                    values.append(value.reshape(self.graph.shapes[name]).astype(kind))
                else:
                    values.append(np.asarray(look(name)))
            return np.asarray(run_fast(self.graph, node, values)[place], np.float64)

        return compute

    def view(self, source: str, shape: Shape, output: str = "", name: str = "") -> str:
        """The tensor under another shape; itself when nothing changes and no output is named."""
        if source in self.later:
            self.operand(source)
        if self.shape(source) == shape and not output:
            return source
        if prod(self.shape(source)) != prod(shape):
            raise self.graph.wrong(
                "shape",
                f"{prod(self.shape(source))} elements do not make {list(shape)}",
                "export the model again",
                name or source,
            )
        output = output or f"{source}:{'x'.join(map(str, shape))}"
        if output in self.tensors:
            return output
        return self.vector("reshape", name or output, [source], output, shape)

    def transpose(self, source: str, order: Sequence[int], output: str = "", name: str = "") -> str:
        """The tensor with its axes in another order: addresses only when the last axis stays."""
        order = tuple(int(axis) for axis in order)
        shape = tuple(self.shape(source)[axis] for axis in order)
        output = output or f"{source}:{''.join(map(str, order))}"
        if output in self.tensors:
            return output
        return self.vector(
            "transpose",
            name or output,
            [source],
            output,
            shape,
            lambda inputs, look: inputs[0].transpose(order),
            order=order,
        )

    # -- putting nodes into operators before them ----------------------------------------------

    def before(self, name: str) -> tuple[int, MacOperator] | None:
        """The MAC operator whose output this is, perhaps under another shape, if nobody else reads
        it: what follows may become part of it."""
        if not self.only(name) or name not in self.made or name in self.requantized:
            return None
        number = self.made[name]
        op = self.operators[number]
        if isinstance(op, VectorOperator) and op.kind == "reshape":
            inner = self.made.get(op.inputs[0])
            if inner is None:
                return None
            number, op = inner, self.operators[inner]
            channels = slice(0, 2) if isinstance(op, Conv2d) else slice(-1, None)
            if self.shape(name)[channels] != self.shape(self.operators[number].output)[channels]:
                return None
        if isinstance(op, VectorOperator) or op.activation != "none":
            return None
        return number, op

    def rename(self, old: str, new: str) -> None:
        """Give what makes a tensor another output name."""
        number = self.made.pop(old)
        self.operators[number] = replace(self.operators[number], output=new)
        self.made[new] = number
        spec = self.tensors.pop(old)
        self.tensors[new] = TensorSpec(new, spec.shape)

    def absorb(self, node: Any, source: str, op: MacOperator) -> None:
        """Note that a node became part of a MAC operator, and take over its output's name."""
        self.absorbed.append((node.name, node.op_type, op.name))
        self.rename(source, node.output[0])

    def affine(self, node: Any, source: str, scale: Recipe | None, shift: Recipe | None) -> bool:
        """Fold output * scale + shift (one number a channel) into the MAC operator before; False
        when there is none that can take it."""
        found = self.before(source)
        if found is None:
            return False
        number, op = found
        if self.tensors[op.weight].role != "weight":
            return False
        if scale is not None and len(self.graph.consumers.get(op.weight, ())) > 1:
            return False
        channels = op.n if isinstance(op, Gemm) else op.filters
        if isinstance(op, Gemm) and op.groups != 1:
            return False
        bias = op.bias
        if scale is not None:
            self._scale_weight(op, scale, channels)
        if bias is None:
            bias = f"{op.name}.bias"
            self.tensors[bias] = TensorSpec(bias, (channels,), "bias")
            self.recipes[bias] = lambda look: np.zeros(channels)
        before = self.recipes[bias]

        def recipe(look: Lookup) -> Array:
            value = np.asarray(before(look), np.float64).reshape(-1)
            if scale is not None:
                value = value * np.broadcast_to(
                    np.asarray(scale(look), np.float64).reshape(-1), channels
                )
            if shift is not None:
                value = value + np.broadcast_to(
                    np.asarray(shift(look), np.float64).reshape(-1), channels
                )
            return value

        own = f"{op.name}.bias"
        self.tensors.setdefault(own, TensorSpec(own, (channels,), "bias"))
        users = sum(getattr(other, "bias", None) == bias for other in self.operators)
        if bias != own and users <= 1:
            self.tensors.pop(bias, None)
            self.recipes.pop(bias, None)
        self.recipes[own] = recipe
        self.operators[number] = replace(op, bias=own)
        self.absorb(node, source, op)
        return True

    def _scale_weight(self, op: MacOperator, scale: Recipe, channels: int) -> None:
        weight = op.weight
        self.weight_scales[weight] = None
        before = self.recipes[weight]
        shape = self.tensors[weight].shape
        along = (channels, *(1,) * (len(shape) - 1))
        if isinstance(op, Gemm) and not op.weight_transposed:
            along = (channels,)

        def scaled(look: Lookup) -> Array:
            value = np.asarray(before(look), np.float64).reshape(shape)
            factor = np.broadcast_to(np.asarray(scale(look), np.float64).reshape(-1), channels)
            return value * factor.reshape(along)

        self.recipes[weight] = scaled


#: ONNX's element types of codes -> (format that runs them, what is subtracted from codes and zero points)
CODES = {2: ("int8", 128), 3: ("int8", 0), 21: ("int4", 8), 22: ("int4", 0)}
WIDTHS = (2, 3, 4, 5, 6, 8)  # bits of the signed formats that codes run in


def code_form(kind: int, clip: tuple[int, int] | None) -> tuple[str, int]:
    """(format that runs codes of an element type, what is subtracted from them); clip: the codes in use."""
    if clip is None:
        return CODES[kind]
    low, high = clip
    bits = next(width for width in WIDTHS if high - low < 1 << width)
    half = 1 << (bits - 1)
    return f"int{bits}", 0 if -half <= low and high < half else low + half


def per_channel(constant: Shape, out: Shape, axis: int) -> bool:
    """Whether a constant is one number, or one a channel of the output."""
    whole = (*(1,) * (len(out) - len(constant)), *constant)
    return len(constant) <= len(out) and all(
        size == 1 or (at == axis % len(out) and size == out[at]) for at, size in enumerate(whole)
    )


def elements(shape: Shape) -> int:
    """Elements of a shape."""
    return prod(shape)
