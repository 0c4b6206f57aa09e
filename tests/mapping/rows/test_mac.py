"""The loop nest of MAC operators: one result however it is run, and a whole product from its passes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from accelsim.mapping.mapping import Geometry
from accelsim.mapping.placement import place
from accelsim.mapping.rows import mac, mac_op, record
from accelsim.mapping.rows.mac_record import Builder, mac_nest, styles_of
from accelsim.mapping.rows.record import Nest, Segment, written
from accelsim.program.opcodes import Flag, Opcode
from tests.mapping.rows.mac_cases import NETWORKS, Case, altered, network, random_cases


def rows_by(case: Case, fast: bool = True) -> Segment:
    return written(mac_nest(*case), fast)


def same(one: Segment, other: Segment) -> bool:
    columns = ("styles", "commands", "start", "operands")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in columns)


def test_plain_and_compiled_code_write_the_same_rows() -> None:
    cases = [case for setting in NETWORKS[::4] for _, case in network(*setting)]
    for case in (*cases, *random_cases(1, 40)):
        assert same(rows_by(case, fast=False), rows_by(case)), case


def test_rows_do_not_depend_on_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """In rooms that hold little more than a tile the nest stops again and again, and goes on."""
    cases = list(random_cases(2, 25))
    whole = [rows_by(case, fast=False) for case in cases]
    monkeypatch.setattr(record, "ROOM", 1)
    for case, expected in zip(cases, whole, strict=True):
        assert same(rows_by(case, fast=False), expected), case
        assert same(rows_by(case), expected), case


def test_no_job_takes_more_room_than_its_bound() -> None:
    """As rows are written where room is left for the largest job: stopped after each job, by a limit of 0."""
    for case in random_cases(3, 25):
        build = builder(case)
        numbers = build.op()
        op, state = record.plain(numbers), record.plain(build.state(numbers))
        most, done = build.most(numbers), False
        tensors = {"local": record.local(64).numbers, "styles": [0]}
        while not done:
            rows = record.rows_for(*most, most, False)._replace(limit=[0, 0], **tensors)
            done = mac.mac_rows(op, state, rows)
            assert rows.at[0] <= most[0] and rows.at[1] <= most[1], case


def builder(case: Case) -> Builder:
    chip, tables, geometry, mapping, formats, parity, where = case
    layout = place(chip, geometry, mapping, formats, parity, where)
    return Builder(chip, tables, geometry, mapping, formats, layout, where is None)


def rows_of(segment: Segment, opcode: Opcode) -> list[tuple[list[int], list[list[int]]]]:
    """Command and operands of every row with an opcode."""
    opcodes = segment.styles[segment.commands[:, 0], 0]
    bounds = list(pairwise(segment.start.tolist()))
    return [
        (segment.commands[row].tolist(), segment.operands[slice(*bounds[row])].tolist())
        for row in np.flatnonzero(opcodes == opcode)
    ]


def block(operand: list[int]) -> tuple[slice, ...]:
    """The box of an operand, its first three dimensions."""
    box = operand[7:]
    return tuple(slice(box[i], box[i] + box[i + 1]) for i in (0, 2, 4))


def covers(segment: Segment, geometry: Geometry) -> None:
    """Every product of the operator is computed once, every output stored once."""
    products = np.zeros((geometry.groups, geometry.m, geometry.k, geometry.n), np.int64)
    begun, ended = (np.zeros((geometry.groups, geometry.m, geometry.n), np.int64) for _ in "be")
    for command, operands in rows_of(segment, Opcode.MATMUL):
        (g, m, k), (g_too, k_too, n) = block(operands[0]), block(operands[1])
        assert g == g_too and k == k_too
        assert command[3:6] == [side.stop - side.start for side in (m, n, k)]
        assert all(block(operand) == (g, m, n) for operand in operands[2:])
        products[g, m, k, n] += 1
        begun[g, m, n] += bool(command[2] & Flag.FIRST_K)
        ended[g, m, n] += bool(command[2] & Flag.LAST_K)
    assert (products == 1).all()
    assert (begun == ended).all() and (begun >= 1).all()
    stored = np.zeros((geometry.groups, geometry.m, geometry.n), np.int64)
    for _, operands in rows_of(segment, Opcode.STORE):
        if operands[0][0] == mac_op.OUTPUT_MATRIX:
            stored[block(operands[0])] += 1
    assert (stored == 1).all()


def test_passes_cover_the_product_once() -> None:
    cases = [case for seed in range(6) for _, case in altered(seed)]
    small = [case for case in cases if case[2].m * case[2].n * case[2].k * case[2].groups < 4e6]
    assert len(small) > 5
    for case in (*small, *random_cases(4, 60)):
        covers(rows_by(case), case[2])


def test_what_a_pass_reads_is_what_was_brought_there() -> None:
    """Registers hold the box that a pass reads from them; a spilled tile comes back from where it went."""
    for case in random_cases(5, 60):
        segment = rows_by(case)
        names = case[1].memory_index
        registers = {names[name] for name in names if name.endswith(".registers")}
        held: dict[tuple[int, int], list[int]] = {}
        spilled: dict[int, list[int]] = {}
        opcodes = segment.styles[segment.commands[:, 0], 0]
        for row, opcode in enumerate(opcodes.tolist()):
            operands = segment.operands[segment.start[row] : segment.start[row + 1]].tolist()
            if opcode == Opcode.PRELOAD:
                held[operands[1][1], operands[1][2]] = operands[1][7:]
            elif opcode == Opcode.MATMUL:
                for operand in operands:
                    if operand[1] in registers:
                        assert held[operand[1], operand[2]] == operand[7:]
            elif opcode == Opcode.STORE and operands[1][0] == mac_op.SUMS:
                spilled[operands[1][2]] = operands[1][3:5] + operands[1][7:]
            elif opcode == Opcode.LOAD and operands[0][0] == mac_op.SUMS:
                assert spilled[operands[0][2]] == operands[0][3:5] + operands[0][7:]


def test_slots_are_taken_in_turn() -> None:
    """Tiles that stream go into the slots of their instance one after another."""
    again = 0
    for case in random_cases(7, 60):
        build = builder((*case[:6], None))
        op, turns = build.op(), Counter[tuple[int, int, int]]()
        for _, operands in rows_of(segment_of(build), Opcode.LOAD):
            tensor = operands[0][0]
            buffer = op.input if tensor == mac_op.INPUT else op.weight
            if tensor == mac_op.SUMS or buffer.stays:
                continue
            for _, memory, address, *_ in operands[1:]:
                lane, slot = divmod(address - buffer.base, buffer.size * buffer.slots)
                turn = turns[tensor, memory, lane]
                assert slot == turn % buffer.slots * buffer.size, case
                turns[tensor, memory, lane] += 1
                again += turn > 0
    assert again > 500


def test_passes_read_weights_where_they_were_put() -> None:
    for case in random_cases(8, 60):
        segment = segment_of(builder((*case[:6], None)))
        there: dict[tuple[int, int], list[int]] = {}
        opcodes = segment.styles[segment.commands[:, 0], 0]
        for row, opcode in enumerate(opcodes.tolist()):
            operands = segment.operands[segment.start[row] : segment.start[row + 1]].tolist()
            if operands[0][0] == mac_op.WEIGHT_MATRIX and opcode == Opcode.LOAD:
                there |= {(near[1], near[2]): near[7:] for near in operands[1:]}
            elif opcode in (Opcode.PRELOAD, Opcode.MATMUL):
                for operand in operands:
                    if operand[0] == mac_op.WEIGHT_MATRIX and operand[5] == record.READ:
                        assert inside(operand[7:], there[operand[1], operand[2]]), case
                if opcode == Opcode.PRELOAD:
                    there[operands[1][1], operands[1][2]] = operands[1][7:]


def inside(part: list[int], whole: list[int]) -> bool:
    sides = range(0, 8, 2)
    return all(
        whole[i] <= part[i] and part[i] + part[i + 1] <= whole[i] + whole[i + 1] for i in sides
    )


def test_a_table_says_where_tensors_are_at_home() -> None:
    """Weights and outputs at home on chip: what is touched there has that memory and address, what moves from or to
    there says that it stays on chip, and nothing else changes."""
    moved = (mac_op.WEIGHT_MATRIX, mac_op.OUTPUT_MATRIX)
    for case in random_cases(6, 10):
        nest = mac_nest(*case[:6], None)
        before = written(nest, fast=True)
        table = record.local(64)
        for tensor in moved:
            at = record.LOCAL * tensor
            table.numbers[at + 1 : at + 4] = [99, 1000, 1]
        after = written(mac_nest(*case[:6], None), True, table)
        own = np.isin(before.operands[:, 0], moved) & (before.operands[:, 1] == record.HOME)
        operands, commands = before.operands.copy(), before.commands.copy()
        operands[own, 1] = 99
        operands[own, 2] += 1000
        commands[np.searchsorted(before.start, np.flatnonzero(own), side="right") - 1, 4] = 1
        assert own.sum() >= 2 and np.array_equal(after.operands, operands)
        assert np.array_equal(after.commands, commands)


def segment_of(build: Builder) -> Segment:
    op = build.op()
    most = build.most(op)
    return written(
        Nest(
            mac.mac_rows,
            mac.MAC_HELPERS,
            op,
            build.state(op),
            styles_of(build.formats, build.layout.sum_format),
            most,
        ),
        fast=True,
    )
