"""Tensors at home on chip: what moves off chip, what memories hold, and that nothing else changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.energy import account, work_of
from accelsim.errors import InputError, ProgramError
from accelsim.explore import homes as judge
from accelsim.explore.homes import WORSE, plan_at_home
from accelsim.mapping import Plan, compile_program, plan
from accelsim.mapping.homes import OFF_CHIP, Homes, Stand, homes_of, ways
from accelsim.mapping.lifetimes import lives
from accelsim.mapping.rooms import Room
from accelsim.program.dependencies import inside_homes, region_tensors, roots_of
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.timing import simulate
from accelsim.workload import TensorSpec, VectorOperator, Workload
from tests.mapping.homes_cases import (
    random_homes,
    random_network_case,
    watch_memories,
    with_l2,
)
from tests.mapping.random_networks import random_network
from tests.mapping.test_counted import held_against_the_stream, held_against_the_table

SMALL = ("small_cnn", "digits_mlp", "digits_cnn")
SHAPES = ("mobilenet_v2", "efficientnet_b0", "resnet18")


def off_chip_bytes(program: Program) -> dict[str, tuple[int, int]]:
    """Bytes asked for off chip by tensor: read and written; what whole bursts add is left out."""
    o, c, root = program.operands, program.commands, roots_of(program.tensors)
    far = [memory.name for memory in program.memories].index("dram")
    row = np.repeat(np.arange(len(program)), np.diff(o.start))
    region = o.extent.prod(axis=1)
    found: dict[str, list[int]] = {}
    for e in np.flatnonzero(o.memory == far).tolist():
        moves = c.opcode[row[e]] in (Opcode.LOAD, Opcode.STORE)
        size = program.shapes.extents[c.shape[row[e]], 0] if moves else region[e]  # int8 weights
        side = found.setdefault(program.tensors[root[o.tensor[e]]].name, [0, 0])
        side[int(o.access[e] == Access.WRITE)] += int(size)
    return {name: (read, written) for name, (read, written) in found.items()}


def needed(program: Program, cold: bool) -> dict[str, tuple[int, int]]:
    """Every weight (where cold) and input read once, every output written once; int8 but for the sums at the end."""
    sizes = {}
    for row in program.tensors:
        size = int(np.prod(row.shape))
        if row.view_of < 0 and row.view != "sums" and (row.role != "weight" or cold):
            if row.role in ("input", "weight"):
                sizes[row.name] = (size, 0)
            elif row.role == "output":
                sizes[row.name] = (0, size * int(row.format.removeprefix("int")) // 8)
    return sizes


def at_home(chip: Chip, work: Workload) -> tuple[Plan, Program]:
    chosen = plan_at_home(chip, work)
    program = compile_program(chip, work, chosen=chosen)
    validate(program, work)
    return chosen, program


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("chip", ["int8_edge", "pcm_8level"])
@pytest.mark.parametrize("weights", ["cold", "resident"])
def test_small_networks_move_only_weights_input_and_output(
    name: str, chip: str, weights: str
) -> None:
    made = accelsim.load_chip(chip, [f"weights={weights}"])
    _, program = at_home(made, accelsim.load_workload(name))
    assert off_chip_bytes(program) == needed(program, weights == "cold")
    watch_memories(program, simulate(program, made))


@pytest.mark.full
@pytest.mark.parametrize("name", SHAPES)
def test_networks_behind_three_mebibytes_move_only_weights_input_and_output(name: str) -> None:
    chip = with_l2(accelsim.load_chip("int8_edge"), 3 << 20)
    _, program = at_home(chip, accelsim.load_workload(name))
    assert off_chip_bytes(program) == needed(program, True)


def test_mobilenet_works_in_place_behind_a_mebibyte_and_a_half() -> None:
    """1,204,224 bytes of block 2 are written over those that they are made of, beside the 301,056 that are made of
    them."""
    chip = with_l2(accelsim.load_chip("int8_edge"), 3 << 19)
    chosen, program = at_home(chip, accelsim.load_workload("mobilenet_v2"))
    assert off_chip_bytes(program) == needed(program, True)
    at = chosen.homes.at
    assert at["block2_expand"] == at["block2_expand_act"]


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_residual"])
@pytest.mark.parametrize("chip", ["int8_edge", "int4_edge", "pcm_8level"])
def test_values_stay_as_they_are(name: str, chip: str) -> None:
    made, work = accelsim.load_chip(chip), accelsim.load_workload(name)
    (spec,) = (tensor for tensor in work.tensors.values() if tensor.role == "input")
    root = Path(__file__).parents[2]
    images = np.load(root / "workloads" / "digits.npz")["images"][: spec.shape[0]] / 16
    inputs = {spec.name: images.reshape(spec.shape)}
    far, near = (accelsim.run(made, work, inputs, homes=homes) for homes in ("off_chip", "on_chip"))
    assert near.plan.homes.at and not far.plan.homes.at
    assert far.values is not None and near.values is not None
    for output, codes in far.values.outputs.items():
        np.testing.assert_array_equal(near.values.outputs[output], codes)
    assert near.cycles <= far.cycles * WORSE and near.joules < far.joules


def held(seed: int, count: int) -> Counter[str]:
    """Random homes: all sinks alike, valid, one tensor a byte at a time; what they were."""
    rng, seen = np.random.default_rng([18, seed]), Counter[str]()
    for _ in range(count):
        chip, work, chosen = random_homes(rng)
        held_against_the_table(chip, work, chosen)
        held_against_the_stream(chip, work, chosen)
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        timeline = simulate(program, chip)
        watch_memories(program, timeline)
        assert simulate(program, chip, "simpy").makespan == timeline.makespan
        rooms = chosen.homes.rooms.values()
        seen["here"] += any(room.here for room in rooms)
        seen["copied"] += any(set(room.on_chip) - set(room.here) for room in rooms)
        seen["behind"] += any(stand.memory == "l2" for stand in chosen.homes.at.values())
        seen["crossbars"] += chip.crossbar is not None
    return seen


def test_random_homes() -> None:
    seen = held(0, 20)
    assert len(seen) == 4 and min(seen.values()) >= 2, seen


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 5))
def test_more_random_homes(seed: int) -> None:
    seen = held(seed, 50)
    assert len(seen) == 4 and min(seen.values()) >= 5, seen


def judged(seed: int, count: int) -> Counter[str]:
    """Random networks of one image or several at home, by the engine and the accounts of their table: never more than
    1 % slower or dearer; no memory holds more than it has at any tick; how many are better."""
    rng, seen = np.random.default_rng([19, seed]), Counter[str]()
    while seen["all"] < count:
        chip, work, far = random_network_case(rng)
        if rng.random() < 0.4:
            try:
                work = random_network(rng, int(rng.choice([3, 4, 6])))
                far = plan(chip, work)
            except InputError:
                continue
        near = plan_at_home(chip, work, None, "on_chip")
        (slow, dear), (cycles, joules) = (measured(chip, work, chosen) for chosen in (far, near))
        assert cycles <= slow * WORSE and joules <= dear * WORSE
        seen["better"] += cycles * joules < slow * dear
        seen["groups"] += near.homes.images > 0
        seen["all"] += 1
    return seen


def measured(chip: Chip, work: Workload, chosen: Plan) -> tuple[float, float]:
    """Seconds and joules of a Plan, of its table, whose memories are watched."""
    program = compile_program(chip, work, chosen=chosen)
    timeline = simulate(program, chip)
    watch_memories(program, timeline)
    return timeline.seconds, account(program, chip, timeline).total


def test_homes_never_cost() -> None:
    seen = judged(0, 12)
    assert seen["better"] >= 6


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 6))
def test_homes_never_cost_on_a_thousand_networks(seed: int) -> None:
    seen = judged(seed, 200)
    assert seen["better"] >= 100, seen


def test_what_would_cost_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that takes longer than the way off chip: everything stays there."""
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn")
    far = plan(chip, work)
    monkeypatch.setattr(judge, "WORSE", 0.1)
    assert plan_at_home(chip, work) == far
    monkeypatch.undo()
    assert plan_at_home(chip, work).homes.at
    assert plan_at_home(chip, work, None, "off_chip") == far
    assert far.homes == OFF_CHIP


