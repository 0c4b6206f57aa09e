"""A batch in groups of images: the same values, every byte accounted for, and the group of the fewest bytes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.explore import search_plan
from accelsim.explore.homes import WORSE, plan_at_home
from accelsim.explore.measured import Run
from accelsim.explore.steady import steady
from accelsim.formats import get
from accelsim.mapping import Mapping, Plan, compile_program, plan
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.mapping.homes import SHARES, Homes, homes_of
from accelsim.mapping.image_groups import bytes_off_chip, sizes_of
from accelsim.mapping.kept import with_kept
from accelsim.mapping.lifetimes import roots
from accelsim.mapping.tensors import operator_formats
from accelsim.program.opcodes import Access
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.results.homes import stood
from accelsim.results.inputs import dump, load
from accelsim.timing import simulate
from accelsim.timing.operators import END, operator_times
from accelsim.workload import Gemm, TensorSpec, VectorOperator, Workload
from accelsim.workload.images import of_group
from tests.mapping.homes_cases import watch_memories, with_l2
from tests.mapping.random_cases import random_chip
from tests.mapping.random_networks import random_network
from tests.mapping.rows.crossbar_cases import SIZES, small_chip
from tests.mapping.test_counted import held_against_the_stream, held_against_the_table
from tests.mapping.test_homes import off_chip_bytes

ROOT = Path(__file__).parents[2]


def whole(chip: Chip, work: Workload, chosen: Plan) -> tuple[float, float]:
    """Cycles and joules of a Plan's run."""
    run = Run(chip, work, chosen)
    return run.cycles, run.joules


def reference(chip: Chip, work: Workload, homes: Homes) -> dict[str, tuple[int, int]]:
    """Bytes read and written off chip by tensor, were every operator to take each of its tensors at home there once,
    image group after image group; written from the workload of the whole batch alone."""
    found: dict[str, list[int]] = {}
    names, turns = roots(work), work.inferences // homes.images if homes.images else 1
    forms = plan(chip, work).formats
    for op in work.operators:
        if isinstance(op, VectorOperator):
            if op.is_view:
                continue
            reads = {name: (forms[name], 1) for name in op.inputs}
        else:
            pair = operator_formats(op, chip)
            reads = {op.input: (pair[0], 1), op.weight: (pair[1], 1)}
            if work.is_stored(op.weight):
                reads[op.weight] = pair[1], turns if chip.weights == "cold" else 0
        for name, (form, times) in reads.items():
            if names[name] not in homes.at:
                size = get(form).bytes_for(work.tensors[name].elements)
                found.setdefault(names[name], [0, 0])[0] += times * size
        if names[op.output] not in homes.at:
            size = get(forms[op.output]).bytes_for(work.tensors[op.output].elements)
            found.setdefault(names[op.output], [0, 0])[1] += size
    return {name: (read, written) for name, (read, written) in found.items() if read or written}


def random_groups(rng: np.random.Generator) -> tuple[Chip, Workload, Plan]:
    """A network of four images or six in groups, with tensors at home on chip or without."""
    while True:
        chip, work = random_chip(rng), random_network(rng, int(rng.choice([4, 6])))
        if rng.random() < 0.3:
            chip = small_chip(*SIZES[int(rng.integers(len(SIZES)))], int(rng.integers(1, 60)), True)
        if rng.random() < 0.5:
            chip = with_l2(chip, int(rng.choice([2048, 8192, 65536])))
        chip = replace(chip, weights="resident" if rng.random() < 0.3 else "cold")
        try:
            far = plan(chip, work)
            sizes = sizes_of(work, far.formats)
            images = int(rng.choice(sizes or [0]))
            if not images:
                continue
            homes = Homes(images=images)
            if rng.random() < 0.8:
                analog = [n for n, one in far.mappings.items() if isinstance(one, CrossbarMapping)]
                group, share = of_group(work, images), float(rng.choice(SHARES))
                homes = homes_of(chip, group, far.formats, analog, {}, (share, True))
                homes = replace(homes, images=images)
            return chip, work, plan(chip, work, None, homes)
        except InputError:  # no room is left for tiles
            continue


