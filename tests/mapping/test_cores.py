"""Operators on several equal cores: the same rows as arrays of count, values, hazards, links, what more cores give."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.config import load_chip
from accelsim.energy import account
from accelsim.errors import InputError
from accelsim.mapping import Mapping, compile_program, plan
from accelsim.mapping.cores import gathers, sending
from accelsim.mapping.counted import compile_counts
from accelsim.mapping.mapping import array_for
from accelsim.numerics.execute import execute
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.timing.bounds import check_bounds
from accelsim.timing.engine import simulate
from accelsim.units.link import Ring
from accelsim.units.mac_array import Rate
from accelsim.workload import Gemm, Workload
from tests.chip.graphs import read
from tests.chip.test_cores import equal_cores
from tests.mapping.random_cases import (
    cored,
    random_chip,
    random_cores,
    random_mapping,
    random_operator,
    reference_sums,
    single,
)
from tests.mapping.test_random_runs import network_for, random_values, wrapped

ROOT = Path(__file__).parents[2]
QUAD = """\
name: quad
technology: {node: 22 nm, voltage: 0.8 V, family: horowitz_45nm}
clocks: {core: 800 MHz}
precision: {input: int8, weight: int8}
memories:
  dram: {kind: dram, standard: lpddr4, bandwidth: 16 GB/s, latency: 100 ns}
cores:
  core:
    memories:
      l1: {kind: sram, clock: core, size: 128 KiB, banks: 8, width: 128 bit}
    units:
      array: {kind: mac_array, clock: core, rows: 16, columns: 16, input: l1, weight: l1, output: l1,
              dataflow: weight_stationary, stationary_depth: 2, rates: [{input: int8, weight: int8}]}
      vector: {kind: vector_unit, clock: core, lanes: 16, input: l1, output: l1}
      dma: {kind: dma, clock: core, memory: dram, setup: 8}
