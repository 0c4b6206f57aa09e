"""Expansion of sweeps: counts, order, conditions, exclusions, samples."""

from __future__ import annotations

import itertools
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from accelsim import shipped
from accelsim.errors import InputError
from accelsim.job import Job
from accelsim.store import Point, SweepSpec
from accelsim.sweeps.file import load_sweep
from accelsim.sweeps.space import count, points

BASES = {"int8": "int8_edge", "pcm": {"chip": "pcm_8level"}}
ROWS, BITS, VOLTS = "units.array.rows", "units.tiles.adc.bits", "technology.voltage"


def sweep(folder: Path, **more: Any) -> SweepSpec:
    whole = {"name": "s", "bases": BASES, "workloads": ["small_cnn"], **more}
    path = folder / "sweep.yaml"
    path.write_text(json.dumps(whole))
    return load_sweep(path)


def listed(spec: SweepSpec) -> list[Point]:
    """All points, each once, as many as were counted, sets sorted by key."""
    found = list(points(spec))
    assert len(found) == count(spec) == len({repr(point) for point in found})
    assert all(
        [key for key, _ in point.sets] == sorted({key for key, _ in point.sets}) for point in found
    )
    return found


@pytest.mark.parametrize("name", shipped.names("sweep"))
def test_shipped_sweeps_expand(name: str) -> None:
    assert listed(load_sweep(shipped.find("sweep", name)))


def test_order_is_bases_workloads_axes(tmp_path: Path) -> None:
    spec = sweep(
        tmp_path,
        workloads=["small_cnn", "small_gemm"],
        vary=[
            {"key": ROWS, "values": [16, 8], "bases": ["int8"]},
            {"key": VOLTS, "values": ["0.7 V", "0.8 V"]},
        ],
    )
    found = [
        (p.base, p.work, *(dict(p.sets).get(key) for key in (ROWS, VOLTS))) for p in listed(spec)
    ]
    assert found == [
        *itertools.product(["int8"], ["small_cnn", "small_gemm"], [16, 8], ["0.7 V", "0.8 V"]),
        *itertools.product(["pcm"], ["small_cnn", "small_gemm"], [None], ["0.7 V", "0.8 V"]),
    ]
    assert found == [
        (p.base, p.work, *(dict(p.sets).get(key) for key in (ROWS, VOLTS))) for p in points(spec)
    ]


def test_million_points_and_quick(tmp_path: Path) -> None:
    steps = {"from": 8, "to": 800, "step": 8}
    spec = sweep(
        tmp_path,
        bases={"int8": "int8_edge"},
        vary=[
            {"key": ROWS, "range": steps},
            {"key": "units.array.columns", "range": steps},
            {"key": "units.vector.lanes", "range": {"from": 1, "to": 100, "step": 1}},
        ],
    )
    assert count(spec) == 10**6
    begin = time.process_time()
    some = list(itertools.islice(points(spec), 10_000))
    assert len(some) == 10_000 and time.process_time() - begin < 3


def test_a_grid_of_any_size_is_counted_not_listed(tmp_path: Path) -> None:
    steps = {"from": 1, "to": 10_000, "step": 1}
    spec = sweep(
        tmp_path,
        bases={"int8": "int8_edge"},
        vary=[
            {"key": key, "range": steps}
            for key in (ROWS, "units.array.columns", "units.vector.lanes")
        ],
    )
    begin = time.process_time()
    with pytest.raises(
        InputError, match=r"sweep.yaml:\d+:\d+: vary: makes 1,000,000,000,000 points"
    ):
        count(spec)
    assert time.process_time() - begin < 3


