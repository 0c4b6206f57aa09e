"""Quantisation at a crossbar's edges: input codes and output codes, both symmetric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Converter:
    """b bits give 2**b - 1 codes from -(2**(b-1) - 1) to 2**(b-1) - 1; the largest stands for
    ``bound``. Values are rounded to the nearest code, ties to even, then clipped."""

    bits: int
    bound: float = 1.0

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 24:
            raise ValueError(f"{self.bits} bits: converters have 2 to 24")
        if not np.isfinite(self.bound) or self.bound <= 0:
            raise ValueError(f"bound {self.bound} is no positive number")

    @property
    def top(self) -> int:
        """The largest code."""
        return (1 << (self.bits - 1)) - 1

    @property
    def step(self) -> float:
        """What one code stands for."""
        return self.bound / self.top

    def codes(self, values: Floats) -> Ints:
        """Integer codes of values."""
        return np.clip(np.rint(values / self.step), -self.top, self.top).astype(np.int64)

    def clipped(self, values: Floats) -> NDArray[np.bool_]:
        """Which values lie beyond the last code."""
        return np.asarray(np.abs(np.rint(values / self.step)) > self.top)


class Noise(NamedTuple):
    """What the converters' inputs carry. deviates: (rows, columns), empty for none; spread: their standard
    deviation by column, in steps; variance: of each element, times share, added to the spread's; (0, 0) for none."""

    deviates: Any
    spread: Any
    variance: Any
    share: float


def convert(sums: Any, scale: float, noise: Noise, top: float, weight: Any, total: Any) -> int:
    """total += converted(sums * scale + noise) * weight, element by element; how many clip.

    sums, total: (rows, columns); scale: to converter steps. top: the converter's last code. weight: by
    column.
    """
    deviates, spread, variance, share = noise
    rows, columns = sums.shape
    clipped = 0
    values = np.empty(columns)
    for i in range(rows):
        if deviates.shape[0] == 0:
            for j in range(columns):
                values[j] = sums[i, j] * scale
        elif variance.shape[0] == 0:
            for j in range(columns):
                values[j] = sums[i, j] * scale + spread[j] * deviates[i, j]
        else:
            for j in range(columns):
                s = np.sqrt(variance[i, j] * share + spread[j] * spread[j])
                values[j] = sums[i, j] * scale + s * deviates[i, j]
        for j in range(columns):
            y = np.rint(values[j])
            clipped += 1 if abs(y) > top else 0
            y = top if y > top else y
            y = -top if y < -top else y
            total[i, j] += y * weight[j]
    return clipped


def convert_plain(
    sums: Any, scale: float, noise: Noise, top: float, weight: Floats, total: Floats
) -> int:
    """The same in NumPy."""
    deviates, spread, variance, share = noise
    values = sums * scale
    if len(deviates):
        s = np.sqrt(variance * share + spread * spread) if len(variance) else spread
        values += s * deviates
    y = np.rint(values)
    clipped = int(np.count_nonzero(np.abs(y) > top))
    total += np.clip(y, -top, top) * weight
    return clipped


def converter_pass(size: int) -> Any:
    """The kernel for so many conversions, plain or compiled."""
    return jit.compiled(convert) if jit.worthwhile(convert, (), size) else convert_plain
