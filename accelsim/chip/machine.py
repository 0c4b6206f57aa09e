"""From a Chip to the static tables of its Programs: instances, queues, ports, memories, ticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import lcm

from accelsim.chip.chip import Chip
from accelsim.chip.routes import copies_in_core, graph, memory_instances
from accelsim.errors import InputError, Problem
from accelsim.program.opcodes import Arbiter
from accelsim.program.table import MemoryRow, PortRow, QueueRow, UnitRow
from accelsim.units.base import Instance, Memory, Unit, instance_names

FINEST_TICK_HZ = 10**15
COARSEST_TICK_HZ = 10**12


def tick_rate(clocks: Mapping[str, int]) -> int:
    """Ticks a second: a common multiple of all clocks, at least 1e12 so that a transfer's
    rounding stays below a picosecond; InputError when the clocks share none up to 1e15."""
    base = lcm(*clocks.values())
    if base > FINEST_TICK_HZ:
        listed = ", ".join(f"{name} {hz} Hz" for name, hz in clocks.items())
        raise InputError(
            Problem(
                "chip.clocks.base",
                f"the clocks ({listed}) have no common time base of 1 fs or coarser",
                "write frequencies as multiples of 1 MHz",
                path="clocks",
            )
        )
    return base * -(-COARSEST_TICK_HZ // base)


@dataclass(frozen=True, slots=True)
class Machine:
    """The static tables, and where to find things in them by name."""

    units: tuple[UnitRow, ...]
    unit_kinds: tuple[str, ...]
    queues: tuple[QueueRow, ...]
    ports: tuple[PortRow, ...]
    memories: tuple[MemoryRow, ...]
    tick_hz: int
    unit_index: Mapping[str, int]
    kind_index: Mapping[str, int]
    port_index: Mapping[str, int]
    memory_index: Mapping[str, int]


def copies(chip: Chip, memory: Memory) -> int:
    """Instances of a memory: one in each instance of its core, or one for each instance of what multiplies there."""
    return chip.standing(memory.name) * copies_in_core(chip, memory.name)


def all_of(chip: Chip, name: str) -> tuple[str, ...]:
    """Names of all instances of a unit or a memory of the chip, core after core."""
    key = ("all", name)
    if key not in chip.memo:
        if name in chip.memories:
            chip.memo[key] = memory_instances(chip, name)
        else:
            count, every = chip.units[name].count, chip.instances(name)
            chip.memo[key] = tuple(made for one in every for made in instance_names(one, count))
    found: tuple[str, ...] = chip.memo[key]
    return found


def memory_of(chip: Chip, instance: str) -> str:
    """The memory of the chip of which an instance is named, "" for none."""
    if "memory_of" not in chip.memo:
        chip.memo["memory_of"] = {one: name for name in chip.memories for one in all_of(chip, name)}
    found: dict[str, str] = chip.memo["memory_of"]
    return found.get(instance, "")


def beside(chip: Chip, name: str, instance: int) -> str:
    """The instance of a unit or a memory that an instance of the MAC array, counted over all cores, works with; of a
    chip without one, the first."""
    names, array = all_of(chip, name), chip.mac_array
    return names[instance * len(names) // (array.count if array is not None else 1)]


def serving(chip: Chip, name: str) -> int:
    """Arrays in a row that one instance of a unit or a memory works with, at least 1."""
    array = chip.mac_array
    return max(1, (array.count if array is not None else 1) // len(all_of(chip, name)))


def _beat(chip: Chip, memory: Memory, ticks: int) -> tuple[int, int]:
    """As the memory's own, its problems with the chip's file."""
    try:
        return memory.beat(ticks, chip.clocks)
    except InputError as error:
        raise InputError(replace(each, file=chip.source) for each in error.problems) from None


def _made(chip: Chip, unit: Unit) -> Iterator[Instance]:
    """The units of a Program that one of the chip stands for, in every instance of its core. They share the kinds
    that their times are asked of."""
    for name in chip.instances(unit.name):
        if name == unit.name:
            yield from unit.instances()
            continue
        for made in replace(unit, name=name).instances():  # type: ignore[type-var]
            yield replace(made, kind=unit.name + made.kind.removeprefix(name))


def _link_ports(chip: Chip, ticks: int) -> Iterator[PortRow]:
    """A port for every directed link."""
    for joint in graph(chip).joints if chip.links else ():
        link = joint.link
        beat, arbiter = ticks // chip.clocks[link.clock], int(Arbiter[link.arbiter.upper()])
        for label in link.ports(joint.shape):
            yield PortRow(
                f"{joint.name}.{label}", link.bytes_per_cycle, beat, link.quantum, arbiter
            )


def build_machine(chip: Chip) -> Machine:
    """The static Program tables of a chip."""
    ticks = tick_rate(chip.clocks)
    kinds: list[str] = []
    units: list[UnitRow] = []
    memories: list[MemoryRow] = []
    ports: list[PortRow] = []
    for unit in chip.units.values():
        period = ticks // chip.clocks[unit.clock]
        for made in _made(chip, unit):
            if made.kind not in kinds:
                kinds.append(made.kind)
            number, codes = kinds.index(made.kind), tuple(int(code) for code in made.opcodes)
            units.append(UnitRow(made.name, number, period, codes, priority=len(units)))
            memories.extend(MemoryRow(name, size) for name, size in made.memories)
    for spec in chip.memories.values():
        width, beat = _beat(chip, spec, ticks)
        arbiter = int(Arbiter[spec.arbiter.upper()])
        for name in memory_instances(chip, spec.name):
            memories.append(MemoryRow(name, spec.size))
            ports.extend(
                PortRow(f"{name}.{side}", width, beat, spec.quantum, arbiter) for side in spec.sides
            )
    ports.extend(_link_ports(chip, ticks))
    queues = tuple(QueueRow(row.name, row.priority) for row in units)
    return Machine(
        tuple(units),
        tuple(kinds),
        queues,
        tuple(ports),
        tuple(memories),
        ticks,
        {row.name: i for i, row in enumerate(units)},
        {name: i for i, name in enumerate(kinds)},
        {row.name: i for i, row in enumerate(ports)},
        {row.name: i for i, row in enumerate(memories)},
    )


def machine(chip: Chip) -> Machine:
    """build_machine, computed once a Chip."""
    if "machine" not in chip.memo:
        chip.memo["machine"] = build_machine(chip)
    found: Machine = chip.memo["machine"]
    return found