def meets(point: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(
        point[key] in (value if isinstance(value, list) else [value])
        for key, value in wanted.items()
    )


@pytest.mark.parametrize("seed", range(12))
def test_conditions_and_exclusions_against_a_plain_filter(seed: int, tmp_path: Path) -> None:
    """Random axes with conditions on earlier ones; the expected points by plain loops."""
    rng = random.Random(seed)
    keys = [
        ROWS,
        "units.array.columns",
        "units.vector.lanes",
        "units.vector.latency",
        "units.dma.setup",
    ]
    own = {
        ROWS: 32,
        "units.array.columns": 32,
        "units.vector.lanes": 32,
        "units.vector.latency": 4,
        "units.dma.setup": 8,
    }
    choices = {key: sorted({own[key], *rng.sample(range(2, 40), 2)}) for key in keys}
    vary: list[dict[str, Any]] = []
    for number, key in enumerate(keys):
        axis: dict[str, Any] = {"key": key, "values": choices[key]}
        if number and rng.random() < 0.6:
            other = rng.choice(keys[:number])
            axis["when"] = {other: rng.choice([own[other], choices[other][:2]])}
        vary.append(axis)
    exclude = [
        {key: rng.choice(choices[key]) for key in rng.sample(keys, rng.randrange(1, 4))}
        for _ in range(3)
    ]
    refused = 0
    while True:
        wanted = set()
        for steps in itertools.product(*(axis["values"] for axis in vary)):
            point, sets = dict(own), {}
            for axis, step in zip(vary, steps, strict=True):
                if meets(point, axis.get("when", {})):
                    point[axis["key"]] = sets[axis["key"]] = step
            if not any(meets(point, rule) for rule in exclude):
                wanted.add(tuple(sorted(sets.items())))
        try:
            spec = sweep(tmp_path, bases={"int8": "int8_edge"}, vary=vary, exclude=exclude)
            break
        except InputError as error:  # what hits nothing or varies nowhere is refused: leave it out
            refused += 1
            for problem in reversed(error.problems):
                part, _, number = problem.path.rstrip("]").partition("[")
                assert problem.code in ("sweep.exclude", "sweep.never") and refused < 5
                del (exclude if part == "exclude" else vary)[int(number)]
    assert {point.sets for point in listed(spec)} == wanted


def test_an_exclusion_may_name_base_and_workload(tmp_path: Path) -> None:
    vary = [{"key": VOLTS, "values": ["0.7 V", "0.8 V"]}]
    spec = sweep(
        tmp_path,
        workloads=["small_cnn", "small_gemm"],
        vary=vary,
        exclude=[{"base": "pcm", "workload": "small_gemm"}, {"base": "int8", VOLTS: "700 mV"}],
    )
    assert [(p.base, p.work, dict(p.sets)[VOLTS]) for p in listed(spec)] == [
        ("int8", "small_cnn", "0.8 V"),
        ("int8", "small_gemm", "0.8 V"),
        ("pcm", "small_cnn", "0.7 V"),
        ("pcm", "small_cnn", "0.8 V"),
    ]


def test_homes_of_a_sweep(tmp_path: Path) -> None:
    """Said of all points, varied, or asked for by the job; an axis stands above what is said of all."""
    asked: dict[str, Any] = {"bases": {"int8": "int8_edge", "pcm": "pcm_8level"}}
    assert {p.sets for p in listed(sweep(tmp_path, **asked))} == {()}
    said = (("homes", "off_chip"),)
    assert {p.sets for p in listed(sweep(tmp_path, **asked, homes="off_chip"))} == {said}
    axis = {"key": "homes", "values": ["on_chip", "off_chip"], "bases": ["pcm"]}
    mixed = listed(sweep(tmp_path, **asked, homes="off_chip", vary=[axis]))
    assert [(p.base, dict(p.sets)["homes"]) for p in mixed] == [
        ("int8", "off_chip"),
        ("pcm", "on_chip"),
        ("pcm", "off_chip"),
    ]
    sweep(tmp_path, **asked)
    by_job = load_sweep(tmp_path / "sweep.yaml", job=Job(sweep="s", homes="off_chip"))
    assert {p.sets for p in points(by_job)} == {said}
    only = {"homes": "off_chip", "weights": "cold"}
    both = [
        {"key": key, "values": values}
        for key, values in (("homes", ["on_chip", "off_chip"]), ("weights", ["cold", "resident"]))
    ]
    assert len(listed(sweep(tmp_path, bases={"int8": "int8_edge"}, vary=both, exclude=[only]))) == 3


def test_search_batch_and_weights(tmp_path: Path) -> None:
    spec = sweep(
        tmp_path,
        bases={"int8": "int8_edge"},
        search="cycles",
        vary=[
            {"key": "search", "values": ["none", "edp"]},
            {"key": "weights", "values": ["cold", "resident"]},
            {"key": "batch", "values": [1, 4]},
        ],
    )
    found = listed(spec)
    assert len(found) == 8 and {p.search for p in found} == {None, "edp"}
    assert all([key for key, _ in p.sets] == ["batch", "weights"] for p in found)
    sizes = sweep(
        tmp_path,
        bases={"int8": "int8_edge"},
        workloads=[{"workload": "small_cnn", "batch": [1, 4]}],
    )
    assert {work.name: work.batch for work in sizes.works} == {
        "small_cnn batch 1": 1,
        "small_cnn batch 4": 4,
    }
    assert [p.work for p in listed(sizes)] == ["small_cnn batch 1", "small_cnn batch 4"]
    alone = sweep(tmp_path, bases={"int8": "int8_edge"}, search="cycles")
    assert [(p.sets, p.search) for p in listed(alone)] == [((), "cycles")]


def test_repeats_only_where_something_is_random(tmp_path: Path) -> None:
    both = {"int8": "int8_edge", "pcm": {"chip": "pcm_8level", "set": {"units.tiles.count": 16}}}
    values: dict[str, Any] = {
        "workloads": ["digits_mlp"],
        "values": {"input": "digits"},
        "repeats": 3,
        "seed": 5,
        "bases": both,
    }
    assert [(p.base, p.seed) for p in listed(sweep(tmp_path, **values))] == [
        ("int8", 5),
        ("pcm", 5),
        ("pcm", 6),
        ("pcm", 7),
    ]
    quiet = sweep(tmp_path, **{**values, "measures": ["latency"]})
    assert [(p.base, p.seed) for p in listed(quiet)] == [("int8", 5), ("pcm", 5)]


@pytest.mark.parametrize("said", ["8 B", "64 bit"])
def test_conditions_know_widths_in_bytes_and_bits(tmp_path: Path, said: str) -> None:
    """int8_edge's input buffer is 64 bits wide."""
    width = "memories.input_buffer.width"
    vary = [{"key": ROWS, "values": [16, 32], "bases": ["int8"], "when": {width: said}}]
    assert len([p for p in listed(sweep(tmp_path, vary=vary)) if p.base == "int8"]) == 2
    vary = [{"key": width, "values": ["128 bit", "8 B", "64 B"], "bases": ["int8"]}]
    spec = sweep(tmp_path, vary=vary, exclude=[{width: said}])
    assert len([p for p in listed(spec) if p.base == "int8"]) == 2


@pytest.mark.parametrize("kind", ["random", "sobol"])
def test_samples(kind: str, tmp_path: Path) -> None:
    if kind == "sobol":
        pytest.importorskip("scipy")
    vary = [
        {"key": ROWS, "log": {"from": 4, "to": 256}, "bases": ["int8"]},
        {"key": VOLTS, "range": {"from": "0.6 V", "to": "1.2 V"}},
        {"key": BITS, "values": [4, 6, 8], "bases": ["pcm"], "when": {VOLTS: "0.6 V"}},
    ]

    def drawn(seed: int, number: int = 64) -> list[Point]:
        return listed(sweep(tmp_path, vary=vary, sample={kind: number, "seed": seed}))

    first = drawn(3)
    assert first == drawn(3) and first != drawn(4)
    int8 = [dict(p.sets) for p in first if p.base == "int8"]
    assert 55 <= len(int8) <= 64
    rows = sorted(sets[ROWS] for sets in int8)
    assert 16 <= rows[len(rows) // 2] <= 64  # the middle of the logarithms is 32
    assert 4 <= rows[0] < 8 and 128 < rows[-1] <= 256
    shared = {dict(p.sets)[VOLTS] for p in first if p.base == "pcm"}
    assert shared == {sets[VOLTS] for sets in int8}  # the same samples on every base
    if kind == "sobol":
        assert len(shared) == 64  # one in every stratum
