"""explain, diff, report and saved runs: parts that add up, on every shipped chip and workload."""

from __future__ import annotations

import csv
import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from accelsim import api, shipped
from accelsim.cli.main import cli
from accelsim.errors import ConservationError, InputError
from accelsim.program.opcodes import Why
from accelsim.program.table import Program
from accelsim.reports.page import write_report
from accelsim.reports.perfetto import trace_json
from accelsim.reports.timeline import moments, picture
from accelsim.results import files
from accelsim.results.breakdown import CAUSES, joule_shares, time_shares
from accelsim.results.difference import (
    cycle_terms,
    exact_joules,
    first_difference,
    joule_terms,
    moved_constants,
)
from accelsim.results.load import load_run
from accelsim.results.result import Result
from accelsim.results.rounding import percentages
from accelsim.results.summary import summarise

CHIPS = shipped.names("chip")
WORKLOADS = ("digits_cnn", "digits_mlp", "small_cnn", "small_gemm")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of three runs."""
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for name, chip, overrides in (
        ("a", "int8_edge", []),
        ("b", "int4_edge", []),
        ("slow", "int8_edge", ["memories.dram.bandwidth=4 GB/s"]),
    ):
        result = api.run(api.load_chip(chip, overrides), api.load_workload("digits_cnn", 8))
        files.save(result, folder / name)
        made[name] = folder / name
    return made


LARGE = ("alexnet", "resnet18", "resnet50", "speech_dnn")


def enough(chip: str, workload: str = "") -> list[str]:
    """Crossbars for a workload, and where each has its part of the buffers those of so many."""
    count = 3000 if workload in LARGE else 24
    buffers = ["memories.outputs.size=9 MiB"] if chip == "hermes_like" and count > 64 else []
    sets = [f"units.tiles.count={count}", *buffers]
    return sets if chip.startswith(("pcm_", "hermes_")) else []


#: thousands of crossbars make long tables, as do rows of matrix products on elements of row stationary: large
#: networks on them run in the long tests
PAIRS = [
    pytest.param(chip, work, marks=pytest.mark.full)
    if (enough(chip) or chip == "eyeriss_like") and work in LARGE
    else (chip, work)
    for work in WORKLOADS + LARGE
    for chip in CHIPS
]


@pytest.mark.parametrize(("chip", "workload"), PAIRS)
def test_every_cycle_and_joule_is_explained(chip: str, workload: str) -> None:
    result = api.run(api.load_chip(chip, enough(chip, workload)), api.load_workload(workload))
    shares = time_shares(result.program, result.timeline)
    for row, unit in zip(result.program.units, result.units, strict=True):
        mine = [share for share in shares if share.unit == row.name]
        assert sum(share.ticks for share in mine) == result.timeline.makespan
        sums = {cause: sum(s.ticks for s in mine if s.cause == cause) for cause in CAUSES}
        assert sums["busy"] + sums["drain"] == unit.busy
        assert {c: sums[c] for c in unit.stalled} == unit.stalled
        assert sums["idle"] == unit.idle
        assert sum(percentages([float(x) for x in sums.values()])) == pytest.approx(100, abs=1e-9)
    joules = joule_shares(result)
    assert sum(s.joules for s in joules) == pytest.approx(result.joules, rel=1e-12, abs=0.0)
    assert sum(percentages([s.joules for s in joules])) == pytest.approx(100, abs=1e-9)
    assert all(s.formula for s in joules)
    whole = sum(
        s.joules for i in range(-1, len(result.workload.operators)) for s in joule_shares(result, i)
    )
    assert whole == pytest.approx(result.joules, rel=1e-12, abs=0.0)


def test_a_tick_without_an_owner_is_a_bug() -> None:
    result = api.run(api.load_chip("int8_edge"), api.load_workload("small_gemm"))
    result.timeline.makespan += 1
    shares = time_shares(result.program, result.timeline)  # one more idle tick is still explained
    assert sum(s.ticks for s in shares if s.unit == "array") == result.timeline.makespan
    result.timeline.why[:] = int(Why.UNIT)
    with pytest.raises(ConservationError, match="no cause"):
        time_shares(result.program, result.timeline)


def test_percentages_add_up() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        values = rng.exponential(1.0, int(rng.integers(1, 40))).tolist()
        parts = percentages(values)
        assert round(sum(parts), 6) == 100.0
        total = sum(values)
        assert all(abs(p - 100 * v / total) < 0.1001 for p, v in zip(parts, values, strict=True))
    assert percentages([0.0, 0.0]) == [0.0, 0.0]


def run_cli(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_explain_prints_sums_bounds_sources_and_advice(saved: dict[str, Path]) -> None:
    text = run_cli("explain", str(saved["slow"]))
    lines = text.splitlines()
    units = [
        line.split()
        for line in lines[lines.index("where the cycles went, in % of the makespan") + 2 :]
    ]
    rows = [cells for cells in units if len(cells) == len(CAUSES) + 2][:6]
    assert len(rows) >= 5
    for cells in rows:
        assert cells[-1] == "100.0"
        assert sum(float(x) for x in cells[1:-1]) == pytest.approx(100.0, abs=1e-9)
    assert re.search(r"total +[\d,]+ +[\d,]+ +[\d,]+ +100\.0", text)
    assert "horowitz_45nm/int8/multiply" in text and "dram/lpddr4/bit" in text
    assert "no schedule of this plan is faster than" in text
    assert re.search(r"1\. dram bandwidth 4 -> 8 GB/s: time -\d", text)
    only = run_cli("explain", str(saved["a"]), "--why", "joules")
    assert "cycles went" not in only and "joules went" in only
    layer = run_cli("explain", str(saved["a"]), "--layer", "conv2")
    assert "loop nest of conv2" in layer and "for m in" in layer and "resident:" in layer
    with pytest.raises(InputError, match="no operator 'conv9'"):
        run_cli("explain", str(saved["a"]), "--layer", "conv9")


@pytest.mark.parametrize("pair", [("a", "b"), ("a", "slow"), ("b", "slow"), ("a", "a")])
def test_a_difference_adds_up_exactly(saved: dict[str, Path], pair: tuple[str, str]) -> None:
    a, b = (load_run(saved[name]) for name in pair)
    cycles, joules = cycle_terms(a, b), joule_terms(a, b)
    assert sum(t.change for t in cycles) == b.cycles - a.cycles
    for name, added in (
        (op.name, (x.cycles, y.cycles))
        for op, x, y in zip(a.workload.operators, a.operators, b.operators, strict=True)
    ):
        assert sum(t.change for t in cycles if t.operator == name) == added[1] - added[0]
    assert sum((t.change for t in joules), Fraction(0)) == exact_joules(b) - exact_joules(a)
    assert float(exact_joules(a)) == pytest.approx(a.joules, rel=1e-12, abs=0.0)
    if pair == ("a", "a"):
        assert not cycles and not joules and first_difference(a.program, b.program) is None
    if pair == ("a", "slow"):  # only static energy lasts longer; constants stay
        assert not moved_constants(a, b)
        assert {t.action for t in joules} >= {"leakage_second"}
        assert all(abs(t.by_constant) <= abs(t.change) * Fraction(1, 10**9) for t in joules)
    if pair == ("a", "b"):
        assert "mac_int8_int8" in {t.action for t in joules}
        assert first_difference(a.program, b.program) == 0
    text = run_cli("diff", str(saved[pair[0]]), str(saved[pair[1]]), "--terms", "3")
    assert "sum" in text


def test_the_first_command_that_differs_is_found(saved: dict[str, Path]) -> None:
    for row, column in ((40, "flags"), (3, "opcode"), (55, "shape")):
        a, b = load_run(saved["a"]), load_run(saved["a"])
        values = getattr(b.program.commands, column)
        extents = b.program.shapes.extents
        others = np.flatnonzero((extents != extents[b.program.commands.shape[row]]).any(axis=1))
        values[row] = values[row] + 1 if column != "shape" else others[0]
        assert first_difference(a.program, b.program) == row
    for table, column in (
        ("operands", "bytes"),
        ("operands", "offset"),
        ("demands", "bytes"),
        ("dependencies", "predecessor"),
    ):
        a, b = load_run(saved["a"]), load_run(saved["a"])
        part = getattr(b.program, table)
        entry = len(getattr(part, column)) // 2
        row = int(np.searchsorted(part.start, entry, side="right")) - 1
        getattr(part, column)[entry] += 1
        assert first_difference(a.program, b.program) == row


def test_a_moved_constant_is_named_with_its_source(tmp_path: Path) -> None:
    work = api.load_workload("small_gemm")
    for name, overrides in (("a", []), ("b", ["technology.family=jouppi_7nm"])):
        files.save(api.run(api.load_chip("int8_edge", overrides), work), tmp_path / name)
    a, b = load_run(tmp_path / "a"), load_run(tmp_path / "b")
    found = {item.action: item for item in moved_constants(a, b)}
    assert "horowitz_45nm" in found["mac_int8_int8"].source_before
    assert "jouppi_7nm" in found["mac_int8_int8"].source_after
    mac = next(t for t in joule_terms(a, b) if t.action == "mac_int8_int8")
    assert mac.by_count == 0 and mac.by_constant > 0


def same(a: Result, b: Result) -> None:
    assert (a.chip, a.workload) == (b.chip, b.workload)
    assert a.cycles == b.cycles and a.program_digest == b.program_digest
    assert sorted(map(repr, a.energy.rows)) == sorted(map(repr, b.energy.rows))
    assert [row.joules for row in a.operators] == pytest.approx(
        [row.joules for row in b.operators], rel=1e-9, abs=0.0
    )


@pytest.mark.parametrize("chip", CHIPS)
def test_a_saved_run_loads_as_it_was(tmp_path: Path, chip: str) -> None:
    work = api.load_workload("digits_cnn", 4)
    result = api.run(api.load_chip(chip, enough(chip)), work, search="edp", budget=1)
    files.save(result, tmp_path / "run")
    again = load_run(tmp_path / "run")
    same(result, again)
    assert [vars_of(x) for x in again.operators] == [
        vars_of(x)
        for x in summarise(result.planned, result.chip, work, result.energy, result.plan.mappings)
    ]


def vars_of(row: object) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in ("name", "cycles", "busy_cycles", "mapping"))


DAMAGE = [
    ("result.json", None, "has no result.json"),
    ("inputs.json", None, "has no inputs.json"),
    ("energy.csv", None, "has no energy.csv"),
    ("result.json", "{", "result.json:1:2: is not a JSON file"),
    ("result.json", "[]", "holds no keys"),
    ("result.json", "{}", "is damaged"),
    ("inputs.json", '{"version": 99}', "version 99"),
    ("inputs.json", '{"version": 2}', "inputs.json: chip: is missing"),
    ("energy.csv", "operator,unit\nnobody,x\n", "is damaged"),
    (
        "energy.csv",
        "operator,unit,action,count,joules,boundary,band,source\nfc,a,b,c,d,e,f,g\n",
        "is damaged (line 2",
    ),
]


def copied(saved: Path, folder: Path) -> None:
    """A run's files in another folder."""
    for path in saved.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())


