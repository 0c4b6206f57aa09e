"""How an adder adds products: format, rounding, chunks; and the sums it gives, to the bit.

    within a chunk of CL products, in ascending k:  s = round(s + a b), from 0
    then                                            total = round(total + s)

The product enters exactly, or rounded to a format of its own. With one chunk (chunk 0) the total
is s. An output's sums depend on nothing but its own row, column and number, so tiles of m and n,
threads, and pieces of K that end where chunks end cannot change a bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.errors import InputError, Problem
from accelsim.fields import Bounds
from accelsim.formats import Block, Fixed, Format, Grid, Integer, Minifloat, get
from accelsim.formats.random_bits import key_of, mixed, word_at
from accelsim.formats.rounding import draws, mode_of, packed, rounded, rounding_named
from accelsim.units.accumulation_loops import (
    Course,
    Cut,
    General,
    Nearest,
    any_loop,
    any_row,
    any_step,
    box_words,
    cut_four,
    cut_loop,
    cut_one,
    cut_pair,
    key_words,
    nearest_loop,
    plain_loop,
    products,
)
from accelsim.units.accumulation_steps import (
    cut_step,
    nearest_step,
    odd_sum,
    random_word,
    steps_a_word,
)
from accelsim.units.mac_arithmetic import exact_sums, fit

Floats = NDArray[np.float64]
_KEYS = (key_words, ((word_at, (mixed,)),))
_CUT = (random_word, cut_step)
_STEP = (any_step, (rounded, odd_sum))
#: what each loop calls, for the compiler
HELPERS: dict[Any, tuple[Any, ...]] = {
    nearest_loop: (nearest_step,),
    cut_loop: (_KEYS, (cut_pair, _CUT), (cut_four, _CUT), (cut_one, _CUT), *_CUT),
    any_loop: (_KEYS, (any_row, (random_word, _STEP)), (products, (rounded,)), steps_a_word),
}
MOST_RANDOM_BITS = 16  # half a random word a step; up to 8, a quarter
FLOAT32, FLOAT64 = 24, 53  # bits of their significands
CALL = 1 << 28  # products of one call of a compiled loop: well below a second
SMALL = 60_000  # products below which nothing is compiled


@dataclass(frozen=True, slots=True)
class Accumulation:
    """An accumulator.

    format: of every sum. chunk: products a chunk (0: all in one). rounding: of every addition,
    a rounding's name, or "exact": an adder that never rounds, refused where it would have to.
    product: "exact", or the format that each product is rounded to first (to nearest even).
    overflow: default the format's. random_bits: 1..16, of stochastic rounding; seed: its seed.
    result: rounding of a finished sum to the format it leaves in (units/finished_sums.py), default
    that format's own.
    """

    format: str = "fp32"
    chunk: Annotated[int, Bounds(0, 1 << 30)] = 0
    rounding: str = "nearest_even"
    product: str = "exact"
    overflow: Literal["", "saturate", "infinity", "nan", "wrap"] = ""
    random_bits: Annotated[int, Bounds(1, MOST_RANDOM_BITS)] = 12
    seed: int = 0
    result: str = ""


@dataclass(frozen=True, slots=True)
class Adder:
    """A checked Accumulation for operands of two formats."""

    how: Accumulation
    record: Format
    grid: Grid
    rounding: str
    overflow: str
    operands: tuple[Grid, Grid]
    product: Format | None

    @property
    def product_bits(self) -> int:
        """Significant bits of a product that enters the adder."""
        if self.product is not None and self.product.grid is not None:
            return self.product.grid.precision
        return self.operands[0].precision + self.operands[1].precision

    @property
    def quantum(self) -> float:
        """What every exact product is a whole multiple of."""
        return self.operands[0].quantum * self.operands[1].quantum

    def general(self) -> General:
        """How the general loops round."""
        place = min(FLOAT32 - self.grid.precision, MOST_RANDOM_BITS) - self.how.random_bits
        product_grid = np.zeros(9, np.int64)
        if self.product is not None and self.product.grid is not None:
            product_grid = packed(self.product.grid, self.product.overflows[0], "nearest_even")
        return General(
            mode_of(self.rounding, self.how.random_bits),
            np.int64(max(place, 0)),
            packed(self.grid, self.overflow, self.rounding),
            self.product is not None,
            product_grid,
        )

    def course(self, depth: int, first: int, index: int, columns: int) -> Course:
        """Chunks and random words of ``depth`` products, the first of number ``first``, for outputs from number
        ``index`` on, rows ``columns`` apart."""
        chunk, key = self.how.chunk, key_of(self.how.seed)
        begin, size, number, apart = map(np.int64, (first, chunk or depth, index, columns))
        return Course(begin, size, not chunk, key, number, apart)


def grid_of(record: Format, what: str) -> Grid:
    """The grid of a format that can be multiplied or added; InputError for one that has none."""
    base: Format = record.element if isinstance(record, Block) else record
    if base.grid is None or (what == "accumulator" and isinstance(record, Block)):
        raise _refused(
            "format",
            f"{record.name} cannot be the format of an {what}",
            "write an integer, fixed-point or float format",
        )
    return base.grid


def _refused(code: str, message: str, fix: str) -> InputError:
    return InputError(Problem(f"accumulate.{code}", message, fix))


def adder(how: Accumulation, left: str | Grid, right: str | Grid) -> Adder:
    """The adder for operands of two formats (names) or grids; InputError where it contradicts itself."""
    record = get(how.format)
    grid = grid_of(record, "accumulator")
    first, second = (
        x if isinstance(x, Grid) else grid_of(get(x), "operand") for x in (left, right)
    )
    operands = (first, second)
    _check_numbers(how)
    product = None if how.product == "exact" else get(how.product)
    if product is not None:
        grid_of(product, "accumulator")
    exact = how.rounding == "exact"
    if how.result:
        how = replace(how, result=rounding_named(how.result))
    _, overflow = record.choices(None, how.overflow or None)
    found = Adder(
        how,
        record,
        grid,
        "toward_zero" if exact else rounding_named(how.rounding),
        overflow,
        operands,
        product,
    )
    if exact:
        _check_exact(
            found, any(isinstance(x, str) and isinstance(get(x), Block) for x in (left, right))
        )
    whole = isinstance(record, Integer | Fixed)
    if overflow == "wrap" and (not whole or grid.quantum > found.quantum or product is not None):
        raise _refused(
            "wrap",
            f"{how.format} wraps only where nothing is rounded",
            "write overflow: saturate, or an accumulator with the products' fraction",
        )
    drawn = how.random_bits if draws(found.rounding) else 0
    wide = (
        sum(item.precision for item in operands) > FLOAT64 or grid.precision + drawn > FLOAT64 - 2
    )
    if wide and overflow != "wrap":
        raise _refused(
            "wide",
            f"sums of {grid.precision} bits of products of {found.product_bits} bits "
            "do not fit the arithmetic of 53 bits",
            "write narrower formats",
        )
    return found


def _check_numbers(how: Accumulation) -> None:
    for value, low, high, name in (
        (how.chunk, 0, 1 << 30, "chunk"),
        (how.random_bits, 1, MOST_RANDOM_BITS, "random_bits"),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            raise _refused(
                name,
                f"{name} {value!r} is no whole number in {low}..{high}",
                f"write {name}: a value in {low}..{high}",
            )


def _check_exact(found: Adder, blocks: bool) -> None:
    """Exactness was asked for: no product may lie between two values of the accumulator."""
    bits = found.product_bits
    if blocks:
        raise _refused(
            "exact",
            "scaled blocks reach over more binades than any accumulator holds exactly",
            "write a rounding",
        )
    if found.grid.precision < bits:
        raise _refused(
            "narrow",
            f"{found.how.format} has {found.grid.precision} bits, an exact product {bits}",
            "write a wider accumulator, or a rounding",
        )
    if not isinstance(found.record, Integer | Fixed) or found.grid.quantum > found.quantum:
        raise _refused(
            "exact",
            f"sums in {found.how.format} round",
            "write a rounding, or a fixed-point or integer accumulator with the products' fraction",
        )


def accumulate(
    a: NDArray[Any],
    b: NDArray[Any],
    unit: Adder,
    *,
    start: Floats | None = None,
    first: int = 0,
    index: int = 0,
    columns: int | None = None,
    threads: int = 1,
) -> Floats:
    """The sums a @ b as the adder forms them: float64 (m, n), values of the accumulator's format.

    a: (m, k), b: (k, n), values of the operand formats. start: totals of earlier chunks (with one
    chunk: the sum so far); first: k of the first product. index: number of output (0, 0) among all
    outputs, its rows ``columns`` (default n) apart: what random bits depend on beside seed and k.
    Every zero is +0. InputError where ``first`` is inside a chunk, or NaN meets a format without.
    """
    chunk = unit.how.chunk
    if chunk and first % chunk:
        raise _refused(
            "split",
            f"K is cut at {first}, inside a chunk of {chunk}",
            f"cut at a multiple of {chunk}",
        )
    m, depth, n = a.shape[0], a.shape[1], b.shape[1]
    total = np.zeros((m, n)) if start is None else np.array(start, np.float64)
    if m and n and depth:
        total = _summed(
            a, b, unit, total, (first, index, n if columns is None else columns), threads
        )
    found = total.astype(np.float64) + 0.0
    if not unit.record.has_nan and np.isnan(found).any():
        raise _refused(
            "nan",
            f"a sum is NaN, which {unit.how.format} does not have",
            "replace NaN and infinities first",
        )
    return found


def _summed(
    a: NDArray[Any],
    b: NDArray[Any],
    unit: Adder,
    total: Floats,
    place: tuple[int, int, int],
    threads: int,
) -> NDArray[Any]:
    """Totals, in the type of the loop that formed them."""
    if unit.overflow == "wrap":
        return _wrapped(a, b, unit, total)
    (m, depth), n, (first, index, columns) = a.shape, b.shape[1], place
    small = m * n * depth < SMALL and depth < SMALL // 30
    loop, left, right, total, constants = _loop(unit, a, b, total, small)
    kernel: Any = plain_loop if small else jit.compiled(loop, HELPERS[loop])

    def part(rows: slice) -> None:
        course = unit.course(depth, first, index + rows.start * columns, columns)
        with np.errstate(all="ignore"):  # plain code wraps and passes NaN on as compiled code does
            kernel(left[rows], right, total[rows], course, constants)

    step = max(1, min(-(-m // max(1, threads)), CALL // max(1, n * depth)))
    pieces = [slice(low, min(low + step, m)) for low in range(0, m, step)]
    if threads > 1 and len(pieces) > 1 and not small:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, pieces))
    else:
        for piece in pieces:
            part(piece)
    return total


def closed(unit: Adder, total: Floats, chunk: Floats, at: int, index: int, columns: int) -> Floats:
    """round(total + chunk) for a box of outputs (m, n), a chunk that ends before product ``at``."""
    how = unit.general()
    low, high = box_words(key_of(unit.how.seed), index, columns, total.shape)
    with np.errstate(all="ignore"):
        word = random_word(low, ~high, np.uint32(at))
        found: Any = any_step(total, chunk, word, how.place, how.mode, how.grid)
    return np.asarray(found, np.float64) + 0.0


def _wrapped(a: NDArray[Any], b: NDArray[Any], unit: Adder, total: Floats) -> Floats:
    """Sums modulo the accumulator's range: no rounding, so one exact sum, wrapped once."""
    left, right = (
        np.rint(x / grid.quantum).astype(np.int64)
        for x, grid in zip((a, b), unit.operands, strict=True)
    )
    quantum = unit.grid.quantum
    codes = exact_sums(left, right) * np.int64(unit.quantum / quantum)
    codes = codes + np.rint(total / quantum).astype(np.int64)
    if unit.grid.bottom == 0.0:
        codes &= (1 << unit.record.bits) - 1
    else:
        codes = fit(codes, unit.record.bits, "wrap")
    return np.asarray(codes * quantum, np.float64)


