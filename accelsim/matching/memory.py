"""A chip with another chip's memories: buffers, their ports and banks, off-chip bandwidth, and
where weights are.

Buffers go by what the multiplying units use them for: input, output, weights. A chip that keeps its
weights in cells has no weight buffer to give: the other's own grows until it holds the network, in
as many banks as the given chip's buffer with the most, so that it may be read as much at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from accelsim.chip import Chip
from accelsim.chip.routes import chain
from accelsim.constants.rows import table
from accelsim.mapping.compile import resident_bytes
from accelsim.units.base import Unit
from accelsim.units.sram import Sram
from accelsim.workload import Workload

ROLES = ("input", "output", "weight")
MOST_BANKS = 4096  # that a chip file may write


def with_memories(chip: Chip, model: Chip, workload: Workload) -> Chip:
    """The chip with the model's memories and its ``weights``. Clocks stay: a buffer of another chip
    runs with the clock of the buffer that it stands for."""
    given = _roles(model)
    own = _roles(chip)
    names = _names(own, given)
    buffers: dict[str, Sram] = {}
    for role, name in names.items():
        if role in given:
            buffers[name] = _given(chip, own[role], model, given[role], name)
        else:
            buffers[name] = dataclasses.replace(_buffer(chip, own[role]), name=name, behind="")
    renamed = {given[role]: name for role, name in names.items() if role in given}
    buffers |= _levels(chip, own, model, renamed, buffers)
    dram = dataclasses.replace(model.dram, name=chip.dram.name)
    kept = {
        name: memory
        for name, memory in chip.memories.items()
        if name not in {*own.values(), *_behind(chip, own.values()), *buffers, dram.name}
    }
    gone = {*own.values(), *_behind(chip, own.values())} - set(buffers)
    technology = dataclasses.replace(
        chip.technology,
        constants=tuple(
            constant
            for constant in chip.technology.constants
            if constant.key.partition("/")[0] not in gone
        ),
    )
    made = dataclasses.replace(
        chip,
        memories={dram.name: dram, **buffers, **kept},
        units=_wired(chip, own, names),
        technology=technology,
        weights=model.weights,
    )
    if "weight" in names and "weight" not in given:
        most = max(memory.banks for memory in model.memories.values() if isinstance(memory, Sram))
        made = holding(made, workload, most)
    return made


def _behind(chip: Chip, buffers: Iterable[str]) -> list[str]:
    """Memories on the chip behind its buffers that are none themselves, nearer ones first."""
    given = list(buffers)
    every = [name for buffer in given for name in chain(chip, buffer)[1:] if name not in given]
    return [name for name in dict.fromkeys(every) if chip.memories[name].part != "dram"]


def _levels(
    chip: Chip, own: dict[str, str], model: Chip, renamed: dict[str, str], buffers: dict[str, Sram]
) -> dict[str, Sram]:
    """The memories behind the model's buffers, with the clock of the chip's, under names that are free; and the given
    buffers before them. renamed: the model's buffers to theirs here."""
    clock = _buffer(chip, next(iter(own.values()))).clock
    mine = {*own.values(), *_behind(chip, own.values())}
    taken, names = {*buffers, *(set(chip.memories) - mine)}, dict(renamed)
    for name in _behind(model, renamed):
        free = name
        while free in taken:
            free += "_"
        names[name] = free
        taken.add(free)
    found = {
        names[name]: dataclasses.replace(_buffer(model, name), name=names[name], clock=clock)
        for name in names
        if name not in renamed
    }
    return {
        name: dataclasses.replace(one, behind=names.get(one.behind, ""))
        for name, one in (found | buffers).items()
    }


def holding(chip: Chip, workload: Workload, banks: int = 1) -> Chip:
    """The chip with a weight buffer of the smallest power of two that holds the network's weights,
    in at least so many banks; as it is where its own holds them."""
    name, buffer = chip.array.weight, _buffer(chip, chip.array.weight)
    need = weight_bytes(chip, workload)
    if need <= buffer.size:
        return chip
    size = 1 << (need - 1).bit_length()
    banks = max(banks, buffer.banks)
    largest = max(row["size_bytes"] for row in table("cacti_sram")["rows"])
    while size / banks > largest and banks < MOST_BANKS:
        banks *= 2
    grown = dataclasses.replace(buffer, size=size, banks=min(banks, MOST_BANKS))
    return dataclasses.replace(chip, memories={**chip.memories, name: grown})


def weight_bytes(chip: Chip, workload: Workload) -> int:
    """Bytes of all stored weights in the chip's weight buffer, whether it holds them or not."""
    array = chip.mac_array
    if array is None:
        return 0
    room = dataclasses.replace(_buffer(chip, array.weight), size=1 << 62)
    return resident_bytes(
        dataclasses.replace(chip, memories={**chip.memories, array.weight: room}), workload
    )


def _buffer(chip: Chip, name: str) -> Sram:
    found = chip.memories[name]
    assert isinstance(found, Sram), f"{name} is no buffer"
    return found


def _roles(chip: Chip) -> dict[str, str]:
    """The buffer of each role of what multiplies; a chip that keeps weights in cells has none for
    weights."""
    core = chip.core
    return {role: str(getattr(core, role)) for role in ROLES if hasattr(core, role)}


def _names(own: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """The name of each role's new buffer: roles that share one in the model share it here, under
    the name of the chip's own buffer for the first of them."""
    names: dict[str, str] = {}
    of: dict[str, str] = {}  # the model's buffer -> the new name
    for role in own:
        source = given.get(role, f"({role})")
        if source not in of:
            free = [
                name
                for name in (own[role], source.strip("()"), f"{role}_buffer", f"{role}_only")
                if name not in of.values()
            ]
            of[source] = free[0]
        names[role] = of[source]
    return names


def _given(chip: Chip, own: str, model: Chip, source: str, name: str) -> Sram:
    """The model's buffer for this chip: private copies for another number of units become one
    shared buffer of as many bytes and banks."""
    buffer = _buffer(model, source)
    copies = model.core.count
    if buffer.scope == "private" and copies != chip.core.count:
        buffer = dataclasses.replace(
            buffer,
            size=buffer.size * copies,
            scope="shared",
            banks=min(MOST_BANKS, buffer.banks * copies),
        )
    return dataclasses.replace(buffer, name=name, clock=_buffer(chip, own).clock)


def _wired(chip: Chip, own: dict[str, str], names: dict[str, str]) -> dict[str, Unit]:
    """The units with the new buffers' names: by the old buffer where it had one role, else by the
    key."""
    roles: dict[str, list[str]] = {}
    for role, name in own.items():
        roles.setdefault(name, []).append(role)
    units: dict[str, Unit] = {}
    for unit_name, unit in chip.units.items():
        keys = {}
        for role in ROLES:
            old = getattr(unit, role, None)
            if isinstance(old, str) and old in roles:
                serves = roles[old]
                keys[role] = names[serves[0] if len(serves) == 1 or role not in serves else role]
        own_clock = dict.fromkeys(unit.given, 0)
        units[unit_name] = dataclasses.replace(unit, **keys, **own_clock) if keys else unit  # type: ignore[type-var]
    return units


__all__ = ["holding", "weight_bytes", "with_memories"]
