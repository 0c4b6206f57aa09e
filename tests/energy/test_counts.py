"""Counts once, prices many times: the same bits as charging the Program anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.energy import account, charge, counts_of, family_spread, spread, work_of
from accelsim.energy.joules import EnergyReport
from accelsim.mapping.compile import compile_program
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program
from accelsim.timing import Timeline, simulate

CONSTANT = (
    "technology.constants=[{key: array/mac_int8_int8, value: 1 pJ, source: measured, "
    "confidence: src}]"
)
#: chip, changes that touch prices only
CHANGES = (
    ("int8_edge", CONSTANT),
    ("int8_edge", "technology.voltage=0.9 V"),
    ("int8_edge", 'technology.family="yin_16nm"'),
    ("mixed_quad", "technology.node=32 nm"),
    ("int8_edge", "memories.dram.background=3 mW"),
    ("pcm_8level", "units.tiles.adc.bits=9"),
)


@pytest.fixture(params=["plain", "compiled"])
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    with jit.only(request.param):
        yield


def made(chip: accelsim.Chip, workload: str = "small_cnn") -> tuple[Program, Timeline]:
    program = compile_program(chip, accelsim.load_workload(workload))
    return program, simulate(program, chip)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_new_prices_on_old_counts(name: str, change: str) -> None:
    """Charging the counts of one chip at another's prices is accounting for the other chip."""
    if "yin" in change:
        change = "technology.family=" + accelsim.energy.families()[-1]
    chip, other = accelsim.load_chip(name), accelsim.load_chip(name, [change])
    program, timeline = made(chip)
    counts = counts_of(work_of(program, timeline), chip)
    new, old = account(program, other, timeline), account(program, chip, timeline)
    assert charge(counts, other).rows == new.rows
    assert new.rows != old.rows
    assert spread(counts, other) == family_spread(program, other, timeline)
    assert charge(counts, other).total == new.total != old.total


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", ["int8_edge", "mixed_quad", "pcm_8level"])
def test_work_is_what_the_table_says(name: str) -> None:
    """Executions and bits by operator, against a walk over the rows."""
    chip = accelsim.load_chip(name)
    program, timeline = made(chip)
    work = work_of(program, timeline)
    runs, read, written = (np.zeros_like(part) for part in (work.runs, work.read, work.written))
    o, c = program.operands, program.commands
    names = [re.sub(r"\.[0-9]+", "", memory.name) for memory in program.memories]
    assert set(work.memories) == set(names)
    home = [work.memories.index(name) for name in names]
    for row in range(len(program)):
        owner = int(c.operator[row]) + 1
        runs[owner, c.shape[row]] += 1
        for entry in range(int(o.start[row]), int(o.start[row + 1])):
            read[home[o.memory[entry]], owner] += 8 * o.bytes[entry] * (o.access[entry] != 1)
            written[home[o.memory[entry]], owner] += 8 * o.bytes[entry] * (o.access[entry] != 0)
    assert (
        (work.runs == runs).all() and (work.read == read).all() and (work.written == written).all()
    )


def test_values_reach_the_counts() -> None:
    """Gated products and the charge that cells drew, as account() takes them."""
    chip = accelsim.load_chip("int8_edge", ["units.array.zero_gating=true"])
    program, timeline = made(chip)
    zeros = np.where(program.commands.opcode == Opcode.MATMUL, 5.0, 0.0)
    activity = {"zero_products": zeros}
    counts = counts_of(work_of(program, timeline, activity), chip)
    assert charge(counts, chip).rows == account(program, chip, timeline, activity).rows
    assert (
        sum(row.count for row in charge(counts, chip).rows if "gated" in row.action) == zeros.sum()
    )
    chip = accelsim.load_chip("pcm_8level")
    program, timeline = made(chip)
    drawn = np.where(program.commands.opcode == Opcode.MVM, 1e-12, 0.0)
    counts = counts_of(work_of(program, timeline, {"cell_charge": drawn}), chip)
    found = sum(row.count for row in charge(counts, chip).rows if row.action == "cell_charge")
    assert found == pytest.approx(drawn.sum(), rel=1e-9, abs=0.0)


def test_charges_and_rows_are_one_report() -> None:
    chip = accelsim.load_chip("int8_edge")
    program, timeline = made(chip)
    by_action = charge(counts_of(work_of(program, timeline), chip), chip)
    by_row = EnergyReport(list(account(program, chip, timeline).rows))
    for name in ("device", "core", "chip"):
        assert by_action.boundary(name) == by_row.boundary(name)
        assert by_action.band_of(name) == by_row.band_of(name)
    for names in (("operator",), ("unit", "action"), ("boundary",), ("source", "operator"), ()):
        assert by_action.by(*names) == by_row.by(*names)
    assert by_action.macs() == by_row.macs() > 0
    assert by_action.rows == by_row.rows
