"""Random chips and networks with tensors at home on chip, and what a run did with their memories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.mapping import Plan, plan
from accelsim.mapping.homes import SHARES, homes_of
from accelsim.program.dependencies import roots_of
from accelsim.program.opcodes import Access
from accelsim.program.table import Program
from accelsim.timing import Timeline
from accelsim.units.sram import Sram
from accelsim.workload import Workload
from tests.mapping.test_counted import random_case

TIMES = ("issue", "release", "end")


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
