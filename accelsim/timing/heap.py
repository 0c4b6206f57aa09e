"""A binary heap of (time, key) in two flat columns, for plain and compiled code alike."""

from __future__ import annotations

from accelsim.timing.records import Heap


def push(heap: Heap, time: int, key: int) -> None:
    """Insert an entry. Order: time, then key."""
    times, keys, size = heap
    i = size[0]
    size[0] = i + 1
    while i > 0:
        up = (i - 1) >> 1
        if times[up] < time or (times[up] == time and keys[up] <= key):
            break
        times[i] = times[up]
        keys[i] = keys[up]
        i = up
    times[i] = time
    keys[i] = key


def pop(heap: Heap) -> None:
    """Remove the first entry (read it at index 0 before)."""
    times, keys, size = heap
    count = size[0] - 1
    size[0] = count
    time, key = times[count], keys[count]
    i, child = 0, 1
    while child < count:
        right = child + 1
        if right < count and (
            times[right] < times[child]
            or (times[right] == times[child] and keys[right] < keys[child])
        ):
            child = right
        if time < times[child] or (time == times[child] and key <= keys[child]):
            break
        times[i] = times[child]
        keys[i] = keys[child]
        i = child
        child = 2 * i + 1
    times[i] = time
    keys[i] = key
