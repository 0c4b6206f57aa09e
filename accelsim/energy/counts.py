"""How often everything happened: what a run did, before anybody says what it costs.

Work is read off a Program and its Timeline; Counts are the actions that a chip's units make of it.
Chips that differ in prices only share both, so that a changed constant needs new prices alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.chip import Chip
from accelsim.chip.cores import template_of
from accelsim.constants.rows import half_width
from accelsim.formats import FORMAT_NAMES
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.repeats import by_kernel, in_full, operators_of, spans
from accelsim.program.table import Program, Shapes
from accelsim.units.base import Unit
from accelsim.units.link import is_hop

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Activity = Mapping[str, NDArray[np.float64]]
READ, WRITE = int(Access.READ), int(Access.WRITE)


class Clocked(Protocol):
    """What energy reads of a Timeline: how long it took, in seconds."""

    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Work:
    """What a Program did. Operators are rows of Program.operators plus one; row 0 is none's.

    runs: (operators, shapes) executions. memories: names, all instances of one in one row, then those of links.
    read, written: (memories, operators) bits; of a link, bits over its hops are read. charge: coulombs
    by operator as the values drew them, if they did. zeros: products with a zero operand by array, pair of
    formats and operator. seconds: the makespan. repeats: (operators, shapes) vectors read again, where
    values said.
    """

    shapes: Shapes
    kinds: tuple[str, ...]
    memories: tuple[str, ...]
    runs: Floats
    read: Floats
    written: Floats
    charge: Floats | None
    zeros: Mapping[tuple[str, str, str], Floats]
    seconds: float
    repeats: Floats | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """actions: (unit, action, count by operator) of the units; moved: the same of the memories'
    bits. gated: of the zero products by array and action, where it gates. seconds: the makespan. bands: relative
    half widths of counts by unit and action, where they rest on more than the Program."""

    actions: list[tuple[str, str, Floats]]
    moved: list[tuple[str, str, Floats]]
    gated: Mapping[tuple[str, str], Floats]
    seconds: float
    bands: Mapping[tuple[str, str], float] = field(default_factory=dict)


class Moving(NamedTuple):
    """What tally() reads: of every command its operator and shape, and where its operands begin; of those the
    memory, the access and bytes. kind: of each memory, which it is an instance of."""

    operator: Any
    shape: Any
    start: Any
    memory: Any
    access: Any
    bytes: Any
    kind: Any


@jit.allocates_nothing
def tally(
    first: int, stop: int, more: int, rows: Moving, runs: Any, read: Any, written: Any
) -> None:
    """Add up executions of shapes and bytes of operands of rows first .. stop, by operator and so many
    operators more; an accumulation does both."""
    operator, shape, start, memory, access, size, kind = rows
    for row in range(first, stop):
        owner = operator[row] + 1 + more
        runs[owner, shape[row]] += 1
        for entry in range(start[row], start[row + 1]):
            if access[entry] != WRITE:
                read[kind[memory[entry]], owner] += size[entry]
            if access[entry] != READ:
                written[kind[memory[entry]], owner] += size[entry]


def work_of(program: Program, timeline: Clocked, activity: Activity | None = None) -> Work:
    """What a Program did; activity: per-command columns from the values, as account() takes."""
    commands, o, activity = program.commands, program.operands, activity or {}
    operators, shapes = operators_of(program) + 1, len(program.shapes.kind)
    names, kind = kinds_of(row.name for row in program.memories)
    memories = len(names)
    if by_kernel(program, tally):
        runs = np.zeros((operators, shapes), np.int64)
        read, written = (np.zeros((memories, operators), np.int64) for _ in range(2))
        rows = Moving(commands.operator, commands.shape, o.start, o.memory, o.access, o.bytes, kind)
        kernel = jit.compiled(tally)
        for part in spans(program):
            kernel(part.first, part.stop, part.operators, rows, runs, read, written)
    else:
        runs, read, written = _tally(in_full(program), operators, shapes, kind)
    charge = None
    if "cell_charge" in activity:
        charge = np.asarray(
            np.bincount(commands.operator + 1, activity["cell_charge"], operators), np.float64
        )
    repeats = None
    if "repeated" in activity:
        key = (commands.operator + 1) * shapes + commands.shape
        column = np.bincount(key, activity["repeated"], operators * shapes)
        repeats = np.asarray(column, np.float64).reshape(operators, shapes)
    links, carried = _carried(program, operators)
    names, read = (*names, *links), np.concatenate((read, carried))
    written = np.concatenate((written, np.zeros_like(carried)))
    bits_read, bits_written = (np.asarray(8.0 * side, np.float64) for side in (read, written))
    return Work(
        program.shapes,
        program.unit_kinds,
        names,
        np.asarray(runs, np.float64),
        bits_read,
        bits_written,
        charge,
        _zeros(program, activity),
        timeline.seconds,
        repeats,
    )


def kinds_of(memories: Iterable[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of memories without the numbers of their instances ("core[2].tiles.17.cells": "core.tiles.cells"), and
    which of them each is."""
    names: dict[str, int] = {}
    number = [names.setdefault(_one(name), len(names)) for name in memories]
    return tuple(names), np.array(number, np.int64)


