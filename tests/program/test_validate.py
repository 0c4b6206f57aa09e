"""validate(): each rule is broken once, alone, and named; no edge or pass can be taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.errors import ProgramError
from accelsim.mapping.compile import compile_program
from accelsim.program.opcodes import Access, Flag, Opcode
from accelsim.program.table import BlockRow, Dependencies, Program
from accelsim.program.validate import validate
from accelsim.workload import Workload
from tests.program.probes import PROBES

SMALL = ["units.array.rows=8", "units.array.columns=8"]
CHIPS = ("int8_edge", "mixed_quad")


@pytest.fixture(scope="module", params=CHIPS)
def planned(request: pytest.FixtureRequest) -> tuple[Program, Workload]:
    workload = accelsim.load_workload("small_gemm")
    return compile_program(accelsim.load_chip(request.param, SMALL), workload), workload


def codes(program: Program, workload: Workload | None = None) -> set[str]:
    try:
        validate(program, workload)
    except ProgramError as error:
        return {problem.code for problem in error.problems}
    return set()


def without_edge(program: Program, entry: int) -> Program:
    d = program.dependencies
    row = int(np.searchsorted(d.start, entry, side="right")) - 1
    start = d.start.copy()
    start[row + 1 :] -= 1
    return replace(
        program,
        dependencies=Dependencies(
            start, *(np.delete(column, entry) for column in (d.predecessor, d.kind, d.lag))
        ),
    )


def test_every_edge_of_a_plan_is_needed(planned: tuple[Program, Workload]) -> None:
    """The mapping writes no edge too many, and validate misses none that is gone."""
    program, workload = planned
    assert codes(program, workload) == set()
    for entry in range(0, len(program.dependencies.kind), 3):
        found = codes(without_edge(program, entry), workload)
        assert found, f"edge {entry}"
        assert found <= {"program.read_early", "program.overwrite", "program.write_order"}


@pytest.mark.parametrize("name", ["fused_pipeline", "kv_cache", "fp8_update", "into_pcm"])
def test_every_edge_of_a_probe_is_needed(name: str) -> None:
    """The probes whose edges are not implied by queue order."""
    program = PROBES[name]().program
    for entry in range(len(program.dependencies.kind)):
        assert codes(without_edge(program, entry)), f"edge {entry}"


def test_no_pass_can_be_dropped_or_done_twice(planned: tuple[Program, Workload]) -> None:
    program, workload = planned
    rows = program.rows(Opcode.MATMUL)
    for row in rows[:: max(1, len(rows) // 40)].tolist():
        other = int(rows[0] if row != rows[0] else rows[1])
        for axis in range(3):
            moved = replace(
                program, operands=replace(program.operands, offset=program.operands.offset.copy())
            )
            entry, source = (int(program.operands.start[r]) for r in (row, other))
            for operand in range(3):
                moved.operands.offset[entry + operand] = program.operands.offset[source + operand]
            if not (moved.operands.offset == program.operands.offset).all():
                assert "program.coverage" in codes(moved, workload), f"row {row} does {other}"
            shifted = replace(
                program, operands=replace(program.operands, offset=program.operands.offset.copy())
            )
            shifted.operands.offset[entry + 2, axis] += 1
            assert codes(shifted, workload) & {"program.extents", "program.coverage"}


def test_a_pass_left_out_is_seen(planned: tuple[Program, Workload]) -> None:
    """A pass that claims to recompute what nobody else computes."""
    program, workload = planned
    for row in program.rows(Opcode.MATMUL)[::5].tolist():
        flags = program.commands.flags.copy()
        flags[row] |= int(Flag.RECOMPUTES)
        wrong = replace(program, commands=replace(program.commands, flags=flags))
        with pytest.raises(ProgramError, match=r"computes \d+ products, it has \d+") as caught:
            validate(wrong, workload)
        assert "program.coverage" in {problem.code for problem in caught.value.problems}


def first(program: Program, opcode: Opcode) -> int:
    return int(program.rows(opcode)[0])


def entry_of(program: Program, opcode: Opcode, access: Access) -> int:
    o, row = program.operands, first(program, opcode)
    return next(i for i in range(int(o.start[row]), int(o.start[row + 1])) if o.access[i] == access)


def edit(
    table: str, column: str, where: Callable[[Program], object], value: object
) -> Callable[[Program], Program]:
    """A mutation: one entry of one column, to a value or by a function of the old one."""

    def change(program: Program) -> Program:
        whole = getattr(program, table)
        fresh = getattr(whole, column).copy()
        index = where(program)
        fresh[index] = value(fresh[index]) if callable(value) else value
        return replace(program, **{table: replace(whole, **{column: fresh})})

    return change


def at(opcode: Opcode, access: Access | None = None) -> Callable[[Program], int]:
    if access is None:
        return lambda program: first(program, opcode)
    return lambda program: entry_of(program, opcode, access)


MUTATIONS: dict[str, tuple[str, Callable[[Program], Program]]] = {
    "column of floats": (
        "program.dtype",
        lambda p: replace(
            p, commands=replace(p.commands, flags=p.commands.flags.astype(np.float64))
        ),
    ),  # type: ignore[arg-type]
    "short column": (
        "program.length",
        lambda p: replace(p, commands=replace(p.commands, flags=p.commands.flags[:-1])),
    ),
    "falling rows": ("program.rows", edit("demands", "start", lambda p: 1, 10**6)),
    "nine extents": (
        "program.extents",
        lambda p: replace(
            p, shapes=replace(p.shapes, extents=np.zeros((len(p.shapes.kind), 9), np.int64))
        ),
    ),
    "no such opcode": ("program.range", edit("commands", "opcode", lambda p: 0, 99)),
    "no such unit": ("program.range", edit("commands", "unit", lambda p: 0, 99)),
    "no such shape": ("program.range", edit("commands", "shape", lambda p: 0, -1)),
    "no such memory": ("program.range", edit("operands", "memory", lambda p: 0, 99)),
    "no such port": ("program.range", edit("demands", "port", lambda p: 0, 99)),
    "negative lag": ("program.range", edit("dependencies", "lag", lambda p: 0, -1)),
    "negative bytes": ("program.range", edit("operands", "bytes", lambda p: 0, -8)),
    "forward edge": (
        "program.backward",
        edit("dependencies", "predecessor", lambda p: 0, lambda old: old + 10**4),
    ),
    "wrong unit": ("program.opcode", edit("commands", "unit", at(Opcode.LOAD), 0)),
    "shape of another kind": (
        "program.shape",
        lambda p: edit(
            "commands", "shape", at(Opcode.LOAD), int(p.commands.shape[first(p, Opcode.MATMUL)])
        )(p),
    ),
    "past the memory": (
        "program.fits",
        edit("operands", "address", at(Opcode.LOAD, Access.WRITE), 1 << 40),
    ),
    "fewer bytes on a port": (
        "program.ports",
        edit("demands", "bytes", lambda p: 0, lambda old: old - 1),
    ),
    "more bytes moved": (
        "program.ports",
        edit("operands", "bytes", at(Opcode.LOAD, Access.WRITE), lambda old: old + 1),
    ),
    "block too long": ("program.block", lambda p: replace(p, blocks=(BlockRow(0, 7, 10**6),))),
    "block that does not repeat": (
        "program.block",
        lambda p: replace(p, blocks=(BlockRow(0, 1, len(p)),)),
    ),
    "other extents": (
        "program.extents",
        lambda p: edit(
            "shapes",
            "extents",
            lambda q: (int(q.commands.shape[first(q, Opcode.MATMUL)]), 0),
            lambda old: old + 1,
        )(p),
    ),
    "operand of another operator": (
        "program.tensor",
        lambda p: replace(
            p,
            tensors=tuple(replace(t, operator=7) if t.view == "lowered" else t for t in p.tensors),
            operators=(*p.operators, *["more"] * 8),
        ),
    ),
    "sum never begun": (
        "program.sums",
        edit("commands", "flags", at(Opcode.MATMUL), lambda old: old & ~int(Flag.FIRST_K)),
    ),
    "read elsewhere": (
        "program.unwritten",
        edit("operands", "address", at(Opcode.PRELOAD, Access.READ), lambda old: old + (1 << 14)),
    ),
    "another tensor's bytes": (
        "program.clobbered",
        lambda p: edit(
            "operands",
            "tensor",
            at(Opcode.PRELOAD, Access.READ),
            int(p.operands.tensor[entry_of(p, Opcode.LOAD, Access.WRITE)]),
        )(p),
    ),
    "another region": (
        "program.region",
        lambda p: edit(
            "operands",
            "offset",
            lambda q: (entry_of(q, Opcode.PRELOAD, Access.READ), 2),
            lambda old: old + 10**3,
        )(p),
    ),
    "output left on chip": (
        "program.resident",
        lambda p: edit("operands", "address", at(Opcode.STORE, Access.WRITE), 0)(p),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_rule_names_its_breach(name: str) -> None:
    chip = accelsim.load_chip("int8_edge", SMALL)
    workload = accelsim.load_workload("small_gemm")
    program = compile_program(chip, workload)
    code, mutate = MUTATIONS[name]
    assert code in codes(mutate(program), workload), codes(mutate(program), workload)


def test_a_missing_operator_is_seen() -> None:
    chip, workload = accelsim.load_chip("int8_edge"), accelsim.load_workload("digits_mlp")
    program = compile_program(chip, workload)
    assert codes(program, workload) == set()
    wider = compile_program(chip, accelsim.load_workload("digits_mlp", batch=9))
    assert "program.coverage" in codes(wider, workload)


def test_recomputation_must_be_declared() -> None:
    """A pass done twice is refused, unless it says that it recomputes."""
    from accelsim.program.builder import Part, ProgramBuilder

    def twice(flag: Flag) -> Program:
        b = ProgramBuilder()
        array, near = b.unit("array", (Opcode.MATMUL,)), b.memory("sram", 256)
        op = b.operator("gemm")
        x, w = b.tensor("x", (1, 2, 4), role="input"), b.tensor("w", (1, 4, 3), role="weight")
        b.resident(Part(x, near))
        b.resident(Part(w, near, 16))
        for turn in range(2):
            y = b.tensor("y", (1, 2, 3), "int32", version=turn, operator=op)
            b.command(
                array,
                Opcode.MATMUL,
                extents=(2, 3, 4),
                operator=op,
                flags=Flag.FIRST_K | Flag.LAST_K | (flag if turn else Flag.NONE),
                reads=[Part(x, near), Part(w, near, 16)],
                writes=[Part(y, near, 64 + 64 * turn)],
            )
        return b.build()

    assert codes(twice(Flag.NONE)) == {"program.coverage"}
    assert codes(twice(Flag.RECOMPUTES)) == set()
