"""LOAD commands of a MAC operator: input tiles or pieces, weight tiles, spilled partial sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX, get
from accelsim.mapping.assemble import Assembler
from accelsim.mapping.jobs import Fetches
from accelsim.mapping.placement import Area
from accelsim.mapping.shapes import ShapeRows
from accelsim.program.opcodes import Access, Edge, Opcode

if TYPE_CHECKING:
    from accelsim.mapping.emit_mac import MacEmitter

Ints = NDArray[np.int64]
INPUT, WEIGHT_MATRIX = 0, 3
Region = tuple[tuple[Ints | int, Ints | int], ...]


def emit_loads(e: MacEmitter, assembler: Assembler, shapes: ShapeRows) -> None:
    """Emit every LOAD of the operator into the assembler."""
    _inputs(e, assembler, shapes)
    if e.cold:
        _weights(e, assembler, shapes)


def transfer(
    e: MacEmitter,
    assembler: Assembler,
    shapes: ShapeRows,
    rows: Ints,
    *,
    opcode: int,
    channel: str,
    bytes: Ints,
    format: str,
    tensor: Ints | int,
    region: Region,
    near: list[tuple[Ints, Ints, Ints, Ints]],
    far_span: Ints | int,
    far: Ints | int = 0,
) -> None:
    """A DMA command on each row between the off-chip memory and buffers.

    near: one (memory, port, address, span) set of columns for each buffer it touches. far,
    far_span: footprint off chip, relative to the tensor.
    """
    machine, dma = e.machine, e.chip.dma
    dram = machine.memory_index[dma.memory]
    number = FORMAT_INDEX[format]
    shape = shapes.unique(machine.kind_index[dma.name], opcode, (number, -1, -1), (bytes,))
    assembler.command(rows, opcode, machine.unit_index[f"{dma.name}.{channel}"], shape)
    load = opcode == Opcode.LOAD

    def off_chip() -> None:
        assembler.operand(
            rows,
            tensor=tensor,
            memory=dram,
            address=far,
            span=far_span,
            bytes=bytes,
            access=Access.READ if load else Access.WRITE,
            format=number,
            region=region,
        )

    if load:
        off_chip()
    for memory, port, address, span in near:
        assembler.operand(
            rows,
            tensor=tensor,
            memory=memory,
            address=address,
            span=span,
            bytes=bytes,
            access=Access.WRITE if load else Access.READ,
            format=number,
            region=region,
        )
        assembler.demand(rows, port, bytes)
    if not load:
        off_chip()
    port_of = machine.read_port if load else machine.write_port
    assembler.demand(rows, port_of(dma.memory), bytes)


def slot_edges(
    e: MacEmitter, assembler: Assembler, rows: Ints, fetches: Fetches, readers: Ints
) -> None:
    """Each fetch waits until the readers of the slot's last tile, on all instances, are done."""
    for reader in readers:
        assembler.depend(rows, np.where(fetches.before >= 0, reader[fetches.before], -1), Edge.SLOT)


def _near(
    e: MacEmitter,
    name: str,
    split: bool,
    area: Area,
    fetches: Fetches,
    slots: int,
    slot_bytes: int,
    offset: Ints | None,
    span: Ints,
) -> tuple[list[tuple[Ints, Ints, Ints, Ints]], Ints]:
    """Destinations of the fetches in a buffer, and the lane of each inside its memory."""
    memories, ports = e.memories(name), e.write_ports(name)
    private = e.private(name)
    lane = np.zeros(len(fetches), np.int64) if private else fetches.lane
    address = area.base + (
        offset if offset is not None else (lane * slots + fetches.slot) * slot_bytes
    )
    if private and not split:
        return [
            (np.full(len(fetches), m), np.full(len(fetches), p), address, span)
            for m, p in zip(memories, ports, strict=True)
        ], lane
    owner = fetches.lane if private else np.zeros(len(fetches), np.int64)
    return [(memories[owner], ports[owner], address, span)], lane