def _one(instance: str) -> str:
    """The name without the numbers of its instance."""
    return ".".join(part for part in template_of(instance).split(".") if not part.isdigit())


def links_of(
    memories: Iterable[str], ports: Iterable[str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of links, and of each port which of them it is a hop of; -1 for a memory's port and for those into a
    switch, which are no hop. memories, ports: names of instances."""
    stored, names = set(memories), dict[str, int]()
    number = []
    for port in ports:
        link, _, label = port.rpartition(".")
        hop = link not in stored and is_hop(label)
        number.append(names.setdefault(template_of(link), len(names)) if hop else -1)
    return tuple(names), np.array(number, np.int64)


def _carried(program: Program, operators: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Links, and bytes over the hops of each by operator."""
    names, number = links_of(
        (row.name for row in program.memories), (row.name for row in program.ports)
    )
    if not names:
        return (), np.zeros((0, operators), np.int64)
    whole = in_full(program)
    demands, owner = whole.demands, np.repeat(whole.commands.operator, np.diff(whole.demands.start))
    link = number[demands.port]
    mine = link >= 0
    key = link[mine] * operators + owner[mine] + 1
    found = np.bincount(key, demands.bytes[mine], len(names) * operators)
    return tuple(names), found.astype(np.int64).reshape(len(names), operators)


def _tally(
    program: Program, operators: int, shapes: int, kind: NDArray[np.int64]
) -> tuple[Any, Any, Any]:
    """tally() in columns. Sums of bytes are whole numbers below 2^53, so float64 is exact."""
    commands, o = program.commands, program.operands
    runs = np.bincount(
        (commands.operator + 1) * shapes + commands.shape, minlength=operators * shapes
    ).reshape(operators, shapes)
    memories = int(kind.max(initial=-1)) + 1
    key = kind[o.memory] * operators + np.repeat(commands.operator, np.diff(o.start)) + 1
    sides = []
    for skipped in (WRITE, READ):
        keep = o.access != skipped
        sides.append(
            np.bincount(key[keep], o.bytes[keep], memories * operators).reshape(memories, -1)
        )
    return runs, sides[0], sides[1]


def _zeros(program: Program, activity: Activity) -> dict[tuple[str, str, str], Floats]:
    """Products with a zero operand, by array, pair of formats and operator."""
    zeros = activity.get("zero_products")
    if zeros is None:
        return {}
    c, s = program.commands, program.shapes
    mac = np.flatnonzero(c.opcode == Opcode.MATMUL)
    shape = c.shape[mac]
    columns = (s.kind[shape], s.format_a[shape], s.format_b[shape])
    found: dict[tuple[str, str, str], Floats] = {}
    for kind, a, b in set(zip(*(column.tolist() for column in columns), strict=True)):
        mine = mac[(columns[0] == kind) & (columns[1] == a) & (columns[2] == b)]
        total = np.bincount(c.operator[mine] + 1, zeros[mine], len(program.operators) + 1)
        key = (program.unit_kinds[kind], FORMAT_NAMES[a], FORMAT_NAMES[b])
        found[key] = np.asarray(total, np.float64)
    return found


def counts_of(work: Work, chip: Chip) -> Counts:
    """The actions of a chip's units and memories for that work."""
    shapes, actions = work.shapes, []
    bands: dict[tuple[str, str], float] = {}
    for number, kind in enumerate(work.kinds):
        chosen = shapes.kind == number
        if not chosen.any():
            continue
        unit = chip.unit_of_kind(kind)
        mine = Shapes(*(getattr(shapes, item.name)[chosen] for item in fields(Shapes)))
        uses, again = work.runs[:, chosen], {}
        for action, parts in unit.statistics(work.charge is not None).items():
            if parts:
                bands[unit.name, action] = sum(part * half_width(known) for part, known in parts)
        if work.repeats is not None:
            unit = unit.measured()
            again = _again(unit, mine, work.repeats[:, chosen])
        for action, each in unit.actions(mine).items():
            totals = uses @ each
            if action in again:
                totals = totals + again[action]
            if action in ("cell_charge", "supply_charge") and work.charge is not None:
                totals = work.charge
            actions.append((unit.name, action, totals))
    gated: dict[tuple[str, str], Floats] = {}
    for (name, *pair), zeros in work.zeros.items():
        array: Any = chip.units[name]
        if array.zero_gating:
            action = array.multiplication(*pair)
            gated[name, action] = gated.get((name, action), 0.0) + zeros
    return Counts(actions, _moved(work, chip), gated, work.seconds, bands)


def _again(unit: Unit, shapes: Shapes, repeats: Floats) -> dict[str, Floats]:
    """Actions of vectors that are read again, by operator; they are no new useful products."""
    if not repeats.any():
        return {}
    one = replace(shapes, extents=shapes.extents.copy())
    one.extents[:, 0] = 1
    return {
        action: repeats @ each
        for action, each in unit.actions(one).items()
        if not action.startswith("mac_")
    }


def compact(work: Work, chip: Chip) -> Work:
    """The work with the priced memories of the chip only: the same counts for every chip that shares
    the Program."""
    names = _memory_names(chip)
    home = [_base(name, names) for name in work.memories]
    sides = [
        np.array(
            [
                side[[row for row, at in enumerate(home) if at == number]].sum(axis=0)
                for number in range(len(names))
            ]
        )
        for side in (work.read, work.written)
    ]
    return replace(work, memories=tuple(names), read=sides[0], written=sides[1])


def _memory_names(chip: Chip) -> list[str]:
    arrays: Any = chip.parts("mac_array")
    column = (array.name for array in arrays if array.accumulator.location == "column")
    return sorted([*chip.memories, *(f"{name}.accumulators" for name in column), *chip.links])


def _moved(work: Work, chip: Chip) -> list[tuple[str, str, Floats]]:
    """Bits read and written in each memory of the chip, all its instances together, and over hops of links."""
    if work.memories != tuple(_memory_names(chip)):
        work = compact(work, chip)
    return [
        (name, "hop_bit" if name in chip.links else action, side)
        for action, sides in (("read_bit", work.read), ("write_bit", work.written))
        for name, side in zip(work.memories, sides, strict=True)
        if action == "read_bit" or name not in chip.links
    ]


def _base(instance: str, names: list[str]) -> int:
    """The priced memory that an instance ("buffer.1", "array.0.accumulators") is a copy of; -1 for
    the stationary registers, whose bits the array itself counts."""
    one = _one(instance)
    return names.index(one) if one in names else -1
