"""Tensors at home in a memory that several cores reach, above them or in one of them: every element in its time, ticks
and links by hand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip, Precision
from accelsim.errors import InputError
from accelsim.explore.homes import WORSE, plan_at_home
from accelsim.mapping import Mapping, compile_program, plan
from accelsim.mapping.homes import Homes, Stand
from accelsim.mapping.rooms import Room
from accelsim.program.dependencies import inside_homes, roots_of
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.results.homes import in_words
from accelsim.results.inputs import dump
from accelsim.results.inputs import load as load_run
from accelsim.timing import simulate
from accelsim.units.link import Ring
from accelsim.units.mac_array import Rate
from accelsim.workload import Gemm, TensorSpec, VectorOperator, Workload
from tests.chip.graphs import load
from tests.mapping.homes_cases import (
    random_homes_of_cores,
    spread,
    watch_elements,
    watch_memories,
)
from tests.mapping.random_cases import cored, random_chip, random_cores, single
from tests.mapping.random_networks import random_network
from tests.mapping.test_cores import QUAD
from tests.mapping.test_counted import held_against_the_stream, held_against_the_table
from tests.mapping.test_homes import measured

PAIR = (
    QUAD.replace("  core:\n    mem", "  core:\n    count: 2\n    mem")
    + "links:\n  ring: {kind: ring, nodes: [core, dram], clock: core, width: 4 B, hop: 3, multicast: true}\n"
)


def shared(seed: int, count: int) -> Counter[str]:
    """Random homes in the buffers of several cores and behind them: all sinks alike, valid, both engines, one tensor a
    byte at a time, every element read after it was written and written over after it was read; what they were."""
    rng, seen = np.random.default_rng([21, seed]), Counter[str]()
    for _ in range(count):
        chip, work, chosen = random_homes_of_cores(rng)
        held_against_the_table(chip, work, chosen)
        held_against_the_stream(chip, work, chosen)
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        timeline = simulate(program, chip)
        watch_memories(program, timeline)
        assert_units_stay_in_their_core(program)
        assert simulate(program, chip, "simpy").makespan == timeline.makespan
        seen["in parts"] += watch_elements(program, work, timeline) > 0
        seen["engines"] += chip.dma.count > 1
        seen["links"] += bool(chip.links)
        seen["one LOAD for all"] += several_places(program)
        seen["in a core"] += spread(chip, chosen) > 0
    return seen


def assert_units_stay_in_their_core(program: Program) -> None:
    """What multiplies or computes reads and writes memories of its own core, or that stand in none."""
    o, c = program.operands, program.commands
    row = np.repeat(np.arange(len(program)), np.diff(o.start))
    moves = (Opcode.LOAD, Opcode.STORE, Opcode.TRANSFER)
    works = np.flatnonzero(~np.isin(c.opcode[row], moves))
    for unit, memory in set(
        zip(c.unit[row[works]].tolist(), o.memory[works].tolist(), strict=True)
    ):
        core, place = program.units[unit].name, program.memories[memory].name
        assert "." not in core or core.split(".")[0] == place.split(".")[0], (core, place)


def several_places(program: Program) -> bool:
    """Whether a LOAD brings what is at home to several memories at once."""
    o, inside = program.operands, inside_homes(program)
    row = np.repeat(np.arange(len(program)), np.diff(o.start))
    loads = program.commands.opcode[row] == Opcode.LOAD
    from_home = set(row[loads & inside & (o.access == Access.READ)].tolist())
    many = np.bincount(row[loads & (o.access == Access.WRITE)])
    return any(many[one] > 1 for one in from_home)


def test_random_homes_of_several_cores() -> None:
    seen = shared(0, 12)
    assert len(seen) == 5 and min(seen.values()) >= 1, seen


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 4))
def test_more_random_homes_of_several_cores(seed: int) -> None:
    seen = shared(seed, 50)
    assert len(seen) == 5 and min(seen.values()) >= 4, seen


@pytest.mark.parametrize("seed", range(2))
def test_the_first_store_waits_for_all_that_lay_there_and_the_last_for_all_others(
    seed: int,
) -> None:
    """Several DMA engines leave shares of a tensor in its home, which stand for any elements. A reader that names a
    part alone, and who writes over these bytes, must know of all: the first and the last STORE name all of it."""
    rng, several = np.random.default_rng([22, seed]), 0
    for _ in range(8):
        chip, work, chosen = random_homes_of_cores(rng)
        program = compile_program(chip, work, chosen=chosen)
        o, root, inside = program.operands, roots_of(program.tensors), inside_homes(program)
        row = np.repeat(np.arange(len(program)), np.diff(o.start))
        for home in program.residents:
            if home.at_start or home.at_end:
                continue
            mine = inside & (root[o.tensor] == home.tensor) & (o.access == Access.WRITE)
            stores = np.flatnonzero(mine)
            units = program.commands.unit[row[stores]]
            exact = o.bytes[stores] == o.span[stores]
            if len(set(units.tolist())) < 2 or exact.all():
                continue
            assert o.span[stores[0]] == o.span[stores[-1]] == home.span
            several += 1
    assert several > 0


@pytest.mark.parametrize(("core", "cycles"), [(0, 33), (1, 49)])
def test_a_home_in_another_core_by_hand(core: int, cycles: int, tmp_path: Path) -> None:
    """64 bytes to the first core's vector unit and back: 4 cycles of work and 3 until it leaves the unit. Each way the
    head takes two routers of 3 cycles, of which its first is the transfer's own, so 5 more than the setup of 8; from
    the other core the ring's 4 bytes a cycle take 16 cycles in the place of those 8, and each byte passes one link."""
    chip, shape = load(tmp_path, PAIR), (1, 1, 1, 64)
    tensors = {"x": TensorSpec("x", shape, "input"), "y": TensorSpec("y", shape, "output", "int8")}
    relu = VectorOperator("relu", "relu", ("x",), "y", (shape,), shape)
    work, place = Workload("copy", (relu,), tensors), f"core[{core}].l1"
    at = {"x": Stand(place, 0, 64), "y": Stand(place, 64, 64)}
    homes = Homes(at, {"relu": Room((("core.l1", 128, 4096),), on_chip=(0, 1))})
    program = compile_program(chip, work, chosen=plan(chip, work, None, homes))
    validate(program, work)
    timeline = simulate(program, chip)
    assert timeline.makespan * 800e6 == cycles * timeline.tick_hz
    assert simulate(program, chip, "simpy").makespan == timeline.makespan
    every = set(range(len(program)))
    assert over_links(program, chip, every) == ({"ring.1>0": 64, "ring.0>1": 64} if core else {})