def _inputs(e: MacEmitter, assembler: Assembler, shapes: ShapeRows) -> None:
    place, geometry, fetches, rows = e.place, e.geometry, e.inputs, e.rows.input_load
    job = fetches.job
    group, tile_m, tile_k = e.jobs.group[job], e.jobs.m[job], e.jobs.k[job]
    m, k = place.m, place.k
    row0, row1 = m.row0[tile_m], m.row1[tile_m]
    column0, column1 = m.column0[tile_m], m.column1[tile_m]
    if place.pieces is not None:
        tile_m = e.input_keys % e.counts["m"]
        row0, row1 = place.pieces.row0[tile_m], m.row1[tile_m]
        column0, column1 = np.zeros_like(row0), np.full_like(row0, geometry.in_width)
        size = place.pieces.bytes[tile_k, tile_m]
        offset = group * place.pieces.total + place.pieces.offset[tile_k, tile_m]
        span = size
    else:
        size, offset = place.boxes[tile_m, tile_k], None
        span = np.full_like(size, place.input_slot)
    channel = group * geometry.channels + k.channel0[tile_k]
    if geometry.rank == 4:
        region: Region = (
            (m.batch0[tile_m], m.images[tile_m]),
            (channel, k.channels[tile_k]),
            (row0, row1 - row0),
            (column0, column1 - column0),
        )
    elif geometry.rank == 2:
        region = ((row0, row1 - row0), (channel, k.channels[tile_k]))
    else:
        region = ((group, 1), (row0, row1 - row0), (k.channel0[tile_k], k.channels[tile_k]))
    total = geometry.groups * geometry.batch * geometry.channels
    total *= geometry.in_height * geometry.in_width
    near, lane = _near(
        e,
        e.array.input,
        place.input_split,
        place.input_area,
        fetches,
        e.mapping.input_slots,
        place.input_slot,
        offset,
        span,
    )
    transfer(
        e,
        assembler,
        shapes,
        rows,
        opcode=Opcode.LOAD,
        channel="input",
        bytes=size,
        format=e.formats[0],
        tensor=INPUT,
        region=region,
        near=near,
        far_span=get(e.formats[0]).bytes_for(total),
    )
    stationary = e.dataflow.stationary == "input"
    readers = e.readers(fetches, e.rows.last_preload if stationary else e.rows.last_matmul)
    if place.pieces is None:
        slot_edges(e, assembler, rows, fetches, readers)
    for memory, _, _, _ in near:
        if place.pieces is None:
            e.occupy(
                place.input_area,
                lane,
                fetches.slot,
                e.mapping.input_slots,
                place.input_slot,
                rows,
                memory,
                readers,
            )
        else:
            for where in sorted(set(memory.tolist())):
                mine = memory == where
                e.occupy_whole(place.input_area, int(rows[mine].min()), where, readers[:, mine])


def _weights(e: MacEmitter, assembler: Assembler, shapes: ShapeRows) -> None:
    place, fetches, rows = e.place, e.weights, e.rows.weight_load
    job = fetches.job
    group, tile_n, tile_k = e.jobs.group[job], e.jobs.n[job], e.jobs.k[job]
    size = e.weight_tile_bytes[tile_k, tile_n]
    resident = e.mapping.weight_resident
    offset = None
    span = np.full_like(size, place.weight_slot)
    if resident:
        offset = group * e.weight_group_bytes + e.weight_tile_offset[tile_k, tile_n]
        span = size
    region = (
        (group, 1),
        (place.k.first[tile_k], place.k.size[tile_k]),
        (place.n_first[tile_n], place.n_size[tile_n]),
    )
    total = e.geometry.groups * e.geometry.k * e.geometry.n
    near, lane = _near(
        e,
        e.array.weight,
        place.weight_split,
        place.weight_area,
        fetches,
        e.mapping.weight_slots,
        place.weight_slot,
        offset,
        span,
    )
    transfer(
        e,
        assembler,
        shapes,
        rows,
        opcode=Opcode.LOAD,
        channel="weight",
        bytes=size,
        format=e.formats[1],
        tensor=WEIGHT_MATRIX,
        region=region,
        near=near,
        far_span=get(e.formats[1]).bytes_for(total),
    )
    stationary = e.dataflow.stationary == "weight"
    readers = e.readers(fetches, e.rows.last_preload if stationary else e.rows.last_matmul)
    if not resident:
        slot_edges(e, assembler, rows, fetches, readers)
    for memory, _, _, _ in near:
        if not resident:
            e.occupy(
                place.weight_area,
                lane,
                fetches.slot,
                e.mapping.weight_slots,
                place.weight_slot,
                rows,
                memory,
                readers,
            )
        else:
            for where in sorted(set(memory.tolist())):
                mine = memory == where
                e.occupy_whole(place.weight_area, int(rows[mine].min()), where, readers[:, mine])
