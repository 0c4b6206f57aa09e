"""A Program request after request: the same rows again and again on one chip.

Request r is every row once more, with r in its ``request`` column, and writes tensor versions of its own. Rows
one after another, request after request, are the meaning; dependencies derived over all of them say what a
request waits for in those before it, so the slots of buffers are all the back-pressure that there is. Where a
memory has room, what a request writes lies in several slots that requests take in turn, and an operator's slots
apart from other operators'.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.program.dependencies import memory_ports, roots_of
from accelsim.program.hazards import derived
from accelsim.program.table import (
    Commands,
    Demands,
    Dependencies,
    Operands,
    Program,
    QueueRow,
    ResidentRow,
    TensorRow,
    column_names,
    entries_of,
)

Ints = NDArray[np.int64]
ALIGNMENT = 64  # bytes, so that tensors start on a burst
SPARE = 2  # slots beside those of the requests at work: one being filled, one being emptied


class Slots(NamedTuple):
    """Of every operand: in request r it lies ``shift + r % turns * size`` bytes above its address."""

    shift: Ints
    turns: Ints
    size: Ints


def slots_of(program: Program, begin: Ints, end: Ints, pace: int) -> Slots:
    """Slots for requests ``pace`` ticks apart. begin, end: ticks of the commands of one request alone.

    What one operator alone touches in a memory keeps its places among itself and is moved as one; so is a
    tensor that several operators touch there. Each gets as many slots as requests are at work on it, and
    SPARE, or the same fewer for all of a memory, as there is room; a memory without room for one of each stays
    as it is. What lies in a memory at the start or the end stays where it is, as do registers and cells.
    """
    o = program.operands
    owner = np.repeat(np.arange(len(program)), np.diff(o.start))
    names, group = np.unique(_groups(program, owner), return_inverse=True)
    many = len(names)
    low, high, first, last, memory = np.zeros((5, many), np.int64)
    low[:], first[:] = 1 << 62, 1 << 62
    np.minimum.at(low, group, o.address)
    np.maximum.at(high, group, o.address + o.span)
    np.minimum.at(first, group, begin[owner])
    np.maximum.at(last, group, end[owner])
    memory[group] = o.memory
    size = -(-(high - low) // ALIGNMENT) * ALIGNMENT
    wanted = (last - first) // pace + 1 + SPARE
    shift, count = np.zeros(many, np.int64), np.ones(many, np.int64)
    for number, row in enumerate(program.memories):
        mine = np.flatnonzero((memory == number) & (names >= 0))
        fixed = [r.address + r.span for r in fixed_in(program) if r.memory == number]
        floor = -(-max(fixed, default=0) // ALIGNMENT) * ALIGNMENT
        for most in range(int(wanted[mine].max(initial=0)), 0, -1):
            slots = np.minimum(wanted[mine], most)
            ends = floor + np.cumsum(slots * size[mine])
            if ends[-1] <= row.bytes:
                count[mine], shift[mine] = slots, ends - slots * size[mine] - low[mine]
                break
    return Slots(shift[group], count[group], np.where(count > 1, size, 0)[group])


def fixed_in(program: Program) -> list[ResidentRow]:
    """What lies in memories at the start or the end; other residents are homes that tensors have in between."""
    return [resident for resident in program.residents if resident.at_start or resident.at_end]


def _groups(program: Program, owner: Ints) -> Ints:
    """A number of each operand's group, -1 where it is not moved. owner: rows of operands."""
    o, root, tensors = program.operands, roots_of(program.tensors), len(program.tensors)
    of, operator = root[o.tensor], program.commands.operator[owner] + 1
    wide = tensors + len(program.operators) + 1
    held = o.memory * wide + of
    users = np.unique(held * wide + operator) // wide
    places, count = np.unique(users, return_counts=True)
    several = np.isin(held, places[count > 1])
    stays = [r.memory * wide + int(root[r.tensor]) for r in fixed_in(program)]
    read, write = memory_ports(program.ports, program.memories)
    moves = (read >= 0) & (write >= 0)
    return np.where(
        moves[o.memory] & (o.span > 0) & ~np.isin(held, np.array(stays, np.int64)),
        o.memory * wide + np.where(several, of, tensors + operator),
        -1,
    )


