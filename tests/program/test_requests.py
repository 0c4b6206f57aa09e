"""Requests behind one another: by hand, against closed forms, and against what the Timeline did to every byte."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.energy import account, work_of
from accelsim.errors import ProgramError
from accelsim.mapping import compile_program, plan
from accelsim.mapping.programs import release_lag
from accelsim.program.dependencies import roots_of
from accelsim.program.hazards import derived
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.requests import apart, in_order, in_requests, slots_of
from accelsim.program.table import BlockRow, Program
from accelsim.program.validate import validate
from accelsim.timing import Timeline, simulate
from accelsim.timing.engine import run
from accelsim.timing.repeats import period
from accelsim.workload import Workload
from tests.mapping.random_networks import random_network
from tests.program import reference_hazards
from tests.program.pipelines import pipeline, slots, taking

#: ticks of the stages, slots of the buffers between them, ticks to the first result and between results: a
#: buffer of one slot is held from its writer's start to its reader's end, so both count
BY_HAND = (
    ((3, 5), (2,), 8, 5),
    ((5, 3), (2,), 8, 5),
    ((4, 4), (2,), 8, 4),
    ((3, 5), (1,), 8, 8),
    ((5, 3), (1,), 8, 8),
    ((1, 9), (3,), 10, 9),
    ((7, 2), (4,), 9, 7),
    ((2, 3, 4), (2, 2), 9, 4),
    ((4, 3, 2), (2, 2), 9, 4),
    ((2, 7, 2), (2, 2), 11, 7),
    ((5, 1, 5), (2, 2), 11, 5),
    ((2, 3, 4), (1, 1), 9, 7),
    ((4, 3, 2), (1, 1), 9, 7),
    ((2, 7, 2), (1, 1), 11, 9),
    ((5, 1, 5), (1, 1), 11, 6),
    ((5, 1, 5), (1, 2), 11, 6),
    ((1, 1, 8), (1, 2), 10, 8),
    ((1, 1, 8), (2, 1), 10, 9),
    ((6, 1, 1), (1, 1), 8, 7),
    ((3, 3, 3), (1, 1), 9, 6),
    ((3, 3, 3), (2, 1), 9, 6),
    ((1, 2, 3, 4), (2, 2, 2), 10, 4),
    ((4, 3, 2, 1), (2, 2, 2), 10, 4),
    ((1, 9, 1, 9), (2, 3, 2), 20, 9),
    ((1, 2, 3, 4), (1, 1, 1), 10, 7),
    ((9, 1, 1, 9), (1, 1, 1), 20, 10),
    ((2, 6, 6, 2), (2, 1, 2), 16, 12),
    ((2, 6, 6, 2), (1, 2, 1), 16, 8),
)
REQUESTS = 24


def in_turn(program: Program, requests: int, counts: tuple[int, ...]) -> Program:
    made = in_requests(program, requests, slots(program, counts))
    return derived(made, np.zeros(len(made), np.int64))


@pytest.mark.parametrize(("ticks", "counts", "first", "interval"), BY_HAND)
def test_pipelines_by_hand(
    ticks: tuple[int, ...], counts: tuple[int, ...], first: int, interval: int
) -> None:
    """Every engine; with two slots or more every request ends at the fill and one slowest stage more."""
    made, times = in_turn(pipeline(len(ticks)), REQUESTS, counts), taking(ticks, REQUESTS)
    validate(made)
    timelines = [run(made, times, engine) for engine in ("plain", "compiled", "simpy")]
    for other in timelines[1:]:
        assert (other.issue == timelines[0].issue).all() and (other.end == timelines[0].end).all()
    ends = timelines[0].end[len(ticks) - 1 :: len(ticks)]
    assert ends[0] == first and (np.diff(ends)[REQUESTS // 2 :] == interval).all()
    if min(counts) >= 2:
        assert ends.tolist() == [sum(ticks) + n * max(ticks) for n in range(REQUESTS)]
    block = BlockRow(8 * len(ticks), len(ticks), REQUESTS - 10)
    found = period(made, times, block, fast=False)
    assert found is not None and found[0] == interval * found[1]


def test_random_pipelines_have_the_busiest_stages_interval() -> None:
    """The busiest stage, or the busiest two with one slot between them."""
    rng = np.random.default_rng(3)
    for _ in range(60):
        stages = int(rng.integers(2, 5))
        ticks = tuple(rng.integers(1, 20, stages).tolist())
        counts = tuple(rng.integers(1, 4, stages - 1).tolist())
        pairs = [a + b for a, b, s in zip(ticks, ticks[1:], counts, strict=False) if s == 1]
        interval, requests = max(*ticks, *pairs), 40
        end = run(in_turn(pipeline(stages), requests, counts), taking(ticks, requests)).end
        assert end[-1] - end[-1 - 10 * stages] == 10 * interval, (ticks, counts)


def one_of(chip: Chip, work: Workload) -> tuple[Program, Timeline]:
    program = compile_program(chip, work, chosen=plan(chip, work))
    return program, simulate(program, chip)


def conflicts(program: Program, timeline: Timeline) -> int:
    """Pairs of commands that touch the same bytes, one of them writing; AssertionError where the later one in
    the table ran before the earlier one was done with them."""
    o, seen = program.operands, 0
    owner = np.repeat(np.arange(len(program)), np.diff(o.start))
    adds = {int(Opcode.MATMUL), int(Opcode.MVM)}
    c, low, high = program.commands, o.address, o.address + o.span
    for b in range(len(owner)):
        near = (o.memory[:b] == o.memory[b]) & (low[:b] < high[b]) & (high[:b] > low[b])
        near &= (o.access[:b] != Access.READ) | (o.access[b] != Access.READ)
        for a in np.flatnonzero(near).tolist():
            i, j = int(owner[a]), int(owner[b])
            if i == j:
                continue
            seen += 1
            same = c.unit[i] == c.unit[j] and c.queue[i] == c.queue[j]
            if o.access[a] == Access.READ or (
                same and (o.access[b] != Access.READ or int(c.opcode[j]) in adds)
            ):
                assert timeline.issue[j] >= timeline.release[i]
            else:
                assert timeline.issue[j] >= timeline.end[i]
    return seen


CHIPS = (
    ("pcm_8level", ()),
    ("pcm_8level", ("memories.output_buffer.size=2 KiB", "memories.input_buffer.size=1 KiB")),
    ("pcm_8level", ("weights=cold",)),
    ("int8_edge", ()),
    ("int8_edge", ("weights=resident",)),
    ("mixed_quad", ()),
)


@pytest.mark.parametrize(("name", "keys"), CHIPS)
def test_requests_out_of_turn_never_touch_bytes_too_early(name: str, keys: tuple[str, ...]) -> None:
    """Several queues feed a unit there, so what is known of one says nothing of another."""
    chip, seen = accelsim.load_chip(name, list(keys)), 0
    for seed in range(6):
        work = random_network(np.random.default_rng(seed))
        one, alone = one_of(chip, work)
        many = in_requests(one, 4, slots_of(one, alone.issue, alone.end, alone.makespan // 3))
        lag = release_lag(chip, many)
        free = apart(many, lag)
        timeline = simulate(free, chip)
        reference = simulate(free, chip, "simpy")
        assert (reference.end == timeline.end).all()
        if len(many) < 400:
            seen += conflicts(free, timeline)
            assert reference_hazards.hazards(free) == set()
        made = in_order(many, np.argsort(timeline.issue, kind="stable"), lag)
        validate(made, work)
    assert seen > 1000


def test_a_request_is_every_row_once_more() -> None:
    """Rows, work and joules of n requests are n times those of one; leakage follows the time."""
    for name, keys in CHIPS:
        chip, work = accelsim.load_chip(name, list(keys)), accelsim.load_workload("digits_mlp", 1)
        one, alone = one_of(chip, work)
        many = derived(made := in_requests(one, 5), release_lag(chip, made))
        validate(many, work)
        assert many.commands.request.tolist() == [r for r in range(5) for _ in range(len(one))]
        timeline = simulate(many, chip)
        for side in ("runs", "read", "written"):
            whole, part = (getattr(work_of(p, timeline), side) for p in (many, one))
            assert (whole == 5 * part).all()
        joules = account(many, chip, timeline)
        joules.check(5 * work.macs)
        each = account(one, chip, replace(alone, makespan=timeline.makespan))
        static = sum(r.joules for r in each.rows if r.action.endswith("_second"))
        assert joules.total - static == pytest.approx(5 * (each.total - static), rel=1e-12)


def test_every_request_is_whole_and_reads_its_own() -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("digits_cnn", 1)
    one, _ = one_of(chip, work)
    many = in_requests(one, 3)
    c = many.commands
    request = c.request.copy()
    request[np.flatnonzero((c.opcode == Opcode.MATMUL) & (request == 2))[0]] = 1
    moved = derived(replace(many, commands=replace(c, request=request)), release_lag(chip, many))
    with pytest.raises(ProgramError, match=r"conv1 of request 1[^$]*conv1 of request 2"):
        validate(moved, work)
    # another request's version of a tensor is another tensor
    o = many.operands
    inner = [row for row, tensor in enumerate(many.tensors) if tensor.version == 1]
    row = int(np.flatnonzero(np.isin(o.tensor, inner) & (o.access == Access.READ))[0])
    wrong = o.tensor.copy()
    wrong[row] = next(
        r
        for r, tensor in enumerate(many.tensors)
        if replace(tensor, version=1, view_of=0) == replace(many.tensors[wrong[row]], view_of=0)
        and tensor.version == 2
    )
    with pytest.raises(ProgramError, match="hold another tensor"):
        derived(replace(many, operands=replace(o, tensor=wrong)), release_lag(chip, many))


def test_an_order_that_breaks_a_dependency_is_refused() -> None:
    chip, work = accelsim.load_chip("pcm_8level"), accelsim.load_workload("digits_cnn", 1)
    one, alone = one_of(chip, work)
    many = in_requests(one, 1)
    lag = release_lag(chip, many)
    same = in_order(many, np.arange(len(many)), lag)
    assert (simulate(same, chip).end == alone.end).all()
    with pytest.raises(ProgramError, match="nothing has written"):
        in_order(many, np.arange(len(many))[::-1].copy(), lag)


def test_slots_fit_and_leave_what_stays() -> None:
    """Capacity is never exceeded; what is there at the start or the end keeps its place; without room nothing
    moves."""
    work = accelsim.load_workload("digits_cnn", 1)
    seen = set()
    for size in (1, 2, 4, 8, 16, 64):
        chip = accelsim.load_chip("pcm_8level", [f"memories.output_buffer.size={size} KiB"])
        one, alone = one_of(chip, work)
        made = slots_of(one, alone.issue, alone.end, alone.makespan // 4)
        o, root = one.operands, roots_of(one.tensors)
        top = o.address + made.shift + (made.turns - 1) * made.size + o.span
        room = np.array([memory.bytes for memory in one.memories])[o.memory]
        assert (top <= room).all()
        stays = {(int(root[r.tensor]), r.memory) for r in one.residents}
        held = list(zip(root[o.tensor].tolist(), o.memory.tolist(), strict=True))
        fixed = np.array([pair in stays for pair in held])
        assert not made.shift[fixed].any() and (made.turns[fixed] == 1).all()
        near = np.array([memory.name for memory in one.memories])[o.memory] == "output_buffer"
        seen.add(int(made.turns[near].max()))
        if made.shift[near].any():  # operators have bytes of their own
            spans: dict[int, list[int]] = {}
            owner = np.repeat(one.commands.operator, np.diff(o.start))
            for entry in np.flatnonzero(near).tolist():
                low = int(o.address[entry] + made.shift[entry])
                span = spans.setdefault(int(owner[entry]), [low, low])
                span[0], span[1] = min(span[0], low), max(span[1], int(top[entry]))
            ends = sorted(spans.values())
            assert all(a[1] <= b[0] for a, b in pairwise(ends))
    assert min(seen) == 1 and max(seen) >= 4


def test_older_requests_go_first() -> None:
    """Both stages on one unit: the second of an old request before the first of a new one, whose row stands before
    in another order; stages on units of their own overlap."""
    made = in_requests(pipeline(2), 3, slots(pipeline(2), (3,)))
    none = np.zeros(len(made), np.int64)
    assert run(apart(made, none), taking((2, 3), 3)).issue.tolist() == [0, 2, 2, 5, 4, 8]
    one_unit = replace(made, commands=replace(made.commands, unit=none))
    assert run(apart(one_unit, none), taking((2, 3), 3)).issue.tolist() == [0, 2, 5, 7, 10, 12]