def _loop(
    unit: Adder, a: NDArray[Any], b: NDArray[Any], total: Floats, small: bool
) -> tuple[Any, ...]:
    """(loop, operands and totals in its type, its constants). small: always the general one."""
    drop = FLOAT32 - unit.grid.precision
    if not small and _narrow(unit, a, b, total):
        mask = np.uint32(~((1 << drop) - 1) & 0xFFFFFFFF)
        operands = (
            np.ascontiguousarray(a, np.float32),
            np.ascontiguousarray(b, np.float32),
            total.astype(np.float32),
        )
        if unit.rounding in ("nearest_even", "nearest_away"):
            half = (1 << drop) >> 1
            even = half if unit.rounding == "nearest_away" else max(half - 1, 0)
            constants = Nearest(np.uint32(even), np.uint32(half), np.uint32(1 << drop), mask)
            return (nearest_loop, *operands, constants)
        bits = unit.how.random_bits if unit.rounding == "stochastic" else 0
        part = np.uint32(((1 << bits) - 1) << (drop - bits))
        share = steps_a_word(max(bits, 1))
        return (cut_loop, *operands, Cut(np.int64(share), part, mask))
    wide = (np.ascontiguousarray(x, np.float64) for x in (a, b))
    return (any_loop, *wide, total, unit.general())


