"""A trace as another program would write it, with NumPy alone, and its outputs by NumPy alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TEXT = """\
name: hand
inputs: {x: [4, 6], y: [1, 2, 5, 5]}
operators:
  - {name: fc, kind: gemm, input: x, n: 3, bias: true, activation: relu}
  - {name: wide, kind: gemm, input: fc, n: 2}
  - {name: conv, kind: conv2d, input: y, filters: 4, kernel: 3, padding: 1, groups: 2}
  - {name: sum, kind: add, input: [conv, conv]}
recorded:
  version: 1
  file: values.npz
"""
Arrays = dict[str, NDArray[np.generic]]


def rounded(
    sums: NDArray[np.int64], factor: NDArray[np.float64] | float, zero: int, low: int = -128
) -> NDArray[np.int8]:
    """Codes of sums, in float64, which is exact enough for numbers as small as these."""
    return np.clip(np.rint(sums * factor) + zero, low, 127).astype(np.int8)


def arrays(seed: int = 3) -> Arrays:
    """Every array of the trace above."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (4, 6)).astype(np.int8)
    weight = rng.integers(-127, 128, (6, 3)).astype(np.int8)
    bias = rng.integers(-900, 900, 3).astype(np.int32)
    channel = np.array([0.01, 0.02, 0.005])
    sums = (x.astype(np.int64) - 5) @ weight + bias
    fc = rounded(sums, 0.03 * channel / 0.6, -100, -100)
    second = rng.integers(-127, 128, (3, 2)).astype(np.int8)
    wide = ((fc.astype(np.int64) + 100) @ second).astype(np.int32)
    y = rng.integers(0, 256, (1, 2, 5, 5)).astype(np.uint8)
    kernel = rng.integers(-8, 8, (4, 1, 3, 3)).astype(np.int8)
    conv = rounded(convolved(y.astype(np.int64) - 128, kernel), 0.02 * 0.1 / 0.4, 3)
    total = rounded(2 * (conv.astype(np.int64) - 3), 0.5, 0)
    return {
        "x": x,
        "x.scale": np.float32(0.03).astype(np.float64),
        "x.zero": np.array(5),
        "fc.weight": weight,
        "fc.weight.scale": channel,
        "fc.bias": bias,
        "fc": fc,
        "fc.scale": np.array(0.6),
        "fc.zero": np.array(-100),
        "wide.weight": second,
        "wide.weight.scale": np.array([0.25]),
        "wide": wide,
        "y": y,
        "y.scale": np.array(0.02),
        "y.zero": np.array(128),
        "conv.weight": kernel,
        "conv.weight.scale": np.array(0.1),
        "conv": conv,
        "conv.scale": np.array(0.4),
        "conv.zero": np.array(3),
        "sum": total,
        "sum.scale": np.array(0.8),
    }


def convolved(y: NDArray[np.int64], kernel: NDArray[np.int8]) -> NDArray[np.int64]:
    """A 3 x 3 convolution with padding 1 in two groups of one channel, product by product."""
    padded = np.pad(y, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((1, 4, 5, 5), np.int64)
    for f in range(4):
        for i in range(3):
            for j in range(3):
                out[0, f] += kernel[f, 0, i, j] * padded[0, f // 2, i : i + 5, j : j + 5]
    return out


def write(folder: Path, values: Arrays | None = None, text: str = TEXT) -> Path:
    """The trace in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "trace.yaml").write_text(text)
    np.savez(folder / "values.npz", **(arrays() if values is None else values))
    return folder
