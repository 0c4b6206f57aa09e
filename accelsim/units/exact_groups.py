"""Several products added exactly, then one rounding: dot-product units, and blocks that share scales.

The exact sum of a group comes from float64 matrix products whose every partial sum is exact; where
the range of the products is too wide for one, operands are split in two by size. The parts and
the accumulator are added as an expansion (Shewchuk, 1997) and rounded to odd, so that the rounding
to the accumulator's format sees the exact sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats import Grid
from accelsim.formats.rounding import INFINITY, MAGNITUDE, STOCHASTIC, rounded
from accelsim.units.accumulation import Adder
from accelsim.units.accumulation_loops import TURN, Course, General, box_words
from accelsim.units.accumulation_steps import SIGN64, random_word, steps_a_word

Floats = NDArray[np.float64]
EXACT = 53  # bits


@dataclass(frozen=True, slots=True)
class Operand:
    """Values (m, k) or (k, n) of a grid, and where they are elements of blocks, the exponent of the
    scale of each group: (m, groups) or (groups, n)."""

    values: Floats
    grid: Grid
    scales: NDArray[np.int64] | None = None

    @property
    def span(self) -> int:
        """Bits from the smallest spacing to the largest value."""
        return math.ceil(math.log2(max(self.grid.top, self.grid.bottom) / self.grid.quantum))

    def halves(self) -> tuple[Floats, Floats]:
        """(large, small) parts that add up to the values: whole multiples of a unit, and the rest."""
        unit = self.grid.quantum * 2.0 ** (self.span // 2)
        large = np.trunc(self.values / unit) * unit
        return large, self.values - large


def accumulate_groups(
    left: Operand,
    right: Operand,
    unit: Adder,
    group: int,
    *,
    start: Floats | None = None,
    first: int = 0,
    index: int = 0,
    columns: int | None = None,
) -> Floats:
    """accumulate() where ``group`` products enter the adder as one exact sum, a step each.

    Groups begin where chunks do. InputError for values that are not finite, products that are
    rounded one by one, ranges too wide for an exact sum, and cuts of K inside a chunk or group.
    """
    chunk, n = unit.how.chunk, right.values.shape[1]
    depth = left.values.shape[1]
    if (chunk and first % chunk) or first % group:
        raise _refused(
            "split",
            f"K is cut at {first}, inside a chunk or group",
            f"cut at a multiple of {chunk or group}",
        )
    if unit.product is not None or unit.overflow == "wrap":
        raise _refused(
            "group",
            "a sum of rounded products or a wrapping sum has no exact groups",
            "write product: exact and overflow: saturate",
        )
    if not (np.isfinite(left.values).all() and np.isfinite(right.values).all()):
        raise _refused("finite", "groups of products hold NaN or infinity", "give finite values")
    halves = (left.span + 1) // 2 + (right.span + 1) // 2 + math.ceil(math.log2(max(2, group)))
    if _span(left, right, group) > EXACT and halves > EXACT:
        raise _refused(
            "group",
            f"the exact sum of {group} products spans {_span(left, right, group)} bits",
            "add one product at a time, or use formats of less range",
        )
    total = np.zeros((len(left.values), n)) if start is None else np.array(start, np.float64)
    if total.size and depth:
        course = unit.course(depth, first, index, n if columns is None else columns)
        grouped_loop(left, right, group, total, course, unit.general())
    return total + 0.0


def _refused(code: str, message: str, fix: str) -> InputError:
    return InputError(Problem(f"accumulate.{code}", message, fix))


def _span(left: Operand, right: Operand, group: int) -> int:
    return left.span + right.span + math.ceil(math.log2(max(2, group)))


def group_parts(left: Operand, right: Operand, group: int) -> list[tuple[Floats, Floats]]:
    """Pairs of operands whose matrix products over a group are exact and add up to the group's."""
    if _span(left, right, group) <= EXACT:
        return [(left.values, right.values)]
    (a, a_rest), (b, b_rest) = left.halves(), right.halves()
    return [(a, b), (a, b_rest), (a_rest, b), (a_rest, b_rest)]


def two_sum(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """x + y rounded, and its error: both exact (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def odd_total(terms: list[Floats]) -> Floats:
    """The exact sum of some terms, rounded to odd."""
    expansion: list[Floats] = []
    for term in terms:
        carried, kept = term, []
        for part in expansion:
            carried, rest = two_sum(carried, part)
            kept.append(rest)
        expansion = [*kept, carried]
    for _ in range(len(terms)):  # from the largest down, until the parts do not overlap
        carried, kept = expansion[-1], []
        for part in expansion[-2::-1]:
            carried, rest = two_sum(carried, part)
            kept.append(rest)
        expansion = [*kept[::-1], carried]
    top = expansion[-1]
    rest = np.zeros_like(top)
    for part in expansion[-2::-1]:
        rest = np.where(rest == 0, part, rest)
    u = top.view(np.int64)
    against = (rest.view(np.int64) ^ (u & SIGN64)).view(np.float64) < 0
    cut = np.where(against, u - 1, u)
    cut = np.where(rest != 0, cut | 1, cut)
    return np.where((u & MAGNITUDE) >= INFINITY, u, cut).view(np.float64)


def grouped_loop(
    left: Operand, right: Operand, group: int, total: Floats, course: Course, how: General
) -> None:
    """total += products in groups and chunks, as accumulation_loops.any_loop. A group draws as its
    first product."""
    depth, first, chunk = left.values.shape[1], int(course.first), int(course.chunk)
    parts = group_parts(left, right, group)
    bits, place = int(how.mode.bits), int(how.place)
    share = steps_a_word(bits)
    low = high = np.zeros(total.shape, np.uint32)
    if how.mode.kind == STOCHASTIC:
        low, high = box_words(course.key, course.index, course.columns, total.shape)

    def step(
        before: Floats, terms: list[Floats], high_word: NDArray[np.uint32], at: int, shift: int
    ) -> Floats:
        word = random_word(low, high_word, np.uint32(at)).astype(np.uint64)
        random = ((word | word << TURN) >> np.uint64(shift)).astype(np.int64) & ((1 << bits) - 1)
        found = rounded(odd_total([before, *terms]), random, how.mode, how.grid)
        return np.asarray(found, np.float64)

    with np.errstate(all="ignore"):
        for k0 in range(0, depth, chunk):
            end = min(k0 + chunk, depth)
            s = total.copy() if course.carry else np.zeros_like(total)
            for g0 in range(k0, end, group):
                k, at = slice(g0, min(g0 + group, end)), first + g0
                terms = [a[:, k] @ b[k] for a, b in parts]
                power = np.zeros(total.shape, np.int32)
                if left.scales is not None:
                    power = power + left.scales[:, g0 // group, None].astype(np.int32)
                if right.scales is not None:
                    power = power + right.scales[g0 // group].astype(np.int32)
                scaled = [np.ldexp(term, power) for term in terms]
                s = step(s, scaled, high, at // share, place + 32 // share * (at % share))
            total[:] = s if course.carry else step(total, [s], ~high, first + end, place)
