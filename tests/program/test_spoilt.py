"""validate() by lists and by machine code, and against a second opinion, on sound Programs and on
Programs with one thing wrong."""

from __future__ import annotations

import itertools
from copy import deepcopy
from dataclasses import fields

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.errors import ProgramError
from accelsim.mapping.compile import compile_program
from accelsim.program import dependencies, hazards
from accelsim.program import validate as rules
from accelsim.program.builder import Part, ProgramBuilder
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.workload import Workload
from tests.program import reference_hazards
from tests.program.probes import PROBES

SMALL = ["units.array.rows=16", "units.array.columns=16"]
CASES = (
    ("int8_edge", SMALL, "small_cnn"),
    ("mixed_quad", [], "small_gemm"),
    ("pcm_8level", ["units.tiles.count=40"], "small_cnn"),
    (
        "int8_edge",
        [*SMALL, "weights=resident", "units.array.dataflow=output_stationary"],
        "small_gemm",
    ),
    ("pcm_8level", ["units.tiles.count=40", "weights=cold"], "small_gemm"),
)
#: table, column, and whether a wrong value may be anything (else a neighbour's)
SPOTS = (
    ("commands", "opcode"),
    ("commands", "unit"),
    ("commands", "queue"),
    ("commands", "shape"),
    ("commands", "operator"),
    ("commands", "flags"),
    ("commands", "block"),
    ("commands", "served"),
    ("operands", "tensor"),
    ("operands", "memory"),
    ("operands", "address"),
    ("operands", "span"),
    ("operands", "bytes"),
    ("operands", "access"),
    ("operands", "offset"),
    ("operands", "extent"),
    ("dependencies", "predecessor"),
    ("dependencies", "kind"),
    ("dependencies", "lag"),
    ("demands", "port"),
    ("demands", "bytes"),
    ("shapes", "kind"),
    ("shapes", "opcode"),
    ("shapes", "extents"),
)
ROUNDS = 40
HAZARDS = {message[0] for message in hazards.MESSAGES.values()} | {"program.resident"}
WAYS: tuple[jit.Which, ...] = ("plain", "compiled")


def planned(case: tuple[str, list[str], str]) -> tuple[Program, Workload]:
    workload = accelsim.load_workload(case[2])
    return compile_program(accelsim.load_chip(case[0], case[1]), workload), workload


def problems(program: Program, workload: Workload | None) -> list[str]:
    try:
        validate(program, workload)
    except ProgramError as error:
        return [str(problem) for problem in error.problems]
    return []


def spoilt(program: Program, rng: np.random.Generator) -> Program:
    """A copy with one entry of one column changed."""
    wrong = deepcopy(program)
    table, name = SPOTS[rng.integers(len(SPOTS))]
    column = getattr(getattr(wrong, table), name).reshape(-1)
    at = int(rng.integers(len(column)))
    choices = (
        int(column[rng.integers(len(column))]),
        int(column[at]) + 1,
        int(column[at]) - 1,
        int(column[at]) + 64,
        -1,
        1 << 62,
    )
    weights = (0.5, 0.15, 0.15, 0.1, 0.05, 0.05)
    column[at] = choices[rng.choice(len(choices), p=weights)]
    return wrong


@pytest.mark.parametrize("case", CASES, ids=[f"{c[0]}-{c[2]}-{i}" for i, c in enumerate(CASES)])
def test_lists_and_machine_code_say_the_same(
    case: tuple[str, list[str], str],
) -> None:
    """Every spoilt Program gets the same problems, in the same words, from both; and its hazards are
    those of the walk over every segment."""
    program, workload = planned(case)
    rng = np.random.default_rng(5)
    assert problems(program, workload) == []
    refused = 0
    for _ in range(ROUNDS):
        wrong = spoilt(program, rng)
        with jit.only("plain"):
            plain = problems(wrong, workload)
        with jit.only("compiled"):
            assert problems(wrong, workload) == plain
        refused += bool(plain)
        if not _indexed(wrong):
            continue
        expected = reference_hazards.hazards(wrong)
        for which in WAYS:
            with jit.only(which):
                found = _found(wrong, np.arange(len(wrong.units)))
            assert found == {item for item in expected if item[0] >= 0}
        assert bool({code for _, code in expected}) == any(
            any(code in line for code in HAZARDS) for line in _codes(wrong, workload)
        )
    assert refused > ROUNDS // 3


def _indexed(program: Program) -> bool:
    """Whether every index of the columns points into its table."""
    found = rules.Findings(program)
    rules._columns(found)
    rules._references(found)
    return not found.problems


def _walk(program: Program) -> dependencies.Walk:
    seen, lag = dependencies.touches_of(program), np.zeros(len(program), np.int64)
    return dependencies.Walk(seen, lag, program.dependencies)


