"""Rows of operators on crossbars: every way to write them, and what they cover."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.mapping.rows.crossbar import (
    CODES,
    LOADS,
    PRODUCTS,
    PROGRAMS,
    STORES,
    SUMS,
    WEIGHT_MATRIX,
    crossbar_nest,
)
from accelsim.mapping.rows.record import Ints, Segment, written
from accelsim.program.opcodes import Opcode
from tests.mapping.rows.crossbar_cases import Case, random_case
from tests.mapping.rows.ways import every_way

TENSOR, MEMORY, ADDRESS, SPAN, BOX = 0, 1, 2, 3, slice(7, 15)


def operands_of(segment: Segment, style: int) -> Ints:
    """(commands, operands, numbers) of a style whose commands have equally many."""
    rows = np.flatnonzero(segment.commands[:, 0] == style)
    each = int((segment.start[rows[:1] + 1] - segment.start[rows[:1]]).sum())
    return np.asarray(segment.operands[segment.start[rows][:, None] + np.arange(each)])


def mark(table: Ints, box: Ints) -> None:
    """One more in a region of three dimensions."""
    table[tuple(slice(o, o + e) for o, e in zip(box[0:6:2], box[1:6:2], strict=True))] += 1


def cases(count: int, seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [random_case(rng) for _ in range(count)]


def test_one_source_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = np.zeros(4, int)
    for case in cases(60, 1):
        every_way(lambda case=case: crossbar_nest(*case), monkeypatch)  # type: ignore[misc]
        mapping = case.mapping
        cold = case.cold or mapping.reprogrammed
        seen += (mapping.pack > 1, mapping.replicas > 1, mapping.slots == 3, cold)
    assert seen.min() >= 5, seen


def test_products_and_outputs_are_covered_once() -> None:
    for case in cases(60, 2):
        g, segment = case.geometry, written(crossbar_nest(*case), fast=True)
        products = np.zeros((g.groups, g.m, g.k, g.n), np.int64)
        for inputs, weights, sums in operands_of(segment, PRODUCTS)[..., BOX]:
            (g0, p, m0, m, k0, k), (n0, n) = inputs[:6], weights[4:6]
            products[g0 : g0 + p, m0 : m0 + m, k0 : k0 + k, n0 : n0 + n] += 1
            assert (weights[:4] == (g0, p, k0, k)).all()
            assert (sums[:6] == (g0, p, m0, m, n0, n)).all()
        assert (products == 1).all()
        stored = np.zeros((g.groups, g.m, g.n), np.int64)
        for box in operands_of(segment, STORES)[:, 1, BOX]:
            mark(stored, box)
        assert (stored == 1).all()


def test_each_crossbar_is_written_what_it_is_read_for() -> None:
    seen = 0
    for case in cases(60, 3):
        g, segment = case.geometry, written(crossbar_nest(*case), fast=True)
        programs = operands_of(segment, PROGRAMS)
        cold = case.cold or case.mapping.reprogrammed
        assert len(programs) == (case.mapping.replicas * case.mapping.size if cold else 0)
        if not cold:
            continue
        seen += 1
        held = {int(o[1, MEMORY]): o[1, BOX].tolist() for o in programs}
        assert len(held) == len(programs)
        copies = np.zeros((g.groups, g.k, g.n), np.int64)
        for home, cells in programs:
            assert (home[BOX] == cells[BOX]).all()
            mark(copies, home[BOX])
        assert (copies == case.mapping.replicas).all()
        reads = operands_of(segment, PRODUCTS)[:, 1]
        assert set(reads[:, MEMORY]) == set(held)
        for read in reads:
            assert read[TENSOR] == WEIGHT_MATRIX
            assert held[int(read[MEMORY])] == read[BOX].tolist()
    assert seen > 20


def test_partial_sums_of_a_job_share_no_byte() -> None:
    several = 0
    for case in cases(60, 4):
        segment = written(crossbar_nest(*case), fast=True)
        jobs = np.cumsum(segment.styles[segment.commands[:, 0], 0] == Opcode.LOAD)
        job = jobs[segment.commands[:, 0] == PRODUCTS]
        sums = operands_of(segment, PRODUCTS)[:, 2]
        for number in range(1, int(jobs[-1]) + 1):
            mine = sums[job == number]
            blocks = np.unique(mine[:, TENSOR])
            assert (blocks == SUMS + np.arange(len(blocks))).all()
            mine = mine[np.argsort(mine[:, ADDRESS], kind="stable")]
            assert (mine[:-1, ADDRESS] + mine[:-1, SPAN] <= mine[1:, ADDRESS]).all()
            several += len(blocks) > 1
    assert several > 20


def test_slots_are_taken_in_turn_from_either_end_of_a_memory() -> None:
    several = 0
    for case in cases(60, 5):
        unit, slots = case.chip.crossbar, case.mapping.slots
        assert unit is not None
        low, high = (
            written(crossbar_nest(*case._replace(parity=parity)), fast=True) for parity in (0, 1)
        )
        for style, operand, name in (
            (LOADS, 1, unit.input),
            (CODES, 0, unit.output),
            (CODES, 1, unit.output),
        ):
            first, last = (operands_of(segment, style)[:, operand] for segment in (low, high))
            size, turns = case.chip.memories[name].size, first[:, ADDRESS]
            assert (first[:, MEMORY] == case.machine.memory_index[name]).all()
            assert (turns[slots:] == turns[:-slots]).all()
            assert len(set(turns)) == min(slots, len(turns)) and turns.min() >= 0
            assert len(set(last[:, ADDRESS] - turns)) == 1
            end = (last[:, ADDRESS] + last[:, SPAN]).max()
            if style == LOADS and len(turns) >= slots:
                assert turns[0] == 0 and end == size
            assert end <= size
            several += len(set(turns)) > 1
    assert several > 60
