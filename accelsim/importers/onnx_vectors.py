"""ONNX operators that the vector unit runs, by kind, and those where nothing moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from accelsim.importers import onnx_dynamic
from accelsim.importers.onnx_build import Builder, Compute, Lookup, attributes, per_channel
from accelsim.importers.onnx_macs import pads_of, reshaped
from accelsim.importers.onnx_scales import narrow
from accelsim.workload import Conv2d, VectorOperator
from accelsim.workload.vector_kinds import VECTOR_KINDS

#: ONNX operators of one computed input, and of two, by what they become
UNARY, BINARY = (
    {
        name: kind
        for kind, record in VECTOR_KINDS.items()
        for name in record.from_onnx
        if (record.inputs == (2, 2) or name == "PRelu") == two
    }
    for two in (False, True)
)
VARIADIC = {"Sum": "add", "Max": "maximum", "Min": "minimum", "Mean": "add"}
#: a constant operand that is one number, or one a channel, becomes a parameter
WITH_CONSTANT = {"Add": "shift", "Sub": "shift", "Mul": "scale", "Div": "scale"}
VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout")
GATHERS = ("Gather", "GatherElements", "GatherND")


def unary(b: Builder, node: Any) -> None:
    """One computed input, the others constants."""
    if node.op_type == "Cast" and onnx_dynamic.cast(b, node):
        return
    read = [name for name in node.input if name and not b.is_constant(name)]
    first = node.input[0]
    if not read or read[0] != first:
        read = [first, *read]
    b.node(UNARY[node.op_type], node, read[:1] if len(read) == 1 else read)


def relu(b: Builder, node: Any) -> None:
    """Part of the operator before where that has an output of its own for nobody else."""
    source = node.input[0]
    found = b.before(source)
    if found is not None:
        number, op = found
        b.operators[number] = replace(op, activation="relu")
        b.absorb(node, source, op)
        return
    maker = b.operators[b.made[source]] if source in b.made else None
    if (
        isinstance(maker, VectorOperator)
        and maker.kind == "add"
        and b.only(source)
        and (maker.activation == "none" and len(set(maker.input_shapes)) == 1)
    ):
        b.operators[b.made[source]] = replace(maker, activation="relu")
        b.absorbed.append((node.name, node.op_type, maker.name))
        inner = b.computes.get(maker.name)
        if inner is not None:
            b.computes[maker.name] = rectified(inner)
        b.rename(source, node.output[0])
        return
    b.node("relu", node, [source])


def response_norm(b: Builder, node: Any) -> None:
    """LRN. Its values are written here: onnx 1.23's reference sums over as many channels as there are
    images."""
    options = attributes(node)
    size, alpha = int(options["size"]), float(options.get("alpha", 1e-4))
    beta, bias = float(options.get("beta", 0.75)), float(options.get("bias", 1.0))

    def compute(inputs: Sequence[Any], look: Lookup) -> Any:
        x = np.asarray(inputs[0], np.float64)
        before = (size - 1) // 2
        reach = ((0, 0), (before, size - 1 - before), *((0, 0),) * (x.ndim - 2))
        padded = np.pad(x * x, reach)
        total = sum(padded[:, i : i + x.shape[1]] for i in range(size))
        return x / (bias + alpha / size * total) ** beta

    b.vector(
        "local_response_norm",
        node.name,
        [node.input[0]],
        node.output[0],
        b.graph.shapes[node.output[0]],
        compute,
    )


def rectified(inner: Compute) -> Compute:
    """The values of an operator and a ReLU behind it."""
    return lambda inputs, look: np.maximum(inner(inputs, look), 0)


def clip(b: Builder, node: Any) -> None:
    """Between two constants; of codes, a narrower format."""
    if node.input[0] in b.codes:
        narrow(b, node)
        return
    b.node("clip", node, [node.input[0]])


def binary(b: Builder, node: Any) -> None:
    """Two operands; a small constant one is folded into a MAC operator before, or a parameter."""
    if not onnx_dynamic.product(b, node, _binary):
        _binary(b, node)


def _binary(b: Builder, node: Any) -> None:
    first, second = node.input[:2]
    out = b.graph.shapes[node.output[0]]
    for x, constant in ((first, second), (second, first)):
        if not b.is_constant(constant) or b.is_constant(x):
            continue
        if b.graph.shapes[x] == out and _folded(b, node, x, constant):
            return
        if b.graph.shapes[x] == out and (
            per_channel(b.shape(constant), out, -1) or per_channel(b.shape(constant), out, 1)
        ):
            kind = WITH_CONSTANT.get(node.op_type, BINARY[node.op_type])
            if kind in ("power", "divide", "subtract", "compare"):
                kind = {"power": "exp", "compare": "not"}.get(kind, "shift")
            b.node(kind, node, [x], parameters=_parameters(b, constant))
            return
    b.node(BINARY[node.op_type], node, [first, second])


def _parameters(b: Builder, *constants: str) -> tuple[str, ...]:
    """Constants of more than one number as parameters of a vector operator."""
    names = []
    for name in constants:
        if prod(b.shape(name)) > 1:
            names.append(b.stored(name, b.shape(name), reshaped(name, b.shape(name)), "bias"))
    return tuple(names)


def _folded(b: Builder, node: Any, x: str, constant: str) -> bool:
    """Whether a shift or scale a channel became part of the MAC operator before."""
    found = b.before(x)
    if found is None or node.op_type not in WITH_CONSTANT:
        return False
    axis = 1 if isinstance(found[1], Conv2d) else -1
    if not per_channel(b.shape(constant), b.graph.shapes[x], axis):
        return False
    swapped = node.input[0] == constant
    if node.op_type == "Add":
        return b.affine(node, x, None, lambda look: look(constant))
    if node.op_type == "Sub":
        if swapped:
            return b.affine(node, x, lambda look: np.array(-1.0), lambda look: look(constant))
        return b.affine(node, x, None, lambda look: -np.asarray(look(constant), np.float64))
    if node.op_type == "Mul":
        return b.affine(node, x, lambda look: look(constant), None)
    return not swapped and b.affine(
        node, x, lambda look: 1.0 / np.asarray(look(constant), np.float64), None
    )


def variadic(b: Builder, node: Any) -> None:
    """Sum, Max, Min, Mean of several: a chain of operators of two."""
    names = list(node.input)
    if len(names) == 1:
        b.view(names[0], b.graph.shapes[node.output[0]], node.output[0], node.name)
        return
    join = {"Max": np.maximum, "Min": np.minimum}.get(node.op_type, np.add)
    total, shape = names[0], b.shape(names[0])
    mean = node.op_type == "Mean"
    for number, name in enumerate(names[1:], 1):
        shape = tuple(np.broadcast_shapes(shape, b.shape(name)))
        output = f"{node.output[0]}:{number}" if mean or number < len(names) - 1 else node.output[0]
        total = b.vector(
            VARIADIC[node.op_type], node.name, [total, name], output, shape, joined(join)
        )
    if mean:
        b.vector(
            "scale",
            f"{node.name}/mean",
            [total],
            node.output[0],
            shape,
            lambda inputs, look: inputs[0] / len(names),
        )


def joined(join: Callable[[Any, Any], Any]) -> Compute:
    """Two operands put together."""
    return lambda inputs, look: join(inputs[0], inputs[1])


def select(b: Builder, node: Any) -> None:
    """Where: three operands, constants among them too."""
    b.node("select", node, list(node.input[:3]))


def batch_norm(b: Builder, node: Any) -> None:
    """Folded into the convolution before where there is one: exact but for rounding."""
    x, scale, shift, mean, variance = node.input[:5]
    epsilon = float(attributes(node).get("epsilon", 1e-5))
    if not all(b.is_constant(name) for name in (scale, shift, mean, variance)):
        raise b.wrong(node, "its statistics are computed", "export the model for inference")

    def factor(look: Lookup) -> Any:
        spread = np.sqrt(np.asarray(look(variance), np.float64) + epsilon)
        return np.asarray(look(scale), np.float64) / spread

    def offset(look: Lookup) -> Any:
        return np.asarray(look(shift), np.float64) - np.asarray(look(mean), np.float64) * factor(
            look
        )

    found = b.before(x)
    if found is not None and isinstance(found[1], Conv2d) and b.affine(node, x, factor, offset):
        return
    along = (-1, *(1,) * (len(b.shape(x)) - 2))
    b.vector(
        "batch_norm",
        node.name,
        [x],
        node.output[0],
        b.graph.shapes[node.output[0]],
        lambda inputs, look: inputs[0] * factor(look).reshape(along) + offset(look).reshape(along),
        parameters=_parameters(b, scale, shift),
    )


def normalisation(b: Builder, node: Any) -> None:
    """Layer, RMS, instance and group norms."""
    kind = {
        "LayerNormalization": "layer_norm",
        "RMSNormalization": "rms_norm",
        "SimplifiedLayerNormalization": "rms_norm",
    }.get(node.op_type, "group_norm")
    constants = [name for name in node.input[1:] if name and b.is_constant(name)]
    if any(b.graph.consumers.get(name) for name in node.output[1:]):
        raise b.wrong(node, "its statistics are read", "export the model for inference")
    b.node(kind, node, [node.input[0]], parameters=_parameters(b, *constants))


def pool(b: Builder, node: Any) -> None:
    """MaxPool and AveragePool of one, two or three dimensions."""
    options = attributes(node)
    x, out = node.input[0], b.graph.shapes[node.output[0]]
    shape = b.shape(x)
    rank = len(shape) - 2
    kernel = tuple(options["kernel_shape"])
    stride = tuple(options.get("strides", (1,) * rank))
    dilation = tuple(options.get("dilations", (1,) * rank))
    if len(node.output) > 1 and b.graph.consumers.get(node.output[1]):
        raise b.wrong(node, "its indices are read", "export the model without MaxUnpool")
    if set(dilation) != {1}:
        kernel = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        b.notes.append(f"{node.name}: a dilated window is charged as its whole reach")
    pads = pads_of(options, shape[2:], kernel, stride, (1,) * rank)
    kind = "average_pool" if node.op_type == "AveragePool" else "max_pool"
    own = (
        rank == 2
        and not options.get("ceil_mode")
        and set(dilation) == {1}
        and (kind == "max_pool" or not options.get("count_include_pad") or not any(pads))
    )
    compute = None if own else b.by_node(node, [x])
    if rank == 2:
        b.vector(
            kind,
            node.name,
            [x],
            node.output[0],
            out,
            compute,
            kernel=kernel,
            stride=stride,
            padding=pads,
        )
        return
    if rank not in (1, 3):
        raise b.wrong(node, f"has {rank} dimensions", "use one to three")
    # rows are what lies before the last axis: of three dimensions depth and height together
    flat = (shape[0], shape[1], prod(shape[2:-1]), shape[-1])
    made = (out[0], out[1], prod(out[2:-1]), out[-1])
    tall = prod(kernel[:-1])
    source = b.view(x, flat)
    step = max(1, flat[2] // made[2])
    target = f"{node.output[0]}:4d"
    b.vector(
        kind,
        node.name,
        [source],
        target,
        made,
        lambda inputs, look: compute([inputs[0].reshape(shape)], look).reshape(made),  # type: ignore[misc]
        kernel=(tall, kernel[-1]),
        stride=(step, stride[-1]),
    )
    b.view(target, out, node.output[0])


def views(b: Builder, node: Any) -> None:
    """Another shape, the same elements; what quantises is part of requantisation."""
    source = node.input[0]
    b.view(b.operand(source), b.graph.shapes[node.output[0]], node.output[0], node.name)


def turn(b: Builder, node: Any) -> None:
    """Transpose; one that swaps the last two axes for a product only is read as it lies."""
    source, output = node.input[0], node.output[0]
    rank = len(b.graph.shapes[source])
    order = list(attributes(node).get("perm", range(rank)[::-1]))
    swapped = [*order[:-2], order[-1], order[-2]] if rank > 1 else order
    readers = b.graph.consumers.get(output, [])
    product = bool(readers) and all(
        reader.op_type == "MatMul" and reader.input[1] == output and reader.input[0] != output
        for reader in readers
    )
    if (
        rank > 1
        and product
        and order[-1] != rank - 1 == swapped[-1]
        and output not in b.graph.outputs
    ):
        b.turned[output] = (
            b.operand(source)
            if swapped == list(range(rank))
            else b.transpose(source, swapped, f"{output}:rows")
        )
        b.absorbed.append((node.name, node.op_type, readers[0].name))
        return
    b.transpose(source, order, output, node.name)


def concat(b: Builder, node: Any) -> None:
    """Several tensors behind one another; rows behind a cache that is an input stay where they are."""
    names = [name for name in node.input if prod(b.shape(name))]
    rank = len(b.graph.shapes[node.output[0]])
    axis = int(attributes(node)["axis"]) % rank
    if (
        len(names) == 2
        and names[0] in b.graph.inputs
        and rank >= 3
        and axis == rank - 2
        and (b.only(names[0]) and not b.is_constant(names[1]))
    ):
        b.node("append", node, names)
        return
    if len(names) == 1:
        b.view(names[0], b.graph.shapes[node.output[0]], node.output[0], node.name)
        return
    b.node("concat", node, names)


def split(b: Builder, node: Any) -> None:
    """One slice for every part."""
    for number, name in enumerate(node.output):
        if name and (b.graph.consumers.get(name) or name in b.graph.outputs):
            b.node("slice", node, [node.input[0]], number)


def gather(b: Builder, node: Any) -> None:
    """Rows of a table or of a tensor, picked by indices."""
    read = [node.input[0]]
    if not b.is_constant(node.input[1]):
        read.append(node.input[1])
    b.node("gather", node, read)


def scatter(b: Builder, node: Any) -> None:
    """Elements written into a tensor."""
    read = [node.input[0], *(name for name in node.input[1:3] if not b.is_constant(name))]
    b.node("scatter", node, (read * 2)[: max(2, len(read))])


def resize(b: Builder, node: Any) -> None:
    """Nearest neighbours are moved; anything smoother is interpolated."""
    mode = attributes(node).get("mode", b"nearest")
    b.node("resize" if mode == b"nearest" else "interpolate", node, [node.input[0]])


def top(b: Builder, node: Any) -> None:
    """TopK: a comparison tree along the row; the outputs are cut from it."""
    whole = b.shape(node.input[0])
    sorted_ = b.vector(
        "sort",
        node.name,
        [node.input[0]],
        f"{node.output[0]}:sorted",
        whole,
        lambda inputs, look: inputs[0],
    )
    for number, name in enumerate(node.output):
        if name and (b.graph.consumers.get(name) or name in b.graph.outputs):
            inner = b.by_node(node, [node.input[0]], number)
            b.vector("slice", f"{node.name}:{number}", [sorted_], name, b.graph.shapes[name], inner)


Handler = Callable[[Builder, Any], None]
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(BINARY, binary),
    **dict.fromkeys(VARIADIC, variadic),
    **dict.fromkeys(VIEWS, views),
    **dict.fromkeys(GATHERS, gather),
    **dict.fromkeys(("ScatterElements", "ScatterND", "Scatter"), scatter),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
    **dict.fromkeys(
        (
            "LayerNormalization",
            "RMSNormalization",
            "InstanceNormalization",
            "GroupNormalization",
            "SimplifiedLayerNormalization",
        ),
        normalisation,
    ),
    "Relu": relu,
    "Clip": clip,
    "LRN": response_norm,
    "Where": select,
    "BatchNormalization": batch_norm,
    "Transpose": turn,
    "Concat": concat,
    "Split": split,
    "Resize": resize,
    "Upsample": resize,
    "TopK": top,
}
