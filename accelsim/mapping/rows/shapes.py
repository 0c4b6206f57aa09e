"""Numbers of shapes: commands that cost the same, numbered as they come."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.table import Shapes

Ints = NDArray[np.int64]
WIDE = 11  # numbers of a shape: kind of unit, opcode, three formats, flags, five extents
FIRST_ROOM = 1024  # shapes


class Known(NamedTuple):
    """shape: WIDE numbers of each so far. count: how many, in its only element. table: their numbers by a
    hash, -1 for none, four times as many as there is room for shapes, a power of two. last: of each
    style of the nest at hand the shape that came last, -1 for none."""

    shape: Any
    count: Any
    table: Any
    last: Any


@jit.allocates_nothing
def number_shapes(known: Known, rows: Any, first: Any, facts: Any, out: Any, base: Any) -> Any:
    """Write the numbers of shapes of rows from ``first`` on to out[base] and the next; the row to go on with, when
    there is no room for one more shape. rows: commands as in Rows, and how many. facts: styles of the nest, then
    kinds of units."""
    command, stop = rows
    styles, kinds = facts
    for i in range(first, stop):
        at = 8 * i
        style = command[at]
        near = known.last[style]
        if near >= 0 and alike(known, near, kinds[command[at + 1]], command, at):
            out[base + i] = near
            continue
        if 4 * known.count[0] >= len(known.table):
            return i
        out[base + i] = known.last[style] = find(known, styles, kinds[command[at + 1]], command, at)
    return stop


def alike(known: Known, near: int, kind: int, command: Any, at: int) -> bool:
    """Whether a command's kind of unit and extents are those of a shape."""
    shape, there = known.shape, 11 * near
    if shape[there] != kind:
        return False
    equal = True
    for x in range(5):
        equal = equal and shape[there + 6 + x] == command[at + 3 + x]
    return equal


def find(known: Known, styles: Any, kind: int, command: Any, at: int) -> int:
    """The number of a command's shape, a new one where it has not come yet."""
    new, shape, table = known.count[0], known.shape, known.table
    there, own, mask = 11 * new, 5 * command[at], len(table) - 1
    shape[there] = kind
    for x in range(5):
        shape[there + 1 + x] = styles[own + x]
        shape[there + 6 + x] = command[at + 3 + x]
    place = 0
    for x in range(11):
        place = ((place ^ shape[there + x]) * 0x9E3779B1) & 0x3FFFFFFF
        place ^= place >> 15
    place &= mask
    while table[place] >= 0:
        near, equal = 11 * table[place], True
        for x in range(11):
            equal = equal and shape[near + x] == shape[there + x]
        if equal:
            return int(table[place])
        place = (place + 1) & mask
    table[place] = new
    known.count[0] = new + 1
    return int(new)


NUMBER: jit.Helpers = (alike, find)


class Numbering:
    """The shapes of a Program as its commands come. kinds: of its units. fast: by machine code."""

    def __init__(self, kinds: list[int], fast: bool) -> None:
        self.fast, self.kinds = fast, np.array(kinds, np.int64) if fast else kinds
        self.kernel = jit.quick(number_shapes, NUMBER) if fast else number_shapes
        self.room = FIRST_ROOM
        self._known = Known._make((*self._tables(), []))

    def _tables(self) -> list[Any]:
        made = [np.empty(WIDE * self.room, np.int64), np.zeros(1, np.int64)]
        made.append(np.full(4 * self.room, -1, np.int64))
        return list(made) if self.fast else [column.tolist() for column in made]

    def of(self, commands: Ints, styles: Ints) -> Ints:
        """The numbers of commands' shapes, those of a Segment."""
        flat: Any = commands.ravel() if self.fast else commands.ravel().tolist()
        out: Any = np.empty(len(commands), np.int64) if self.fast else [0] * len(commands)
        self.note(flat, len(commands), styles, out, 0)
        return np.asarray(out, np.int64)

    def note(self, command: Any, count: int, styles: Ints, out: Any, base: int) -> None:
        """Write the numbers of ``count`` commands' shapes to ``out`` from ``base`` on. command: as in Rows.
        styles: of their nest."""
        last = np.full(len(styles), -1, np.int64)
        known = self._known._replace(last=last if self.fast else last.tolist())
        facts = (styles.ravel() if self.fast else styles.ravel().tolist(), self.kinds)
        done = 0
        while (done := self.kernel(known, (command, count), done, facts, out, base)) < count:
            known = self._known = self._wider(known)

    def _wider(self, known: Known) -> Known:
        """The same with four times the room."""
        used = int(known.count[0])
        shapes = np.asarray(known.shape, np.int64)[: WIDE * used].reshape(-1, WIDE)
        self.room *= 4
        wider = Known._make((*self._tables(), known.last))
        for kind, *own in shapes.tolist():
            find(wider, own[:5], kind, [0, 0, 0, *own[5:]], 0)
        return wider

    def shapes(self) -> Shapes:
        """All that have come."""
        used = int(self._known.count[0])
        table = np.asarray(self._known.shape, np.int64)[: WIDE * used].reshape(-1, WIDE).T
        kind, opcode, a, b, out, flags = table[:6].copy()
        extents = np.zeros((used, 8), np.int64)
        extents[:, :5] = table[6:].T
        return Shapes(kind, opcode, flags, a, b, out, extents)