def held(seed: int, count: int) -> Counter[str]:
    """Random groups: all sinks alike, valid, every byte of one tensor and group at a time; off chip what the reference
    says, but for what is read more than once; what they were."""
    rng, seen = np.random.default_rng([22, seed]), Counter[str]()
    for _ in range(count):
        chip, work, chosen = random_groups(rng)
        chosen = with_kept(chip, work, chosen)
        held_against_the_table(chip, work, chosen)
        held_against_the_stream(chip, work, chosen)
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        timeline = simulate(program, chip)
        watch_memories(program, timeline)
        assert simulate(program, chip, "simpy").makespan == timeline.makespan
        times = operator_times(program, chip.dma.memory, timeline, len(work.operators))
        assert times.windows.ticks.sum() == times.table[END].max() == timeline.makespan
        fetched_once(chip, chosen, work, program)
        written = {name: out for name, (_, out) in reference(chip, work, chosen.homes).items()}
        o, far = program.operands, [m.name for m in program.memories].index(chip.dma.memory)
        for number, row in enumerate(program.tensors):
            if row.view == "" and row.name in written and row.role != "weight":
                views = [n for n, one in enumerate(program.tensors) if number in (n, one.view_of)]
                mine = np.isin(o.tensor, views) & (o.memory == far) & (o.access == Access.WRITE)
                bits = get(row.format).bits * o.extent[mine].prod(axis=1).sum()
                assert bits == 8 * written[row.name], row.name
        seen["at home"] += bool(chosen.homes.at)
        seen["kept"] += any(room.kept for room in chosen.homes.rooms.values())
        seen["crossbars"] += chip.crossbar is not None
        seen[chip.weights] += 1
    return seen


def fetched_once(chip: Chip, chosen: Plan, work: Workload, program: Program) -> None:
    """Of weights that stay on chip every element comes from off chip once, whatever groups and loops there are."""
    o, far = program.operands, [m.name for m in program.memories].index(chip.dma.memory)
    for op in work.operators:
        if not isinstance(op, VectorOperator) and chosen.homes.room(op.name).kept is not None:
            rows = [n for n, row in enumerate(program.tensors) if row.name == op.weight]
            mine = np.isin(o.tensor, rows) & (o.memory == far)
            assert (o.access[mine] == Access.READ).all()
            assert o.extent[mine].prod(axis=1).sum() == work.tensors[op.weight].elements


def test_random_groups() -> None:
    seen = held(0, 16)
    assert len(seen) == 5 and min(seen.values()) >= 2, seen


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 4))
def test_more_random_groups(seed: int) -> None:
    seen = held(seed, 40)
    assert len(seen) == 5 and min(seen.values()) >= 4, seen


@pytest.mark.parametrize(("images", "megabytes"), [(0, 43.4), (4, 37.4), (2, 48.0), (1, 94.7)])
def test_resnet18_behind_three_mebibytes(images: int, megabytes: float) -> None:
    """Eight images move 95, 48, 37 and 43 MB in groups of 1, 2, 4 and 8: bytes that the homes, a reference written
    apart and the Program agree on, but for what operators read more than once: halos of the first."""
    chip = accelsim.load_chip("int8_edge_l2")
    work = accelsim.load_workload("resnet18", batch=8)
    far = plan(chip, work)
    homes = homes_of(chip, of_group(work, images), far.formats, (), {}, (0.5, True))
    homes = replace(homes, images=images)
    chosen = plan(chip, work, None, homes)
    moved = off_chip_bytes(compile_program(chip, work, chosen=chosen))
    said = reference(chip, work, homes)
    total = bytes_off_chip(chip, work, far.formats, homes)
    assert total == sum(map(sum, said.values()))
    assert round(total / 1e6, 1) == megabytes
    assert moved.keys() == said.keys()
    again = {name for name, pair in said.items() if moved[name] != pair}
    assert again == {4: {"x"}, 2: {"x"}, 1: set()}.get(images, {"x", "pool1", "layer1_0"})
    for name in again:
        assert moved[name][0] > said[name][0] and moved[name][1] == said[name][1]


