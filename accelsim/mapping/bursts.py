"""What a transfer off chip really moves: whole bursts of every contiguous piece.

Every tensor starts on a burst and lies row-major in its own dimensions, or with its channels innermost (a
matrix column by column), whichever moves fewer bursts over the whole plan; inputs and outputs too, as the
host writes and reads them. A region is as many pieces as it has runs of neighbours, and every piece is
moved in the bursts that its own addresses touch. Constants are laid out before the run in the order of
the plan: a tile of stored weights, like a tile of spilled sums, is one piece that starts on a burst.
On-chip bytes stay what they are.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.formats import FORMAT_NAMES, get
from accelsim.mapping.rows.record import Rows
from accelsim.mapping.tensors import TensorTable
from accelsim.program.opcodes import Access
from accelsim.program.table import TensorRow
from accelsim.units.dram import bursts_touched, sum_of_floors
from accelsim.workload import Conv2d, Gemm, Workload

Ints = NDArray[np.int64]
RANK = 4
OWN, PIECE, PLANES, TRANSPOSED = range(4)
#: by rank of a tensor, the other order of its axes
OTHER_ORDER = {2: (1, 0, 2, 3), 3: (0, 2, 1, 3), 4: (0, 2, 3, 1)}
ROW_MAJOR = (0, 1, 2, 3)
READ = int(Access.READ)
_BITS = np.array([get(name).bits for name in FORMAT_NAMES], np.int64)


class Layouts(NamedTuple):
    """Of each tensor row: how its regions are given (OWN dimensions, one PIECE, a matrix of a
    convolution's PLANES, TRANSPOSED), its dimensions there, RANK numbers, filters of a group; the row whose
    bytes it shares, and in what other order of axes they may lie, RANK numbers, its own where in none.
    home, low, high: memory where the tensor is at home, first byte there and the one behind it. bits: of an
    element, by format. burst: bytes; far: the memory off the chip; each the only entry. turned: of each row that
    others share the bytes of, 1 where they do lie in that other order, 0 where they do not or nobody knows yet."""

    kind: Any
    dims: Any
    filters: Any
    root: Any
    other: Any
    home: Any
    low: Any
    high: Any
    bits: Any
    burst: Any
    far: Any
    turned: Any


class Choices(NamedTuple):
    """Off-chip operands that another order of axes serves otherwise: the operand, the row whose bytes they are,
    and bytes that it moves more in that order. used: how many. noted: 0 where they are not written down. gain: of
    each row, bytes that the other order saves. written: of each row, elements that were written at home."""

    operand: Any
    root: Any
    more: Any
    used: Any
    noted: Any
    gain: Any
    written: Any


@jit.allocates_nothing
def in_bursts(rows: Rows, where: Layouts, choices: Choices, first: int) -> bool:
    """Give the off-chip operands of rows the bytes of whole bursts, of tensors as they lie, and count what is written
    at home. first: number of the first operand among all. False when there is not room for as many choices as
    operands."""
    o, burst, far, noted = rows.operand, where.burst[0], where.far[0], choices.noted[0] == 1
    if noted and choices.used[0] + rows.at[1] > len(choices.operand):
        return False
    for e in range(rows.at[1]):
        at = 15 * e
        tensor, memory, address = o[at], o[at + 1], o[at + 2]
        if memory != where.home[tensor] or not where.low[tensor] <= address < where.high[tensor]:
            continue
        size, bits = o[at + 4], where.bits[o[at + 6]]
        elements = o[at + 8] * o[at + 10] * o[at + 12] * o[at + 14]
        if o[at + 5] != READ:
            choices.written[tensor] += elements
        if memory != far:
            continue
        one = -(-size // burst)
        o[at + 4] = burst * one
        if where.kind[tensor] == PIECE or (elements * bits + 7) // 8 != size:
            continue
        region = region_of(where, o, at)
        low, extent, dims = region
        if outside(low, extent, dims):
            continue
        own = burst * pieces(region, (0, 1, 2, 3), bits, burst)
        x = 4 * tensor
        order = where.other[x], where.other[x + 1], where.other[x + 2], where.other[x + 3]
        o[at + 4] = own
        if order[1] == 1 and order[0] == 0:
            continue
        n, root = choices.used[0], where.root[tensor]
        more = burst * pieces(region, order, bits, burst) - own
        choices.gain[root] -= more
        if where.turned[root] == 1:
            o[at + 4] = own + more
        if noted:
            choices.operand[n], choices.root[n], choices.more[n] = first + e, root, more
            choices.used[0] = n + 1
    return True


def region_of(where: Layouts, o: Any, at: int) -> Any:
    """Offset, extent and dimensions of an operand's region in the dimensions in which its tensor lies."""
    tensor = o[at]
    kind, x = where.kind[tensor], 4 * tensor
    dims = where.dims[x], where.dims[x + 1], where.dims[x + 2], where.dims[x + 3]
    g, m, n, last = o[at + 7], o[at + 9], o[at + 11], o[at + 13]
    groups, rows, wide, one = o[at + 8], o[at + 10], o[at + 12], o[at + 14]
    if kind == TRANSPOSED:
        return (g, n, m, last), (groups, wide, rows, one), dims
    if kind == PLANES:  # (group, m, n) of (image, channel, position)
        plane = dims[2]
        channel = g * where.filters[tensor] + n
        low = (m // plane, channel, m % plane, last * 0)
        return low, (-(-rows // plane), groups * wide, min(rows, plane), one), dims
    return (g, m, n, last), (groups, rows, wide, one), dims


def outside(low: Any, extent: Any, dims: Any) -> bool:
    """Whether a region reaches past the dimensions."""
    past = False
    for axis in range(4):
        past = past or low[axis] + extent[axis] > dims[axis]
    return past


def pieces(region: Any, order: Any, bits: int, burst: int) -> int:
    """Bursts of ``burst`` bytes that a region's runs of neighbours touch, with the axes in an order. The axis with the
    most runs is counted in closed form, the others one by one."""
    offset, extent, dims = region
    a, b, c, d = order
    stride3 = 1
    stride2 = stride3 * dims[d]
    stride1 = stride2 * dims[c]
    stride0 = stride1 * dims[b]
    start = offset[a] * stride0 + offset[b] * stride1 + offset[c] * stride2 + offset[d]
    n0, n1, n2, run = extent[a], extent[b], extent[c], extent[d]
    if extent[d] == dims[d]:  # a run goes on while all of the dimension is taken
        run, n2 = extent[c] * stride2, 1
        if extent[c] == dims[c]:
            run, n1 = extent[b] * stride1, 1
            if extent[b] == dims[b]:
                run, n0 = extent[a] * stride0, 1
    if n0 >= n1 and n0 >= n2:
        count, pitch, many, step, others, apart = n0, stride0, n1, stride1, n2, stride2
    elif n1 >= n2:
        count, pitch, many, step, others, apart = n1, stride1, n0, stride0, n2, stride2
    else:
        count, pitch, many, step, others, apart = n2, stride2, n0, stride0, n1, stride1
    found = 0
    for i in range(many):
        for j in range(others):
            first = (start + i * step + j * apart) * bits
            found += bursts_touched(first, run * bits, count, pitch * bits, 8 * burst)
    return found


#: what in_bursts calls, for jit.compiled
BURSTS: jit.Helpers = (
    region_of,
    outside,
    (pieces, ((bursts_touched, (sum_of_floors,)),)),
)


class Transfers:
    """The operands at home of a Program as they come. table: its tensors. fast: by machine code. noted: whether
    operands are written down, for settle(). turned: as turned() of the same rows before."""

    def __init__(
        self,
        table: TensorTable,
        workload: Workload,
        burst: int,
        fast: bool,
        noted: bool = True,
        turned: Ints | None = None,
    ) -> None:
        tensors = table.rows
        self.fast, self.room = fast, 1024
        self.told = turned
        lies = np.zeros(len(tensors), np.int64) if turned is None else turned
        columns = (
            *layouts(tensors, workload),
            *homes(table),
            _BITS,
            *np.array([[burst], [table.far]], np.int64),
            lies,
        )
        self.where = Layouts(*(self._ready(column) for column in columns))
        self.kernel = jit.quick(in_bursts, BURSTS) if fast else in_bursts
        self.choices = Choices(*map(self._ready, self._empty(self.room, len(tensors))))
        self.choices.noted[0] = int(noted)

    def _ready(self, column: Ints) -> Any:
        return column if self.fast else column.tolist()

    @staticmethod
    def _empty(room: int, tensors: int) -> list[Ints]:
        return [np.zeros(size, np.int64) for size in (room, room, room, 1, 1, tensors, tensors)]

    def note(self, rows: Rows, first: int) -> None:
        """Rows that a nest has written; first: number of their first operand among all."""
        while not self.kernel(rows, self.where, self.choices, first):
            self.room = 2 * self.room + int(rows.at[1])
            lists = self._empty(self.room, 0)[:3]
            used = int(self.choices.used[0])
            for new, old in zip(lists, self.choices, strict=False):
                new[:used] = old[:used]
            new_lists = [self._ready(column) for column in lists]
            self.choices = Choices._make((*new_lists, *self.choices[3:]))

    def settle(self, size: Ints) -> None:
        """Bytes of all operands, of tensors in the order of axes that moves fewer bursts."""
        used = int(self.choices.used[0])
        operand, root, more = (np.asarray(c[:used], np.int64) for c in self.choices[:3])
        other = self.turned()[root] == 1
        size[operand[other]] += more[other]

    def turned(self) -> Ints:
        """Whether the other order of axes moves fewer bursts, by tensor row."""
        return (np.asarray(self.choices.gain, np.int64) > 0).astype(np.int64)

    def lies(self, rows: Dict[str, int]) -> dict[str, bool]:
        """Whether tensors lie in the other order of axes. rows: of them, by name."""
        turned, root = self.turned() if self.told is None else self.told, self.where.root
        return {name: bool(turned[root[row]]) for name, row in rows.items()}

    @property
    def written(self) -> Ints:
        """Elements of each tensor row that were written at home."""
        return np.asarray(self.choices.written, np.int64)


def homes(table: TensorTable) -> tuple[Ints, Ints, Ints]:
    """Of each tensor row where it is at home: memory, first byte, the one behind the last."""
    found = np.array([(home.memory, home.address) for home in table.home], np.int64).reshape(-1, 2)
    sizes = [table.at_home(row) for row in range(len(table.rows))]
    return found[:, 0].copy(), found[:, 1].copy(), found[:, 1] + np.array(sizes, np.int64)


def layouts(tensors: list[TensorRow], workload: Workload) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """How the tensors of a Program lie off chip: the first fields of Layouts."""
    whole: set[int] = set()
    kind: list[int] = []
    filters: list[int] = []
    root: list[int] = []
    dims: list[tuple[int, ...]] = []
    other: list[tuple[int, ...]] = []
    for number, row in enumerate(tensors):
        op = workload.operators[row.operator] if row.operator >= 0 else None
        shape, rank, given, own = row.shape, len(row.shape), OWN, 1
        root.append(number if row.view_of < 0 else root[row.view_of])
        if row.view == "sums" or (row.view == "weight" and row.view_of < 0) or rank > RANK:
            given, shape, rank = PIECE, (1,), 0
        elif row.view == "weight" and isinstance(op, Gemm) and op.weight_transposed:
            given, shape = TRANSPOSED, (shape[0], shape[2], shape[1])
        elif row.view == "matrix" and isinstance(op, Conv2d):
            shape = (op.batch, op.filters, op.out_height * op.out_width)
            given, own, rank = PLANES, op.n, RANK
        kind.append(given)
        filters.append(own)
        dims.append((*shape, *(1,) * (RANK - len(shape))))
        turned = row.view in ("", "matrix", "weight") and rank in OTHER_ORDER
        other.append(OTHER_ORDER[rank] if turned else ROW_MAJOR)
        if row.view not in ("", "matrix", "weight", "lowered"):
            whole.add(root[number])  # a view that counts elements keeps its bytes row-major
    if whole:
        other = [ROW_MAJOR if of in whole else o for o, of in zip(other, root, strict=True)]
    columns = (kind, [n for row in dims for n in row], filters, root)
    turns = [n for row in other for n in row]
    found = [np.array(column, np.int64) for column in (*columns, turns)]
    return found[0], found[1], found[2], found[3], found[4]
