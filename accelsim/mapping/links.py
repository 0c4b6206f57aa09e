"""Bytes that transfers move over the links of a chip: demands on their ports, beside those on memories' ports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, machine
from accelsim.chip.cores import template_of
from accelsim.chip.machine import all_of, beside
from accelsim.chip.routes import carried
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Demands, Program, Shapes

Ints = NDArray[np.int64]
MOVES = (int(Opcode.LOAD), int(Opcode.STORE), int(Opcode.TRANSFER))


def with_links(chip: Chip, program: Program) -> Demands:
    """The Program's demands, and those of its transfers on links."""
    shape, o = program.commands.shape, program.operands
    return with_links_of(chip, program.shapes, shape, (o.start, o.memory), program.demands)


def with_links_of(
    chip: Chip, shapes: Shapes, shape: Ints, operands: tuple[Ints, Ints], held: Demands
) -> Demands:
    """Demands of rows, and for each transfer the bytes asked for on every port of a link on its way: once for several
    targets where the link takes one transfer to several. shape: of each row. operands: where those of each row
    begin, and the memory of each. held: demands on memories' ports."""
    if not chip.links:
        return held
    start, memory = operands
    rows = np.flatnonzero(np.isin(shapes.opcode[shape], MOVES))
    size, many_of = shapes.extents[shape, 0], np.diff(start)
    columns = [(np.repeat(np.arange(len(shape)), np.diff(held.start)), held.port, held.bytes)]
    for count in np.unique(many_of[rows]).tolist():
        mine = rows[many_of[rows] == count]
        places = memory[start[mine][:, None] + np.arange(count)]
        first, which = _distinct(places)
        ways = [_ports(chip, places[at].tolist()) for at in first.tolist()]
        many = np.array([len(way) for way in ways], np.int64)
        begin = np.cumsum(many) - many
        flat = np.array([pair for way in ways for pair in way], np.int64).reshape(-1, 2)
        each = many[which]
        within = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        port, times = flat[np.repeat(begin[which], each) + within].T
        owner = np.repeat(mine, each)
        columns.append((owner, port, times * size[owner]))
    owner, port, moved = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.argsort(owner, kind="stable")
    begins = np.zeros(len(held.start), np.int64)
    np.cumsum(np.bincount(owner, minlength=len(begins) - 1), out=begins[1:])
    return Demands(begins, port[order], moved[order])


def may_move(chip: Chip) -> NDArray[np.bool_]:
    """(units, ports) of its Programs: whether a unit may move something through a port of a link."""
    made = machine(chip)
    units = np.array([any(code in MOVES for code in unit.opcodes) for unit in made.units], np.bool_)
    stored = {memory.name for memory in made.memories}
    ports = [port.name.rpartition(".")[0] not in stored for port in made.ports]
    return np.asarray(units[:, None] & np.array(ports or [False], np.bool_), np.bool_)


def _distinct(places: Ints) -> tuple[Ints, Ints]:
    """The first of all equal rows, and which of these each row equals."""
    key = np.zeros(len(places), np.int64)
    first = key[:0]
    for column in places.T:
        wide = int(column.max(initial=0)) + 1
        _, first, key = np.unique(key * wide + column, return_index=True, return_inverse=True)
    return first, key


def _ports(chip: Chip, memories: Sequence[int]) -> list[tuple[int, int]]:
    """Ports of links that a transfer passes, by number, and how often. memories: where it comes from, then where it
    goes to, by number."""
    made = machine(chip)
    start, *ends = (_buffer(chip, made.memories[number].name) for number in memories)
    times = carried(chip.route(start, end) for end in ends if end != start)
    return [(made.port_index[port], count) for port, count in times.items()]


def _buffer(chip: Chip, memory: str) -> str:
    """The memory on the chip's graph that stands for one: itself, or beside an array's accumulators its output's."""
    if template_of(memory).split(".")[-1] != "accumulators":
        return memory
    number = all_of(chip, chip.array.name).index(memory.rpartition(".")[0])
    return beside(chip, chip.array.output, number)
