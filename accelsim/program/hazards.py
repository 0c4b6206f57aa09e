"""Hazards: sequential execution in program order is the meaning; concurrency may not change it.

Every two commands that touch the same bytes, one of them writing, must be ordered by what the
timing semantics guarantee. Each command carries, per unit, the last command known to have been
released, and the last known to have ended, when it issues; a shadow of every memory keeps the
last writer and the last reader of each segment of bytes.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.formats import get
from accelsim.program.screen import plain_int64
from accelsim.program.shadow import (
    OTHER,
    RAW,
    REGION,
    UNWRITTEN,
    WAR,
    WAW,
    collect,
    locate,
    places,
    scan,
)
from accelsim.program.table import Program

if TYPE_CHECKING:
    from accelsim.program.validate import Findings

Ints = NDArray[np.int64]
COMPILE_ABOVE = 250_000  # commands times units
MANY_UNITS, HUBS = 32, 8  # above so many units only the busiest ones are followed at first
MESSAGES = {
    UNWRITTEN: ("program.unwritten", "reads bytes that nothing has written"),
    OTHER: ("program.clobbered", "reads bytes that hold another tensor"),
    RAW: ("program.read_early", "may read before the command that writes has ended"),
    WAR: ("program.overwrite", "may overwrite bytes that an earlier command still reads"),
    WAW: ("program.write_order", "may write before an earlier write of the same bytes has ended"),
    REGION: ("program.region", "reads a region that its source did not write"),
}


def roots(program: Program) -> Ints:
    """The tensor version that each tensor row is a view of, all views followed."""
    root = []
    for seen in range(len(program.tensors)):
        while program.tensors[seen].view_of >= 0:
            seen = program.tensors[seen].view_of
        root.append(seen)
    return np.array(root, np.int64)


def _bases(program: Program) -> Ints:
    """Where each memory begins when all lie one after another."""
    wide = 1 + max([memory.bytes for memory in program.memories] or [0])
    base = np.arange(len(program.memories), dtype=np.int64) * wide
    if wide * max(1, len(program.memories)) > 1 << 62:
        base = np.arange(len(program.memories), dtype=np.int64) * (1 << 40)
    return base


def _tensor_sizes(program: Program) -> tuple[Ints, Ints]:
    """Elements, and bytes of the packed whole, of each tensor."""
    elements = np.array([prod(t.shape) for t in program.tensors], np.int64)
    bits = np.array([get(t.format).bits for t in program.tensors], np.int64)
    return elements, -(-elements * bits // 8)


def segments(program: Program) -> tuple[Ints, Ints, int, Ints, Ints]:
    """Every footprint as a range of elementary segments: low, high of each operand, how many
    segments there are, and low, high of each resident."""
    o = program.operands
    base = _bases(program)
    begin = base[o.memory] + o.address
    end = begin + o.span
    kept = [(r.memory, r.address, r.span) for r in program.residents]
    r_begin = np.array([base[m] + a for m, a, _ in kept], np.int64)
    r_end = r_begin + np.array([s for _, _, s in kept], np.int64)
    # each side alone first: a memory's tiles begin and end at few places
    edges = np.unique(np.concatenate([*map(np.unique, (begin, end)), r_begin, r_end]))

    def find(values: Ints) -> Ints:
        return edges.searchsorted(values).astype(np.int64, copy=False)

    return find(begin), find(end), len(edges), find(r_begin), find(r_end)


def _region_tensor(program: Program) -> Ints:
    """Tensor row of each operand, for comparing regions; a number of its own for operands whose
    footprint is a whole tensor but whose region is a part of it (off-chip tensors)."""
    o = program.operands
    elements, whole = _tensor_sizes(program)
    part = np.prod(o.extent, axis=1) < elements[o.tensor]
    part &= o.span >= whole[o.tensor]
    number = o.tensor.copy()
    rows = np.flatnonzero(part)
    number[rows] = -1 - rows
    return number


def _footprints(program: Program) -> tuple[Ints, Ints, int, Ints, Ints, Ints]:
    """segments() and _region_tensor() by kernels."""
    o = program.operands
    base = _bases(program)
    kept = np.array([(r.memory, r.address, r.span) for r in program.residents], np.int64).reshape(
        -1, 3
    )
    places_of = plain_int64(
        np.concatenate([o.memory, kept[:, 0]]),
        np.concatenate([o.address, kept[:, 1]]),
        np.concatenate([o.span, kept[:, 2]]),
    )
    room, count = 4096, -1
    while count < 0:
        table, found = np.full(4 * room, -1, np.int64), np.empty(room, np.int64)
        count = jit.compiled(collect)(*places_of, base, table, found)
        room *= 4
    edges = np.sort(found[:count])
    total, entries = len(places_of[0]), len(o.memory)
    low, high, number = (np.empty(total, np.int64) for _ in range(3))
    jit.compiled(locate)(
        *places_of,
        base,
        edges,
        table,
        np.empty_like(table),
        *plain_int64(o.tensor, o.extent),
        *_tensor_sizes(program),
        low,
        high,
        number,
    )
    return low[:entries], high[:entries], count, low[entries:], high[entries:], number[:entries]


def check_hazards(f: Findings) -> None:
    """Find reads before writes and writes too early, over every memory."""
    p = f.program
    count, units = len(p), len(p.units)
    if count == 0 or not (p.operands.span.any() or p.residents):
        return
    fast = count * units > COMPILE_ABOVE or jit.hot()
    walk = _Walk(p, fast)
    few = units > MANY_UNITS and fast
    found = walk.run(_busiest(p) if few else np.arange(units, dtype=np.int64))
    if few and len(found[0]):  # what the busiest units know is not enough: ask what all know
        found = walk.run(np.arange(units, dtype=np.int64))
    rows, kinds, held = found
    for kind, (code, message) in MESSAGES.items():
        f.rows(code, np.unique(rows[kinds == kind]), message)
    for resident, a, b in zip(p.residents, *walk.resident_runs, strict=True):
        if resident.at_end and (held[a:b] != walk.root[resident.tensor]).any():
            f.one(
                "program.resident",
                p.tensors[resident.tensor].name,
                f"is not in {p.memories[resident.memory].name} at the end",
            )


def _busiest(program: Program) -> Ints:
    """Hub number of each unit: of those with the most commands; -1 for the others."""
    count = np.bincount(program.commands.unit, minlength=len(program.units))
    hub = np.full(len(count), -1, np.int64)
    hub[np.argsort(-count, kind="stable")[:HUBS]] = np.arange(min(HUBS, len(count)))
    return hub


class _Walk:
    """A Program's columns as scan() takes them, computed once."""

    def __init__(self, program: Program, fast: bool) -> None:
        self.program, self.fast = program, fast
        c, o, d = program.commands, program.operands, program.dependencies
        self.root = roots(program)
        units, queues = len(program.units), max(1, len(program.queues))
        if fast:
            low, high, self.total, r_low, r_high, number = _footprints(program)
            place, alone = np.empty(len(program), np.int64), np.ones(units, np.int64)
            jit.compiled(places)(
                *plain_int64(c.unit, c.queue),
                place,
                alone,
                np.full(units, -1, np.int64),
                np.zeros(units, np.int64),
            )
        else:
            low, high, self.total, r_low, r_high = segments(program)
            number = _region_tensor(program)
            order = np.argsort(c.unit, kind="stable")
            place = np.empty(len(program), np.int64)
            sorted_unit = c.unit[order]
            place[order] = np.arange(len(program)) - np.searchsorted(sorted_unit, sorted_unit)
            pairs = np.unique(c.unit * queues + c.queue)
            alone = (np.bincount(pairs // queues, minlength=units) <= 1).astype(np.int64)
        self.resident_runs = r_low.tolist(), r_high.tolist()
        self.columns = [
            c.unit,
            c.queue,
            place,
            alone,
            d.start,
            d.predecessor,
            d.kind,
            o.start,
            self.root[o.tensor],
            number,
            low,
            high,
            o.access,
        ]

    def run(self, hub: Ints) -> tuple[Ints, Ints, Ints]:
        """Rows and kinds of what was found, and the tensor in every segment at the end."""
        p, total = self.program, self.total
        units, queues, hubs = len(p.units), max(1, len(p.queues)), int(hub.max(initial=-1)) + 1
        flat = [p.operands.offset.ravel(), p.operands.extent.ravel()]
        cells = len(p.operands.tensor) + 1024
        while True:
            writer, holder = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
            for resident, a, b in zip(p.residents, *self.resident_runs, strict=True):
                if resident.at_start:
                    writer[a:b], holder[a:b] = -2, self.root[resident.tensor]
            state: list[Any] = [
                writer,
                np.zeros(total, np.int64),
                holder,
                np.arange(1, total + 1),
                np.full(total, -1, np.int64),
                np.zeros(total, np.int64),
                *(np.zeros(cells, np.int64) for _ in range(4)),
                np.zeros(queues * units * 2 if (hub < 0).any() else 2, np.int32),
                np.full(queues, -1, np.int64),
                np.full(units, -1, np.int64),
                np.zeros(len(p) * hubs * 2, np.int32),  # the large one: half the bytes
                np.zeros(100, np.int64),
                np.zeros(100, np.int64),
            ]
            columns = [hub, *self.columns]
            if self.fast:
                kernel = jit.compiled(scan)
                columns, bounds = plain_int64(*columns), plain_int64(*flat)
            else:
                kernel = scan
                columns, state, bounds = (
                    [x.tolist() for x in part] for part in (columns, state, flat)
                )
            found = kernel(len(p), hubs, *columns, p.operands.offset.shape[1], *bounds, *state)
            if found >= 0:
                break
            cells *= 4
        rows, kinds = np.asarray(state[14][:found]), np.asarray(state[15][:found])
        begins = np.where(np.asarray(state[3]) != 0, np.arange(total), 0)
        return rows, kinds, np.asarray(state[2])[np.maximum.accumulate(begins)]
