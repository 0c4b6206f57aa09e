"""A quick pass over a Program that finds nothing in a sound one.

screen() and covers() walk the columns once, compiled. What they let through breaks none of the
rules of validate.py and coverage.py that they stand for; what they stop goes through those, which
say what is wrong. tests/program/test_screen.py holds both against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.program.opcodes import Access, Edge, Flag, Opcode
from accelsim.program.table import Program
from accelsim.workload import VectorOperator, Workload

Ints = NDArray[np.int64]
READ, WRITE = int(Access.READ), int(Access.WRITE)
MATMUL, MVM = int(Opcode.MATMUL), int(Opcode.MVM)
FIRST_K, LAST_K, RECOMPUTES = int(Flag.FIRST_K), int(Flag.LAST_K), int(Flag.RECOMPUTES)
ACCESSES, KINDS, OPCODES = len(Access), len(Edge), len(Opcode)
LARGEST = 1 << 62
LARGEST_AXIS = 1 << 22  # positions along one dimension that a table is kept for
LARGEST_GRID = 1 << 24  # cells that are marked one by one


def plain_int64(*columns: Any) -> list[Ints]:
    """Columns as kernels want them; no copy where they are so already."""
    return [np.ascontiguousarray(column, np.int64) for column in columns]


def rows_sound(
    opcode: Any,
    unit: Any,
    queue: Any,
    operator: Any,
    shape: Any,
    block: Any,
    served: Any,
    op_start: Any,
    tensor: Any,
    memory: Any,
    address: Any,
    span: Any,
    bytes: Any,
    access: Any,
    edge_start: Any,
    predecessor: Any,
    kind: Any,
    lag: Any,
    demand_start: Any,
    port: Any,
    size: Any,
    shape_kind: Any,
    shape_opcode: Any,
    accepts: Any,
    unit_kind: Any,
    room: Any,
    read_port: Any,
    write_port: Any,
    linked: Any,
    limits: Any,
    balance: Any,
) -> bool:
    """Whether every row keeps the rules of references, units, memories and ports.

    accepts: (units, opcodes). room: bytes of each memory. read_port, write_port: of each memory, -1
    for none. linked: 1 for those ports. limits: numbers of queues, operators, blocks, tensors.
    balance: zeros, one a port.
    """
    units, shapes, memories, ports = len(unit_kind), len(shape_kind), len(room), len(linked)
    for i in range(len(opcode)):
        if not (0 <= opcode[i] < OPCODES and 0 <= unit[i] < units and 0 <= shape[i] < shapes):
            return False
        if not (0 <= queue[i] < limits[0] and -1 <= operator[i] < limits[1]):
            return False
        if not (-1 <= block[i] < limits[2] and 0 <= served[i] < 2):
            return False
        if accepts[unit[i], opcode[i]] == 0 or shape_kind[shape[i]] != unit_kind[unit[i]]:
            return False
        if shape_opcode[shape[i]] != opcode[i]:
            return False
        for j in range(op_start[i], op_start[i + 1]):
            m = memory[j]
            if not (0 <= tensor[j] < limits[3] and 0 <= m < memories and 0 <= access[j] < ACCESSES):
                return False
            if not (
                0 <= bytes[j] < LARGEST and 0 <= address[j] < LARGEST and 0 <= span[j] < LARGEST
            ):
                return False
            if span[j] > room[m] or address[j] > room[m] - span[j]:
                return False
            if access[j] != WRITE and read_port[m] >= 0:
                balance[read_port[m]] += bytes[j]
            if access[j] != READ and write_port[m] >= 0:
                balance[write_port[m]] += bytes[j]
        for j in range(demand_start[i], demand_start[i + 1]):
            if not (0 <= port[j] < ports and 0 <= size[j] < LARGEST):
                return False
            balance[port[j]] -= size[j]
        for j in range(ports):
            if balance[j] != 0:
                if linked[j] == 1:
                    return False
                balance[j] = 0
        for j in range(edge_start[i], edge_start[i + 1]):
            if not (0 <= predecessor[j] < i and 0 <= kind[j] < KINDS and 0 <= lag[j] < LARGEST):
                return False
    return True


def memory_ports(program: Program) -> tuple[Ints, Ints]:
    """The port rows that each memory is read and written through, -1 for none."""
    names = {port.name: number for number, port in enumerate(program.ports)}
    read, write = (
        np.array(
            [
                names.get(f"{m.name}.{side}", names.get(f"{m.name}.port", -1))
                for m in program.memories
            ],
            np.int64,
        )
        for side in ("read", "write")
    )
    return read, write


def screen(program: Program) -> bool:
    """Whether references, units, footprints and port demands are surely sound. The columns must
    have been checked: lengths, types, starts."""
    p, c, o, d = program, program.commands, program.operands, program.dependencies
    accepts = np.zeros((len(p.units), OPCODES), np.int64)
    for number, unit in enumerate(p.units):
        accepts[number, list(unit.opcodes)] = 1
    read, write = memory_ports(p)
    linked = np.zeros(len(p.ports), np.int64)
    for side in (read, write):
        linked[side[side >= 0]] = 1
    kinds = np.array([unit.kind for unit in p.units], np.int64)
    room = np.array([memory.bytes for memory in p.memories], np.int64)
    limits = np.array(
        [len(p.queues), max(1, len(p.operators)), max(1, len(p.blocks)), len(p.tensors)], np.int64
    )
    s = p.shapes
    around = (
        (s.kind, len(p.unit_kinds)),
        (s.extents.ravel(), LARGEST),
        (o.offset.ravel(), LARGEST),
    )
    for column, high in around:
        if len(column) and not (column.min() >= 0 and column.max() < high):
            return False
    return bool(
        jit.compiled(rows_sound)(
            *plain_int64(
                c.opcode,
                c.unit,
                c.queue,
                c.operator,
                c.shape,
                c.block,
                c.served,
                o.start,
                o.tensor,
                o.memory,
                o.address,
                o.span,
                o.bytes,
                o.access,
                d.start,
                d.predecessor,
                d.kind,
                d.lag,
                p.demands.start,
                p.demands.port,
                p.demands.bytes,
                s.kind,
                s.opcode,
                accepts,
                kinds,
                room,
                read,
                write,
                linked,
                limits,
                np.zeros(len(p.ports), np.int64),
            )
        )
    )


def tiles_partition(
    rows: Any,
    opcode: Any,
    operator: Any,
    shape: Any,
    flags: Any,
    start: Any,
    tensor: Any,
    offset: Any,
    extent: Any,
    extents: Any,
    owner: Any,
    limits: Any,
    stamp: Any,
    number: Any,
    edges: Any,
    seen: Any,
) -> bool:
    """Whether the tile passes ``rows`` keep all rules of coverage.py.

    owner: operator of each tensor. limits: (operators, 4) groups, m, n, k to cover. stamp, number:
    (4, positions) scratch, stamp -1; edges: (4, 2 * rows + 2) scratch. seen: zeros, set where an operator
    has passes.
    """
    first = 0
    while first < len(rows):
        own = operator[rows[first]]
        if own < 0 or seen[own] == 1:
            return False
        seen[own] = 1
        stop = first
        while stop < len(rows) and operator[rows[stop]] == own:
            stop += 1
        counts = np.zeros(4, np.int64)
        volume, begun, ended = 0, 0, 0
        for i in range(first, stop):
            row = rows[i]
            if start[row + 1] - start[row] < 3 or (flags[row] & RECOMPUTES) != 0:
                return False
            a = start[row]
            m, n, k = extents[shape[row], 0], extents[shape[row], 1], extents[shape[row], 2]
            groups = extent[a, 0]
            named = max(extents[shape[row], 3], 1) if opcode[row] == MVM else 1
            if groups != named or extent[a + 1, 0] != groups or extent[a + 2, 0] != groups:
                return False
            if (
                extent[a, 1] != m
                or extent[a, 2] != k
                or extent[a + 1, 1] != k
                or extent[a + 1, 2] != n
                or extent[a + 2, 1] != m
                or extent[a + 2, 2] != n
                or offset[a, 0] != offset[a + 1, 0]
                or offset[a, 0] != offset[a + 2, 0]
                or offset[a, 1] != offset[a + 2, 1]
                or offset[a, 2] != offset[a + 1, 1]
                or offset[a + 1, 2] != offset[a + 2, 2]
            ):
                return False
            for j in range(3):
                mine = owner[tensor[a + j]]
                if mine != own and mine >= 0:
                    return False
            for axis in range(4):
                if axis < 2:
                    low, size = offset[a, axis], groups if axis == 0 else m
                elif axis == 2:
                    low, size = offset[a + 1, 2], n
                else:
                    low, size = offset[a, 2], k
                if low < 0 or size < 1 or low + size > limits[own, axis]:
                    return False
                for at in (low, low + size):
                    if stamp[axis, at] != own:
                        stamp[axis, at] = own
                        edges[axis, counts[axis]] = at
                        counts[axis] += 1
            volume += groups * m * n * k
            if (flags[row] & FIRST_K) != 0:
                begun += groups * m * n
            if (flags[row] & LAST_K) != 0:
                ended += groups * m * n
        outputs = limits[own, 0] * limits[own, 1] * limits[own, 2]
        if volume != outputs * limits[own, 3]:
            return False
        if begun != ended or begun == 0 or begun % outputs != 0:
            return False
        cells = 1
        for axis in range(4):
            edges[axis, : counts[axis]].sort()
            for j in range(counts[axis]):
                number[axis, edges[axis, j]] = j
            cells *= counts[axis] - 1
            if cells > LARGEST_GRID:
                return False
        taken = np.zeros(cells, np.uint8)
        wide_k, wide_n, wide_m = counts[3] - 1, counts[2] - 1, counts[1] - 1
        for i in range(first, stop):
            a = start[rows[i]]
            k0, k1 = number[3, offset[a, 2]], number[3, offset[a, 2] + extent[a, 2]]
            n0, n1 = number[2, offset[a + 1, 2]], number[2, offset[a + 1, 2] + extent[a + 1, 2]]
            m0, m1 = number[1, offset[a, 1]], number[1, offset[a, 1] + extent[a, 1]]
            for g in range(number[0, offset[a, 0]], number[0, offset[a, 0] + extent[a, 0]]):
                for x in range(m0, m1):
                    for y in range(n0, n1):
                        base = ((g * wide_m + x) * wide_n + y) * wide_k
                        for z in range(base + k0, base + k1):
                            if taken[z] == 1:
                                return False
                            taken[z] = 1
        first = stop
    return True


def covers(program: Program, workload: Workload) -> bool:
    """Whether the tile passes surely cover every MAC operator of the workload exactly once."""
    p, o, c = program, program.operands, program.commands
    rows = np.flatnonzero((c.opcode == MATMUL) | (c.opcode == MVM))
    if len(rows) == 0 or o.offset.shape[1] < 3 or len(p.operators) != len(workload.operators):
        return False
    macs = [not isinstance(op, VectorOperator) for op in workload.operators]
    limits = np.array(
        [
            (op.groups, op.m, op.n, op.k) if mac else (0, 0, 0, 0)  # type: ignore[union-attr]
            for op, mac in zip(workload.operators, macs, strict=True)
        ],
        np.int64,
    )
    longest = int(limits.max()) + 1
    whole = np.prod(limits.astype(np.float64), axis=1)
    if longest > LARGEST_AXIS or whole.max() > LARGEST:
        return False
    owner = np.array([tensor.operator for tensor in p.tensors], np.int64)
    seen = np.zeros(len(macs), np.int64)
    sound = jit.compiled(tiles_partition)(
        *plain_int64(
            rows,
            c.opcode,
            c.operator,
            c.shape,
            c.flags,
            o.start,
            o.tensor,
            o.offset,
            o.extent,
            p.shapes.extents,
            owner,
            limits,
            np.full((4, longest), -1, np.int64),
        ),
        np.empty((4, longest), np.int64),
        np.empty((4, 2 * len(rows) + 2), np.int64),
        seen,
    )
    return bool(sound) and bool((seen == np.array(macs, np.int64)).all())
