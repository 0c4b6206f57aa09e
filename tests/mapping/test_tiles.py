"""Tables of tiles against single outputs, input rows and products, plain and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accelsim import jit
from accelsim.mapping.mapping import Geometry, geometry_of
from accelsim.mapping.tiles import (
    BOX,
    BOXES,
    CHANNELS,
    DEEPEST,
    K_TILE,
    LOADED_BY,
    M_TILE,
    MOST_K,
    MOST_M,
    MOST_N,
    N_TILE,
    PIECES,
    PLANE,
    REACHES_BACK_TO,
    SAME_CHANNELS,
    WEIGHTS,
    m_tiles,
    runs_of,
    tiles_of,
)
from tests.mapping.random_cases import random_operator


def needed(g: Geometry, axis: int, low: int, count: int) -> tuple[int, int]:
    """First input row or column, and how many, from those that single outputs read."""
    limit = (g.in_height, g.in_width)[axis]
    reads = [
        place
        for out in range(low, low + count)
        for place in range(
            out * g.stride[axis] - g.pad[axis], out * g.stride[axis] - g.pad[axis] + g.reach[axis]
        )
        if 0 <= place < limit
    ]
    return min(reads), max(reads) + 1 - min(reads)


def boxes(g: Geometry, cut: tuple[int, int, int]) -> list[list[int]]:
    """first, size, images, rows, columns of every m tile, one by one."""
    found, first = [], 0
    for b in range(0, g.batch, cut[0]):
        for h in range(0, g.out_height, cut[1]):
            for w in range(0, g.out_width, cut[2]):
                images, high, wide = (
                    min(part, whole - low)
                    for part, whole, low in zip(
                        cut, (g.batch, g.out_height, g.out_width), (b, h, w), strict=True
                    )
                )
                rows, columns = needed(g, 0, h, high), needed(g, 1, w, wide)
                found.append([first, images * high * wide, b, images, *rows, *columns])
                first += images * high * wide
    assert first == g.m
    return found


def random_case(rng: np.random.Generator) -> tuple[Geometry, tuple[int, int, int, int, int]]:
    g = geometry_of(random_operator(rng))
    batch = int(rng.integers(1, g.batch + 1))
    height = g.out_height if batch > 1 else int(rng.integers(1, g.out_height + 1))
    whole = batch > 1 or height > 1
    width = g.out_width if whole else int(rng.integers(1, g.out_width + 1))
    return g, (batch, height, width, *(int(rng.integers(1, top + 1)) for top in (g.n, g.k)))


@pytest.mark.parametrize("which", ["plain", "compiled"])
def test_tiles_are_those_of_single_outputs(which: jit.Which) -> None:
    rng = np.random.default_rng(4)
    with jit.only(which):
        for _ in range(60):
            g, sizes = random_case(rng)
            bits = int(rng.choice([4, 6, 8])), int(rng.choice([4, 6, 8]))
            t = tiles_of(g, sizes, bits, stays=False, reuse=True)
            m = t.m.reshape(-1, M_TILE)
            expected = boxes(g, sizes[:3])
            assert [[*row[:2], *row[BOX:]] for row in m.tolist()] == expected
            own = list(range(len(expected)))
            assert m[:, LOADED_BY].tolist() == m[:, REACHES_BACK_TO].tolist() == own
            assert len(expected) == runs_of(g, sizes[:3]) == t.counts[0]
            planes = [row[3] * row[5] * row[7] for row in expected]
            assert t.found[MOST_M] == max(row[1] for row in expected)
            assert t.found[PLANE] == max(planes)
            table, found = m_tiles(g, sizes[:3], g.channels * bits[0], listed=False)
            assert len(table) == 0
            assert found[BOXES] == sum(-(-plane * g.channels * bits[0] // 8) for plane in planes)
            others(g, sizes, bits[1], t)


def others(g: Geometry, sizes: tuple[int, ...], bits: int, t: Any) -> None:
    """Tiles along n and k, and weights, product by product."""
    n = [[low, min(sizes[3], g.n - low)] for low in range(0, g.n, sizes[3])]
    k = []
    for low in range(0, g.k, sizes[4]):
        products = range(low, min(low + sizes[4], g.k))
        channels = sorted({product // g.kernel for product in products})
        same = [tile[4] for tile in k[-1:] if tile[2:4] == [channels[0], len(channels)]]
        k.append([low, len(products), channels[0], len(channels), *(same or [len(k)])])
    assert t.n.reshape(-1, N_TILE).tolist() == n and t.k.reshape(-1, K_TILE).tolist() == k
    packed = [-(-size[1] * part[1] * bits // 8) for size in k for part in n]
    assert t.weights.tolist() == [sum(packed[:at]) for at in range(len(packed))]
    assert t.found[WEIGHTS] == sum(packed)
    assert t.found[MOST_N] == max(part[1] for part in n)
    assert t.found[MOST_K] == max(part[1] for part in k)
    assert t.found[DEEPEST] == max(part[3] for part in k)
    assert t.counts[1:] == (len(n), len(k))


@pytest.mark.parametrize("which", ["plain", "compiled"])
def test_pieces_bring_every_row_once(which: jit.Which) -> None:
    """Row by row: which tile's LOAD brings it first, whom a tile waits for, what lies where."""
    rng, several = np.random.default_rng(5), 0
    with jit.only(which):
        for _ in range(80):
            g, sizes = random_case(rng)
            reuse, bits = bool(rng.integers(2)), int(rng.choice([4, 8]))
            t = tiles_of(g, sizes, (bits, 8), stays=True, reuse=reuse)
            brought: dict[tuple[int, int], int] = {}
            last, rows_of = 0, []
            for tile, box in enumerate(boxes(g, sizes[:3])):
                _, _, b, images, row0, rows, _, _ = box
                reads = [(b + i, row0 + r) for i in range(images) for r in range(rows)]
                new = [at for at in reads if at not in brought or not reuse or images > 1]
                brought |= dict.fromkeys(new, tile)
                last = tile if new else last
                row = t.m[M_TILE * tile : M_TILE * tile + M_TILE].tolist()
                assert row[BOX + 1] * row[BOX + 3] == len(new), (g, sizes)
                assert [row[BOX + 2], row[BOX + 4], row[BOX + 5]] == [
                    new[0][1] if new else row0 + rows,
                    0,
                    g.in_width,
                ]
                assert row[LOADED_BY] == last
                earliest = min(brought[at] for at in reads) if reuse else tile
                assert row[REACHES_BACK_TO] == earliest
                several += earliest < tile
                rows_of.append(len(new))
            loads = t.k[SAME_CHANNELS::K_TILE] == np.arange(t.counts[2])
            channels = (t.k[CHANNELS + 1 :: K_TILE] * loads).tolist()
            packed = [[-(-n * g.in_width * deep * bits // 8) for n in rows_of] for deep in channels]
            low, offsets = 0, []
            for sizes_of in packed:
                offsets += [low + sum(sizes_of[:at]) for at in range(len(sizes_of) + 1)]
                low += sum(sizes_of)
            assert t.pieces.tolist() == offsets and t.found[PIECES] == low
    assert several > 20
