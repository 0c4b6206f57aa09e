"""Rows as loop nests write them: commands and operands, and nothing that follows from them.

A nest is one function for plain Python and for machine code. It writes tile after tile, stops when the
room left may be too small for another one, and goes on where it stopped. Dependencies, port demands and
the numbers of shapes are derived by the program package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.opcodes import Access

Ints = NDArray[np.int64]
COMMAND, OPERAND, LOCAL = 8, 15, 7  # numbers that a command, an operand, a tensor takes
MEMORY, ADDRESS = 1, 2  # two of an operand's
ROOM = 512  # commands in the room that a nest is given at first
LOCALS = 1 << 11  # tensors of an operator, at most
HOME = -1  # in place of a memory: where the tensor is at home
READ, WRITE, ACCUMULATE = int(Access.READ), int(Access.WRITE), int(Access.ACCUMULATE)


class Rows(NamedTuple):
    """Rows being written, lists in plain Python and arrays in machine code.

    at: the next command, the next operand. command: COMMAND numbers each: style, unit, flags, five
    extents. first: first operand of each command. operand: OPERAND numbers each: tensor, memory,
    address, span, bytes, access, format, then offset and extent of four dimensions. limit: commands
    and operands that there is room for. local: of the operator's tensors by local number, LOCAL numbers
    each: its number among all, the memory where it is at home, its address there, whether that is on chip, and along
    which axis and how far its group of images lies behind the first, and which group that is.
    styles: what is added to the operator's numbers of styles, the only entry.
    """

    at: Any
    command: Any
    first: Any
    operand: Any
    limit: Any
    local: Any
    styles: Any


class What(NamedTuple):
    """A tensor of the operator: its local number, bits of an element, format."""

    tensor: int
    bits: int
    form: int


class Route(NamedTuple):
    """How a tensor comes from its home or gets there. style, unit: of the commands that move it. inward: 1 from
    there, 0 to there. lead: cycles of the unit until the head has passed the links on the way."""

    style: int
    unit: int
    inward: int
    lead: int


def packed(elements: Any, bits: Any) -> Any:
    """Bytes of so many elements side by side."""
    return (elements * bits + 7) // 8


def share(whole: Any, number: Any, count: Any) -> Any:
    """Address and span at home that stand for what one of several DMA engines writes of a tensor: they write different
    elements at once, and who reads some waits for all."""
    if whole < count:
        return 0, whole
    low = whole * number // count
    return low, whole * (number + 1) // count - low


def left(rows: Rows, what: What, whole: Any, writer: Any, turn: Any) -> Any:
    """Address and span at home that stand for what a STORE leaves there. writer: number of its DMA engine, and how many
    there are. turn: number of the STORE, and how many the operator has. The first stands for all, so that it waits for
    who used any of these bytes before, and the others for it; on chip, where a reader may name a part alone, the last
    does, too, and waits for the others."""
    if turn[0] == 0 or (turn[0] == turn[1] - 1 and rows.local[7 * what.tensor + 3]):
        return 0, whole
    return share(whole, writer[0], writer[1])


def cut(total: Any, size: Any) -> Any:
    """Pieces of at most ``size`` that a length takes; 0 stands for no limit."""
    return -(-total // size) if size else 1


def begin(rows: Rows, style: Any, unit: Any, flags: Any, extents: Any) -> None:
    """The next command. extents: five."""
    i, c = rows.at[0], rows.command
    at = 8 * i
    c[at] = rows.styles[0] + style
    c[at + 1] = unit
    c[at + 2] = flags
    c[at + 3], c[at + 4], c[at + 5], c[at + 6], c[at + 7] = extents
    rows.first[i] = rows.at[1]
    rows.at[0] = i + 1


def touches(rows: Rows, access: Any, what: What, place: Any, size: Any, box: Any) -> None:
    """The command's next operand. place: memory, address, span; HOME and an address counted from the tensor's own
    there. size: bytes moved. box: offset and extent of four dimensions."""
    e, o, own = rows.at[1], rows.operand, 7 * what.tensor
    at = 15 * e
    o[at] = rows.local[own]
    o[at + 1], o[at + 2], o[at + 3] = place
    if place[0] == HOME:
        o[at + 1] = rows.local[own + 1]
        o[at + 2] += rows.local[own + 2]
    o[at + 4] = size
    o[at + 5] = access
    o[at + 6] = what.form
    o[at + 7], o[at + 8], o[at + 9], o[at + 10] = box[0], box[1], box[2], box[3]
    o[at + 11], o[at + 12], o[at + 13], o[at + 14] = box[4], box[5], box[6], box[7]
    o[at + 7 + 2 * rows.local[own + 4]] += rows.local[own + 5]
    rows.at[1] = e + 1


def uses(rows: Rows, access: Any, what: What, place: Any, box: Any) -> None:
    """The command's next operand, all of whose elements are moved, packed."""
    size = packed(box[1] * box[3] * box[5] * box[7], what.bits)
    touches(rows, access, what, place, size, box)


def move(rows: Rows, route: Route, what: What, far: Any, near: Any, box: Any) -> None:
    """A box between a tensor's home and a memory near the units. far: address and span at home.
    near: memory, address, span; further places near are further operands of the same command."""
    size = packed(box[1] * box[3] * box[5] * box[7], what.bits)
    on_chip = rows.local[7 * what.tensor + 3]
    begin(rows, route.style, route.unit, 0, (size, on_chip, route.lead, 0, 0))
    if route.inward:
        touches(rows, READ, what, (HOME, far[0], far[1]), size, box)
        touches(rows, WRITE, what, near, size, box)
    else:
        touches(rows, READ, what, near, size, box)
        touches(rows, WRITE, what, (HOME, far[0], far[1]), size, box)


