"""Cases of row-stationary passes: convolutions cut into passes, and what they must give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import get
from accelsim.rtl.schedule import earliest
from accelsim.units.dataflows import dataflow_named
from accelsim.units.dataflows.row_stationary import Fold, packed
from accelsim.units.mac_array import Accumulator, MacArray, Rate, Scratchpads
from tests.arrays.runs import make_array
from tests.rtl.icarus import Case

Ints = NDArray[np.int64]
RS = dataflow_named("row_stationary").number


class Shape(NamedTuple):
    """A pass: images, output rows and columns, kernel, strides, filters, channels, r, t."""

    images: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    n: int
    channels: int
    r: int
    t: int

    @property
    def code(self) -> int:
        """The fifth extent."""
        numbers = (self.height, self.images, *self.kernel, self.r, self.t, *self.stride)
        return packed(Fold._make(np.int64(number) for number in numbers))


@dataclass(frozen=True, slots=True)
class Made:
    """A run and, of each pass, the plain sums of its convolution (no accumulator's width)."""

    case: Case
    exact: list[Ints]


def lowered(image: Ints, shape: Shape) -> Ints:
    """Rows of outputs (image, row, column), columns of products (channel, kernel row, kernel column)."""
    (high, wide), (down, across) = shape.kernel, shape.stride
    rows = [
        image[i, :, y * down : y * down + high, x * across : x * across + wide].ravel()
        for i in range(shape.images)
        for y in range(shape.height)
        for x in range(shape.width)
    ]
    return np.array(rows, np.int64)


def run(array: MacArray, shapes: list[Shape], seed: int) -> Made:
    """Passes one after another, each as early as the closed forms allow."""
    rng, rate = np.random.default_rng(seed), array.rates[0]

    def codes(name: str, size: tuple[int, ...]) -> Ints:
        return rng.integers(get(name).minimum, get(name).maximum + 1, size)

    tiles, exact = [], []
    for shape in shapes:
        (high, wide), (down, across) = shape.kernel, shape.stride
        size = ((shape.height - 1) * down + high, (shape.width - 1) * across + wide)
        image = codes(rate.input, (shape.images, shape.channels, *size))
        weights = codes(rate.weight, (shape.n, shape.channels, high, wide))
        tiles.append((lowered(image, shape), weights.reshape(shape.n, -1).T.copy()))
        exact.append(convolved(image, weights, shape))
    passes = earliest(array, RS, rate, tiles, codes=[shape.code for shape in shapes])
    return Made(Case(array, RS, rate, passes), exact)


def convolved(image: Ints, weights: Ints, shape: Shape) -> Ints:
    """The convolution by its definition, (images x height x width, n)."""
    found = np.zeros((shape.images, shape.height, shape.width, shape.n), np.int64)
    (high, wide), (down, across) = shape.kernel, shape.stride
    for i in range(high):
        for s in range(wide):
            part = image[:, :, i::down, s::across][:, :, : shape.height, : shape.width]
            found += np.einsum("bchw,nc->bhwn", part, weights[:, :, i, s])
    return found.reshape(-1, shape.n)


def random_run(seed: int) -> Made:
    """A random array with room for a random shape, and passes of it: whole, of fewer outputs, filters,
    images."""
    rng = np.random.default_rng(seed)

    def up_to(most: int) -> int:
        return int(rng.integers(1, most + 1))

    kernel, stride = (up_to(3), up_to(4)), (up_to(3), up_to(3))
    p, q, r, t = up_to(4), up_to(2), up_to(3), up_to(2)
    height, images, width = up_to(3), up_to(2), up_to(4)
    channels = q * r if rng.integers(2) else max(1, q * r - int(rng.integers(q)))
    whole = Shape(images, height, width, kernel, stride, p * t, channels, r, t)
    fewer = whole._replace(n=max(1, p * t - up_to(2)), height=up_to(height), images=up_to(images))
    again = whole._replace(width=up_to(width))
    rate = Rate(*(("int8", "int8") if rng.integers(2) else ("int4", "int8")))
    array = make_array(
        rate,
        rows=kernel[0] * r,
        columns=height * t,
        dataflow="row_stationary",
        scratchpads=Scratchpads(p * q * kernel[1], q * kernel[1], p, 8 * up_to(4)),
        stationary_depth=up_to(2),
        hop_registers=up_to(2),
        mac_latency=up_to(3),
        accumulator=Accumulator(
            int(rng.integers(14, 33)), ("wrap", "saturate")[int(rng.integers(2))]
        ),
    )
    return run(array, [whole, fewer, again][: up_to(3)], seed + 1)
