"""A point's figures equal a stand-alone run's, whatever the cache knew before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import accelsim
from accelsim import Job, api, shipped, verbs
from accelsim.config.inputs_file import inputs_of, load_arrays
from accelsim.energy import area
from accelsim.energy.components import component_of
from accelsim.mapping.homes import DEFAULT
from accelsim.results.comparison import compare, with_crossbar
from accelsim.store import Base, Point, Record, SweepSpec, ValuesSpec, Work
from accelsim.sweeps.evaluate import Evaluator
from accelsim.sweeps.file import load_sweep
from accelsim.sweeps.timed import decode, encode, every


def base(name: str, **sets: Any) -> Base:
    """A base of a shipped chip."""
    path = shipped.find("chip", name)
    changes = tuple((key.replace("__", "."), value) for key, value in sets.items())
    chip = api.load_chip(name, [f"{key}={value}" for key, value in changes])
    return Base(name, str(path), path.read_text(), changes, chip.crossbar is not None, chip.digest)


def spec(*bases: str, works: tuple[str, ...] = ("small_cnn",), **more: Any) -> SweepSpec:
    """A spec of shipped chips and workloads."""
    listed = tuple(Work(name, name, None, name) for name in works)
    return SweepSpec(
        "test", "", "test.yaml", "", tuple(base(name) for name in bases), listed, **more
    )


CASES: list[tuple[str, tuple[tuple[str, Any], ...], str | None]] = [
    ("int8_edge", (), None),
    ("int8_edge", (("technology.voltage", "0.9 V"),), None),
    ("int8_edge", (("units.array.columns", 16), ("units.array.rows", 16)), None),
    ("int8_edge", (("units.array.rows", 16), ("weights", "resident")), "energy"),
    ("int8_edge", (), "cycles"),
    ("int8_edge", (("technology.voltage", "0.9 V"),), "energy"),
    ("pcm_8level", (), None),
    ("pcm_8level", (("units.tiles.adc.bits", 6),), None),
    ("pcm_8level", (("units.tiles.mean_conductance", 0.3),), None),
    ("pcm_8level", (("units.tiles.drive.voltage", "0.1 V"),), None),
    ("pcm_8level", (("weights", "cold"),), None),
    ("int8_edge", (("homes", "off_chip"),), None),
    ("int8_edge", (("homes", "off_chip"),), "cycles"),
    ("pcm_8level", (("homes", "off_chip"), ("weights", "cold")), None),
]


def check(record: Record, result: accelsim.Result) -> None:
    """Every figure of a record against a Result."""
    assert record.failure is None
    m, chip = record.measures, result.chip
    assert m["cycles"] == result.cycles and m["latency_seconds"] == result.seconds
    for name in ("device", "core", "chip"):
        assert m[f"energy_{name}_joules"] == pytest.approx(result.energy.boundary(name), rel=1e-14)
    assert m["watts"] == pytest.approx(result.joules / result.seconds, rel=1e-14)
    assert m["utilisation"] == result.utilisation and m["macs"] == result.workload.macs
    assert m["area_square_metres"] == pytest.approx(sum(row.area for row in area(chip)), rel=1e-14)
    assert m["energy_band_joules"] == pytest.approx(result.energy.band, rel=1e-13)
    sums: dict[str, float] = {}
    for row in result.energy.rows:
        memory = chip.memories.get(row.unit)
        name = component_of(getattr(memory, "kind", ""), row.action)
        sums[name] = sums.get(name, 0.0) + row.joules
    assert record.parts == pytest.approx({k: v for k, v in sums.items() if v}, rel=1e-13)


@pytest.mark.parametrize("order", [1, -1])
def test_points_equal_runs_in_any_order(order: int, tmp_path: Path) -> None:
    evaluator = Evaluator(spec("int8_edge", "pcm_8level"), str(tmp_path))
    workload = accelsim.load_workload("small_cnn")
    for name, sets, search in CASES[::order]:
        record = evaluator.evaluate(Point(name, "small_cnn", sets, search))
        own = [f"{key}={value}" for key, value in sets if key != "homes"]
        homes = dict(sets).get("homes", DEFAULT)
        chip = accelsim.load_chip(name, own)
        check(record, accelsim.run(chip, workload, search=search, homes=homes))


def test_prices_choose_homes_of_what_was_timed_once() -> None:
    """The same chip where the off-chip memory is dear and where it costs next to nothing: one timing, other homes."""
    key = "technology.constants.dram/lpddr4/bit"
    evaluator = Evaluator(spec("int8_edge", works=("digits_cnn",)))
    workload, at_home = accelsim.load_workload("digits_cnn"), []
    for price in ("4 pJ", "0.1 pJ", "6 pJ"):
        result = accelsim.run(accelsim.load_chip("int8_edge", [f"{key}={price}"]), workload)
        check(evaluator.evaluate(Point("int8_edge", "digits_cnn", ((key, price),))), result)
        at_home.append(len(result.plan.homes.at))
    assert at_home[0] == at_home[2] > at_home[1] == 0
    assert len(evaluator.timings.held) == 1


def test_a_warm_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    lines = []
    for _ in range(2):
        evaluator = Evaluator(spec("int8_edge", "pcm_8level"), str(tmp_path))
        records = [
            evaluator.evaluate(Point(name, "small_cnn", sets, search))
            for name, sets, search in CASES
        ]
        lines.append([dataclasses.replace(record, run={}).line() for record in records])
    assert lines[0] == lines[1] and evaluator.timings.cache.hits > 4
    alone = [
        dataclasses.replace(
            Evaluator(spec("int8_edge", "pcm_8level")).evaluate(
                Point(name, "small_cnn", sets, search)
            ),
            run={},
        ).line()
        for name, sets, search in CASES
    ]
    assert alone == lines[0]


def test_bytes_of_readings_come_back() -> None:
    chip, workload = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn")
    found = every(chip, workload, None)
    back = decode(encode(found))
    assert len(found) > 1 and back is not None and encode(back) == encode(found)
    for one, other in zip(found, back, strict=True):
        assert (one.makespan, one.tick_hz, one.seconds) == (
            other.makespan,
            other.tick_hz,
            other.seconds,
        )
    for broken in (b"", b"{}\n", b"[]\n", encode(found)[:-9], b"\xff" + encode(found)):
        assert decode(broken) is None


def test_what_does_not_fit_is_an_answer() -> None:
    evaluator = Evaluator(spec("int8_edge", "pcm_8level", works=("resnet18",)))
    for point in (
        Point("int8_edge", "resnet18", (("weights", "resident"),)),
        Point("pcm_8level", "resnet18", (("units.tiles.count", 3),)),
    ):
        record = evaluator.evaluate(point)
        assert record.failure is not None and not record.failure.fits and not record.measures
    wrong = evaluator.evaluate(Point("int8_edge", "resnet18", (("units.array.rows", 0),)))
    assert (
        wrong.failure is not None
        and wrong.failure.fits
        and "units.array.rows" in wrong.failure.message
    )


def test_a_bug_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = Evaluator(spec("int8_edge"))
    monkeypatch.setattr("accelsim.sweeps.measures.basic", lambda *_: 1 / 0)
    record = evaluator.evaluate(Point("int8_edge", "small_cnn", ()))
    assert record.failure is not None and record.failure.code == "internal"
    assert "ZeroDivisionError" in record.failure.message and record.measures == {}


def test_values_equal_a_run_with_inputs() -> None:
    images, ages = 40, (3600.0, 31536000.0)
    asked = ValuesSpec("digits", images, ages, (298.15,), "digits")
    evaluator = Evaluator(spec("int8_edge", "pcm_8level", works=("digits_mlp",), values=asked))
    arrays = {name: array[:images] for name, array in load_arrays("digits").items()}
    workload = accelsim.load_workload("digits_mlp", images)
    inputs, labels = inputs_of(dict(arrays), workload)
    for name in ("int8_edge", "pcm_8level"):
        for seed in (0, 2):
            record = evaluator.evaluate(Point(name, "digits_mlp", (), None, seed))
            chip = accelsim.load_chip(name)
            if chip.crossbar is not None:
                chip = with_crossbar(chip, seed=chip.crossbar.seed + seed)
            check(record, accelsim.run(chip, workload, inputs, labels=labels))
            for row in record.aged:
                aged = chip if row["age_s"] is None else with_crossbar(chip, age=row["age_s"])
                values = accelsim.run(aged, workload, inputs, labels=labels).values
                assert values is not None and row["top1"] == values.scores["top1"]
                last = values.signal_to_noise_db[list(values.outputs)[-1]]
                assert row["signal_to_noise_db"] == pytest.approx(last, abs=1e-4)
            assert [row["age_s"] for row in record.aged] == (
                [None] if name == "int8_edge" else list(ages)
            )
            assert record.measures["top1"] == min(
                row["top1"] for row in record.aged if row["top1"] is not None
            )


@pytest.mark.parametrize(("name", "batch"), [("small_cnn", 3), ("digits_mlp", None)])
def test_seeded_values_equal_a_run(name: str, batch: int | None, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        f"""name: noise
bases: {{int4: {{chip: int4_edge}}, int8: {{chip: int8_edge}}}}
workloads: [{{workload: {name}{"" if batch is None else f", batch: {batch}"}}}]
values: {{input: seeded, calibrate: mse}}
measures: [energy, signal_to_noise_db]
seed: 3
"""
    )
    made = load_sweep(tmp_path / "s.yaml")
    (work,) = made.works
    evaluator = Evaluator(made)
    noise = []
    for chip in ("int4", "int8"):
        record = evaluator.evaluate(Point(chip, work.name, (), None, 3))
        job = Job(f"{chip}_edge", name, batch=batch, values="seeded", calibrate="mse", seed=3)
        result = verbs.run(job)
        check(record, result)
        assert result.values is not None
        last = result.values.signal_to_noise_db[list(result.values.outputs)[-1]]
        noise.append(record.measures["signal_to_noise_db"])
        assert noise[-1] == pytest.approx(last, abs=1e-4)
    assert 3 < noise[0] < noise[1] - 10  # four bits' noise, then eight's


def test_writing_equals_compare() -> None:
    evaluator = Evaluator(spec("int8_edge", "pcm_8level", measures=("writing_joules",)))
    workload = accelsim.load_workload("small_cnn")
    chips = [accelsim.load_chip(name) for name in ("int8_edge", "pcm_8level")]

    def run(chip: Any, inputs: Any = None, weights: str | None = None) -> Any:
        return accelsim.run(chip, workload, weights=weights)

    sides = compare(chips, run, lambda *_: None, None, 1).sides  # type: ignore[arg-type, return-value]
    for name, side in zip(("int8_edge", "pcm_8level"), sides, strict=True):
        m = evaluator.evaluate(Point(name, "small_cnn", ())).measures
        expected = side.writing if side.analog else (0.0, 0.0)
        assert (m["writing_joules"], m["writing_seconds"]) == pytest.approx(expected, rel=1e-12)


def test_a_batch_of_its_own() -> None:
    evaluator = Evaluator(spec("int8_edge"))
    for batch in (1, 3):
        record = evaluator.evaluate(Point("int8_edge", "small_cnn", (("batch", batch),)))
        result = accelsim.run(
            accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn", batch)
        )
        check(record, result)
        assert record.measures["energy_per_inference_joules"] == pytest.approx(
            result.joules / batch
        )
