"""A convolution: by the input, the one that it is the transposed of; by the weight, one with the error as kernel.

By the input: with a stride of 1, a convolution of the error with the same weight, read transposed and turned. Any other
stride would multiply inserted zeros: there, the products of every tap are made, as many as forward, and col2im adds
them where windows overlap.

By the weight: images are what is added over, so both tensors are read with channels and images exchanged, which only
exchanges rows. Stride and dilation change places; rows and columns that no window reached are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.workload.backward import Backward, Path
    from accelsim.workload.operators import Conv2d


def gradient(op: Conv2d, error: str, back: Backward) -> None:
    if back.wants(op.input):
        data = back.toward(op, op.input, "backward_data")
        data.give(_by_input(op, error, data))
    if back.wants(op.weight):
        weight = back.toward(op, op.weight, "backward_weight")
        weight.give(_by_weight(op, error, weight))
    if op.bias is not None and back.wants(op.bias):
        bias = back.toward(op, op.bias)
        bias.give(bias.total(error, (1, op.filters, 1, 1)))


def _by_input(op: Conv2d, error: str, path: Path) -> str:
    reach = _reach(op)
    around = tuple(reach[i % 2] - 1 - pad for i, pad in enumerate(op.padding))
    if op.stride == (1, 1) and min(around) >= 0:
        return path.conv(
            error,
            op.weight,
            op.channels,
            op.kernel,
            padding=around,
            dilation=op.dilation,
            groups=op.groups,
            weight_transposed=True,
        )
    taps = op.channels * op.kernel[0] * op.kernel[1]
    products = path.conv(error, op.weight, taps, (1, 1), groups=op.groups, weight_transposed=True)
    window = {key: getattr(op, key) for key in ("kernel", "stride", "padding", "dilation")}
    return path.vector("col2im", [products], op.input_shape, **window)


def _by_weight(op: Conv2d, error: str, path: Path) -> str:
    x, reach = op.input, _reach(op)
    top, left, *far = op.padding
    sides, size = (op.height, op.width), [op.height, op.width]
    for axis, begin in enumerate((top, left)):
        unread = (sides[axis] + begin + far[axis] - reach[axis]) % op.stride[axis]
        size[axis] -= max(0, unread - far[axis])
        far[axis] = max(0, far[axis] - unread)
    if tuple(size) != sides:
        shape = (op.batch, op.channels, *size)
        x = path.vector("slice", [x], shape, offset=(0, 0, 0, 0))
    per_group, plane = op.channels // op.groups, size[0] * size[1]
    if op.groups > 1:
        x = path.reshape(x, (op.batch, op.groups, per_group, plane))
        x = path.transpose(x, (2, 1, 0, 3))
        x = path.reshape(x, (per_group, op.groups * op.batch, *size))
    else:
        x = path.transpose(x, (1, 0, 2, 3))
    kernel = path.transpose(error, (1, 0, 2, 3))
    made = path.conv(
        x,
        kernel,
        op.filters,
        (op.out_height, op.out_width),
        stride=op.dilation,
        padding=(top, left, far[0], far[1]),
        dilation=op.stride,
        groups=op.groups,
    )
    return path.transpose(made, (1, 0, 2, 3))


def _reach(op: Conv2d) -> tuple[int, int]:
    """Rows and columns from the first tap of the kernel to its last."""
    (kh, kw), (dh, dw) = op.kernel, op.dilation
    return dh * (kh - 1) + 1, dw * (kw - 1) + 1
