"""Row stationary on Eyeriss: AlexNet's layers by the paper's mappings, traffic by a closed form of its own, and
values, errors and the mapper's choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.config.mapping_file import load_mappings
from accelsim.energy import account
from accelsim.errors import InputError
from accelsim.explore import search_plan
from accelsim.mapping import Mapping, compile_program, plan
from accelsim.mapping.mapping import Geometry, geometry_of
from accelsim.numerics.execute import execute
from accelsim.numerics.lowering import lower_input, raise_output
from accelsim.program.opcodes import Access, Opcode
from accelsim.program.table import Program
from accelsim.program.validate import validate
from accelsim.results.files import save
from accelsim.results.load import load_run
from accelsim.results.nest import loop_nest
from accelsim.rtl.schedule import TilePass
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds
from accelsim.timing.costs import command_times
from accelsim.units.dataflows import dataflow_named
from accelsim.units.dataflows.row_stationary import fold_of
from accelsim.workload import Conv2d, Workload
from tests.arrays.runs import agree
from tests.arrays.runs import simulate as step
from tests.mapping.random_cases import random_operator, reference_sums, single
from tests.mapping.test_random_runs import network_for, random_values, wrapped
from tests.rtl.icarus import Case

ROOT = Path(__file__).parents[2]
MAPPINGS = ROOT / "configs" / "mappings" / "eyeriss_alexnet.yaml"
RS = dataflow_named("row_stationary").number
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
#: Chen et al., JSSC 52(1), 2017, Tables V and VI, batch 4: milliseconds with DRAM hidden, MB of the buffer
LATENCY = {"conv1": 16.5, "conv3": 21.8, "conv4": 16.0}
ACCESSES = {"conv1": 18.5, "conv3": 50.2, "conv4": 37.4}
HIDDEN = ["memories.dram.bandwidth=8 GB/s"]


def alexnet() -> Workload:
    """Batch 4."""
    return accelsim.load_workload("alexnet", batch=4)


def one_layer(name: str) -> Workload:
    """One of its convolutions alone."""
    work = alexnet()
    (op,) = (op for op in work.operators if op.name == name)
    kept = {op.input, op.weight, op.output, f"{name}.bias"}
    roles = {op.input: "input", op.output: "output"}
    tensors = {
        key: replace(spec, role=roles.get(key, spec.role))
        for key, spec in work.tensors.items()
        if key in kept
    }
    return replace(work, operators=(op,), tensors=tensors)


def accesses(program: Program) -> int:
    """Bytes that passes move from and to the buffer, and outputs that leave it: what the paper counts."""
    o = program.operands
    opcode = np.repeat(program.commands.opcode, np.diff(o.start))
    (at,) = (i for i, memory in enumerate(program.memories) if memory.name == "buffer")
    counted = (o.memory == at) & ((opcode == Opcode.MATMUL) | (opcode == Opcode.STORE))
    twice = np.where(o.access == Access.ACCUMULATE, 2, 1)
    return int((o.bytes * twice)[counted].sum())


def closed_form(g: Geometry, fold: tuple[int, ...], pad: int) -> int:
    """The same by the loops of the paper, 2 bytes a word. fold: e, p, q, r, t."""
    e, p, q, r, t = fold
    rows, width = g.kernel_height, g.in_width + 2 * pad
    strips = [min(e, g.out_height - first) for first in range(0, g.out_height, e)]
    inputs = sum((strip - 1) * g.stride[0] + rows for strip in strips)
    outputs = g.batch * g.n * g.out_height * g.out_width
    many, deep = -(-g.n // (p * t)), -(-g.channels // (q * r))
    words = many * g.batch * g.channels * width * inputs + (2 * deep - 1) * outputs + outputs
    return 2 * g.groups * words


def given(g: Geometry, n: int, fold: tuple[int, ...]) -> Mapping:
    """The mapping of a fold e, p, q, r, t with n images."""
    e, p, q, r, t = fold
    return Mapping(
        RS,
        n,
        e,
        g.out_width,
        min(g.n, p * t),
        min(g.channels, q * r) * g.kernel,
        weight_slots=1,
        output_slots=1,
        parameters=(p, q, r, t),
    )


def eyeriss(*keys: str) -> Chip:
    return accelsim.load_chip("eyeriss_like", list(keys))


@pytest.mark.parametrize("name", LAYERS)
def test_buffer_accesses_are_the_closed_form_and_the_published_ones(name: str) -> None:
    chip, work = eyeriss(), one_layer(name)
    mapping = load_mappings(MAPPINGS, chip, alexnet())[name]
    program = compile_program(chip, work, chosen=plan(chip, work, {name: mapping}))
    validate(program, work)
    g = geometry_of(work.operators[0])  # type: ignore[arg-type]
    fold = (mapping.height, *mapping.parameters)
    assert accesses(program) == closed_form(g, fold, work.operators[0].padding[0])  # type: ignore[union-attr]
    if name in ACCESSES:
        assert accesses(program) / 1e6 == pytest.approx(ACCESSES[name], rel=0.02)


@pytest.mark.parametrize("name", LATENCY)
def test_latency_is_the_published_one(name: str) -> None:
    """With a memory that hides, as the published processing latency is meant; nothing is fitted."""
    chip, work = eyeriss(*HIDDEN), one_layer(name)
    mapping = load_mappings(MAPPINGS, chip, alexnet())[name]
    program = compile_program(chip, work, chosen=plan(chip, work, {name: mapping}))
    assert simulate(program, chip).seconds * 1e3 == pytest.approx(LATENCY[name], rel=0.10)


@pytest.mark.parametrize(
    ("name", "n", "fold"),
    [
        ("conv1", 1, (14, 16, 1, 1, 1)),
        ("conv1", 1, (5, 8, 1, 1, 2)),
        ("conv2", 2, (27, 22, 2, 1, 1)),
        ("conv2", 1, (9, 16, 1, 2, 1)),
        ("conv3", 4, (13, 16, 4, 1, 4)),
        ("conv3", 4, (13, 24, 3, 4, 1)),
        ("conv3", 1, (6, 7, 4, 2, 4)),
        ("conv5", 2, (13, 11, 1, 2, 2)),
    ],
)
def test_traffic_moves_with_the_fold_as_the_form_says(
    name: str, n: int, fold: tuple[int, ...]
) -> None:
    chip, work = (
        eyeriss("memories.buffer.size=512 KiB", "memories.filters.size=32 KiB"),
        one_layer(name),
    )
    g = geometry_of(work.operators[0])  # type: ignore[arg-type]
    program = compile_program(chip, work, chosen=plan(chip, work, {name: given(g, n, fold)}))
    assert accesses(program) == closed_form(g, fold, work.operators[0].padding[0])  # type: ignore[union-attr]


@pytest.mark.parametrize("name", LAYERS)
def test_the_mappers_choice_is_no_slower(name: str) -> None:
    chip, work = eyeriss(), one_layer(name)
    mapping = load_mappings(MAPPINGS, chip, alexnet())[name]
    times = []
    for chosen in ({name: mapping}, None):
        program = compile_program(chip, work, chosen=plan(chip, work, chosen))
        times.append(simulate(program, chip).makespan)
    assert times[1] <= times[0]


@pytest.mark.parametrize("name", LAYERS)
def test_ranked_cycles_and_words_are_those_of_the_program(name: str) -> None:
    """The mapper's figures of the paper's folds, counted in the rows: passes and loads of filters one after
    another, words that LOADs bring (the border's zeros are none of those)."""
    chip, work = eyeriss("memories.dram.burst=2 B"), one_layer(name)
    mapping = load_mappings(MAPPINGS, chip, alexnet())[name]
    op = work.operators[0]
    found = chip.array.running(RS).choices(chip.array, geometry_of(op))  # type: ignore[arg-type]
    assert found is not None and (np.diff(found.cycles) >= 0).all()
    same = (found.images == mapping.batch) & (found.height == mapping.height)
    same &= (found.parameters == mapping.parameters).all(axis=1)
    (at,) = np.flatnonzero(same)
    assert (found.n[at], found.k[at]) == (mapping.n, mapping.k)
    program = compile_program(chip, work, chosen=plan(chip, work, {name: mapping}))
    rows = [program.rows(code) for code in (Opcode.MATMUL, Opcode.PRELOAD)]
    shapes = [program.shapes.take(program.commands.shape[some]) for some in rows]
    busy = sum(int(chip.array.cost(some).interval.sum()) for some in shapes)
    lag = chip.array.slot_lag(RS) * len(rows[0])
    assert busy + lag == pytest.approx(found.cycles[at], rel=1e-3)
    if not op.padding[0]:  # type: ignore[union-attr]
        entry = program.operands.start[program.rows(Opcode.LOAD)]
        assert program.operands.bytes[entry].sum() == 2 * found.far[at]


def test_the_fold_without_numbers_is_the_best_of_the_tile() -> None:
    """A mapping may leave p, q, r, t out; the tile of CONV3 has one of 16, 3, 2, 2 or as fast."""
    chip, work = eyeriss(), one_layer("conv3")
    g = geometry_of(work.operators[0])  # type: ignore[arg-type]
    said = given(g, 4, (13, 16, 3, 2, 2))
    for mapping in (said, replace(said, parameters=())):
        array, rate = chip.array, chip.array.rates[0]
        assert array.pass_limits(RS, rate, g, mapping)[2] in (54, 27, 36)
    times = [
        simulate(
            compile_program(chip, work, chosen=plan(chip, work, {"conv3": one})), chip
        ).makespan
        for one in (said, replace(said, parameters=()))
    ]
    assert times[1] <= times[0] * 1.02


INT8 = (
    "precision.input=int8",
    "precision.weight=int8",
    "units.array.rates=[{input: int8, weight: int8}]",
)


@pytest.mark.parametrize(
    "accumulator", ["{bits: 20, overflow: wrap}", "{bits: 18, overflow: saturate}"]
)
@pytest.mark.parametrize("block", range(4))
def test_random_operators_are_computed_to_the_bit(accumulator: str, block: int) -> None:
    """40 random operators: all rules, conservation, and the sums of an independent reference (wrapped; where the
    accumulator saturates, of those that none can leave)."""
    exact = 0
    for seed in range(10 * block, 10 * block + 10):
        rng = np.random.default_rng(seed)
        op = random_operator(rng)
        chip = eyeriss(
            *INT8, f"units.array.accumulator={accumulator}", "memories.buffer.size=4 KiB"
        )
        work = single(op)
        try:
            chosen = plan(chip, work)
        except InputError:  # a dilated kernel
            continue
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        timeline = simulate(program, chip, "plain")
        check_bounds(program, timeline)
        x, w = random_values(rng, op, chip)
        done = execute(program, work, chip, {"x": x}, network_for(op, chip, work, w))
        assert done.macs == op.macs
        account(program, chip, timeline, done.activity).check(op.macs)
        held = chip.array.accumulator
        most = np.abs(reference_sums(op, np.abs(x), np.abs(w), pad=1)).max()
        if held.overflow == "wrap" or most < 1 << (held.bits - 1):
            exact += 1
            sums = wrapped(reference_sums(op, x, w, pad=1), held.bits, held.overflow)
            assert np.array_equal(done.tensors["y"], sums), seed
    assert exact >= 4


def test_saturating_sums_take_the_order_of_the_elements() -> None:
    """Of one pass whose sums saturate, the executor's values are those of MacArray.execute for its fold."""
    op = Conv2d("op", "x", "w", "y", 1, 4, 6, 5, 6, (3, 3))
    work = single(op)
    chip = eyeriss(*INT8, "units.array.accumulator={bits: 15, overflow: saturate}")
    mapping = given(geometry_of(op), 1, (4, 3, 2, 2, 2))
    program = compile_program(chip, work, chosen=plan(chip, work, {"op": mapping}))
    (row,) = program.rows(Opcode.MATMUL)
    x, w = random_values(np.random.default_rng(4), op, chip)
    network = network_for(op, chip, work, w)
    done = execute(program, work, chip, {"x": x}, network)
    a = np.asarray(lower_input(op, x, 1, True), np.int64)[0]
    code = int(program.shapes.extents[program.commands.shape[row], 4])
    sums = chip.array.execute(a, network.weights["op"][0], number=RS, code=code)
    other = chip.array.execute(a, network.weights["op"][0], number=RS, code=0)
    assert np.array_equal(raise_output(op, sums[None]), done.tensors["y"])
    assert not np.array_equal(sums, other)


def test_replayed_by_the_register_transfer_model(tmp_path: Path) -> None:
    """The engine's issue times give the right bits on the elements, and the times that they really take."""
    path = tmp_path / "one.yaml"
    path.write_text(
        "name: one\ninputs: {x: [2, 4, 7, 6]}\n"
        "operators: [{name: c, kind: conv2d, input: x, filters: 6, kernel: 3}]\n"
    )
    work = accelsim.load_workload(path)
    chip = eyeriss(
        "memories.dram.bandwidth=100 TB/s",
        "memories.buffer.width=8192 bit",
        "memories.filters.width=8192 bit",
        *INT8,
        "units.array.epilogue_latency=0",
    )
    op = work.operators[0]
    g = geometry_of(op)  # type: ignore[arg-type]
    mapping = given(g, 1, (3, 3, 1, 2, 2))
    program = compile_program(chip, work, chosen=plan(chip, work, {"c": mapping}))
    timeline = simulate(program, chip)
    rng = np.random.default_rng(2)
    image = rng.integers(-128, 128, (2, 4, 7, 6))
    a = np.asarray(lower_input(op, image, 0, True), np.int64)[0]  # type: ignore[arg-type]
    b = rng.integers(-128, 128, (36, 6))
    period = program.units[program.commands.unit[program.rows(Opcode.MATMUL)[0]]].period
    cycles = -(-timeline.issue // period)
    passes, preload = [], -1
    for row in range(len(program)):
        if program.commands.opcode[row] == Opcode.PRELOAD:
            preload = int(cycles[row])
        if program.commands.opcode[row] == Opcode.MATMUL:
            at = int(program.operands.start[row])
            (m0, k0), (m, k) = program.operands.offset[at, 1:3], program.operands.extent[at, 1:3]
            n0, n = program.operands.offset[at + 1, 2], program.operands.extent[at + 1, 2]
            code = int(program.shapes.extents[program.commands.shape[row], 4])
            tile = a[m0 : m0 + m, k0 : k0 + k], b[k0 : k0 + k, n0 : n0 + n]
            passes.append(TilePass(*tile, int(cycles[row]), preload, 0, code))
            preload = -1
    assert len(passes) == 8 and all(one.preload >= 0 for one in passes)
    case = Case(chip.array, RS, chip.array.rates[0], passes)
    traces = step(case)
    assert agree(case, traces)
    times, rows = command_times(program, chip), program.rows(Opcode.MATMUL)
    assert [trace.last * period for trace in traces] == times.last[rows].tolist()


MAPPED = "operators:\n  conv3: {batch: 4, height: 13, n: 32, k: 54, p: 16, q: 3, r: 2, t: 2, output_slots: 1}\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("q: 3", "q: 5", "q x kernel width (words of inputs) is 15, the array holds 12"),
        ("p: 16", "p: 25", "p x q x kernel width (words of filters) is 225, the array holds 224"),
        ("p: 16, q: 3", "p: 25, q: 1", "p (words of sums) is 25, the array holds 24"),
        ("r: 2", "r: 5", "r (sets above one another) is 5, the array holds 4"),
        ("t: 2", "t: 3", "t (groups of r sets) is 3, the array holds 2"),
        ("k: 54", "k: 50", "row_stationary takes whole kernels of 9"),
        ("batch: 4, height: 13", "batch: 1, height: 1, width: 5", "takes whole rows"),
        (", t: 2", "", "t: is missing"),
        ("p: 16", "p: 0", "p"),
        ("batch", "dataflow: weight_stationary, batch", "p"),
    ],
)
def test_wrong_folds_are_said_with_their_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(MAPPED.replace(old, new, 1))
    with pytest.raises(InputError) as raised:
        load_mappings(path, eyeriss(), alexnet())
    text = str(raised.value)
    assert said in text and f"{path}:2:" in text


