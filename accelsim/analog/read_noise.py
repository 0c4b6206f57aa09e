"""What a cell's 1/f noise does to a run of vectors: frozen, followed from vector to vector, or fresh.

The modes of devices/flicker.py have equal shares of a read's variance. Those slower than any run stand
in the conductances; those faster than a vector are noise of the sums, sqrt(sum x^2 s^2); those between
are followed. Following every cell would cost more than the product does, so the cells of a row follow
one process with a sign of their own each: s_rc sign_rc A_r(t), A_r of unit variance. Every cell by
itself, and every column's sum by itself, then is exactly the process it should be, at all times
together; two columns of R rows correlate by chance, with a random sign and by 1 / sqrt(R). Small blocks
take several processes a row. Time is the vector's number times a stated interval, never the
Timeline's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Device, Floats
from accelsim.devices.flicker import Flicker
from accelsim.noise import Stream, exp
from accelsim.noise.quick import quick_normal

RUN = 1 << 20  # vectors: the longest run that modes are followed over
HELD = 16  # a mode is held for at most this part of its correlation time
PROCESSES = 256  # of a block at least
STEPS = 256  # of the grid that the processes are rounded to, so that sums are exact
LARGEST = 8.0  # deviations that a process is cut at
PART = 32  # blocks of one mode at a time, so that they stay in the cache


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of a read's variance: frozen, followed, fresh; they add up to 1. times: correlation times
    (s) of the modes that are followed. interval: seconds from vector to vector."""

    frozen: float
    live: float
    fresh: float
    times: tuple[float, ...] = ()
    interval: float = 1.0

    @property
    def process_bits(self) -> int:
        """Bits that a product of a code and a process has beside the code's."""
        return int(np.ceil(np.log2(LARGEST * STEPS))) if self.live else 0

    def covariance(self, lag: int) -> float:
        """What two reads ``lag`` vectors apart share of one read's variance."""
        times = np.array(self.times or (1.0,))
        followed = float(exp(-abs(lag) * self.interval / times).mean())
        return self.frozen + self.live * followed + (self.fresh if lag == 0 else 0.0)


def shares(kind: str, device: Device, age: float, interval: float) -> Shares:
    """kind: "frozen", "fresh" or "flicker". age: seconds. interval: seconds from vector to vector."""
    if kind != "flicker":
        return Shares(float(kind == "frozen"), 0.0, float(kind == "fresh"))
    noise = Flicker.up_to(device.read_time, device.noise_span(age))
    slow, live, fast = noise.split(interval, RUN * interval)
    frozen, followed, fresh = (float(mask.sum()) / noise.modes for mask in (slow, live, fast))
    return Shares(frozen, followed, fresh, tuple(noise.times[live].tolist()), interval)


@dataclass
class RowNoise:
    """Processes A of unit variance, one a row, at the times of the vectors. A vector's values are a
    function of (stream, row, number) alone; going forward is cheap."""

    share: Shares
    rows: int
    stream: Stream
    _at: list[tuple[int, Floats]] = field(default_factory=list)
    _before: list[tuple[int, Floats]] = field(default_factory=list)
    _kept: tuple[int, int, Floats] | None = None

    @property
    def periods(self) -> list[int]:
        """Vectors that each mode is held for."""
        held = [max(1, int(time / (HELD * self.share.interval))) for time in self.share.times]
        return [1 << (whole.bit_length() - 1) for whole in held]

    def at(self, first: int, count: int) -> Floats:
        """(count, rows) of vectors first .. first + count, on the grid."""
        if self._kept is not None and self._kept[:2] == (first, count):
            return self._kept[2]
        total = np.zeros((count, self.rows))
        starts, ends = [], []
        for number, (time, period) in enumerate(zip(self.share.times, self.periods, strict=True)):
            low, high = first // period, (first + count - 1) // period
            block, state = self._from(number, low)
            keep = float(exp(np.array([-period * self.share.interval / time]))[0])
            for begin in range(block + 1, high + 1, PART):
                fresh = self._deviates(number, begin, min(begin + PART, high + 1), keep)
                for step in fresh:
                    if block >= low:
                        total[max(0, block * period - first) : (block + 1) * period - first] += (
                            state
                        )
                    if block == low:
                        starts.append((block, state))
                    state = keep * state + step
                    block += 1
            total[max(0, block * period - first) :] += state
            if block == low:
                starts.append((block, state))
            ends.append((block, state))
        self._before, self._at = starts, ends
        scale = STEPS / np.sqrt(float(len(self.share.times)))
        found: Floats = np.clip(np.rint(total * scale), -LARGEST * STEPS, LARGEST * STEPS) / STEPS
        self._kept = (first, count, found)
        return found

    def _from(self, number: int, low: int) -> tuple[int, Floats]:
        """The latest known (block, state) of a mode at or before a block."""
        for known in (self._at, self._before):
            if known and known[number][0] <= low:
                return known[number]
        return 0, self._deviates(number, 0, 1, 0.0)[0]

    def _deviates(self, number: int, begin: int, end: int, keep: float) -> Floats:
        root = np.sqrt(1.0 - keep * keep)
        draw = quick_normal(
            self.stream.of("mode", number), (end - begin, self.rows), begin * self.rows
        )
        return np.asarray(root * draw, np.float64)


def processes(rows: int) -> int:
    """Processes a row of a block."""
    return max(1, -(-PROCESSES // rows))


def signed(sigma: Floats, stream: Stream) -> Floats:
    """(processes x rows, columns): each cell's deviation with its random sign in every process, so that
    their sum has the cell's variance."""
    count = processes(len(sigma))
    words = stream.raw(-(-count * sigma.size // 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")[
        : count * sigma.size
    ]
    sign: NDArray[np.float64] = 1.0 - 2.0 * bits.astype(np.float64)
    each = np.asarray(sigma / np.sqrt(float(count)), np.float64)
    return np.concatenate([each] * count) * sign.reshape(count * len(sigma), -1)