def over_links(program: Program, chip: Chip, rows: set[int]) -> dict[str, int]:
    """Bytes of some rows on each port of a link, where there are any."""
    demands, found = program.demands, Counter[str]()
    owner = np.repeat(np.arange(len(program)), np.diff(demands.start)).tolist()
    for row, port, moved in zip(owner, demands.port, demands.bytes, strict=True):
        name = program.ports[port].name
        if row in rows and name.split(".")[0] in chip.links:
            found[name] += int(moved)
    return dict(found)


@pytest.mark.parametrize(
    ("multicast", "links"), [(True, {0: 32, 1: 32, 2: 32}), (False, {0: 32, 1: 64, 2: 32})]
)
def test_a_home_in_a_core_goes_to_all_cores_once_a_link(
    multicast: bool, links: dict[int, int]
) -> None:
    """An input of 32 bytes at home in the second of four cores on a ring, all of which need it: over the link to the
    first, over that to the third, and over that from there to the fourth; twice over the middle one where each core
    fetches its own."""
    op = Gemm("op", "x", "w", "y", 4, 8, 32)
    work = single(op)
    base = replace(
        random_chip(np.random.default_rng(3), count=1, split="n"),
        precision=Precision("int8", "int8"),
    )
    array = replace(base.array, rates=(Rate("int8", "int8"),))
    base = replace(base, units={**base.units, "array": array})
    ring = Ring("ring", ("core", "dram"), "core", 64, 1, multicast)
    chip = cored(base, 4, link=ring)
    mapping = Mapping(1, 1, 4, 1, 4, 8, "mnk", split="n", arrays=4)
    memory = chip.array.input
    place = memory.replace("core.", "core[1].")
    size = chip.memories[memory].size
    room = Room(((memory, 32, size - 32),), on_chip=(0,))
    homes = Homes({"x": Stand(place, 0, 32)}, {"op": room})
    program = compile_program(chip, work, chosen=plan(chip, work, {"op": mapping}, homes))
    validate(program, work)
    o, code = program.operands, program.commands.opcode
    row = np.repeat(np.arange(len(program)), np.diff(o.start))
    number = [one.name for one in program.memories].index(place)
    from_home = (o.memory == number) & (o.access == Access.READ) & (code[row] == Opcode.LOAD)
    assert from_home.sum() == (1 if multicast else 4)
    rows = set(row[from_home].tolist())
    expected = {f"ring.{a}>{b}": links[i] for i, (a, b) in enumerate([(1, 0), (1, 2), (2, 3)])}
    assert over_links(program, chip, rows) == expected


