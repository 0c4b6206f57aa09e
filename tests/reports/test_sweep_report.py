"""accelsim report of a real store: pages, points, formats, wrong inputs, plots of other packages."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from accelsim.cli.main import main
from accelsim.errors import InputError
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.library import chosen, library
from accelsim.reports.sweeps.named import named
from accelsim.reports.sweeps.page import failures
from accelsim.reports.sweeps.stored import read_store
from accelsim.reports.sweeps.table import Table, table_of
from accelsim.reports.sweeps.write import draw_all, formats_named
from accelsim.store.folder import context
from accelsim.store.view import index
from accelsim.sweeps.rerun import rerun_of
from tests.reports import synthetic

SWEEP = """name: little
question: Is PCM better than INT8 on a tiny network?
bases:
  int8: {chip: int8_edge}
  pcm: {chip: pcm_8level, set: {units.tiles.count: 3}}
workloads: [digits_mlp]
vary:
  - {key: units.array.rows, values: [16, 32], tie: [units.array.columns], bases: [int8]}
  - {key: units.tiles.adc.bits, values: [4, 6], bases: [pcm]}
  - {key: units.tiles.rows, values: [64, 128, 256], bases: [pcm]}
measures: [latency, energy, area, writing]
objectives: [energy, latency]
constraints: ["area <= 40 mm2", fits]
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["accelsim", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("little")
    (folder / "little.yaml").write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys,
            "argv",
            [
                "accelsim",
                "sweep",
                str(folder / "little.yaml"),
                "--store",
                str(folder / "store"),
                "--executor",
                "serial",
            ],
        )
        main()
    return folder / "store"


def test_columns_are_the_records(store: Path) -> None:
    table, known = read_store(store)
    records = list(index(store).records())
    other = table_of(records, {name: base.analog for name, base in known.bases.items()})
    assert len(table) == len(records) == 8 and (table.analog == other.analog).all()
    for row in range(len(table)):
        assert table.point(row) == other.point(row) == records[row].point
    for name, column in other.measures.items():
        np.testing.assert_array_equal(table.measures[name], column)
    for name, column in other.parts.items():
        np.testing.assert_array_equal(table.parts[name], column)
    assert (table.ok == other.ok).all() and (table.fits == other.fits).all()
    assert known.question == "Is PCM better than INT8 on a tiny network?"
    assert known.objectives == ("energy_chip_joules", "latency_seconds")


def test_designs_run_again_are_the_points(store: Path) -> None:
    table, known = read_store(store)
    rerun, reason = rerun_of(store, context(store))
    assert rerun is not None and reason == ""
    view = View(table, known, rerun)
    for one in named(view):
        result = view.run(one.row)
        assert result.cycles == view.designs.measures["cycles"][one.row]
        assert result.energy.total == view.designs.measures["energy_chip_joules"][one.row]


def test_page_says_all(store: Path, tmp_path: Path, run: Run) -> None:
    status, said, _ = run("report", store, "--out", tmp_path / "page")
    assert status == 0 and said.endswith("page/report.html\n")
    page = (tmp_path / "page" / "report.html").read_text()
    for text in (
        "Is PCM better than INT8",
        "little.yaml --store AGAIN",
        "mapping.crossbars",
        "area &lt;= 40 mm2",
        "no energy for the clock tree",
        "horowitz_45nm",
        "does not fit",
        "Pareto front",
    ):
        assert text in page, text
    assert not re.search(r'(src|href)="(?!data:)', page) and "nan" not in re.findall(
        r">(\w+)<", page
    )
    made = {path.name for path in (tmp_path / "page").iterdir()}
    for name in (
        "pareto",
        "crossover",
        "energy",
        "sensitivity",
        "heatmap",
        "parallel",
        "roofline",
        "utilisation",
        "timeline",
    ):
        assert {f"{name}.png", f"{name}_points.csv"} <= made
    assert "table_points.csv" in made and "accuracy.png" not in made
    assert "no point has values over age" in page
    with (tmp_path / "page" / "energy_points.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            parts = sum(
                float(row[name])
                for name in row
                if name.endswith(": J") and name not in ("sum: J", "measured: J", "95 %: J")
            )
            assert parts == pytest.approx(float(row["sum: J"]))
            assert parts == pytest.approx(float(row["measured: J"]), rel=1e-9)


