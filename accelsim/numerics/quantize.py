"""Quantisation: real numbers to codes, and partial sums to codes.

Everything after the first conversion is integer. The conversions use only IEEE division,
multiplication and rounding, so their bits are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import Integer, integer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rounding = Literal["single", "gemmlowp", "float32"]
BLOCK = 1 << 14  # sums requantised at a time


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale (code - zero); scale: one number, or one a channel (weights).

    format: name of the integer format. zero: the code of 0.0, within the format.
    """

    format: str
    scale: Floats
    zero: int = 0

    @property
    def record(self) -> Integer:
        return integer(self.format)

    def encode(self, values: NDArray[np.floating]) -> Ints:
        """Codes of real values, nearest with ties to even, saturating. A scale per channel
        multiplies the last dimension."""
        codes = np.rint(np.asarray(values, np.float64) / self.scale) + self.zero
        whole = np.clip(codes, self.record.minimum, self.record.maximum)
        return np.asarray(whole.astype(np.int64), np.int64)

    def decode(self, codes: NDArray[np.integer]) -> Floats:
        """Real values of codes."""
        return (np.asarray(codes, np.int64) - self.zero) * self.scale


def symmetric(high: Floats | float, format_name: str) -> Quantization:
    """Zero at code 0, ``high`` (>= 0, one or one a channel) at the largest code."""
    peak = np.maximum(np.asarray(high, np.float64), 1e-30)
    return Quantization(format_name, peak / integer(format_name).maximum)


def affine(low: float, high: float, format_name: str) -> Quantization:
    """The whole range of codes over [low, high], which is widened to hold 0."""
    record = integer(format_name)
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = max(high - low, 1e-30) / (record.maximum - record.minimum)
    zero = int(np.clip(np.rint(record.minimum - low / scale), record.minimum, record.maximum))
    return Quantization(format_name, np.float64(scale), zero)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Requantizer:
    """Partial sums to output codes: clamp(round((sum + bias) multiplier / 2^shift) + zero).

    bias: (n,) int64, zero-point corrections folded in. multiplier: (n,) int64 below 2^31. shift:
    (n,) int64, 1..62. rounding: "single" rounds once, ties to even; "gemmlowp" is a saturating
    doubling high multiply (ties up) and then a rounding right shift (ties away from zero); "float32"
    multiplies in float32, as onnxruntime's kernels do, and rounds to nearest, ties to even.
    floor, ceiling: the clamp, which also does a ReLU.
    """

    bias: Ints
    multiplier: Ints
    shift: Ints
    zero: int
    floor: int
    ceiling: int
    rounding: Rounding = "single"

    def apply(self, sums: Ints, n0: int = 0) -> Ints:
        """Codes of sums (..., n) whose last axis starts at output channel n0."""
        part = slice(n0, n0 + sums.shape[-1])
        if self.rounding == "single" and sums.size >= BLOCK:
            return self._by_blocks(sums, part)
        wide = sums + self.bias[part]
        scale = {"single": rescale, "gemmlowp": rescale_gemmlowp, "float32": rescale_float32}[self.rounding]
        codes = scale(wide, self.multiplier[part], self.shift[part]) + self.zero
        return np.asarray(np.clip(codes, self.floor, self.ceiling), np.int64)


    def _by_blocks(self, sums: Ints, part: slice) -> Ints:
        """The same, so many rows at a time that all steps stay in a cache."""
        bias, multiplier, shift = self.bias[part], self.multiplier[part], self.shift[part]
        rows = sums.reshape(-1, sums.shape[-1])
        codes = np.empty(rows.shape, np.int64)
        half = (np.int64(1) << (shift - 1)) - 1
        step = max(1, BLOCK // rows.shape[1])
        for low in range(0, len(rows), step):
            wide, out = rows[low : low + step] + bias, codes[low : low + step]
            if int(wide.max()) >= 1 << 31 or int(wide.min()) < -(1 << 31):
                out[:] = rescale(wide, multiplier, shift)
            else:  # half less one, and one more where the floor is odd: ties to even
                wide *= multiplier
                np.right_shift(wide, shift, out=out)
                out &= 1
                wide += half
                wide += out
                np.right_shift(wide, shift, out=out)
            out += self.zero
            np.clip(out, self.floor, self.ceiling, out=out)
        return codes.reshape(sums.shape)


def fixed_point(factor: Floats) -> tuple[Ints, Ints]:
    """(multiplier, shift) with multiplier / 2^shift nearest to each factor, 2^30 <= multiplier
    < 2^31 where the shift allows (factors from 2^-31 to 2^29)."""
    fraction, exponent = np.frexp(np.asarray(factor, np.float64))
    multiplier = np.rint(fraction * 2.0**31).astype(np.int64)
    exponent = exponent.astype(np.int64)
    carry = multiplier == 1 << 31
    multiplier = np.where(carry, 1 << 30, multiplier)
    shift = 31 - (exponent + carry)
    far = np.maximum(shift - 62, 0)
    return multiplier >> far, np.clip(shift, 1, 62)


def rescale(values: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """round(values multiplier / 2^shift), ties to even, exact for |values| < 2^32."""
    if values.size and max(int(values.max()), -int(values.min())) >= 1 << 32:
        return _rescale_wide(values, multiplier, shift)
    product = values * multiplier
    floor = product >> shift
    rest = product - (floor << shift)
    half = np.int64(1) << (shift - 1)
    up = (rest > half) | ((rest == half) & ((floor & 1) == 1))
    return np.asarray(floor + up, np.int64)


def _rescale_wide(values: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """The same in Python's integers, for accumulators wider than 32 bits. Results beyond 64 bits
    become the largest or smallest that fits; codes are clamped far below."""
    product = values.astype(object) * multiplier.astype(object)
    power = shift.astype(object)
    floor = product >> power
    rest = (product - (floor << power)) * 2
    whole = np.frompyfunc(lambda p: 1 << p, 1, 1)(power)
    up = (rest > whole) | ((rest == whole) & (floor % 2 == 1))
    limits = np.iinfo(np.int64)
    return np.asarray(np.clip(floor + up, limits.min, limits.max).astype(np.int64), np.int64)


def rescale_float32(values: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """The product of the sum and multiplier / 2^shift, each rounded to float32, to the nearest integer, ties
    to even."""
    factor = np.ldexp(multiplier.astype(np.float64), -shift.astype(np.int32)).astype(np.float32)
    return np.asarray(np.rint(values.astype(np.float32) * factor).astype(np.int64), np.int64)


def rescale_gemmlowp(values: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """gemmlowp's pair: SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT.

    values saturate to 32 bits first; shift = 31 + the right shift; a left shift (shift < 31) is
    applied before the multiply, saturating.
    """
    low, high = -(1 << 31), (1 << 31) - 1
    left = np.maximum(31 - shift, 0)
    value = np.clip(np.clip(values, low, high) << left, low, high)
    product = value * multiplier
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    total = product + nudge
    doubled = np.where(total >= 0, total >> 31, -((-total) >> 31))  # truncating division
    right = np.maximum(shift - 31, 0)
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (doubled < 0)
    return np.asarray((doubled >> right) + ((doubled & mask) > threshold), np.int64)