def in_requests(program: Program, count: int, slots: Slots | None = None) -> Program:
    """The rows of ``count`` requests, request after request, without dependencies and demands. program: of one
    request, in full. slots: None where every request has the addresses of the one."""
    c, o = program.commands, program.operands
    rows, entries = len(program), len(o.tensor)
    commands = Commands(*(np.tile(getattr(c, item.name), count) for item in fields(Commands)))
    commands.request = np.repeat(np.arange(count), rows)
    columns = {
        name: np.tile(getattr(o, name), (count, 1) if name in ("offset", "extent") else count)
        for name in column_names(Operands)
    }
    begin = np.arange(count)[:, None] * entries + o.start[:-1]
    columns["start"] = np.append(begin.ravel(), count * entries)
    request = np.repeat(np.arange(count), entries)
    if slots is not None:
        shift, turns, size = (np.tile(column, count) for column in slots)
        columns["address"] += shift + request % turns * size
    tensors, number = _versions(program, count)
    columns["tensor"] = number[request, columns["tensor"]]
    residents = [
        r if r.at_start else replace(r, tensor=int(number[-1, r.tensor])) for r in fixed_in(program)
    ]
    residents += _homes(program, number, slots)
    return _rows(replace(program, tensors=tensors, residents=tuple(residents)), commands, columns)


def _homes(program: Program, number: Ints, slots: Slots | None) -> list[ResidentRow]:
    """Where every request's versions of tensors stand that are at home on chip. number: as _versions() gives."""
    o, root, made = program.operands, roots_of(program.tensors), []
    for home in program.residents:
        if home.at_start or home.at_end:
            continue
        entries = np.flatnonzero((root[o.tensor] == root[home.tensor]) & (o.memory == home.memory))
        for request in range(len(number)):
            low = home.address
            if slots is not None and len(entries):
                shift, turns, size = (int(column[entries[0]]) for column in slots)
                low += shift + request % turns * size
            made.append(replace(home, tensor=int(number[request, home.tensor]), address=low))
    return made


def _versions(program: Program, count: int) -> tuple[tuple[TensorRow, ...], Ints]:
    """Tensors of so many requests, and the row of each tensor in each of them: versions of its own of all that
    is not there at the start."""
    tensors, root = list(program.tensors), roots_of(program.tensors)
    there = {int(root[resident.tensor]) for resident in program.residents if resident.at_start}
    own = [row for row in range(len(root)) if int(root[row]) not in there]
    number = np.tile(np.arange(len(root)), (count, 1))
    for request in range(1, count):
        number[request, own] = len(tensors) + np.arange(len(own))
        for row in own:
            old = program.tensors[row]
            of = old.view_of if old.view_of < 0 else int(number[request, old.view_of])
            tensors.append(replace(old, version=old.version + request, view_of=of))
    return tuple(tensors), number


def _rows(program: Program, commands: Commands, columns: dict[str, Ints]) -> Program:
    """The Program with other rows, without dependencies and demands."""
    none = np.zeros(len(commands.opcode) + 1, np.int64)
    return replace(
        program,
        commands=commands,
        operands=Operands(**columns),
        dependencies=Dependencies(none, none[:0], none[:0], none[:0]),
        demands=Demands(none, none[:0], none[:0]),
        blocks=(),
    )


def in_order(program: Program, order: Ints, lag: Ints) -> Program:
    """The Program with its rows in another order, and the dependencies and demands that it has there. lag: of
    commands as they stand, as hazards.derived() takes it. ProgramError where one stands before what it waits
    for."""
    c = program.commands
    commands = Commands(**{item.name: getattr(c, item.name)[order] for item in fields(Commands)})
    columns, _ = entries_of(program.operands, order)
    return derived(_rows(program, commands, columns), lag[order])


def apart(program: Program, lag: Ints) -> Program:
    """The rows of requests as they would run were no request behind another in a queue: every request has a queue
    of its own on each unit, older ones go first, and the command memory holds all. When its commands issue is an
    order for in_order(). lag: as hazards.derived() takes it."""
    c, units = program.commands, len(program.units)
    used, queue = np.unique(c.request * units + c.unit, return_inverse=True)
    queues = tuple(
        QueueRow(f"{program.units[key % units].name} {key // units}", key // units)
        for key in used.tolist()
    )
    commands = replace(c, queue=queue.astype(np.int64))
    return derived(replace(program, commands=commands, queues=queues, commands_ahead=0), lag)
