"""The contract of a dataflow: what stays in a MAC array's elements, what streams, and what a pass takes.

A dataflow is one file of this folder, or of an installed package that names it as an entry point. The
array asks it for times and counts, the mapper for limits, the rows for what is preloaded; no list of
dataflows stands anywhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_NAMES, get
from accelsim.program.table import Shapes
from accelsim.units.base import Counts
from accelsim.units.mac_arithmetic import ordered_sums

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray, Rate

Ints = NDArray[np.int64]
Axis = Literal["m", "n", "k"]
AXES = "mnk"
#: rows used, columns used, steps streamed
Used = tuple[Ints, Ints, Ints]
#: interval, first, last
Times = tuple[Ints, Ints, Ints]


class Dataflow(ABC):
    """One way of running a pass (m x k)(k x n) on a MacArray. No state; every method is a pure function.

    name: whole words, as chip files write it. number: what Programs and saved mappings hold in its
    place, never used twice. stays: the operand that a PRELOAD writes into the elements before a pass
    ("none": outputs stay and nothing is preloaded). rows, columns, streams: the dimension that lies
    along the rows, along the columns, and that runs through. twin: the module of accelsim/rtl that
    steps it edge by edge, "" without one.

    Shapes: rows are MATMULs, or PRELOADs where the method says so, of this dataflow alone, with
    extents (m, n, k, number, exit row). All times are cycles of the array's clock, int64, from the
    issue, as in units.base.Cost.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    stays: ClassVar[Literal["none", "weight", "input"]]
    rows: ClassVar[Axis]
    columns: ClassVar[Axis]
    streams: ClassVar[Axis]
    twin: ClassVar[str] = ""

    @property
    def summary(self) -> str:
        """What it does in a line."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    @abstractmethod
    def limits(self, array: MacArray, rate: Rate) -> tuple[int, int, int]:
        """Largest (m, n, k) of one pass; 0 for the dimension that streams."""

    @abstractmethod
    def used(self, array: MacArray, shapes: Shapes) -> Used:
        """(rows used, columns used, steps streamed) of MATMULs or PRELOADs."""

    @abstractmethod
    def times(self, array: MacArray, shapes: Shapes) -> Times:
        """(interval, first, last) of MATMULs, without the array's epilogue; first and last are counted
        from the clock edge that ends cycle 0."""

    def loading(self, array: MacArray, shapes: Shapes) -> Ints:
        """Cycles of PRELOADs: one row of elements a cycle."""
        return self.used(array, shapes)[0]

    def slot_lag(self, array: MacArray, rows: int) -> int:
        """Cycles from a MATMUL's release until a PRELOAD of so many rows may overwrite its registers."""
        del array, rows
        return 0

    @abstractmethod
    def pass_bits(self, array: MacArray, shapes: Shapes) -> Counts:
        """Register bits that MATMULs clock (units.mac_counts), float64."""

    def preload_bits(self, array: MacArray, shapes: Shapes) -> Counts:
        """Register bits that PRELOADs clock."""
        del array
        return np.zeros(len(shapes.extents))

    def accumulations(self, array: MacArray, shapes: Shapes) -> Counts:
        """Words of sums that MATMULs read and write in the elements."""
        del array
        return np.zeros(len(shapes.extents))

    def sums(self, array: MacArray, a: Ints, b: Ints, rate: Rate) -> Ints:
        """The (m, n) sums of one pass of a: (m, k), b: (k, n) codes, in the order in which the adders
        form them: k ascending, the products of an element and cycle as one exact sum."""
        held = array.accumulator
        return ordered_sums(a, b, array.group(rate), held.bits, held.overflow)


def extents(shapes: Shapes) -> tuple[Ints, Ints, Ints]:
    """m, n, k of each shape."""
    m, n, k = (shapes.extents[:, axis] for axis in range(3))
    return m, n, k


def operand_bits(array: MacArray, shapes: Shapes) -> tuple[Counts, Counts]:
    """Width of the operands' registers of each shape: the multiplier's, to which narrower operands
    are extended at the array's edge."""
    pair = shapes.format_a * len(FORMAT_NAMES) + shapes.format_b
    wide = np.zeros((2, len(pair)))
    for number in set(pair.tolist()):
        a, b = divmod(number, len(FORMAT_NAMES))
        rate = array.rate(FORMAT_NAMES[a], FORMAT_NAMES[b])
        wide[:, pair == number] = [[get(rate.input).bits], [get(rate.weight).bits]]
    return wide[0], wide[1]