@pytest.mark.parametrize("numbers", [(16, 3, 2), (16, 3, 2, 0), (1, 1, 1, 1, 1)])
def test_numbers_that_are_not_the_dataflows_are_refused(numbers: tuple[int, ...]) -> None:
    chip, work = eyeriss(), one_layer("conv3")
    g = geometry_of(work.operators[0])  # type: ignore[arg-type]
    wrong = replace(given(g, 4, (13, 16, 3, 2, 2)), parameters=numbers)
    with pytest.raises(InputError, match="give numbers from 1 for p, q, r, t, or none"):
        plan(chip, work, {"conv3": wrong})
    plain = replace(wrong, dataflow=dataflow_named("weight_stationary").number)
    with pytest.raises(InputError, match="give none"):
        plan(chip, work, {"conv3": plain})


def test_a_saved_run_has_its_fold(tmp_path: Path) -> None:
    chip, work = eyeriss(), one_layer("conv4")
    mapping = load_mappings(MAPPINGS, chip, alexnet())["conv4"]
    made = accelsim.run(chip, work, mappings={"conv4": mapping})
    save(made, tmp_path / "saved")
    again = load_run(tmp_path / "saved")
    assert again.plan.mappings["conv4"] == mapping and again.cycles == made.cycles
    geometry = geometry_of(work.operators[0])  # type: ignore[arg-type]
    lines = loop_nest(chip, geometry, mapping, ("int16",) * 3)  # type: ignore[arg-type]
    assert any(
        "1 of n x 1 of k passes, each streams m, p 16, q 3, r 2, t 2" in one for one in lines
    )


