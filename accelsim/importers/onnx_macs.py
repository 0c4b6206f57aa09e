"""ONNX operators that MAC arrays run: products and convolutions, lowered to Gemm and Conv2d.

Convolutions of one dimension run as two-dimensional ones of height 1; of three, over an input whose
depth windows were unfolded into channels; transposed ones as a 1 x 1 convolution to all products and
a sum of the overlapping ones (col2im), which is exactly their number of multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from accelsim.importers.onnx_build import Builder, Lookup, Recipe, attributes
from accelsim.importers.onnx_tensors import Shape
from accelsim.workload import Conv2d, Gemm


def reshaped(name: str, shape: Shape) -> Recipe:
    """A stored tensor under another shape."""
    return lambda look: np.asarray(look(name)).reshape(shape)


def pads_of(
    options: dict[str, Any], size: Shape, kernel: Shape, stride: Shape, dilation: Shape
) -> tuple[int, ...]:
    """Padding of every axis, first all begins, then all ends, auto_pad resolved."""
    auto = options.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        begins, ends = [], []
        for axis, length in enumerate(size):
            reach = dilation[axis] * (kernel[axis] - 1) + 1
            total = max(0, (-(-length // stride[axis]) - 1) * stride[axis] + reach - length)
            small = total // 2
            begins.append(small if auto == "SAME_UPPER" else total - small)
            ends.append(total - begins[-1])
        return (*begins, *ends)
    if auto == "VALID":
        return (0,) * (2 * len(size))
    return tuple(options.get("pads", (0,) * (2 * len(size))))


def convolution(
    b: Builder,
    node: Any,
    names: tuple[str, str, str] | None = None,
    recipes: tuple[Recipe, Recipe | None] | None = None,
) -> None:
    """Conv. names: input, weight, bias where they are not the node's first three. recipes: of the weight and
    the bias where they are not stored as reals."""
    x, w, bias = names or (*node.input, "", "")[:3]
    shape, weight = b.shape(x), b.shape(w)
    if not b.is_constant(w):
        raise b.wrong(node, "its weights are computed", "export the model with stored weights")
    rank = len(shape) - 2
    source, window = _planar(b, node, x, window_of(b, node, shape, weight))
    batch, channels, height, width = b.shape(source)
    filters = weight[0]
    stored = (filters, channels // window.groups, *window.kernel)
    final = node.output[0]
    output = final if rank == 2 else f"{final}:2d"
    first = recipes[0] if recipes else reshaped(w, stored)

    def made(look: Lookup) -> Any:
        return np.asarray(first(look)).reshape(stored)

    op = Conv2d(
        b.unique(node.name),
        source,
        b.stored(w, stored, made),
        output,
        batch,
        channels,
        height,
        width,
        filters,
        *window,  # type: ignore[arg-type]
        _bias(b, bias, filters, recipes[1] if recipes else None),
    )
    b.add(op)
    target = b.graph.shapes[final]
    if rank == 1:
        b.view(output, target, final)
    elif rank == 3:
        split = b.view(output, (target[0], target[2], filters, *target[3:]))
        b.transpose(split, (0, 2, 1, 3, 4), final)
    if op.output_shape[2:] != target[-2:] and rank == 2:
        raise b.wrong(node, f"has an output of {list(target)}, not {list(op.output_shape)}")


class Window(NamedTuple):
    """What a convolution's filters see of each axis: pads first all begins, then all ends."""

    kernel: Shape
    stride: Shape
    pads: Shape
    dilation: Shape
    groups: int


def window_of(b: Builder, node: Any, shape: Shape, weight: Shape) -> Window:
    """The window of a Conv of one to three dimensions; InputError for one that does not fit."""
    options, rank = attributes(node), len(shape) - 2
    kernel = tuple(weight[2:])
    stride = tuple(options.get("strides", (1,) * rank))
    dilation = tuple(options.get("dilations", (1,) * rank))
    pads = pads_of(options, shape[2:], kernel, stride, dilation)
    if any(pad < 0 for pad in pads):
        raise b.wrong(node, "has negative padding", "slice the input instead")
    groups = int(options.get("group", 1))
    fit = len(weight) == rank + 2 and groups >= 1
    if not fit or weight[1] * groups != shape[1] or weight[0] % groups:
        what = f"weights of {list(weight)} in {groups} groups do not fit {list(shape)}"
        raise b.wrong(node, what, "export the model again")
    if rank not in (1, 2, 3):
        raise b.wrong(node, f"has {rank} dimensions", "use one to three")
    return Window(kernel, stride, pads, dilation, groups)


