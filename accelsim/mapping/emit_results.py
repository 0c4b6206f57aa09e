"""What follows the passes: spilled sums, sums over instances, requantisation, stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.assemble import Assembler
from accelsim.mapping.emit_loads import transfer
from accelsim.mapping.emit_passes import OUTPUT_MATRIX, SUMS, out_slot, sums_memory, sums_slot
from accelsim.mapping.shapes import ShapeRows
from accelsim.mapping.tiles import packed_bytes
from accelsim.program.opcodes import Access, Edge, Flag, Opcode

if TYPE_CHECKING:
    from accelsim.mapping.emit_mac import MacEmitter

Ints = NDArray[np.int64]
Region = tuple[tuple[Ints | int, Ints | int], ...]


def emit_results(e: MacEmitter, assembler: Assembler, shapes: ShapeRows) -> None:
    """Emit reloads, ACCUMULATE, REQUANTIZE and STORE, and the edges that free their slots."""
    done = np.flatnonzero(e.finishes)
    if e.split_k:
        _accumulates(e, assembler, shapes, done)
    if not e.fused:
        _requantize(e, assembler, shapes, done)
    _store(e, assembler, shapes, done)
    if e.spills.any():
        _spill(e, assembler, shapes)
    _free_slots(e, assembler)
    _ends(e)


def _tile(e: MacEmitter, jobs: Ints) -> tuple[Region, Ints]:
    """Region in the output matrix and elements of the tiles of those jobs."""
    m, n = e.jobs.m[jobs], e.jobs.n[jobs]
    place = e.place
    region: Region = (
        (e.jobs.group[jobs], 1),
        (place.m.first[m], place.m.size[m]),
        (place.n_first[n], place.n_size[n]),
    )
    return region, place.m.size[m] * place.n_size[n]


def _sums_address(e: MacEmitter, jobs: Ints) -> Ints:
    return e.place.sums_area.base + sums_slot(e, jobs) * e.place.sums_slot


def _partner(e: MacEmitter, jobs: Ints, instance: int) -> Ints:
    """The job on ``instance`` that ends the sum over k of the same output tile."""
    counts = e.counts
    key = (e.jobs.group * counts["m"] + e.jobs.m) * counts["n"] + e.jobs.n
    table = np.full(e.geometry.groups * counts["m"] * counts["n"], -1, np.int64)
    mine = np.flatnonzero(e.last_tile & (e.jobs.instance == instance))
    table[key[mine]] = mine
    return np.asarray(table[key[jobs]], np.int64)


def _vector(
    e: MacEmitter, assembler: Assembler, shapes: ShapeRows, rows: Ints, opcode: int, elements: Ints
) -> None:
    unit = e.chip.vector_unit
    wide, narrow = FORMAT_INDEX[e.place.sum_format], FORMAT_INDEX[e.formats[2]]
    out = narrow if opcode == Opcode.REQUANTIZE else wide
    shape = shapes.unique(
        e.machine.kind_index[unit.name], opcode, (wide, -1, out), (elements, elements)
    )
    assembler.command(rows, opcode, e.machine.unit_index[unit.name], shape)


def _sums_operand(
    e: MacEmitter, assembler: Assembler, rows: Ints, jobs: Ints, access: Access
) -> None:
    """The whole sums tile of each job as an operand of a vector command."""
    region, elements = _tile(e, jobs)
    instance = e.jobs.instance[jobs]
    memory, read, write = (column[instance] for column in sums_memory(e))
    size = packed_bytes(elements, get(e.place.sum_format).bits)
    tensor = SUMS + (instance if e.split_k else np.zeros_like(instance))
    assembler.operand(
        rows,
        tensor=tensor,
        memory=memory,
        address=_sums_address(e, jobs),
        span=size,
        bytes=size,
        access=access,
        format=FORMAT_INDEX[e.place.sum_format],
        region=region,
    )
    if access != Access.WRITE:
        assembler.demand(rows, read, size)
    if access != Access.READ:
        assembler.demand(rows, write, size)


def _accumulates(e: MacEmitter, assembler: Assembler, shapes: ShapeRows, done: Ints) -> None:
    home = _partner(e, done, 0)
    _, elements = _tile(e, done)
    for instance in range(1, e.summands):
        rows = e.rows.accumulate[done, instance - 1]
        other = _partner(e, done, instance)
        _vector(e, assembler, shapes, rows, Opcode.ACCUMULATE, elements)
        _sums_operand(e, assembler, rows, other, Access.READ)
        _sums_operand(e, assembler, rows, home, Access.ACCUMULATE)
        assembler.depend(rows, e.rows.last_matmul[other], Edge.DATA)
        assembler.depend(rows, e.rows.last_matmul[home], Edge.DATA)


def _requantize(e: MacEmitter, assembler: Assembler, shapes: ShapeRows, done: Ints) -> None:
    rows = e.rows.requantize[done]
    region, elements = _tile(e, done)
    _vector(e, assembler, shapes, rows, Opcode.REQUANTIZE, elements)
    home = _partner(e, done, 0) if e.split_k else done
    _sums_operand(e, assembler, rows, home, Access.READ)
    _codes_operand(e, assembler, rows, done, region, elements, Access.WRITE)
    if e.split_k and e.summands > 1:
        assembler.depend(rows, e.rows.accumulate[done, e.summands - 2], Edge.DATA)
    else:
        assembler.depend(rows, e.rows.last_matmul[home], Edge.DATA)


def _codes_operand(
    e: MacEmitter,
    assembler: Assembler,
    rows: Ints,
    jobs: Ints,
    region: Region,
    elements: Ints,
    access: Access,
) -> None:
    instance = e.jobs.instance[jobs]
    name = e.array.output
    size = packed_bytes(elements, get(e.formats[2]).bits)
    address = e.place.output_area.base + out_slot(e, jobs) * e.place.out_slot
    assembler.operand(
        rows,
        tensor=OUTPUT_MATRIX,
        memory=e.memories(name)[instance],
        address=address,
        span=size,
        bytes=size,
        access=access,
        format=FORMAT_INDEX[e.formats[2]],
        region=region,
    )
    ports = e.write_ports(name) if access == Access.WRITE else e.read_ports(name)
    assembler.demand(rows, ports[instance], size)


def _store(e: MacEmitter, assembler: Assembler, shapes: ShapeRows, done: Ints) -> None:
    rows = e.rows.store[done]
    region, elements = _tile(e, done)
    instance = e.jobs.instance[done]
    address = e.place.output_area.base + out_slot(e, done) * e.place.out_slot
    size = packed_bytes(elements, get(e.formats[2]).bits)
    name = e.array.output
    total = e.geometry.groups * e.geometry.m * e.geometry.n
    transfer(
        e,
        assembler,
        shapes,
        rows,
        opcode=Opcode.STORE,
        channel="output",
        bytes=size,
        format=e.formats[2],
        tensor=OUTPUT_MATRIX,
        region=region,
        near=[(e.memories(name)[instance], e.read_ports(name)[instance], address, size)],
        far_span=get(e.formats[2]).bytes_for(total),
    )
    source = e.rows.last_matmul[done] if e.fused else e.rows.requantize[done]
    assembler.depend(rows, source, Edge.DATA)


def _spill(e: MacEmitter, assembler: Assembler, shapes: ShapeRows) -> None:
    """Partial sums written to and read back from off-chip memory between visits of a tile."""
    word = -(-get(e.place.sum_format).bits // 8)
    memory, read, write = sums_memory(e)
    spilled, loaded = np.flatnonzero(e.spills), np.flatnonzero(e.loads_sums)
    for jobs, rows, opcode, channel, ports in (
        (spilled, e.rows.store[spilled], Opcode.STORE, "output", read),
        (loaded, e.rows.sums_load[loaded], Opcode.LOAD, "input", write),
    ):
        region, elements = _tile(e, jobs)
        instance = e.jobs.instance[jobs]
        size = packed_bytes(elements, get(e.place.sum_format).bits)
        transfer(
            e,
            assembler,
            shapes,
            rows,
            opcode=opcode,
            channel=channel,
            bytes=size,
            format=e.place.sum_format,
            tensor=SUMS,
            region=region,
            near=[(memory[instance], ports[instance], _sums_address(e, jobs), size)],
            far=_spill_place(e, jobs) * word,
            far_span=elements * word,
        )
    assembler.depend(e.rows.store[spilled], e.rows.last_matmul[spilled], Edge.DATA)
    key = (e.jobs.group * e.counts["m"] + e.jobs.m) * e.counts["n"] + e.jobs.n
    previous = np.full(len(e.jobs), -1, np.int64)
    latest: dict[int, int] = {}
    for job in np.flatnonzero(e.spills | e.loads_sums).tolist():
        if e.loads_sums[job]:
            previous[job] = latest[int(key[job])]
        if e.spills[job]:
            latest[int(key[job])] = job
    assembler.depend(e.rows.sums_load[loaded], e.rows.store[previous[loaded]], Edge.DATA)
    first = e.rows.matmul[e.passes.start[loaded]]
    assembler.depend(first, e.rows.sums_load[loaded], Edge.DATA)


def _spill_place(e: MacEmitter, jobs: Ints) -> Ints:
    """Elements before each job's tile in the spill area, which holds tile after tile."""
    g, place = e.geometry, e.place
    m, n = e.jobs.m[jobs], e.jobs.n[jobs]
    before = e.jobs.group[jobs] * g.m * g.n + place.n_first[n] * g.m
    return np.asarray(before + place.m.first[m] * place.n_size[n], np.int64)