"""


def quad(tmp_path: Path, cores: int, speed: int = 16, text: str = QUAD) -> Chip:
    """So many cores behind so many GB/s."""
    path = tmp_path / f"quad{cores}_{speed}.yaml"
    path.write_text(text.replace("  core:\n    mem", f"  core:\n    count: {cores}\n    mem"))
    return load_chip(path, [f"memories.dram.bandwidth={speed} GB/s"])


def one_core(tmp_path: Path) -> Chip:
    """The core of QUAD as a chip without cores."""
    head, core = QUAD.split("cores:\n")
    memories, units = core.split("    units:\n")
    memories = memories.replace("  core:\n    memories:\n", "").replace("      l1", "  l1")
    path = tmp_path / "alone.yaml"
    path.write_text(head + memories + "units:\n" + units.replace("      ", "  "))
    return load_chip(path)


def assert_same_rows(one: Program, other: Program) -> None:
    """All but names."""
    for table in ("commands", "shapes", "operands", "dependencies", "demands"):
        mine, theirs = getattr(one, table), getattr(other, table)
        for item in fields(mine):
            assert np.array_equal(getattr(mine, item.name), getattr(theirs, item.name)), item.name


def test_private_memories_and_a_count_are_cores() -> None:
    """One vector unit and one DMA engine beside cores of an array and its buffers: the rows of `scope: private`."""
    tried = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        plain, op = random_chip(rng), random_operator(rng)
        if plain.memories[plain.array.input].scope != "private":  # type: ignore[union-attr]
            continue
        alone = {
            name: memory if name == "dram" else replace(memory, scope="shared")  # type: ignore[call-arg]
            for name, memory in plain.memories.items()
        }
        array = replace(plain.array, count=1)
        units = {**plain.units, "array": array}
        chip = cored(replace(plain, memories=alone, units=units), plain.array.count, own=())
        work = single(op)
        try:
            chosen = plan(plain, work)
        except InputError:
            continue
        assert plan(chip, work).mappings == chosen.mappings
        one, other = (compile_program(c, work, chosen=chosen) for c in (plain, chip))
        assert_same_rows(one, other)
        assert simulate(one, plain).makespan == simulate(other, chip).makespan
        tried += 1
    assert tried > 15


@pytest.mark.parametrize("name", ["digits_cnn", "small_gemm"])
def test_a_core_is_todays_chip(name: str, tmp_path: Path) -> None:
    work = accelsim.load_workload(name)
    alone, core = (accelsim.run(chip, work) for chip in (one_core(tmp_path), quad(tmp_path, 1)))
    assert alone.timeline.makespan == core.timeline.makespan
    assert alone.energy.total == pytest.approx(core.energy.total, rel=1e-12)


FULL = [pytest.param(block, marks=pytest.mark.full) for block in range(1, 12)]


@pytest.mark.parametrize("block", [0, *FULL])
def test_random_cores(block: int) -> None:
    """Values against direct loops, rules, bounds, both engines, joules, counts: the contract of random_runs."""
    ran = gathered = linked = 0
    for seed in range(block * 60, block * 60 + 60):
        rng = np.random.default_rng(seed)
        chip = random_cores(rng, **({"split": "k"} if seed % 4 == 1 else {}))
        op = random_operator(rng)
        work = single(op)
        mapping = random_mapping(rng, chip, work) if seed % 2 else None
        try:
            chosen = plan(chip, work, {"op": mapping} if mapping else None)
        except InputError:
            continue
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        timeline = simulate(program, chip, "plain")
        timeline.units(program)
        check_bounds(program, timeline)
        if seed % 10 == 0:
            assert simulate(program, chip, "simpy").makespan == timeline.makespan
        counted = compile_counts(chip, work, chosen)
        assert simulate(counted, chip, "plain").makespan == timeline.makespan
        x, w = random_values(rng, op, chip)
        done = execute(program, work, chip, {"x": x}, network_for(op, chip, work, w))
        account(program, chip, timeline, done.activity).check(op.macs)
        safe = np.abs(reference_sums(op, np.abs(x), np.abs(w), pad=1)).max()
        accumulator = chip.array.accumulator
        if accumulator.overflow == "wrap" or safe < 1 << (accumulator.bits - 1):
            exact = wrapped(reference_sums(op, x, w, pad=1), accumulator.bits, accumulator.overflow)
            assert np.array_equal(done.tensors["y"], exact), seed
        used: Any = chosen.mappings["op"]
        gathered += gathers(chip, array_for(chip.array, used.split, used.arrays))
        linked += assert_on_links(program, chip)
        ran += 1
    assert ran > 40 and gathered and linked


def assert_on_links(program: Program, chip: Chip) -> bool:
    """Bytes on links are those asked for by LOADs, STOREs and TRANSFERs, once a port of the way."""
    demands, ports = program.demands, [port.name for port in program.ports]
    mine = np.isin(
        demands.port, [i for i, port in enumerate(ports) if port.split(".")[0] in chip.links]
    )
    if not chip.links:
        assert not mine.any()
        return False
    owner = np.repeat(np.arange(len(program)), np.diff(demands.start))[mine]
    opcode = program.commands.opcode
    moves = np.isin(opcode, [Opcode.LOAD, Opcode.STORE, Opcode.TRANSFER])
    assert moves[owner].all() and set(owner.tolist()) == set(np.flatnonzero(moves).tolist())
    size = program.shapes.extents[program.commands.shape, 0]
    assert (demands.bytes[mine] % size[owner] == 0).all()
    return True


def test_sums_of_a_split_k_go_to_the_core_that_has_the_tile(tmp_path: Path) -> None:
    """By way of home without a link, in one TRANSFER with one; the same values either way."""
    op = Gemm("op", "x", "w", "y", 8, 64, 8)
    work: Workload = single(op)
    base = replace(
        random_chip(np.random.default_rng(3)), precision=accelsim.chip.Precision("int8", "int8")
    )
    array = replace(base.array, count=1, split="k", rows=4, columns=4, dataflow="weight_stationary")
    array = replace(array, accumulator=replace(array.accumulator, location="sram", bits=32))
    array = replace(array, rates=(Rate("int8", "int8"),))
    base = replace(base, units={**base.units, "array": array})
    mapping = Mapping(1, 1, 8, 1, 8, 32, "mnk", split="k", arrays=2)
    ring = Ring("ring", ("core", "dram"), "core", 64, 2)
    for link, opcodes in ((None, {Opcode.LOAD, Opcode.STORE}), (ring, {Opcode.TRANSFER})):
        chip = cored(base, 2, link=link)
        program = compile_program(chip, work, {"op": mapping})
        validate(program, work)
        sums = [i for i, row in enumerate(program.tensors) if row.view == "sums"]
        o = program.operands
        owner = np.repeat(program.commands.opcode, np.diff(o.start))
        touched = {Opcode(code) for code in owner[o.tensor == sums[1]].tolist()}
        assert touched == {Opcode.MATMUL, Opcode.ACCUMULATE, *opcodes}
        assert sending(chip, 2) == (0 if link is None else 1 + 2 * 2 - 1)
        dram = [memory.name for memory in program.memories].index("dram")
        spilled = (o.memory == dram) & (o.tensor == sums[1]) & (o.access == Access.WRITE)
        assert spilled.any() == (link is None)


def test_a_link_takes_a_tile_to_all_cores_at_once() -> None:
    """A ring with multicast: one LOAD of an input that all cores need; without, one a core."""
    op = Gemm("op", "x", "w", "y", 4, 8, 32)
    work, loads = single(op), []
    base = random_chip(np.random.default_rng(3), count=1, split="n")
    mapping = Mapping(1, 1, 4, 1, 4, 8, "mnk", split="n", arrays=4)
    for multicast in (False, True):
        chip = cored(base, 4, link=Ring("ring", ("core", "dram"), "core", 64, 1, multicast))
        program = compile_program(chip, work, {"op": mapping})
        names = [row.name for row in program.tensors]
        o, code = program.operands, program.commands.opcode
        owner = np.repeat(np.arange(len(program)), np.diff(o.start))
        mine = (
            (o.tensor == names.index("x"))
            & (o.access == Access.WRITE)
            & (code[owner] == Opcode.LOAD)
        )
        loads.append(len(set(owner[mine].tolist())))
        assert mine.sum() % 4 == 0
    assert loads[0] == 4 * loads[1]


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_residual"])
def test_values_are_those_of_one_core(name: str, tmp_path: Path) -> None:
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        pixels = file["images"][:4] / 16
    work = accelsim.load_workload(name, batch=4)
    given = {"x": pixels.reshape(work.tensors["x"].shape)}
    one, four = (accelsim.run(quad(tmp_path, cores), work, given) for cores in (1, 4))
    assert one.values is not None and four.values is not None
    for output, codes in one.values.outputs.items():
        assert np.array_equal(codes, four.values.outputs[output])


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_more_cores_are_never_slower_than_one_and_four_are_nearly_four_times_as_fast(
    name: str, tmp_path: Path
) -> None:
    work = accelsim.load_workload(name)
    alone = accelsim.run(quad(tmp_path, 1), work).cycles
    for cores in (2, 5, 16):
        assert accelsim.run(quad(tmp_path, cores), work).cycles <= alone
    assert accelsim.run(quad(tmp_path, 4, 64), work).cycles < alone / 2.8


#: network, batch, times as fast as one that four cores are at least
SCALING = [
    ("resnet50", 1, 3.3),
    ("bert_base", 1, 3.8),
    ("mobilenet_v2", 1, 2.8),
    ("resnet50", 16, 3.3),
    ("mobilenet_v2", 16, 2.8),
]


def scaled(cores: int) -> Chip:
    """Cores of mixed_quad with mixed_quad's bandwidth each."""
    document = equal_cores(cores)
    document["memories"]["dram"]["bandwidth"] = f"{17 * cores} GB/s"
    return read(document)


@pytest.mark.full
@pytest.mark.parametrize(("name", "batch", "least"), SCALING)
def test_twice_the_cores_and_bandwidth_are_never_slower(
    name: str, batch: int, least: float
) -> None:
    work = accelsim.load_workload(name, batch if batch > 1 else None)
    cycles = {n: accelsim.run(scaled(n), work).cycles for n in (1, 2, 4, 8, 16)}
    gains = {n: round(cycles[1] / c, 2) for n, c in cycles.items()}
    print(f"{name}, batch {batch}: times as fast as one core: {gains}")
    assert sorted(cycles.values(), reverse=True) == list(cycles.values())
    assert gains[4] >= least
