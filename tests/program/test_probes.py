"""Chips to come fit the schema: six hand-written Programs validate, simulate, print and keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accelsim.program.digest import program_digest
from accelsim.program.storage import load_program, save_program
from accelsim.program.text import listing
from accelsim.program.validate import validate
from accelsim.timing.engine import run
from tests.program.probes import PROBES

COLUMNS = ("issue", "first", "release", "end", "why", "ref", "interval")


@pytest.mark.parametrize("name", PROBES)
def test_validates_and_takes_the_time_found_by_hand(name: str) -> None:
    probe = PROBES[name]()
    validate(probe.program)
    timelines = [run(probe.program, probe.times, engine) for engine in ("plain", "simpy")]  # type: ignore[arg-type]
    timelines += [
        run(probe.program, probe.times, "plain", fold=True),
        run(probe.program, probe.times, "compiled"),
    ]
    for timeline in timelines:
        assert timeline.makespan == probe.makespan
        timeline.units(probe.program)
        for column in COLUMNS:
            assert np.array_equal(getattr(timeline, column), getattr(timelines[0], column)), column


@pytest.mark.parametrize("name", PROBES)
def test_survives_a_file_and_prints(name: str, tmp_path: Path) -> None:
    program = PROBES[name]().program
    save_program(program, tmp_path / "p.npz")
    again = load_program(tmp_path / "p.npz")
    assert program_digest(again) == program_digest(program)
    assert list(listing(again)) == list(listing(program))
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]
    text = "\n".join(listing(program))
    for row in (*program.units, *program.memories, *program.ports):
        assert row.name in text
    assert sum(line.split("  ")[0].isdigit() for line in text.splitlines()) == len(program)
