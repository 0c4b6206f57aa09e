"""Figures over workloads against the plain definition; one front a workload; sweeps that measure one thing."""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cli.main import main
from accelsim.errors import InputError
from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.joint import joint_view
from accelsim.reports.sweeps.stored import read_store
from accelsim.store.columns import columns
from accelsim.store.front import front, front_of
from accelsim.store.joint import RULES, by_workload, joined
from accelsim.store.measures import MEASURES, usual_objectives
from accelsim.store.spec import Joint
from accelsim.sweeps.file import load_sweep

SWEEP = """\
name: both
bases: {int8: {chip: int8_edge}, int4: {chip: int4_edge}}
workloads: [digits_mlp, small_cnn]
vary:
  - {key: units.array.rows, values: [16, 32]}
  - {key: memories.dram.bandwidth, values: [4 GB/s, 17 GB/s]}
"""


def call(*arguments: str) -> int:
    patch = pytest.MonkeyPatch()
    patch.setattr("sys.argv", ["accelsim", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        patch.undo()
    return 0


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.floats(1e-6, 1e6)), min_size=2, max_size=2),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(RULES),
    st.booleans(),
)
def test_a_figure_over_workloads(rows: list[list[float | None]], by: str, larger: bool) -> None:
    measure = "throughput_per_second" if larger else "latency_seconds"
    points = [(d, w, v) for d, row in enumerate(rows) for w, v in enumerate(row) if v is not None]
    design, work, values = (np.array([p[n] for p in points]) for n in range(3))
    table = by_workload(values.astype(float), design.astype(int), len(rows), work.astype(int), 2)
    found = joined(table, measure, Joint(measure, by, (("a", 2.0), ("b", 0.5))), ["a", "b"])
    for row, value in zip(rows, found, strict=True):
        if None in row:
            assert np.isnan(value)
            continue
        a, b = row
        assert a is not None and b is not None
        right = {
            "sum": a + b,
            "geomean": exp((log(a) + log(b)) / 2),
            "weights": 2 * a + 0.5 * b,
            "worst": min(a, b) if larger else max(a, b),
        }[by]
        assert value == pytest.approx(right)


def test_what_no_geometric_mean_has_and_what_the_chip_decides() -> None:
    table = np.array([[1.0, 0.0], [3.0, 3.0]])
    assert np.isnan(
        joined(table, "signal_to_noise_db", Joint("-signal_to_noise_db", "geomean"), "ab")
    ).tolist() == [True, False]
    assert joined(
        table[1:], "area_square_metres", Joint("latency_seconds", "sum"), "ab"
    ).tolist() == [3.0]


