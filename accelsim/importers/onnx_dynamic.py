"""Dynamic quantisation, as onnxruntime's quantize_dynamic writes it, in reals.

DynamicQuantizeLinear gives codes and their scale; MatMulInteger's sums are reals over that scale; a Cast and a
Mul by the scale make them reals again. Here tensors hold the reals from the start (under a name of ours,
"<name>:reals"), and a multiplication by the scale takes away what was owed. A node that reads the integers
themselves gets them divided out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.importers.onnx_build import Builder, Compute, Lookup, Recipe, per_channel
from accelsim.importers.onnx_macs import convolution, multiply
from accelsim.importers.onnx_run import run_fast
from accelsim.importers.onnx_tensors import Shape
from accelsim.workload import Conv2d

FLOAT = 1  # ONNX's element type


def of_reals(b: Builder, name: str, shape: Shape) -> str:
    """The name of ours for the reals behind a tensor of the model."""
    own = f"{name}:reals"
    b.graph.shapes[own], b.graph.types[own] = shape, FLOAT
    return own


def owe(b: Builder, name: str, reals: str, scales: tuple[str, ...], node: Any) -> None:
    """Note that a tensor of the model is the reals over some scales, made only where somebody asks."""
    b.owed[name] = (reals, scales)
    b.graph.consumers.setdefault(reals, b.graph.consumers.get(name, []))

    def divided(inputs: Sequence[Any], look: Lookup) -> Any:
        value = np.asarray(inputs[0], np.float64)
        for scale in inputs[1:]:
            value = value / np.asarray(scale, np.float64).reshape(())
        return np.rint(value) if b.graph.types[name] != FLOAT else value

    def make() -> None:
        source = reals
        for number, scale in enumerate(scales):
            last = number == len(scales) - 1
            output = name if last else f"{name}:{number}"
            source = b.vector(
                "divide",
                f"{node.name}/divide{number}",
                [source, scale],
                output,
                b.graph.shapes[name],
                divided,
            )

    b.later[name] = make


def quantise(b: Builder, node: Any) -> None:
    """DynamicQuantizeLinear: the range that it searches is that of the calibration."""
    source, (codes, scale, zero) = node.input[0], node.output
    shape = b.graph.shapes[codes]

    def rounded(inputs: Sequence[Any], look: Lookup) -> Any:
        found = run_fast(b.graph, node, [np.asarray(inputs[0], np.float32).reshape(shape)])
        return (found[0].astype(np.float64) - float(found[2])) * float(found[1])

    own = of_reals(b, codes, shape)
    b.vector("quantize", node.name, [source], own, shape, rounded)
    b.owed[codes] = (own, (scale,))
    b.zeros[codes] = zero
    b.factors[scale] = ((scale,), None)
    b.later[codes] = lambda: _own(b, node, "quantize", source, 0)
    b.later[scale] = lambda: _own(b, node, "reduce_max", source, 1)
    b.later[zero] = lambda: _own(b, node, "reduce_min", source, 2)
    b.notes.append(
        "ranges of dynamic quantisation are those of the calibration: the run searches none"
    )


def _own(b: Builder, node: Any, kind: str, source: str, number: int) -> None:
    b.node(kind, node, [source], number)


def _left(b: Builder, name: str, zero: str, node: Any) -> tuple[str, tuple[str, ...]]:
    """(tensor of reals, scales owed) of an integer operand that is computed."""
    if name in b.owed and zero == b.zeros.get(name, ""):
        return b.owed[name]
    if not zero:
        return name, ()
    own = of_reals(b, f"{name}:{zero}", b.graph.shapes[name])
    if own not in b.tensors:
        if b.is_constant(zero):
            b.vector(
                "shift",
                f"{node.name}/zero",
                [name],
                own,
                b.graph.shapes[name],
                lambda inputs, look: inputs[0] - np.asarray(look(zero), np.float64),
            )
        else:
            b.vector(
                "subtract",
                f"{node.name}/zero",
                [name, zero],
                own,
                b.graph.shapes[name],
                lambda inputs, look: inputs[0] - inputs[1],
            )
    return own, ()


def centred(name: str, zero: str, axis: int) -> Recipe:
    """Stored codes less their zero point, one or one a channel along an axis."""

    def recipe(look: Lookup) -> Any:
        codes = np.asarray(look(name)).astype(np.int64)
        offset = np.asarray(look(zero)).astype(np.int64).ravel() if zero else np.zeros(1, np.int64)
        along = [1] * codes.ndim
        along[axis] = -1
        return (codes - (offset.reshape(along) if offset.size > 1 else int(offset[0]))).astype(
            np.float64
        )

    return recipe


def integer_product(b: Builder, node: Any) -> None:
    """MatMulInteger."""
    a, w, zero, second = (*node.input, "", "")[:4]
    shape = b.graph.shapes[node.output[0]]
    left, owed = _left(b, a, zero, node)
    recipe: Recipe | None = centred(w, second, -1)
    if not b.is_constant(w):
        w, more = _left(b, w, second, node)
        owed, recipe = (*owed, *more), None
    else:
        w = b.variant(w, second or "0")
    output = of_reals(b, node.output[0], shape) if owed else node.output[0]
    multiply(b, node, left, w, output, shape, recipe)
    if owed:
        owe(b, node.output[0], output, owed, node)


def integer_convolution(b: Builder, node: Any) -> None:
    """ConvInteger."""
    x, w, zero, second = (*node.input, "", "")[:4]
    shape = b.graph.shapes[node.output[0]]
    left, owed = _left(b, x, zero, node)
    part = type(node)()
    part.CopyFrom(node)
    if owed:
        part.output[0] = of_reals(b, node.output[0], shape)
    convolution(b, part, (left, b.variant(w, second or "0"), ""), (centred(w, second, 0), None))
    if owed:
        owe(b, node.output[0], part.output[0], owed, node)


def cast(b: Builder, node: Any) -> bool:
    """Whether a Cast of owed sums was only noted: their reals are what they were."""
    source, output = node.input[0], node.output[0]
    if source not in b.owed or b.graph.types[output] != FLOAT:
        return False
    reals, scales = b.owed[source]
    if not b.only(source):
        return False
    b.graph.consumers[reals] = b.graph.consumers.get(output, [])
    owe(b, output, reals, scales, node)
    b.absorbed.append((node.name, node.op_type, b.operators[b.made[reals]].name))
    return True


def product(b: Builder, node: Any, plain: Any) -> bool:
    """Whether a Mul was one of scales, or of owed sums by what they owe. plain: makes it as any other."""
    if node.op_type != "Mul":
        return False
    first, second = node.input[:2]
    for name, other in ((first, second), (second, first)):
        if name in b.factors and (other in b.factors or b.is_constant(other)):
            scales, factor = b.factors[name]
            more, constant = b.factors.get(other, ((), _look(other)))
            b.factors[node.output[0]] = ((*scales, *more), _times(factor, constant))
            b.later[node.output[0]] = lambda: plain(b, node)
            return True
        if (
            name in b.owed
            and (other in b.factors or b.is_constant(other))
            and _paid(b, node, name, other)
        ):
            return True
    return False


def _look(name: str) -> Recipe:
    return lambda look: np.asarray(look(name), np.float64)


def _times(first: Recipe | None, second: Recipe | None) -> Recipe | None:
    if first is None or second is None:
        return first or second
    return lambda look: first(look) * second(look)


def _paid(b: Builder, node: Any, name: str, other: str) -> bool:
    """Owed sums times a factor whose scales they owe, or that has none."""
    reals, owed = b.owed[name]
    scales, constant = b.factors.get(other, ((), _look(other)))
    left = list(owed)
    for scale in scales:
        if scale not in left:
            return False
        left.remove(scale)
    shape, output = b.graph.shapes[node.output[0]], node.output[0]
    if b.graph.shapes[reals] != shape or not b.only(name):
        return False
    if left:
        output = of_reals(b, output, shape)
    part = type(node)()
    part.CopyFrom(node)
    part.output[0] = output
    if constant is None:
        b.view(reals, shape, output, node.name)
    elif not _folded(b, part, reals, constant, b.graph.shapes[other]):
        b.vector("scale", node.name, [reals], output, shape, _scaled(constant))
    if left:
        owe(b, node.output[0], output, tuple(left), node)
    return True


def _folded(b: Builder, node: Any, reals: str, constant: Recipe, shape: Shape) -> bool:
    found = b.before(reals)
    if found is None:
        return False
    axis = 1 if isinstance(found[1], Conv2d) else -1
    return per_channel(shape, b.graph.shapes[reals], axis) and b.affine(node, reals, constant, None)


def _scaled(constant: Recipe) -> Compute:
    return lambda inputs, look: inputs[0] * constant(look)


HANDLERS = {
    "DynamicQuantizeLinear": quantise,
    "MatMulInteger": integer_product,
    "ConvInteger": integer_convolution,
}