def _planar(b: Builder, node: Any, x: str, window: Window) -> tuple[str, Window]:
    """The input of two dimensions, and the window over it."""
    kernel, stride, pads, dilation, groups = window
    if len(kernel) == 3:
        depth = (kernel[0], stride[0], dilation[0], pads[0], pads[3])
        flat = (pads[1], pads[2], pads[4], pads[5])
        source = _unfolded(b, node, x, depth)
        return source, Window(kernel[1:], stride[1:], flat, dilation[1:], groups)
    if len(kernel) == 1:
        images, channels, length = b.shape(x)
        source, flat = b.view(x, (images, channels, 1, length)), (0, pads[0], 0, pads[1])
        return source, Window((1, *kernel), (1, *stride), flat, (1, *dilation), groups)
    return b.operand(x), window


def _bias(b: Builder, name: str, count: int, recipe: Recipe | None = None) -> str | None:
    return b.stored(name, (count,), recipe or reshaped(name, (count,)), "bias") if name else None


def _unfolded(b: Builder, node: Any, x: str, depth: tuple[int, int, int, int, int]) -> str:
    """(images x output depths, channels x kernel depth, height, width) of a 3-D convolution's input."""
    kernel, stride, dilation, front, back = depth
    n, c, d, h, w = b.shape(x)
    out = (d + front + back - dilation * (kernel - 1) - 1) // stride + 1
    if kernel == 1 and stride == 1 and front == back == 0:
        turned = b.transpose(x, (0, 2, 1, 3, 4))
        return b.view(turned, (n * d, c, h, w))

    def planes(inputs: Sequence[Any], look: Lookup) -> Any:
        padded = np.pad(inputs[0], ((0, 0), (0, 0), (front, back), (0, 0), (0, 0)))
        take = np.arange(out)[:, None] * stride + np.arange(kernel)[None, :] * dilation
        return padded[:, :, take].transpose(0, 2, 1, 3, 4, 5).reshape(n * out, c * kernel, h, w)

    b.notes.append(f"{node.name}: windows of {kernel} planes are gathered before a 2-D convolution")
    return b.vector(
        "unfold",
        f"{node.name}/unfold",
        [x],
        f"{x}:planes{kernel}_{stride}_{dilation}_{front}",
        (n * out, c * kernel, h, w),
        planes,
    )


