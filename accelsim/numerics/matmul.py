"""matmul(): a matrix product as low-precision hardware forms it, for use on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import InputError, Problem
from accelsim.formats import Block, Grid, get
from accelsim.formats.base import real_numbers
from accelsim.formats.rounding import BIAS, FRACTION
from accelsim.units.accumulation import Accumulation, accumulate, adder
from accelsim.units.exact_groups import Operand, accumulate_groups
from accelsim.units.finished_sums import finished_sums

Floats = NDArray[np.float64]
KEYS = tuple(item.name for item in fields(Accumulation))
_sums = accumulate  # matmul's own argument has that name


def accumulation_of(value: Accumulation | Mapping[str, Any] | str | None) -> Accumulation:
    """An Accumulation from itself, its keys, or the format alone; default fp32, nearest even.

    InputError for keys that it does not have.
    """
    if isinstance(value, Accumulation):
        return value
    if value is None or isinstance(value, str):
        return Accumulation() if value is None else Accumulation(value)
    wrong = [key for key in value if key not in KEYS]
    if wrong:
        raise InputError(
            [
                Problem(
                    "accumulate.key", f"there is no key {key!r}", "write one of " + ", ".join(KEYS)
                )
                for key in wrong
            ]
        )
    return Accumulation(**value)


def matmul(
    a: Any,
    b: Any,
    accumulate: Accumulation | Mapping[str, Any] | str | None = None,
    *,
    input: str | None = None,
    weight: str | None = None,
    output: str | None = None,
    group: int = 1,
    start: Any = None,
    first: int = 0,
    index: int = 0,
    columns: int | None = None,
    threads: int = 1,
) -> Floats:
    """a (m, k) times b (k, n) with the sums of an accumulator: float64 (m, n).

    accumulate: an Accumulation, its keys as a mapping, or a format's name; default fp32.
    input, weight: formats that a and b are first rounded to, block formats along k; without,
    values enter as they are. output: format that the finished sums are rounded to, by the
    accumulator's ``result``. group: products that are added exactly before each rounding; with two
    block formats always a block. start, first, index, columns: a part of a larger product, as
    units.accumulation.accumulate has them. threads: change nothing but the time.

    >>> matmul([[1.0] * 3000], [[1.0]] * 3000, "fp16_169")
    array([[1024.]])

    InputError for shapes that do not fit, formats that cannot be added, and settings that
    contradict themselves.
    """
    left, right = real_numbers(a), real_numbers(b)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
        raise InputError(
            Problem(
                "matmul.shape",
                f"{list(left.shape)} times {list(right.shape)} is no matrix product",
                "give a (m, k) and b (k, n)",
            )
        )
    if not isinstance(group, int) or group < 1 or not isinstance(threads, int) or threads < 1:
        raise InputError(
            Problem(
                "matmul.count",
                f"group {group!r} and threads {threads!r} must be counts",
                "write whole numbers from 1 on",
            )
        )
    how = accumulation_of(accumulate)
    x = _operand(left, input)
    transposed = _operand(np.ascontiguousarray(right.T), weight)
    scales = None if transposed.scales is None else np.ascontiguousarray(transposed.scales.T)
    y = Operand(np.ascontiguousarray(transposed.values.T), transposed.grid, scales)
    sizes = {get(name).size for name in (input, weight) if name and isinstance(get(name), Block)}  # type: ignore[attr-defined]
    unit = adder(how, input if sizes and input else x.grid, weight if sizes and weight else y.grid)
    where = {"start": start, "first": first, "index": index, "columns": columns}
    if sizes or group > 1:
        total = accumulate_groups(x, y, unit, sizes.pop() if sizes else group, **where)
    else:
        total = _sums(x.values, y.values, unit, threads=threads, **where)
    return total if output is None else finished_sums(total, get(output), unit.how, index, columns)


def _operand(values: NDArray[Any], name: str | None) -> Operand:
    """Values along k (last axis) in a format, with their grid and scales."""
    if name is None:
        wide = np.asarray(values, np.float64)
        return Operand(wide, grid_of_values(wide))
    record = get(name)
    found = record.quantize(values)
    if not isinstance(record, Block):
        if record.grid is None:
            raise InputError(
                Problem(
                    "accumulate.format",
                    f"{name} cannot be the format of an operand",
                    "write an integer, fixed-point or float format",
                )
            )
        return Operand(found, record.grid)
    scales = record.scales_of(values)
    if np.isnan(found).any():
        raise InputError(
            Problem("accumulate.finite", "blocks hold NaN or infinity", "give finite values")
        )
    spread = np.repeat(scales, record.size, axis=-1)[..., : found.shape[-1]]
    grid = record.element.grid
    assert grid is not None
    return Operand(np.ldexp(found, -spread.astype(np.int32)), grid, scales)


def grid_of_values(values: Floats) -> Grid:
    """The narrowest grid with one spacing per binade that holds all finite values."""
    u = np.abs(values[np.isfinite(values) & (values != 0)]).view(np.int64)
    if u.size == 0:
        return Grid(1, 0, 1.0, 1.0)
    exponent = np.maximum(u >> FRACTION, 1)
    significand = u - ((exponent - 1) << FRACTION)
    lowest_bit = significand & -significand
    unit = exponent - (BIAS + FRACTION) + (np.frexp(lowest_bit.astype(np.float64))[1] - 1)
    precision = int((np.frexp((significand // lowest_bit).astype(np.float64))[1]).max())
    top = float(np.abs(values[np.isfinite(values)]).max())
    return Grid(precision, int(unit.min()) + precision - 1, top, top)