def sealed(folder: Path) -> None:
    """Checksums of the files as they are now: what is changed goes through to the readers."""
    names = [name for name in files.NEEDED if (folder / name).exists()]
    data = {name: (folder / name).read_bytes() for name in names}
    (folder / files.CHECKSUMS).write_bytes(files.checksums(data))


@pytest.mark.parametrize(("name", "text", "said"), DAMAGE)
def test_a_damaged_run_is_refused(
    tmp_path: Path, saved: dict[str, Path], name: str, text: str | None, said: str
) -> None:
    copied(saved["a"], tmp_path)
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
        with pytest.raises(
            InputError, match=rf"{name}: is not what was written: its checksum is another; "
        ):
            load_run(tmp_path)
        sealed(tmp_path)
    with pytest.raises(InputError) as caught:
        load_run(tmp_path)
    assert said in str(caught.value)


def test_a_figure_changed_by_hand_is_refused_with_the_command_that_makes_it_anew(
    tmp_path: Path, saved: dict[str, Path]
) -> None:
    """One joules set to -1 used to be printed as -1e+06 uJ."""
    copied(saved["a"], tmp_path)
    path = tmp_path / "energy.csv"
    head, first, *rest = path.read_text().splitlines()
    cells = first.split(",")
    cells[4] = "-1"
    path.write_text("\n".join([head, ",".join(cells), *rest]) + "\n")
    sums = tmp_path / files.CHECKSUMS
    made = sums.read_text().splitlines()
    sums.write_text(
        "\n".join(["# made by: accelsim run int8_edge digits_cnn --out here --force", *made[1:]])
    )
    with pytest.raises(InputError) as caught:
        load_run(tmp_path)
    assert str(caught.value) == (
        f"{path}: is not what was written: its checksum is another; make it anew: "
        "accelsim run int8_edge digits_cnn --out here --force"
    )
    sealed(tmp_path)
    with pytest.raises(
        InputError, match=r"energy\.csv: is damaged \(line 2: ValueError: -1\.0 is no figure"
    ):
        load_run(tmp_path)
    sums.unlink()
    with pytest.raises(InputError, match=r"has no checksums\.sha256.*or run it again"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (
            ("chip", "file", "units", "array", "rows"),
            -1,
            "chip.file.units.array.rows: -1 is outside",
        ),
        (("chip", "file", "clocks"), {}, "chip.file.clocks: names no clock"),
        (
            ("workload", "operators", 0, "filters"),
            "x",
            "operators[0].filters: must be a whole number",
        ),
        (
            ("workload", "operators", 0, "input"),
            "nothing",
            "operators[0].input: 'nothing' is no tensor",
        ),
        (("workload", "operators", 0, "kernel"), [3], "operators[0].kernel: is [3]"),
        (
            ("workload", "operators", 1, "type"),
            [],
            "operators[1].type: an empty list is not a choice",
        ),
        (
            ("workload", "tensors", "x", "shape"),
            [1, 1, 8, 0],
            "tensors.x.shape: [1, 1, 8, 0] is no shape",
        ),
        (("mappings", "fc"), None, "mappings.fc"),
        (("mappings", "fc", "order"), "kkk", "mappings.fc.order: 'kkk' is not a choice"),
        (
            ("mappings", "fc", "n"),
            1 << 40,
            "inputs.json: mappings.fc.n: a tile of 1099511627776 is outside 1..",
        ),
    ],
)
def test_inputs_of_a_run_go_through_the_rules_of_files(
    tmp_path: Path, saved: dict[str, Path], keys: tuple[str | int, ...], value: object, said: str
) -> None:
    copied(saved["a"], tmp_path)
    path = tmp_path / "inputs.json"
    whole = json.loads(path.read_text())
    node = whole
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    path.write_text(json.dumps(whole))
    sealed(tmp_path)
    with pytest.raises(InputError) as caught:
        load_run(tmp_path)
    assert said in str(caught.value)