def test_a_run_says_once_what_stood_in_cores_and_its_folder_knows_where() -> None:
    result = accelsim.run(accelsim.load_chip("rapid_like"), accelsim.load_workload("small_cnn"))
    at = {stand.memory for stand in result.plan.homes.at.values()}
    assert len(at) > 1 and at < {f"core[{i}].l1" for i in range(4)}
    lines = [line for line in in_words(result) if "at home in" in line]
    assert [line.split(":")[0] for line in lines] == ["at home in core.l1"]
    assert sum("at home in core.l1:" in line for line in result.assumptions) == 1
    whole = dump(result.chip, result.workload, result.plan)
    assert load_run(json.loads(json.dumps(whole)), "inputs.json")[2].homes == result.plan.homes
    whole["homes"]["at"]["conv1"]["memory"] = "core[4].l1"
    with pytest.raises(InputError, match="are not homes of this chip"):
        load_run(whole, "inputs.json")


@pytest.mark.parametrize("name", ["rapid_like", "ibm_quad_like"])
def test_cores_that_hold_tensors_move_fewer_bytes_off_chip_and_cost_no_more(name: str) -> None:
    work = accelsim.load_workload("mobilenet_v2")
    far, near = (
        accelsim.run(accelsim.load_chip(name), work, homes=homes)
        for homes in ("off_chip", "on_chip")
    )
    assert near.plan.homes.at
    assert near.seconds <= far.seconds * WORSE and near.joules <= far.joules
    moved = [
        sum(op.dram_read_bytes + op.dram_written_bytes for op in run.operators)
        for run in (far, near)
    ]
    assert moved[1] < moved[0] * 0.3


def judged(seed: int, count: int) -> Counter[str]:
    """Random networks on random chips of several cores: never more than 1 % slower or dearer than off chip, by the
    engine and the accounts of their table, no memory holds more than it has; how many are better."""
    rng, seen = np.random.default_rng([23, seed]), Counter[str]()
    while seen["all"] < count:
        chip, work = random_cores(rng), random_network(rng)
        try:
            far = plan(chip, work)
        except InputError:
            continue
        near = plan_at_home(chip, work)
        (slow, dear), (seconds, joules) = (measured(chip, work, one) for one in (far, near))
        assert seconds <= slow * WORSE and joules <= dear * WORSE
        seen["in a core"] += spread(chip, near) > 0
        seen["all"] += 1
    return seen


def test_homes_of_cores_never_cost() -> None:
    assert judged(0, 6)["in a core"] >= 1


@pytest.mark.full
def test_homes_of_cores_never_cost_on_a_hundred_chips() -> None:
    assert judged(1, 100)["in a core"] >= 20