def _found(program: Program, hub: np.ndarray) -> set[tuple[int, str]]:
    """(row, code) of what the walk finds when it follows those units."""
    walk = _walk(program)
    rows, kinds, _ = walk.run(hub, 0, derive=False).faults
    return {
        (row, hazards.MESSAGES[kind][0])
        for row, kind in zip(rows.tolist(), kinds.tolist(), strict=True)
    }


def _codes(program: Program, workload: Workload) -> list[str]:
    try:
        validate(program, workload)
    except ProgramError as error:
        return [problem.code for problem in error.problems]
    return []


@pytest.mark.parametrize("name", sorted(PROBES))
def test_probes_are_sound(name: str) -> None:
    program = PROBES[name]().program
    assert problems(program, None) == []
    assert reference_hazards.hazards(program) == set()


def test_few_hubs_never_hide_a_hazard() -> None:
    """Following few units only may find too much, never too little; on plans it finds nothing."""
    program, _ = planned(CASES[2])
    rng = np.random.default_rng(6)
    everyone = np.arange(len(program.units))
    few = np.full(len(program.units), -1, np.int64)
    few[rng.permutation(len(few))[:3]] = np.arange(3)
    busiest = _walk(program).busiest()
    assert len(program.units) > dependencies.MANY_UNITS and _found(program, busiest) == set()
    for _ in range(ROUNDS):
        wrong = spoilt(program, rng)
        if not _indexed(wrong):
            continue
        for hub in (few, busiest):
            rows = [{row for row, _ in _found(wrong, chosen)} for chosen in (hub, everyone)]
            assert rows[1] <= rows[0]


def test_tiles_that_do_not_line_up_are_counted() -> None:
    """A staircase of tiles: covered once, then one of them moved, then one left out."""
    from accelsim.program.coverage import _times_covered

    rng = np.random.default_rng(1)
    cells = [2, 5, 4, 3]
    for _ in range(40):
        first = [rng.integers(0, size, 7) for size in cells]
        count = [
            np.minimum(rng.integers(1, 4, 7), size - low)
            for low, size in zip(first, cells, strict=True)
        ]
        grid = np.zeros(cells, np.int64)
        for i in range(7):
            grid[
                tuple(
                    slice(low[i], low[i] + many[i]) for low, many in zip(first, count, strict=True)
                )
            ] += 1
        assert (_times_covered(cells, first, count) == grid).all()


def test_every_spoilt_column_is_one_of_the_program() -> None:
    program, _ = planned(CASES[1])
    for table, name in SPOTS:
        assert name in {item.name for item in fields(getattr(program, table))}


@pytest.mark.parametrize("which", WAYS)
def test_halves_of_a_slot_have_readers_of_their_own(which: jit.Which) -> None:
    """The upper half may be written again once its last reader is done, whoever reads the lower."""

    def overwritten(after: int) -> list[str]:
        b = ProgramBuilder()
        fill, drain = b.unit("fill", (Opcode.LOAD,)), b.unit("drain", (Opcode.STORE,))
        dram, near = b.memory("dram", 256), b.memory("near", 64)
        b.port("dram.port", 4, 10)
        x, z = b.tensor("x", (1, 2, 4), role="input"), b.tensor("z", (1, 1, 4), role="input")
        b.resident(Part(x, dram))
        b.resident(Part(z, dram, 32))
        loaded = b.command(fill, Opcode.LOAD, reads=[Part(x, dram)], writes=[Part(x, near)])
        readers = [
            b.command(
                drain,
                Opcode.STORE,
                reads=[Part(x, near, 0, box)],
                writes=[Part(x, dram, 0, box)],
                after=[loaded],
            )
            for box in (((0, 1), (0, 2), (0, 4)), ((0, 1), (0, 1), (0, 4)))
        ]
        b.command(
            fill,
            Opcode.LOAD,
            reads=[Part(z, dram, 32)],
            writes=[Part(z, near, 4)],
            after=[readers[after]],
        )
        return problems(b.build(), None)

    with jit.only(which):
        assert overwritten(0) == overwritten(1) == []


def test_one_tile_twice_and_another_never() -> None:
    """As many MACs as asked for, but not the same ones."""
    program, workload = planned(CASES[0])
    passes = np.flatnonzero(program.commands.opcode == Opcode.MATMUL)
    starts, extents = program.operands.start, program.shapes.extents[program.commands.shape]
    moved = 0
    for row, other in itertools.pairwise(passes):
        same_operator = program.commands.operator[row] == program.commands.operator[other]
        if not same_operator or (extents[row] != extents[other]).any():
            continue
        if program.commands.flags[row] != program.commands.flags[other]:
            continue
        wrong = deepcopy(program)
        wrong.operands.offset[starts[other] : starts[other] + 3] = wrong.operands.offset[
            starts[row] : starts[row] + 3
        ]
        assert "program.coverage" in _codes(wrong, workload)
        moved += 1
    assert moved > 0
