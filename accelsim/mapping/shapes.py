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

    def unique(self, kind: int, opcode: int, formats: tuple[int, int, int],
               extents: tuple[Ints, ...], flags: Ints | int = 0) -> Ints:  # fmt: skip
        """Local shape number of each row; extents and flags are columns of equal length."""
        columns = [*extents, np.broadcast_to(np.asarray(flags, np.int64), extents[0].shape)]
        key = np.zeros(len(extents[0]), np.int64)
        for column in columns:
            key = key * (int(column.max(initial=0)) + 1) + column
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        block = np.zeros((len(first), 8), np.int64)
        for axis, column in enumerate(extents):
            block[:, axis] = column[first]
        number = self._count
        self._count += len(first)
        self._extents.append(block)
        self._rows += [(kind, opcode, int(flag), *formats) for flag in columns[-1][first]]
        return (inverse + number).astype(np.int64)

    def columns(self) -> dict[str, Ints]:
        """The collected rows as columns, extents last."""
        table = np.array(self._rows, np.int64).reshape(-1, len(SHAPE_COLUMNS))
        named = {name: table[:, i].copy() for i, name in enumerate(SHAPE_COLUMNS)}
        named["extents"] = np.concatenate(self._extents)
        return named
