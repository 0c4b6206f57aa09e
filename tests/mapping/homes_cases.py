"""Random chips and networks with tensors at home on chip, and what a run did with their memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.mapping import Plan, plan
from accelsim.mapping.homes import SHARES, homes_of
from accelsim.numerics.lowering import raise_output
from accelsim.program.dependencies import inside_homes, roots_of
from accelsim.program.opcodes import Access
from accelsim.program.table import Operands, Program, TensorRow
from accelsim.timing import Timeline
from accelsim.units.sram import Sram
from accelsim.workload import Operator, VectorOperator, Workload
from tests.mapping.random_cases import random_cores
from tests.mapping.random_networks import random_network
from tests.mapping.test_counted import random_case

TIMES = ("issue", "release", "end")
NEVER = np.iinfo(np.int64).max


def with_l2(chip: Chip, size: int, banks: int = 16) -> Chip:
    """The chip with one memory behind all its buffers, eight bytes a cycle and bank."""
    clock = next(iter(chip.clocks))
    buffers = {
        name: replace(memory, behind="l2") if isinstance(memory, Sram) else memory
        for name, memory in chip.memories.items()
    }
    return replace(chip, memories={**buffers, "l2": Sram("l2", size, clock, banks)})


def random_network_case(rng: np.random.Generator) -> tuple[Chip, Workload, Plan]:
    """A chip, with a memory behind its buffers or without, and a network as planned off chip."""
    while True:
        case = random_case(rng)
        if case is None or len(case[1].operators) < 2:
            continue
        chip, work, far = case
        if rng.random() < 0.4:
            size, banks = int(rng.choice([512, 2048, 8192, 65536])), int(rng.choice([1, 4]))
            chip = with_l2(chip, size, banks)
        return chip, work, far


def random_homes(rng: np.random.Generator) -> tuple[Chip, Workload, Plan]:
    """A network with tensors at home on chip, whether or not that pays."""
    while True:
        chip, work, far = random_network_case(rng)
        found = homes_of(chip, work, far.formats, far.on, {}, (float(rng.choice(SHARES)), True))
        if not found.at:
            continue
        try:
            return chip, work, plan(chip, work, None, found)
        except InputError:  # no room is left for tiles
            continue


def random_homes_of_cores(rng: np.random.Generator) -> tuple[Chip, Workload, Plan]:
    """A network with tensors at home in one memory behind the buffers of several cores, or in such buffers."""
    while True:
        chip = random_cores(rng)
        if rng.random() < 0.5:
            size, banks = int(rng.choice([512, 2048, 8192, 65536])), int(rng.choice([1, 4]))
            links = {
                name: replace(link, nodes=("core", "l2")) if rng.random() < 0.5 else link
                for name, link in chip.links.items()
            }
            chip = replace(with_l2(chip, size, banks), links=links)
        work = random_network(rng)
        try:
            far = plan(chip, work)
            found = homes_of(chip, work, far.formats, limits=(float(rng.choice(SHARES)), True))
            if found.at:
                return chip, work, plan(chip, work, None, found)
        except InputError:
            continue


def spread(chip: Chip, chosen: Plan) -> int:
    """Tensors at home in a memory that stands in each of several cores."""
    return sum(stand.memory not in chip.memories for stand in chosen.homes.at.values())


def watch_memories(program: Program, timeline: Timeline) -> dict[str, int]:
    """Every byte of every memory on chip, command by command, with the ticks of a run: bytes lie inside their memory,
    hold what is read, and hold one tensor at a time, of one group of images: another one is written when the readers
    of the one before have let go of it and its writers have ended. So what lies in a memory at any tick is never
    more than it has. How many bytes of each were ever written."""
    o, root = program.operands, roots_of(program.tensors)
    many = len(root)
    alike = {n for n, row in enumerate(program.tensors) if row.role in ("weight", "bias")}
    sizes = {number: row.bytes for number, row in enumerate(program.memories) if row.name != "dram"}
    holder, ended, free = (
        {number: np.full(size, fill, np.int64) for number, size in sizes.items()}
        for fill in (-1, 0, 0)
    )
    for resident in program.residents:
        if resident.at_start and resident.memory in sizes:
            low = resident.address
            holder[resident.memory][low : low + resident.span] = root[resident.tensor]
    start = o.start.tolist()
    for row in range(len(program)):
        entries = [e for e in range(start[row], start[row + 1]) if int(o.memory[e]) in sizes]
        issue, release, end = (int(getattr(timeline, name)[row]) for name in TIMES)
        for e in sorted(entries, key=lambda e: int(o.access[e]) != Access.READ):
            memory, low, span = int(o.memory[e]), int(o.address[e]), int(o.span[e])
            assert low >= 0 and low + span <= sizes[memory]
            here, own = slice(low, low + span), int(root[o.tensor[e]])
            if own not in alike:
                own += many * int(program.commands.request[row])
            if o.access[e] != Access.WRITE:
                assert (holder[memory][here] == own).all(), (row, program.memories[memory].name)
                np.maximum(free[memory][here], release, out=free[memory][here])
            if o.access[e] != Access.READ:
                other = holder[memory][here] != own
                assert (free[memory][here][other] <= issue).all(), row
                assert (ended[memory][here][other] <= issue).all(), row
                holder[memory][here] = own
                ended[memory][here] = np.maximum(ended[memory][here], end)
    return {
        program.memories[memory].name: int((bytes_ >= 0).sum()) for memory, bytes_ in holder.items()
    }


def watch_elements(program: Program, work: Workload, timeline: Timeline) -> int:
    """Every element of every tensor at home on chip, at its own bytes and by the ticks of a run; dependencies know
    only which bytes stand for a region. What is read has been written, what is written over has been let go of. How
    many operands were a part of their tensor."""
    c, o, root = program.commands, program.operands, roots_of(program.tensors)
    inside, turns = inside_homes(program), int(c.request.max(initial=0)) + 1
    operators = {op.name: op for op in work.operators}
    homes = {root[one.tensor]: one for one in program.residents if not one.at_end}
    written, bits = {}, {}
    for own in homes:
        row = program.tensors[own]
        written[own] = np.full(int(np.prod(row.shape)), NEVER)
        bits[own] = get(row.format).bits
    holder = {one.memory: np.full(program.memories[one.memory].bytes, -1) for one in homes.values()}
    free = {memory: np.zeros(len(held), np.int64) for memory, held in holder.items()}
    numbers: dict[int, NDArray[np.int64]] = {}
    parts = 0
    owner = np.repeat(np.arange(len(program)), np.diff(o.start))
    for e in np.flatnonzero(inside).tolist():
        row = int(owner[e])
        tensor, own, turn = int(o.tensor[e]), int(root[o.tensor[e]]), int(c.request[row])
        home, size = homes[own], len(written[own]) // turns
        elements = np.arange(turn * size, (turn + 1) * size)
        is_read, whole = o.access[e] == Access.READ, o.span[e] == homes[own].span
        if not (is_read and whole):
            if tensor not in numbers:
                numbers[tensor] = numbers_of(operators, program, program.tensors[tensor])
            elements = numbers[tensor][region(o, e)].ravel()
            parts += 1
        first = home.address + (elements - turn * size) * bits[own] // 8
        held, let_go = holder[home.memory], free[home.memory]
        for bytes_ in (first, first + (bits[own] - 1) // 8):
            if is_read:
                assert (written[own][elements] <= timeline.issue[row]).all(), row
                let_go[bytes_] = np.maximum(let_go[bytes_], timeline.release[row])
            else:
                other = held[bytes_] != own
                assert (let_go[bytes_][other] <= timeline.issue[row]).all(), row
                held[bytes_], written[own][elements] = own, timeline.end[row]
    assert all((ticks < NEVER).all() for ticks in written.values())
    return parts


def numbers_of(
    operators: Mapping[str, Operator], program: Program, view: TensorRow
) -> NDArray[np.int64]:
    """Of every place of a tensor, as an operator sees it, the number of its element."""
    found = np.arange(int(np.prod(view.shape)), dtype=np.int64)
    if view.view == "matrix":
        op = operators[program.operators[view.operator]]
        assert not isinstance(op, VectorOperator)
        matrix = found.reshape(op.groups, op.m, op.n)
        found = np.empty_like(found)
        found[raise_output(op, matrix).ravel()] = np.arange(len(found))
        return found.reshape(op.groups, op.m, op.n, 1)
    shape = view.shape if len(view.shape) <= 4 else (-1, *view.shape[-3:])
    return found.reshape((*shape, 1, 1, 1, 1)[:4])


def region(o: Operands, entry: int) -> tuple[slice, ...]:
    """The part of a tensor that an operand names."""
    ends = zip(o.offset[entry], o.extent[entry], strict=True)
    return tuple(slice(int(low), int(low + size)) for low, size in ends)
