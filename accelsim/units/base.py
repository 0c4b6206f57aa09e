"""The contract of every unit: its own time, its own action counts, its own arithmetic.

The engine adds nothing but contention. A new kind of hardware is one file with one subclass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from accelsim.fields import Bounds, Quantity
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cost:
    """Cycles of the unit's own clock, one entry per shape row, int64, measured from the issue.

    interval: earliest next issue on the unit (>= 0). first: first result. last: last result,
    at least interval; last - interval is the drain that overlaps the unit's next command.
    """

    interval: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class Unit(ABC):
    """One kind of hardware that executes commands, described by a frozen dataclass.

    Subclasses are frozen dataclasses with at least ``name: str`` (key in the chip file),
    ``clock: str`` and ``count: int`` (identical instances).
    """

    kind: ClassVar[str]
    opcodes: ClassVar[tuple[Opcode, ...]]
    name: str
    clock: str
    count: int

    @abstractmethod
    def cost(self, shapes: Shapes) -> Cost:
        """Times of each shape row (every row is of this unit), vectorised, no side effects."""

    def timed(self) -> Unit:
        """The unit with every field set to its default that neither its times nor its place in a Program
        depend on: two units with the same one give the same Program and Timeline."""
        return self

    def statistics(self, values: bool) -> Mapping[str, Sequence[tuple[float, str]]]:
        """What the counts of actions rest on beside the Program: (part of the count, confidence) of each
        figure. values: the charge and the reads again came from a run's values."""
        del values
        return {}

    def measured(self) -> Unit:
        """The unit without the statistics that a run's values replace."""
        return self

    @abstractmethod
    def actions(self, shapes: Shapes) -> Mapping[str, Counts]:
        """Action name -> count of that action in one execution of each shape row, float64 >= 0.

        Memory traffic is not counted here: it is in the operands, and the memory charges it.
        """


class Sums(Protocol):
    """An accumulator: bits wide."""

    @property
    def bits(self) -> int: ...


def stored_format(accumulator: Sums) -> str:
    """Name of the format that partial sums are stored in: the accumulator's own, or the narrowest
    integer that holds it."""
    named: str = getattr(accumulator, "format", "")
    if named:
        return named
    bits = next(b for b in (4, 5, 6, 8, 12, 16, 20, 24, 32, 48, 64) if b >= accumulator.bits)
    return f"int{bits}"


__all__ = ["Bounds", "Cost", "Counts", "Quantity", "Sums", "Unit", "stored_format"]
