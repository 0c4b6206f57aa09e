"""Small chips of several cores, and the same few commands on them, request after request."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import yaml

from accelsim.chip import Chip, machine
from accelsim.mapping.links import with_links
from accelsim.program.builder import Part, ProgramBuilder
from accelsim.program.hazards import derived
from accelsim.program.opcodes import Opcode
from accelsim.program.requests import Slots, in_requests
from accelsim.program.table import Program
from tests.chip.graphs import read

SLOTS = 4  # of every buffer that a request writes
TEXT = """\
name: small
technology: {{node: 22 nm, voltage: 0.8 V, family: horowitz_45nm}}
clocks: {{core: 1 GHz}}
memories:
  dram: {{kind: dram, standard: lpddr4, bandwidth: 16 GB/s}}
  l2: {{kind: sram, clock: core, size: 1 MiB, banks: 8, width: 8 B, behind: dram}}
cores:
  core:
    {count}
    memories:
      l1: {{kind: sram, clock: core, size: 64 KiB, banks: 8, width: {near} B, behind: l2}}
    units:
      array: {{kind: mac_array, clock: core, rows: 4, columns: 4, input: l1, weight: l1, output: l1,
              rates: [{{input: int8, weight: int8}}]}}
      vector: {{kind: vector_unit, clock: core, lanes: 16, latency: 4, input: l1, output: l1}}
      dma: {{kind: dma, clock: core, setup: {setup}, memory: dram}}
links:
  net: {{kind: {kind}, nodes: [core, l2], clock: core, width: {wide} B, hop: {hop}{more}}}
"""


@lru_cache(maxsize=64)
def system(
    kind: str, cores: int, hop: int, more: str = "", setup: int = 0, near: int = 8, wide: int = 8
) -> Chip:
    """Cores with an L1 and a DMA engine each on one link with an L2, the last station. near: bytes a cycle of each
    of L1's eight banks. wide: of the link."""
    grid = kind in ("mesh", "torus")
    count = f"grid: [1, {cores}]" if grid else f"count: {cores}"
    more = (", places: {l2: [0, 0]}" if grid else "") + more
    text = TEXT.format(
        kind=kind, hop=hop, setup=setup, near=near, wide=wide, count=count, more=more
    )
    return read(yaml.safe_load(text))


class Small:
    """One request's commands on such a chip."""

    def __init__(self, chip: Chip) -> None:
        self.chip, tables = chip, machine(chip)
        b = ProgramBuilder(tables.tick_hz, units=list(tables.units), kinds=list(tables.unit_kinds))
        b.queues, b.ports, b.memories = (
            list(tables.queues),
            list(tables.ports),
            list(tables.memories),
        )
        self.b, self.tables = b, tables
        self.free = dict.fromkeys(tables.memory_index, 0)
        self.places: dict[tuple[int, str], int] = {}
        self.given: set[tuple[int, int]] = set()

    def unit(self, core: int, name: str) -> int:
        """Row of a unit of the core of that number."""
        return self.tables.unit_index[f"{self.core(core)}.{name}"]

    def core(self, number: int) -> str:
        """Its name."""
        return [name for name in self.chip.cores if name][number]

    def l1(self, number: int) -> str:
        """Of the core of that number."""
        return f"{self.core(number)}.l1"

    def given_at(self, memory: str, size: int) -> int:
        """A tensor of so many bytes that stands there from the start."""
        tensor = self.b.tensor(f"t{len(self.b.tensors)}", (size,), role="input")
        self.given.add((tensor, self.tables.memory_index[memory]))
        self.b.resident(self._part(tensor, memory))
        return tensor

    def move(
        self, core: int, tensor: int, start: str, ends: list[str], lead: int, channel: str = "input"
    ) -> None:
        """A transfer by a core's DMA engine. lead: cycles of its head on the links."""
        size = self.b.tensors[tensor].shape[0]
        self.b.command(
            self.unit(core, f"dma.{channel}"),
            Opcode.TRANSFER,
            extents=(size, 1, max(0, lead - 1)),
            operator=self._operator(),
            reads=[self._part(tensor, start)],
            writes=[self._part(tensor, end) for end in ends],
        )

    def work(self, core: int, tensors: list[int], cycles: int) -> int:
        """Tensors of one size in a core's L1, made one by its vector unit, which is busy so many cycles."""
        size, l1 = self.b.tensors[tensors[0]].shape[0], self.l1(core)
        operator = self._operator()
        made = self.b.tensor(f"t{len(self.b.tensors)}", (size,), operator=operator)
        self.b.command(
            self.unit(core, "vector"),
            Opcode.VECTOR,
            extents=(size, 16 * cycles),
            operator=operator,
            reads=[self._part(tensor, l1) for tensor in tensors],
            writes=[self._part(made, l1)],
        )
        return made

    def program(self, requests: int = 1) -> Program:
        """So many requests, with SLOTS of everything that one makes."""
        one = self.b.build()
        places = zip(one.operands.tensor.tolist(), one.operands.memory.tolist(), strict=True)
        turns = np.array([1 if place in self.given else SLOTS for place in places])
        size = np.where(turns > 1, one.operands.span, 0)
        made = in_requests(one, requests, Slots(np.zeros_like(turns), turns, size))
        made = derived(made, np.zeros(len(made), np.int64))
        return replace(made, demands=with_links(self.chip, made))

    def _operator(self) -> int:
        return self.b.operator(f"op{len(self.b.operators)}")

    def _part(self, tensor: int, memory: str) -> Part:
        size = self.b.tensors[tensor].shape[0]
        if (tensor, memory) not in self.places:
            self.places[tensor, memory] = self.free[memory]
            self.free[memory] += SLOTS * size
        return Part(tensor, self.tables.memory_index[memory], self.places[tensor, memory])
