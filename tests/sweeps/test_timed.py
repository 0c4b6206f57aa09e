"""Readings of crossbar chips: idle crossbars and Programs made before change nothing."""

from __future__ import annotations

import pytest

from accelsim import api, jit
from accelsim.chip import Chip
from accelsim.energy import charge, compact, counts_of, work_of
from accelsim.mapping import Plan, compile_program, plan
from accelsim.mapping.counted import compile_counts
from accelsim.mapping.crossbars import CrossbarMapping, trimmed
from accelsim.sweeps.timed import Programs, Timed, encode, every
from accelsim.timing import simulate
from accelsim.workload import Workload


def plainly(chip: Chip, workload: Workload) -> Timed:
    """The first of every() with every crossbar of the chip in the tables, and nothing kept."""
    program = compile_program(chip, workload)
    timeline = simulate(program, chip)
    return Timed(compact(work_of(program, timeline), chip), timeline.makespan, timeline.tick_hz)


CHIPS: list[tuple[str, list[str], str]] = [
    ("pcm_8level", ["units.tiles.count=40"], "digits_mlp"),
    ("pcm_8level", ["units.tiles.count=40", "units.tiles.replicate=false"], "digits_mlp"),
    ("pcm_8level", ["units.tiles.count=40", "weights=cold"], "digits_cnn"),
    ("pcm_8level", ["units.tiles.count=2", "units.tiles.unmapped=reprogram"], "digits_cnn"),
    ("pcm_projected", ["units.tiles.count=33", "units.tiles.replicate=false"], "small_cnn"),
]


@pytest.mark.parametrize("which", ["plain", "compiled"])
@pytest.mark.parametrize(("name", "sets", "work"), CHIPS)
def test_idle_crossbars_change_no_reading(
    name: str, sets: list[str], work: str, which: jit.Which
) -> None:
    chip, workload = api.load_chip(name, sets), api.load_workload(work)
    with jit.only(which):
        found, whole = every(chip, workload, None)[0], plainly(chip, workload)
    assert encode([found]) == encode([whole])
    assert (
        charge(counts_of(found.work, chip), chip).total
        == charge(counts_of(whole.work, chip), chip).total
    )


def test_a_trimmed_chip_has_the_crossbars_that_are_used() -> None:
    workload = api.load_workload("digits_cnn")
    chip = api.load_chip("pcm_8level", ["units.tiles.count=40", "units.tiles.replicate=false"])
    mappings = plan(chip, workload).mappings
    crossbar = trimmed(chip, mappings.values()).crossbar
    used = max(m.first + m.size for m in mappings.values() if isinstance(m, CrossbarMapping))
    assert crossbar is not None and crossbar.count == used < 40
    digital = api.load_chip("int8_edge")
    assert trimmed(digital, plan(digital, workload).mappings.values()) is digital


def test_programs_are_shared_only_where_they_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made, programs = [], Programs()

    def counted(chip: Chip, workload: Workload, chosen: Plan) -> object:
        made.append(chip)
        return compile_counts(chip, workload, chosen)

    monkeypatch.setattr("accelsim.sweeps.timed.compile_counts", counted)
    cnn, mlp = api.load_workload("digits_cnn"), api.load_workload("digits_mlp")
    steps: list[tuple[list[str], Workload, bool]] = [
        ([], cnn, True),
        (["units.tiles.adc.shared=32"], cnn, False),
        (["units.tiles.settle=9 ns"], cnn, False),
        (["weights=cold"], cnn, True),
        (["units.tiles.adc.shared=32"], cnn, False),
        (["units.tiles.rows=64"], cnn, True),
        ([], mlp, True),
    ]
    for sets, work, anew in steps:
        chip = api.load_chip(
            "pcm_8level", ["units.tiles.count=200", "units.tiles.replicate=false", *sets]
        )
        before = len(made)
        found = every(chip, work, None, "off_chip", programs)
        assert encode(found[:1]) == encode([plainly(chip, work)])
        assert (len(made) > before) == anew, (sets, work.name)
