"""The keystone: one Program is what all three readers read.

With validation off, altering any one MATMUL row changes exactly its own outputs, its own joules
and its own busy cycles. With validation on it is refused.
"""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import numpy as np
import pytest

from accelsim import load_chip
from accelsim.energy import account
from accelsim.errors import ProgramError
from accelsim.formats import get
from accelsim.mapping import Mapping, compile_program, plan
from accelsim.mapping.homes import OFF_CHIP, Homes, Stand
from accelsim.mapping.rooms import Room
from accelsim.mapping.tensors import tensor_formats
from accelsim.numerics.execute import execute
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program, Shapes
from accelsim.program.validate import validate
from accelsim.timing.engine import simulate
from accelsim.workload import Conv2d
from tests.mapping.random_cases import single
from tests.mapping.test_random_runs import network_for, random_values

CHIPS = ("int8_edge", "int4_edge")
FLOWS = ("output_stationary", "weight_stationary", "input_stationary")
SMALL = ["units.array.rows=4", "units.array.columns=4"]


def setting(name: str, flow: int, at_home: bool = False):
    """A convolution with edge tiles in every dimension, cut into several buffer tiles. at_home: its input and its
    output stand on chip."""
    chip = load_chip(name, [*SMALL, f"units.array.dataflow={FLOWS[flow]}"])
    op = Conv2d("op", "x", "w", "y", 1, 5, 6, 7, 10, (3, 3), padding=(1, 1, 1, 1))
    work = single(op)
    mapping = Mapping(flow, 1, 4, 7, 6, 27, "mnk")
    homes = homes_of_one(chip, work) if at_home else OFF_CHIP
    program = compile_program(chip, work, chosen=plan(chip, work, {"op": mapping}, homes))
    values = random_values(np.random.default_rng(3), op, chip)
    return chip, op, work, program, values


def homes_of_one(chip, work) -> Homes:
    """The input at the bottom of its buffer, read there, and the output at the bottom of its own."""
    formats = tensor_formats(work, chip)
    stands = {
        tensor: Stand(memory, 0, get(formats[tensor]).bytes_for(work.tensors[tensor].elements))
        for tensor, memory in (("x", "input_buffer"), ("y", "output_buffer"))
    }
    parts = tuple(
        (memory, span, chip.memories[memory].size - span) for memory, _, span in stands.values()
    )
    return Homes(stands, {"op": Room(parts, here=(0,), on_chip=(0, 2))})


def readings(chip, op, work, program: Program, values):
    x, w = values
    done = execute(program, work, chip, {"x": x}, network_for(op, chip, work, w))
    timeline = simulate(program, chip, "plain")
    unit = [row.name for row in program.units].index("array")
    busy = int(timeline.interval[program.commands.unit == unit].sum())
    energy = account(program, chip, timeline)
    dynamic = sum(row.joules for row in energy.rows if row.operator >= 0)
    return done.tensors["y"], busy, dynamic, timeline


def add_shape(program: Program, row: int, axis: int, extent: int) -> int:
    """A copy of the row's shape with one extent changed; returns its number."""
    old = int(program.commands.shape[row])
    columns = {}
    for item in fields(Shapes):
        column = getattr(program.shapes, item.name)
        columns[item.name] = np.concatenate([column, column[old : old + 1]])
    columns["extents"][-1, axis] = extent
    program.shapes = Shapes(**columns)
    return len(program.shapes.kind) - 1