def test_a_home_under_a_tile_is_an_error() -> None:
    """Operators that take more room than they have: where a tile lies on a tensor that is read later, the Program is
    refused; where one has had its time when the other comes, it is sound."""
    rng, caught, sound = np.random.default_rng(20), 0, 0
    for _ in range(30):
        chip, work, good = random_homes(rng)
        rooms = {name: room._replace(parts=()) for name, room in good.homes.rooms.items()}
        wrong = replace(good, homes=replace(good.homes, rooms=rooms))
        try:
            program = compile_program(chip, work, chosen=wrong)
        except ProgramError as error:
            assert "hold another tensor" in str(error)
            caught += 1
            continue
        validate(program, work)
        watch_memories(program, simulate(program, chip))
        sound += 1
    assert caught >= 5 and sound >= 5, (caught, sound)


def test_two_homes_at_one_place_are_an_error() -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn")
    good, _ = at_home(chip, work)
    at = {**good.homes.at, "pool1": good.homes.at["conv1"]._replace(span=4096)}
    wrong = replace(good, homes=replace(good.homes, at=at))
    with pytest.raises(ProgramError, match="hold another tensor"):
        compile_program(chip, work, chosen=wrong)


def test_the_tensor_with_the_farthest_reader_makes_way() -> None:
    """digits_residual reads conv1 for the last time behind conv3. An input buffer for one tensor keeps conv2, which
    is read next, and conv1 leaves it for the buffer that it is written in; beside conv1 and conv2 conv3 has no room,
    and its reader is as far as conv1's."""
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("digits_residual")
    formats = plan(chip, work).formats
    size = homes_of(chip, work, formats).at["conv1"].span

    def memories(inputs: int, outputs: int) -> dict[str, str]:
        sizes = {"input_buffer": inputs, "output_buffer": outputs}
        small = {name: replace(chip.memories[name], size=size) for name, size in sizes.items()}  # type: ignore[type-var]
        changed = replace(chip, memories={**chip.memories, **small})
        found = homes_of(changed, work, formats, limits=(1.0, True))
        return {name: stand.memory for name, stand in found.at.items() if name.startswith("conv")}

    roomy = dict.fromkeys(("conv1", "conv2", "conv3", "conv4"), "input_buffer")
    assert memories(4 * size, size) == roomy
    tight = memories(size, size)
    assert tight["conv2"] == "input_buffer" and tight["conv1"] == "output_buffer"
    assert "conv3" not in tight


