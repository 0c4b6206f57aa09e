"""Buffer tiles of one operator: their ranges, the input each needs, and their bytes.

Tables are flat: numbers of one tile behind those of the one before. Written once, for lists (plain) and for
arrays (compiled).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.mapping.mapping import Geometry

Ints = NDArray[np.int64]
M_TILE, N_TILE, K_TILE = 10, 2, 5  # numbers of a tile, the first two its first element and its size
#: of an m tile: the tile whose LOAD brings its input, the tile whose input comes first in what it reads, and from
#: BOX on images, rows and columns of that LOAD (each offset, extent); of a k tile channels (offset, extent), and the
#: first tile that needs the same ones, whose LOAD serves them all
LOADED_BY, REACHES_BACK_TO, BOX, CHANNELS, SAME_CHANNELS = 2, 3, 4, 2, 4
#: what is found of all tiles: the largest along m, n and k, input elements of the largest m tile's box in one channel,
#: bytes of all boxes, channels of the deepest k tile, bytes of a resident input and of all weights of a group
MOST_M, MOST_N, MOST_K, PLANE, BOXES, DEEPEST, PIECES, WEIGHTS = range(8)
COMPILE_ABOVE = 5_000  # tiles


def packed_bytes(elements: Ints, bits: int) -> Ints:
    """Whole bytes that hold so many elements of ``bits`` bits."""
    return (elements * bits + 7) // 8


def reached(low: Any, count: Any, stride: int, pad: int, reach: int, limit: int) -> Any:
    """The input rows or columns, from and to, that ``count`` outputs from ``low`` on need, of numbers and of
    arrays."""
    begin = low * stride - pad
    begin = jit.choose(begin < 0, 0, begin)
    begin = jit.choose(begin >= limit, limit - 1, begin)
    end = (low + count - 1) * stride - pad + reach
    end = jit.choose(end <= begin, begin + 1, end)
    return begin, jit.choose(end > limit, limit, end)


@jit.allocates_nothing
def cut_m(g: Any, cut: Any, table: Any, found: Any) -> None:
    """Cut m into boxes of images x rows x columns, batch outermost, each a contiguous range of m; every tile's LOAD
    is its own. g: Geometry.plane. cut: images, rows, columns of a tile, and bits of an input box for each element
    of one channel; a box of several rows spans all columns and a box of several images all rows: the caller
    guarantees it. table: empty where only what is found of all is asked for."""
    batch, tall, wide, in_tall, in_wide = g[:5]
    first, at = 0, 0
    for b in range(0, batch, cut[0]):
        images = min(cut[0], batch - b)
        for h in range(0, tall, cut[1]):
            height = min(cut[1], tall - h)
            row0, row1 = reached(h, height, g[5], g[7], g[9], in_tall)
            for w in range(0, wide, cut[2]):
                width = min(cut[2], wide - w)
                column0, column1 = reached(w, width, g[6], g[8], g[10], in_wide)
                size, high, across = images * height * width, row1 - row0, column1 - column0
                found[MOST_M] = max(found[MOST_M], size)
                found[PLANE] = max(found[PLANE], images * high * across)
                found[BOXES] += (images * high * across * cut[3] + 7) // 8
                if at < len(table):
                    table[at], table[at + 1] = first, size
                    table[at + LOADED_BY] = table[at + REACHES_BACK_TO] = at // M_TILE
                    x = at + BOX
                    table[x], table[x + 1], table[x + 2] = b, images, row0
                    table[x + 3], table[x + 4], table[x + 5] = high, column0, across
                first, at = first + size, at + M_TILE


@jit.allocates_nothing
def cut_others(n: int, k: int, kernel: int, cut: Any, tables: Any, found: Any) -> None:
    """Cut n, and k with the channels whose input a tile needs; weights follow one another, k tile after k
    tile. kernel: products of a channel. cut: of n, of k, bits of a weight. tables: n, k, offsets of weights."""
    of_n, of_k, weights = tables
    at = 0
    for n0 in range(0, n, cut[0]):
        of_n[at], of_n[at + 1] = n0, min(cut[0], n - n0)
        found[MOST_N] = max(found[MOST_N], of_n[at + 1])
        at += N_TILE
    at, low, place, loader = 0, 0, 0, 0
    for k0 in range(0, k, cut[1]):
        size = min(cut[1], k - k0)
        channel = k0 // kernel
        of_k[at], of_k[at + 1], of_k[at + 2] = k0, size, channel
        of_k[at + 3] = -(-(k0 + size) // kernel) - channel
        before = at - K_TILE + CHANNELS
        if at == 0 or of_k[before] != channel or of_k[before + 1] != of_k[at + 3]:
            loader = at // K_TILE
        of_k[at + SAME_CHANNELS] = loader
        found[MOST_K] = max(found[MOST_K], size)
        found[DEEPEST] = max(found[DEEPEST], of_k[at + 3])
        at += K_TILE
        for n0 in range(0, n, cut[0]):
            weights[place] = low
            low += (size * min(cut[0], n - n0) * cut[2] + 7) // 8
            place += 1
    found[WEIGHTS] = low


@jit.allocates_nothing
def cut_pieces(g: Any, facts: Any, of_m: Any, of_k: Any, pieces: Any, found: Any) -> None:
    """A resident input, fetched in pieces of new full-width rows, one piece an m tile; without ``reuse`` every tile
    fetches its whole box of rows. Rewrites whose LOAD a tile's input comes by, and with what. facts: bits, reuse.
    pieces: (k tiles, m tiles + 1) offsets of pieces in the resident area."""
    bits, reuse = facts
    tall, wide = g[3], g[4]
    known, early, loader = 0, 0, 0
    for at in range(0, len(of_m), M_TILE):
        x, tile = at + BOX, at // M_TILE
        row0, row1, images = of_m[x + 2], of_m[x + 2] + of_m[x + 3], of_m[x + 1]
        begin, end = of_m[x] * tall + row0, (of_m[x] + images - 1) * tall + row1
        if reuse == 1:
            while end_of(of_m, early, tall) <= begin:
                early += M_TILE
            if images == 1:
                row0 = min(max(begin, known) - of_m[x] * tall, row1)
            known = max(known, end)
            of_m[at + REACHES_BACK_TO] = early // M_TILE
        if images * (row1 - row0) * wide > 0:
            loader = tile
        of_m[at + LOADED_BY] = loader
        of_m[x + 2], of_m[x + 3], of_m[x + 4], of_m[x + 5] = row0, row1 - row0, 0, wide
    low, place = 0, 0
    for k in range(0, len(of_k), K_TILE):
        channels = of_k[k + CHANNELS + 1] if of_k[k + SAME_CHANNELS] == k // K_TILE else 0
        for x in range(BOX, len(of_m), M_TILE):
            pieces[place] = low
            low += (of_m[x + 1] * of_m[x + 3] * wide * channels * bits + 7) // 8
            place += 1
        pieces[place] = low
        place += 1
    found[PIECES] = low


def end_of(of_m: Any, at: Any, tall: Any) -> Any:
    """The row behind a tile's input, counted through all images of ``tall`` rows."""
    x = at + BOX
    return (of_m[x] + of_m[x + 1] - 1) * tall + of_m[x + 2] + of_m[x + 3]


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tables of tiles along m, n and k; of a resident input its pieces, else one 0; offsets of weights; and what is
    found of all (MOST_M and the next). counts: tiles along m, n, k."""

    m: Ints
    n: Ints
    k: Ints
    pieces: Ints
    weights: Ints
    found: list[int]
    counts: tuple[int, int, int]


def _pieces_of(total: int, tile: int) -> int:
    return -(-total // tile)


def runs_of(geometry: Geometry, cut: tuple[int, int, int]) -> int:
    """How many m tiles of so many images, rows and columns there are."""
    count = _pieces_of(geometry.batch, cut[0]) * _pieces_of(geometry.out_height, cut[1])
    return count * _pieces_of(geometry.out_width, cut[2])


def m_tiles(
    geometry: Geometry, cut: tuple[int, int, int], bits: int = 0, listed: bool = True
) -> tuple[Ints, list[int]]:
    """The table of m tiles of so many images, rows and columns, empty unless ``listed``, and what is found of
    them. bits: of an input box for each element of one channel."""
    table, found = _m_tiles(geometry, cut, bits, listed)
    return np.asarray(table, np.int64), list(map(int, found))


def _m_tiles(geometry: Geometry, cut: tuple[int, int, int], bits: int, listed: bool) -> Any:
    """m_tiles() as arrays where kernels are at hand, else as lists."""
    count = runs_of(geometry, cut)
    fast = jit.fits(cut_m, (reached,), count, COMPILE_ABOVE)
    table, found = _room(fast, M_TILE * count if listed else 0), _room(fast, 8)
    kernel = jit.quick(cut_m, (reached,)) if fast else cut_m
    kernel(geometry.plane, (*cut, bits), table, found)
    return table, found


def _room(fast: bool, size: int) -> Any:
    return np.zeros(size, np.int64) if fast else [0] * size


def tiles_of(
    geometry: Geometry,
    sizes: tuple[int, int, int, int, int],
    bits: tuple[int, int],
    stays: bool,
    reuse: bool,
) -> Tiles:
    """The tiles of an operator. sizes: images, rows, columns, n, k of a tile. bits: of an input, of a weight.
    stays: the input is resident; reuse: rows that earlier tiles brought are not fetched again."""
    g, (cut_n, cut_k) = geometry, sizes[3:]
    of_m, found = _m_tiles(g, sizes[:3], 0, True)
    count_n, count_k = _pieces_of(g.n, cut_n), _pieces_of(g.k, cut_k)
    count_m = len(of_m) // M_TILE
    fast = isinstance(of_m, np.ndarray)
    of_n, of_k, weights, pieces = (
        _room(fast, size)
        for size in (
            N_TILE * count_n,
            K_TILE * count_k,
            count_k * count_n,
            count_k * (count_m + 1) if stays else 1,
        )
    )
    kernel = jit.quick(cut_others) if fast else cut_others
    kernel(g.n, g.k, g.kernel, (cut_n, cut_k, bits[1]), (of_n, of_k, weights), found)
    if stays:
        kernel = jit.quick(cut_pieces, (end_of,)) if fast else cut_pieces
        kernel(g.plane, (bits[0], int(reuse)), of_m, of_k, pieces, found)
    m, n, k, low, at = (np.asarray(x, np.int64) for x in (of_m, of_n, of_k, pieces, weights))
    numbers = found.tolist() if fast else found
    return Tiles(m, n, k, low, at, numbers, (count_m, count_n, count_k))
