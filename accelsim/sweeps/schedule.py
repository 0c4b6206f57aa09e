"""Which points a slot does next: neighbours together, chunks of about a second.

Points come in an order in which neighbours share the most (sweep/order.py). Each slot works through a stretch
of it, so that its caches serve; one that has come to its end takes the back half of the longest stretch left.
Nothing of this changes a result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

AIM = 1.0  # seconds of work a chunk
GROWTH = 4  # a chunk has at most so many times the points of the slot's last one
MOST = 20_000  # points a chunk
TURNS = 4  # chunks a slot should still get when the end is near


class Schedule:
    """Hands out numbers of points. count: how many there are. backwards: begin with the last, as the second
    driver of a store does."""

    def __init__(self, count: int, slots: int, backwards: bool = False) -> None:
        self.count, self.backwards = count, backwards
        self.stretches = [
            [count * slot // slots, count * (slot + 1) // slots] for slot in range(slots)
        ]
        self.last = [0] * slots
        self.cost = 0.0  # seconds a point
        self.again: deque[list[int]] = deque()

    @property
    def left(self) -> int:
        """Points not handed out yet."""
        return sum(end - begin for begin, end in self.stretches) + sum(map(len, self.again))

    def next(self, slot: int, done: Callable[[int], bool]) -> list[int]:
        """Numbers of the next chunk of a slot; none when all are handed out. done: points to leave out."""
        while self.again:
            if chunk := [number for number in self.again.popleft() if not done(number)]:
                return chunk
        while True:
            begin, end = self.stretches[slot]
            if begin >= end and not self._take(slot):
                return []
            begin, end = self.stretches[slot]
            stop = min(end, begin + self._size(slot))
            self.stretches[slot][0] = stop
            chunk = [self.count - 1 - n if self.backwards else n for n in range(begin, stop)]
            if chunk := [number for number in chunk if not done(number)]:
                self.last[slot] = stop - begin
                return chunk

    def _take(self, slot: int) -> bool:
        """Take over the back half of the longest stretch."""
        longest = max(self.stretches, key=lambda stretch: stretch[1] - stretch[0])
        begin, end = longest
        if begin >= end:
            return False
        middle = begin + (end - begin) // 2
        longest[1] = middle
        self.stretches[slot] = [middle, end]
        return True

    def _size(self, slot: int) -> int:
        """Points of the next chunk."""
        if self.cost == 0.0:
            return 1
        aimed = int(AIM / self.cost)
        share = self.left // (TURNS * len(self.stretches))
        return max(
            1, min(aimed, MOST, GROWTH * max(1, self.last[slot]), max(share, int(0.05 * aimed)))
        )

    def note(self, points: int, seconds: float) -> None:
        """Learn what points cost, the last chunks most."""
        if points:
            cost = max(seconds / points, 1e-7)
            self.cost = cost if self.cost == 0.0 else 0.5 * (self.cost + cost)

    def repeat(self, numbers: list[int]) -> None:
        """Hand points out again, soon."""
        self.again.append(numbers)
