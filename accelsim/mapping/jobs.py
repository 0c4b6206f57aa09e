"""Jobs: one buffer tile on one array instance, in program order, and what each must fetch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Jobs:
    """Columns over jobs: array instance, group, and tile numbers along m, n and k.

    Jobs of one step run side by side on different instances, on neighbouring tiles of the split
    dimension.
    """

    instance: Ints
    group: Ints
    m: Ints
    n: Ints
    k: Ints

    def __len__(self) -> int:
        return len(self.group)


def job_table(groups: int, counts: dict[str, int], order: str, split: str, instances: int) -> Jobs:
    """The loop nest over buffer tiles (groups outermost, then ``order``), dealt along ``split``."""
    steps = dict(counts)
    steps[split] = -(-counts[split] // instances)
    dims = (groups, *(steps[letter] for letter in order))
    flat = np.arange(int(np.prod(dims)), dtype=np.int64)
    index = dict(zip("g" + order, np.unravel_index(flat, dims), strict=True))
    instance = np.zeros(len(flat), np.int64)
    if instances > 1:
        index = {letter: np.repeat(values, instances) for letter, values in index.items()}
        instance = np.tile(np.arange(instances, dtype=np.int64), len(flat))
        tile = index[split] * instances + instance
        keep = tile < counts[split]
        index[split] = tile
        index = {letter: values[keep] for letter, values in index.items()}
        instance = instance[keep]
    columns = [index[letter].astype(np.int64) for letter in "gmnk"]
    return Jobs(instance, *columns)


@dataclass(frozen=True, slots=True)
class Fetches:
    """Tiles brought into a buffer, in the order of the jobs that need them first.

    job: the job each fetch precedes. lane: which set of slots. slot: its slot. before: the
    fetch that held the slot until now, or -1. of_job: the fetch each job reads (-1: none).
    """

    job: Ints
    lane: Ints
    slot: Ints
    before: Ints
    of_job: Ints

    def __len__(self) -> int:
        return len(self.job)


def streamed(key: Ints, lane: Ints, slots: int) -> Fetches:
    """A fetch whenever the key changes within a lane; slots are used in turn."""
    count = len(key)
    order = np.argsort(lane, kind="stable") if lane.any() else np.arange(count)
    sorted_key, sorted_lane = key[order], lane[order]
    new = np.ones(count, bool)
    new[1:] = (sorted_key[1:] != sorted_key[:-1]) | (sorted_lane[1:] != sorted_lane[:-1])
    number = np.cumsum(new) - 1
    of_job = np.empty(count, np.int64)
    of_job[order] = number
    fetch_lane = sorted_lane[new]
    total = len(fetch_lane)
    index = np.arange(total, dtype=np.int64)
    first = np.ones(total, bool)
    first[1:] = fetch_lane[1:] != fetch_lane[:-1]
    turn = index - np.maximum.accumulate(np.where(first, index, 0))
    before = np.where(turn >= slots, index - slots, -1)
    return Fetches(order[new].astype(np.int64), fetch_lane, turn % slots, before, of_job)


def resident(key: Ints, lane: Ints) -> tuple[Fetches, Ints]:
    """One fetch for each distinct (lane, key), before its first job; and the keys fetched."""
    span = int(key.max()) + 1
    unique, first, inverse = np.unique(lane * span + key, return_index=True, return_inverse=True)
    rank = np.argsort(first, kind="stable")
    place = np.empty_like(rank)
    place[rank] = np.arange(len(rank))
    unique, first = unique[rank], first[rank]
    zeros = np.zeros(len(unique), np.int64)
    fetches = Fetches(
        first.astype(np.int64), unique // span, zeros, zeros - 1, place[inverse].astype(np.int64)
    )
    return fetches, unique % span


def last_rows(of_job: Ints, instance: Ints, rows: Ints, fetches: int, instances: int) -> Ints:
    """(instances, fetches) the last row on each instance that reads each fetch, -1 for none."""
    last = np.full((instances, fetches), -1, np.int64)
    valid = of_job >= 0
    np.maximum.at(last, (instance[valid], of_job[valid]), rows[valid])
    return last


def first_and_last(key: Ints) -> list[tuple[int, int]]:
    """First and last index of every value that occurs in a column."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for index, value in enumerate(key.tolist()):
        first.setdefault(value, index)
        last[value] = index
    return [(first[value], last[value]) for value in sorted(first)]
