"""Inputs scaled to what a vector holds, and vectors read again with half the input where outputs clip.

The field calls them noise management (every vector's largest element takes the whole input range, and
the result is scaled back) and bound management (the input is halved and the vector read once more while
any converter of the crossbar is at its end). Both depend on values; what they cost stands in Seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Floats

if TYPE_CHECKING:
    from accelsim.analog.tile import Block

Ints = NDArray[np.int64]
#: (codes, the chosen vectors, retry, outputs) -> (sums, which vectors clip)
Read = Callable[[Ints, Ints, int, slice], tuple[Floats, NDArray[np.bool_]]]


def managed(block: Block, x: Ints, outputs: slice, read: Read, count: bool) -> Floats:
    """Sums (vectors, outputs) in codes. Crossbars decide each for themselves, so that a part of the
    outputs has the bits that the whole gives it. read: one read of some of the vectors."""
    columns, step = block.codes.shape[1], block.tile.columns
    low, high, _ = outputs.indices(columns)
    begin = low // step * step
    found = np.zeros((len(x), max(0, high - begin)))
    for left in range(begin, high, step):
        part = slice(left, min(left + step, columns))
        sums = _one_crossbar(block, x, part, read, count)
        found[:, left - begin : left - begin + step] = sums[:, : high - left]
    return found[:, low - begin :]


def _one_crossbar(block: Block, x: Ints, part: slice, read: Read, count: bool) -> Floats:
    drive = block.tile.drive
    range_ = np.full(len(x), float(block.input_top))
    if drive.scale == "vector":
        largest = np.abs(x).max(axis=1, initial=0).astype(np.float64)
        range_ = np.where(largest > 0, largest, float(block.input_top))
    share = (part.stop - part.start) / block.codes.shape[1]
    found = np.zeros((len(x), part.stop - part.start))
    again = np.arange(len(x))
    for retry in range(drive.retries + 1):
        applied = range_[again] * 2.0**retry
        codes = block.drive_codes(x[again], applied)
        sums, clips = read(codes, again, retry, part)
        found[again] = sums * (applied / block.input_top)[:, None]
        if count and retry:
            block.seen.repeated += len(again)
            block.seen.repeated_charge += block.charge_of(codes) * share
        last = retry == drive.retries
        if count and (last or not clips.any()):
            block.seen.clipped += int(clips.sum())
        again = again[clips]
        if not len(again):
            break
    return found
