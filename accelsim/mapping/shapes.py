"""Unique shapes of a segment's commands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
SHAPE_COLUMNS = ("kind", "opcode", "flags", "format_a", "format_b", "format_out")


class ShapeRows:
    """Collects shape rows; each call to ``unique`` returns local shape numbers."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, ...]] = []
        self._extents: list[Ints] = []
        self._count = 0

    def unique(
        self,
        kind: int,
        opcode: int,
        formats: tuple[int, int, int],
        extents: tuple[Ints, ...],
        flags: Ints | int = 0,
    ) -> Ints:
        """Local shape number of each row; extents and flags are columns of equal length."""
        count = len(extents[0])
        columns = list(extents)
        if not isinstance(flags, int):
            columns.append(flags)
        key = np.zeros(count, np.int64)
        for column in columns:
            key = key * (int(column.max(initial=0)) + 1) + column
        first, number = _first_uses(key)
        block = np.zeros((len(first), 8), np.int64)
        for axis, column in enumerate(extents):
            block[:, axis] = column[first]
        number += self._count
        self._count += len(first)
        self._extents.append(block)
        own = [flags] * len(first) if isinstance(flags, int) else flags[first].tolist()
        self._rows += [(kind, opcode, flag, *formats) for flag in own]
        return number

    def columns(self) -> dict[str, Ints]:
        """The collected rows as columns, extents last."""
        table = np.array(self._rows, np.int64).reshape(-1, len(SHAPE_COLUMNS))
        named = {name: table[:, i].copy() for i, name in enumerate(SHAPE_COLUMNS)}
        named["extents"] = np.concatenate(self._extents)
        return named


def _first_uses(key: Ints) -> tuple[Ints, Ints]:
    """(an index of each distinct key, in the order of keys; the number of each entry's key)."""
    count = len(key)
    if count == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = key.argsort(kind="stable")
    ordered = key[order]
    new = np.empty(count, bool)
    new[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    number = np.empty(count, np.int64)
    number[order] = new.cumsum() - 1
    return order[new].astype(np.int64, copy=False), number
