"""A chip grown or shrunk to another chip's area.

Rule: what multiplies and every buffer take one factor: a MAC array in rows and columns by its root,
crossbars in number, buffers in bytes and banks, so that a bank stays as large as it was. What rows,
columns and banks leave is made up by the buffers' bytes. Areas are those of the parts with a
sourced constant, on either side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from math import sqrt

from accelsim.chip import Chip
from accelsim.energy import area
from accelsim.errors import InputError, Problem

HALVINGS = 60
FACTORS = 2.0**-16, 2.0**16
ROOM = 64.0  # most that buffers grow or shrink beside the rest, to make up what whole rows leave


def square_metres(chip: Chip) -> float:
    """Area of the parts that have a sourced constant."""
    return sum(row.area for row in area(chip))


def with_area(chip: Chip, target: float) -> Chip:
    """The chip scaled to an area (square metres), as near as whole rows and bytes allow. InputError
    where its parts have no area, or no factor gives one that the tables hold for."""
    if target <= 0 or square_metres(chip) <= 0:
        raise InputError(
            Problem(
                "match.area",
                f"{chip.name} or the chip it is matched to has no part with a known area",
                "match memory or latency",
                file="--match",
            )
        )
    cores = _scaled(
        lambda factor: _buffers(_cores(chip, factor), factor), target, FACTORS, float("inf")
    )
    core = _cores(chip, cores)
    grown = (cores / ROOM, cores * ROOM)
    return _buffers(core, _scaled(lambda factor: _buffers(core, factor), target, grown, 1.0))


def _scaled(
    made: Callable[[float], Chip], target: float, between: tuple[float, float], above: float
) -> float:
    """The factor whose chip's area is nearest to the target, by halving in the logarithm. above: how
    much more a square metre too much counts than one too little: 1, or infinitely, for what buffers
    fill up afterwards."""
    low, high = between
    best, miss = None, float("inf")
    for _ in range(HALVINGS):
        middle = sqrt(low * high)
        try:
            size = square_metres(made(middle))
        except InputError:  # banks beyond the tables: too large or too small
            size = float("inf") if middle > 1 else 0.0
        off = (size - target) * (above if size > target else -1.0)
        if size and off < miss:
            best, miss = middle, off
        low, high = (middle, high) if size < target else (low, middle)
    if best is None:
        raise InputError(
            Problem(
                "match.area",
                f"no scale of this chip has {target * 1e6:.4g} mm2 within the tables",
                "match memory or latency",
                file="--match",
            )
        )
    return best


def _cores(chip: Chip, factor: float) -> Chip:
    """What multiplies, that many times as large."""
    units = {name: unit.enlarged(factor) for name, unit in chip.units.items()}
    return dataclasses.replace(chip, units=units)


def _buffers(chip: Chip, factor: float) -> Chip:
    """Every buffer, that many times as large."""
    memories = {name: memory.enlarged(factor) for name, memory in chip.memories.items()}
    return dataclasses.replace(chip, memories=memories)
