"""How good the outputs are: top-1, and signal to noise against a float reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.tensors import read_constants
from accelsim.numerics.lowering import lower_input, raise_output, weight_matrix
from accelsim.numerics.network import Evaluate, has_arithmetic, no_evaluator
from accelsim.numerics.quantize import Quantization
from accelsim.workload import Operator, VectorOperator, Workload

Floats = NDArray[np.float64]
Rounded = Mapping[str, Callable[[Floats], Floats]]
#: magnitude from which a value is a mask, such as -3.4e38 before a softmax
UNBOUNDED = 1e30
Replaced = Callable[[Operator, Floats], Floats]


def top1(scores: NDArray[np.generic], labels: NDArray[np.integer]) -> float:
    """The fraction of rows whose largest score (lowest index wins ties) is at the label."""
    flat = np.asarray(scores).reshape(len(labels), -1)
    return float((flat.argmax(axis=1) == np.asarray(labels)).mean())


def signal_to_noise(reference: Floats, codes: NDArray[np.integer], quant: Quantization) -> float:
    """10 log10 of signal power over error power, in dB; inf without an error, -inf without a signal. What the
    reference masks (infinities and values beyond UNBOUNDED) is left out."""
    values = quant.decode(codes)
    bounded = np.abs(reference) < UNBOUNDED
    if not bounded.all():
        reference, values = reference[bounded], values.reshape(reference.shape)[bounded]
    return decibels(reference, reference - values)


def decibels(signal: Floats, error: Floats) -> float:
    """The same of a signal and its error."""
    power, whole = float((error * error).sum()), float((signal * signal).sum())
    if power == 0 or whole == 0:
        return float("inf") if power == 0 else float("-inf")
    return float(10 * np.log10(whole / power))


def float_forward(
    workload: Workload,
    inputs: Mapping[str, Floats],
    values: Mapping[str, NDArray[np.generic]],
    evaluate: Evaluate = no_evaluator,
    rounded: Rounded | None = None,
    replaced: Replaced | None = None,
) -> dict[str, Floats]:
    """Every tensor in float64: the reference that quantised outputs are measured against. evaluate:
    values of vector operators without integer arithmetic. rounded: what rounds a tensor that its model
    quantises, by name. replaced(operator, values): what the operators behind are to read instead."""
    tensors: dict[str, Floats] = {k: np.asarray(v, np.float64) for k, v in inputs.items()}
    constants = {name: np.asarray(values[name], np.float64) for name in read_constants(workload)}
    tensors |= constants
    for op in workload.operators:
        made = _operator(workload, op, tensors, values, evaluate)
        if rounded is not None and op.output in rounded:
            made = rounded[op.output](made)
        tensors[op.output] = made if replaced is None else replaced(op, made)
    return {name: value for name, value in tensors.items() if name not in constants}


def _operator(
    workload: Workload,
    op: Operator,
    tensors: Mapping[str, Floats],
    values: Mapping[str, NDArray[np.generic]],
    evaluate: Evaluate,
) -> Floats:
    if isinstance(op, VectorOperator):
        read = [tensors[name] for name in op.inputs]
        return _vector(op, read) if has_arithmetic(op) else evaluate(op, read)
    a = lower_input(op, tensors[op.input].reshape(op.input_shape))
    second = values[op.weight] if workload.is_stored(op.weight) else tensors[op.weight]
    b = weight_matrix(op, np.asarray(second, np.float64))
    wide = np.matmul(a, b)
    if op.bias is not None:
        wide = wide + np.asarray(values[op.bias], np.float64).reshape(op.groups, 1, op.n)
    if op.activation == "relu":
        wide = np.maximum(wide, 0.0)
    return np.asarray(raise_output(op, wide), np.float64)


def real_vector(op: VectorOperator, inputs: list[Floats]) -> Floats | None:
    """An operator's values in float64, sums in ascending order; None for kinds that are evaluated
    elsewhere."""
    if op.kind == "add":
        x = inputs[0] + inputs[1]
    elif op.kind == "multiply":
        x = inputs[0] * inputs[1]
    elif op.kind == "relu":
        x = inputs[0]
    elif op.kind == "global_average_pool":
        flat = inputs[0].reshape(*inputs[0].shape[:2], -1)
        x = (np.cumsum(flat, axis=2)[..., -1] / flat.shape[2]).reshape(op.output_shape)
    elif op.kind == "max_pool":
        return _vector(op, inputs)
    elif op.kind == "average_pool":
        windows = _windows(op, inputs[0], 0.0)
        held = _windows(op, np.ones_like(inputs[0]), 0.0)
        x = np.cumsum(windows, axis=-1)[..., -1] / held.sum(axis=-1)
    else:
        return None
    return np.maximum(x, 0.0) if op.kind == "relu" or op.activation == "relu" else x


def _windows(op: VectorOperator, x: Floats, empty: float) -> Floats:
    """(batch, channels, rows, columns, kernel) of a pool's input, padding filled."""
    top, left, bottom, right = op.padding
    pad = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=empty)
    view = np.lib.stride_tricks.sliding_window_view(pad, op.kernel, (2, 3))
    height, width = op.output_shape[2:]
    view = view[:, :, :: op.stride[0], :: op.stride[1]][:, :, :height, :width]
    return np.asarray(view.reshape(*view.shape[:4], -1), np.float64)


def _vector(op: VectorOperator, inputs: list[Floats]) -> Floats:
    x = inputs[0]
    if op.kind == "add":
        x = inputs[0] + inputs[1]
    elif op.kind == "multiply":
        x = inputs[0] * inputs[1]
    elif op.is_view:
        return (x.transpose(op.order) if op.order else x).reshape(op.output_shape)
    elif op.kind == "append":
        return np.concatenate(
            inputs, next(axis for axis, size in enumerate(op.output_shape) if size != x.shape[axis])
        )
    elif op.kind == "global_average_pool":
        return np.asarray(x.mean(axis=(2, 3), keepdims=True), np.float64)
    elif op.kind in ("max_pool", "average_pool"):
        top, left, bottom, right = op.padding
        empty = -np.inf if op.kind == "max_pool" else np.nan
        pad = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=empty)
        view = np.lib.stride_tricks.sliding_window_view(pad, op.kernel, (2, 3))
        view = view[:, :, :: op.stride[0], :: op.stride[1]]
        height, width = op.output_shape[2:]
        view = view[:, :, :height, :width]
        pick = np.max if op.kind == "max_pool" else np.nanmean
        return np.asarray(pick(view, axis=(4, 5)), np.float64)
    return np.maximum(x, 0.0) if op.kind == "relu" or op.activation == "relu" else x
