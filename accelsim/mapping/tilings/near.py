"""The tilings of a set that fit and come near the best: by a kernel that passes over the others, or by columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.mapping.tiles import packed_bytes
from accelsim.mapping.tilings.estimate import (
    Choice,
    Estimate,
    KTile,
    MTile,
    NTile,
    Tile,
    come,
    estimate,
    fill,
    hold,
    ports,
    room,
    rounds,
    time,
    transfers,
    visits,
    work,
)
from accelsim.mapping.tilings.setting import Setting

Floats = NDArray[np.float64]
COMPILE_ABOVE = 2_000_000  # tilings
CHOICES = (
    8  # orders, whether the input stays, whether the weights do: as a tiling's number counts them
)


class Rates(NamedTuple):
    """What makes one number of cycles and bytes, the figure that is to be small: what a byte off chip, one on chip and
    a cycle count in it."""

    far: float
    near: float
    cycle: float


CYCLES = Rates(0.0, 0.0, 1.0)


class Limits(NamedTuple):
    """Which tilings count: those of a value up to ``ceiling`` and up to ``close`` times the best one's, whose bound is
    below ``beaten``."""

    ceiling: float = float("inf")
    close: float = float("inf")
    beaten: float = float("inf")


class Packed(NamedTuple):
    """Tile as tables. m: a row each cut of m, as MTile; n, k: a row each size, as NTile and KTile. rest: (cuts, sizes
    of n, sizes of k, 9), as Tile from ``cycles`` on."""

    m: Any
    n: Any
    k: Any
    rest: Any


class Near(NamedTuple):
    """The tilings that count, a column each. number: counts (order, keep input, keep weights, cut, n, k), the last one
    fastest. value: the figure; bound: none below it is reached.
    """

    number: Any
    value: Any
    cycles: Any
    bound: Any
    moved: Any
    passes: Any


def weighed(rates: Rates, cycles: Any, moved: Any, near: Any) -> Any:
    """The figure of cycles and of bytes off chip and on."""
    return moved * rates.far + near * rates.near + cycles * rates.cycle


def near_best(s: Setting, p: Packed, rates: Rates, limits: Limits, out: Near) -> int:
    """Fill in the tilings that count; how many they are."""
    count, ceiling, (cuts, wide, deep) = 0, limits.ceiling, p.rest.shape[:3]
    size = cuts * wide * deep
    for at in range(size):
        t = tile_of(p, at // (wide * deep), at // deep % wide, at % deep)
        if weighed(rates, max(t.settled, t.carried), 0.0, 0.0) > ceiling:
            continue
        if weighed(rates, t.least, 0.0, 0.0) >= limits.beaten:
            continue
        for choice in range(CHOICES):
            which = Choice(choice // 4, 1 - choice // 2 % 2, 1 - choice % 2)
            if not room(s, t, which):
                continue
            one = estimate(s, t, which)
            value = weighed(rates, one.cycles, one.moved, one.near)
            bound = weighed(rates, one.bound, one.certain, 0.0)
            if value <= ceiling and bound < limits.beaten:
                out.number[count] = choice * size + at
                out.value[count], out.bound[count] = value, bound
                out.cycles[count], out.moved[count] = one.cycles, one.moved
                out.passes[count] = one.passes
                count += 1
                ceiling = min(ceiling, value * limits.close)
    return count


def tile_of(p: Packed, cut: Any, n: Any, k: Any) -> Tile:
    """One tiling's tile."""
    a, b, c, r = p.m[cut], p.n[n], p.k[k], p.rest[cut, n, k]
    m_tile = MTile(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7])
    k_tile = KTile(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7])
    numbers = (r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8])
    return Tile(m_tile, NTile(b[0], b[1], b[2], b[3]), k_tile, *numbers)


#: what near_best() calls, for jit.compiled
NEAR: jit.Helpers = (
    tile_of,
    weighed,
    (room, (packed_bytes,)),
    (
        estimate,
        (
            transfers,
            (room, (packed_bytes,)),
            (time, (work, hold, (fill, (come,)), ports, rounds, visits)),
        ),
    ),
)


def by_kernel(s: Setting, p: Packed, rates: Rates, limits: Limits) -> Near:
    """near_best() by machine code."""
    size = CHOICES * p.rest[..., 0].size
    out = Near._make((np.empty(size, np.int64), *np.empty((5, size))))
    count = jit.compiled(near_best, NEAR)(s, p, rates, limits, out)
    near = np.flatnonzero(out.value[:count] <= limits.close * out.value[:count].min(initial=np.inf))
    near = near[np.argsort(out.number[near])]
    return Near._make(column[near] for column in out)


def by_columns(every: Estimate, rates: Rates, limits: Limits) -> Near:
    """near_best() from the estimate of every tiling."""
    value = weighed(rates, every.cycles, every.moved, every.near)
    bound = weighed(rates, every.bound, every.certain, 0.0)
    number = np.flatnonzero(every.fits & (value <= limits.ceiling) & (bound < limits.beaten))
    number = number[value[number] <= limits.close * value[number].min(initial=np.inf)]
    columns = (value, every.cycles, bound, every.moved, every.passes)
    return Near._make((number, *(column[number] for column in columns)))
