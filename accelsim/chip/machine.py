"""From a Chip to the static tables of its Programs: instances, queues, ports, memories, ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, lcm

from accelsim.chip.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.program.opcodes import Arbiter, Opcode
from accelsim.program.table import MemoryRow, PortRow, QueueRow, UnitRow
from accelsim.units.crossbar import Crossbar
from accelsim.units.dram import Dram
from accelsim.units.mac_array import MacArray
from accelsim.units.sram import Sram

FINEST_TICK_HZ = 10**15
COARSEST_TICK_HZ = 10**12
LONGEST_BEAT = 1 << 53  # ticks of one burst


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

    def read_port(self, memory: str) -> int:
        """Port row that reads of this memory instance go through, -1 when it has none."""
        return self.port_index.get(f"{memory}.read", self.port_index.get(f"{memory}.port", -1))

    def write_port(self, memory: str) -> int:
        """Port row that writes of this memory instance go through, -1 when it has none."""
        return self.port_index.get(f"{memory}.write", self.port_index.get(f"{memory}.port", -1))


@lru_cache(maxsize=256)
def instance_names(name: str, count: int) -> tuple[str, ...]:
    """ "array" for one, "array.0", "array.1", ... for several."""
    return (name,) if count == 1 else tuple(f"{name}.{i}" for i in range(count))


def memory_of(chip: Chip, memory: str, instance: int) -> str:
    """Name of the memory instance that array instance ``instance`` uses."""
    spec = chip.memories[memory]
    if isinstance(spec, Sram) and spec.scope == "private":
        return instance_names(memory, chip.core.count)[instance]
    return memory


def build_machine(chip: Chip) -> Machine:
    """The static Program tables of a chip."""
    ticks = tick_rate(chip.clocks)
    kinds: list[str] = []
    units: list[UnitRow] = []
    memories: list[MemoryRow] = []
    ports: list[PortRow] = []

    def add_unit(name: str, kind: str, clock: str, opcodes: tuple[Opcode, ...]) -> None:
        add_units((name,), kind, clock, opcodes)

    def add_units(
        names: tuple[str, ...], kind: str, clock: str, opcodes: tuple[Opcode, ...]
    ) -> None:
        if kind not in kinds:
            kinds.append(kind)
        codes, number = tuple(int(code) for code in opcodes), kinds.index(kind)
        period = ticks // chip.clocks[clock]
        units.extend(
            UnitRow(name, number, period, codes, priority=priority)
            for priority, name in enumerate(names, len(units))
        )

    for unit in chip.units.values():
        if isinstance(unit, MacArray):
            for name in instance_names(unit.name, unit.count):
                add_unit(name, unit.name, unit.clock, (Opcode.MATMUL,))
                add_unit(f"{name}.preload", f"{unit.name}.preload", unit.clock, (Opcode.PRELOAD,))
                memories.append(MemoryRow(f"{name}.registers", unit.register_bytes))
                if unit.accumulator.location == "column":
                    memories.append(MemoryRow(f"{name}.accumulators", unit.accumulator_bytes))
        elif isinstance(unit, Crossbar):
            names, size = instance_names(unit.name, unit.count), unit.cell_bytes
            add_units(names, unit.name, unit.clock, unit.opcodes)
            memories.extend(MemoryRow(f"{name}.cells", size) for name in names)
        elif unit.kind == "dma":
            for channel in ("input", "weight", "output"):
                add_unit(f"{unit.name}.{channel}", unit.name, unit.clock, unit.opcodes)
        else:
            for name in instance_names(unit.name, unit.count):
                add_unit(name, unit.name, unit.clock, unit.opcodes)

    for spec in chip.memories.values():
        arbiter = int(Arbiter[spec.arbiter.upper()])
        if isinstance(spec, Dram):
            rate = spec.bandwidth * spec.efficiency
            beat = ceil(spec.burst / rate * ticks - 1e-6)
            if beat > LONGEST_BEAT:
                raise InputError(
                    Problem(
                        "chip.beat",
                        f"a burst of {spec.burst} B at {rate:g} B/s takes {spec.burst / rate:.3g} s, "
                        f"more than {LONGEST_BEAT} ticks of {ticks:g} Hz",
                        "raise the bandwidth or lower the burst",
                        f"memories.{spec.name}.bandwidth",
                        chip.source,
                    )
                )
            ports.append(PortRow(f"{spec.name}.port", spec.burst, beat, spec.quantum, arbiter))
            memories.append(MemoryRow(spec.name, spec.size))
            continue
        beat = ticks // chip.clocks[spec.clock]
        copies = chip.core.count if spec.scope == "private" else 1
        for name in instance_names(spec.name, copies):
            memories.append(MemoryRow(name, spec.size))
            sides = ("read", "write") if spec.ports == "separate" else ("port",)
            ports.extend(
                PortRow(f"{name}.{side}", spec.bytes_per_cycle, beat, spec.quantum, arbiter)
                for side in sides
            )
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
