"""Rows as counts against rows as a table: the same commands, ticks, bytes and joules, on random cases."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.chip import Chip
from accelsim.energy import account, charge, compact, counts_of, work_of
from accelsim.errors import ConservationError, InputError
from accelsim.explore import planned
from accelsim.explore.measured import Run
from accelsim.explore.planned import TABLE, Planned, run_counts, run_plan
from accelsim.explore.streamed import SUMS, Streamed, stream
from accelsim.mapping import Plan, compile_program, counted, passing, plan
from accelsim.mapping.counted import compile_counts
from accelsim.mapping.passing import Passing
from accelsim.program.table import Demands, Dependencies, Shapes
from accelsim.sweeps.timed import every, taken
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds
from accelsim.timing.operators import operator_times
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


def test_bits_over_links_are_charged_as_rows_pass() -> None:
    """A run whose rows pass moves as many bits over the hops of links as its table has."""
    chip, work = accelsim.load_chip("rapid_like"), accelsim.load_workload("small_cnn")
    chosen = plan(chip, work)
    table, passed = (run_plan(chip, work, chosen, form=form).work for form in (TABLE, SUMS))
    assert table.memories == passed.memories and "ring" in table.memories
    assert np.array_equal(table.read, passed.read) and np.array_equal(table.written, passed.written)
    assert table.read[table.memories.index("ring")].sum() > 0


def held_against_the_stream(chip: Chip, work: Workload, chosen: Plan) -> Streamed:
    """Rows that pass: commands, edges, demands, ticks, bytes and joules of the table's."""
    table = compile_counts(chip, work, chosen)
    rows = Passing(chip, work, chosen)
    chunks = list(rows.chunks(rows.survey()))
    c, o, e, d = table.commands, table.operands, table.dependencies, table.demands
    owner = np.repeat([chunk.operator for chunk in chunks], [len(chunk.unit) for chunk in chunks])
    np.testing.assert_array_equal(owner, c.operator)
    for wanted, parts in (
        (c.unit, [chunk.unit for chunk in chunks]),
        (c.shape, [chunk.shape for chunk in chunks]),
        (o.memory, [chunk.memory for chunk in chunks]),
        (o.bytes, [chunk.bytes for chunk in chunks]),
        (np.diff(o.start), [np.diff(chunk.start) for chunk in chunks]),
        (np.diff(e.start), [np.diff(chunk.edges.start) for chunk in chunks]),
        (e.predecessor, [chunk.edges.predecessor for chunk in chunks]),
        (e.kind, [chunk.edges.kind for chunk in chunks]),
        (e.lag, [chunk.edges.lag for chunk in chunks]),
        (np.diff(d.start), [np.diff(chunk.demands.start) for chunk in chunks]),
        (d.port, [chunk.demands.port for chunk in chunks]),
        (d.bytes, [chunk.demands.bytes for chunk in chunks]),
    ):
        np.testing.assert_array_equal(wanted, np.concatenate(parts))
    found, line = stream(chip, work, chosen), simulate(table, chip)
    assert (found.commands, found.makespan) == (len(table), line.makespan)
    assert found.units == line.units(table)
    times = operator_times(table, chip.far, line, len(work.operators))
    np.testing.assert_array_equal(found.times.table, times.table)
    np.testing.assert_array_equal(found.times.computing, times.computing)
    done = work_of(table, line)
    for name in ("runs", "read", "written"):
        np.testing.assert_array_equal(getattr(found.work, name), getattr(done, name), name)
    assert charge(counts_of(found.work, chip), chip).rows == account(table, chip, line).rows
    return found


def hold_the_stream(seed: int, cases: int) -> int:
    """Hold so many random cases against the stream, in command memories of a few rows and of many; in how many the
    bound moved the makespan."""
    rng, held, moved = np.random.default_rng([61, seed]), 0, 0
    while held < cases:
        case = random_case(rng)
        if case is None:
            continue
        chip, work, chosen = case
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(passing, "CHUNK", int(rng.integers(1, 200)))
            free = held_against_the_stream(chip, work, chosen)
            ahead = int(rng.integers(0, 24))  # 0: no bound
            bound = held_against_the_stream(replace(chip, commands_ahead=ahead), work, chosen)
        moved, held = moved + (bound.makespan != free.makespan), held + 1
    return moved


@pytest.mark.parametrize("which", ["plain", "compiled"])
def test_rows_that_pass_are_the_table(which: jit.Which) -> None:
    with jit.only(which):
        assert hold_the_stream(0, 8) > 2


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_rows_that_pass_are_the_table(seed: int) -> None:
    assert hold_the_stream(seed, 25) > 8


def test_a_network_in_a_full_command_memory() -> None:
    """Rings of rows, edges and readers are used again and again: 40,000 rows through a memory of 200."""
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("resnet18")
    chosen = plan(chip, work)
    found = held_against_the_stream(replace(chip, commands_ahead=200), work, chosen)
    assert found.commands > 30_000


def test_large_runs_pass_and_make_their_table_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """run(), a sweep's point and a search's measure as they are with a table."""
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn")
    listed = accelsim.run(chip, work)
    point, trial = taken(every(chip, work, None), chip), Run(chip, work, listed.plan)
    monkeypatch.setattr(planned, "LISTED", 10)
    passed = accelsim.run(chip, work)
    assert isinstance(passed.planned, Streamed) and not isinstance(listed.planned, Streamed)
    assert (passed.makespan, passed.commands) == (listed.makespan, listed.commands)
    assert passed.operators == listed.operators and passed.units == listed.units
    assert passed.energy.rows == listed.energy.rows and passed.assumptions == listed.assumptions
    assert len(passed.program) == passed.commands
    assert passed.program_digest == accelsim.run(chip, work).program_digest != listed.program_digest
    np.testing.assert_array_equal(passed.timeline.end, listed.timeline.end)
    again = taken(every(chip, work, None), chip)
    assert again.makespan == point.makespan
    np.testing.assert_array_equal(again.work.runs, point.work.runs)
    other = Run(chip, work, listed.plan)
    assert other.cycles == trial.cycles and other.joules == trial.joules


def test_more_units_than_a_stream_looks_at_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, work = accelsim.load_chip("pcm_8level"), accelsim.load_workload("small_cnn")
    listed = accelsim.run(chip, work)
    monkeypatch.setattr(planned, "LISTED", 10)
    monkeypatch.setattr(planned, "MOST_UNITS", 3)
    counts = accelsim.run(chip, work)
    assert isinstance(counts.planned, Planned) and counts.planned.counts
    assert counts.operators == listed.operators and counts.energy.rows == listed.energy.rows
    assert counts.program.operands.offset.shape == listed.program.operands.offset.shape


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


def test_tensors_at_home_on_chip_pass_too(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("digits_residual")
    listed = accelsim.run(chip, work)
    monkeypatch.setattr(planned, "LISTED", 10)
    passed = accelsim.run(chip, work)
    assert isinstance(passed.planned, Streamed) and passed.units == listed.units
    assert passed.operators == listed.operators and passed.energy.rows == listed.energy.rows
    assert passed.makespan < accelsim.run(chip, work, homes="off_chip").makespan
