"""An operator on crossbars: commands in columns.

PROGRAM of every block where weights are not resident; then, for each job (a run of vectors of one
group, or of a pack of groups that share a crossbar), LOAD input, one MVM a block of its replica,
ACCUMULATE over row blocks, REQUANTIZE, STORE.
Operands of an MVM: input, weights in the cells, partial sums, each of all groups of the pack.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine
from accelsim.chip.machine import instance_names
from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.assemble import Assembler, Entry, Exit, Segment
from accelsim.mapping.crossbars import CrossbarMapping, blocks_of, needs
from accelsim.mapping.mapping import Geometry, sum_format
from accelsim.mapping.shapes import ShapeRows
from accelsim.mapping.tiles import box_bytes, k_tiles, m_tiles, packed_bytes, starts
from accelsim.program.opcodes import Access, Edge, Flag, Opcode

Ints = NDArray[np.int64]
INPUT, LOWERED, WEIGHT, WEIGHT_MATRIX, OUTPUT, OUTPUT_MATRIX, SUMS = range(7)
Place = tuple[int, Ints | int, Ints | int]
Region = tuple[tuple[Ints | int, Ints | int], ...]
WHOLE_SUM = int(Flag.FIRST_K | Flag.LAST_K)


class MvmEmitter:
    """Builds the Segment of one operator; see the module's note."""

    def __init__(
        self,
        chip: Chip,
        machine: Machine,
        geometry: Geometry,
        mapping: CrossbarMapping,
        formats: tuple[str, str, str],
        parity: int,
        cold: bool,
    ) -> None:
        assert chip.crossbar is not None
        self.chip, self.machine, self.geometry, self.mapping = chip, machine, geometry, mapping
        self.unit, self.formats = chip.crossbar, formats
        self.cold = cold or mapping.reprogrammed
        self.m = m_tiles(geometry, mapping.batch, mapping.height, mapping.width)
        self.k0, self.k = starts(geometry.k, self.unit.rows)
        self.n0, self.n = starts(geometry.n, self.unit.outputs)
        self.rows_, self.columns_ = blocks_of(self.unit, geometry)
        self.sums = sum_format(self.unit)
        self._jobs()
        self._blocks()
        self._areas(parity)
        self._layout()

    def _jobs(self) -> None:
        """Jobs in order: runs of vectors, packs of groups inside; each on a replica."""
        self.group0, self.counts = starts(self.geometry.groups, self.mapping.pack)
        self.packs, tiles = len(self.group0), len(self.m.first)
        flat = np.arange(tiles * self.packs, dtype=np.int64)
        self.tile, self.pack = flat // self.packs, flat % self.packs
        self.group, self.count = self.group0[self.pack], self.counts[self.pack]
        self.replica = self.tile % self.mapping.replicas
        self.slot = flat % self.mapping.slots
        self.jobs = len(flat)
        self.size = self.m.size[self.tile]

    def _blocks(self) -> None:
        """Columns over the blocks of one job: row block, column block."""
        r, c = np.indices((self.rows_, self.columns_)).reshape(2, -1).astype(np.int64)
        self.block_r, self.block_c = r, c

    def _areas(self, parity: int) -> None:
        self.area: dict[str, tuple[str, int, int]] = {}  # memory, base, bytes of a slot
        used: dict[str, int] = {}
        for name, (memory, size, count) in needs(
            self.chip, self.geometry, self.formats, self.mapping
        ).items():
            below = used.get(memory, 0)
            used[memory] = below + size * count
            room = self.chip.memories[memory].size
            self.area[name] = (memory, below if parity == 0 else room - below - size * count, size)

    def _layout(self) -> None:
        """Row numbers of every command."""
        blocks = len(self.block_r)
        self.copies = self.mapping.replicas * self.packs * blocks
        self.programs = np.arange(self.copies if self.cold else 0, dtype=np.int64)
        adds = int(self.rows_ > 1)
        length = 1 + blocks + adds + 2
        base = len(self.programs) + length * np.arange(self.jobs, dtype=np.int64)
        self.load = base
        self.mvm = base[:, None] + 1 + np.arange(blocks)  # (jobs, blocks)
        self.add = base + 1 + blocks if adds else np.full(self.jobs, -1, np.int64)
        self.requantize, self.store = base + 1 + blocks + adds, base + 2 + blocks + adds
        self.total = len(self.programs) + length * self.jobs

    def emit(self) -> Segment:
        """The segment: commands, operands, edges, demands, and what it touches first and last."""
        assembler, shapes = Assembler(self.total), ShapeRows()
        self.entries: list[Entry] = []
        self.exits: list[Exit] = []
        if self.cold:
            self._program(assembler, shapes)
        self._load(assembler, shapes)
        self._products(assembler, shapes)
        self._digital(assembler, shapes)
        self._put(assembler, shapes)
        self._ends()
        segment = assembler.build(shapes.columns())
        segment.entries, segment.exits = self.entries, self.exits
        segment.reads = {INPUT: int(self.load[0])}
        segment.last_store = int(self.store[-1])
        return segment

    # -- names to numbers ----------------------------------------------------------------------

    def _instances(self, replica: Ints, pack: Ints, r: Ints, c: Ints) -> Ints:
        block = (replica * self.packs + pack) * self.rows_ + r
        return np.asarray(self.mapping.first + block * self.columns_ + c, np.int64)

    def _units(self, instance: Ints) -> tuple[Ints, Ints]:
        """Unit and cell-memory rows of crossbar numbers."""
        names = instance_names(self.unit.name, self.unit.count)
        units = np.array([self.machine.unit_index[name] for name in names], np.int64)
        cells = np.array([self.machine.memory_index[f"{name}.cells"] for name in names], np.int64)
        return units[instance], cells[instance]

    def _place(self, what: str, jobs: Ints | None = None) -> tuple[int, Ints, int]:
        """(memory row, address of each job's slot, bytes of a slot) of an area."""
        memory, base, size = self.area[what]
        slot = self.slot if jobs is None else self.slot[jobs]
        return self.machine.memory_index[memory], base + slot * size, size

    # -- commands ------------------------------------------------------------------------------

    def _program(self, assembler: Assembler, shapes: ShapeRows) -> None:
        g, rows = self.geometry, self.programs
        replica, pack, r, c = (
            x.ravel().astype(np.int64)
            for x in np.indices((self.mapping.replicas, self.packs, self.rows_, self.columns_))
        )
        units, cells = self._units(self._instances(replica, pack, r, c))
        k, n, count = self.k[r], self.n[c], self.counts[pack]
        weight = FORMAT_INDEX[self.formats[1]]
        shape = shapes.unique(
            self.machine.kind_index[self.unit.name],
            Opcode.PROGRAM,
            (-1, weight, -1),
            (np.zeros_like(n), n, k, *self._packed(count)),
        )
        assembler.command(rows, Opcode.PROGRAM, units, shape)
        region: Region = ((self.group0[pack], count), (self.k0[r], k), (self.n0[c], n))
        size = packed_bytes(count * k * n, get(self.formats[1]).bits)
        dram = self.chip.dma.memory
        assembler.operand(
            rows,
            tensor=WEIGHT_MATRIX,
            memory=self.machine.memory_index[dram],
            address=0,
            span=get(self.formats[1]).bytes_for(g.groups * g.k * g.n),
            bytes=size,
            access=Access.READ,
            format=weight,
            region=region,
        )
        assembler.operand(
            rows,
            tensor=WEIGHT_MATRIX,
            memory=cells,
            address=0,
            span=size,
            bytes=size,
            access=Access.WRITE,
            format=weight,
            region=region,
        )
        assembler.demand(rows, self.machine.read_port(dram), size)
        last = np.full(len(rows), -1, np.int64)
        number = (replica * self.packs + pack) * len(self.block_r) + r * self.columns_ + c
        for job in range(self.jobs):  # few: only where weights are written in the run
            mine = (replica == self.replica[job]) & (pack == self.pack[job])
            last[mine] = self.mvm[job][(number % len(self.block_r))[mine]]
        for row, memory, end, used in zip(
            rows.tolist(), cells.tolist(), size.tolist(), last.tolist(), strict=True
        ):
            self.entries.append(Entry(row, memory, 0, end))
            self.exits.append(Exit(memory, 0, end, (used if used >= 0 else row,)))

    def _load(self, assembler: Assembler, shapes: ShapeRows) -> None:
        g, m, rows = self.geometry, self.m, self.load
        count = self.count * int(k_tiles(g, g.k).channels[0])
        channels, which = np.unique(count, return_inverse=True)
        size = box_bytes(m, channels, get(self.formats[0]).bits)[self.tile, which]
        t = self.tile
        row0, high = m.row0[t], m.row1[t] - m.row0[t]
        if g.rank == 4:
            region: Region = (
                (m.batch0[t], m.images[t]),
                (self.group * g.channels, count),
                (row0, high),
                (m.column0[t], m.column1[t] - m.column0[t]),
            )
        elif g.rank == 2:
            region = ((row0, high), (0, count))
        else:
            region = ((self.group, self.count), (row0, high), (0, count))
        whole = g.groups * g.batch * g.channels * g.in_height * g.in_width
        self._move(
            assembler, shapes, rows, Opcode.LOAD, "input", INPUT, region, size, "input", 0, whole
        )
        previous = np.arange(self.jobs) - self.mapping.slots
        for block in range(self.mvm.shape[1]):
            assembler.depend(rows, _earlier(self.mvm[:, block], previous), Edge.SLOT)

    def _move(
        self,
        assembler: Assembler,
        shapes: ShapeRows,
        rows: Ints,
        opcode: int,
        channel: str,
        tensor: int,
        region: Region,
        size: Ints,
        area: str,
        which: int,
        whole: int,
    ) -> None:
        """A DMA command between the off-chip memory and an area's slots."""
        machine, dma = self.machine, self.chip.dma
        number = FORMAT_INDEX[self.formats[which]]
        shape = shapes.unique(machine.kind_index[dma.name], opcode, (number, -1, -1), (size,))
        assembler.command(rows, opcode, machine.unit_index[f"{dma.name}.{channel}"], shape)
        memory, address, span = self._place(area)
        load = opcode == Opcode.LOAD
        far: Place = (
            machine.memory_index[dma.memory],
            0,
            get(self.formats[which]).bytes_for(whole),
        )
        near: Place = (memory, address, span if load else size)
        pairs = [far, near] if load else [near, far]
        for (where, low, extent), access in zip(pairs, (Access.READ, Access.WRITE), strict=True):
            assembler.operand(
                rows,
                tensor=tensor,
                memory=where,
                address=low,
                span=extent,
                bytes=size,
                access=access,
                format=number,
                region=region,
            )
        port = machine.write_port if load else machine.read_port
        assembler.demand(rows, port(self.area[area][0]), size)
        assembler.demand(
            rows, (machine.read_port if load else machine.write_port)(dma.memory), size
        )

    def _products(self, assembler: Assembler, shapes: ShapeRows) -> None:
        blocks = len(self.block_r)
        job = np.repeat(np.arange(self.jobs), blocks)
        r, c = np.tile(self.block_r, self.jobs), np.tile(self.block_c, self.jobs)
        rows = self.mvm.ravel()
        group, m0, m, p = (
            self.group[job],
            self.m.first[self.tile[job]],
            self.size[job],
            self.count[job],
        )
        k0, k, n0, n = self.k0[r], self.k[r], self.n0[c], self.n[c]
        units, cells = self._units(self._instances(self.replica[job], self.pack[job], r, c))
        a, b, s = (FORMAT_INDEX[name] for name in (*self.formats[:2], self.sums))
        flags = np.full(len(rows), WHOLE_SUM, np.int64)
        shape = shapes.unique(
            self.machine.kind_index[self.unit.name],
            Opcode.MVM,
            (a, b, s),
            (m, n, k, *self._packed(p)),
            flags,
        )
        assembler.command(rows, Opcode.MVM, units, shape, flags)
        memory, address, size = self._place("input", job)
        moved = packed_bytes(p * m * k, get(self.formats[0]).bits)
        assembler.operand(
            rows,
            tensor=LOWERED,
            memory=memory,
            address=address,
            span=size,
            bytes=moved,
            access=Access.READ,
            format=a,
            region=((group, p), (m0, m), (k0, k)),
        )
        assembler.demand(rows, self.machine.read_port(self.unit.input), moved)
        held = packed_bytes(p * k * n, get(self.formats[1]).bits)
        assembler.operand(
            rows,
            tensor=WEIGHT_MATRIX,
            memory=cells,
            address=0,
            span=held,
            bytes=held,
            access=Access.READ,
            format=b,
            region=((group, p), (k0, k), (n0, n)),
        )
        bits = get(self.sums).bits
        memory, address, _ = self._place("sums", job)
        low = address + r * self._sums_bytes + n0 * m * bits // 8
        out = packed_bytes(p * m * n, bits)
        assembler.operand(
            rows,
            tensor=SUMS + r,
            memory=memory,
            address=low,
            span=out,
            bytes=out,
            access=Access.WRITE,
            format=s,
            region=((group, p), (m0, m), (n0, n)),
        )
        assembler.demand(rows, self.machine.write_port(self.unit.output), out)
        assembler.depend(rows, self.load[job], Edge.DATA)
        before = job - self.mapping.slots
        assembler.depend(rows, _earlier(self.requantize, before), Edge.SLOT)
        if self.rows_ > 1:
            assembler.depend(rows, _earlier(self.add, before), Edge.SLOT)

    def _packed(self, count: Ints) -> tuple[Ints, ...]:
        """The groups of each pack as an extent of its shape, none where groups stand alone."""
        return (count,) if self.mapping.pack > 1 else ()

    @property
    def _sums_bytes(self) -> int:
        """Bytes of one row block's partial sums in a slot."""
        return self.area["sums"][2] // self.rows_

    def _digital(self, assembler: Assembler, shapes: ShapeRows) -> None:
        """ACCUMULATE of all row blocks into the first, REQUANTIZE to output codes."""
        unit, machine = self.chip.vector_unit, self.machine
        kind, where = machine.kind_index[unit.name], machine.unit_index[unit.name]
        s, out = FORMAT_INDEX[self.sums], FORMAT_INDEX[self.formats[2]]
        elements = self.count * self.size * self.geometry.n
        region: Region = (
            (self.group, self.count),
            (self.m.first[self.tile], self.size),
            (0, self.geometry.n),
        )
        memory, address, _ = self._place("sums")
        size = packed_bytes(elements, get(self.sums).bits)
        read, write = machine.read_port(self.unit.output), machine.write_port(self.unit.output)

        def sums(rows: Ints, r: int, access: Access) -> None:
            assembler.operand(
                rows,
                tensor=SUMS + r,
                memory=memory,
                address=address + r * self._sums_bytes,
                span=size,
                bytes=size,
                access=access,
                format=s,
                region=region,
            )
            if access != Access.WRITE:
                assembler.demand(rows, read, size)
            if access != Access.READ:
                assembler.demand(rows, write, size)

        if self.rows_ > 1:
            work = elements * (self.rows_ - 1)
            shape = shapes.unique(kind, Opcode.ACCUMULATE, (s, -1, s), (elements, work))
            assembler.command(self.add, Opcode.ACCUMULATE, where, shape)
            for r in range(1, self.rows_):
                sums(self.add, r, Access.READ)
            sums(self.add, 0, Access.ACCUMULATE)
            for block in range(self.mvm.shape[1]):
                assembler.depend(self.add, self.mvm[:, block], Edge.DATA)
        shape = shapes.unique(kind, Opcode.REQUANTIZE, (s, -1, out), (elements, elements))
        assembler.command(self.requantize, Opcode.REQUANTIZE, where, shape)
        sums(self.requantize, 0, Access.READ)
        memory, address, _ = self._place("out")
        codes = packed_bytes(elements, get(self.formats[2]).bits)
        assembler.operand(
            self.requantize,
            tensor=OUTPUT_MATRIX,
            memory=memory,
            address=address,
            span=codes,
            bytes=codes,
            access=Access.WRITE,
            format=out,
            region=region,
        )
        assembler.demand(self.requantize, write, codes)
        if self.rows_ > 1:
            assembler.depend(self.requantize, self.add, Edge.DATA)
        else:
            for block in range(self.mvm.shape[1]):
                assembler.depend(self.requantize, self.mvm[:, block], Edge.DATA)
        before = np.arange(self.jobs) - self.mapping.slots
        assembler.depend(self.requantize, _earlier(self.store, before), Edge.SLOT)

    def _put(self, assembler: Assembler, shapes: ShapeRows) -> None:
        region: Region = (
            (self.group, self.count),
            (self.m.first[self.tile], self.size),
            (0, self.geometry.n),
        )
        size = packed_bytes(self.count * self.size * self.geometry.n, get(self.formats[2]).bits)
        whole = self.geometry.groups * self.geometry.m * self.geometry.n
        self._move(
            assembler,
            shapes,
            self.store,
            Opcode.STORE,
            "output",
            OUTPUT_MATRIX,
            region,
            size,
            "out",
            2,
            whole,
        )
        assembler.depend(self.store, self.requantize, Edge.DATA)

    def _ends(self) -> None:
        """Entries and exits of every slot that is used."""
        for slot in range(min(self.mapping.slots, self.jobs)):
            last = (self.jobs - 1 - slot) // self.mapping.slots * self.mapping.slots + slot
            users = {
                "input": (self.load[slot], tuple(self.mvm[last].tolist())),
                "sums": (
                    self.mvm[slot],
                    (
                        int(self.requantize[last]),
                        *([int(self.add[last])] if self.rows_ > 1 else []),
                    ),
                ),
                "out": (self.requantize[slot], (int(self.store[last]),)),
            }
            for name, (first, leaving) in users.items():
                memory, address, size = self._place(name)
                start = int(address[slot])
                for row in np.atleast_1d(first).tolist():
                    self.entries.append(Entry(row, memory, start, start + size))
                self.exits.append(Exit(memory, start, start + size, leaving))


def _earlier(rows: Ints, jobs: Ints) -> Ints:
    """Rows of those jobs, -1 for jobs before the first."""
    return np.where(jobs >= 0, rows[np.maximum(jobs, 0)], -1)
