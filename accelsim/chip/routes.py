"""Routes: the memories that data passes between two memories of a chip. The one place that knows topology.

Memories stand in a tree: each is filled from and spilled to the one behind it. Between two of which one
stands behind the other the route is that chain; two others are copied between directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.chip.chip import Chip


@dataclass(frozen=True, slots=True)
class Hop:
    """One transfer: out of a memory into the next one that stores."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Route:
    """The way from a memory to another, transfer by transfer; none where they are one."""

    hops: tuple[Hop, ...]

    @property
    def storages(self) -> tuple[str, ...]:
        """The memories between the two, in the order in which data is stored there."""
        return tuple(hop.end for hop in self.hops[:-1])


def chain(chip: Chip, name: str) -> tuple[str, ...]:
    """A memory and those behind it, the nearest first."""
    found, here = [name], chip.behind(name)
    while here is not None:
        found.append(here)
        here = chip.behind(here)
    return tuple(found)


def route(chip: Chip, start: str, end: str) -> Route:
    """The Route between two memories of the chip."""
    up, down = chain(chip, start), chain(chip, end)
    if end in up:
        stops = up[: up.index(end) + 1]
    elif start in down:
        stops = tuple(reversed(down[: down.index(start) + 1]))
    else:
        stops = (start, end)
    return Route(tuple(Hop(*pair) for pair in pairwise(stops)))
