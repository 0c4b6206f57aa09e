"""Every bound of the rules, on both sides: the last value that is sound, the first that is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.mapping.compile import compile_program
from accelsim.program.opcodes import Access, Edge, Opcode
from accelsim.program.table import BlockRow, Program, RepeatRow
from tests.program.test_validate import codes, edit

FAR = 1 << 62
#: column -> (lowest sound value, first unsound one above) by the Program that it stands in
RANGES = {
    ("commands", "opcode"): lambda p: (0, len(Opcode)),
    ("commands", "unit"): lambda p: (0, len(p.units)),
    ("commands", "queue"): lambda p: (0, len(p.queues)),
    ("commands", "shape"): lambda p: (0, len(p.shapes.kind)),
    ("commands", "served"): lambda p: (0, 2),
    ("commands", "operator"): lambda p: (-1, len(p.operators)),
    ("commands", "block"): lambda p: (-1, max(1, len(p.blocks))),
    ("operands", "tensor"): lambda p: (0, len(p.tensors)),
    ("operands", "memory"): lambda p: (0, len(p.memories)),
    ("operands", "access"): lambda p: (0, len(Access)),
    ("operands", "bytes"): lambda p: (0, FAR),
    ("operands", "address"): lambda p: (0, FAR),
    ("operands", "span"): lambda p: (0, FAR),
    ("operands", "offset"): lambda p: (0, FAR),
    ("demands", "port"): lambda p: (0, len(p.ports)),
    ("demands", "bytes"): lambda p: (0, FAR),
    ("dependencies", "kind"): lambda p: (0, len(Edge)),
    ("dependencies", "lag"): lambda p: (0, FAR),
    ("shapes", "kind"): lambda p: (0, len(p.unit_kinds)),
    ("shapes", "extents"): lambda p: (0, FAR),
}


@pytest.fixture(params=["plain", "compiled"], autouse=True)
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both ways that rules are looked at."""
    with jit.only(request.param):
        yield


@pytest.fixture(scope="module")
def program() -> Program:
    chip = accelsim.load_chip("int8_edge", ["units.array.rows=8", "units.array.columns=8"])
    return compile_program(chip, accelsim.load_workload("small_gemm"))


@pytest.mark.parametrize("spot", RANGES, ids=lambda spot: ".".join(spot))
def test_a_column_holds_no_value_past_its_ends(spot: tuple[str, str], program: Program) -> None:
    low, high = RANGES[spot](program)
    last = len(getattr(getattr(program, spot[0]), spot[1])) - 1
    for entry in (0, last):
        where = (entry, 2) if spot[1] in ("offset", "extents") else entry
        for value in (low - 1, high):
            assert codes(edit(*spot, lambda _, at=where: at, value)(program)) == {"program.range"}
        for value in (low, high - 1):
            found = codes(edit(*spot, lambda _, at=where: at, value)(program))
            assert "program.range" not in found


def test_a_command_never_waits_for_itself_or_a_later_one(program: Program) -> None:
    d = program.dependencies
    rows = np.repeat(np.arange(len(program)), np.diff(d.start))
    for entry in (0, len(rows) // 2, len(rows) - 1):
        for later in (0, 1):
            wrong = edit("dependencies", "predecessor", lambda _, at=entry: at, rows[entry] + later)
            assert codes(wrong(program)) == {"program.backward"}
        before = edit("dependencies", "predecessor", lambda _, at=entry: at, rows[entry] - 1)
        assert "program.backward" not in codes(before(program))


def test_a_memory_ends_at_its_last_byte(program: Program) -> None:
    o = program.operands
    for number, memory in enumerate(program.memories):
        here = o.memory == number
        ends = [int((o.address + o.span)[here].max())] if here.any() else []
        ends += [r.address + r.span for r in program.residents if r.memory == number]
        if not ends:
            continue
        for size, sound in ((max(ends), True), (max(ends) - 1, False)):
            memories = list(program.memories)
            memories[number] = replace(memory, bytes=size)
            found = codes(replace(program, memories=tuple(memories)))
            assert found == (set() if sound else {"program.fits"}), memory.name


def test_blocks_and_repeats_end_with_the_program(program: Program) -> None:
    count = len(program)
    one_row = BlockRow(count - 1, 1, 1)
    assert codes(replace(program, blocks=(one_row,))) == set()
    for wrong in (
        BlockRow(count - 1, 1, 2),
        BlockRow(count, 1, 1),
        BlockRow(-1, 1, 1),
        BlockRow(0, 0, 1),
        BlockRow(0, 1, 0),
    ):
        assert codes(replace(program, blocks=(wrong,))) == {"program.block"}
    names = len(program.operators)
    sound = RepeatRow(first=2, length=3, times=1, operators=names, alike=(2, count))
    assert codes(replace(program, repeat=sound)) == set()
    for changed in (
        replace(sound, first=1),
        replace(sound, first=3),
        replace(sound, length=0),
        replace(sound, times=0),
        replace(sound, operators=names + 1),
        replace(sound, operators=-1),
        replace(sound, alike=(-1, count)),
        replace(sound, alike=(2, count + 1)),
        replace(sound, alike=(2, sound.stop - 1)),
    ):
        assert codes(replace(program, repeat=changed)) == {"program.repeat"}, changed
