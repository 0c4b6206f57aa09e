"""Rows as counts against rows as a table: the same commands, ticks, bytes and joules, on random cases."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.chip import Chip
from accelsim.energy import account, compact, work_of
from accelsim.errors import ConservationError, InputError
from accelsim.explore.planned import run_counts, run_plan
from accelsim.mapping import Plan, compile_program, counted, plan
from accelsim.mapping.counted import compile_counts
from accelsim.program.table import Demands, Dependencies, Shapes
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds
from accelsim.workload import Workload
from tests.mapping.random_cases import random_chip, random_mapping, random_operator, single
from tests.mapping.random_networks import random_network
from tests.mapping.rows.crossbar_cases import SIZES, small_chip

FEW, MANY = 20, 100


def held_against_the_table(chip: Chip, work: Workload, chosen: Plan) -> int:
    """Rows, ticks, bytes and joules of both sinks; how many rows there are."""
    table, counts = compile_program(chip, work, chosen=chosen), compile_counts(chip, work, chosen)
    for name, kind in (("shapes", Shapes), ("dependencies", Dependencies), ("demands", Demands)):
        for item in fields(kind):
            both = [getattr(getattr(program, name), item.name) for program in (table, counts)]
            np.testing.assert_array_equal(*both, f"{name}.{item.name}")
    for name in ("opcode", "unit", "queue", "operator", "shape", "served", "address"):
        both = [getattr(program.commands, name) for program in (table, counts)]
        np.testing.assert_array_equal(*both, name)
    for name in ("start", "memory", "bytes", "access"):
        both = [getattr(program.operands, name) for program in (table, counts)]
        np.testing.assert_array_equal(*both, name)
    times = [simulate(program, chip) for program in (table, counts)]
    for item in fields(times[0]):
        np.testing.assert_array_equal(*(getattr(time, item.name) for time in times), item.name)
    assert times[0].units(table) == times[1].units(counts)
    check_bounds(counts, times[1])
    works = [work_of(*pair) for pair in zip((table, counts), times, strict=True)]
    for name in ("runs", "read", "written"):
        np.testing.assert_array_equal(*(getattr(work, name) for work in works), name)
    reports = [account(*pair) for pair in zip((table, counts), (chip,) * 2, times, strict=True)]
    assert reports[0].rows == reports[1].rows
    return len(counts)


def random_case(rng: np.random.Generator) -> tuple[Chip, Workload, Plan] | None:
    """A chip and a workload as planned: one operator under a random mapping or a network, on arrays, crossbars or
    both; None where they do not fit."""
    chip = random_chip(rng)
    if rng.random() < 0.3:
        size, packs = SIZES[int(rng.integers(len(SIZES)))], bool(rng.random() < 0.5)
        chip = small_chip(*size, int(rng.integers(1, 60)), packs)
        unit = chip.crossbar
        assert unit is not None
        anew = "reprogram" if rng.random() < 0.6 else "error"
        unit = replace(unit, clock_hz=0, unmapped=anew, replicate=bool(rng.random() < 0.5))
        chip = replace(chip, units={**chip.units, unit.name: unit})
    weights = "resident" if rng.random() < 0.3 else "cold"
    chip = replace(chip, weights=weights)  # type: ignore[arg-type]
    alone = rng.random() < 0.4
    work = single(random_operator(rng)) if alone else random_network(rng)
    try:
        mapping = random_mapping(rng, chip, work) if alone and chip.crossbar is None else None
        given = {work.operators[0].name: mapping} if mapping else None
        return chip, work, plan(chip, work, given)
    except InputError:
        return None


def hold(seed: int, cases: int) -> Counter[str]:
    """Hold so many random cases against the table; what they were."""
    rng, seen = np.random.default_rng([16, seed]), Counter[str]()
    while seen["all"] < cases:
        case = random_case(rng)
        if case is None:
            continue
        held_against_the_table(*case)
        chip, work, _ = case
        kind = "crossbars" if chip.crossbar is not None else f"{chip.array.count} arrays"
        size = "network" if len(work.operators) > 1 else "operator"
        seen.update(["all", kind, size, chip.weights])
    return seen


def test_random_chips_and_networks() -> None:
    seen = hold(0, FEW)
    assert len(seen) >= 7, seen


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 1 + MANY // 25))
def test_a_tenth_of_the_thousand(seed: int) -> None:
    seen = hold(seed, 25)
    assert len(seen) >= 7, seen


@pytest.mark.parametrize("which", ["plain", "compiled"])
@pytest.mark.parametrize(
    ("chip", "sets", "work"),
    [
        ("int8_edge", (), "small_cnn"),
        ("int8_edge", ("units.array.count=3", "units.array.split=k"), "digits_residual"),
        ("int4_edge", ("weights=resident",), "digits_cnn"),
        ("pcm_8level", (), "small_cnn"),
        ("pcm_8level", ("units.tiles.count=2", "units.tiles.unmapped=reprogram"), "digits_cnn"),
    ],
)
def test_networks_plain_and_compiled(
    chip: str, sets: tuple[str, ...], work: str, which: jit.Which, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the rooms are: windows of a few rows, columns that grow."""
    made, load = accelsim.load_chip(chip, list(sets)), accelsim.load_workload(work)
    with jit.only(which):
        chosen = plan(made, load)
        rows = held_against_the_table(made, load, chosen)
        monkeypatch.setattr(counted, "WINDOW", 1)
        monkeypatch.setattr(counted, "check_size", lambda *_: {})
        assert held_against_the_table(made, load, chosen) == rows


def test_equal_layers_are_noted_once_by_both() -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("bert_base")
    chosen = plan(chip, work)
    table, counts = run_plan(chip, work, chosen), run_counts(chip, work, chosen)
    assert table.kept == counts.kept > 0
    assert table.timeline.makespan == counts.timeline.makespan
    works = [compact(work_of(p.program, p.timeline), chip) for p in (table, counts)]
    np.testing.assert_array_equal(works[0].read, works[1].read)


@pytest.mark.parametrize(("number", "says"), [(0, "products"), (1, "results")])
def test_missing_rows_are_noticed(number: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum of products, or of stored results, that is not the operator's."""
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn")
    chosen = plan(chip, work)
    if number == 0:
        op = work.operators[0]
        other = replace(op, filters=op.filters + 1)  # type: ignore[union-attr, call-arg]
        wrong = replace(work, operators=(other, *work.operators[1:]))
        monkeypatch.setattr(counted, "parts_of", _of_another(work))
        work = wrong
    else:
        name = "written"
        less = property(lambda self: np.asarray(self.choices.written, np.int64) - 1)
        monkeypatch.setattr(counted.Transfers, name, less)
    with pytest.raises(ConservationError, match=says):
        compile_counts(chip, work, chosen)


def _of_another(work: Workload):
    made = counted.parts_of
    return lambda chip, _, *more: made(chip, work, *more)
