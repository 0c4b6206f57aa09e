"""Normal deviates for converters' noise, 32 bits each, by interpolation: a few nanoseconds apiece.

The quantile is linear between 2 x 2048 points of Wichura's, twice finer towards the tails; tails reach
6.6 deviations. Mean, variance and the distribution are those of a normal within 1e-4. Two deviates
come from each 64-bit word, so that element e is a function of (stream, e) alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.noise.counter import Stream
from accelsim.noise.functions import normal_quantile

Floats = NDArray[np.float64]
BINS = 2048
COMPILE_ABOVE = 200_000


@lru_cache(maxsize=1)
def table() -> Floats:
    """(3, BINS + 1) magnitudes at p = i / 2 BINS, i / 2 BINS^2, i / 2 BINS^3; 0 probability stands for
    half of the first step."""
    found = []
    for level in range(1, 4):
        p = np.arange(BINS + 1) / (2.0 * float(BINS) ** level)
        p[0] = p[1] * 2.0**-6
        found.append(-normal_quantile(np.minimum(p, 0.5)))
    return np.array(found)


def quick_normal(stream: Stream, shape: tuple[int, ...], first: int = 0) -> Floats:
    """Deviates of elements first .. in C order."""
    count = int(np.prod(shape))
    words = stream.raw((first % 2 + count + 1) // 2, first // 2)
    halves = np.empty((len(words), 2), np.uint64)
    halves[:, 0], halves[:, 1] = words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)
    u = halves.ravel()[first % 2 : first % 2 + count].astype(np.int64)
    return _plain(u, table()).reshape(shape)


def _plain(u: NDArray[np.int64], points: Floats) -> Floats:
    r = u & 0x7FFFFFFF
    i, rest = r >> 20, r & 0xFFFFF
    low, high = points[0][i], points[0][i + 1]
    z = low + (high - low) * ((rest + 0.5) * 2.0**-20)
    tail = np.flatnonzero(i == 0)
    if len(tail):
        z[tail] = _tail(r[tail], points)
    return np.asarray(np.where(u >> 31 == 1, -z, z), np.float64)


def _tail(r: NDArray[np.int64], points: Floats) -> Floats:
    """The lowest bin of 2048, again in bins; the lowest of those, once more."""
    j, rest = r >> 9, r & 0x1FF
    z = points[1][j] + (points[1][j + 1] - points[1][j]) * ((rest + 0.5) * 2.0**-9)
    last = j == 0
    return np.asarray(np.where(last, points[2][rest * 4 + 2], z), np.float64)


def convert(sums: Any, words: Any, odd: int, sigma: Any, variance: Any, points: Any, full: float, step: float,
            top: float, weight: Any, total: Any) -> int:  # fmt: skip
    """total += converted((sums / full) + noise) * weight, element by element; how many clip.

    sums, total: (rows, columns). words: 64-bit, two deviates each; odd: the first half is skipped.
    sigma, weight: by column. variance: of each element before ``full`` divides it, added to sigma's;
    (0, 0) for none. step, top: of the converter.
    """
    rows, columns = sums.shape
    each = variance.shape[0] > 0
    clipped = 0
    for i in range(rows):
        for j in range(columns):
            e = i * columns + j + odd
            word = words[e >> 1]
            if e & 1 == 1:
                u = np.int64(word >> np.uint64(32))
            else:
                u = np.int64(word & np.uint64(0xFFFFFFFF))
            r = u & 0x7FFFFFFF
            b = r >> 20
            if b > 0:
                low = points[0, b]
                z = low + (points[0, b + 1] - low) * (((r & 0xFFFFF) + 0.5) * 2.0**-20)
            else:
                b = r >> 9
                if b > 0:
                    low = points[1, b]
                    z = low + (points[1, b + 1] - low) * (((r & 0x1FF) + 0.5) * 2.0**-9)
                else:
                    z = points[2, (r & 0x1FF) * 4 + 2]
            if u >> 31 == 1:
                z = -z
            s = sigma[j]
            if each:
                s = np.sqrt(variance[i, j] / (full * full) + s * s)
            y = np.rint((sums[i, j] / full + s * z) / step)
            if y > top:
                y = top
                clipped += 1
            elif y < -top:
                y = -top
                clipped += 1
            total[i, j] += (y * step) * weight[j]
    return clipped


def convert_plain(sums: Floats, words: NDArray[np.uint64], odd: int, sigma: Floats, variance: Floats,
                  points: Floats, full: float, step: float, top: float, weight: Floats,
                  total: Floats) -> int:  # fmt: skip
    """The same in NumPy, for work too small to compile for."""
    halves = np.empty((len(words), 2), np.uint64)
    halves[:, 0], halves[:, 1] = words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)
    u = halves.ravel()[odd : odd + sums.size].astype(np.int64)
    z = _plain(u, points).reshape(sums.shape)
    s = np.sqrt(variance / (full * full) + sigma * sigma) if len(variance) else sigma
    y = np.rint((sums / full + s * z) / step)
    clipped = int(np.count_nonzero(np.abs(y) > top))
    total += (np.clip(y, -top, top) * step) * weight
    return clipped


def converter_pass(size: int) -> Any:
    """The kernel for so many elements: plain below COMPILE_ABOVE, else compiled."""
    return jit.compiled(convert) if size > COMPILE_ABOVE else convert_plain
