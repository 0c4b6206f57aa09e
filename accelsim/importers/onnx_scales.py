"""Scales and zero points that a quantised model states: QLinear operators, QuantizeLinear and its inverse.

A tensor of unsigned codes runs as signed ones: code and zero point less 128 are the same reals.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.importers.onnx_build import Builder, Lookup, Recipe, attributes
from accelsim.workload import MacOperator, VectorOperator

#: ONNX's element types of codes -> (format that runs them, what is subtracted from codes and zero points)
CODES = {2: ("int8", 128), 3: ("int8", 0), 21: ("int4", 8), 22: ("int4", 0)}
ACTIVATIONS = (2, 3)  # uint8, int8


def root(b: Builder, name: str) -> str:
    """What a tensor is a view of."""
    while name in b.made:
        op = b.operators[b.made[name]]
        if not (isinstance(op, VectorOperator) and op.is_view):
            break
        name = op.inputs[0]
    return name


def state(b: Builder, name: str, scale: str, zero: str, kind: int) -> bool:
    """Note a tensor's scale and zero point; False where it has others. kind: element type of its codes."""
    if kind not in ACTIVATIONS or b.graph.shapes[scale] not in ((), (1,)):
        b.notes.append(f"{name}: codes of another type than 8 bits a tensor: ranges from the inputs instead")
        return True
    return b.stated.setdefault(root(b, name), (scale, zero, kind)) == (scale, zero, kind) or _same(
        b, b.stated[root(b, name)], (scale, zero, kind))


def _same(b: Builder, first: tuple[str, str, int], second: tuple[str, str, int]) -> bool:
    small, blank = b.graph.small, np.zeros(())
    if first[2] != second[2] or not {first[0], second[0]} <= set(small):
        return False
    return all(np.array_equal(np.ravel(small.get(x, blank)), np.ravel(small.get(y, blank)))
               for x, y in zip(first[:2], second[:2], strict=True))  # fmt: skip


def quantize(b: Builder, node: Any) -> None:
    """QuantizeLinear: part of requantisation, unless the tensor has another scale already."""
    source, output = node.input[0], node.output[0]
    zero = node.input[2] if len(node.input) > 2 else ""
    b.operand(source)
    if state(b, source, node.input[1], zero, b.graph.types[output]):
        b.view(source, b.graph.shapes[output], output, node.name)
        b.requantized.add(output)
        b.notes.append("quantisation and its inverse are part of requantisation and cost nothing more")
        return
    b.vector("quantize", node.name, [source], output, b.graph.shapes[output], lambda inputs, look: inputs[0])
    state(b, output, node.input[1], zero, b.graph.types[output])


def dequantize(b: Builder, node: Any) -> None:
    """DequantizeLinear: the same reals. Codes without a scale so far get this one."""
    source, output = node.input[0], node.output[0]
    b.operand(source)
    if b.graph.types[source] in ACTIVATIONS and not state(
        b, source, node.input[1], node.input[2] if len(node.input) > 2 else "", b.graph.types[source]
    ):  # fmt: skip
        raise b.wrong(node, "reads codes of another scale", "export the model again")
    b.view(source, b.graph.shapes[output], output, node.name)
    b.requantized.add(output)


def reals(name: str, scale: str, zero: str, axis: int = -1) -> Recipe:
    """Real values of stored codes. axis: of the channels that have a scale each."""

    def recipe(look: Lookup) -> NDArray[np.float64]:
        codes = np.asarray(look(name))
        codes = codes.astype(np.float64 if "float" in codes.dtype.name else np.int64)  # fp8 codes are values
        along = [1] * codes.ndim
        factor, offset = np.asarray(look(scale), np.float64).ravel(), np.zeros(1, np.int64)
        if zero:
            offset = np.asarray(look(zero)).astype(np.int64).ravel()
        if max(factor.size, offset.size) > 1:
            along[axis] = -1
        return np.asarray((codes - _along(offset, along)) * _along(factor, along), np.float64)

    return recipe


