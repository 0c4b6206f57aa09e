"""A MAC operator's commands, in columns.

For each job (one buffer tile on one array instance), in program order: LOAD input, LOAD weights,
LOAD spilled sums, then its passes (PRELOAD where the stationary tile changes, MATMUL), then
ACCUMULATE over instances (split along k), REQUANTIZE, STORE.

Operand order of a MATMUL: input, weight, sums (when a sum takes several passes), output codes
(on the pass that completes a sum in the array's own output pipeline).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip, Machine
from accelsim.chip.machine import instance_names, memory_of
from accelsim.mapping.assemble import Assembler, Entry, Exit, Segment
from accelsim.mapping.dataflows import DATAFLOWS
from accelsim.mapping.jobs import (
    Fetches,
    Jobs,
    first_and_last,
    job_table,
    last_rows,
    resident,
    streamed,
)
from accelsim.mapping.mapping import Geometry, Mapping, chip_for
from accelsim.mapping.passes import Passes, pass_table
from accelsim.mapping.placement import Area, Placement, fused, place
from accelsim.mapping.shapes import ShapeRows
from accelsim.mapping.tiles import packed_bytes
from accelsim.program.opcodes import Flag

Ints = NDArray[np.int64]
INPUT, LOWERED, WEIGHT, WEIGHT_MATRIX, OUTPUT, OUTPUT_MATRIX, SUMS = range(7)


@dataclass(slots=True)
class Rows:
    """Row numbers of every kind of command; -1 where a job or pass has none of it."""

    total: int
    input_load: Ints  # per input fetch
    weight_load: Ints  # per weight fetch
    sums_load: Ints  # per job
    preload: Ints  # per pass
    matmul: Ints  # per pass
    accumulate: Ints  # (jobs, instances - 1)
    requantize: Ints  # per job
    store: Ints  # per job
    last_matmul: Ints  # per job
    last_preload: Ints  # per job


class MacEmitter:
    """Builds the Segment of one MAC operator; see the module's note for the layout."""

    def __init__(
        self,
        chip: Chip,
        machine: Machine,
        geometry: Geometry,
        mapping: Mapping,
        formats: tuple[str, str, str],
        parity: int,
        weight_address: int | None,
    ) -> None:
        chip = chip_for(chip, mapping)
        self.chip, self.machine, self.geometry, self.mapping = chip, machine, geometry, mapping
        self.formats = formats
        self.array = chip.array
        self._numbered: dict[tuple[str, str], Ints] = {}
        self.place: Placement = place(chip, geometry, mapping, formats, parity, weight_address)
        self.cold = weight_address is None
        self.counts = {
            "m": len(self.place.m.first),
            "n": len(self.place.n_first),
            "k": len(self.place.k.first),
        }
        instances = self.array.count
        self.jobs: Jobs = job_table(
            geometry.groups, self.counts, mapping.order, self.array.split, instances
        )
        self.dataflow = DATAFLOWS[mapping.dataflow]
        self.passes: Passes = pass_table(
            self.jobs,
            self.place,
            self.dataflow.stationary,
            self.counts,
            self.array.stationary_depth,
        )
        self.split_k = instances > 1 and self.array.split == "k"
        self.fused = fused(self.array)
        self.period = machine.tick_hz // chip.clocks[self.array.clock]
        self.unit_names = instance_names(self.array.name, instances)
        self._streams()
        self._visits()
        self._layout()
        self.flags = self._flag_bits()

    # -- what is fetched when ------------------------------------------------------------------

    def _streams(self) -> None:
        jobs, place, counts = self.jobs, self.place, self.counts
        zero = np.zeros(len(jobs), np.int64)
        lane = jobs.instance if place.input_split else zero
        if place.pieces is not None:
            tile_m = place.pieces.loader[jobs.m]
            key = (jobs.group * counts["k"] + jobs.k) * counts["m"] + tile_m
            # In one shared memory a piece is fetched once, whichever instance reads it first.
            shared = not self.private(self.array.input)
            self.inputs, self.input_keys = resident(key, zero if shared else lane)
        else:
            key = (jobs.group * counts["k"] + jobs.k) * counts["m"] + jobs.m
            self.inputs, self.input_keys = streamed(key, lane, self.mapping.input_slots), zero
        lane = jobs.instance if place.weight_split else zero
        key = (jobs.group * counts["k"] + jobs.k) * counts["n"] + jobs.n
        if not self.cold:
            empty = np.zeros(0, np.int64)
            self.weights = Fetches(empty, empty, empty, empty, zero - 1)
        elif self.mapping.weight_resident:
            shared = not self.private(self.array.weight)
            self.weights, _ = resident(key, zero if shared else lane)
        else:
            self.weights = streamed(key, lane, self.mapping.weight_slots)
        sizes = packed_bytes(place.k.size[:, None] * place.n_size[None, :], place.weight_bits)
        self.weight_tile_bytes = sizes
        flat = sizes.ravel()
        self.weight_tile_offset = (np.cumsum(flat) - flat).reshape(sizes.shape)
        self.weight_group_bytes = int(flat.sum())

    def _visits(self) -> None:
        """Runs of jobs that keep adding to one output tile on one instance."""
        jobs, counts = self.jobs, self.counts
        key = (jobs.group * counts["m"] + jobs.m) * counts["n"] + jobs.n
        self.visits = streamed(key, jobs.instance, self.mapping.output_slots)
        last_k = np.full(self.array.count, counts["k"] - 1, np.int64)
        first_k = np.zeros(self.array.count, np.int64)
        if self.split_k:
            step = self.array.count
            instance = np.arange(step)
            first_k = instance.astype(np.int64)
            last_k = instance + (counts["k"] - 1 - instance) // step * step
        self.first_tile = jobs.k == first_k[jobs.instance]
        self.last_tile = jobs.k == last_k[jobs.instance]
        last_job = np.full(len(self.visits), -1, np.int64)
        np.maximum.at(last_job, self.visits.of_job, np.arange(len(jobs), dtype=np.int64))
        ends = np.zeros(len(jobs), bool)
        ends[last_job] = True
        starts = np.zeros(len(jobs), bool)
        starts[self.visits.job] = True
        self.loads_sums = starts & ~self.first_tile
        self.spills = ends & ~self.last_tile
        done = ends & self.last_tile
        if self.split_k:
            done &= jobs.k == counts["k"] - 1
        self.finishes = done

    def _layout(self) -> None:
        passes, total_jobs = self.passes, len(self.jobs)
        has_input = np.bincount(self.inputs.job, minlength=total_jobs)
        has_weight = np.bincount(self.weights.job, minlength=total_jobs)
        active = min(self.array.count, self.counts["k"]) if self.split_k else 1
        self.summands = active
        accumulate = np.where(self.finishes, active - 1, 0)
        requantize = (self.finishes & (not self.fused)).astype(np.int64)
        store = (self.finishes | self.spills).astype(np.int64)
        weight = 1 + passes.preload.astype(np.int64)
        reach = np.cumsum(weight)
        before = np.concatenate([np.zeros(1, np.int64), reach])[passes.start]
        in_job = before[1:] - before[:-1]
        head = has_input + has_weight + self.loads_sums
        rows = head + in_job + accumulate + requantize + store
        base = np.cumsum(rows) - rows
        body = base + head
        matmul = body[passes.job] + reach - before[passes.job] - 1
        tail = body + in_job
        steps = np.arange(active - 1, dtype=np.int64)[None, :]
        last_matmul = matmul[passes.start[1:] - 1]
        preload = np.where(passes.preload, matmul - 1, -1)
        last_preload = np.full(total_jobs, -1, np.int64)
        np.maximum.at(last_preload, passes.job, preload)
        self.rows = Rows(
            int(rows.sum()),
            base[self.inputs.job],
            base[self.weights.job] + has_input[self.weights.job],
            np.where(self.loads_sums, base + head - 1, -1),
            preload,
            matmul,
            np.where(self.finishes[:, None], tail[:, None] + steps, -1),
            np.where(requantize > 0, tail + accumulate, -1),
            np.where(store > 0, tail + accumulate + requantize, -1),
            last_matmul,
            last_preload,
        )

    def _flag_bits(self) -> Ints:
        """Flag bits of every MATMUL."""
        passes, jobs = self.passes, self.jobs
        first = self.first_tile[passes.job] & (passes.k0 == 0)
        end = self.place.k.size[jobs.k[passes.job]]
        last = self.last_tile[passes.job] & (passes.k0 + passes.k == end)
        final = int(Flag.LAST_K) | (int(Flag.FUSED) if self.fused else 0)
        return np.asarray(first * int(Flag.FIRST_K) + last * final, np.int64)

    # -- names to numbers ----------------------------------------------------------------------

    def memories(self, name: str) -> Ints:
        """Memory row of each array instance's copy of a buffer."""
        return self._numbers("memory", name, self.machine.memory_index.__getitem__)

    def read_ports(self, name: str) -> Ints:
        """Port row that each instance reads a buffer through."""
        return self._numbers("read", name, self.machine.read_port)

    def write_ports(self, name: str) -> Ints:
        """Port row that each instance writes a buffer through."""
        return self._numbers("write", name, self.machine.write_port)

    def _numbers(self, kind: str, name: str, number: Callable[[str], int]) -> Ints:
        if (kind, name) not in self._numbered:
            names = [memory_of(self.chip, name, i) for i in range(self.array.count)]
            self._numbered[kind, name] = np.array([number(n) for n in names], np.int64)
        return self._numbered[kind, name]

    def private(self, name: str) -> bool:
        """Whether every array instance has a copy of its own of this buffer."""
        memories = self.memories(name)
        return len(memories) > 1 and bool(memories[0] != memories[1])

    # -- the whole -----------------------------------------------------------------------------

    def emit(self) -> Segment:
        """The segment: commands, operands, edges, demands, and what it touches first and last."""
        from accelsim.mapping.emit_loads import emit_loads
        from accelsim.mapping.emit_passes import emit_passes
        from accelsim.mapping.emit_results import emit_results

        assembler = Assembler(self.rows.total)
        shapes = ShapeRows()
        self.entries: list[Entry] = []
        self.exits: list[Exit] = []
        emit_loads(self, assembler, shapes)
        emit_passes(self, assembler, shapes)
        emit_results(self, assembler, shapes)
        segment = assembler.build(shapes.columns())
        segment.entries, segment.exits = self.entries, self.exits
        segment.reads = {
            local: int(rows.min())
            for local, rows in (
                (INPUT, self.rows.input_load),
                (WEIGHT_MATRIX, self.rows.weight_load),
            )
            if len(rows)
        }
        segment.last_store = int(self.rows.store.max())
        segment.preloads = int(self.passes.preload.sum())
        return segment

    def readers(self, fetches: Fetches, rows: Ints) -> Ints:
        """(instances, fetches) last row of each instance that reads each fetch."""
        return last_rows(fetches.of_job, self.jobs.instance, rows, len(fetches), self.array.count)

    def occupy(
        self,
        area: Area,
        lane: Ints,
        slot: Ints,
        slots: int,
        slot_bytes: int,
        first: Ints,
        memory: Ints,
        last: Ints,
    ) -> None:
        """Record the entries and exits of a slotted area. Columns over uses of a slot, in order:
        lane, slot, first row that writes it, memory row; last: (k, uses) rows that used it last."""
        place = (memory * (int(lane.max()) + 1) + lane) * slots + slot
        for use, final in first_and_last(place):
            start = area.base + (int(lane[use]) * slots + int(slot[use])) * slot_bytes
            rows = tuple(int(row) for row in last[:, final] if row >= 0)
            where = int(memory[use])
            self.entries.append(Entry(int(first[use]), where, start, start + slot_bytes))
            self.exits.append(Exit(where, start, start + slot_bytes, rows))

    def occupy_whole(self, area: Area, first: int, memory: int, last: Ints) -> None:
        """Record a resident area: one entry, and as exit the last of ``last`` on each instance."""
        rows = tuple(int(row) for row in last.max(axis=1, initial=-1) if row >= 0)
        self.entries.append(Entry(first, memory, area.base, area.base + area.size))
        self.exits.append(Exit(memory, area.base, area.base + area.size, rows))