def test_a_chip_that_cannot_is_refused() -> None:
    for key, said in (
        ("units.array.dot=2", "one product an element"),
        ("units.array.rates=[{input: int16, weight: int16, factor: 2}]", "one product an element"),
    ):
        with pytest.raises(InputError, match=said):
            eyeriss(key)
    with pytest.raises(InputError, match="needs elements with scratchpads"):
        accelsim.load_chip("int8_edge", ["units.array.dataflow=row_stationary"])


def test_a_kernel_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tall.yaml"
    path.write_text(
        "name: tall\ninputs: {x: [1, 2, 40, 40]}\n"
        "operators: [{name: c, kind: conv2d, input: x, filters: 4, kernel: 13}]\n"
    )
    with pytest.raises(InputError, match="13 rows is higher than the array, 12"):
        plan(eyeriss(), accelsim.load_workload(path))


def test_small_outputs_and_many_filters_take_no_more_groups_than_a_shape_can_say(
    tmp_path: Path,
) -> None:
    path = tmp_path / "flat.yaml"
    path.write_text(
        "name: flat\ninputs: {x: [1, 512, 1, 1]}\n"
        "operators: [{name: c, kind: conv2d, input: x, filters: 400, kernel: 1}]\n"
    )
    work, chip = accelsim.load_workload(path), eyeriss(*HIDDEN)
    program = compile_program(chip, work)
    validate(program, work)
    shapes = program.shapes.take(program.commands.shape[program.rows(Opcode.MATMUL)])
    assert fold_of(shapes).groups.max() <= 127
    with pytest.raises(InputError, match="the array holds 127"):
        g = geometry_of(work.operators[0])  # type: ignore[arg-type]
        plan(chip, work, {"c": given(g, 1, (1, 1, 1, 1, 128))})
    path.write_text(
        path.read_text().replace("1, 1]", "40, 40]").replace("kernel: 1}", "kernel: 1, stride: 20}")
    )
    with pytest.raises(InputError, match="63 columns wide and 15 far"):
        plan(chip, accelsim.load_workload(path))


def test_search_takes_row_stationary_among_the_others(tmp_path: Path) -> None:
    chip, work = eyeriss(), one_layer("conv4")
    array = replace(chip.array, dataflow="output_stationary")
    other = replace(chip, units={**chip.units, "array": array})
    found, report = search_plan(other, work, "cycles", budget=2)
    assert found.mappings["conv4"].dataflow == RS and report.cycles < report.default_cycles


def test_scratchpads_are_charged() -> None:
    """A filter word a product, a third of an input word and less, a sum read and written."""
    charges = accelsim.run(eyeriss(), one_layer("conv5")).energy.charges

    def bits(action: str) -> float:
        return sum(float(np.sum(one.counts)) for one in charges if one.action == action)

    macs = 2 * 128 * 192 * 9 * 4 * 169
    assert 16 * macs < bits("scratchpad_bits") < 1.4 * 16 * macs
    assert 1.9 * 16 * macs < bits("accumulator_bits") < 2 * 16 * macs
    joules = sum(sum(one.joules) for one in charges if one.action == "scratchpad_bits")
    assert joules > 0
