"""Passes: the array-sized pieces of every job, and which of them preload new stationary values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.mapping.jobs import Jobs
from accelsim.mapping.placement import Placement

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Passes:
    """Columns over passes, in program order.

    job: its job. m0, n0, k0: first element within the buffer tile; m, n, k: extents.
    preload: whether a PRELOAD goes before it. source: the pass whose preload it uses. slot:
    register slot of that preload. frees: for a pass with a preload, the pass that used the slot
    last, or -1. start: (jobs + 1) first pass of each job.
    """

    job: Ints
    m0: Ints
    n0: Ints
    k0: Ints
    m: Ints
    n: Ints
    k: Ints
    preload: Bools
    source: Ints
    slot: Ints
    frees: Ints
    start: Ints

    def __len__(self) -> int:
        return len(self.job)


def _cut(size: Ints, limit: int) -> Ints:
    return -(-size // limit) if limit else np.ones_like(size)


def _ranges(index: Ints, size: Ints, limit: int) -> tuple[Ints, Ints]:
    if not limit:
        return np.zeros_like(index), size
    first = index * limit
    return first, np.minimum(limit, size - first)


def pass_table(
    jobs: Jobs, place: Placement, stationary: str, counts: dict[str, int], depth: int
) -> Passes:
    """Cut every job into passes: m, then n, then k, the last one fastest.

    A PRELOAD is left out where the instance's previous pass used the same stationary tile.
    """
    size_m, size_n, size_k = place.m.size[jobs.m], place.n_size[jobs.n], place.k.size[jobs.k]
    limit_m, limit_n, limit_k = place.limits
    cut_n, cut_k = _cut(size_n, limit_n), _cut(size_k, limit_k)
    count = _cut(size_m, limit_m) * cut_n * cut_k
    start = np.zeros(len(jobs) + 1, np.int64)
    np.cumsum(count, out=start[1:])
    job = np.repeat(np.arange(len(jobs), dtype=np.int64), count)
    local = np.arange(int(start[-1]), dtype=np.int64) - start[job]
    index_k = local % cut_k[job]
    rest = local // cut_k[job]
    index_n, index_m = rest % cut_n[job], rest // cut_n[job]
    m0, m = _ranges(index_m, size_m[job], limit_m)
    n0, n = _ranges(index_n, size_n[job], limit_n)
    k0, k = _ranges(index_k, size_k[job], limit_k)
    inner_key = (index_n if stationary == "weight" else index_m) * int(cut_k.max()) + index_k
    if stationary == "none":
        none = np.full(len(job), -1, np.int64)
        return Passes(job, m0, n0, k0, m, n, k, none >= 0, none, none, none, start)
    tile, tiles = (jobs.n, counts["n"]) if stationary == "weight" else (jobs.m, counts["m"])
    tile_key = (jobs.group * tiles + tile) * counts["k"] + jobs.k
    key = tile_key[job] * (int(inner_key.max()) + 1) + inner_key
    held = _registers(key, jobs.instance[job], depth)
    return Passes(job, m0, n0, k0, m, n, k, *held, start)


def _registers(key: Ints, instance: Ints, depth: int) -> tuple[Bools, Ints, Ints, Ints]:
    """preload, source, slot and frees of Passes, from the stationary tile of each pass."""
    count = len(key)
    order = np.argsort(instance, kind="stable") if instance.any() else np.arange(count)
    sorted_key, owner = key[order], instance[order]
    new = np.ones(count, bool)
    new[1:] = (sorted_key[1:] != sorted_key[:-1]) | (owner[1:] != owner[:-1])
    position = np.flatnonzero(new)  # sorted position of every preload
    number = np.cumsum(new) - 1
    index = np.arange(len(position), dtype=np.int64)
    fresh = np.ones(len(position), bool)
    fresh[1:] = owner[position[1:]] != owner[position[:-1]]
    turn = index - np.maximum.accumulate(np.where(fresh, index, 0))
    freed = np.where(turn >= depth, order[position[np.maximum(index - depth + 1, 0)] - 1], -1)
    preload = np.zeros(count, bool)
    preload[order] = new
    source, slot, frees = (np.full(count, -1, np.int64) for _ in range(3))
    source[order] = order[position[number]]
    slot[order] = (turn % depth)[number]
    frees[order[position]] = freed
    return preload, source, slot, frees