def test_the_group_of_the_fewest_bytes_is_taken() -> None:
    chip = accelsim.load_chip("int8_edge_l2")
    work = accelsim.load_workload("resnet18", batch=8)
    chosen = plan_at_home(chip, work, None, "on_chip")
    assert chosen.homes.images == 4
    before, after = whole(chip, work, plan(chip, work)), whole(chip, work, chosen)
    assert after[0] <= before[0] and after[1] <= 0.7 * before[1]
    small = accelsim.load_workload("digits_cnn", batch=4)
    assert plan_at_home(chip, small, None, "on_chip").homes.images == 0  # it fits as it is


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_residual"])
@pytest.mark.parametrize("chip", ["int8_edge", "pcm_8level", "fp8_64"])
def test_values_are_those_of_the_whole_batch(name: str, chip: str) -> None:
    """Bit for bit, with scales, noise and rounding of each chip."""
    made, work = accelsim.load_chip(chip), accelsim.load_workload(name, batch=6)
    (spec,) = (tensor for tensor in work.tensors.values() if tensor.role == "input")
    images = np.load(ROOT / "workloads" / "digits.npz")["images"][:6] / 16
    inputs = {spec.name: images.reshape(spec.shape)}
    runs = [accelsim.run(made, work, inputs, homes="on_chip", images=n) for n in (6, 3, 1)]
    assert [run.plan.homes.images for run in runs] == [0, 3, 1]
    for run in runs[1:]:
        assert run.values is not None and runs[0].values is not None
        for output, codes in runs[0].values.outputs.items():
            np.testing.assert_array_equal(run.values.outputs[output], codes)
        assert sum(row.cycles for row in run.operators) == run.cycles
        assert sum(row.macs for row in run.operators) == work.macs


def test_random_groups_compute_what_the_batch_does() -> None:
    """Residual sums, pools and views between them, with random weights."""
    rng = np.random.default_rng(23)
    chip = accelsim.load_chip("int8_edge")
    work = accelsim.load_workload("digits_residual", batch=4)
    (spec,) = (tensor for tensor in work.tensors.values() if tensor.role == "input")
    inputs = {spec.name: rng.random(spec.shape)}
    kept = [accelsim.run(chip, work, inputs, images=n, keep=True) for n in (4, 2, 1)]
    for run in kept[1:]:
        assert run.values is not None and kept[0].values is not None
        assert run.values.kept is not None and kept[0].values.kept is not None
        for name, codes in kept[0].values.kept.tensors.items():
            np.testing.assert_array_equal(run.values.kept.tensors[name], codes, name)


def square(*names: str) -> Workload:
    """Products of 64 x 64 x 64 behind one another, all by the same weights."""
    tensors = {"w": TensorSpec("w", (64, 64), "weight")}
    for name, role in zip(names, ("input", *("intermediate",) * 8), strict=False):
        tensors[name] = TensorSpec(name, (64, 64), role)
    tensors[names[-1]] = replace(tensors[names[-1]], role="output")
    pairs = pairwise(names)
    operators = tuple(Gemm(f"to_{out}", one, "w", out, 64, 64, 64) for one, out in pairs)
    return Workload("square", operators, tensors)


def bare(chosen: Plan) -> Plan:
    """The Plan without weights that stay."""
    rooms = {name: room._replace(kept=None) for name, room in chosen.homes.rooms.items()}
    return replace(chosen, homes=replace(chosen.homes, rooms=rooms))