def test_a_run_of_another_plan_is_refused(tmp_path: Path, saved: dict[str, Path]) -> None:
    for path in saved["a"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = json.loads((tmp_path / "result.json").read_text())
    whole["program"]["digest"] = "0" * 64
    (tmp_path / "result.json").write_text(json.dumps(whole))
    sealed(tmp_path)
    with pytest.raises(InputError, match=r"was made by version .* run it again"):
        load_run(tmp_path)


def test_a_digest_of_nothing_known_is_refused(tmp_path: Path, saved: dict[str, Path]) -> None:
    copied(saved["a"], tmp_path)
    whole = json.loads((tmp_path / "result.json").read_text())
    whole["program"]["digest_of"] = "the wind"
    (tmp_path / "result.json").write_text(json.dumps(whole))
    sealed(tmp_path)
    with pytest.raises(InputError, match=r"is damaged .*digest_of is 'the wind'"):
        load_run(tmp_path)


def test_the_report_holds_everything_itself(tmp_path: Path, saved: dict[str, Path]) -> None:
    results = [load_run(saved["a"]), load_run(saved["b"])]
    write_report(results, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', page) and "<script" not in page
    assert page.count("<img") == 9 and page.count("data:image/png;base64,") == 9
    for word in ("digits_cnn on int8_edge", "digits_cnn on int4_edge", "cacti_sram", "Assumptions"):
        assert word in page
    for run in ("run1", "run2"):
        for stem in ("energy", "utilisation", "timeline", "roofline"):
            for suffix in (".png", ".svg", "_points.csv"):
                assert (tmp_path / run / f"{stem}{suffix}").stat().st_size > 100
    with (tmp_path / "run1" / "roofline_points.csv").open(newline="") as file:
        points = list(csv.DictReader(file))
    assert [p["operator"] for p in points] == ["conv1", "conv2", "fc"]
    peak = 32 * 32 * 0.8
    for point in points:
        assert float(point["peak_gmacs_per_second"]) == pytest.approx(peak, rel=1e-9, abs=0.0)
        assert 0 < float(point["gmacs_per_second"]) <= peak


def overlaps(program: Program, found: list[dict[str, float]]) -> int:
    count = 0
    for tid in range(len(program.units)):
        mine = sorted((e["ts"], e["ts"] + e["dur"]) for e in found if e.get("tid") == tid)
        count += sum(start < end - 1e-6 for (_, end), (start, _) in pairwise(mine))
    return count


def test_the_trace_has_every_command_once_and_none_overlap(saved: dict[str, Path]) -> None:
    result = load_run(saved["a"])
    whole = json.loads(trace_json(result))
    events = [e for e in whole["traceEvents"] if e["ph"] == "X"]
    assert [e["args"]["command"] for e in events] == list(range(len(result.program)))
    assert overlaps(result.program, events) == 0
    last = max(e["args"]["last_result_us"] for e in events)
    assert last == pytest.approx(result.seconds * 1e6, rel=1e-9, abs=0.0)
    names = {e["args"]["name"] for e in whole["traceEvents"] if e["name"] == "thread_name"}
    assert names == {row.name for row in result.program.units}


@pytest.mark.parametrize("run", ["a", "slow"])
def test_a_timeline_is_filled_where_a_unit_works(saved: dict[str, Path], run: str) -> None:
    """Ticks of the bins against those of the units, and pixels of the picture against them."""
    result = load_run(saved[run])
    found = moments(result)
    times = {unit.name: unit for unit in result.units}
    assert [row.name for row in found.rows] == [
        u.name for u in result.units if u.idle < result.makespan
    ]
    for row in found.rows:
        unit = times[row.name]
        assert sum(int(column.sum()) for column in row.busy.values()) == unit.busy - unit.drain
        assert int(row.waiting.sum()) == unit.drain + sum(unit.stalled.values())
        assert int(row.narrow.sum()) == unit.stalled["port"] and (row.waiting >= row.narrow).all()
    lines = found.lines(1.0)
    assert (
        sum(line[4] for line in lines if line[0] == "array")
        == times["array"].busy - times["array"].drain
    )
    made, axes = picture(result, found)
    made.canvas.draw()
    pixels = np.asarray(made.canvas.buffer_rgba())[:, :, :3].astype(int)
    for place, row in enumerate(reversed(found.rows)):
        (left, low), (right, high) = (
            axes.transData.transform((x, place + y))
            for x, y in ((0, -0.4), (result.seconds * 1e3, 0.4))
        )
        box = pixels[
            pixels.shape[0] - round(high) : pixels.shape[0] - round(low), round(left) : round(right)
        ]
        coloured = (box.max(axis=2) - box.min(axis=2) > 60) | (
            box.max(axis=2) < 150
        )  # hatches are dark
        unit = times[row.name]
        assert coloured.mean() == pytest.approx(
            (unit.busy - unit.drain) / result.makespan, abs=0.03
        )


def test_report_and_diff_write_all_or_nothing(tmp_path: Path, saved: dict[str, Path]) -> None:
    text = run_cli("report", str(saved["a"]), "--out", str(tmp_path / "page"), "--trace")
    assert "report.html" in text and (tmp_path / "page" / "trace.json").exists()
    run_cli("diff", str(saved["a"]), str(saved["b"]), "--out", str(tmp_path / "diff"))
    names = {path.name for path in (tmp_path / "diff").iterdir()}
    assert {"cycles_terms.csv", "joules_terms.csv", "waterfall.png", "waterfall.svg"} <= names
    for command in (["report", str(saved["a"])], ["diff", str(saved["a"]), str(saved["b"])]):
        with pytest.raises(InputError, match="is not empty"):
            run_cli(*command, "--out", str(tmp_path / "page"))
