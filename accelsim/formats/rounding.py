"""Rounding of real numbers to a grid of binades: one function for every format with such a grid.

A float64 is taken apart into sign, 53-bit significand and exponent, and rounded once, in integer
arithmetic. The same source runs on NumPy arrays and, compiled, in a loop over numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.errors import InputError, Problem
from accelsim.formats.random_bits import key_of, mixed, word_at
from accelsim.jit import choose

Floats = NDArray[np.float64]
Rounding = Literal[
    "nearest_even",
    "nearest_away",
    "nearest_up",
    "nearest_down",
    "nearest_zero",
    "toward_zero",
    "up",
    "down",
    "stochastic",
    "stochastic_floor",
]
Overflow = Literal["saturate", "infinity", "nan", "wrap"]
ROUNDINGS: tuple[str, ...] = get_args(Rounding)
OVERFLOWS: tuple[str, ...] = get_args(Overflow)
#: what people also call them
ALIASES = {
    "nearest": "nearest_even",
    "truncate": "toward_zero",
    "half_up": "nearest_up",
    "half_down": "nearest_down",
}
MOST_RANDOM_BITS = 32
COMPILE_ABOVE = 30_000  # elements
BLOCK = 1 << 22  # elements a call of a kernel, well below a second

NEAREST, DIRECTED, STOCHASTIC = 0, 1, 2
#: where ties of NEAREST go, for each sign
TO_ZERO, AWAY, TO_EVEN = np.int64(0), np.int64(1), np.int64(2)
SIGN = np.int64(np.iinfo(np.int64).min)
MAGNITUDE = np.int64(np.iinfo(np.int64).max)
INFINITY = np.int64(0x7FF << 52)
NAN = np.int64(0x7FF8 << 48)
BIAS, FRACTION = 1023, 52  # of float64
UNBOUNDED = -960  # an exponent that no value to be rounded needs


@dataclass(frozen=True, slots=True)
class Grid:
    """The finite values of a format with binades.

    precision: bits of the significand, the leading one included. lowest: exponent of the smallest
    normal binade [2^lowest, 2^(lowest+1)); below it the spacing stays the same where there are
    subnormals. least: smallest magnitude above zero if what rounds to less becomes zero (no
    subnormals), else 0. top, bottom: largest value and largest negative magnitude.
    """

    precision: int
    lowest: int
    top: float
    bottom: float
    least: float = 0.0

    @property
    def quantum(self) -> float:
        """Spacing of the smallest values."""
        return 2.0 ** (self.lowest - self.precision + 1)


def rounding_named(name: str) -> str:
    """The rounding of a name or its alias; InputError with the choices for any other."""
    found = ALIASES.get(name, name)
    if found not in ROUNDINGS:
        raise InputError(
            Problem(
                "format.rounding",
                f"there is no rounding {name!r}",
                "write one of " + ", ".join((*ROUNDINGS, *ALIASES)),
            )
        )
    return found


def check_random_bits(bits: int) -> int:
    """bits, or InputError outside 1..32."""
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= MOST_RANDOM_BITS:
        raise InputError(
            Problem(
                "format.random_bits",
                f"{bits!r} random bits cannot be drawn",
                f"write a whole number in 1..{MOST_RANDOM_BITS}",
            )
        )
    return int(bits)


class Mode(NamedTuple):
    """A rounding as ``rounded`` reads it, int64.

    positive and negative say for a sign: with kind NEAREST where ties go (TO_ZERO, AWAY, TO_EVEN);
    with DIRECTED 1 where it rounds away from zero; with STOCHASTIC 1 for negative where the distance
    is counted, and the carry goes, from the value below (two's complement) instead of from the one
    towards zero. bits: random bits of STOCHASTIC.
    """

    kind: Any
    positive: Any
    negative: Any
    bits: Any


def rounded(x: Any, random: Any, mode: Mode, grid: Any) -> Any:
    """x (float64) on a grid, in one rounding.

    random: 0 <= int64 < 2^bits, for STOCHASTIC. mode: the same for all elements. grid: int64 of
    ``packed``.
    """
    kind, positive, negative, bits = mode
    u = np.float64(x).view(np.int64)
    size = u & MAGNITUDE
    below = u < 0
    exponent = np.maximum(size >> FRACTION, 1)
    significand = size - ((exponent - 1) << FRACTION)
    unit = np.maximum(exponent - BIAS, grid[1]) - grid[0] + 1  # exponent of the spacing
    wide = np.maximum(unit - exponent + (BIAS + FRACTION), 0)
    unit = np.maximum(unit, exponent - (BIAS + FRACTION))
    cut = np.minimum(wide, 62)
    count = significand >> cut
    if kind == NEAREST:
        ties = choose(below, negative, positive)
        add = ((np.int64(1) << cut) - 1 + (((ties >> 1) & count) | (ties & 1))) >> 1
        count = (significand + add) >> cut
    elif kind == DIRECTED:
        add = ((np.int64(1) << cut) - 1) * choose(below, negative, positive)
        count = (significand + add) >> cut
    else:
        rest = significand - (count << cut)
        # from the value below a negative number, what is cut off is rounded up, and 2^R - 1 less the
        # draw stands for it: the carry towards zero that the draw gives there is then none here
        side = choose(below, np.int64(1) - 2 * negative, np.int64(1))
        part = (side * ((side * rest) >> np.minimum(np.maximum(wide - bits, 0), 63))) << np.minimum(
            np.maximum(bits - wide, 0), 32
        )
        drawn = choose(side < 0, (np.int64(1) << bits) - 1 - random, random)
        count = count + ((part + drawn) >> bits)
    scale = np.int64((unit + BIAS) << FRACTION)
    value = np.float64(np.float64(count) * np.int64(scale).view(np.float64)).view(np.int64)
    value = choose(value < grid[2], 0, value)
    value = choose(value > choose(below, grid[4], grid[3]), choose(below, grid[6], grid[5]), value)
    value = choose(size == INFINITY, choose(below, grid[8], grid[7]), value)
    value = choose(size > INFINITY, NAN, value)
    return np.int64(value | (u & SIGN)).view(np.float64)


def round_all(x: Any, out: Any, key: Any, first: Any, mode: Mode, grid: Any) -> None:
    """out[i] = rounded(x[i]) with the random bits of element first + i."""
    kind, positive, negative, bits = mode
    zero = np.int64(0)
    if kind == NEAREST:  # one loop each, so that each becomes vector code
        for i in range(x.shape[0]):
            out[i] = rounded(x[i], zero, Mode(NEAREST, positive, negative, zero), grid)
    elif kind == DIRECTED:
        for i in range(x.shape[0]):
            out[i] = rounded(x[i], zero, Mode(DIRECTED, positive, negative, zero), grid)
    else:
        for i in range(x.shape[0]):
            random = np.int64(word_at(key, first + i) >> np.uint64(64 - bits))
            out[i] = rounded(x[i], random, Mode(STOCHASTIC, zero, negative, bits), grid)


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


def packed(grid: Grid, overflow: str, rounding: str) -> NDArray[np.int64]:
    """The grid, and what stands beyond its ends, as ``rounded`` reads them.

    Rounding towards zero never passes an end, rounding up never the lower, down never the upper
    one: there the largest value stands even where others give infinity or NaN. An infinity of the
    argument is infinity, NaN or, saturating, the largest value.
    """
    ends = [_bits(grid.top), _bits(grid.bottom)]
    if overflow == "saturate":
        over, infinite = list(ends), list(ends)
    else:
        mark = int(INFINITY if overflow == "infinity" else NAN)
        over, infinite = [mark, mark], [mark, mark]
        if rounding in ("toward_zero", "down"):
            over[0] = ends[0]
        if rounding in ("toward_zero", "up"):
            over[1] = ends[1]
    lowest = grid.lowest if grid.least == 0.0 else UNBOUNDED
    return np.array([grid.precision, lowest, _bits(grid.least), *ends, *over, *infinite], np.int64)


def mode_of(rounding: str, random_bits: int = 0) -> Mode:
    """The Mode of a rounding's name."""
    even, away, zero = int(TO_EVEN), int(AWAY), int(TO_ZERO)
    kind, positive, negative = {
        "nearest_even": (NEAREST, even, even),
        "nearest_away": (NEAREST, away, away),
        "nearest_up": (NEAREST, away, zero),
        "nearest_down": (NEAREST, zero, away),
        "nearest_zero": (NEAREST, zero, zero),
        "toward_zero": (DIRECTED, 0, 0),
        "up": (DIRECTED, 1, 0),
        "down": (DIRECTED, 0, 1),
        "stochastic": (STOCHASTIC, 0, 0),
        "stochastic_floor": (STOCHASTIC, 0, 1),
    }[rounding]
    return Mode(np.int64(kind), np.int64(positive), np.int64(negative), np.int64(random_bits))


def draws(rounding: str) -> bool:
    """Whether a rounding draws random bits."""
    return bool(mode_of(rounding).kind == STOCHASTIC)


@dataclass(frozen=True, slots=True)
class RoundingRule:
    """How numbers are rounded. rounding, overflow: by name. seed, random_bits: of what is drawn. first: number of
    the first element, or of each, so that a part of an array draws the bits of its place."""

    rounding: str
    overflow: str
    seed: int
    random_bits: int
    first: int | NDArray[np.int64]


def round_to_grid(x: NDArray[np.generic], grid: Grid, rule: RoundingRule) -> Floats:
    """Values of a grid for float16, float32 or float64 x; the shape of x. NaN stays NaN."""
    first, bits = rule.first, rule.random_bits
    flat = np.ascontiguousarray(x).ravel()
    if flat.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        flat = flat.astype(np.float64)
    table = packed(grid, rule.overflow, rule.rounding)
    mode = mode_of(rule.rounding, bits)
    key = key_of(rule.seed)
    out = np.empty(flat.shape, np.float64)
    if flat.size < COMPILE_ABOVE or isinstance(first, np.ndarray):
        random: Any = np.int64(0)
        if mode.kind == STOCHASTIC:
            index = (
                first.ravel()
                if isinstance(first, np.ndarray)
                else np.arange(first, first + flat.size, dtype=np.int64)
            )
            random = (word_at(key, index) >> np.uint64(64 - bits)).astype(np.int64)
        with np.errstate(all="ignore"):
            out[:] = rounded(flat, random, mode, table)
    else:
        kernel = jit.compiled(round_all, ((word_at, (mixed,)), rounded))
        for low in range(0, flat.size, BLOCK):
            part = slice(low, low + BLOCK)
            kernel(flat[part], out[part], key, np.int64(first + low), mode, table)
    return out.reshape(np.shape(x))
