"""Where the tensors between operators stood in a run, and what that saved off chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from accelsim.chip.machine import memory_of
from accelsim.explore.planned import TABLE, Planned
from accelsim.mapping.lifetimes import roots
from accelsim.program.dependencies import roots_of
from accelsim.program.opcodes import Access
from accelsim.results.result import Result
from accelsim.workload import VectorOperator


@dataclass(frozen=True, slots=True)
class Stood:
    """A tensor between two operators, or weights that stayed, and the memory in which it was at home. size: its bytes
    there, of a group of images where the batch runs in groups. filled, read: bytes written there, and read there by
    copies and by units, of all groups. saved: bytes that would have passed the off-chip memory, were it at home there
    and fetched once by each operator that reads it; 0 where it was. Of weights: were they fetched each time."""

    tensor: str
    memory: str
    size: int
    filled: int
    read: int
    saved: int


def is_listed(result: Result) -> bool:
    """Whether the table of all of a run's commands was made."""
    planned = result.planned
    return isinstance(planned, Planned) and planned.form == TABLE and planned.layers is None


def stood(result: Result) -> list[Stood]:
    """Every tensor between two operators of a run with homes on chip, in the order in which they are written, then
    the weights that stayed on chip once they were fetched; none of a run without. It reads the table of all
    commands; InputError where that is not there and would not fit."""
    homes, workload = result.plan.homes.at, result.workload
    if not result.plan.homes.any_on_chip:
        return []
    program = result.program
    o, root = program.operands, roots_of(program.tensors)
    owner = np.repeat(program.commands.operator, np.diff(o.start))
    memories = {memory.name: number for number, memory in enumerate(program.memories)}
    far, names = result.chip.far, roots(workload)
    number = {program.tensors[row].name: row for row in np.unique(root).tolist()}
    found = []
    for name in dict.fromkeys(names[op.output] for op in workload.operators):
        if name not in number or any(
            workload.tensors[other].role != "intermediate" and names[other] == name
            for other in names
        ):
            continue
        home = homes.get(name)
        mine = root[o.tensor] == number[name]
        mine &= o.memory == memories[far if home is None else home.memory]
        if home is not None:
            mine &= (o.address >= home.address) & (o.address < home.address + home.span)
        written = mine & (o.access != Access.READ)
        read = mine & (o.access != Access.WRITE)
        filled, readers = int(o.bytes[written].sum()), len(np.unique(owner[read]))
        size = home.span if home is not None else filled
        saved = 0 if home is None else size * (1 + readers) * result.plan.turns(workload)
        place = far if home is None else home.memory
        found.append(Stood(name, place, size, filled, int(o.bytes[read].sum()), saved))
    return [*found, *_kept(result)]


def _kept(result: Result) -> Iterator[Stood]:
    """Weights that stayed on chip: what was read there would have come from off chip."""
    program, workload, rooms = result.program, result.workload, result.plan.homes.rooms
    o, root = program.operands, roots_of(program.tensors)
    memories = {memory.name: number for number, memory in enumerate(program.memories)}
    seen = set[str]()
    for op in workload.operators:
        kept = rooms[op.name].kept if op.name in rooms else None
        if kept is None or isinstance(op, VectorOperator) or op.weight in seen:
            continue
        seen.add(op.weight)
        mine = np.array([row.name == op.weight for row in program.tensors])[root[o.tensor]]
        mine &= (o.memory == memories[kept.memory]) & (o.address >= kept.address)
        mine &= o.address < kept.address + kept.span
        filled, read = (
            int(o.bytes[mine & (o.access == access)].sum())
            for access in (Access.WRITE, Access.READ)
        )
        yield Stood(op.weight, kept.memory, kept.span, filled, read, read)


def in_words(result: Result) -> list[str]:
    """A line a memory in which tensors were at home."""
    if result.plan.homes.any_on_chip and not is_listed(result):
        return [
            "where tensors between operators stood is not listed: explain reads the table of all commands"
        ]
    found, lines = stood(result), []
    memories = [memory_of(result.chip, one.memory) for one in found]
    for memory in dict.fromkeys(memories):
        mine = [one for one, its in zip(found, memories, strict=True) if its == memory]
        size, filled, read, saved = (
            sum(getattr(one, key) for one in mine) / 1024
            for key in ("size", "filled", "read", "saved")
        )
        less = f"; {saved:,.1f} KiB less off chip" if saved else ""
        lines.append(
            f"at home in {memory}: {len(mine)} tensors of {size:,.1f} KiB in all, "
            f"{filled:,.1f} KiB written, {read:,.1f} KiB read there{less}"
        )
    return lines
