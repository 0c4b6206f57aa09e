"""A chip as slow as another.

Rule: its clocks and its off-chip bandwidth take one factor, at the supply that it has, until a run
takes as long as the slowest chip's. Cycles then stay as they are but for latencies in seconds (off-chip
access, reads of crossbars), so that no other schedule decides. A lower supply at the lower clock would
save more; what a chip would still work at is not in its file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from math import gcd

from accelsim.chip import Chip

STEP = 10**5  # Hz of the clocks' greatest common divisor, so that they keep a common time base
TRIES = 16
CLOSE = 1e-3  # of the latency
SPAN = 64.0  # most that clocks are raised or lowered


def with_latency(chip: Chip, seconds: float, run: Callable[[Chip], float]) -> Chip:
    """The chip whose run takes so many seconds, as near as clocks of tenths of a megahertz come. run:
    seconds of a run of a chip."""
    factor, best, miss = 1.0, chip, float("inf")
    for _ in range(TRIES):
        made = faster(chip, factor)
        took = run(made)
        off = abs(took / seconds - 1.0)
        if off < miss:
            best, miss = made, off
        if off < CLOSE or not 1 / SPAN < factor < SPAN:
            break
        factor = min(SPAN, max(1 / SPAN, factor * took / seconds))
    return best


def faster(chip: Chip, factor: float) -> Chip:
    """Clocks and off-chip bandwidth times a factor; the clocks keep their ratios."""
    common = gcd(*chip.clocks.values())
    new = max(1, round(common * factor / STEP)) * STEP
    dram = dataclasses.replace(
        chip.dram, bandwidth=float(max(1, round(chip.dram.bandwidth * new / common)))
    )
    return dataclasses.replace(
        chip,
        clocks={name: hz // common * new for name, hz in chip.clocks.items()},
        memories={**chip.memories, dram.name: dram},
    )