def test_one_front_a_workload_and_one_over_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = tmp_path / "both.yaml", tmp_path / "store"
    path.write_text(
        SWEEP + "objective: {of: latency, over: workloads, by: weights, "
        "weights: {digits_mlp: 3, small_cnn: 1}}\n"
    )
    assert call("sweep", str(path), "--store", str(store), "--executor", "serial", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    found = columns(store)
    cost = np.stack(
        [found.measure(name) for name in ("energy_chip_joules", "latency_seconds")], axis=1
    )
    numbers, works = found.setting("workload")
    for number, work in enumerate(works):
        rows = numbers == number
        right = {key.decode() for key in found.keys[rows][front(cost[rows])]}
        assert right == set(said["front"][work]) and right
        best = {b["measure"]: b["value"] for b in said["best"] if b["workload"] == work}
        assert best["latency_seconds"] == cost[rows, 1].min()
    assert len(said["best"]) == 4
    pooled = front_of(found, ("energy_chip_joules", "latency_seconds"))
    assert pooled.sum() == sum(len(keys) for keys in said["front"].values()) > front(cost).sum()

    totals: dict[tuple[object, ...], float] = {}
    for row in range(len(found)):
        texts = [found.setting(key)[0][row] for key in ("base", *found.sets)]
        weight = {"digits_mlp": 3.0, "small_cnn": 1.0}[str(works[numbers[row]])]
        totals[tuple(texts)] = totals.get(tuple(texts), 0.0) + weight * cost[row, 1]
    joint = said["joint"]
    assert joint["value"] == pytest.approx(min(totals.values()))
    assert joint["value"] == pytest.approx(
        3 * joint["values"]["digits_mlp"] + joint["values"]["small_cnn"]
    )
    assert joint["front"] and all(len(keys) == 2 for keys in joint["front"])

    assert call("sweep", str(path), "--store", str(store), "--executor", "serial") == 0
    said = capsys.readouterr().out
    for words in (
        "best latency_seconds on small_cnn",
        "Pareto front on digits_mlp",
        "best weighted sum of",
    ):
        assert words in said
    table, context = read_store(store)
    view = joint_view(View(table, context), 5)
    assert view is not None and len(view.designs) == 8
    assert view.designs.measure("latency_seconds").min() == pytest.approx(joint["value"])
    page = tmp_path / "page"
    assert (
        call("report", str(store), "--plot", "table", "--plot", "pareto", "--out", str(page)) == 0
    )
    assert "all workloads (weighted sum)" in (page / "table_points.csv").read_text()
    assert "all workloads (weighted sum)" in (page / "pareto_points.csv").read_text()
    assert "digits_mlp 3, small_cnn 1" in (page / "report.html").read_text()


@pytest.mark.parametrize("name", [name for name, measure in MEASURES.items() if not measure.random])
def test_every_measure_alone_has_an_objective(name: str, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(SWEEP + f"measures: [{name}]\n")
    objective = load_sweep(path).objectives
    assert len(objective) == 1 and objective[0].lstrip("-") == name
    assert objective[0].startswith("-") == MEASURES[name].larger
    assert usual_objectives(["cycles", "latency_seconds"]) == ("latency_seconds",)


def test_a_sweep_of_cycles_alone_runs_and_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = tmp_path / "cycles.yaml", tmp_path / "store"
    path.write_text(SWEEP + "measures: [cycles]\n")
    assert call("sweep", str(path), "--store", str(store), "--executor", "serial") == 0
    assert "best cycles on small_cnn" in capsys.readouterr().out
    assert call("report", str(store), "--out", str(tmp_path / "page")) == 0
    said = capsys.readouterr().out + (tmp_path / "page/report.html").read_text()
    assert "cycles" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{of: latency, by: mean}", "objective.by"),
        ("{of: latency}", "objective.by"),
        ("{by: sum}", "objective.of"),
        ("{of: speed, by: sum}", "objective.of"),
        ("{of: latency, over: bases, by: sum}", "objective.over"),
        ("{of: latency, by: weights}", "objective.weights: is missing"),
        ("{of: latency, by: sum, weights: {digits_mlp: 1}}", "no meaning"),
        (
            "{of: latency, by: weights, weights: {digits_mlp: 1, vgg: 2}}",
            "no workload of the sweep",
        ),
        ("{of: latency, by: weights, weights: {digits_mlp: 1}}", "weights.small_cnn: is missing"),
        (
            "{of: latency, by: weights, weights: {digits_mlp: -1, small_cnn: 1}}",
            "weights.digits_mlp",
        ),
        (
            "{of: latency, by: weights, weights: {digits_mlp: .nan, small_cnn: 1}}",
            "weights.digits_mlp",
        ),
        ("{of: latency, by: weights, weights: {digits_mlp: 0, small_cnn: 0}}", "all 0"),
        ("{of: top1, by: sum}", "needs values"),
        ("[latency]", "objective"),
    ],
)
def test_wrong_joint_objectives_are_refused_at_check(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(SWEEP + f"objective: {line}\n")
    with pytest.raises(InputError) as error:
        load_sweep(path)
    text = "\n".join(str(problem) for problem in error.value.problems)
    assert said in text and f"{path}:7" in text
