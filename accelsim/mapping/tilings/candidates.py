"""Which tilings of a MAC operator are looked at: cuts of m, sizes of n, sizes of k."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapping import Geometry
from accelsim.mapping.tiles import reached
from accelsim.units.mac_array import MacArray

Ints = NDArray[np.int64]
MOST_ROWS = 1 << 16  # tiles along batch and height of one cut


class MCuts(NamedTuple):
    """Ways to cut m: (batch, height, width) of each. table: a row each of tiles, outputs of the
    largest, input elements of one channel of the largest, and of all. sizes: tiles by size."""

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


def m_shapes(g: Geometry, held: int) -> list[tuple[int, int, int]]:
    """Cuts of m: images, then rows, then parts of a row. held: outputs a column can keep."""
    shapes = [(b, g.out_height, g.out_width) for b in cuts(g.batch, 1, 2) if b > 1]
    heights = set(cuts(g.out_height, 1, 1))
    if 0 < held // g.out_width < g.out_height:
        heights.add(held // g.out_width)
    shapes += [(1, h, g.out_width) for h in sorted(heights, reverse=True)]
    shapes += [(1, 1, w) for w in cuts(g.out_width, 1, 1)[1:]]
    return [shape for shape in shapes if g.batch * -(-g.out_height // shape[1]) <= MOST_ROWS]


@lru_cache(maxsize=256)
def m_cuts(g: Geometry, held: int) -> MCuts:
    """m_shapes() with what the estimate reads of them."""
    shapes = m_shapes(g, held)
    total, most = [], []
    for axis, (out, limit) in enumerate(((g.out_height, g.in_height), (g.out_width, g.in_width))):
        begin, end, start = ranges(out, [shape[1 + axis] for shape in shapes])
        low, high = reached(begin, end - begin, g.stride[axis], g.pad[axis], g.reach[axis], limit)
        total.append(np.add.reduceat(high - low, start))
        most.append(np.maximum.reduceat(high - low, start))
    sizes = []
    for shape in shapes:
        sides = zip((g.batch, g.out_height, g.out_width), shape, strict=True)
        counts: dict[int, int] = {}
        for box in product(*(tiles_of(*side).items() for side in sides)):
            size, count = (prod(part[i] for part in box) for i in range(2))
            counts[size] = counts.get(size, 0) + count
        sizes.append(counts)
    images = np.array([shape[0] for shape in shapes], np.int64)
    table = np.stack(
        [
            np.array([sum(counts.values()) for counts in sizes], np.int64),
            np.array([max(counts) for counts in sizes], np.int64),
            images * most[0] * most[1],
            g.batch * total[0] * total[1],
        ]
    )
    return MCuts(tuple(shapes), table, tuple(sizes))


class Candidates(NamedTuple):
    """Tile sizes of n and k, largest first. held: outputs a column can keep, which m_cuts() takes."""

    held: int
    n: tuple[int, ...]
    k: tuple[int, ...]


def candidates(
    g: Geometry, array: MacArray, limits: tuple[int, int, int], along: str, more: bool = False
) -> Candidates:
    """The sizes to look at. limits: of one pass, 0 where it streams. along: the dimension dealt to several
    arrays. more: finer sizes of n and k, too."""
    step = limits[1] or 1
    wide = set(cuts(-(-g.n // (array.count if along == "n" else 1)), step, step))
    deep = {min(g.k, c * g.kernel) for c in cuts(g.channels, 1, 1)}
    if along == "k" and array.count > 1:
        deep = {k for k in deep if k * array.count <= g.k + k} or deep
    if limits[2]:
        deep.add(min(g.k, limits[2]))
    if more:
        wide |= {*cuts(g.n, step, step), *(min(g.n, step * 3 << i) for i in range(8))}
        deep |= {min(g.k, limits[2] << i) for i in range(12) if limits[2]}
    column = array.accumulator.location == "column"
    return Candidates(
        array.accumulator.depth if column else 1 << 62,
        tuple(sorted({min(g.n, n) for n in wide}, reverse=True)),
        tuple(sorted(deep, reverse=True)),
    )
