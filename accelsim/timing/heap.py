"""A binary heap of (time, key, stamp) in three flat columns, for plain and compiled code alike."""

from __future__ import annotations

from typing import Any


def push(times: Any, keys: Any, stamps: Any, size: int, time: int, key: int, stamp: int) -> int:
    """Insert an entry; returns the new size. Order: time, then key, then stamp."""
    i = size
    while i > 0:
        up = (i - 1) >> 1
        if times[up] < time or (
            times[up] == time and (keys[up] < key or (keys[up] == key and stamps[up] <= stamp))
        ):
            break
        times[i] = times[up]
        keys[i] = keys[up]
        stamps[i] = stamps[up]
        i = up
    times[i] = time
    keys[i] = key
    stamps[i] = stamp
    return size + 1


def pop(times: Any, keys: Any, stamps: Any, size: int) -> int:
    """Remove the first entry (read it at index 0 before); returns the new size."""
    size -= 1
    time = times[size]
    key = keys[size]
    stamp = stamps[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            times[right] < times[child]
            or (
                times[right] == times[child]
                and (
                    keys[right] < keys[child]
                    or (keys[right] == keys[child] and stamps[right] < stamps[child])
                )
            )
        ):
            child = right
        if time < times[child] or (
            time == times[child]
            and (key < keys[child] or (key == keys[child] and stamp <= stamps[child]))
        ):
            break
        times[i] = times[child]
        keys[i] = keys[child]
        stamps[i] = stamps[child]
        i = child
    times[i] = time
    keys[i] = key
    stamps[i] = stamp
    return size
