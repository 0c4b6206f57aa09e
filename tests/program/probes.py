"""Six small Programs of chips that do not exist yet, each with the times of its stub units.

Their makespans are worked out by hand in the comments; T is ticks. If one of them needed another
schema, the schema would be wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from accelsim.program.builder import After, Part, ProgramBuilder
from accelsim.program.opcodes import Edge, Flag, Opcode
from accelsim.program.table import Program
from accelsim.timing.costs import Times

WHOLE = Flag.FIRST_K | Flag.LAST_K
Stub = dict[str, tuple[int, int]]  # unit -> (interval, last) in ticks


@dataclass(frozen=True)
class Probe:
    """A Program, its times, and the makespan found by hand."""

    program: Program
    times: Times
    makespan: int


def probe(builder: ProgramBuilder, stub: Stub, makespan: int) -> Probe:
    program = builder.build()
    pairs = np.array([stub[program.units[u].name] for u in program.commands.unit.tolist()])
    interval, last = (column.astype(np.int64) for column in pairs.T)
    return Probe(program, Times(interval, last // 2, last), makespan)


def row_stationary() -> Probe:
    """A 3 x 3 convolution of a 4 x 6 image by two filters, one kernel row and output row a pass.

    DRAM 4 B every 10 T. Weights 18 B: 0..50, image rows 6 B each: ..70, ..90, ..110, ..130.
    A pass keeps its strip 15 T, its last sum leaves after 25. Output row 0: issues 70, 90, 110
    (each waits for its image row); output row 1: 125, 140, 155 (the array is busy; row 3 came at
    130). The last sum leaves at 180; storing 64 B takes 160: makespan 340.
    """
    b = ProgramBuilder()
    dma = b.unit("dma", (Opcode.LOAD, Opcode.STORE))
    strip = b.unit("strip", (Opcode.MATMUL,))
    dram, near = b.memory("dram", 4096), b.memory("scratch", 256)
    b.port("dram.port", 4, 10)
    op = b.operator("conv")
    x, w = b.tensor("x", (4, 6), role="input"), b.tensor("w", (1, 9, 2), role="weight")
    y = b.tensor("y", (1, 8, 2), "int32", operator=op, role="output")
    lowered = b.tensor("x", (1, 8, 9), view_of=x, view="lowered", operator=op)
    b.resident(Part(x, dram))
    b.resident(Part(w, dram, 64))
    b.resident(Part(y, dram, 128), at_start=False)
    weights = b.command(dma, Opcode.LOAD, reads=[Part(w, dram, 64)], writes=[Part(w, near, 32)])
    rows = [
        b.command(
            dma,
            Opcode.LOAD,
            reads=[Part(x, dram, 6 * r, ((r, 1), (0, 6)))],
            writes=[Part(x, near, 6 * r, ((r, 1), (0, 6)))],
        )
        for r in range(4)
    ]
    for out in range(2):
        for kernel in range(3):
            sums = Part(y, near, 64 + 32 * out, ((0, 1), (4 * out, 4), (0, 2)))
            flags = Flag.FIRST_K if kernel == 0 else Flag.LAST_K if kernel == 2 else Flag.NONE
            last = b.command(
                strip,
                Opcode.MATMUL,
                extents=(4, 2, 3, 3, out, kernel),
                operator=op,
                flags=flags,
                reads=[
                    Part(
                        lowered,
                        near,
                        6 * (out + kernel),
                        ((0, 1), (4 * out, 4), (3 * kernel, 3)),
                        span=6,
                    ),
                    Part(w, near, 32 + 6 * kernel, ((0, 1), (3 * kernel, 3), (0, 2))),
                ],
                writes=[sums] if kernel == 0 else [],
                accumulates=[sums] if kernel else [],
                after=[weights, rows[out + kernel]],
            )
    b.command(
        dma, Opcode.STORE, reads=[Part(y, near, 64)], writes=[Part(y, dram, 128)], after=[last]
    )
    return probe(b, {"dma": (0, 0), "strip": (15, 25)}, 340)


def shared_dram() -> Probe:
    """Two cores, one DRAM port of 8 B every 10 T, round robin in quanta of two beats.

    Core 0 loads x (32 B, multicast to both cores) then w0 (64 B), core 1 loads w1 (64 B).
    Quanta: x 0..20, w1 ..40, x ..60 (done), w1 ..80, w0 ..100, w1 ..120, w0 ..140, w1 ..160 (done),
    w0 ..180, ..200 (done). Products take 30 T, the last after 40: core 1 ends at 200, core 0 at 240.
    """
    b = ProgramBuilder()
    dmas = [b.unit(f"dma.{i}", (Opcode.LOAD,), kind="dma") for i in range(2)]
    arrays = [b.unit(f"array.{i}", (Opcode.MATMUL,), kind="array") for i in range(2)]
    dram = b.memory("dram", 4096)
    near = [b.memory(f"buffer.{i}", 256) for i in range(2)]
    b.port("dram.port", 8, 10, quantum=2)
    op = b.operator("gemm")
    x, w = b.tensor("x", (1, 4, 8), role="input"), b.tensor("w", (1, 8, 16), role="weight")
    y = b.tensor("y", (1, 4, 16), "int32", operator=op, role="output")
    b.resident(Part(x, dram))
    b.resident(Part(w, dram, 64))
    image = b.command(
        dmas[0], Opcode.LOAD, reads=[Part(x, dram)], writes=[Part(x, near[0]), Part(x, near[1])]
    )
    for core in range(2):
        half = ((0, 1), (0, 8), (8 * core, 8))
        load = b.command(
            dmas[core],
            Opcode.LOAD,
            reads=[Part(w, dram, 64, half, span=128)],
            writes=[Part(w, near[core], 32, half)],
        )
        b.command(
            arrays[core],
            Opcode.MATMUL,
            extents=(4, 8, 8),
            operator=op,
            flags=WHOLE,
            reads=[Part(x, near[core]), Part(w, near[core], 32, half)],
            writes=[Part(y, near[core], 96, ((0, 1), (0, 4), (8 * core, 8)))],
            after=[image, load],
        )
    stub = {"dma.0": (0, 0), "dma.1": (0, 0), "array.0": (30, 40), "array.1": (30, 40)}
    return probe(b, stub, 240)


def fused_pipeline() -> Probe:
    """Two layers on two arrays; the tensor between them lives in two slots on chip and is never
    stored. Layer 1 takes 20 T a tile (results after 30), layer 2 50 (60).

    Layer 1 tiles issue 0, 20; tile 2 needs slot 0 back: layer 2's tile 0 runs 30..80, so 80; tile
    3 needs slot 1: layer 2's tile 1 runs 80..130, so 130. Layer 2's tile 2 runs 130..180 and tile
    3 180..230; its results are out at 240.
    """
    b = ProgramBuilder()
    first, second = (b.unit(name, (Opcode.MATMUL,)) for name in ("layer1", "layer2"))
    near = b.memory("sram", 512)
    ops = [b.operator(name) for name in ("layer1", "layer2")]
    x = b.tensor("x", (1, 8, 4), role="input")
    w = [b.tensor(f"w{i}", (1, 4, 4), role="weight") for i in range(2)]
    h = b.tensor("h", (1, 8, 4), operator=ops[0])
    seen = b.tensor("h", (1, 8, 4), view_of=h, view="lowered", operator=ops[1])
    y = b.tensor("y", (1, 8, 4), operator=ops[1], role="output")
    b.resident(Part(x, near))
    for i in range(2):
        b.resident(Part(w[i], near, 32 + 16 * i))
    b.resident(Part(y, near, 96), at_start=False)
    uses: list[int] = []
    for tile in range(4):
        box = ((0, 1), (2 * tile, 2), (0, 4))
        slot = 64 + 8 * (tile % 2)
        made = b.command(
            first,
            Opcode.MATMUL,
            extents=(2, 4, 4),
            operator=ops[0],
            flags=WHOLE,
            reads=[Part(x, near, 8 * tile, box), Part(w[0], near, 32)],
            writes=[Part(h, near, slot, box)],
            after=[After(uses[tile - 2], Edge.SLOT)] if tile > 1 else [],
        )
        uses.append(
            b.command(
                second,
                Opcode.MATMUL,
                extents=(2, 4, 4),
                operator=ops[1],
                flags=WHOLE,
                request=tile,
                reads=[Part(seen, near, slot, box), Part(w[1], near, 48)],
                writes=[Part(y, near, 96 + 8 * tile, box)],
                after=[made],
            )
        )
    return probe(b, {"layer1": (20, 30), "layer2": (50, 60)}, 240)


def kv_cache() -> Probe:
    """Two decoding steps: append a key in place (a new version of the cache), then score the
    query against all keys so far. Appending takes 10 T (written after 12), scoring 20 (30).

    Append 0..10, written at 12; scores 12..32. The second append is free at 10 and touches other
    bytes: written at 22. The second scoring waits for the array: 32..52, its last score at 62.
    """
    b = ProgramBuilder()
    vector, array = b.unit("vector", (Opcode.VECTOR,)), b.unit("array", (Opcode.MATMUL,))
    near = b.memory("sram", 512)
    fresh = b.tensor("key", (2, 8), role="input")
    cache = b.tensor("cache", (5, 8))
    q = b.tensor("q", (1, 1, 8), role="input")
    b.resident(Part(fresh, near))
    b.resident(Part(q, near, 16))
    b.resident(Part(cache, near, 64, ((0, 3), (0, 8))), at_end=False)
    for step in range(2):
        op = b.operator(f"score{step}")
        length = 4 + step
        grown = b.tensor("cache", (5, 8), version=step + 1, view_of=cache)
        keys = b.tensor(
            "cache", (1, 8, length), version=step + 1, view_of=grown, view="matrix", operator=op
        )
        scores = b.tensor(f"scores{step}", (1, 1, length), "int32", operator=op, role="output")
        row = 3 + step
        append = b.command(
            vector,
            Opcode.VECTOR,
            extents=(8,),
            request=step,
            reads=[Part(fresh, near, 8 * step, ((step, 1), (0, 8)))],
            writes=[Part(grown, near, 64 + 8 * row, ((row, 1), (0, 8)))],
        )
        b.command(
            array,
            Opcode.MATMUL,
            extents=(1, length, 8),
            operator=op,
            flags=WHOLE,
            request=step,
            reads=[Part(q, near, 16), Part(keys, near, 64)],
            writes=[Part(scores, near, 256 + 64 * step)],
            after=[append],
        )
    return probe(b, {"vector": (10, 12), "array": (20, 30)}, 62)


def fp8_update() -> Probe:
    """A training step: FP8 weights are used, updated in place from an FP16 master copy, used again.

    The pass holds the weights 40 T (results after 60); the update waits for that release, not for
    the results: 40..65, written at 70; the next pass 70..110, its last result at 130.
    """
    b = ProgramBuilder()
    array, vector = b.unit("array", (Opcode.MATMUL,)), b.unit("vector", (Opcode.VECTOR,))
    near = b.memory("sram", 1024)
    ops = [b.operator(name) for name in ("forward0", "forward1")]
    x = b.tensor("x", (1, 4, 8), "fp8_152", role="input")
    w = b.tensor("w", (1, 8, 8), "fp8_152", role="weight")
    after = b.tensor("w", (1, 8, 8), "fp8_152", version=1, view_of=w, role="weight")
    master = b.tensor("master", (1, 8, 8), "fp16_169", role="weight")
    slope = b.tensor("slope", (1, 8, 8), "fp8_152", role="input")
    for part in (Part(x, near), Part(w, near, 32), Part(master, near, 128), Part(slope, near, 256)):
        b.resident(part)
    rows = []
    for step, weights in enumerate((w, after)):
        y = b.tensor(f"y{step}", (1, 4, 8), "fp16_169", operator=ops[step], role="output")
        rows.append(
            b.command(
                array,
                Opcode.MATMUL,
                extents=(4, 8, 8),
                operator=ops[step],
                flags=WHOLE,
                reads=[Part(x, near), Part(weights, near, 32)],
                writes=[Part(y, near, 320 + 64 * step)],
                after=[rows[-1]] if rows else [],
            )
        )
        if step == 0:
            rows.append(
                b.command(
                    vector,
                    Opcode.VECTOR,
                    extents=(64, 3),
                    reads=[Part(slope, near, 256)],
                    accumulates=[Part(master, near, 128)],
                    writes=[Part(after, near, 32)],
                    after=[After(rows[0], Edge.SLOT)],
                )
            )
    return probe(b, {"array": (40, 60), "vector": (25, 30)}, 130)


def into_pcm(programmed: bool = False) -> Probe:
    """A digital array's sums, requantised, cross a link of 8 B every 5 T into a PCM tile.

    Array 0..30, sums at 50; requantised 50..60, codes at 64; 16 B over the link 64..74; the tile
    integrates 100 T, its last converter is done after 120: 194. With the weights programmed first
    (1,000 T) the tile starts at 1,000 and ends at 1,120.
    """
    b = ProgramBuilder()
    array, vector = b.unit("array", (Opcode.MATMUL,)), b.unit("vector", (Opcode.REQUANTIZE,))
    link, tile = b.unit("link", (Opcode.TRANSFER,)), b.unit("tile", (Opcode.MVM,))
    pulse = b.unit("pulses", (Opcode.PROGRAM,))
    near, dac, cells = b.memory("sram", 512), b.memory("dac", 64), b.memory("cells", 256)
    hop = b.port("link", 8, 5)
    ops = [b.operator(name) for name in ("digital", "analog")]
    x, w = b.tensor("x", (1, 2, 4), role="input"), b.tensor("w", (1, 4, 8), role="weight")
    sums = b.tensor("sums", (1, 2, 8), "int32", operator=ops[0])
    codes = b.tensor("h", (1, 2, 8), operator=ops[0])
    seen = b.tensor("h", (1, 2, 8), view_of=codes, view="lowered", operator=ops[1])
    g = b.tensor("g", (1, 8, 4), role="weight")
    y = b.tensor("y", (1, 2, 4), "int32", operator=ops[1], role="output")
    b.resident(Part(x, near))
    b.resident(Part(w, near, 32))
    wait: list[int] = []
    if programmed:
        b.resident(Part(g, near, 64))
        wait = [
            b.command(
                pulse,
                Opcode.PROGRAM,
                extents=(8, 4),
                reads=[Part(g, near, 64)],
                writes=[Part(g, cells)],
            )
        ]
    else:
        b.resident(Part(g, cells))
    made = b.command(
        array,
        Opcode.MATMUL,
        extents=(2, 8, 4),
        operator=ops[0],
        flags=WHOLE,
        reads=[Part(x, near), Part(w, near, 32)],
        writes=[Part(sums, near, 128)],
    )
    small = b.command(
        vector,
        Opcode.REQUANTIZE,
        extents=(16, 16),
        operator=ops[0],
        reads=[Part(sums, near, 128)],
        writes=[Part(codes, near, 192)],
        after=[made],
    )
    sent = b.command(
        link,
        Opcode.TRANSFER,
        extents=(16,),
        operator=ops[0],
        reads=[Part(codes, near, 192)],
        writes=[Part(codes, dac)],
        after=[small],
        links={hop: 16},
    )
    b.command(
        tile,
        Opcode.MVM,
        extents=(2, 4, 8),
        operator=ops[1],
        flags=WHOLE,
        reads=[Part(seen, dac), Part(g, cells)],
        writes=[Part(y, near, 256)],
        after=[sent, *wait],
    )
    stub = {
        "array": (30, 50),
        "vector": (10, 14),
        "link": (0, 0),
        "tile": (100, 120),
        "pulses": (1000, 1000),
    }
    return probe(b, stub, 1120 if programmed else 194)


PROBES: dict[str, Callable[[], Probe]] = {
    "row_stationary": row_stationary,
    "shared_dram": shared_dram,
    "fused_pipeline": fused_pipeline,
    "kv_cache": kv_cache,
    "fp8_update": fp8_update,
    "into_pcm": into_pcm,
    "into_pcm_programmed": lambda: into_pcm(True),
}
