"""What writing cells costs: program-and-verify counted again pulse by pulse, and figures stated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelsim import load_chip, load_workload, run
from accelsim.analog import Use
from accelsim.analog.scheme import Scheme
from accelsim.analog.writing import Writing, programming, record_of
from accelsim.chip import Chip
from accelsim.claims.levels import compute
from accelsim.devices import device_named, evenly_spaced
from accelsim.devices.pulses import Pulses, most_pulses, program_and_verify, pulses_named
from accelsim.devices.wear import wear_named
from accelsim.errors import InputError
from accelsim.noise import Stream
from accelsim.units.crossbar import Crossbar

EIGHT = Scheme(levels=8, slices=3)
COMPUTED = Writing(pulses="program_and_verify")


def used(worn: float) -> Use:
    """So often that this share of the cells has failed."""
    return Use(wear_named("mainstream").cycles_until(worn))


def crossbar(chip: Chip) -> Crossbar:
    assert chip.crossbar is not None
    return chip.crossbar


@pytest.mark.parametrize(
    ("model", "worn"), [("iterative", 0.0), ("iterative", 0.02), ("staircase", 0.0)]
)
def test_writing_is_what_pulses_one_after_another_give(model: str, worn: float) -> None:
    """Another 24,000 cells, their joules and, in groups of four, their seconds added up pulse by pulse."""
    record, device, parallel = pulses_named(model), device_named("pcm_like"), 4
    goal = np.repeat(evenly_spaced(8, device.g_max), 3000)
    order = np.random.default_rng(2).permutation(len(goal))
    wear = wear_named("mainstream")
    cycles = wear.cycles_until(worn) if worn else 0.0
    found = programming(
        replace(COMPUTED, model=model, parallel=parallel), "pcm_like", EIGHT, Use(cycles)
    )
    made = program_and_verify(
        record, device, goal[order], Stream(9), wear=wear if worn else None, cycles=cycles
    )
    pulses = made.pulses + made.resets
    assert found.pulses == pytest.approx(pulses.mean(), rel=0.015)
    assert found.reads == pytest.approx(made.reads.mean(), rel=0.015)
    assert found.joules == pytest.approx(made.joules / made.pulses.size, rel=0.015)
    assert found.failed == pytest.approx(made.failed.mean(), abs=0.004)
    assert found.pulse_joules * found.pulses == pytest.approx(found.joules) and not found.stated
    turn = (
        made.pulses.sum() * record.pulse_s + (made.resets.sum() - len(goal)) * record.reset_s
    ) / (made.reads.sum() - len(goal))
    slowest = made.reads.reshape(-1, parallel).max(axis=1).mean()
    seconds = record.reset_s + (slowest - 1) * turn + slowest * record.read_s
    assert found.seconds == pytest.approx(seconds, rel=0.02)


def test_one_cell_at_a_time_takes_its_own_pulses() -> None:
    record = pulses_named("iterative")
    found = programming(COMPUTED, "pcm_like", EIGHT, Use())
    one = (found.pulses - 1) * record.pulse_s + record.reset_s + found.reads * record.read_s
    assert found.seconds == pytest.approx(one, rel=1e-9)
    assert found.joules == pytest.approx(
        (found.pulses - 1) * record.pulse_j + record.reset_j, rel=1e-9
    )
    assert found.model == "iterative"


def test_margin_limit_levels_and_model_are_those_of_the_chip_file() -> None:
    base = programming(COMPUTED, "pcm_like", EIGHT, Use())
    tight = programming(replace(COMPUTED, margin=0.9e-6), "pcm_like", EIGHT, Use())
    assert tight.pulses > 1.2 * base.pulses
    short = programming(replace(COMPUTED, limit=1), "pcm_like", EIGHT, Use())
    assert short.failed > 0.15 and short.pulses < base.pulses
    assert short.pulses <= 2.0 and short.reads <= 2.0  # RESET and one pulse, and a read after each
    two = programming(COMPUTED, "pcm_like", Scheme(levels=2), Use())
    ends = [
        program_and_verify(
            pulses_named("iterative"), device_named("pcm_like"), np.full(20_000, goal), Stream(5)
        ).pulses.mean()
        for goal in (0.0, 25e-6)
    ]
    assert two.pulses - 1.0 == pytest.approx(np.mean(ends), rel=0.03)
    everything = programming(COMPUTED, "pcm_like", Scheme(levels=0), Use())
    assert (
        everything.pulses == pytest.approx(base.pulses, rel=0.03)
        and everything.pulses != base.pulses
    )
    assert programming(replace(COMPUTED, model="fine"), "pcm_like", EIGHT, Use()).model == "fine"
    record = record_of(replace(COMPUTED, margin=2e-6, limit=7), "pcm_like")
    assert isinstance(record, Pulses) and (record.margin, record.iterations) == (2e-6, 7)


def test_stated_figures_and_cells_without_pulses() -> None:
    stated = Writing(iterations=8, pulse=2e-6, energy=3e-11, parallel=64)
    found = programming(stated, "pcm_like", EIGHT, Use())
    assert found.stated and (found.pulses, found.reads) == (8.0, 8.0)
    assert found.joules == pytest.approx(8 * 3e-11) and found.seconds == pytest.approx(8 * 2e-6)
    worn = programming(stated, "pcm_like", EIGHT, used(0.1))
    assert worn.pulses == pytest.approx(0.9 * 8 + 0.1 * most_pulses()) and most_pulses() == 30
    assert programming(
        replace(stated, limit=12), "pcm_like", EIGHT, used(0.5)
    ).pulses == pytest.approx(10.0)
    for device in ("ideal", "hermes_two"):
        left = programming(replace(stated, pulses="program_and_verify"), device, EIGHT, Use())
        assert left.stated and (left.pulses, left.joules, left.seconds) == (
            8.0,
            found.joules,
            found.seconds,
        )


@pytest.mark.parametrize("seed", [0, 1])
def test_the_claim_and_the_shipped_chip_agree(seed: int) -> None:
    """reproduce levels and what pcm_8level charges: 131 pJ a cell, within a percent."""
    claim, chip = compute(seed), load_chip("pcm_8level")
    unit = crossbar(chip)
    assert unit.writing.pulses == "program_and_verify"
    assert unit.programming.joules == pytest.approx(claim.figures["joules"], rel=0.01)
    assert unit.programming.reads == pytest.approx(claim.figures["reads"], rel=0.01)
    assert unit.programming.pulses - 1.0 == pytest.approx(claim.figures["pulses"], rel=0.01)
    work = load_workload("digits_mlp")
    cold = run(chip, work, weights="cold")
    cells = sum(op.k * op.n for op in work.operators if hasattr(op, "weight")) * 6
    rows = [row for row in cold.energy.rows if row.action == "pulses"]
    assert sum(row.joules for row in rows) / cells == pytest.approx(
        claim.figures["joules"], rel=0.01
    )
    assert sum(row.count for row in rows) == pytest.approx(cells * unit.programming.pulses)
    assert {row.boundary for row in rows} == {"chip"}
    assert all("program and verify" in row.source for row in rows)
    assert any("computed by program and verify" in note for note in cold.assumptions)


def test_programming_takes_the_seconds_of_its_groups() -> None:
    """Rows one after another, 64 cells of a row at once, then 32 calibration vectors."""
    from accelsim.program.opcodes import Opcode

    chip = load_chip("pcm_8level")
    unit, found = crossbar(chip), run(chip, load_workload("digits_mlp"), weights="cold")
    program = found.program
    shapes = program.shapes
    cost = unit.cost(shapes)
    for row in np.flatnonzero(shapes.opcode == Opcode.PROGRAM):
        _, n, k, p = (int(one) for one in shapes.extents[row, :4])
        groups = -(-n * max(p, 1) * 6 // 64)
        expected = k * max(p, 1) * groups * unit.cycles(
            unit.programming.seconds
        ) + 32 * unit.cycles(unit.interval_seconds)
        assert cost.interval[row] == expected


def test_stated_is_said_and_why(tmp_path: Path) -> None:
    work = load_workload("digits_mlp")
    plain = run(load_chip("pcm_8level", ["units.tiles.writing.pulses=stated"]), work)
    without = run(load_chip("pcm_8level", ["units.tiles.device=hermes_two"]), work)
    notes = [
        next(note for note in one.assumptions if note.startswith("programming"))
        for one in (plain, without)
    ]
    assert notes[0].endswith("as stated in the chip file")
    assert notes[1].endswith("as stated in the chip file: hermes_two has no pulses to compute it")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model", "coarse", "there are no pulses 'coarse'"),
        ("margin", "1 uS", "is of computed programming"),
        ("limit", "-1", "limit"),
    ],
)
def test_wrong_writing_is_refused(key: str, value: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_chip(
            "pcm_8level",
            ["units.tiles.writing.pulses=stated", f"units.tiles.writing.{key}={value}"],
        )
