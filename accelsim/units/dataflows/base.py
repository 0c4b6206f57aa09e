"""The contract of a dataflow: what stays in a MAC array's elements, what streams, and what a pass takes.

A dataflow is one file of this folder, or of an installed package that names it as an entry point. The
array asks it for times and counts, the mapper for limits, the rows for what is preloaded; no list of
dataflows stands anywhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol

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
#: bits of a fifth extent that hold a tile's output rows, and its images above them (Dataflow.window)
IMAGES_AT, IMAGE_BITS = 14, 12
#: rows used, columns used, steps streamed
Used = tuple[Ints, Ints, Ints]
#: interval, first, last
Times = tuple[Ints, Ints, Ints]


class Work(Protocol):
    """An operator as loops: groups x batch x out_height x out_width outputs of n filters, each a sum over
    channels x kernel (channels and n of one group). reach: dilated kernel size. A matrix product has rows
    of one output and a kernel of 1."""

    @property
    def groups(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def out_height(self) -> int: ...
    @property
    def out_width(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def kernel_height(self) -> int: ...
    @property
    def stride(self) -> tuple[int, int]: ...
    @property
    def reach(self) -> tuple[int, int]: ...


class Chosen(Protocol):
    """A buffer tile: images, output rows and columns, filters, products; and the dataflow's own parameters,
    () where it chooses them."""

    @property
    def batch(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def k(self) -> int: ...
    @property
    def parameters(self) -> tuple[int, ...]: ...


class Window(NamedTuple):
    """An input that passes read as rows, each word once: kernel and strides (down, across), outputs a row."""

    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    width: int


class Choices(NamedTuple):
    """Ways to run an operator, a column each, best first: the tile's images and output rows, its n and k, then
    the dataflow's parameters in rows. cycles: of the array. far: words that come from and go to the memory
    behind the buffers."""

    images: Ints
    height: Ints
    n: Ints
    k: Ints
    parameters: Ints
    cycles: Ints
    far: Ints


class Dataflow(ABC):
    """One way of running a pass (m x k)(k x n) on a MacArray. No state; every method is a pure function.

    name: whole words, as chip files write it. number: what Programs and saved mappings hold in its
    place, never used twice. stays: the operand that a PRELOAD writes into the elements before a pass
    ("none": outputs stay and nothing is preloaded). rows, columns, streams: the dimension that lies
    along the rows, along the columns, and that runs through. twin: the module of accelsim/rtl that
    steps it edge by edge, "" without one. parameters: names of the numbers of its own that a mapping may
    give, as keys of a mapping file.

    Shapes: rows are MATMULs, or PRELOADs where the method says so, of this dataflow alone, with
    extents (m, n, k, number, exit row or code()). All times are cycles of the array's clock, int64, from the
    issue, as in units.base.Cost.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    stays: ClassVar[Literal["none", "weight", "input"]]
    rows: ClassVar[Axis]
    columns: ClassVar[Axis]
    streams: ClassVar[Axis]
    twin: ClassVar[str] = ""
    parameters: ClassVar[tuple[str, ...]] = ()

    @property
    def summary(self) -> str:
        """What it does in a line."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    def refuses(self, array: MacArray) -> str:
        """Why an array cannot run it; "" where it can."""
        del array
        return ""

    @abstractmethod
    def limits(
        self, array: MacArray, rate: Rate, work: Work | None = None, chosen: Chosen | None = None
    ) -> tuple[int, int, int]:
        """Largest (m, n, k) of one pass; 0 for the dimension that streams. work, chosen: the operator and
        its tile, where the limits depend on them. InputError where they cannot be run."""

    def window(self, work: Work) -> Window | None:
        """How passes read the input: None, a word for each product of a row of m with k; or as rows, where
        the shapes of passes hold their tile's output rows and images in the lowest 14 and next 12 bits of
        their fifth extent."""
        del work
        return None

    def code(self, array: MacArray, work: Work, chosen: Chosen) -> int:
        """What the fifth extent of all passes of a tile holds beside, where there is a window."""
        del array, work, chosen
        return 0

    def choices(self, array: MacArray, work: Work) -> Choices | None:
        """Its own ways to run an operator, best first, which the mapper takes in place of its tilings; None
        where any tile within the limits can be run."""
        del array, work
        return None

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

    def scratchpad_bits(self, array: MacArray, shapes: Shapes, preload: bool) -> Counts:
        """Bits that MATMULs (PRELOADs) read and write in the elements' scratchpads of operands."""
        del array, preload
        return np.zeros(len(shapes.extents))

    def sums(self, array: MacArray, a: Ints, b: Ints, rate: Rate, code: int = 0) -> Ints:
        """The (m, n) sums of one pass of a: (m, k), b: (k, n) codes, in the order in which the adders
        form them: k ascending, the products of an element and cycle as one exact sum. code: the shape's
        fifth extent."""
        del code
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
