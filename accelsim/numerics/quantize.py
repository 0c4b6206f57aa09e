"""Quantisation: real numbers to codes, and partial sums to codes.

Everything after the first conversion is integer. The conversions use only IEEE division,
multiplication and rounding, so their bits are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import Integer, get, integer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rounding = Literal["single", "gemmlowp", "float32"]
BLOCK = 1 << 14  # sums requantised at a time
LARGEST_IN_INT64 = float(np.nextafter(2.0**63, 0))  # of float64's numbers
MOST_IN_INT64 = (1 << 62) - 1  # magnitude that a sum of two still fits


def ratio(values: Floats | float, scale: Floats | float) -> Floats:
    """values / scale; 0 where the scale is: such a tensor holds zeros, whatever its codes say."""
    if np.all(scale):
        return np.asarray(values, np.float64) / scale
    divisor = np.where(np.equal(scale, 0), 1.0, scale)
    return np.where(np.equal(scale, 0), 0.0, np.asarray(values, np.float64) / divisor)


def peak_of(values: Ints) -> int:
    """The largest magnitude, as Python's integer."""
    return max(int(values.max()), -int(values.min())) if values.size else 0


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale (code - zero); scale: one number, or one a channel (weights); where it is 0, all reals are.

    format: name of the integer format. zero: the code of 0.0, within the format. lowest, highest: the codes
    in use, where they are fewer than the format's (a model that clips its codes).
    """

    format: str
    scale: Floats
    zero: int = 0
    lowest: int | None = None
    highest: int | None = None

    @property
    def record(self) -> Integer:
        return integer(self.format)

    @property
    def minimum(self) -> int:
        """The smallest code in use."""
        return self.record.minimum if self.lowest is None else self.lowest

    @property
    def maximum(self) -> int:
        """The largest code in use."""
        return self.record.maximum if self.highest is None else self.highest

    def encode(self, values: NDArray[np.floating]) -> Ints:
        """Codes of real values, nearest with ties to even, saturating; of what is no number, the zero. A
        scale per channel multiplies the last dimension."""
        codes = np.rint(ratio(np.asarray(values, np.float64), self.scale)) + self.zero
        if np.isnan(codes).any():
            codes = np.where(np.isnan(codes), self.zero, codes)
        low, high = self.minimum, self.maximum
        whole = np.clip(codes, low, min(float(high), LARGEST_IN_INT64)).astype(np.int64)
        return np.asarray(np.clip(whole, low, high), np.int64)

    def decode(self, codes: NDArray[np.integer]) -> Floats:
        """Real values of codes."""
        return (np.asarray(codes, np.int64) - self.zero) * self.scale

    def viewed(
        self, shape: tuple[int, ...], target: tuple[int, ...], order: tuple[int, ...]
    ) -> Quantization:
        """That of the same codes, of ``shape``, transposed by ``order`` (where there is one) and reshaped:
        scales a channel go with their codes."""
        if np.ndim(self.scale) == 0:
            return self
        whole = np.broadcast_to(self.scale, shape)
        return replace(self, scale=(whole.transpose(order) if order else whole).reshape(target))


def whole_numbers(format_name: str) -> Quantization:
    """Integers that are their own codes."""
    return Quantization(format_name, np.float64(1.0))  # type: ignore[arg-type]


def fine(low: float, high: float, format_name: str) -> Quantization:
    """Zero at code 0 and a power of two as scale, so that whole numbers and their halves keep their values."""
    peak = max(abs(low), abs(high), 1.0)
    exponent = int(np.frexp(peak)[1]) - (integer(format_name).bits - 1)
    return Quantization(format_name, np.float64(np.ldexp(1.0, exponent)))  # type: ignore[arg-type]


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
    (n,) int64, up to 62. rounding: "single" rounds once, ties to even; "gemmlowp" is a saturating
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
        if self.rounding == "single" and sums.size >= BLOCK and int(self.shift[part].min()) >= 1:
            return self._by_blocks(sums, part)
        wide = sums + self.bias[part]
        scale = {"single": rescale, "gemmlowp": rescale_gemmlowp, "float32": rescale_float32}[
            self.rounding
        ]
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


@dataclass(frozen=True, slots=True)
class RealRequantizer:
    """Partial sums to values of a float format: (sum + bias) scale, a product in float64, rounded once.

    bias: (n,) int64, zero-point corrections folded in. scale: (n,) of the products. format: a float's name.
    relu: negative values become zero.
    """

    bias: Ints
    scale: Floats
    format: str
    relu: bool = False

    def apply(self, sums: Ints, n0: int = 0) -> Floats:
        """Values of sums (..., n) whose last axis starts at output channel n0."""
        part = slice(n0, n0 + sums.shape[-1])
        real = (sums + self.bias[part]) * self.scale[part]
        return get(self.format).quantize(np.maximum(real, 0.0) if self.relu else real)


def fixed_point(factor: Floats) -> tuple[Ints, Ints]:
    """(multiplier, shift) with multiplier / 2^shift nearest to each factor, 2^30 <= multiplier
    < 2^31 where the shift allows (factors from 2^-31 up). Factors above 2^30 have a shift below
    1, to the left."""
    fraction, exponent = np.frexp(np.asarray(factor, np.float64))
    multiplier = np.rint(fraction * 2.0**31).astype(np.int64)
    exponent = exponent.astype(np.int64)
    carry = multiplier == 1 << 31
    multiplier = np.where(carry, 1 << 30, multiplier)
    shift = 31 - (exponent + carry)
    far = np.maximum(shift - 62, 0)
    return multiplier >> np.minimum(far, 62), np.minimum(shift, 62)


def rescale(values: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """round(values multiplier / 2^shift), ties to even, exact for any width and shift; results beyond 64 bits
    become the largest or smallest that fits (codes are clamped far below). multiplier: below 2^31."""
    plain = int(shift.min()) >= 1 and int(shift.max()) <= 62 if shift.size else True
    if not plain or peak_of(values) >= 1 << 32:
        return _rescale_wide(values, multiplier, shift)
    product = values * multiplier
    floor = product >> shift
    rest = product - (floor << shift)
    half = np.int64(1) << (shift - 1)
    up = (rest > half) | ((rest == half) & ((floor & 1) == 1))
    return np.asarray(floor + up, np.int64)


def _rescale_wide(values: Ints, multiplier: Ints, shift: Ints) -> Ints:
    """The same in Python's integers, which have no end."""
    product = values.astype(object) * multiplier.astype(object)
    left = np.maximum(-shift, 0).astype(object)
    power = np.maximum(shift, 0).astype(object)
    product = product << left
    floor = product >> power
    rest = (product - (floor << power)) * 2
    whole = np.frompyfunc(lambda p: 1 << p, 1, 1)(power)
    up = (rest > whole) | ((rest == whole) & (floor % 2 == 1))
    return narrowed(floor + up)


def narrowed(values: NDArray[Any]) -> Ints:
    """Python's integers as int64, saturating."""
    limits = np.iinfo(np.int64)
    return np.asarray(
        np.clip(np.asarray(values, object), limits.min, limits.max).astype(np.int64), np.int64
    )


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
    left = np.clip(31 - shift, 0, 31)  # by 31 every number but 0 saturates
    value = np.clip(np.clip(values, low, high) << left, low, high)
    product = value * multiplier
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    total = product + nudge
    doubled = np.where(total >= 0, total >> 31, -((-total) >> 31))  # truncating division
    right = np.maximum(shift - 31, 0)
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (doubled < 0)
    return np.asarray((doubled >> right) + ((doubled & mask) > threshold), np.int64)