def copy(rows: Rows, route: Route, what: What, source: Any, near: Any, box: Any) -> None:
    """A box from one place on chip to another. source, near: memory, address, span."""
    size = packed(box[1] * box[3] * box[5] * box[7], what.bits)
    begin(rows, route.style, route.unit, 0, (size, 1, route.lead, 0, 0))
    touches(rows, READ, what, source, size, box)
    touches(rows, WRITE, what, near, size, box)


#: for jit.compiled
USES: jit.Helpers = (packed, touches)
MOVE: jit.Helpers = (packed, begin, touches)


@dataclass(frozen=True, slots=True)
class Segment:
    """An operator's rows.

    styles: (styles, 5) opcode, three formats (-1 for none) and the flags that are part of a shape.
    commands: (rows, COMMAND). start: (rows + 1) first operand of each. operands: (entries, OPERAND).
    """

    styles: Ints
    commands: Ints
    start: Ints
    operands: Ints

    def __len__(self) -> int:
        return len(self.commands)


@dataclass(slots=True)
class Nest:
    """An operator's loop nest, ready to write. rows: writes until all rows are written (True), or the room
    may be too small for the next tile (False); helpers: for jit.compiled. op: what it reads; state: arrays
    that it keeps between tiles. most: commands and operands of its largest tile."""

    rows: Callable[[Any, Any, Rows], bool]
    helpers: jit.Helpers
    op: Any
    state: Any
    styles: Ints
    most: tuple[int, int]


class Fast:
    """Whether machine code writes the rows of a Program of so many commands, each kind of nest alike.
    readers: kernels that read the rows as they are written, with their helpers."""

    def __init__(self, commands: int, *readers: tuple[Any, jit.Helpers]) -> None:
        self.commands, self.readers = commands, readers
        self._kinds: dict[object, bool] = {}

    def __call__(self, nest: Nest) -> bool:
        if nest.rows not in self._kinds:
            self._kinds[nest.rows] = all(
                jit.fits(kernel, helpers, self.commands, jit.COMMANDS_ABOVE)
                for kernel, helpers in ((nest.rows, nest.helpers), *self.readers)
            )
        return self._kinds[nest.rows]


#: what sees rows as they are written; the operands before them
Reader = Callable[[Rows, int], None]


class Local(NamedTuple):
    """An operator's tensors by local number, as Rows.local. styles: of operators before it in the same room."""

    numbers: list[int]
    styles: int = 0


def local(count: int) -> Local:
    """Tensors that keep their local numbers and lie nowhere."""
    return Local([number for own in range(count) for number in (own, HOME, 0, 0, 0, 0, 0)])


def filled(nest: Nest, fast: bool, tensors: Local, room: Callable[[], Rows]) -> Iterator[Rows]:
    """All rows of one operator, as many at once as there is room for. fast: by machine code. room: gives room, whose
    ``local`` and ``styles`` are filled in here. The nest is used up."""
    write, op, state = nest.rows, nest.op, nest.state
    own: Any = [tensors.numbers, [tensors.styles]]
    if fast:
        write = jit.quick(write, nest.helpers)
        own = [np.array(numbers, np.int64) for numbers in own]
    else:
        op, state = plain(op), plain(state)
    done = False
    while not done:
        rows = Rows._make((*room()[:5], *own))
        done = write(op, state, rows)
        yield rows


def written(
    nest: Nest,
    fast: bool,
    tensors: Local | None = None,
    commands: int = 0,
    reader: Reader | None = None,
) -> Segment:
    """All rows of one operator in one piece. commands: how many there are, about. reader: sees them before."""
    most, operands = nest.most, 0
    size = max(ROOM, commands) + most[0]
    parts: list[tuple[Ints, Ints, Ints]] = []

    def room() -> Rows:
        return rows_for(size, 4 * size + most[1], most, fast)

    for rows in filled(nest, fast, tensors or local(LOCALS), room):
        count, used = int(rows.at[0]), int(rows.at[1])
        if reader is not None:
            reader(rows, operands)
        parts.append(
            (
                np.asarray(rows.command[: COMMAND * count], np.int64).reshape(-1, COMMAND),
                np.asarray(rows.first[:count], np.int64) + operands,
                np.asarray(rows.operand[: OPERAND * used], np.int64).reshape(-1, OPERAND),
            )
        )
        operands += used
        size *= 4
    table, first, touched = (
        column[0] if len(column) == 1 else np.concatenate(column)
        for column in zip(*parts, strict=True)
    )
    return Segment(nest.styles, table, np.append(first, operands), touched)


def rows_for(commands: int, operands: int, most: tuple[int, int], fast: bool) -> Rows:
    """Room for so many commands and operands, of which a nest's largest tile takes ``most``."""
    sizes = (2, COMMAND * commands, commands, OPERAND * operands)
    made = [np.empty(size, np.int64) if fast else [0] * size for size in sizes]
    made[0][:2] = [0, 0]
    limit = [commands - most[0], operands - most[1]]
    ends = np.array(limit, np.int64) if fast else limit
    return Rows._make((*made, ends, made[0], made[0]))


def plain(record: Any) -> Any:
    """A record with lists in the place of arrays, records inside it too."""
    if isinstance(record, np.ndarray):
        return record.tolist()
    if isinstance(record, tuple):
        items = [plain(item) for item in record]
        return type(record)(*items) if hasattr(record, "_fields") else tuple(items)
    return record


def again(record: Any) -> Any:
    """A record with its arrays copied, records inside it too."""
    if isinstance(record, np.ndarray):
        return record.copy()
    if isinstance(record, tuple):
        items = [again(item) for item in record]
        return type(record)(*items) if hasattr(record, "_fields") else tuple(items)
    return record
