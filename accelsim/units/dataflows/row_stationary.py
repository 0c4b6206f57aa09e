"""Row stationary (docs/timing.md): rows of filters and of inputs meet in elements with scratchpads.

A set is a column of kernel_height elements for each of ``height`` output rows: element (i, j) keeps row i
of the filters, slides along row j x stride + i of the input, and adds to row j of the output. Sums move up
the column, then on to the next set of the same filters. An element interleaves p filters and q channels;
r sets share filters and have channels of their own, t groups of them have filters of their own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.program.table import Shapes
from accelsim.units.base import Counts
from accelsim.units.dataflows.base import (
    IMAGE_BITS,
    IMAGES_AT,
    Choices,
    Chosen,
    Dataflow,
    Ints,
    Times,
    Used,
    Window,
    Work,
    extents,
    operand_bits,
)
from accelsim.units.mac_arithmetic import fit, ordered_sums

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray, Rate


class Fold(NamedTuple):
    """How a pass lies on the array: output rows and images of its tile, the kernel, r and t, strides. Numbers,
    or a column of each."""

    height: Ints
    images: Ints
    kernel_height: Ints
    kernel_width: Ints
    sets: Ints
    groups: Ints
    stride_height: Ints
    stride_width: Ints


#: bits of each in a shape's fifth extent, the first ones lowest: the rows of a pass add the first two
BITS = Fold(*(IMAGES_AT, IMAGE_BITS, 6, 6, 6, 7, 4, 4))  # type: ignore[arg-type]
MOST = Fold(*((1 << int(bits)) - 1 for bits in BITS))  # type: ignore[arg-type]
SHIFT = Fold(*np.cumsum([0, *BITS[:-1]]).tolist())


def packed(fold: Fold) -> int:
    """A fold as one number. Each of its numbers has at most MOST."""
    return sum(int(value) << int(shift) for value, shift in zip(fold, SHIFT, strict=True))


def fold_of(shapes: Shapes) -> Fold:
    """The folds that shapes hold; a number that is not there counts as 1."""
    code = shapes.extents[:, 4]
    parts = (code >> shift & (1 << bits) - 1 for bits, shift in zip(BITS, SHIFT, strict=True))
    return Fold(*(np.maximum(part, 1) for part in parts))


class Turns(NamedTuple):
    """What the elements of a pass do. filters, channels: that each interleaves. windows: outputs along the
    rows of its images. chain: elements that a sum passes. turn: cycles from a product of a sum to its
    next. taps: products of an element for one window of one filter."""

    filters: Ints
    channels: Ints
    windows: Ints
    chain: Ints
    turn: Ints
    taps: Ints


def turns_of(array: MacArray, shapes: Shapes) -> Turns:
    """Of MATMULs and PRELOADs."""
    m, n, k = extents(shapes)
    fold = fold_of(shapes)
    filters = -(-n // fold.groups)
    deep = -(-k // (fold.kernel_height * fold.kernel_width))
    channels = -(-deep // fold.sets)
    chain = fold.kernel_height * -(-deep // channels)
    turn = np.maximum(filters, array.mac_latency)
    return Turns(filters, channels, m // fold.height, chain, turn, channels * fold.kernel_width)


class RowStationary(Dataflow):
    """Elements hold rows of k, sets of them rows of m and parts of n; an element's window slides along m."""

    name, number = "row_stationary", 3
    stays, rows, columns, streams = "weight", "k", "m", "m"
    twin = "row_stationary"
    parameters = ("p", "q", "r", "t")

    def refuses(self, array: MacArray) -> str:
        """It takes scratchpads, one product an element and cycle, and integer sums."""
        if array.scratchpads is None:
            return "row_stationary needs elements with scratchpads: {filter, input, sums, bus}"
        if array.dot * array.simd > 1 or any(rate.factor > 1 for rate in array.rates):
            return (
                "row_stationary takes one product an element and cycle: dot, simd and factors of 1"
            )
        return "row_stationary adds integers" if array.accumulator.format else ""

    def limits(
        self, array: MacArray, rate: Rate, work: Work | None = None, chosen: Chosen | None = None
    ) -> tuple[int, int, int]:
        """p t filters and q r channels."""
        if work is None:
            pads = array.scratchpads
            return 0, min(pads.filter, pads.sums) if pads else 1, array.rows
        p, q, r, t = self._parameters(array, work, chosen)
        return 0, p * t, q * r * work.kernel

    def window(self, work: Work) -> Window:
        """Rows of the input are read once a pass, with the zeros beside them."""
        high, wide = _kernel(work)
        return Window(high, wide, *work.stride, work.out_width)

    def code(self, array: MacArray, work: Work, chosen: Chosen) -> int:
        """The fold, without what differs from tile to tile."""
        _, _, r, t = self._parameters(array, work, chosen)
        return packed(Fold._make(map(np.int64, (0, 0, *_kernel(work), r, t, *work.stride))))

    def used(self, array: MacArray, shapes: Shapes) -> Used:
        """A column of elements for each output row of each group of filters."""
        turns, fold = turns_of(array, shapes), fold_of(shapes)
        steps = turns.windows * turns.taps * turns.turn
        return turns.chain, fold.height * fold.groups, steps

    def times(self, array: MacArray, shapes: Shapes) -> Times:
        """Filters turn fastest: the last product of a sum is its window's last tap. Elements up the chain
        start hop_registers cycles after one another."""
        turns = turns_of(array, shapes)
        interval = turns.windows * turns.taps * turns.turn
        climb = array.mac_latency + (turns.chain - 1) * array.hop_registers
        first = (turns.taps - 1) * turns.turn + climb
        return interval, first, interval - turns.turn + turns.filters - 1 + climb

    def loading(self, array: MacArray, shapes: Shapes) -> Ints:
        """Filters come over a bus, each word to all elements of a row at once."""
        _, n, k = extents(shapes)
        words = np.maximum(1, _bus(array) // operand_bits(array, shapes)[1].astype(np.int64))
        return -(-n * k // words)

    def slot_lag(self, array: MacArray, rows: int) -> int:
        """The last element of the longest chain reads its filters as much later as it started; a word is
        written at the end of its cycle."""
        return max(0, (array.rows - 1) * array.hop_registers - 1)

    def pass_bits(self, array: MacArray, shapes: Shapes) -> Counts:
        """A sum takes hop_registers registers from each element to the next."""
        m, n, _ = (one.astype(np.float64) for one in extents(shapes))
        down = m * n * turns_of(array, shapes).chain * array.hop_registers
        return np.asarray(down * array.accumulator.bits, np.float64)

    def accumulations(self, array: MacArray, shapes: Shapes) -> Counts:
        """In each element of a chain the first product of a sum is written, others are read and written."""
        m, n, k = (one.astype(np.float64) for one in extents(shapes))
        return np.asarray(m * n * (2 * k - turns_of(array, shapes).chain), np.float64)

    def scratchpad_bits(self, array: MacArray, shapes: Shapes, preload: bool) -> Counts:
        """A filter word is read for every product, an input word once for all filters of an element and
        written as the window reaches it; PRELOADs write filters into the elements of every output row."""
        m, n, k = (one.astype(np.float64) for one in extents(shapes))
        fold, turns = fold_of(shapes), turns_of(array, shapes)
        a, b = operand_bits(array, shapes)
        if preload:
            return np.asarray(n * k * fold.height * b, np.float64)
        groups = np.ceil(n / turns.filters)
        new = np.minimum(fold.kernel_width, fold.stride_width) / fold.kernel_width
        lines = fold.images * fold.height  # windows that take all of their words anew
        return np.asarray(
            m * n * k * b + groups * k * a * (m + lines + (m - lines) * new), np.float64
        )

    def sums(self, array: MacArray, a: Ints, b: Ints, rate: Rate, code: int = 0) -> Ints:
        """In an element over channels, then along its row; up the column over rows, then over sets."""
        row = np.array([[a.shape[0], b.shape[1], a.shape[1], self.number, code]], np.int64)
        none = np.zeros(1, np.int64)
        shapes = Shapes(none, none, none, none, none, none, row)
        high, wide = (int(one[0]) for one in fold_of(shapes)[2:4])
        share, held = int(turns_of(array, shapes).channels[0]), array.accumulator
        order = np.arange(a.shape[1]).reshape(-1, high, wide)
        total = np.zeros((a.shape[0], b.shape[1]), np.int64)
        for channel in range(0, len(order), share):
            for line in range(high):
                some = order[channel : channel + share, line].ravel()
                part = ordered_sums(a[:, some], b[some], 1, held.bits, held.overflow)
                total = fit(total + part, held.bits, held.overflow)
        return total

    def _parameters(
        self, array: MacArray, work: Work, chosen: Chosen | None
    ) -> tuple[int, int, int, int]:
        """p, q, r, t: those chosen, checked, or the best of those that the tile allows."""
        _check(array, work, chosen)
        if chosen is not None and chosen.parameters:
            p, q, r, t = chosen.parameters
            for key, what, need, room in _needs(array, work, chosen.height, (p, q, r, t)):
                if need > room:
                    raise _wrong(
                        key, f"{what} is {need}, the array holds {room}", f"make {key} less"
                    )
            return p, q, r, t
        columns = _ranked(array, work, chosen)[0]
        if not columns.shape[1]:
            raise _wrong("height", "no set of so many output rows fits", "write fewer rows")
        p, q, r, t = columns[2:, 0].tolist()
        return p, q, r, t

    def choices(self, array: MacArray, work: Work) -> Choices:
        """Every fold of a pass that fills a buffer tile; fastest first, then of the fewest words."""
        _check(array, work, None)
        columns, cycles, far = _ranked(array, work, None)
        images, height, p, q, r, t = columns
        n, k = np.minimum(p * t, work.n), np.minimum(q * r, work.channels) * work.kernel
        return Choices(images, height, n, k, columns[2:].T, cycles, far)


def _ranked(array: MacArray, work: Work, tile: Chosen | None) -> tuple[Ints, Ints, Ints]:
    """(images, height, p, q, r, t) in columns, fastest first, with cycles and words from behind the buffers.
    tile: takes no more than it holds."""
    heights = [tile.height] if tile else _heights(work)
    columns = np.concatenate(
        [
            _folds(array, work, one, [tile.batch] if tile else _batches(work, one))
            for one in heights
        ],
        axis=1,
    )
    if tile is not None:
        inside = (columns[2] <= tile.n) & (columns[3] <= tile.k // work.kernel)
        columns = columns[:, inside]
    cycles, near, far = _counted(array, work, columns)
    order = np.lexsort((far, near, cycles))
    return columns[:, order], cycles[order], far[order]


def _kernel(work: Work) -> tuple[int, int]:
    return work.kernel_height, work.kernel // work.kernel_height


def _bus(array: MacArray) -> int:
    return array.scratchpads.bus if array.scratchpads else 1


def _wrong(key: str, what: str, fix: str) -> InputError:
    return InputError(Problem("dataflow.row_stationary", what, fix, path=key))


def _check(array: MacArray, work: Work, chosen: Chosen | None) -> None:
    """InputError where an operator or a tile cannot be run by rows."""
    high, wide = _kernel(work)
    if work.reach != (high, wide):
        raise _wrong("dataflow", "row_stationary has no dilated kernels", "take another dataflow")
    if high > array.rows:
        text = f"a kernel of {high} rows is higher than the array, {array.rows}"
        raise _wrong("dataflow", text, "take another dataflow")
    if wide > MOST.kernel_width or max(work.stride) > MOST.stride_width:
        text = f"row_stationary goes {MOST.kernel_width} columns wide and {MOST.stride_width} far"
        raise _wrong("dataflow", text, "take another dataflow")
    if chosen is None:
        return
    for key, value, most in (
        ("batch", chosen.batch, MOST.images),
        ("height", chosen.height, MOST.height),
    ):
        if value > most:
            raise _wrong(key, f"row_stationary takes at most {most}", f"make {key} less")
    if chosen.width < work.out_width:
        raise _wrong("width", "row_stationary takes whole rows", f"write width: {work.out_width}")
    if chosen.k % work.kernel:
        text = f"row_stationary takes whole kernels of {work.kernel}"
        raise _wrong("k", text, f"write a multiple of {work.kernel}")


def _places(array: MacArray, work: Work, height: int) -> tuple[int, int]:
    """Sets of so many output rows that fit above and beside one another; a wider one is cut and stacked."""
    pieces = -(-height // array.columns)
    return array.rows // (_kernel(work)[0] * pieces), max(1, array.columns // height)


def _needs(
    array: MacArray, work: Work, height: int, chosen: tuple[int, ...]
) -> list[tuple[str, str, int, int]]:
    """(key, what, needed, there) of every limit of a pass."""
    p, q, r, t = chosen
    pads, wide = array.scratchpads, _kernel(work)[1]
    assert pads is not None
    above, beside = _places(array, work, height)
    return [
        ("q", "q x kernel width (words of inputs)", q * wide, pads.input),
        ("p", "p x q x kernel width (words of filters)", p * q * wide, pads.filter),
        ("p", "p (words of sums)", p, pads.sums),
        ("r", "r (sets above one another)", r, min(above, int(MOST.sets))),
        ("t", "t (groups of r sets)", t, min(above // r * beside, int(MOST.groups))),
    ]


@lru_cache(maxsize=1024)
def _parts(total: int) -> tuple[int, ...]:
    """Sizes that cut a length into parts as even as can be, the largest first."""
    return tuple(sorted({-(-total // count) for count in range(1, total + 1)}, reverse=True))


def _heights(work: Work) -> list[int]:
    return [size for size in _parts(work.out_height) if size <= MOST.height]


def _batches(work: Work, height: int) -> list[int]:
    if height < work.out_height:
        return [1]
    return [size for size in _parts(work.batch) if size <= MOST.images]


def _folds(array: MacArray, work: Work, height: int, batches: list[int]) -> Ints:
    """Rows (images, height, p, q, r, t) of what fits."""
    pads, (_, wide) = array.scratchpads, _kernel(work)
    assert pads is not None
    above, beside = _places(array, work, height)
    found = [
        (images, height, p, q, r, t)
        for r in range(1, min(above, work.channels, int(MOST.sets)) + 1)
        for t in {min(above // r * beside, work.n, int(MOST.groups))}
        for q in _parts(-(-work.channels // r))
        if q * wide <= min(pads.input, pads.filter)
        for p in _parts(-(-work.n // t))
        if p <= pads.sums and p * q * wide <= pads.filter
        for images in batches
    ]
    columns: Ints = np.array(found, np.int64).reshape(-1, 6).T
    return columns


def _counted(array: MacArray, work: Work, columns: Ints) -> tuple[Ints, Ints, Ints]:
    """Cycles, words between buffer and array, words from behind the buffers of ways to run an operator."""
    images, height, p, q, r, t = columns
    high, wide = _kernel(work)
    per = max(1, _bus(array) // get(array.rates[0].weight).bits)
    strips, batches = -(-work.out_height // height), -(-work.batch // images)
    many, deep = -(-work.n // (p * t)), -(-work.channels // (q * r))

    def shares(total: int, size: Ints, lanes: Ints, count: Ints, least: int) -> Ints:
        rest = total - (count - 1) * size * lanes
        last = np.maximum(-(-rest // lanes), least)
        return np.asarray(np.maximum(size, least) * (count - 1) + last, np.int64)

    turns = shares(work.n, p, t, many, array.mac_latency) * shares(work.channels, q, r, deep, 1)
    windows = work.batch * work.out_width * strips
    weights = work.n * work.channels * work.kernel * strips * batches
    lag = strips * batches * many * deep * max(0, (array.rows - 1) * array.hop_registers - 1)
    rows = (work.out_height - strips) * work.stride[0] + strips * high
    row = (work.out_width - 1) * work.stride[1] + wide
    outputs = work.n * work.batch * work.out_height * work.out_width
    inputs = many * work.batch * work.channels * rows * row
    cycles = windows * turns * wide + -(-weights // per) + lag
    groups = work.groups
    return groups * cycles, groups * (inputs + 2 * deep * outputs), groups * (inputs + weights)


__all__ = ["RowStationary"]
