"""Vectors that crossbars read again lengthen their own commands, and no others."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np

import accelsim
from accelsim.mapping.compile import compile_program
from accelsim.program.opcodes import Opcode
from accelsim.timing.costs import command_times


def test_a_command_lasts_as_many_vectors_more() -> None:
    """II (m + repeated) busy; the last result II (m + repeated - 1) behind the first; what is stated of repeats
    does not count where they were seen."""
    sets = ["units.tiles.drive.retries=2", "units.tiles.drive.repeats=0.5"]
    chip = accelsim.load_chip("pcm_8level", sets)
    program = compile_program(chip, accelsim.load_workload("digits_mlp", batch=3))
    assert chip.crossbar is not None
    tiles = chip.unit_of_kind(chip.crossbar.name)
    clock = chip.clocks[tiles.clock]
    cycle = Fraction(program.tick_hz, clock)
    rows = np.flatnonzero(program.commands.opcode == Opcode.MVM)
    column = np.zeros(len(program))
    column[rows[::2]] = np.arange(len(rows[::2])) + 1
    plain = command_times(program, chip, {"repeated": np.zeros(len(program))})
    found = command_times(program, chip, {"repeated": column})
    stated, without = command_times(program, chip), command_times(program, chip, {"other": column})
    m = program.shapes.extents[program.commands.shape[rows], 0]
    period = int(max(1, ceil(chip.crossbar.interval_seconds * clock - 1e-6)) * cycle)
    assert (plain.interval[rows] == m * period).all()
    assert (plain.last[rows] - plain.first[rows] == period * (m - 1)).all()
    assert (stated.interval[rows] == (m + np.ceil(0.5 * m)) * period).all()
    for more in (found.interval - plain.interval, found.last - plain.last):
        assert (more == column * period).all()
    assert (found.first == plain.first).all()
    for name in ("interval", "first", "last"):
        assert (getattr(stated, name) == getattr(without, name)).all()
        others = np.delete(np.arange(len(program)), rows)
        assert (getattr(stated, name)[others] == getattr(found, name)[others]).all()
