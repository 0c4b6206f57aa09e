"""Buffer tiles of one operator: their ranges, the input each needs, and their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.mapping import Geometry

Ints = NDArray[np.int64]


def packed_bytes(elements: Ints, bits: int) -> Ints:
    """Whole bytes that hold so many elements of ``bits`` bits."""
    return (elements * bits + 7) // 8


def starts(total: int, tile: int) -> tuple[Ints, Ints]:
    """Offsets and sizes of the tiles that cut ``total`` into ranges of at most ``tile``."""
    offset = np.arange(0, total, tile, dtype=np.int64)
    return offset, np.minimum(tile, total - offset)


@dataclass(frozen=True, slots=True)
class MTiles:
    """The m tiles, batch outermost. first, size: range of m. The input box each needs: images
    batch0 .. batch0 + images, rows row0 .. row1, columns column0 .. column1."""

    first: Ints
    size: Ints
    batch0: Ints
    images: Ints
    row0: Ints
    row1: Ints
    column0: Ints
    column1: Ints


def reached(
    out0: Ints, count: Ints, stride: int, pad: int, reach: int, limit: int
) -> tuple[Ints, Ints]:
    """The input rows or columns, from and to, that outputs out0 .. out0 + count need."""
    low = np.minimum(np.maximum(out0 * stride - pad, 0), limit - 1)
    high = np.minimum(np.maximum((out0 + count - 1) * stride - pad + reach, low + 1), limit)
    return low, high


@lru_cache(
    maxsize=64
)  # the choice of a mapping asks, then the rows, then the next point of a sweep
def m_tiles(geometry: Geometry, batch: int, height: int, width: int) -> MTiles:
    """Cut m into boxes of images x rows x columns, each a contiguous range of m.

    A box of several rows spans all columns and a box of several images all rows; the caller
    guarantees it.
    """
    b0, nb = starts(geometry.batch, batch)
    h0, nh = starts(geometry.out_height, height)
    w0, nw = starts(geometry.out_width, width)
    row0, row1 = reached(
        h0, nh, geometry.stride[0], geometry.pad[0], geometry.reach[0], geometry.in_height
    )
    col0, col1 = reached(
        w0, nw, geometry.stride[1], geometry.pad[1], geometry.reach[1], geometry.in_width
    )
    count_b, count_h, count_w = len(b0), len(h0), len(w0)

    def over_b(values: Ints) -> Ints:
        return np.repeat(values, count_h * count_w)

    def over_h(values: Ints) -> Ints:
        return np.tile(np.repeat(values, count_w), count_b)

    def over_w(values: Ints) -> Ints:
        return np.tile(values, count_b * count_h)

    images = over_b(nb)
    size = images * over_h(nh) * over_w(nw)
    first = np.cumsum(size) - size
    columns = (over_b(b0), images, over_h(row0), over_h(row1), over_w(col0), over_w(col1))
    for column in (first, size, *columns):
        column.flags.writeable = False
    return MTiles(first, size, *columns)


@dataclass(frozen=True, slots=True)
class KTiles:
    """The k tiles: range of k, the channels (within a group) whose input they need, and the first tile that
    needs the same channels, whose LOAD serves them all."""

    first: Ints
    size: Ints
    channel0: Ints
    channels: Ints
    loader: Ints


def k_tiles(geometry: Geometry, tile: int) -> KTiles:
    """Cut k into ranges of at most ``tile`` products."""
    first, size = starts(geometry.k, tile)
    channel0 = first // geometry.kernel
    channels = -(-(first + size) // geometry.kernel) - channel0
    new = np.ones(len(first), bool)
    new[1:] = (np.diff(channel0) != 0) | (np.diff(channels) != 0)
    loader = np.maximum.accumulate(np.where(new, np.arange(len(first)), 0))
    return KTiles(first, size, channel0, channels, loader)


def box_bytes(tiles: MTiles, channels: Ints, bits: int) -> Ints:
    """(m tiles, k tiles) bytes of the input box of every tile."""
    plane = tiles.images * (tiles.row1 - tiles.row0) * (tiles.column1 - tiles.column0)
    return packed_bytes(plane[:, None] * channels[None, :], bits)


@dataclass(frozen=True, slots=True)
class Pieces:
    """A resident input, fetched in pieces of new full-width rows, one piece an m tile.

    row0: first new row of the m tile's piece (its end is the tile's row1). bytes: (k tiles,
    m tiles) of the piece, 0 where the tiles need nothing new. offset: where the piece starts in
    the resident area. first_piece: earliest m tile whose piece the tile reads; loader: latest
    m tile whose piece is not empty. total: bytes of one group.
    """

    row0: Ints
    bytes: Ints
    offset: Ints
    first_piece: Ints
    loader: Ints
    total: int


def resident_pieces(
    geometry: Geometry, tiles: MTiles, deep: KTiles, bits: int, reuse: bool
) -> Pieces:
    """Pieces of a resident input; without ``reuse`` every tile fetches its whole row box."""
    count = len(tiles.first)
    begin = tiles.batch0 * geometry.in_height + tiles.row0
    end = (tiles.batch0 + tiles.images - 1) * geometry.in_height + tiles.row1
    if reuse:
        known = np.maximum.accumulate(np.concatenate([np.zeros(1, np.int64), end[:-1]]))
        row0 = np.where(tiles.images == 1, np.maximum(begin, known), begin)
        row0 = np.minimum(row0 - tiles.batch0 * geometry.in_height, tiles.row1)
        first_piece = np.searchsorted(end, begin, side="right").astype(np.int64)
    else:
        row0 = tiles.row0
        first_piece = np.arange(count, dtype=np.int64)
    plane = tiles.images * (tiles.row1 - row0) * geometry.in_width
    new = deep.loader == np.arange(len(deep.loader))
    size = packed_bytes(plane[None, :] * (deep.channels * new)[:, None], bits)
    flat = size.ravel()
    offset = (np.cumsum(flat) - flat).reshape(size.shape)
    index = np.arange(count, dtype=np.int64)
    loader = np.maximum.accumulate(np.where(plane > 0, index, 0))
    return Pieces(row0, size, offset, first_piece, loader, int(flat.sum()))
