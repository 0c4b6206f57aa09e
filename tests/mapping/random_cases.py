"""Random small chips, operators and mappings, and an integer reference that shares no code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from accelsim.chip import Chip, Precision, Technology, Template
from accelsim.errors import InputError
from accelsim.mapping import Mapping, check_mapping, geometry_of
from accelsim.mapping.mapping import ORDERS, slots_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.units.dma import Dma
from accelsim.units.dram import Dram
from accelsim.units.link import Bus, Link, Ring, Switch
from accelsim.units.mac_array import Accumulator, MacArray, Rate
from accelsim.units.sram import Sram
from accelsim.units.vector_unit import VectorUnit
from accelsim.workload import Conv2d, Gemm, TensorSpec, Workload

FLOWS = ("output_stationary", "weight_stationary", "input_stationary")


def single(op: Gemm | Conv2d) -> Workload:
    """A workload of one operator."""
    tensors = {
        op.input: TensorSpec(op.input, op.input_shape, "input"),
        op.weight: TensorSpec(op.weight, op.weight_shape, "weight"),
        op.output: TensorSpec(op.output, op.output_shape, "output"),
    }
    return Workload("one", (op,), tensors)


def random_chip(rng: np.random.Generator, **fixed: object) -> Chip:
    """A chip with small buffers, so that tiling has to work."""
    pick = rng.choice
    precision = [("int8", "int8"), ("int4", "int4"), ("int8", "int4")][int(rng.integers(3))]
    rate = Rate(*precision, factor=int(pick([1, 2])), along=str(pick(["k", "n"])))  # type: ignore[arg-type]
    count = int(pick([1, 1, 1, 2, 3]))
    scope = str(pick(["shared", "private"])) if count > 1 else "shared"
    shared = rng.random() < 0.2
    names = ("buffer",) * 3 if shared else ("inputs", "weights", "outputs")
    ports, buffering = str(pick(["separate", "shared"])), str(pick(["single", "double"]))

    def sram(name: str) -> Sram:
        size = (
            int(pick([6144, 8192, 16384, 65536]))
            * (3 if shared else 1)
            * (count if scope == "shared" else 1)
        )
        return Sram(
            name,
            size,
            "fast" if rng.random() < 0.2 else "core",
            int(pick([1, 4])),
            int(pick([32, 64])),
            ports,
            buffering,
            scope,
            str(pick(["round_robin", "first_come", "priority"])),
            int(pick([2, 16])),
        )  # type: ignore[arg-type]

    memories: dict[str, Sram | Dram] = {name: sram(name) for name in dict.fromkeys(names)}
    memories["dram"] = Dram(
        "dram",
        float(pick([1e9, 8e9, 64e9])),
        "lpddr4",
        latency=float(pick([0.0, 50e-9])),
        burst=int(pick([16, 64])),
    )
    array = MacArray(
        "array",
        "core",
        int(pick([1, 2, 3, 4, 7, 8])),
        int(pick([1, 2, 3, 4, 5, 8])),
        *names,
        rates=(rate,),
        count=count,
        split=str(pick(["m", "n", "k"])),  # type: ignore[arg-type]
        dataflow=str(pick(FLOWS)),
        structure=str(pick(["systolic", "systolic", "broadcast"])),  # type: ignore[arg-type]
        dot=int(pick([1, 1, 2])),
        simd=int(pick([1, 1, 2])),
        accumulator=Accumulator(
            int(pick([32, 24, 16])),
            str(pick(["wrap", "saturate"])),  # type: ignore[arg-type]
            str(pick(["sram", "sram", "column"])),
            4096,
        ),  # type: ignore[arg-type]
        stationary_depth=int(pick([1, 2, 3])),
        hop_registers=int(pick([1, 1, 2])),
        bypass=bool(rng.random() < 0.3),
        zero_gating=bool(rng.random() < 0.3),
        fused_epilogue=bool(rng.random() < 0.7),
    )
    vector = VectorUnit("vector", "core", names[0], names[2], int(pick([4, 16])))
    if fixed:
        array = replace(array, **fixed)
    return Chip(
        "random",
        {"core": 10**9, "fast": 1_500_000_000},
        Technology(22e-9, 0.8, "horowitz_45nm"),
        memories,
        {"array": array, "vector": vector, "dma": Dma("dma", "core", "dram")},
        Precision(*precision),
    )


def random_operator(rng: np.random.Generator) -> Gemm | Conv2d:
    """A small gemm or convolution with padding, stride, dilation, groups and batch."""
    if rng.random() < 0.4:
        m, k, n = (int(rng.choice([1, 2, 3, 7, 13, 24])) for _ in range(3))
        groups = int(rng.choice([1, 1, 2]))
        return Gemm("op", "x", "w", "y", m, k, n, groups)
    groups = int(rng.choice([1, 1, 2, 3]))
    channels, filters = groups * int(rng.integers(1, 5)), groups * int(rng.integers(1, 7))
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilation = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    padding = tuple(int(rng.integers(0, min(3, reach[i % 2]))) for i in range(4))
    height, width = (int(rng.integers(reach[i], reach[i] + 8)) for i in (0, 1))
    return Conv2d(
        "op",
        "x",
        "w",
        "y",
        int(rng.integers(1, 4)),
        channels,
        height,
        width,
        filters,
        kernel,
        (int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        padding,
        dilation,
        groups,  # type: ignore[arg-type]
    )


def random_mapping(rng: np.random.Generator, chip: Chip, work: Workload) -> Mapping | None:
    """A legal mapping, or None when none was hit in a few throws."""
    op = work.operators[0]
    assert not hasattr(op, "inputs")
    geometry = geometry_of(op)  # type: ignore[arg-type]
    formats = (*operator_formats(op, chip), tensor_formats(work, chip)[op.output])  # type: ignore[arg-type]
    array = chip.array
    for _ in range(12):
        batch = int(rng.integers(1, geometry.batch + 1))
        height = geometry.out_height if batch > 1 else int(rng.integers(1, geometry.out_height + 1))
        wide = batch > 1 or height > 1
        width = geometry.out_width if wide else int(rng.integers(1, geometry.out_width + 1))
        keep_i, keep_w = rng.random(2) < 0.4
        mapping = Mapping(
            FLOWS.index(str(rng.choice(FLOWS))),
            batch,
            height,
            width,
            int(rng.integers(1, geometry.n + 1)),
            int(rng.integers(1, geometry.k + 1)),
            str(rng.choice(ORDERS)),
            bool(keep_i),
            bool(keep_w),
            slots_of(chip, array.input),
            slots_of(chip, array.weight),
            slots_of(chip, array.output),
            arrays=int(rng.integers(array.count + 1)),
        )  # type: ignore[arg-type]
        try:
            if not check_mapping(chip, geometry, mapping, formats, "op"):
                return mapping
        except InputError:
            continue
    return None


def reference_sums(op: Gemm | Conv2d, x: np.ndarray, w: np.ndarray, pad: int = 0) -> np.ndarray:
    """Exact sums by direct loops over the kernel, int64, in the output's own shape."""
    x, w = x.astype(np.int64), w.astype(np.int64)
    if isinstance(op, Gemm):
        return x @ w
    top, left, bottom, right = op.padding
    shape = (op.batch, op.channels, op.height + top + bottom, op.width + left + right)
    padded = np.full(shape, pad, np.int64)
    padded[:, :, top : top + op.height, left : left + op.width] = x
    out = np.zeros(op.output_shape, np.int64)
    per_in, per_out = op.channels // op.groups, op.filters // op.groups
    for f in range(op.filters):
        first = f // per_out * per_in
        for c in range(per_in):
            for i in range(op.kernel[0]):
                for j in range(op.kernel[1]):
                    r, s = i * op.dilation[0], j * op.dilation[1]
                    part = padded[
                        :,
                        first + c,
                        r : r + (op.out_height - 1) * op.stride[0] + 1 : op.stride[0],
                        s : s + (op.out_width - 1) * op.stride[1] + 1 : op.stride[1],
                    ]
                    out[:, f] += w[f, c, i, j] * part
    return out