def _free_slots(e: MacEmitter, assembler: Assembler) -> None:
    """A visit's first write of a slot waits for what last read it."""
    visits, rows = e.visits, e.rows
    first_matmul = rows.matmul[e.passes.start[visits.job]]
    last_job = _last_jobs(e)
    if e.split_k:
        follow = np.zeros(len(visits), np.int64) - 1
        same = np.flatnonzero(visits.lane[1:] == visits.lane[:-1]) + 1
        follow[same] = same - 1
        finish = _finisher(e, last_job)
        column = np.maximum(visits.lane - 1, 0)
        accumulate = rows.accumulate[finish, column] if e.summands > 1 else rows.requantize[finish]
        reader = np.where(visits.lane > 0, accumulate, rows.requantize[finish])
        assembler.depend(first_matmul, np.where(follow >= 0, reader[follow], -1), Edge.SLOT)
        done = e.finishes[last_job]
        held = np.where((visits.before >= 0) & done, rows.store[last_job[visits.before]], -1)
        assembler.depend(rows.requantize[last_job], np.where(done, held, -1), Edge.SLOT)
        return
    store = np.where(visits.before >= 0, rows.store[last_job[visits.before]], -1)
    if e.fused:
        ready = np.full(len(visits), -1, np.int64)
        final = np.flatnonzero(e.flags & Flag.LAST_K)
        ready_pass = np.full(len(visits), len(e.passes), np.int64)
        np.minimum.at(ready_pass, visits.of_job[e.passes.job[final]], final)
        has = ready_pass < len(e.passes)
        ready[has] = rows.matmul[ready_pass[has]]
        assembler.depend(ready[has], store[has], Edge.SLOT)
    else:
        done = e.finishes[last_job]
        target = rows.requantize[last_job]
        assembler.depend(target[done], store[done], Edge.SLOT)
        reader = np.where(visits.before >= 0, rows.requantize[last_job[visits.before]], -1)
        assembler.depend(first_matmul, reader, Edge.SLOT)
    if e.spills.any():
        loaded = rows.sums_load[visits.job]
        target = np.where(loaded >= 0, loaded, first_matmul)
        assembler.depend(target, store, Edge.SLOT)
        if e.fused:  # a final visit leaves the slot with its last pass, not with a spill
            last = np.where(visits.before >= 0, rows.last_matmul[last_job[visits.before]], -1)
            assembler.depend(target, last, Edge.SLOT)