def test_formats_and_single_plots(store: Path, tmp_path: Path, run: Run) -> None:
    status, _, _ = run(
        "report",
        store,
        "--out",
        tmp_path / "page",
        "--plot",
        "pareto",
        "--plot",
        "heatmap:tiles.rows,adc.bits,latency",
        "--plot",
        "pareto:area,energy",
        "--format",
        "pdf,svg",
    )
    assert status == 0
    made = {path.name for path in (tmp_path / "page").iterdir()}
    stems = ("pareto", "heatmap", "pareto_2")
    assert made == {"created.txt"} | {
        f"{s}{end}" for s in stems for end in (".pdf", ".svg", "_points.csv")
    }
    assert (tmp_path / "page" / "pareto.pdf").read_bytes().startswith(b"%PDF")


def test_same_bytes_again(store: Path, tmp_path: Path, run: Run) -> None:
    for name in ("one", "two"):
        run(
            "report",
            store,
            "--out",
            tmp_path / name,
            "--plot",
            "pareto",
            "--format",
            "html,png,pdf,svg",
        )
    for path in (tmp_path / "one").iterdir():
        if path.name != "created.txt":
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_failures_are_grouped(store: Path) -> None:
    table, known = read_store(store)
    found = failures(View(table, known))
    assert found and found[0][0] == "mapping.crossbars" and not found[0][1]
    assert (
        sum(count for _, _, count, _ in found) == int((~table.ok).sum())
        and "crossbar" in found[0][3]
    )


WRONG = [
    (["STORE", "--plot", "paretto"], "no plot 'paretto'", "choose from table, pareto, crossover"),
    (["STORE", "--plot", "energy:x"], "takes nothing after its name", "write --plot energy"),
    (["STORE", "--plot", "pareto:energy,beauty"], "has a measure 'beauty'", "area_square_metres"),
    (["STORE", "--plot", "heatmap:colour"], "no key 'colour' varies", "units.tiles.adc.bits"),
    (["STORE", "--format", "jpg"], "no format 'jpg'", "html,png,pdf,svg"),
    (["STORE", "--format", ","], "no format", "html,png,pdf,svg"),
    (["STORE", "STORE"], "a STORE stands alone", "report each on its own"),
    (["STORE", "--trace"], "--trace is of a RUN", "report each on its own"),
    (["nothing", "--plot", "pareto"], "chooses pictures of a STORE", "leave it out"),
    (["nothing", "--out", "OUT"], "has no result.json", "accelsim run --out"),
    (["BROKEN", "--out", "OUT"], "is not what was written", "--fresh to begin anew"),
    (["OTHER", "--out", "OUT"], "version 99", "another --store"),
    (["STORE", "--out", "FULL"], "is not empty", "--force"),
]


@pytest.mark.parametrize(("words", "wrong", "fix"), WRONG, ids=[" ".join(w) for w, _, _ in WRONG])
def test_wrong_inputs(
    store: Path,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    wrong: str,
    fix: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, change in (("BROKEN", {"bases": 3}), ("OTHER", {"format": 99})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "context.json").write_text(json.dumps({**context(store), **change}))
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / "mine.txt").write_text("kept")
    link = tmp_path / "STORE"
    link.symlink_to(store)
    before = sorted(tmp_path.rglob("*"))
    status, said, err = run("report", *words)
    assert status == 2 and said == "" and wrong in err and fix in err and "Traceback" not in err
    assert len(err.strip().splitlines()) == 1 and sorted(tmp_path.rglob("*")) == before


def test_no_folder_or_no_out(run: Run) -> None:
    assert run("report")[0] == 2 and run("report", "somewhere")[0] == 2


def test_plots_are_listed(run: Run) -> None:
    status, said, _ = run("report", "--plot", "list")
    assert status == 0 and all(name in said for name in library().plots)