def test_off_chip_is_as_it_was() -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("digits_cnn")
    chosen = plan(chip, work)
    assert chosen.homes == Homes() and chosen.homes.room("conv1") == Room()
    program = compile_program(chip, work, chosen=chosen)
    extents = program.shapes.extents[program.shapes.opcode == int(Opcode.LOAD)]
    assert (extents[:, 1] == 0).all()
    assert all(resident.at_end for resident in program.residents)


def test_a_tensor_at_home_is_read_in_other_parts_than_it_was_written() -> None:
    """Two relus of 20 channels: tiles of 5 channels write what tiles of 3 read."""
    chip = accelsim.load_chip("int8_edge")
    shape = (1, 20, 4, 4)
    names = ("x", "a", "b", "y")
    roles = ("input", "intermediate", "intermediate", "output")
    tensors = {
        name: TensorSpec(name, shape, role, "int8") for name, role in zip(names, roles, strict=True)
    }
    operators = tuple(
        VectorOperator(f"relu_{out}", "relu", (source,), out, (shape,), shape)
        for source, out in pairwise(names)
    )
    work = Workload("relus", operators, tensors)
    found = homes_of(chip, work, plan(chip, work).formats)
    assert set(found.at) == {"a", "b"}
    room = found.rooms["relu_b"]
    rooms = {**found.rooms, "relu_b": room._replace(parts=(("output_buffer", 0, 100),))}
    program = compile_program(
        chip, work, chosen=plan(chip, work, None, replace(found, rooms=rooms))
    )
    validate(program, work)
    sizes = {
        name: set(program.shapes.extents[program.commands.shape[rows], 0].tolist())
        for number, name in enumerate(program.operators)
        if len(rows := np.flatnonzero(program.commands.operator == number))
    }
    assert sizes["relu_a"] == {80} and sizes["relu_b"] == {48, 32}


