"""Exact sums of input codes times conductances: the same bits on every machine and in every batch.

Input codes are integers and conductances lie on a binary grid. The fine grid fills what a float64 sum
keeps. Where the converters cannot tell, conductances lie on a grid of 2^-14 of a cell's span instead,
and sums are those of 16-bit integers, exact and twice as fast as a float32 product: over all inputs no
sum moves by more than an eighth of a converter's step, and by 1/800 of one as a rule (512 rows, 8 bits).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.jit_dot import TILE, padded, product

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shorts = NDArray[np.int16]
MANTISSA = 53  # bits that a float64 sum keeps
COARSE = 14  # bits of a coarse conductance below a cell's span
TELL = 0.125  # of a converter's step: what a coarse grid may move a sum by at most
SHORT, LONG = (1 << 15) - 1, (1 << 31) - 1  # largest 16-bit and 32-bit integers
KEPT = 2.0**-8  # of the largest variance of a sum: what rounding may move it by at most


def on_fine_grid(values: Floats, bits: int) -> Floats:
    """Values (rows, outputs) rounded so that float64 sums with integers of so many bits are exact."""
    spare = MANTISSA - bits - int(np.ceil(np.log2(values.shape[0] + 1))) - 4
    grid = 2.0**-spare
    return np.asarray(np.rint(values / grid) * grid, np.float64)


def on_coarse_grid(values: Floats, top: int, step: float) -> Floats | None:
    """Values on the coarse grid; None where converters of that step (in full columns) could tell, or
    sums with codes up to ``top`` would not fit."""
    found = np.rint(values * 2.0**COARSE) * 2.0**-COARSE
    moved = float(np.abs(found - values).sum(axis=0).max(initial=0.0))
    return found if moved <= TELL * step and short(found, top, COARSE) is not None else None


def variance_on_grid(values: Floats, top: int) -> tuple[Floats, int] | None:
    """(variances, bits below 1) on the finest grid whose sums with squared codes up to ``top`` fit; None
    where a sum would move by more than KEPT of the largest."""
    whole, largest = float(values.sum(axis=0).max(initial=0.0)), float(values.max(initial=0.0))
    if whole == 0.0:
        return values, 0
    room = (LONG - top * len(values)) / (top * whole)
    bits = int(np.floor(np.log2(min(room, SHORT / largest))))
    found = np.rint(values * 2.0**bits) * 2.0**-bits
    moved = float(np.abs(found - values).sum(axis=0).max())
    return (found, bits) if moved <= KEPT * whole and short(found, top, bits) is not None else None


def short(values: Floats, top: int, bits: int) -> Shorts | None:
    """Values (rows, outputs) as 16-bit integers in 2^-bits, an output a row, padded; None where they are
    none or where sums with codes up to ``top`` do not fit 32 bits."""
    whole = values * 2.0**bits
    size = np.abs(whole)
    if not np.array_equal(whole, np.rint(whole)) or size.max(initial=0.0) > SHORT or top > SHORT:
        return None
    return padded(whole.T) if top * size.sum(axis=0).max(initial=0.0) <= LONG else None


def squares(codes: Ints, top: int) -> tuple[Ints, int]:
    """(squares of codes up to ``top`` in 2^shift, shift), so that the largest fits 15 bits."""
    shift = max(0, (top * top).bit_length() - 15)
    if not shift:
        return codes * codes, 0
    return (codes * codes + ((1 << shift) >> 1)) >> shift, shift


class Driven:
    """Codes (vectors, rows) that drive a matrix, in the form that its sums want."""

    def __init__(self, codes: Ints) -> None:
        self.codes = codes
        self._floats: Floats | None = None
        self._shorts: Shorts | None = None

    def sums(
        self, values: Floats, shorts: Shorts | None, bits: int, outputs: slice
    ) -> tuple[Any, float]:
        """(sums, what one stands for): codes @ values[:, outputs]. shorts: the same values in 2^-bits."""
        low, high, _ = outputs.indices(values.shape[1])
        size = len(self.codes) * (high - low)
        if shorts is not None and jit.worthwhile(product, (), size):
            if self._shorts is None:
                self._shorts = padded(self.codes)
            first = low // TILE * TILE
            found = product(self._shorts, shorts[first : -(-high // TILE) * TILE])
            return np.ascontiguousarray(
                found[: len(self.codes), low - first : high - first]
            ), 2.0**-bits
        return self.floats @ values[:, outputs], 1.0

    @property
    def floats(self) -> Floats:
        """The codes as float64."""
        if self._floats is None:
            self._floats = self.codes.astype(np.float64)
        return self._floats