def test_empty_store_says_so(store: Path, tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    shutil.copy(store / "context.json", folder)
    status, _, err = run("report", folder, "--out", tmp_path / "page")
    assert status == 0 and err.count("the store holds no point") == len(library().plots)
    assert "the store holds no point" in (tmp_path / "page" / "report.html").read_text()


def test_changed_sweeps_are_not_run_again(store: Path, tmp_path: Path) -> None:
    """A chip that changed, a sweep that is gone, another model: points are drawn, nothing is run."""
    folder = tmp_path / "copy"
    shutil.copytree(store, folder)
    asked = context(folder)
    asked["bases"][0]["digest"] = "other"
    assert rerun_of(folder, asked) == (None, "int8 changed since the sweep")
    none, reason = rerun_of(folder, {**context(folder), "model": "0.0.1+x"})
    assert none is None and "0.0.1+x" in reason
    (folder / "sweep.yaml").write_text("name: [")
    none, reason = rerun_of(folder, context(folder))
    assert (
        none is None and reason.startswith("the sweep cannot be read again") and "\n" not in reason
    )
    table, known = read_store(folder)
    with pytest.raises(NotDrawn, match="is gone"):
        library().plots["timeline"].draw(View(table, known, None, "it is gone"))


# -- plots of other packages ---------------------------------------------------------------------


class Mine(Plot):
    name, title, question = "mine", "Mine", "What is mine?"

    def draw(self, view: View, options: object = ()) -> Drawn:
        rows = [[n] for n in range(len(view.designs))]
        return Drawn(None, ["design"], rows, "All of it.", table=(["n"], [["1"]]))


class Raises(Mine):
    name = "raises"

    def draw(self, view: View, options: object = ()) -> Drawn:
        raise ZeroDivisionError("made to fail")


class Taken(Mine):
    name = "pareto"


class Nameless(Mine):
    question = ""


def offered(*names: str) -> list[EntryPoint]:
    return [
        EntryPoint(name, f"tests.reports.test_sweep_report:{name}", "accelsim.plots")
        for name in names
    ]


def test_plots_of_packages_are_found_and_wrong_ones_said(tmp_path: Path) -> None:
    known = library(offered("Mine", "Raises", "Taken", "Nameless", "Absent", "Path"))
    assert {"mine", "raises", "pareto"} <= set(known.plots) and "mine" not in known.own
    assert set(known.broken) == {"Taken", "Nameless", "Absent", "Path"}
    assert "is taken" in known.broken["Taken"] and "cannot be loaded" in known.broken["Absent"]
    assert "no accelsim.reports.sweeps.Plot" in known.broken["Path"]
    wanted = chosen(("mine", "raises", "table"), known)
    done = draw_all(synthetic.view(), wanted, tmp_path, ("png",), known.own)
    assert [one.drawn is not None for one in done] == [True, False, True]
    assert done[1].reason == "failed: ZeroDivisionError: made to fail"
    with pytest.raises(InputError, match="cannot be loaded"):
        chosen(("Absent",), known)


def test_a_bug_of_ours_is_no_reason(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        draw_all(synthetic.view(), [(Raises(), ())], tmp_path, ("png",), ("raises",))


def test_formats_by_name() -> None:
    assert formats_named(" png, html ,png") == ("png", "html")


# -- many points ---------------------------------------------------------------------------------


@pytest.fixture
def million() -> Iterator[Table]:
    rng = np.random.default_rng(0)
    small = table_of(synthetic.records(), synthetic.ANALOG)
    rows = rng.integers(0, len(small), 1_000_000)
    rows = rows[small.ok[rows]]
    noise = {name: np.exp(0.3 * rng.standard_normal(len(rows))) for name in small.measures}
    yield Table(
        small.base.take(rows),
        small.work.take(rows),
        small.analog[rows],
        {key: column.take(rows) for key, column in small.sets.items()},
        small.search.take(rows),
        np.zeros(len(rows), np.int64),
        small.ok[rows],
        small.fits[rows],
        {name: column[rows] * noise[name] for name, column in small.measures.items()},
        {name: column[rows] for name, column in small.parts.items()},
        table_of([], {}).aged,
        small.failure.take(rows),
        small.message.take(rows),
        small.repeats[rows],
    )


@pytest.mark.full
def test_a_front_of_a_million_points(million: Table, tmp_path: Path) -> None:
    import time

    view = View(million, synthetic.context())
    begin = time.process_time()
    (done,) = draw_all(view, [(library().plots["pareto"], ())], tmp_path)
    assert time.process_time() - begin < 10  # 5 s on a quiet core; twice that for shared ones
    assert done.drawn is not None and "one is drawn a grid cell" in done.text
    standing = [row[-2] for row in done.drawn.rows]
    assert 1 <= standing.count("front") < 200 and len(standing) < 60_000
