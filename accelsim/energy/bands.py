"""The band of a ratio of two energies: constants that both sides share move together.

A total's band lets all its constants err together. For a ratio that would count a shared constant
twice, once in either direction: the same off-chip memory's picojoules a bit cannot be too high
above the line and too low below it. So every constant c has one deviation z in -1..1, the same on
both sides, and the ratio is

    (A + sum_c a_c z_c) / (B + sum_c b_c z_c),   a_c, b_c: joules of c times its relative half width.

Its largest value L over all z solves A - L B + sum_c |a_c - L b_c| = 0, its smallest S solves A - S
B - sum_c |a_c - S b_c| = 0; a constant with the same share of both sides takes no part in either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from accelsim.constants.rows import components
from accelsim.energy.joules import BOUNDARIES, Charge, EnergyReport

STEPS = 200  # halvings of a bracket: far below a float's last digit
DOUBLINGS = 64  # of a ratio until its upper end counts as none
_TERM = re.compile(r"(\S+)(?: x ([0-9.]+)(?:/([0-9.]+))?)?")


@dataclass(frozen=True, slots=True)
class Weighed:
    """Joules, and what each constant may move them by: joules times relative half width, by
    constant."""

    joules: float
    moves: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """value, with the smallest and the largest that the constants' bands allow."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=4096)
def constants_of(source: str) -> tuple[tuple[str, float], ...]:
    """The constants behind a price, with their shares of it, from its source: rows of the component
    table, each times a number; any other source is one constant."""
    found = []
    for term in source.split(" + "):
        match = _TERM.fullmatch(term)
        row = components().get(match[1]) if match else None
        if match is None or row is None:
            return ((source, 1.0),)
        times = float(match[2] or 1.0) / float(match[3] or 1.0)
        found.append((match[1], float(row["value"]) * times))
    total = sum(weight for _, weight in found)
    return tuple((name, weight / total) for name, weight in found) if total else ((source, 1.0),)


def weighed(charges: Iterable[Charge]) -> Weighed:
    """The sum of charges with what moves it. What a chip file states is a constant of that chip's
    own: two that state different figures share nothing."""
    total, moves = 0.0, dict[str, float]()
    for charge in charges:
        price, joules = charge.price, sum(charge.joules)
        total += joules
        own = f" = {price.joules!r}" if "the chip file" in price.source else ""
        for name, share in constants_of(price.source):
            moves[name + own] = moves.get(name + own, 0.0) + joules * price.band * share
    return Weighed(total, moves)


def within(report: EnergyReport, boundary: str) -> Weighed:
    """What stands inside a boundary."""
    inside = BOUNDARIES[: BOUNDARIES.index(boundary) + 1]
    return weighed(charge for charge in report.charges if charge.price.boundary in inside)


def ratio(top: Weighed, below: Weighed) -> Ratio:
    """top over below. Infinite where nothing is below, or may be."""
    if below.joules <= 0:
        return Ratio(inf, inf, inf) if top.joules else Ratio(1.0, 1.0, 1.0)
    value = top.joules / below.joules
    if top.moves == below.moves and top.joules == below.joules:
        return Ratio(value, value, value)
    names = sorted({*top.moves, *below.moves})
    pairs = [(top.moves.get(name, 0.0), below.moves.get(name, 0.0)) for name in names]

    def slack(at: float, sign: float) -> float:
        return top.joules - at * below.joules + sign * sum(abs(a - at * b) for a, b in pairs)

    low = _root(lambda at: slack(at, -1.0), 0.0, value)
    high = value
    for _ in range(DOUBLINGS):
        if slack(high, 1.0) <= 0:
            return Ratio(value, low, _root(lambda at: slack(at, 1.0), value, high))
        high = 2 * high
    return Ratio(value, low, inf)


def _root(slack: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses 0 between low and high; low where it never is above."""
    for _ in range(STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if slack(middle) > 0 else (low, middle)
    return (low + high) / 2


def product(one: Ratio, other: Ratio) -> Ratio:
    """Of two ratios whose constants have nothing in common, like energy and area."""
    return Ratio(one.value * other.value, one.low * other.low, one.high * other.high)


def inverse(one: Ratio) -> Ratio:
    """1 over a ratio; infinite where that is 0."""

    def over(value: float) -> float:
        return 1.0 / value if value else inf

    return Ratio(over(one.value), over(one.high), over(one.low))
