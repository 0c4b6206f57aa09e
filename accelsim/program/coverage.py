"""Coverage: every product (m, n, k) of every MAC operator exactly once, and sums begun and ended."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from accelsim.program.findings import Findings
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Program
from accelsim.workload import VectorOperator, Workload

Ints = NDArray[np.int64]
LONGEST_AXIS = 1 << 22  # positions along a dimension that are numbered in a table
LARGEST_GRID = 1 << 26  # cells of the counting grid when tiles do not line up


def mac_operands(program: Program) -> tuple[Ints, Ints]:
    """Rows of MATMUL and MVM commands, and the entry of each one's first operand (input)."""
    opcode = program.commands.opcode
    rows = np.flatnonzero((opcode == Opcode.MATMUL) | (opcode == Opcode.MVM))
    return rows, program.operands.start[rows]


def groups_of(program: Program, rows: Ints) -> Ints:
    """Groups that each tile pass computes: an MVM's fourth extent where it is not 0, else one."""
    groups = program.shapes.extents[program.commands.shape[rows], 3]
    return np.where(program.commands.opcode[rows] == Opcode.MVM, np.maximum(groups, 1), 1)


def check_coverage(f: Findings, workload: Workload | None) -> None:
    """Regions agree with extents, tiles cover each operator once, sums are begun and completed.

    A tile pass has the operands input (group, m, k), weight (group, k, n), then sums or outputs
    (group, m, n). Rows with Flag.RECOMPUTES are left out of the count.
    """
    program = f.program
    rows, entry = mac_operands(program)
    if len(rows) == 0:
        return
    o, c = program.operands, program.commands
    few = np.diff(program.operands.start)[rows] < 3
    if few.any():
        f.rows("program.operands", rows[few], "needs input, weight and output operands")
        return
    if o.offset.shape[1] < 3:
        f.one("program.operands", "operands.offset", "regions of tile passes need three dimensions")
        return
    groups = groups_of(program, rows)
    a_low, b_low, c_low = (np.take(o.offset, entry + i, axis=0) for i in range(3))
    a, b, out = (np.take(o.extent, entry + i, axis=0) for i in range(3))
    m, n, k = (program.shapes.extents[:, axis][c.shape[rows]] for axis in range(3))
    agree = (a[:, 1] == m) & (a[:, 2] == k) & (b[:, 1] == k) & (b[:, 2] == n)
    agree &= (out[:, 1] == m) & (out[:, 2] == n)
    agree &= (a[:, 0] == groups) & (b[:, 0] == groups) & (out[:, 0] == groups)
    agree &= (a_low[:, 0] == b_low[:, 0]) & (a_low[:, 0] == c_low[:, 0])
    agree &= (a_low[:, 1] == c_low[:, 1]) & (a_low[:, 2] == b_low[:, 1])
    agree &= b_low[:, 2] == c_low[:, 2]
    f.rows("program.extents", rows[~agree], "has extents that differ from its operands' regions")
    owner = np.array([tensor.operator for tensor in program.tensors], np.int64)
    mine = (owner[o.tensor[entry]] == c.operator[rows]) | (owner[o.tensor[entry]] < 0)
    for i in (1, 2):
        own = owner[o.tensor[entry + i]]
        mine &= (own == c.operator[rows]) | (own < 0)
    f.rows("program.tensor", rows[~mine], "reads or writes a tensor of another operator")
    low = np.stack([a_low[:, 0], a_low[:, 1], b_low[:, 2], a_low[:, 2]], axis=1)
    size = np.stack([a[:, 0], m, n, k], axis=1)
    counted = (c.flags[rows] & Flag.RECOMPUTES) == 0
    version = np.array([tensor.version for tensor in program.tensors], np.int64)
    request = np.minimum(c.request[rows], version[o.tensor[entry + 2]])  # with outputs of its own
    wide = len(program.operators) + 1
    owners = request * wide + c.operator[rows] + 1
    made = np.unique(owners).tolist()
    for owner in made:
        chosen, operator = np.flatnonzero(counted & (owners == owner)), owner % wide - 1
        limits = _limits(program, operator, entry[chosen], workload)
        name = program.operators[operator] if operator >= 0 else "no operator"
        name += of_request(owner // wide)
        _cover(f, name, low[chosen], size[chosen], limits)
        _sums(f, name, c.flags[rows[chosen]], size[chosen], limits)
    if workload is not None:
        present, requests = set(made), int(request.max(initial=0)) + 1
        for number, op in enumerate(workload.operators):
            for of in range(0 if isinstance(op, VectorOperator) else requests):
                if of * wide + number + 1 not in present:
                    path = op.name + of_request(of)
                    f.one("program.coverage", path, "has no command at all")


def of_request(number: int) -> str:
    """Which request a finding is of, where it is not the first."""
    return f" of request {number}" if number else ""


def _limits(program: Program, operator: int, entry: Ints, workload: Workload | None) -> Ints:
    """(groups, m, n, k) that must be covered: the workload's, else the tensors'."""
    if workload is not None and 0 <= operator < len(workload.operators):
        op = workload.operators[operator]
        if not isinstance(op, VectorOperator):
            return np.array([op.groups, op.m, op.n, op.k], np.int64)
    tensors = [program.tensors[int(program.operands.tensor[entry[0] + i])].shape for i in (0, 1)]
    groups, m, k = tensors[0][:3]
    return np.array([groups, m, tensors[1][2], k], np.int64)


def _cover(f: Findings, name: str, low: Ints, size: Ints, limits: Ints) -> None:
    high = low + size
    if (high > limits).any() or (size < 1).any():
        f.one("program.coverage", name, "has a tile outside the operator's dimensions")
        return
    total = int(np.prod(limits.astype(object)))
    exact = size if total * len(size) < 1 << 62 else size.astype(object)
    volume = int(np.prod(exact, axis=1).sum())
    if volume != total:
        f.one(
            "program.coverage",
            name,
            f"computes {volume} products, it has {total}",
            "cover every (m, n, k) exactly once",
        )
        return
    cells, first, count = [], [], []
    for axis in range(4):
        ends, begin, end = _numbered(low[:, axis], high[:, axis])
        cells.append(ends - 1)
        first.append(begin)
        count.append(end - begin)
    if all((step == 1).all() for step in count):
        number = np.ravel_multi_index(
            first, cells
        )  # as many as there are tiles, or some lie on another
        whole = int(np.prod(cells))
        overlap = whole != len(number) or not np.bincount(number, minlength=whole).all()
    elif int(np.prod(cells)) > LARGEST_GRID:
        f.one(
            "program.coverage",
            name,
            f"its tiles make a grid of more than {LARGEST_GRID} cells",
            "let tiles line up",
        )
        return
    else:
        overlap = bool((_times_covered(cells, first, count) != 1).any())
    if overlap:
        f.one(
            "program.coverage",
            name,
            "computes some products twice and misses others",
            "cover every (m, n, k) exactly once",
        )


def _numbered(low: Ints, high: Ints) -> tuple[int, Ints, Ints]:
    """How many distinct ends the ranges have, and which of them each range begins and ends at."""
    if int(high.max()) > LONGEST_AXIS:
        ends = np.unique(np.concatenate([low, high]))
        return len(ends), ends.searchsorted(low), ends.searchsorted(high)
    seen = np.zeros(int(high.max()) + 1, np.int64)
    seen[low] = seen[high] = 1
    number = np.cumsum(seen) - 1
    return int(number[-1]) + 1, number[low], number[high]


def _times_covered(cells: list[int], first: list[Ints], count: list[Ints]) -> Ints:
    """How many boxes cover each cell: +1 and -1 at their corners, summed along every axis."""
    grid = np.zeros([size + 1 for size in cells], np.int64)
    for corner in product((0, 1), repeat=len(cells)):
        at = tuple(low + size * far for low, size, far in zip(first, count, corner, strict=True))
        np.add.at(grid, at, (-1) ** sum(corner))
    for axis in range(len(cells)):
        np.cumsum(grid, axis=axis, out=grid)
    return grid[tuple(slice(size) for size in cells)]


def _sums(f: Findings, name: str, flags: Ints, size: Ints, limits: Ints) -> None:
    area = size[:, 0] * size[:, 1] * size[:, 2]
    begun = int(area[(flags & Flag.FIRST_K) != 0].sum())
    ended = int(area[(flags & Flag.LAST_K) != 0].sum())
    outputs = int(limits[0] * limits[1] * limits[2])
    if begun != ended or begun % outputs or begun == 0:
        f.one(
            "program.sums", name, f"begins {begun} sums and ends {ended}, it has {outputs} outputs"
        )
