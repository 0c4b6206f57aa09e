"""The engine's issue times of a compiled Program, replayed on the register-transfer model.

The edges that the mapper puts between PRELOADs and MATMULs (data, slot with its lag, one unit at
a time, one exit row) must be enough for the hardware to compute the right bits.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.config import load_chip, load_workload
from accelsim.mapping.compile import compile_program
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program
from accelsim.rtl.schedule import TilePass
from accelsim.timing import simulate as run_engine
from accelsim.timing.costs import command_times
from accelsim.units.dataflows import dataflow_named
from tests.arrays.runs import INT8, NAMES, agree, simulate, tiles
from tests.rtl.icarus import Case

Ints = NDArray[np.int64]
CHIP = Path(__file__).parents[2] / "configs" / "chips" / "int8_edge.yaml"
TRACE = "name: small\ninputs: {x: [11, 23]}\noperators: [{name: g, kind: gemm, input: x, n: 13}]\n"


def _chip(flow: str, depth: int, hop: int, bypass: bool) -> Chip:
    array = {
        "rows": 5,
        "columns": 4,
        "dataflow": flow,
        "stationary_depth": depth,
        "hop_registers": hop,
        "bypass": str(bypass).lower(),
        "epilogue_latency": 0,
    }
    # memory that never holds the array up
    fast = ["memories.dram.bandwidth=100 TB/s"] + [
        f"memories.{name}_buffer.width=8192 bit" for name in ("input", "weight", "output")
    ]
    return load_chip(CHIP, [f"units.array.{key}={value}" for key, value in array.items()] + fast)


def _operand(program: Program, row: int, which: int) -> tuple[slice, slice]:
    """The two last used dimensions of an operand's region, (group, rows, columns)."""
    entry = int(program.operands.start[row]) + which
    offset, extent = program.operands.offset[entry], program.operands.extent[entry]
    return slice(offset[1], offset[1] + extent[1]), slice(offset[2], offset[2] + extent[2])


def _passes(program: Program, issue: Ints, a: Ints, b: Ints, held: int) -> list[TilePass]:
    """MATMULs of the Program with the cycles they and their PRELOADs start at. held: operand of
    a MATMUL that is stationary, -1 for none."""
    passes: list[TilePass] = []
    preload: dict[int, int] = {}  # register address -> cycle of a PRELOAD not yet used
    slots: dict[int, int] = {}
    for row in range(len(program)):
        opcode, cycle = program.commands.opcode[row], int(issue[row])
        first = int(program.operands.start[row])
        if opcode == Opcode.PRELOAD:
            address = int(program.operands.address[first + 1])
            slots.setdefault(address, len(slots))
            preload[address] = cycle
        if opcode == Opcode.MATMUL:
            left = a[_operand(program, row, 0)]
            top = b[_operand(program, row, 1)]
            address = int(program.operands.address[first + held]) if held >= 0 else 0
            passes.append(
                TilePass(left, top, cycle, preload.pop(address, -1), slots.get(address, 0))
            )
    return passes


@pytest.mark.parametrize("flow", NAMES)
def test_the_programs_schedule_computes_the_right_bits(flow: str, tmp_path: Path) -> None:
    trace = tmp_path / "small.yaml"
    trace.write_text(TRACE)
    workload = load_workload(trace)
    ((a, b),) = tiles(INT8, [(11, 23, 13)], 9)
    for depth, hop, bypass in itertools.product((1, 2), (1, 3), (False, True)):
        chip = _chip(flow, depth, hop, bypass)
        program = compile_program(chip, workload)
        timeline = run_engine(program, chip)
        unit = program.commands.unit[program.rows(Opcode.MATMUL)[0]]
        period = program.units[unit].period
        number = dataflow_named(flow).number
        held = {"none": -1, "weight": 1, "input": 0}[dataflow_named(flow).stays]
        passes = _passes(program, -(-timeline.issue // period), a, b, held)
        assert len(passes) >= 9
        assert all(one.preload >= 0 for one in passes) == (held >= 0)
        case = Case(chip.array, number, INT8, passes)
        traces = simulate(case)
        assert agree(case, traces), f"{flow} depth {depth} hop {hop} bypass {bypass}"
        times = command_times(program, chip)
        rows = program.rows(Opcode.MATMUL)
        assert [trace.first * period for trace in traces] == times.first[rows].tolist()
        assert [trace.last * period for trace in traces] == times.last[rows].tolist()
