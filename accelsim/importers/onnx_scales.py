"""Scales and zero points that a quantised model states: QLinear operators, QuantizeLinear and its inverse.

A tensor of unsigned codes runs as signed ones: code and zero point less 128 are the same reals.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.importers.onnx_build import (
    CODES,
    WIDTHS,
    Builder,
    Lookup,
    Recipe,
    attributes,
    code_form,
)
from accelsim.workload import MacOperator, VectorOperator

FLOATS = (1, 10, 11, 16)  # ONNX's element types of reals
#: element type -> least and largest code
ENDS = {2: (0, 255), 3: (-128, 127), 21: (0, 15), 22: (-8, 7)}


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
    if b.graph.types[name] not in FLOATS:
        b.codes.add(name)
    if kind not in CODES or b.graph.shapes[scale] not in ((), (1,)):
        b.notes.append(
            f"{name}: codes of more than 8 bits or with a scale a channel: "
            "ranges from the inputs instead"
        )
        return True
    return b.stated.setdefault(root(b, name), (scale, zero, kind)) == (scale, zero, kind) or _same(
        b, b.stated[root(b, name)], (scale, zero, kind)
    )


def _same(b: Builder, first: tuple[str, str, int], second: tuple[str, str, int]) -> bool:
    small, blank = b.graph.small, np.zeros(())
    if first[2] != second[2] or not {first[0], second[0]} <= set(small):
        return False
    return all(
        np.array_equal(np.ravel(small.get(x, blank)), np.ravel(small.get(y, blank)))
        for x, y in zip(first[:2], second[:2], strict=True)
    )


def quantize(b: Builder, node: Any) -> None:
    """QuantizeLinear: part of requantisation, unless somebody reads the tensor as it was or at another
    scale."""
    source, output = node.input[0], node.output[0]
    zero = node.input[2] if len(node.input) > 2 else ""
    kind = b.graph.types[output]
    b.operand(source)
    b.codes.add(output)
    others = source in b.graph.outputs or any(
        reader.op_type != "QuantizeLinear" for reader in b.graph.consumers.get(source, ())
    )
    if not others and state(b, source, node.input[1], zero, kind):
        b.view(source, b.graph.shapes[output], output, node.name)
        b.requantized.add(output)
        b.notes.append(
            "quantisation and its inverse are part of requantisation and cost nothing more"
        )
        return
    b.vector(
        "quantize",
        node.name,
        [source],
        output,
        b.graph.shapes[output],
        lambda inputs, look: inputs[0],
    )
    state(b, output, node.input[1], zero, kind)


def narrow(b: Builder, node: Any) -> None:
    """Clip of codes (QCDQ: Brevitas, FINN): the tensor has fewer codes, and the format that holds them."""
    source, output = node.input[0], node.output[0]
    first = root(b, source)
    kind = b.graph.types[source]
    clip = bounds(b, node)
    if clip is None or kind not in CODES:
        raise b.wrong(node, "clips codes to values that are computed", "export constant bounds")
    if first not in b.stated:
        b.node("clip", node, [source])  # of codes without a scale so far
        return
    low, high = clip
    before = b.clips.get(first, ENDS[kind])
    both = max(low, before[0]), min(high, before[1])
    if all(b.only(name) for name in {first, source}) or both == before:
        b.view(source, b.graph.shapes[output], output, node.name)
        b.clips[first] = both
    else:  # somebody reads what is not clipped
        b.vector(
            "clip",
            node.name,
            [source],
            output,
            b.graph.shapes[output],
            lambda inputs, look: inputs[0],
        )
        b.stated[output], b.clips[output] = b.stated[first], both
    b.requantized.add(output)


def bounds(b: Builder, node: Any) -> tuple[int, int] | None:
    """Least and largest code of a Clip; None where they are computed."""
    ends = list(ENDS.get(b.graph.types[node.input[0]], (0, 0)))
    options = attributes(node)
    for number, key in enumerate(("min", "max")):
        name = node.input[number + 1] if len(node.input) > number + 1 else ""
        if name and name not in b.graph.small:
            return None
        given = np.ravel(b.graph.small[name])[0] if name else options.get(key)
        if given is not None:
            ends[number] = (max, min)[number](int(given), ends[number])
    return (ends[0], ends[1]) if ends[0] <= ends[1] else None


def dequantize(b: Builder, node: Any) -> None:
    """DequantizeLinear: the same reals. Codes without a scale so far get this one; integers become reals."""
    source, output = node.input[0], node.output[0]
    b.operand(source)
    kind = b.graph.types[source]
    if source in b.made and source not in b.codes:  # an operator's integers, which are no codes
        b.node("dequantize", node, [source])
        return
    if kind in CODES and not state(
        b, source, node.input[1], node.input[2] if len(node.input) > 2 else "", kind
    ):
        raise b.wrong(node, "reads codes of another scale", "export the model again")
    b.codes.add(source)
    b.view(source, b.graph.shapes[output], output, node.name)
    b.codes.discard(output)
    b.requantized.add(output)


def reals(name: str, scale: str, zero: str, axis: int = -1) -> Recipe:
    """Real values of stored codes. axis: of the channels that have a scale each."""

    def recipe(look: Lookup) -> NDArray[np.float64]:
        codes = np.asarray(look(name))
        codes = codes.astype(
            np.float64 if "float" in codes.dtype.name else np.int64
        )  # fp8 codes are values
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
    return lambda look: (
        np.asarray(look(bias)).astype(np.float64).ravel()
        * (np.asarray(look(first), np.float64) * np.asarray(look(second), np.float64).ravel())
    )


def weight_scale(b: Builder, op: MacOperator) -> tuple[str, str, int] | None:
    """(scale, zero point, element type) of a stored weight; None where the model states none that holds for
    whole channels. What the codes are clipped to is noted in b.clips."""
    if op.weight in b.weight_scales:
        return b.weight_scales[op.weight]
    node = maker_of(b, op.weight.rstrip("'"), ("Transpose", "Reshape", "Identity"))
    if node is None or node.op_type != "DequantizeLinear":
        return None
    kind, form = b.graph.types[node.input[0]], CODES.get(b.graph.types[node.input[0]], ("", 0))[0]
    if attributes(node).get("block_size", 0):
        b.notes.append(
            f"{op.name}: weights of {BITS.get(kind, 8)} bits with a scale a block run and move as "
            "the chip's weights, with a scale a channel"
        )
        return None
    if not form:
        return None
    before = maker_of(b, node.input[0], ("Identity",))
    if before is not None and before.op_type == "Clip":
        clip = bounds(b, before)
        if clip is not None:
            b.clips[op.weight] = clip
    return node.input[1], node.input[2] if len(node.input) > 2 else "", kind


#: bits of ONNX's element types that weights are stored in
BITS = {17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 25: 2, 26: 2}


def maker_of(b: Builder, name: str, through: tuple[str, ...]) -> Any:
    """The node that makes a constant, behind those that only move it; None for what is stored."""
    makers = {output: node for node in b.graph.visited for output in node.output}
    while name in makers and makers[name].op_type in through:
        name = makers[name].input[0]
    return makers.get(name)


def weight_form(b: Builder, weight: str, kind: int, zero: str) -> tuple[str, int] | None:
    """(format, zero point) of stored codes less their zero point; None where no format of 8 bits holds them or
    the zero points differ."""
    at = (
        np.ravel(b.graph.small[zero]).astype(np.int64)
        if zero in b.graph.small
        else np.zeros(1, np.int64)
    )
    if (at != at[0]).any() or (zero and zero not in b.graph.small):
        return None
    low, high = b.clips.get(weight, ENDS[kind])
    low, high = low - int(at[0]), high - int(at[0])
    fits = [width for width in WIDTHS if -(1 << (width - 1)) <= low and high < 1 << (width - 1)]
    return (f"int{fits[0]}", int(at[0])) if fits else None


def give_formats(b: Builder) -> None:
    """Formats of MAC operators whose operands have stated scales; a ReLU where codes below 0.0 are none."""
    for number, op in enumerate(b.operators):
        sums = not isinstance(op, VectorOperator) or (
            op.kind == "add" and len(set(op.input_shapes)) == 1
        )
        if sums and _no_negatives(b, op.output):
            op = b.operators[number] = replace(op, activation="relu")
        if isinstance(op, VectorOperator):
            continue
        source, second = root(b, op.input), root(b, op.weight)
        if b.tensors[op.weight].role == "weight":
            found = weight_scale(b, op)
            form = weight_form(b, op.weight, found[2], found[1]) if found is not None else None
            if found is not None and form is None:
                b.notes.append(
                    f"{op.name}: weights with zero points of their own get scales of ours"
                )
            b.weight_scales[op.weight] = found if form is not None else None
            if form is not None and source in b.stated:
                b.operators[number] = replace(
                    op, input_format=b.form(source), weight_format=form[0]
                )
            elif form is not None:
                b.weight_scales[op.weight] = found if form[0] == "int8" else None
                if form[0] != "int8":
                    b.notes.append(
                        f"{op.name}: weights stored as {form[0]} beside inputs without codes run "
                        "and move as the chip's weights"
                    )
        elif source in b.stated and second in b.stated:
            b.operators[number] = replace(
                op, input_format=b.form(source), weight_format=b.form(second)
            )


def _no_negatives(b: Builder, name: str) -> bool:
    """Whether the code of 0.0 is the least one: the quantiser put a ReLU into the zero point."""
    if name not in b.stated:
        return False
    _, zero, kind = b.stated[name]
    least = b.clips.get(name, ENDS[kind])[0]
    small = b.graph.small
    at = 0 if not zero else int(np.ravel(small[zero])[0]) if zero in small else None
    return at == least


def stated_values(b: Builder, look: Lookup) -> dict[str, NDArray[Any]]:
    """ "<tensor>.scale", "<tensor>.zero" and, where codes are clipped, "<tensor>.codes" (least and largest) of
    activations; "<weight>.scale" of weights."""
    found: dict[str, NDArray[Any]] = {}
    for name, (scale, zero, kind) in b.stated.items():
        if name in b.tensors:
            at = int(np.asarray(look(zero)).astype(np.int64).ravel()[0]) if zero else 0
            shift = code_form(kind, b.clips.get(name))[1]
            found[f"{name}.scale"] = np.asarray(look(scale), np.float64).reshape(())
            found[f"{name}.zero"] = np.asarray(at - shift)
            if name in b.clips:
                found[f"{name}.codes"] = np.asarray(b.clips[name]) - shift
    for op in b.operators:
        known = None if isinstance(op, VectorOperator) else b.weight_scales.get(op.weight)
        if known is not None and not isinstance(op, VectorOperator):
            found[f"{op.weight}.scale"] = np.asarray(look(known[0]), np.float64).ravel()
    return found
