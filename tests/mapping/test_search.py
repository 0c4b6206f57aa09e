"""The mapper: bounds that bound, never worse than the default, close to exhaustive, monotone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from accelsim import api
from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.explore.measured import Run, value_of
from accelsim.explore.plan_search import rates_of, search_plan
from accelsim.mapping import Plan, check_mapping, compile_program, geometry_of, plan
from accelsim.mapping.mapping import ORDERS, Mapping
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.tilings.default import legal
from accelsim.mapping.tilings.near import CYCLES, Limits
from accelsim.mapping.tilings.search import Proposals, variants, work_of
from accelsim.mapping.tilings.setting import Task
from accelsim.mapping.tilings.tables import Tilings
from accelsim.program.digest import program_digest
from accelsim.units.dram import Dram
from accelsim.units.sram import Sram
from accelsim.workload import Gemm
from tests.mapping.random_cases import random_chip, random_operator, single

Formats = tuple[str, str, str]


def alone(chip: Chip, op: Gemm, mapping: Mapping) -> Run:
    """An operator under a mapping, alone on the chip."""
    work = single(op)
    return Run(chip, work, Plan({op.name: mapping}, tensor_formats(work, chip)))


def formats_of(chip: Chip, op: Gemm) -> Formats:
    return (*operator_formats(op, chip), tensor_formats(single(op), chip)[op.output])


@pytest.mark.parametrize("seed", range(12))
def test_no_schedule_beats_a_candidates_bound(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    checked = 0
    while checked < 12:
        chip, op = random_chip(rng), random_operator(rng)
        try:
            formats = formats_of(chip, op)
            plan(chip, single(op))  # something fits
        except InputError:
            continue
        rates = rates_of(chip, alone(chip, op, plan(chip, single(op)).mappings["op"]), "energy")
        task = Task(chip, geometry_of(op), formats, op.name)
        for variant in variants(chip):
            tilings = Tilings(task, variant, more=True)
            every = tilings.near(Limits(), rates)
            for at in rng.permutation(len(every.number))[:2].tolist():
                index = int(every.number[at])
                mapping = tilings.mapping(index)
                if not legal(task, mapping):
                    continue
                if check_mapping(chip, geometry_of(op), mapping, formats, op.name):
                    continue
                run = alone(chip, op, mapping)
                cycles, energy = run.cycles, run.joules
                assert cycles >= tilings.columns.bound[index] * (1 - 1e-9), (chip, op, mapping)
                assert energy >= every.bound[at] * (1 - 1e-9), (chip, op, mapping)
                checked += 1


@pytest.mark.parametrize("name", ["int8_edge", "int4_edge", "mixed_quad"])
@pytest.mark.parametrize("objective", ["cycles", "energy", "edp"])
def test_a_searched_plan_is_never_worse_than_the_default(name: str, objective: str) -> None:
    chip, work = api.load_chip(name), api.load_workload("digits_cnn", 16)
    found, report = search_plan(chip, work, objective, budget=4)
    before = value_of(objective, report.default_cycles, report.default_joules)
    assert value_of(objective, report.cycles, report.joules) <= before
    run = Run(chip, work, found)
    assert (run.cycles, run.joules) == (report.cycles, report.joules)
    again, _ = search_plan(chip, work, objective, budget=4)
    assert again.mappings == found.mappings  # deterministic
    result = api.run(chip, work, mappings=found.mappings)
    assert result.cycles == -(-report.cycles // 1)


@pytest.mark.parametrize(("objective", "bar"), [("energy", 0.9), ("edp", 0.93)])
def test_a_search_gains_what_it_is_for(objective: str, bar: float) -> None:
    """Four arrays on small_cnn: 0.85 of the joules, 0.86 of their product with cycles."""
    _, report = search_plan(api.load_chip("mixed_quad"), api.load_workload("small_cnn"), objective)
    before = value_of(objective, report.default_cycles, report.default_joules)
    assert value_of(objective, report.cycles, report.joules) < bar * before


def test_the_best_of_those_tried_is_kept() -> None:
    rng, better, worse = np.random.default_rng(5), 0, 0
    while better < 3 or worse < 3:
        chip, op = random_chip(rng), random_operator(rng)
        try:
            first = plan(chip, single(op)).mappings["op"]
        except InputError:
            continue
        assert isinstance(first, Mapping)
        task = Task(chip, geometry_of(op), formats_of(chip, op), op.name)
        figures = {first: alone(chip, op, first).cycles}
        proposals = Proposals(task, CYCLES, first, figures[first])
        for _ in range(6):
            if (mapping := proposals.next(slack=10.0)) is None:
                break
            figures[mapping] = alone(chip, op, mapping).cycles
            proposals.took(mapping, figures[mapping])
            better += figures[mapping] < figures[first]
            worse += figures[mapping] > figures[first]
            assert proposals.value == min(figures.values()) == figures[proposals.best]


def exhaustive(chip: Chip, op: Gemm, formats: Formats) -> float:
    """Fewest cycles over every tile size, order, dataflow, split, residency and slots."""
    geometry = geometry_of(op)
    best, seen = float("inf"), set()
    for flow, slots, split, _ in variants(chip):
        for m, n, k in product(range(1, op.m + 1), range(1, op.n + 1), range(1, op.k + 1)):
            several = {"m": m < op.m, "n": n < op.n, "k": k < op.k}
            for order, keep_i, keep_w in product(ORDERS, (True, False), (True, False)):
                loops = "".join(axis for axis in order if several[axis])
                key = (flow, slots, split, m, n, k, loops, keep_i, keep_w, order[2] == "k")
                if key in seen:
                    continue
                seen.add(key)
                mapping = Mapping(flow, 1, m, 1, n, k, order, keep_i, keep_w, *slots, split)
                if check_mapping(chip, geometry, mapping, formats, op.name):
                    continue
                best = min(best, alone(chip, op, mapping).cycles)
    return best


def small_case(seed: int) -> tuple[Chip, Gemm]:
    rng = np.random.default_rng(seed)
    while True:
        chip = random_chip(rng, count=1)
        sizes = rng.integers(2, 6, 3)
        if np.prod(sizes) <= 40:
            m, k, n = sizes.tolist()
            return chip, Gemm("g", "x", "w", "y", m, k, n)


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(s, marks=pytest.mark.full) for s in range(4, 100))]
)
def test_the_search_is_close_to_exhaustive(seed: int) -> None:
    chip, op = small_case(seed)
    formats = formats_of(chip, op)
    _, report = search_plan(chip, single(op))
    best = exhaustive(chip, op, formats)
    assert best <= report.cycles <= 1.05 * best
    assert report.found["g"].bound_cycles <= best * (1 + 1e-9)


def larger(chip: Chip, factor: int) -> Chip:
    memories = {
        name: replace(spec, size=spec.size * factor) if isinstance(spec, Sram) else spec
        for name, spec in chip.memories.items()
    }
    return replace(chip, memories=memories)


def wider(chip: Chip, factor: int) -> Chip:
    memories = {
        name: replace(spec, bandwidth=spec.bandwidth * factor) if isinstance(spec, Dram) else spec
        for name, spec in chip.memories.items()
    }
    return replace(chip, memories=memories)


@pytest.mark.parametrize("grow", [larger, wider])
@pytest.mark.parametrize("seed", range(10))
def test_more_buffer_or_bandwidth_is_never_slower(seed: int, grow: object) -> None:
    rng = np.random.default_rng(900 + seed)
    while True:
        chip, op = random_chip(rng), random_operator(rng)
        try:
            search_plan(chip, single(op), budget=1)
        except InputError:
            continue
        break
    seeds: dict[str, Mapping] = {}
    before = float("inf")
    for factor in (1, 2, 4, 8):
        grown = grow(chip, factor)  # type: ignore[operator]
        found, report = search_plan(grown, single(op), budget=6, seeds=seeds)
        assert report.cycles <= before * 1.01  # the same mapping may be slower there
        before, seeds = report.cycles, dict(found.mappings)


def test_mappings_that_do_the_same_work_have_one_program() -> None:
    rng = np.random.default_rng(77)
    alike, operators = 0, 0
    while alike < 25 or operators < 8:
        chip, op = random_chip(rng), random_operator(rng)
        try:
            formats = formats_of(chip, op)
            plan(chip, single(op))
        except InputError:
            continue
        operators += 1
        geometry = geometry_of(op)
        programs: dict[object, str] = {}
        for variant in variants(chip)[:2]:
            tilings = Tilings(Task(chip, geometry, formats, op.name), variant, more=True)
            for index in rng.permutation(np.flatnonzero(tilings.columns.fits))[:40].tolist():
                mapping = tilings.mapping(index)
                if check_mapping(chip, geometry, mapping, formats, op.name):
                    continue
                same = work_of(geometry, mapping)
                for order in ORDERS:
                    other = replace(mapping, order=order)
                    refused = check_mapping(chip, geometry, other, formats, op.name)
                    if work_of(geometry, other) != same or refused:
                        continue
                    made = program_digest(compile_program(chip, single(op), {op.name: other}))
                    alike += same in programs
                    assert programs.setdefault(same, made) == made, (chip, op, mapping, other)