def output_region(op, program: Program, row: int) -> np.ndarray:
    """Mask over the output tensor of the region that a MATMUL row adds to."""
    entry = int(program.operands.start[row]) + 2
    (g, m0, n0), (_, m, n) = (
        column[entry, :3] for column in (program.operands.offset, program.operands.extent)
    )
    mask = np.zeros((op.m, op.n), bool)
    mask[m0 : m0 + m, n0 : n0 + n] = True
    assert g == 0
    return mask.T.reshape(op.output_shape)


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("flow", range(3))
@pytest.mark.parametrize("at_home", [False, True])
def test_altering_one_row_changes_its_own_outputs_joules_and_cycles(
    name: str, flow: int, at_home: bool
) -> None:
    chip, op, work, program, values = setting(name, flow, at_home)
    validate(program, work)
    base_y, base_busy, base_joules, _ = readings(chip, op, work, program, values)
    rows = program.rows(Opcode.MATMUL)
    assert len(rows) > 20
    for row in rows[:: max(1, len(rows) // 25)].tolist():
        extents = program.shapes.extents[program.commands.shape[row]]
        for axis, size in ((0, "m"), (1, "n"), (2, "k")):
            if extents[axis] < 2:
                continue
            altered = copy.deepcopy(program)
            altered.commands.shape[row] = add_shape(altered, row, axis, int(extents[axis]) - 1)
            with pytest.raises(ProgramError):
                validate(altered, work)
            y, busy, joules, timeline = readings(chip, op, work, altered, values)
            own = output_region(op, program, row)
            assert np.array_equal(y[~own], base_y[~own]), (row, size)
            assert (y != base_y).any(), (row, size)
            array = chip.array
            kinds = [program.unit_kinds[k] for k in altered.shapes.kind]
            mine = [s for s, kind in enumerate(kinds) if kind == "array"]
            shapes = Shapes(*(getattr(altered.shapes, i.name)[mine] for i in fields(Shapes)))
            cost, acts = array.cost(shapes), array.actions(shapes)
            now, was = (
                mine.index(int(altered.commands.shape[row])),
                mine.index(int(program.commands.shape[row])),
            )
            period = altered.tick_hz // chip.clocks["core"]
            change = int(cost.interval[now] - cost.interval[was]) * period
            assert busy - base_busy == change, (row, size)
            from accelsim.energy.account import prices

            expected = sum(
                (acts[a][now] - acts[a][was]) * prices(chip)[0]["array", a].joules for a in acts
            )
            assert joules - base_joules == pytest.approx(expected, rel=1e-6), (row, size)
            assert expected != 0
            assert timeline.interval[row] == cost.interval[now] * period


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("flow", range(3))
@pytest.mark.parametrize("at_home", [False, True])
def test_moving_one_operand_changes_its_own_outputs_and_is_refused(
    name: str, flow: int, at_home: bool
) -> None:
    chip, op, work, program, values = setting(name, flow, at_home)
    base_y, *_ = readings(chip, op, work, program, values)
    for row in program.rows(Opcode.MATMUL)[::7].tolist():
        entry = int(program.operands.start[row])
        for which, axis in ((0, 2), (0, 1), (1, 1), (1, 2)):
            altered = copy.deepcopy(program)
            offset = altered.operands.offset[entry + which]
            offset[axis] += 1 if offset[axis] == 0 else -1
            with pytest.raises(ProgramError):
                validate(altered, work)
            limits = altered.operands.offset[entry, 2] + altered.operands.extent[entry, 2]
            if limits > op.k or (which == 1 and offset[1] + 1 > op.k):
                continue
            y, *_ = readings(chip, op, work, altered, values)
            own = output_region(op, program, row)
            if (which, axis) in ((0, 2), (1, 1)):  # another k range: the same outputs, other sums
                assert np.array_equal(y[~own], base_y[~own]), (row, which, axis)


def test_dropping_or_repeating_a_row_is_refused() -> None:
    chip, _, work, program, _ = setting("int8_edge", 1)
    rows = program.rows(Opcode.MATMUL)
    for row in rows[:: len(rows) // 8].tolist():
        dropped = copy.deepcopy(program)
        dropped.commands.opcode[row] = int(Opcode.VECTOR)
        with pytest.raises(ProgramError):
            validate(dropped, work)
        doubled = copy.deepcopy(program)
        other = int(rows[0]) if row != rows[0] else int(rows[1])
        entry, source = (int(doubled.operands.start[r]) for r in (row, other))
        for column in (doubled.operands.offset, doubled.operands.extent):
            column[entry : entry + 3] = column[source : source + 3]
        doubled.commands.shape[row] = doubled.commands.shape[other]
        with pytest.raises(ProgramError):
            validate(doubled, work)
    del chip


def test_unaltered_program_is_accepted_and_replaced_ports_matter() -> None:
    chip, _, work, program, _ = setting("int8_edge", 1)
    validate(program, work)
    slow = copy.deepcopy(program)
    slow.ports = tuple(replace(port, beat=port.beat * 3) for port in slow.ports)
    assert simulate(slow, chip, "plain").makespan > simulate(program, chip, "plain").makespan