@pytest.mark.parametrize(
    ("work", "tile", "times"),
    [
        (square("x", "y"), (16, 32), 4),  # four tiles of rows, for each of them both halves
        (square("x", "y"), (16, 64), 1),  # which stay in their slot
        (square("x", "h", "y"), (64, 64), 2),
        (square("x", "g", "h", "y"), (32, 32), 6),
    ],
)
def test_weights_are_fetched_once(work: Workload, tile: tuple[int, int], times: int) -> None:
    """4,096 bytes that loops and operators come back to, so many times: from off chip once, then from the L2."""
    chip = accelsim.load_chip("int8_edge_l2")
    height, n = tile
    given = {op.name: Mapping(1, 1, height, 1, n, 64) for op in work.operators}
    first = plan(chip, work, given)
    kept = with_kept(chip, work, first)
    assert any(room.kept for room in kept.homes.rooms.values()) == (times > 1)
    moved = []
    for chosen in (first, kept):
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        timeline = simulate(program, chip)
        watch_memories(program, timeline)
        assert simulate(program, chip, "simpy").makespan == timeline.makespan
        moved.append(off_chip_bytes(program)["w"])
        held_against_the_table(chip, work, chosen)
    assert moved == [(4096 * times, 0), (4096, 0)]


def test_weights_stay_for_all_groups() -> None:
    """Four images one by one: weights come from off chip once, and four times where they do not stay. A saved run has
    both."""
    chip, work = accelsim.load_chip("int8_edge_l2"), accelsim.load_workload("small_cnn", batch=4)
    result = accelsim.run(chip, work, homes="on_chip", images=1)
    moved = [
        off_chip_bytes(compile_program(chip, work, chosen=chosen))
        for chosen in (bare(result.plan), result.plan)
    ]
    for op in work.operators:
        if not isinstance(op, VectorOperator):
            size = work.tensors[op.weight].elements
            assert [each[op.weight] for each in moved] == [(4 * size, 0), (size, 0)]
            one = {each.tensor: each for each in stood(result)}[op.weight]
            assert (one.memory, one.size, one.filled) == ("l2", size, size)
            assert one.read == one.saved == 3 * size
    assert any("fetched more than once stay in l2" in note for note in result.assumptions)
    again = load(json.loads(json.dumps(dump(chip, work, result.plan))), "inputs.json")[2]
    assert again == result.plan
    assert steady(chip, work, result.plan).seconds <= result.seconds


def test_never_worse_than_off_chip() -> None:
    rng = np.random.default_rng(24)
    seen = 0
    while seen < 6:
        chip, work = random_chip(rng), random_network(rng, 4)
        try:
            before = whole(chip, work, plan(chip, work))
        except InputError:
            continue
        chosen = plan_at_home(chip, work, None, "on_chip")
        after = whole(chip, work, chosen)
        assert after[0] <= before[0] * WORSE and after[1] <= before[1] * WORSE
        seen += 1


def test_given_groups_are_taken_or_refused() -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn", batch=4)
    assert plan_at_home(chip, work, None, "off_chip", images=2).homes == Homes(images=2)
    assert plan_at_home(chip, work, None, "off_chip", images=4).homes == Homes()
    for homes in ("off_chip", "on_chip"):
        with pytest.raises(InputError, match=r"groups of 3 images.*write one of 2, 1, 4"):
            plan_at_home(chip, work, None, homes, images=3)


def test_a_search_and_runs_back_to_back_keep_the_groups() -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn", batch=4)
    chosen, report = search_plan(chip, work, "cycles", budget=3, homes="on_chip", images=2)
    assert chosen.homes.images == 2 and report.cycles <= report.default_cycles
    run = Run(chip, work, chosen)
    assert run.added.sum() == pytest.approx(run.cycles)
    found = steady(chip, work, chosen)
    assert found.seconds <= run.cycles / 800e6 * 1.0001
