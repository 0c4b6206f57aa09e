"""1/f noise that is correlated in time: a sum of Ornstein-Uhlenbeck processes.

Modes have correlation times read_time 4**k and a variance of Q^2 ln 4 each, so that over many modes
the spectrum is Q^2 / f between the slowest and the fastest, and the variance that a read sees after
a time t is Q^2 ln(t / read_time), the form that the statistical models give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.devices.base import Floats
from accelsim.noise import Stream, exp

Mask = NDArray[np.bool_]
RATIO = 4.0
SHARE = 1.3862943611198906  # ln 4


@dataclass(frozen=True, slots=True)
class Flicker:
    """read_time: seconds, the fastest mode's correlation time. modes: how many; the slowest has
    read_time 4**(modes - 1)."""

    read_time: float
    modes: int

    def __post_init__(self) -> None:
        if not np.isfinite(self.read_time) or self.read_time <= 0 or not 1 <= self.modes <= 64:
            raise ValueError("a positive read time and 1 to 64 modes")

    @classmethod
    def up_to(cls, read_time: float, slowest: float) -> Flicker:
        """As many modes as reach correlation times of ``slowest`` seconds."""
        modes = 1
        while read_time * RATIO ** (modes - 1) < slowest and modes < 64:
            modes += 1
        return cls(read_time, modes)

    @property
    def times(self) -> Floats:
        """Correlation times, seconds, fastest first."""
        return np.asarray(self.read_time * RATIO ** np.arange(self.modes), np.float64)

    @property
    def variance(self) -> float:
        """Variance of the sum for Q = 1."""
        return self.modes * SHARE

    def covariance(self, lag: float) -> float:
        """Covariance of two reads ``lag`` seconds apart, for Q = 1."""
        return float(SHARE * exp(-abs(lag) / self.times).sum())

    def spectrum(self, frequency: Floats) -> Floats:
        """One-sided power spectral density for Q = 1, 1/Hz: about 1/f between the modes."""
        tau = self.times[:, None]
        omega = 2.0 * np.pi * np.asarray(frequency)[None, :]
        return np.asarray((4.0 * SHARE * tau / (1.0 + (omega * tau) ** 2)).sum(axis=0), np.float64)

    def split(self, step: float, span: float) -> tuple[Mask, Mask, Mask]:
        """Which modes (slow, live, fast), as masks, for reads every ``step`` seconds over ``span``:
        slow ones barely move in the whole span and freeze into the cells, fast ones are new in every
        read and become output noise, the ones between have to be followed."""
        slow, fast = self.times > 100.0 * span, self.times < 0.01 * step
        return slow, ~(slow | fast), fast

    def steps(self, shape: tuple[int, ...], instants: Floats, stream: Stream) -> Iterator[Floats]:
        """The noise (for Q = 1) of ``shape`` cells at each of the rising instants (seconds)."""
        gaps = np.diff(instants)
        if (gaps <= 0).any():
            raise ValueError("instants must rise")
        root = np.sqrt(SHARE)
        state = root * stream.of(0).normal((self.modes, *shape))
        yield state.sum(axis=0)
        for number, gap in enumerate(gaps.tolist(), 1):
            keep = exp(-gap / self.times)
            fresh = root * np.sqrt(1.0 - keep * keep)
            axes = (slice(None), *(None,) * len(shape))
            state = keep[axes] * state + fresh[axes] * stream.of(number).normal(
                (self.modes, *shape)
            )
            yield state.sum(axis=0)