def transposed_convolution(b: Builder, node: Any) -> None:
    """ConvTranspose: all products by a 1 x 1 convolution, then the sum of overlapping ones."""
    options = attributes(node)
    x, w, bias = (*node.input, "")[:3]
    if not b.is_constant(w):
        raise b.wrong(node, "its weights are computed", "export the model with stored weights")
    shape, weight = b.shape(x), b.shape(w)  # weights: (channels, filters / group, *kernel)
    groups, taps = int(options.get("group", 1)), prod(weight[2:])
    space = shape[2:]
    flat = (shape[0], shape[1], prod(space[:-1]), space[-1])
    source = b.view(x, flat) if flat != shape else b.operand(x)
    per_group = weight[1] * taps
    stored = (groups * per_group, shape[1] // groups, 1, 1)

    def recipe(look: Lookup) -> Any:
        value = np.asarray(look(w)).reshape(groups, shape[1] // groups, per_group)
        return value.transpose(0, 2, 1).reshape(stored)

    columns = f"{node.output[0]}:columns"
    b.add(
        Conv2d(
            b.unique(node.name),
            source,
            b.stored(w, stored, recipe),
            columns,
            shape[0],
            shape[1],
            flat[2],
            flat[3],
            groups * per_group,
            (1, 1),
            groups=groups,
        )
    )
    parameters = (_bias(b, bias, groups * weight[1]) or "",) if bias else ()
    b.vector(
        "col2im",
        f"{node.name}/col2im",
        [columns],
        node.output[0],
        b.graph.shapes[node.output[0]],
        lambda inputs, look: overlapped(
            inputs[0],
            shape,
            weight,
            groups,
            options,
            b.graph.shapes[node.output[0]],
            look(bias) if bias else None,
        ),
        parameters=parameters,
    )


def overlapped(
    columns: Any,
    shape: Shape,
    weight: Shape,
    groups: int,
    options: dict[str, Any],
    target: Shape,
    bias: Any,
) -> Any:
    """The sum of a transposed convolution's products at the places where they overlap."""
    kernel, rank = weight[2:], len(weight) - 2
    stride = tuple(options.get("strides", (1,) * rank))
    dilation = tuple(options.get("dilations", (1,) * rank))
    space = shape[2:]
    total = [(space[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 for i in range(rank)]
    parts = np.asarray(columns).reshape(shape[0], groups * weight[1], *kernel, *space)
    out = np.zeros(
        (shape[0], groups * weight[1], *(max(t, s) for t, s in zip(total, space, strict=True)))
    )
    for tap in np.ndindex(*kernel):
        where = tuple(
            slice(
                tap[i] * dilation[i],
                tap[i] * dilation[i] + (space[i] - 1) * stride[i] + 1,
                stride[i],
            )
            for i in range(rank)
        )
        out[(slice(None), slice(None), *where)] += parts[(slice(None), slice(None), *tap)]
    begins = cut_of(options, total, target[2:], rank)
    whole = np.zeros(target)
    take = tuple(
        slice(b, b + min(t - b, size)) for b, t, size in zip(begins, total, target[2:], strict=True)
    )
    put = tuple(slice(0, s.stop - s.start) for s in take)
    whole[(slice(None), slice(None), *put)] = out[(slice(None), slice(None), *take)]
    return whole if bias is None else whole + np.asarray(bias).reshape(1, -1, *(1,) * rank)


def cut_of(
    options: dict[str, Any], total: Sequence[int], target: Shape, rank: int
) -> tuple[int, ...]:
    """What a transposed convolution cuts off at the beginning of every axis."""
    auto = options.get("auto_pad", b"NOTSET")
    if "output_shape" in options or auto in (b"SAME_UPPER", b"SAME_LOWER"):
        lost = [max(0, t - s) for t, s in zip(total, target, strict=True)]
        return tuple(n // 2 if auto == b"SAME_UPPER" else n - n // 2 for n in lost)
    return tuple(options.get("pads", (0,) * (2 * rank)))[:rank]


def general_product(b: Builder, node: Any) -> None:
    """Gemm: alpha A B + beta C, either operand transposed."""
    options = attributes(node)
    a, w, c = (*node.input, "")[:3]
    if options.get("transA", 0):
        a = b.transpose(a, (1, 0))
    turned = bool(options.get("transB", 0))
    alpha, beta = float(options.get("alpha", 1.0)), float(options.get("beta", 1.0))
    m, k = b.shape(a)
    n = b.shape(w)[0 if turned else 1]
    out = node.output[0]
    if c and not fits(b.shape(c), (m, n)):
        raise b.wrong(
            node, f"its C of {list(b.shape(c))} does not go over {[m, n]}", "export the model again"
        )
    constant = b.is_constant(w)
    weight = _scaled_weight(b, w, alpha) if constant else b.operand(w)
    entries = prod(b.shape(c)) if c else 0
    folded = bool(c) and b.is_constant(c) and (entries == 1 or b.shape(c)[-1] == entries == n)
    bias = None
    if folded and beta:
        own = c if beta == 1 and entries == n else f"{node.name}.bias"
        bias = b.stored(
            own,
            (n,),
            lambda look: np.broadcast_to(np.asarray(look(c)).reshape(-1) * beta, (n,)),
            "bias",
        )
    rest = bool(c) and bool(beta) and not folded
    scaled = alpha != 1 and not constant
    target, source = f"{out}:product" if rest or scaled else out, b.operand(a)
    name, sizes = b.unique(node.name), (m, k, n)
    b.add(Gemm(name, source, weight, target, *sizes, bias=bias, weight_transposed=turned))
    if scaled:
        end = out if not rest else f"{out}:scaled"
        target = _times(b, f"{node.name}/alpha", target, end, (m, n), alpha)
    if rest:
        if beta != 1:
            c = _times(b, f"{node.name}/beta", c, f"{c}:scaled", b.shape(c), beta)
        b.vector("add", f"{node.name}/add", [target, c], out, (m, n))


def _scaled_weight(b: Builder, w: str, alpha: float) -> str:
    """A stored weight times alpha."""
    if alpha == 1:
        return b.stored(w, b.shape(w), lambda look: look(w))
    kept = b.variant(w, f"{alpha:g}")
    weight = b.stored(kept, b.shape(w), lambda look: look(w) * alpha)
    b.weight_scales[weight] = None
    return weight


def _times(b: Builder, name: str, source: str, output: str, shape: Shape, factor: float) -> str:
    """A computed tensor times a number."""
    return b.vector("scale", name, [source], output, shape, lambda inputs, look: inputs[0] * factor)


def fits(shape: Shape, over: Shape) -> bool:
    """Whether a shape broadcasts to another without changing it."""
    return len(shape) <= len(over) and all(
        size in (1, whole) for size, whole in zip(shape[::-1], over[::-1], strict=False)
    )


def product(b: Builder, node: Any, names: tuple[str, str] | None = None) -> None:
    """MatMul with batch dimensions; the second operand stored or computed."""
    a, w = names or tuple(node.input[:2])
    multiply(b, node, a, w, node.output[0], b.graph.shapes[node.output[0]])


def multiply(
    b: Builder, node: Any, a: str, w: str, output: str, target: Shape, recipe: Recipe | None = None
) -> None:
    """output = a @ w as numpy's matmul does it. recipe: of a weight that is not stored as reals."""
    left, right = b.shape(a), b.shape(w)
    if len(left) == 1:
        a, left = b.view(a, (1, *left)), (1, *left)
    if len(right) == 1:
        right = (*right, 1)
    m, k, n = left[-2], left[-1], right[-1]
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    groups = prod(batch)
    constant, turned = b.is_constant(w), w in b.turned
    if prod(right[:-2]) == 1:  # one matrix for all: rows of all batches in one product
        m, groups = prod(left[:-2]) * m, 1
        source = b.view(a, (m, k))
        wanted: Shape = (k, n)
    else:
        a, left = _spread(b, node, a, left, batch)
        source = b.view(a, (groups, m, k) if groups > 1 else (m, k))
        wanted = (groups, k, n) if groups > 1 else (k, n)
        if prod(right[:-2]) != groups:
            w, right = _spread(b, node, w, right, batch)
            constant, turned = False, False
    if constant:
        first = recipe or reshaped(w, wanted)
        weight = b.stored(w, wanted, lambda look: np.asarray(first(look)).reshape(wanted))
    elif turned:
        weight = b.view(b.turned[w], (*wanted[:-2], n, k))
    else:
        weight = b.view(w, wanted)
    matrix: Shape = (groups, m, n) if groups > 1 else (m, n)
    direct = matrix == target
    made = output if direct else f"{output}:matrix"
    b.add(
        Gemm(
            b.unique(node.name),
            b.operand(source),
            weight,
            made,
            m,
            k,
            n,
            groups,
            weight_transposed=turned,
        )
    )
    if not direct:
        b.view(made, target, output)


def _spread(b: Builder, node: Any, name: str, shape: Shape, batch: Shape) -> tuple[str, Shape]:
    """An operand repeated over the batch dimensions that it lacks."""
    whole = (*batch, *shape[-2:])
    if prod(shape[:-2]) == prod(batch):
        return name, shape
    made = f"{name}:{'x'.join(map(str, whole))}"
    if made not in b.tensors:
        b.vector(
            "expand",
            f"{node.name}/expand",
            [name],
            made,
            whole,
            lambda inputs, look: np.broadcast_to(inputs[0], whole),
        )
    return made, whole


def einsum(b: Builder, node: Any) -> None:
    """Einsum of two operands that is a batched product: axes sorted into batch, m or n, and k."""
    text = attributes(node)["equation"].decode().replace(" ", "")
    inputs, _, result = text.partition("->")
    parts = inputs.split(",")
    if (
        "..." in text
        or len(parts) != 2
        or not result
        or any(len(set(p)) < len(p) for p in (*parts, result))
    ):
        raise b.wrong(node, f"{text} is no product of two operands", "write it with MatMul")
    left, right = parts
    batch = [c for c in left if c in right and c in result]
    deep = [c for c in left if c in right and c not in result]
    rows = [c for c in left if c not in right]
    columns = [c for c in right if c not in left]
    if any(c not in result for c in rows + columns) or not deep:
        raise b.wrong(node, f"{text} sums within an operand", "write it with ReduceSum and MatMul")
    size = {
        c: s
        for part, name in zip(parts, node.input, strict=True)
        for c, s in zip(part, b.shape(name), strict=True)
    }

    def extent(letters: list[str]) -> int:
        return prod(size[c] for c in letters)

    def arranged(name: str, have: str, order: list[str]) -> str:
        axes = [have.index(c) for c in order]
        return name if axes == sorted(axes) else b.transpose(name, axes)

    first = arranged(b.operand(node.input[0]), left, batch + rows + deep)
    groups, m, k, n = extent(batch), extent(rows), extent(deep), extent(columns)
    lead = (groups,) if groups > 1 else ()
    source = b.view(first, (*lead, m, k))
    axes = [right.index(c) for c in batch + columns + deep]
    name = node.input[1]
    if b.is_constant(name):
        weight = b.stored(
            f"{node.name}.weight",
            (*lead, n, k),
            lambda look: look(name).transpose(axes).reshape(*lead, n, k),
        )
    else:
        weight = b.view(arranged(name, right, batch + columns + deep), (*lead, n, k))
    made = f"{node.output[0]}:matrix"
    b.add(Gemm(b.unique(node.name), source, weight, made, m, k, n, groups, weight_transposed=True))
    shape = tuple(size[c] for c in batch + rows + columns)
    order = [(batch + rows + columns).index(c) for c in result]
    if order == sorted(order):
        b.view(made, shape, node.output[0])
    else:
        b.transpose(b.view(made, shape), order, node.output[0])


HANDLERS = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Gemm": general_product,
    "MatMul": product,
    "Einsum": einsum,
}