def _along(values: NDArray[Any], shape: list[int]) -> NDArray[Any]:
    return values.reshape(shape) if values.size > 1 else values.reshape(())


def bias_reals(bias: str, first: str, second: str) -> Recipe:
    """Real values of a 32-bit bias, whose scale is that of its products."""
    return lambda look: np.asarray(look(bias)).astype(np.float64).ravel() * (
        np.asarray(look(first), np.float64) * np.asarray(look(second), np.float64).ravel())


def weight_scale(b: Builder, op: MacOperator) -> tuple[str, str, int] | None:
    """(scale, zero point, element type) of a stored weight; None where the model states none."""
    if op.weight in b.weight_scales:
        return b.weight_scales[op.weight]
    makers = {output: node for node in b.graph.model.graph.node for output in node.output}
    name = op.weight.rstrip("'")
    while name in makers and makers[name].op_type in ("Transpose", "Reshape", "Identity"):
        name = makers[name].input[0]
    node = makers.get(name)
    if node is None or node.op_type != "DequantizeLinear" or attributes(node).get("block_size", 0):
        return None
    kind = b.graph.types[node.input[0]]
    return (node.input[1], node.input[2] if len(node.input) > 2 else "", kind) if kind in CODES else None


def give_formats(b: Builder) -> None:
    """Formats of MAC operators whose operands have stated scales; a ReLU where codes below 0.0 are none."""
    for number, op in enumerate(b.operators):
        sums = not isinstance(op, VectorOperator) or (op.kind == "add" and len(set(op.input_shapes)) == 1)
        if sums and _no_negatives(b, op.output):
            op = b.operators[number] = replace(op, activation="relu")
        if isinstance(op, VectorOperator) or root(b, op.input) not in b.stated:
            continue
        if b.tensors[op.weight].role == "weight":
            found = weight_scale(b, op)
            if found is not None:
                b.weight_scales[op.weight] = found
                b.operators[number] = replace(op, input_format="int8", weight_format=CODES[found[2]][0])
        elif root(b, op.weight) in b.stated:
            b.operators[number] = replace(op, input_format="int8", weight_format="int8")


def _no_negatives(b: Builder, name: str) -> bool:
    """Whether the code of 0.0 is the least one: the quantiser put a ReLU into the zero point."""
    if name not in b.stated:
        return False
    _, zero, kind = b.stated[name]
    least = {2: 0, 3: -128}[kind]
    small = b.graph.small
    return (not zero and kind == 2) or (zero in small and int(np.ravel(small[zero])[0]) == least)


def stated_values(b: Builder, look: Lookup) -> dict[str, NDArray[Any]]:
    """"<tensor>.scale" and "<tensor>.zero" of activations, "<weight>.scale" of weights; InputError for weights
    whose zero is not the middle code."""
    found: dict[str, NDArray[Any]] = {}
    for name, (scale, zero, kind) in b.stated.items():
        if name in b.tensors:
            at = int(np.asarray(look(zero)).astype(np.int64).ravel()[0]) if zero else 0
            found[f"{name}.scale"] = np.asarray(look(scale), np.float64).reshape(())
            found[f"{name}.zero"] = np.asarray(at - CODES[kind][1])
    for op in b.operators:
        known = None if isinstance(op, VectorOperator) else b.weight_scales.get(op.weight)
        if known is None or isinstance(op, VectorOperator):
            continue
        scale, zero, kind = known
        at_all = np.asarray(look(zero)).astype(np.int64) if zero else np.zeros(1, np.int64)
        if (at_all != CODES[kind][1]).any():
            raise b.graph.wrong("zero", "has weights whose zero point is not the middle code",
                                "quantise weights symmetrically (QInt8)", op.name)  # fmt: skip
        found[f"{op.weight}.scale"] = np.asarray(look(scale), np.float64).ravel()
    return found
