"""Dependencies from operands: none missing, none too many, and a missing one is named."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.errors import ProgramError
from accelsim.mapping.compile import compile_program, plan
from accelsim.program.dependencies import Walk, demands, dependencies, dependencies_of, touches_of
from accelsim.program.opcodes import Edge, Opcode
from accelsim.program.table import Dependencies, Program
from accelsim.program.validate import validate
from tests.mapping.random_cases import random_chip, random_mapping, random_operator, single
from tests.program import reference_hazards
from tests.program.probes import PROBES

NAMED = re.compile(r"command (\d+) .*; add a (DATA|SLOT) edge from command (\d+)")


def bare(program: Program) -> Program:
    """Without dependencies and demands."""
    none = np.zeros(len(program) + 1, np.int64)
    nothing = Dependencies(none, none[:0], none[:0], none[:0])
    return replace(program, dependencies=nothing)


def with_edge(program: Program, row: int, kind: Edge, before: int) -> Program:
    d = program.dependencies
    at = int(d.start[row + 1])
    start = d.start + (np.arange(len(d.start)) > row)
    columns = (
        np.insert(column, at, value)
        for column, value in ((d.predecessor, before), (d.kind, int(kind)), (d.lag, 0))
    )
    return replace(program, dependencies=Dependencies(start, *columns))


def mended(program: Program) -> tuple[Program, int]:
    """The Program with the edges that validate() asks for, and how many those were."""
    added = 0
    while True:
        try:
            validate(program)
        except ProgramError as error:
            found = [NAMED.search(str(problem)) for problem in error.problems]
            asked = {(int(m[1]), Edge[m[2]], int(m[3])) for m in found if m}
            assert asked, error
            for row, kind, before in asked:
                program = with_edge(program, row, kind, before)
            added += len(asked)
            continue
        return program, added


@pytest.mark.parametrize("name", sorted(PROBES))
def test_a_probe_gets_its_edges_back(name: str) -> None:
    """Programs by hand, edges taken away: what is derived makes them sound, and what is asked for too."""
    program = PROBES[name]().program
    lag = np.zeros(len(program), np.int64)
    made = replace(program, dependencies=dependencies(bare(program), lag))
    validate(made)
    assert reference_hazards.hazards(made) == set()
    asked, added = mended(bare(program))
    assert reference_hazards.hazards(asked) == set()
    assert added >= len(made.dependencies.kind)


def test_random_plans_are_sound_and_every_edge_is_needed() -> None:
    """By the second opinion of hazards, which follows every unit over every byte range; every other one in a
    small command memory, which orders some of them by itself."""
    rng = np.random.default_rng(5)
    seen, edges, spared = 0, 0, 0
    while seen < 40:
        chip, work = random_chip(rng), single(random_operator(rng))
        mapping = random_mapping(rng, chip, work)
        if mapping is None:
            continue
        ahead = int(rng.integers(2, 40)) if seen % 2 else 0
        free = compile_program(chip, work, {"op": mapping})
        program = compile_program(replace(chip, commands_ahead=ahead), work, {"op": mapping})
        assert reference_hazards.hazards(program) == set()
        validate(program, work)
        spared += len(free.dependencies.kind) - len(program.dependencies.kind)
        d, seen = program.dependencies, seen + 1
        for entry in rng.permutation(len(d.kind))[:6].tolist():
            row = int(np.searchsorted(d.start, entry, side="right")) - 1
            start = d.start - (np.arange(len(d.start)) > row)
            columns = (np.delete(column, entry) for column in (d.predecessor, d.kind, d.lag))
            less = replace(program, dependencies=Dependencies(start, *columns))
            lagged = d.kind[entry] == Edge.SLOT and d.lag[entry] > 0
            assert reference_hazards.hazards(less) or lagged, (row, entry)
            edges += 1
    assert edges > 150 and spared > 50


def test_a_missing_edge_is_named_with_kind_and_command() -> None:
    chip = accelsim.load_chip("int8_edge", ["units.array.rows=16", "units.array.columns=16"])
    work = accelsim.load_workload("small_gemm")
    program = compile_program(chip, work)
    d = program.dependencies
    entry = int(np.flatnonzero(d.kind == Edge.SLOT)[0])
    row = int(np.searchsorted(d.start, entry, side="right")) - 1
    start = d.start - (np.arange(len(d.start)) > row)
    columns = (np.delete(column, entry) for column in (d.predecessor, d.kind, d.lag))
    less = replace(program, dependencies=Dependencies(start, *columns))
    with pytest.raises(ProgramError) as caught:
        validate(less, work)
    problem = caught.value.problems[0]
    before = int(d.predecessor[entry])
    name = Opcode(int(program.commands.opcode[before])).name
    assert problem.path.startswith(f"command {row} (")
    assert problem.fix == f"add a SLOT edge from command {before} ({name})"


def test_following_few_units_asks_for_more_edges_and_never_for_fewer() -> None:
    program = compile_program(
        accelsim.load_chip("int8_edge", ["units.array.count=4", "units.array.split=n"]),
        accelsim.load_workload("small_cnn"),
    )
    lag, units = np.zeros(len(program), np.int64), len(program.units)
    walk, few = Walk(touches_of(bare(program)), lag), np.full(units, -1, np.int64)
    few[:3] = np.arange(3)
    found = [walk.run(hub, walk.most, derive=True).edges for hub in (np.arange(units), few)]
    assert len(found[1].row) > len(found[0].row)
    for edges in found:
        made = replace(program, dependencies=dependencies_of(edges, lag))
        assert reference_hazards.hazards(made) == set()


def test_a_lag_is_an_edge_though_the_release_is_known() -> None:
    """A PRELOAD behind a pass that it knows to be released must still wait for the wave to leave."""
    chip = accelsim.load_chip("int8_edge", ["units.array.hop_registers=2"])
    work = accelsim.load_workload("small_gemm")
    program = compile_program(chip, work, chosen=plan(chip, work))
    d = program.dependencies
    row = np.repeat(np.arange(len(program)), np.diff(d.start))
    late = d.lag > 0
    assert late.any() and (program.commands.opcode[row[late]] == Opcode.PRELOAD).all()
    assert (d.kind[late] == Edge.SLOT).all() and len(set(d.lag[late].tolist())) == 1


@pytest.mark.parametrize("which", ["plain", "compiled"])
def test_demands_are_bytes_by_port(which: jit.Which) -> None:
    """Against one dictionary a command, in an order that is not the ports'."""
    program = compile_program(
        accelsim.load_chip("ibm_quad_like"), accelsim.load_workload("small_cnn")
    )
    with jit.only(which):
        made = demands(program)
    names = {port.name: number for number, port in enumerate(program.ports)}
    o = program.operands
    for row in range(len(program)):
        total: dict[int, int] = {}
        for j in range(int(o.start[row]), int(o.start[row + 1])):
            memory = program.memories[int(o.memory[j])].name
            for side, other in (("read", 1), ("write", 0)):
                port = names.get(f"{memory}.{side}", names.get(f"{memory}.port", -1))
                if o.access[j] != other and port >= 0:
                    total[port] = total.get(port, 0) + int(o.bytes[j])
        here = slice(int(made.start[row]), int(made.start[row + 1]))
        assert sorted(total.items()) == list(
            zip(made.port[here].tolist(), made.bytes[here].tolist(), strict=True)
        )
