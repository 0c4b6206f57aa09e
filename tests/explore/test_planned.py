"""Equal layers planned once: every figure of a run is that of the run in full."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

import accelsim
from accelsim import jit
from accelsim.errors import ProgramError
from accelsim.explore import planned
from accelsim.mapping import plan
from accelsim.mapping.fold import fold, layers_of
from accelsim.mapping.homes import DEFAULT
from accelsim.program.repeats import in_full
from accelsim.program.validate import validate
from accelsim.results.files import to_dict
from accelsim.timing.repeats import Unsettled
from accelsim.workload import Gemm, TensorSpec, VectorOperator, Workload
from accelsim.workload.repeats import equal_layers, shortened

TIMES = ("issue", "first", "release", "end", "why", "ref", "interval", "port_busy")


def network(seed: int, layers: int = 11) -> Workload:
    """Random layers of products and vector work on top of each other, with a skip over each layer, in some
    a tensor that all of them read, and a head."""
    rng = np.random.default_rng(seed)
    rows, width = int(rng.integers(1, 60)), int(rng.choice([24, 40, 64]))
    steps = [
        (
            str(rng.choice(["gemm", "gemm", "relu", "softmax", "add", "shared"])),
            int(rng.choice([16, 48, 72])),
        )
        for _ in range(2 * int(rng.integers(2, 4)))
    ]
    tensors = {
        "x": TensorSpec("x", (rows, width), "input"),
        "c": TensorSpec("c", (rows, width), "input"),
    }
    operators: list[Gemm | VectorOperator] = []

    def gemm(name: str, source: str, n: int) -> str:
        k = tensors[source].shape[1]
        tensors[f"{name}.w"] = TensorSpec(f"{name}.w", (k, n), "weight")
        tensors[name] = TensorSpec(name, (rows, n))
        operators.append(Gemm(name, source, f"{name}.w", name, m=rows, n=n, k=k))
        return name

    def vector(name: str, kind: str, *sources: str) -> str:
        shape = tensors[sources[0]].shape
        tensors[name] = TensorSpec(name, shape)
        operators.append(VectorOperator(name, kind, sources, name, (shape,) * len(sources), shape))
        return name

    at = vector("begin", "relu", "x")
    shared = vector("shared", "relu", "c")
    for layer in range(layers):
        begin = at
        for number, (kind, n) in enumerate(steps):
            name = f"layer{layer}.{number}"
            if kind == "gemm":
                at = gemm(name, at, n)
            elif (
                kind in ("add", "shared")
                and tensors[at].shape == tensors[begin].shape
                and at != begin
            ):
                at = vector(name, "add", at, begin if kind == "add" else shared)
            else:
                at = vector(name, "softmax" if kind == "softmax" else "relu", at)
        at = gemm(f"layer{layer}.last", at, width)
        at = vector(f"layer{layer}.sum", "add", at, begin)
    at = gemm("head", at, 30)
    tensors[at] = replace(tensors[at], role="output")
    return Workload(f"random{seed}", tuple(operators), tensors)


def assert_same(chip: accelsim.Chip, workload: Workload, homes: str = DEFAULT) -> bool:
    """Whether something was folded; every figure is compared."""
    found = accelsim.run(chip, workload, homes=homes)
    right = accelsim.run(chip, workload, fold=False, homes=homes)
    assert right.planned.layers is None
    ours, theirs = to_dict(found), to_dict(right)
    for one in (ours, theirs):
        one["assumptions"], one["program"] = None, one["program"]["commands"]
        one.pop("homes", None)  # read from a table of all commands
    assert json.dumps(ours) == json.dumps(theirs)
    assert found.energy.rows == right.energy.rows and found.units == right.units
    assert found.spread == right.spread and found.operators == right.operators
    for name in TIMES:
        assert np.array_equal(getattr(found.timeline, name), getattr(right.timeline, name)), name
    assert found.makespan == right.makespan == found.timeline.makespan
    assert found.program.operators == right.program.operators
    full = in_full(found.planned.program)
    columns = [
        column.extents[one.commands.shape]
        for one in (full, right.program)
        for column in [one.shapes]
    ]
    assert np.array_equal(*columns)
    for table in ("commands", "dependencies", "demands"):
        for item in fields(getattr(full, table)):
            if item.name == "shape":  # weights that stay make equal shapes of their own
                continue
            assert np.array_equal(
                getattr(getattr(full, table), item.name),
                getattr(getattr(right.program, table), item.name),
            ), item.name
    for name in ("start", "memory", "span", "bytes", "access", "format", "extent"):
        assert np.array_equal(
            getattr(full.operands, name), getattr(right.program.operands, name)
        ), name
    return found.planned.layers is not None


CHIPS = [
    ("int8_edge", ()),
    ("int8_edge", ("weights=resident",)),
    ("int4_edge", ()),
    ("mixed_quad", ()),
    ("fp8_64", ()),
    ("int8_edge", ("units.array.rows=16", "units.array.columns=16")),
    ("int8_edge", ("memories.dram.bandwidth=1 GB/s",)),
    ("pcm_8level", ("weights=cold",)),
]


@pytest.mark.parametrize(("chip", "keys"), CHIPS, ids=lambda value: str(value))
def test_random_layers_on_every_kind_of_chip(chip: str, keys: tuple[str, ...]) -> None:
    """By columns, and by the kernels that a process loads in the end."""
    made, folded = accelsim.load_chip(chip, keys), 0
    for seed in range(4):
        with jit.only("compiled" if seed % 2 else "plain"):
            folded += assert_same(made, network(seed), "off_chip")
    assert folded >= 2 or chip.startswith("pcm"), folded  # crossbars of a layer are its own


def test_layers_whose_tensors_stand_alike_are_equal() -> None:
    """A skip over every layer has two addresses in turn: two layers are one."""
    chip, folded = accelsim.load_chip("int8_edge"), []
    for seed in range(4):
        folded.append(assert_same(chip, network(seed, 22)))
        layers = accelsim.run(chip, network(seed, 22)).planned.layers
        assert layers is None or layers.count < 12
    assert sum(folded) >= 2, folded


@pytest.mark.full
@pytest.mark.parametrize("seed", range(40))
def test_more_random_layers(seed: int) -> None:
    chip, keys = CHIPS[seed % len(CHIPS)]
    assert_same(accelsim.load_chip(chip, keys), network(100 + seed, 8 + seed % 7))


@pytest.mark.parametrize("name", ["bert_base", "gpt2_decode"])
def test_zoo_in_full(name: str) -> None:
    assert assert_same(accelsim.load_chip("int8_128"), accelsim.load_workload(name))


@pytest.mark.full
@pytest.mark.parametrize("name", ["llama_7b_decode", "llama_7b_prefill", "gpt2_prefill", "vit_b16"])
def test_the_large_ones_in_full(name: str) -> None:
    assert assert_same(accelsim.load_chip("int8_128"), accelsim.load_workload(name))


@pytest.mark.parametrize("objective", ["cycles", "energy", "edp"])
def test_searched_mappings_fold_alike(objective: str) -> None:
    chip, work = accelsim.load_chip("int8_edge"), network(1, 22)
    found = accelsim.run(chip, work, search=objective, budget=3)
    right = accelsim.run(chip, work, search=objective, budget=3, fold=False)
    assert (found.makespan, found.joules) == (right.makespan, right.joules)
    assert found.planned.layers is not None and found.operators == right.operators


def test_what_never_settles_is_planned_in_full() -> None:
    """A network whose loads run ahead of it ever farther, until the last layer."""
    chip, work = accelsim.load_chip("int8_edge"), network(8)
    chosen = plan(chip, work)
    layers = layers_of(chip, work, chosen)
    assert layers is not None
    made = fold(chip, work, chosen, layers, 9)
    assert made is not None
    with pytest.raises(Unsettled, match="state"):
        planned.simulate(made.program, chip)
    assert not assert_same(chip, work, "off_chip")


def test_more_layers_are_listed_before_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(program: object, chip: object, engine: str = "auto") -> object:
        asked.append(program.repeat)  # type: ignore[attr-defined]
        if program.repeat is not None:  # type: ignore[attr-defined]
            raise Unsettled("never")
        return simulate(program, chip, engine)  # type: ignore[arg-type]

    simulate = planned.simulate
    monkeypatch.setattr(planned, "simulate", refuse)
    result = accelsim.run(accelsim.load_chip("int8_edge"), network(0), homes="off_chip")
    assert [repeat.times if repeat is not None else 0 for repeat in asked] == [5, 1, 0]
    assert result.planned.program.repeat is None and result.planned.layers is None


def test_a_reader_is_told() -> None:
    chip, work = accelsim.load_chip("int8_edge"), network(0)
    found = accelsim.run(chip, work, homes="off_chip")
    assert any("10 equal layers" in note and "5 planned" in note for note in found.assumptions)
    assert to_dict(found)["program"]["equal_layers"] == 10
    assert len(to_dict(found)["operators"]) == len(work.operators)
    assert found.commands == len(found.program) > len(found.planned.program)
    assert accelsim.run(chip, work, engine="simpy").planned.layers is None


def test_layers_that_differ_or_are_read_from_afar_are_no_run() -> None:
    work = network(0)
    keys = [op.kind for op in work.operators]
    layers = equal_layers(work, keys)
    assert layers is not None and layers.count == 10
    odd = list(keys)
    odd[layers.first + 5 * layers.length] = "another"
    less = equal_layers(work, odd)
    assert less is not None and less.count <= 6
    first = next(op for op in work.operators if op.output.startswith("layer2."))
    shape = work.tensors[first.output].shape
    tap = VectorOperator("tap", "relu", (first.output,), "tap", (shape,), shape)
    tapped = replace(
        work,
        operators=(*work.operators, tap),
        tensors={**work.tensors, "tap": TensorSpec("tap", shape, "output")},
    )
    assert shortened(tapped, layers, 5) is None and shortened(work, layers, 5) is not None
    assert accelsim.run(accelsim.load_chip("int8_edge"), tapped).planned.layers is None


def test_a_wrong_repeat_is_refused() -> None:
    chip, work = accelsim.load_chip("int8_edge"), network(0)
    chosen = plan(chip, work)
    layers = layers_of(chip, work, chosen)
    assert layers is not None
    made = fold(chip, work, chosen, layers, 5)
    assert made is not None and made.program.repeat is not None
    validate(made.program, made.workload)
    for wrong in ({"length": 0}, {"times": 0}, {"first": -1}, {"alike": (0, 3)}, {"operators": -1}):
        row = replace(made.program.repeat, **wrong)  # type: ignore[arg-type]
        with pytest.raises(ProgramError, match="copies around"):
            validate(replace(made.program, repeat=row), made.workload)