def test_what_is_read_later_is_not_written_over() -> None:
    """b reads a, and so does the sum behind it: b lies elsewhere; the sum may lie on either."""
    chip = accelsim.load_chip("int8_edge")
    shape = (1, 20, 4, 4)
    roles = {
        "x": "input",
        "a": "intermediate",
        "b": "intermediate",
        "c": "intermediate",
        "y": "output",
    }
    tensors = {name: TensorSpec(name, shape, role, "int8") for name, role in roles.items()}
    reads = {"a": ("x",), "b": ("a",), "c": ("a", "b"), "y": ("c",)}
    operators = tuple(
        VectorOperator(
            f"make_{out}", "add" if len(one) == 2 else "relu", one, out, (shape,) * len(one), shape
        )
        for out, one in reads.items()
    )
    work = Workload("read_later", operators, tensors)
    found = homes_of(chip, work, plan(chip, work).formats)
    at = found.at
    assert set(at) == {"a", "b", "c"} and at["a"].memory == at["b"].memory
    assert at["a"].address + at["a"].span <= at["b"].address or (
        at["b"].address + at["b"].span <= at["a"].address
    )
    validate(compile_program(chip, work, chosen=plan(chip, work, None, found)), work)


def test_addresses_tell_regions_inside_homes() -> None:
    """Operands in a tensor's home on chip are told apart by their bytes, whole tensors too."""
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn")
    program = compile_program(chip, work, chosen=plan_at_home(chip, work, None, "on_chip"))
    inside = inside_homes(program)
    assert inside.any() and (region_tensors(program)[inside] < 0).all()


@pytest.mark.parametrize("name", ["bert_base", "resnet50", "efficientnet_b0"])
def test_no_two_tensors_share_bytes_while_both_are_needed(name: str) -> None:
    """Every way to divide the memories, among them those in which a tensor that made way is settled anew where later
    ones stand already: bytes are shared where one is written over another that is read there last, and nowhere else."""
    chip, work = accelsim.load_chip("int8_edge_l2"), accelsim.load_workload(name)
    formats, shared = plan(chip, work).formats, 0
    spans = {life.name: (life.first, life.last) for life, _ in lives(work, formats)}
    every = [found for above in (True, False) for found in ways(chip, work, formats, {}, {}, above)]
    for found in every:
        for (one, a), (other, b) in combinations(found.at.items(), 2):
            (begin, end), (first, _) = sorted([spans[one], spans[other]])
            together = a.memory == b.memory and first <= end
            if together and a.address < b.address + b.span and b.address < a.address + a.span:
                op = work.operators[first]
                assert isinstance(op, VectorOperator) and end == first > begin, (one, other)
                assert a.address == b.address
                shared += 1
    assert shared > 0


@pytest.mark.parametrize(("on_chip", "cycles"), [(True, 21), (False, 181)])
def test_a_copy_by_hand(on_chip: bool, cycles: int) -> None:
    """64 bytes to the vector unit and back: 8 cycles of setup each way, 2 of work and 3 until it leaves the unit; off
    chip 100 ns, or 80 cycles, more each way. Every byte is read and written once in each memory that it passes."""
    chip, shape = accelsim.load_chip("int8_edge"), (1, 1, 1, 64)
    tensors = {"x": TensorSpec("x", shape, "input"), "y": TensorSpec("y", shape, "output", "int8")}
    relu = VectorOperator("relu", "relu", ("x",), "y", (shape,), shape)
    work = Workload("copy", (relu,), tensors)
    at = {"x": Stand("output_buffer", 0, 64), "y": Stand("input_buffer", 0, 64)}
    parts = (("input_buffer", 64, 1024), ("output_buffer", 64, 1024))
    homes = Homes(at, {"relu": Room(parts, on_chip=(0, 1))}) if on_chip else OFF_CHIP
    program = compile_program(chip, work, chosen=plan(chip, work, None, homes))
    validate(program, work)
    timeline = simulate(program, chip)
    assert timeline.makespan * 800e6 == cycles * timeline.tick_hz
    assert simulate(program, chip, "simpy").makespan == timeline.makespan
    found = work_of(program, timeline)
    moved = {
        name: (read.sum() / 8, written.sum() / 8)
        for name, read, written in zip(found.memories, found.read, found.written, strict=True)
    }
    far, near = ((0, 0), 2 * 64) if on_chip else ((64, 64), 64)
    assert moved["dram"] == far
    assert moved["input_buffer"] == (64, near) and moved["output_buffer"] == (near, 64)
