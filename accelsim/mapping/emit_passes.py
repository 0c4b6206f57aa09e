"""PRELOAD and MATMUL commands of a MAC operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.assemble import Assembler, Entry, Exit
from accelsim.mapping.jobs import first_and_last
from accelsim.mapping.shapes import ShapeRows
from accelsim.mapping.tiles import packed_bytes
from accelsim.program.opcodes import Access, Edge, Flag, Opcode

if TYPE_CHECKING:
    from accelsim.mapping.emit_mac import MacEmitter

Ints = NDArray[np.int64]
LOWERED, WEIGHT_MATRIX, OUTPUT_MATRIX, SUMS = 1, 3, 5, 6
Region = tuple[tuple[Ints | int, Ints | int], ...]


def emit_passes(e: MacEmitter, assembler: Assembler, shapes: ShapeRows) -> None:
    """Emit every PRELOAD and MATMUL of the operator into the assembler."""
    passes, jobs, place = e.passes, e.jobs, e.place
    job = passes.job
    group = jobs.group[job]
    m0 = place.m.first[jobs.m[job]] + passes.m0
    n0 = place.n_first[jobs.n[job]] + passes.n0
    k0 = place.k.first[jobs.k[job]] + passes.k0
    lowered: Region = ((group, 1), (m0, passes.m), (k0, passes.k))
    weight: Region = ((group, 1), (k0, passes.k), (n0, passes.n))
    result: Region = ((group, 1), (m0, passes.m), (n0, passes.n))
    _matmul_commands(e, assembler, shapes)
    stationary = e.dataflow.stationary
    if stationary != "none":
        _preloads(e, assembler, shapes, weight if stationary == "weight" else lowered)
    for operand, region in (("input", lowered), ("weight", weight)):
        if operand == stationary:
            _from_registers(e, assembler, operand, region)
        else:
            rows = e.rows.matmul
            _from_buffer(e, assembler, rows, np.arange(len(passes)), operand, region)
    _sums(e, assembler, result)
    _outputs(e, assembler, result)


def _matmul_commands(e: MacEmitter, assembler: Assembler, shapes: ShapeRows) -> None:
    passes, rows = e.passes, e.rows.matmul
    units = np.array([e.machine.unit_index[name] for name in e.unit_names], np.int64)
    flags = e.flags
    formats = tuple(FORMAT_INDEX[name] for name in e.formats)
    shape = shapes.unique(
        e.machine.kind_index[e.array.name],
        Opcode.MATMUL,
        (formats[0], formats[1], formats[2]),
        (passes.m, passes.n, passes.k, np.full(len(passes), e.mapping.dataflow), *_exit_row(e)),
        flags,
    )
    assembler.command(rows, Opcode.MATMUL, units[e.jobs.instance[passes.job]], shape, flags)


def _exit_row(e: MacEmitter) -> tuple[Ints, ...]:
    """Extent 4 of an array with a bypass: results of all passes leave under one row."""
    if not e.array.bypass:
        return ()
    held, limit = (
        (e.passes.k, e.place.limits[2]) if e.place.limits[2] else (e.passes.m, e.place.limits[0])
    )
    rows = -(-held // (limit // e.array.rows))
    return (np.full(len(held), int(rows.max(initial=1))),)


def _buffer(e: MacEmitter, operand: str, index: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """memory, port, address, span and loading row of the tile that each pass reads."""
    place, jobs = e.place, e.jobs
    job = e.passes.job[index]
    instance = jobs.instance[job]
    if operand == "input":
        name, fetches, load = e.array.input, e.inputs, e.rows.input_load
        slots, slot_bytes, area = e.mapping.input_slots, place.input_slot, place.input_area
    else:
        name, fetches, load = e.array.weight, e.weights, e.rows.weight_load
        slots, slot_bytes, area = e.mapping.weight_slots, place.weight_slot, place.weight_area
    memories, ports = e.memories(name), e.read_ports(name)
    private = e.private(name)
    fetch = fetches.of_job[job]
    source = load[fetch] if len(fetches) else np.full(len(job), -1)
    if operand == "input" and place.pieces is not None:
        pieces, tile_k, tile_m = place.pieces, jobs.k[job], jobs.m[job]
        low = pieces.offset[tile_k, pieces.first_piece[tile_m]]
        high = pieces.offset[tile_k, tile_m] + pieces.bytes[tile_k, tile_m]
        address = area.base + jobs.group[job] * pieces.total + low
        return memories[instance], ports[instance], address, high - low, source
    if operand == "weight" and (e.mapping.weight_resident or not e.cold):
        tile = (jobs.k[job], jobs.n[job])
        address = area.base + jobs.group[job] * e.weight_group_bytes + e.weight_tile_offset[tile]
        return memories[instance], ports[instance], address, e.weight_tile_bytes[tile], source
    lane = np.zeros(len(job), np.int64) if private else fetches.lane[fetch]
    address = area.base + (lane * slots + fetches.slot[fetch]) * slot_bytes
    span = np.full(len(job), slot_bytes)
    return memories[instance], ports[instance], address, span, source


def _from_buffer(
    e: MacEmitter, assembler: Assembler, rows: Ints, index: Ints, operand: str, region: Region
) -> None:
    """Read operand ``operand`` of the passes ``index`` from its buffer, on command rows ``rows``."""
    memory, port, address, span, source = _buffer(e, operand, index)
    which = 0 if operand == "input" else 1
    elements = np.ones(len(index), np.int64)
    for _, extent in region:
        elements = elements * extent
    size = packed_bytes(elements, get(e.formats[which]).bits)
    assembler.operand(
        rows,
        tensor=LOWERED if operand == "input" else WEIGHT_MATRIX,
        memory=memory,
        address=address,
        span=span,
        bytes=size,
        access=Access.READ,
        format=FORMAT_INDEX[e.formats[which]],
        region=region,
    )
    assembler.demand(rows, port, size)
    _wait_once(e, assembler, rows, source, e.jobs.instance[e.passes.job[index]])


def _wait_once(
    e: MacEmitter, assembler: Assembler, rows: Ints, source: Ints, instance: Ints
) -> None:
    """DATA edges, only for the first row of each instance that waits for a source: the later
    ones come after it in the same queue."""
    key = instance * e.rows.total + source
    order = key.argsort(kind="stable")
    first = np.ones(len(key), bool)
    first[order[1:]] = key[order[1:]] != key[order[:-1]]
    assembler.depend(rows[first], source[first], Edge.DATA)


def _registers(e: MacEmitter, index: Ints) -> tuple[Ints, Ints, int]:
    """memory, address and bytes of the register slot that each pass uses."""
    memories = np.array([e.machine.memory_index[f"{n}.registers"] for n in e.unit_names])
    slot_bytes = e.array.register_bytes // e.array.stationary_depth
    instance = e.jobs.instance[e.passes.job[index]]
    return memories[instance], e.passes.slot[index] * slot_bytes, slot_bytes


def _preloads(e: MacEmitter, assembler: Assembler, shapes: ShapeRows, region: Region) -> None:
    passes = e.passes
    operand = e.dataflow.stationary
    index = np.flatnonzero(passes.preload)
    rows = e.rows.preload[index]
    units = np.array([e.machine.unit_index[f"{n}.preload"] for n in e.unit_names], np.int64)
    zero = np.zeros(len(index), np.int64)
    held_m, held_n = (zero, passes.n[index]) if operand == "weight" else (passes.m[index], zero)
    formats = tuple(FORMAT_INDEX[name] for name in e.formats)
    shape = shapes.unique(
        e.machine.kind_index[f"{e.array.name}.preload"],
        Opcode.PRELOAD,
        (formats[0], formats[1], -1),
        (held_m, held_n, passes.k[index], np.full(len(index), e.mapping.dataflow)),
    )
    instance = e.jobs.instance[passes.job[index]]
    assembler.command(rows, Opcode.PRELOAD, units[instance], shape)
    part = tuple(
        (
            low[index] if isinstance(low, np.ndarray) else low,
            size[index] if isinstance(size, np.ndarray) else size,
        )
        for low, size in region
    )
    _from_buffer(e, assembler, rows, index, operand, part)
    memory, address, slot_bytes = _registers(e, index)
    which = 0 if operand == "input" else 1
    elements = np.ones(len(index), np.int64)
    for _, extent in part:
        elements = elements * extent
    assembler.operand(
        rows,
        tensor=LOWERED if operand == "input" else WEIGHT_MATRIX,
        memory=memory,
        address=address,
        span=slot_bytes,
        bytes=packed_bytes(elements, get(e.formats[which]).bits),
        access=Access.WRITE,
        format=FORMAT_INDEX[e.formats[which]],
        region=part,
    )
    frees = passes.frees[index]
    lag = e.array.slot_lag(e.mapping.dataflow) * e.period
    assembler.depend(rows, np.where(frees >= 0, e.rows.matmul[frees], -1), Edge.SLOT, lag)
    _register_ends(e, index, rows, memory, slot_bytes)


def _register_ends(e: MacEmitter, index: Ints, rows: Ints, memory: Ints, slot_bytes: int) -> None:
    """Who fills each register slot first, and which pass reads it last."""
    passes = e.passes
    last = np.full(len(passes), -1, np.int64)
    np.maximum.at(last, passes.source, e.rows.matmul)
    slot = passes.slot[index]
    place = memory * e.array.stationary_depth + slot
    for use, final in first_and_last(place):
        start = int(slot[use]) * slot_bytes
        where = int(memory[use])
        e.entries.append(Entry(int(rows[use]), where, start, start + slot_bytes))
        row = int(last[index[final]])
        e.exits.append(Exit(where, start, start + slot_bytes, (row,)))


def _from_registers(e: MacEmitter, assembler: Assembler, operand: str, region: Region) -> None:
    passes, rows = e.passes, e.rows.matmul
    index = np.arange(len(passes))
    memory, address, slot_bytes = _registers(e, index)
    which = 0 if operand == "input" else 1
    elements = np.ones(len(index), np.int64)
    for _, extent in region:
        elements = elements * extent
    assembler.operand(
        rows,
        tensor=LOWERED if operand == "input" else WEIGHT_MATRIX,
        memory=memory,
        address=address,
        span=slot_bytes,
        bytes=packed_bytes(elements, get(e.formats[which]).bits),
        access=Access.READ,
        format=FORMAT_INDEX[e.formats[which]],
        region=region,
    )
    _wait_once(e, assembler, rows, e.rows.preload[passes.source], e.jobs.instance[passes.job])


def _block(
    e: MacEmitter, index: Ints, slot: Ints, base: int, slot_bytes: int, bits: int
) -> tuple[Ints, Ints]:
    """Address and span of a pass's outputs inside its tile's slot: packed, one block of all the
    tile's rows for each pass along n."""
    passes, place = e.passes, e.place
    tall = place.m.size[e.jobs.m[passes.job[index]]]
    first = passes.n0[index] * tall + passes.m0[index] * passes.n[index]
    count = passes.m[index] * passes.n[index]
    low = first * bits // 8
    return base + slot * slot_bytes + low, -(-(first + count) * bits // 8) - low


def sums_slot(e: MacEmitter, jobs: Ints) -> Ints:
    """Slot number of partial sums of each job, lanes included."""
    place = e.place
    turn = e.visits.slot[e.visits.of_job[jobs]] % place.sums_slots
    if place.sums_area.memory.endswith(".accumulators") or place.output_lanes == 1:
        return turn
    return e.jobs.instance[jobs] * place.sums_slots + turn


def sums_memory(e: MacEmitter) -> tuple[Ints, Ints, Ints]:
    """(memory, read port, write port) of partial sums, one entry an instance."""
    if e.place.sums_area.memory.endswith(".accumulators"):
        names = [f"{name}.accumulators" for name in e.unit_names]
        none = np.full(len(names), -1)
        return np.array([e.machine.memory_index[n] for n in names]), none, none
    name = e.array.output
    return e.memories(name), e.read_ports(name), e.write_ports(name)


def _sums(e: MacEmitter, assembler: Assembler, region: Region) -> None:
    if e.place.sums_slots == 0:
        return
    passes, place = e.passes, e.place
    index = np.arange(len(passes))
    flags = e.flags
    first = (flags & Flag.FIRST_K) != 0
    final = (flags & Flag.FUSED) != 0
    index = np.flatnonzero(~(first & final))
    rows, job = e.rows.matmul[index], passes.job[index]
    instance = e.jobs.instance[job]
    memory, read, write = (column[instance] for column in sums_memory(e))
    bits = get(place.sum_format).bits
    address, span = _block(e, index, sums_slot(e, job), place.sums_area.base, place.sums_slot, bits)
    size = packed_bytes(passes.m[index] * passes.n[index], bits)
    access = np.where(
        first[index],
        int(Access.WRITE),
        np.where(final[index], int(Access.READ), int(Access.ACCUMULATE)),
    )
    part = tuple(
        (
            low[index] if isinstance(low, np.ndarray) else low,
            extent[index] if isinstance(extent, np.ndarray) else extent,
        )
        for low, extent in region
    )
    tensor = SUMS + (instance if e.split_k else np.zeros_like(instance))
    assembler.operand(
        rows,
        tensor=tensor,
        memory=memory,
        address=address,
        span=span,
        bytes=size,
        access=access,
        format=FORMAT_INDEX[place.sum_format],
        region=part,
    )
    assembler.demand(rows, np.where(access != Access.WRITE, read, -1), size)
    assembler.demand(rows, np.where(access != Access.READ, write, -1), size)


def _outputs(e: MacEmitter, assembler: Assembler, region: Region) -> None:
    """Output codes, written by the passes that complete a sum in the output pipeline."""
    if not e.fused:
        return
    passes, place = e.passes, e.place
    index = np.flatnonzero(e.flags & Flag.FUSED)
    rows, job = e.rows.matmul[index], passes.job[index]
    instance = e.jobs.instance[job]
    bits = get(e.formats[2]).bits
    slot = out_slot(e, job)
    address, span = _block(e, index, slot, place.output_area.base, place.out_slot, bits)
    size = packed_bytes(passes.m[index] * passes.n[index], bits)
    part = tuple(
        (
            low[index] if isinstance(low, np.ndarray) else low,
            extent[index] if isinstance(extent, np.ndarray) else extent,
        )
        for low, extent in region
    )
    assembler.operand(
        rows,
        tensor=OUTPUT_MATRIX,
        memory=e.memories(e.array.output)[instance],
        address=address,
        span=span,
        bytes=size,
        access=Access.WRITE,
        format=FORMAT_INDEX[e.formats[2]],
        region=part,
    )
    assembler.demand(rows, e.write_ports(e.array.output)[instance], size)


def out_slot(e: MacEmitter, jobs: Ints) -> Ints:
    """Slot number of output codes of each job, lanes included."""
    turn = e.visits.slot[e.visits.of_job[jobs]]
    if e.place.output_lanes == 1:
        return turn
    return e.jobs.instance[jobs] * e.mapping.output_slots + turn
