"""A better part is not punished by the default mapping; more arrays are never slower; large kernels are met."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim import api
from accelsim.chip import Chip
from accelsim.mapping import Mapping, Plan, compile_program, plan
from accelsim.mapping.mapping import geometry_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.tilings.default import choose_mapping
from accelsim.mapping.tilings.setting import Task
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program
from accelsim.timing import simulate
from accelsim.units.dataflows import dataflow_named
from accelsim.workload import Conv2d, Gemm, Workload
from tests.mapping.better_parts import NAMED, pair, slower
from tests.mapping.random_cases import single


@pytest.mark.parametrize(
    "seed", [*range(21), *(pytest.param(s, marks=pytest.mark.full) for s in range(21, 220))]
)
def test_a_better_part_is_not_punished(seed: int) -> None:
    assert slower(pair(seed)) <= NAMED.get(seed, 1.01)


def cycles_of(chip: Chip, workload: Workload, chosen: Plan | None = None) -> float:
    timeline = simulate(compile_program(chip, workload, chosen=chosen), chip)
    return timeline.makespan * chip.clocks[chip.array.clock] / timeline.tick_hz


@pytest.mark.parametrize("name", ["small_cnn", pytest.param("resnet18", marks=pytest.mark.full)])
def test_more_arrays_are_never_slower(name: str) -> None:
    work, before = api.load_workload(name), float("inf")
    for count in (1, 4, 16, 64, 160):
        taken = cycles_of(api.load_chip("int8_edge", [f"units.array.count={count}"]), work)
        assert taken <= before
        before = taken


def test_eight_corelets_are_busy_where_the_memory_lets_them() -> None:
    chip = api.load_chip("ibm_quad_like", ["memories.dram.bandwidth=10 TB/s"])
    product = Gemm("product", "x", "w", "y", 4096, 4096, 4096)
    array = chip.array
    lanes = array.count * array.rows * array.columns * array.simd
    lanes *= array.rate(chip.precision.input, chip.precision.weight).factor
    assert 4096**3 / lanes / cycles_of(chip, single(product)) >= 0.85


def bytes_off_chip(program: Program, tensor: str) -> int:
    """Bytes of a tensor that LOADs and STOREs move off chip."""
    o, total = program.operands, 0
    moving = np.isin(program.commands.opcode, [int(Opcode.LOAD), int(Opcode.STORE)])
    for row in np.flatnonzero(moving):
        for at in range(o.start[row], o.start[row + 1]):
            far = program.memories[o.memory[at]].name == "dram"
            total += int(o.bytes[at]) * (far and program.tensors[o.tensor[at]].name == tensor)
    return total


def test_resnet18_reads_an_input_once() -> None:
    chip, work = api.load_chip("int8_edge"), api.load_workload("resnet18")
    program = compile_program(chip, work)
    own = program.operators.index("layer1_0_conv2")
    rows = np.flatnonzero(
        (program.commands.operator == own) & (program.commands.opcode == int(Opcode.LOAD))
    )
    o = program.operands
    read = [at for row in rows for at in range(o.start[row], o.start[row + 1])]
    far = [at for at in read if program.memories[o.memory[at]].name == "dram"]
    names = {at: program.tensors[o.tensor[at]].name for at in far}
    assert sum(int(o.bytes[at]) for at in far if names[at] == "layer1_0_conv1") == 200_704


def test_passes_are_of_full_height() -> None:
    chip, work = api.load_chip("int8_edge"), api.load_workload("small_cnn")
    program = compile_program(chip, work)
    c = program.commands
    own = (c.operator == program.operators.index("conv2")) & (c.opcode == int(Opcode.MATMUL))
    extents = program.shapes.extents[c.shape[own]]
    deep = program.operands.offset[program.operands.start[:-1][own], 2]
    assert len(set(deep.tolist())) == 5  # 144 products on 32 rows
    assert extents[:, 0].sum() == 5 * 64  # not eight passes of eighteen rows


#: of a convolution with a kernel of 56 x 56: the weights of a training step
GRADIENT = Conv2d("dw", "x", "d", "y", 64, 32, 56, 56, 64, (56, 56), (1, 1), (1, 1, 1, 1))


def test_a_weight_gradient_fetches_a_channel_once() -> None:
    chip, work = api.load_chip("fp8_64"), single(GRADIENT)
    program = compile_program(chip, work)
    timeline = simulate(program, chip)
    cycles = timeline.makespan * chip.clocks["core"] / timeline.tick_hz
    assert cycles <= 2.36e6
    moved = sum(bytes_off_chip(program, name) for name in ("x", "d", "y"))
    assert bytes_off_chip(program, "x") == 64 * 32 * 56 * 56
    assert moved <= 28.6e6


@pytest.mark.parametrize("dataflow", ["output_stationary", "input_stationary"])
def test_every_dataflow_cuts_a_large_kernel(dataflow: str) -> None:
    chip, work = api.load_chip("fp8_64"), single(GRADIENT)
    formats = (*operator_formats(GRADIENT, chip), tensor_formats(work, chip)["y"])
    task = Task(chip, geometry_of(GRADIENT), formats, "dw")
    mapping = choose_mapping(task, dataflow)
    assert mapping.dataflow == dataflow_named(dataflow).number and mapping.k < GRADIENT.k


def test_a_small_workload_is_timed_whatever_ran_before() -> None:
    chip, work = api.load_chip("int8_edge"), api.load_workload("digits_mlp", 4)
    first = plan(chip, work)
    plan(api.load_chip("int4_edge"), api.load_workload("small_cnn"))
    assert plan(chip, work) == first
    names = [name for name, mapping in first.mappings.items() if isinstance(mapping, Mapping)]
    assert names