def _last_jobs(e: MacEmitter) -> Ints:
    last = np.full(len(e.visits), -1, np.int64)
    np.maximum.at(last, e.visits.of_job, np.arange(len(e.jobs), dtype=np.int64))
    return last


def _finisher(e: MacEmitter, jobs: Ints) -> Ints:
    """The job that finishes the output tile each of ``jobs`` adds to."""
    counts = e.counts
    key = (e.jobs.group * counts["m"] + e.jobs.m) * counts["n"] + e.jobs.n
    table = np.full(e.geometry.groups * counts["m"] * counts["n"], -1, np.int64)
    done = np.flatnonzero(e.finishes)
    table[key[done]] = done
    return np.asarray(table[key[jobs]], np.int64)


def _ends(e: MacEmitter) -> None:
    """Entries and exits of the partial-sum and output areas."""
    visits, rows, place = e.visits, e.rows, e.place
    last_job = _last_jobs(e)
    first_matmul = rows.matmul[e.passes.start[visits.job]]
    loaded = rows.sums_load[visits.job]
    first = np.where(loaded >= 0, loaded, first_matmul)
    instance = e.jobs.instance[visits.job]
    users = [rows.last_matmul[last_job], rows.requantize[last_job], rows.store[last_job]]
    if e.split_k:
        finish = _finisher(e, last_job)
        users += [rows.requantize[finish], *rows.accumulate[finish].T]
    last = np.stack(users)
    if place.sums_slots:
        memory, _, _ = sums_memory(e)
        several = place.output_lanes > 1 and not place.sums_area.memory.endswith(".accumulators")
        e.occupy(
            place.sums_area,
            instance if several else np.zeros_like(instance),
            visits.slot % place.sums_slots,
            place.sums_slots,
            place.sums_slot,
            first,
            memory[instance],
            last,
        )
    writes = np.flatnonzero(e.finishes[last_job])
    lane = instance if place.output_lanes > 1 else np.zeros_like(instance)
    begin = rows.requantize[last_job] if not e.fused else first
    e.occupy(
        place.output_area,
        lane[writes],
        visits.slot[writes],
        e.mapping.output_slots,
        place.out_slot,
        begin[writes],
        e.memories(e.array.output)[instance[writes]],
        last[:, writes],
    )
