"""Off-chip bytes are whole bursts of contiguous pieces: against every element's own address."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import accelsim
from accelsim.energy import counts_of, work_of
from accelsim.formats import FORMAT_NAMES, get
from accelsim.mapping import Mapping
from accelsim.mapping.compile import compile_program
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program
from accelsim.timing import simulate
from accelsim.units.dataflows import dataflow_named
from accelsim.units.dram import bursts_touched
from accelsim.workload import Conv2d, Gemm, Workload

ORDERS = {2: (1, 0), 3: (0, 2, 1), 4: (0, 2, 3, 1)}


def runs_in_bursts(where: NDArray[np.int64], bits: int, burst: int) -> int:
    """Bursts of all runs of neighbours among element places, every run for itself."""
    low = np.sort(where.ravel())
    breaks = np.flatnonzero(np.diff(low) != 1)
    first, last = low[np.r_[0, breaks + 1]], low[np.r_[breaks, len(low) - 1]]
    return int(((last * bits + bits - 1) // (8 * burst) - first * bits // (8 * burst) + 1).sum())


def elements(
    program: Program, workload: Workload, tensor: int, offset: Any, extent: Any
) -> tuple[Any, tuple[int, ...]]:
    """(numbers of a region's elements in its tensor, that tensor's shape), by views of an array."""
    row = program.tensors[tensor]
    root = tensor
    while program.tensors[root].view_of >= 0:
        root = program.tensors[root].view_of
    shape = program.tensors[root].shape
    table = np.arange(int(np.prod(shape))).reshape(shape)
    op = workload.operators[row.operator] if row.operator >= 0 else None
    if row.view == "matrix" and isinstance(op, Conv2d):  # (n, channels, h, w) to (group, m, filter)
        batch, channels, height, width = shape
        split = table.reshape(batch, op.groups, channels // op.groups, height * width)
        table = split.transpose(1, 0, 3, 2).reshape(op.groups, -1, channels // op.groups)
    elif row.view == "weight" and isinstance(op, Gemm | Conv2d):
        filters_first = isinstance(op, Conv2d) is not op.weight_transposed
        lies = (op.groups, op.n, op.k) if filters_first else (op.groups, op.k, op.n)
        table = table.reshape(lies)
        table = table.transpose(0, 2, 1) if filters_first else table
    else:
        table = table.reshape(row.shape)
    return table[tuple(slice(o, o + e) for o, e in zip(offset, extent, strict=False))], shape


def checked(program: Program, chip: accelsim.Chip, workload: Workload) -> int:
    """Hold every off-chip operand against the addresses of its elements; how many there were."""
    o, burst = program.operands, chip.dram.burst
    far = np.flatnonzero(o.memory == [row.name for row in program.memories].index(chip.dma.memory))
    found: dict[int, list[tuple[int, int, int]]] = {}
    for entry in far.tolist():
        tensor = int(o.tensor[entry])
        row, bits = program.tensors[tensor], get(FORMAT_NAMES[int(o.format[entry])]).bits
        size = int(np.prod(o.extent[entry]))
        if row.view == "sums" or (row.view == "weight" and row.view_of < 0):
            assert o.bytes[entry] == -(-(size * bits) // (8 * burst)) * burst
            continue
        rank = len(row.shape)
        where, shape = elements(
            program, workload, tensor, o.offset[entry][:rank], o.extent[entry][:rank]
        )
        assert where.size == size
        other = where
        if len(shape) in ORDERS:
            axes = ORDERS[len(shape)]
            place = np.unravel_index(where, shape)
            other = np.ravel_multi_index([place[a] for a in axes], [shape[a] for a in axes])
        root = tensor
        while program.tensors[root].view_of >= 0:
            root = program.tensors[root].view_of
        found.setdefault(root, []).append(
            (
                entry,
                runs_in_bursts(where, bits, burst),
                runs_in_bursts(np.asarray(other), bits, burst),
            )
        )
    for root, parts in found.items():
        turned = all(
            row.view in ("", "matrix", "weight", "lowered")
            for row in program.tensors
            if _root(program, row) == root
        )
        first, second = (sum(part[side] for part in parts) for side in (1, 2))
        for entry, plain, other in parts:
            assert o.bytes[entry] == burst * (other if turned and second < first else plain), (
                root,
                entry,
            )
    return len(far)


def _root(program: Program, row: Any) -> int:
    number = next(i for i, item in enumerate(program.tensors) if item is row)
    while program.tensors[number].view_of >= 0:
        number = program.tensors[number].view_of
    return number


@pytest.mark.parametrize(
    ("chip", "work"),
    [
        ("int8_edge", "small_gemm"),
        ("int8_edge", "small_cnn"),
        ("int4_edge", "small_cnn"),
        ("mixed_quad", "small_cnn"),
        ("pcm_8level", "digits_cnn"),
        ("fp8_64", "digits_residual"),
    ],
)
def test_bytes_are_those_of_the_elements_own_bursts(chip: str, work: str) -> None:
    this, workload = accelsim.load_chip(chip), accelsim.load_workload(work)
    assert checked(compile_program(this, workload), this, workload) > 0


@settings(max_examples=15, deadline=None)
@given(
    batch=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 4]),
    deep=st.integers(1, 9),
    height=st.integers(3, 19),
    width=st.integers(3, 40),
    filters=st.integers(1, 12),
    kernel=st.sampled_from([1, 3]),
    burst=st.sampled_from([16, 64, 256]),
)
def test_of_any_convolution(
    batch: int,
    groups: int,
    deep: int,
    height: int,
    width: int,
    filters: int,
    kernel: int,
    burst: int,
) -> None:
    op = Conv2d(
        "conv",
        "x",
        "w",
        "y",
        batch,
        groups * deep,
        height,
        width,
        groups * filters,
        (kernel, kernel),
        padding=(kernel // 2,) * 4,
        groups=groups,
    )
    shapes = {
        "x": ((batch, groups * deep, height, width), "input"),
        "y": (op.output_shape, "output"),
        "w": ((groups * filters, deep, kernel, kernel), "weight"),
    }
    specs = {
        name: accelsim.workload.TensorSpec(name, shape, role)
        for name, (shape, role) in shapes.items()
    }
    workload = Workload("one", (op,), specs)
    chip = accelsim.load_chip(
        "int8_edge",
        [
            f"memories.dram.burst={burst} B",
            "memories.input_buffer.size=2 KiB",
            "memories.output_buffer.size=4 KiB",
        ],
    )
    assert checked(compile_program(chip, workload), chip, workload) > 0


@given(
    start=st.integers(0, 10**6),
    length=st.integers(1, 5000),
    count=st.integers(1, 300),
    pitch=st.integers(0, 10**6),
    burst=st.integers(1, 4096),
)
def test_the_closed_form_counts_pieces_one_by_one(
    start: int, length: int, count: int, pitch: int, burst: int
) -> None:
    one_by_one = sum(
        (start + i * pitch + length - 1) // burst - (start + i * pitch) // burst + 1
        for i in range(count)
    )
    assert bursts_touched(start, length, count, pitch, burst) == one_by_one


def test_four_channels_of_280_bytes() -> None:
    """ResNet-18's 5 rows of 56 codes in each of 4 channels: 1,120 bytes fill 17.5 bursts of 64, but each
    channel's 280 touch five, or six where they begin late in one; never the 18 of one piece."""
    chip, workload = accelsim.load_chip("int8_edge"), accelsim.load_workload("resnet18")
    mapping = Mapping(dataflow_named("weight_stationary").number, 1, 3, 56, 64, 36)
    program = compile_program(chip, workload, {"layer1_0_conv2": mapping})
    o = program.operands
    far = o.memory == [row.name for row in program.memories].index("dram")
    tiles = np.flatnonzero(far & (o.extent == [1, 4, 5, 56]).all(axis=1))
    assert len(tiles) > 10
    assert set((o.bytes[tiles] // 64).tolist()) <= {20, 21, 22, 23, 24}
    for entry in tiles.tolist():
        _, channel, row, _ = o.offset[entry].tolist()
        starts = [(c * 56 + row) * 56 for c in range(channel, channel + 4)]
        assert o.bytes[entry] == 64 * sum((s + 279) // 64 - s // 64 + 1 for s in starts)


def test_time_energy_and_bytes_are_the_same_bursts() -> None:
    """Port ticks, bits charged and operands' bytes of every transfer; useful bytes go on to the buffers."""
    chip, workload = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn")
    program = compile_program(chip, workload)
    timeline = simulate(program, chip)
    o, names = program.operands, [row.name for row in program.memories]
    far = o.memory == names.index("dram")
    assert (o.bytes[far] % 64 == 0).all()
    port = [row.name for row in program.ports].index("dram.port")
    beat = program.ports[port].beat
    assert timeline.port_busy[port] == int(o.bytes[far].sum()) // 64 * beat
    counts = counts_of(work_of(program, timeline), chip)
    moved = {(name, action): float(bits.sum()) for name, action, bits in counts.moved}
    assert moved["dram", "read_bit"] + moved["dram", "write_bit"] == 8 * o.bytes[far].sum()
    bus = next(float(total.sum()) for unit, action, total in counts.actions if action == "bus_bits")
    near = ~far & np.isin(
        np.repeat(program.commands.opcode, np.diff(o.start)), (Opcode.LOAD, Opcode.STORE)
    )
    assert bus == 8 * o.bytes[near].sum() < moved["dram", "read_bit"] + moved["dram", "write_bit"]


@pytest.mark.parametrize(
    ("chip", "work"),
    [("int8_edge", "small_gemm"), ("fp8_64", "small_gemm"), ("pcm_8level", "small_gemm")],
)
def test_sums_that_are_kept_are_not_requantised(chip: str, work: str) -> None:
    """The network's output stays in the accumulator's format: no multiply-add for its 3,072 elements."""
    result = accelsim.run(accelsim.load_chip(chip), accelsim.load_workload(work))
    assert not [row for row in result.energy.rows if row.action == "requantize" and row.count]


def test_codes_are_requantised_one_by_one() -> None:
    """small_cnn: 16 x 32 x 32 and 32 x 8 x 8 codes; its ten outputs stay sums."""
    result = accelsim.run(accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn"))
    count = sum(row.count for row in result.energy.rows if row.action == "requantize")
    assert count == 16 * 32 * 32 + 32 * 8 * 8