def _narrow(unit: Adder, a: NDArray[Any], b: NDArray[Any], total: Floats) -> bool:
    """Whether float32 sums, rounded again, give the adder's bits (derived in docs/formats.md)."""
    p, q = unit.grid.precision, unit.product_bits
    if unit.product is not None or not isinstance(unit.record, Minifloat) or p > FLOAT32:
        return False
    smallest = unit.grid.quantum if unit.grid.least == 0 else unit.grid.least
    if (
        q > FLOAT32
        or unit.quantum < smallest
        or unit.quantum < float(np.finfo(np.float32).smallest_subnormal)
    ):
        return False
    if unit.rounding in ("nearest_even", "nearest_away"):
        native = p == FLOAT32 and unit.rounding == "nearest_even"
        if not native and (q > p or 2 * p > FLOAT32 or p + q > FLOAT32):
            return False
    elif unit.rounding in ("toward_zero", "stochastic"):
        bits = unit.how.random_bits if unit.rounding == "stochastic" else 0
        if FLOAT32 - p > MOST_RANDOM_BITS or bits > FLOAT32 - p:
            return False
    else:
        return False
    return _bound(unit, a, b, total) < unit.grid.top / 2


def _bound(unit: Adder, a: NDArray[Any], b: NDArray[Any], total: Floats) -> float:
    """A magnitude that no sum can pass: products added without cancelling, rounded up each time."""
    depth = a.shape[1]
    largest = float(np.max(np.abs(a), initial=0)) * float(np.max(np.abs(b), initial=0))
    chunk = unit.how.chunk or depth
    additions = min(chunk, depth) + -(-depth // chunk)
    growth = additions * math.log1p(2.0 ** (1 - unit.grid.precision))
    if growth > 60:
        return math.inf
    held = float(np.max(np.abs(total), initial=0))
    return float((held + depth * largest) * math.exp(growth))