def cored(
    chip: Chip, cores: int, own: tuple[str, ...] = ("vector", "dma"), link: Link | None = None
) -> Chip:
    """A chip of so many equal cores, each with the arrays and buffers of a chip without. own: other units that each
    has, too. link: what joins them with the memory off the chip."""
    inside = {"array", *own, *(name for name in chip.memories if name != "dram")}
    core = Template("core", cores)

    def name_of(name: str) -> str:
        return f"core.{name}" if name in inside else name

    def moved(item: Any) -> Any:
        keys = [key for key in ("input", "weight", "output") if hasattr(item, key)]
        named = {key: name_of(getattr(item, key)) for key in keys}
        return replace(item, name=name_of(item.name), **named)

    return replace(
        chip,
        memories={name_of(name): moved(memory) for name, memory in chip.memories.items()},
        units={name_of(name): moved(unit) for name, unit in chip.units.items()},
        templates={"core": core},
        links={} if link is None else {link.name: link},
    )


def random_cores(rng: np.random.Generator, **fixed: object) -> Chip:
    """Two to four equal cores with small buffers, which share what is off the chip, the vector unit or the DMA engine
    or neither, over links or without."""
    pick, nodes = rng.choice, ("core", "dram")
    width, hop = int(pick([32, 128])), int(pick([0, 1, 3]))
    links: list[Link | None] = [None, None]
    links += [
        Ring("ring", nodes, "fast", width, hop, bool(pick([True, False]))),
        Bus("bus", nodes, "core", width, hop, bool(pick([True, False]))),
        Switch("switch", nodes, "core", width, hop),
    ]
    own = tuple(name for name in ("vector", "dma") if rng.random() < 0.75)
    chip = random_chip(rng, **fixed)
    return cored(chip, int(pick([2, 3, 4])), own, links[int(rng.integers(len(links)))])
