"""Block formats of the OCP Microscaling (MX) specification 1.0: elements that share a scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.formats.base import Codes, Format
from accelsim.formats.fixed import Fixed
from accelsim.formats.minifloat import Minifloat
from accelsim.formats.rounding import BIAS, FRACTION, Floats, RoundingRule

SCALE_BITS = 8
SCALE_BIAS = 127  # of E8M0
NAN_SCALE = 255


@dataclass(frozen=True)
class Block(Format):
    """``size`` elements along the last axis (the last block may be shorter) with one scale 2^s.

    s = floor(log2(largest magnitude)) - exponent of the element's largest value, within -127..127
    (E8M0, bias 127); -127 for a block of zeros. Elements are rounded to the element format and
    saturate. A block with a NaN or an infinity is all NaN (scale 0xFF).
    bits: of an element; bytes_for counts the scales too. A code is the element's code with the
    scale's byte above it (bits 8..15), so that codes have the shape of the values.
    """

    element: Minifloat | Fixed = None  # type: ignore[assignment]
    size: int = 32
    kind: ClassVar[str] = "block"

    @property
    def roundings(self) -> tuple[str, ...]:
        return self.element.roundings

    @property
    def overflows(self) -> tuple[str, ...]:
        return ("saturate",)

    @property
    def has_nan(self) -> bool:
        return True

    @property
    def largest(self) -> float:
        return self.element.largest * 2.0**SCALE_BIAS

    @property
    def smallest(self) -> float:
        return self.element.smallest * 2.0**-SCALE_BIAS

    @property
    def top_exponent(self) -> int:
        """Exponent of the element's largest value."""
        return int(np.frexp(self.element.largest)[1]) - 1

    def scales_of(self, x: NDArray[np.generic]) -> NDArray[np.int64]:
        """s of each block; 128 for a block that is NaN. Shape: x's with blocks as last axis."""
        blocks = self._blocks(np.asarray(x, np.float64))
        size = blocks.view(np.int64) & np.iinfo(np.int64).max
        exponent = (size.max(axis=-1) >> FRACTION) - BIAS
        scale = np.clip(exponent - self.top_exponent, -SCALE_BIAS, SCALE_BIAS)
        return np.where(exponent > BIAS, NAN_SCALE - SCALE_BIAS, scale)

    def _blocks(self, x: Floats) -> Floats:
        """(..., blocks, size), padded with zeros."""
        wide = np.atleast_1d(x)
        length = wide.shape[-1]
        count = -(-length // self.size)
        padded = np.zeros((*wide.shape[:-1], count * self.size))
        padded[..., :length] = wide
        return padded.reshape(*wide.shape[:-1], count, self.size)

    def _spread(self, scales: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
        """The scale of every element."""
        length = shape[-1] if shape else 1
        return np.repeat(scales, self.size, axis=-1)[..., :length].reshape(shape)

    def _quantized(self, x: NDArray[np.generic], rule: RoundingRule) -> Floats:
        values = np.asarray(x, np.float64)
        if values.size == 0:
            return values.copy()
        scale = self._spread(self.scales_of(values), values.shape)
        lost = scale == NAN_SCALE - SCALE_BIAS
        step = np.where(lost, 0, scale).astype(np.int32)
        clean = np.where(lost, 0.0, values)
        scaled = np.ldexp(clean, -step)
        # what leaves float64 downwards is far below half of an element's spacing, but not zero
        scaled = np.where(
            (scaled == 0) & (clean != 0), np.copysign(np.finfo(float).tiny, clean), scaled
        )
        found = self.element._quantized(scaled, replace(rule, overflow="saturate"))
        return np.where(lost, np.nan, np.ldexp(found, step))

    def _code_of(self, values: Floats, x: object) -> Codes:
        return self._codes(values, self.scales_of(np.asarray(x, np.float64)))

    def code_of(self, values: Floats) -> Codes:
        """Codes with the scales that the values themselves have."""
        return self._codes(values, self.scales_of(values))

    def _codes(self, values: Floats, scales: NDArray[np.int64]) -> Codes:
        if values.size == 0:
            return np.zeros(values.shape, np.uint16)
        scale = self._spread(scales, values.shape)
        lost = scale == NAN_SCALE - SCALE_BIAS
        scaled = np.ldexp(np.where(lost, 0.0, values), -np.where(lost, 0, scale).astype(np.int32))
        element = self.element.code_of(scaled).astype(np.int64) & ((1 << SCALE_BITS) - 1)
        return (((scale + SCALE_BIAS) << SCALE_BITS) | element).astype(np.uint16)

    def parts(self, codes: Codes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(one scale byte a block, one element code a value), as memory holds them."""
        whole = np.asarray(codes, np.uint16)
        scales = (whole[..., :: self.size] >> SCALE_BITS).astype(np.uint8)
        return scales, (whole & 0xFF).astype(np.uint8)

    def decode(self, codes: Codes) -> Floats:
        whole = np.asarray(codes).astype(np.int64)
        byte = whole >> SCALE_BITS
        element = self.element.decode(whole & ((1 << SCALE_BITS) - 1))
        values = np.ldexp(element, (byte - SCALE_BIAS).astype(np.int32))
        return np.where(byte == NAN_SCALE, np.nan, values)

    def bytes_for(self, elements: int) -> int:
        """Bytes of the elements, packed, and one scale byte a block."""
        return (elements * self.bits + 7) // 8 + -(-elements // self.size)
