"""Which tilings of a MAC operator are looked at: cuts of m, sizes of n, sizes of k."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import gcd, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapping import Geometry
from accelsim.mapping.tiles import reached
from accelsim.units.mac_array import MacArray

Ints = NDArray[np.int64]
MOST_ROWS = 1 << 16  # tiles along batch and height of one cut


class MLimits(NamedTuple):
    """What cuts of m look to. held: outputs a column can keep. rows: of m that a pass takes, 0 where m streams.
    dealt: arrays that m is dealt to."""

    held: int = 1 << 62
    rows: int = 0
    dealt: int = 1


class MCuts(NamedTuple):
    """Ways to cut m: (batch, height, width) of each. table: a row each of tiles, outputs of the largest, input
    elements of one channel: of the largest, of all, of all in full rows, of all in full rows that no tile before
    has; input rows and columns of the largest. sizes: tiles by size."""

    shapes: tuple[tuple[int, int, int], ...]
    table: Ints
    sizes: tuple[dict[int, int], ...]


def cuts(total: int, step: int, least: int) -> list[int]:
    """Tile sizes from the whole down by halves, rounded up to multiples of ``step``."""
    sizes: list[int] = []
    parts = 1
    while True:
        share = -(-total // parts)
        size = min(total, -(-share // step) * step)
        if size not in sizes:
            sizes.append(size)
        if size <= least or parts > total:
            return sizes
        parts *= 2


def shares(total: int, dealt: int, step: int, least: int) -> set[int]:
    """cuts() of the whole, and of the share of each of several arrays."""
    return {*cuts(total, step, least), *cuts(-(-total // dealt), step, least)}


def tiles_of(total: int, size: int) -> dict[int, int]:
    """The tiles that cut ``total``: how many of each size."""
    full, rest = divmod(total, size)
    return {size: full} | ({rest: 1} if rest else {})


def ranges(total: int, sizes: Sequence[int]) -> tuple[Ints, Ints, Ints]:
    """Begin and end of all tiles by each of several sizes, and where each size's tiles start."""
    tile = np.array(sizes, np.int64)
    counts = -(-total // tile)
    start = np.cumsum(counts) - counts
    size = np.repeat(tile, counts)
    begin = (np.arange(len(size)) - np.repeat(start, counts)) * size
    return begin, np.minimum(begin + size, total), start


def m_shapes(g: Geometry, limits: MLimits) -> list[tuple[int, int, int]]:
    """Cuts of m: images, then rows, then parts of a row."""
    images = sorted(shares(g.batch, limits.dealt, 1, 2), reverse=True)
    shapes = [(b, g.out_height, g.out_width) for b in images if b > 1]
    heights = shares(g.out_height, limits.dealt, 1, 1)
    if limits.rows and g.out_width == 1:
        heights |= shares(g.out_height, limits.dealt, limits.rows, limits.rows)
    if 0 < limits.held // g.out_width < g.out_height:
        heights.add(limits.held // g.out_width)
    shapes += [(1, h, g.out_width) for h in sorted(heights, reverse=True)]
    shapes += [(1, 1, w) for w in cuts(g.out_width, 1, 1)[1:]]
    return [shape for shape in shapes if g.batch * -(-g.out_height // shape[1]) <= MOST_ROWS]


@lru_cache(maxsize=256)
def m_cuts(g: Geometry, limits: MLimits) -> MCuts:
    """m_shapes() with what the estimate reads of them."""
    shapes = m_shapes(g, limits)
    total, most, fresh = [], [], []
    for axis, (out, limit) in enumerate(((g.out_height, g.in_height), (g.out_width, g.in_width))):
        begin, end, start = ranges(out, [shape[1 + axis] for shape in shapes])
        low, high = reached(begin, end - begin, g.stride[axis], g.pad[axis], g.reach[axis], limit)
        total.append(np.add.reduceat(high - low, start))
        most.append(np.maximum.reduceat(high - low, start))
        known = np.concatenate([np.zeros(1, np.int64), high[:-1]])
        known[start] = 0
        fresh.append(np.add.reduceat(high - np.maximum(low, known), start))
    sizes = []
    for shape in shapes:
        sides = zip((g.batch, g.out_height, g.out_width), shape, strict=True)
        counts: dict[int, int] = {}
        for box in product(*(tiles_of(*side).items() for side in sides)):
            size, count = (prod(part[i] for part in box) for i in range(2))
            counts[size] = counts.get(size, 0) + count
        sizes.append(counts)
    images, across = (np.array([shape[i] for shape in shapes], np.int64) for i in (0, 2))
    across = -(-g.out_width // across)
    table = np.stack(
        [
            np.array([sum(counts.values()) for counts in sizes], np.int64),
            np.array([max(counts) for counts in sizes], np.int64),
            images * most[0] * most[1],
            g.batch * total[0] * total[1],
            g.batch * total[0] * across * g.in_width,
            g.batch * fresh[0] * g.in_width,
            most[0],
            most[1],
        ]
    )
    return MCuts(tuple(shapes), table, tuple(sizes))


class Candidates(NamedTuple):
    """Tile sizes of n and k, largest first. m: what m_cuts() takes."""

    m: MLimits
    n: tuple[int, ...]
    k: tuple[int, ...]


def deep_sizes(g: Geometry, limit: int, dealt: int) -> set[int]:
    """Sizes of k: whole channels, those that fill passes first, then equal parts of one. limit: products of
    a pass, 0 where k streams. dealt: arrays that k is dealt to."""
    deep = {min(g.k, c * g.kernel) for c in shares(g.channels, dealt, 1, 1)}
    parts = limit or 1
    if limit:
        full = limit // gcd(limit, g.kernel)  # channels of whole passes
        deep |= {min(g.k, c * g.kernel) for c in shares(g.channels, dealt, full, full)}
        deep.add(min(g.k, limit))
    if g.kernel > max(16, limit):
        deep |= {*cuts(g.kernel, parts, max(16, limit))}
        equal = (size for size in range(parts, g.kernel, parts) if g.kernel % size == 0)
        deep |= {size for size in equal if size >= max(16, limit)}
    return deep


def candidates(
    g: Geometry,
    array: MacArray,
    limits: tuple[int, int, int],
    along: str,
    more: bool = False,
    in_order: bool = False,
) -> Candidates:
    """The sizes to look at. limits: of one pass, 0 where it streams. along: the dimension dealt to several
    arrays. more: finer sizes of n and k, too. in_order: an array's share of k must be one tile."""
    step = limits[1] or 1
    dealt = {axis: array.count if axis == along else 1 for axis in "mnk"}
    wide = shares(g.n, dealt["n"], step, step)
    deep = deep_sizes(g, limits[2], dealt["k"])
    if dealt["k"] > 1:
        deep = {k for k in deep if k * array.count <= g.k + k} or deep
    if more:
        wide |= {*cuts(g.n, step, step), *(min(g.n, step * 3 << i) for i in range(8))}
        deep |= {min(g.k, limits[2] << i) for i in range(12) if limits[2]}
    if dealt["k"] > 1 and in_order:
        deep = {k for k in deep if k * array.count >= g.k} or {-(-g.k // array.count)}
    column = array.accumulator.location == "column"
    return Candidates(
        MLimits(array.accumulator.depth if column else 1 << 62, limits[0], dealt["m"]),
        tuple(sorted({min(g.n, n) for n in wide}, reverse=True)),
        tuple(sorted(deep, reverse=True)),
    )
