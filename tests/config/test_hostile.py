"""What a newcomer does wrong: names too long, a full output, the wrong kind of file, --force on a folder that
holds more than results."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.config.test_bad_inputs import ROOT, call

LONG = "x" * 5000


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", LONG, "small_gemm"),
        ("run", "int8_edge", LONG),
        ("check", LONG),
        ("report", LONG, "--out", "page"),
        ("run", "int8_edge", "small_gemm", "--out", "y" * 300),
        ("sweep", LONG),
        ("explain", LONG),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments.index(max(arguments, key=len))}",
)
def test_a_name_too_long_is_one_line(
    arguments: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = call(capsys, monkeypatch, *arguments)
    assert status == 2
    known = "File name too long|is neither a file nor a shipped|has no result.json"
    assert len(said.splitlines()) == 1 and re.search(known, said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [("list", "chips"), ("run", "int8_edge", "small_gemm", "--json")]
)
def test_a_full_output_is_one_line(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "accelsim.cli.main", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "output: cannot be used: No space left on device; make room or give another place"
    ]


@pytest.mark.parametrize(
    ("command", "said_of"),
    [
        (("run", "small_gemm", "int8_edge"), "small_gemm: is a workload; a chip stands here; "),
        (("run", "int8_edge", "pcm_8level"), "pcm_8level: is a chip; a workload stands here; "),
        (("sweep", "int8_edge"), "int8_edge: is a chip; a sweep stands here; "),
        (
            ("run", "int8_egde", "small_gemm"),
            "int8_egde: is neither a file nor a shipped chip; did you mean int8_edge?",
        ),
    ],
)
def test_a_name_of_another_kind_or_with_a_typo(
    command: tuple[str, ...],
    said_of: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = call(capsys, monkeypatch, *command)
    assert status == 2 and said.startswith(said_of) and len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_check_takes_shipped_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    chip, work = output_of(capsys, monkeypatch, "check", "int8_edge", "small_gemm").splitlines()
    assert chip.startswith("int8_edge: chip int8_edge: ")
    assert work.startswith("small_gemm: workload small_gemm: ")


@pytest.mark.parametrize(
    ("change", "whole"),
    [
        (
            "clocks.core=0 Hz",
            "--set clocks.core: 0 Hz is outside 1 Hz..100 GHz; write a value like 1 GHz",
        ),
        ("clocks.core=1 ghz", "--set clocks.core: 'ghz' is not a unit of Hz; write it like 1 GHz"),
        (
            "units.vector.lanes=0",
            "--set units.vector.lanes: 0 is outside 1..1048576; write a value in 1..1048576",
        ),
        (
            "memories.input_buffer.size=1048576 GiB",
            "--set memories.input_buffer.size: a bank of 2.81475e+14 bytes is outside the SRAM table; "
            "choose size and banks so that one has 2048..8388608 bytes",
        ),
    ],
)
def test_one_cause_is_one_line_at_its_key(
    change: str, whole: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said = call(capsys, monkeypatch, "run", "int8_edge", "small_gemm", "--set", change)
    assert status == 2 and said.splitlines() == [whole]


def run_into(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *more: str
) -> tuple[int, str]:
    return call(capsys, monkeypatch, "run", "int8_edge", "small_gemm", "--out", str(folder), *more)


def test_force_replaces_results_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--force took a home folder away: whatever stood in the folder was deleted."""
    mine = tmp_path / "thesis"
    (mine / "chapters").mkdir(parents=True)
    (mine / "chapters" / "one.tex").write_text("years of work")
    status, said = run_into(mine, capsys, monkeypatch, "--force")
    assert status == 2 and "chapters/one.tex" in said and len(said.splitlines()) == 1
    assert (mine / "chapters" / "one.tex").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]

    runs = tmp_path / "run"
    assert run_into(runs, capsys, monkeypatch)[0] == 0
    _, *listed = (runs / "created.txt").read_text().splitlines()
    assert {*listed, "created.txt"} == {path.name for path in runs.iterdir()}
    assert run_into(runs, capsys, monkeypatch, "--force")[0] == 0

    for note in (runs / "notes é\n.txt", runs / "more" / "result.json"):
        note.parent.mkdir(exist_ok=True)
        note.write_text("mine")
        status, said = run_into(runs, capsys, monkeypatch, "--force")
        assert status == 2 and len(said.splitlines()) == 1
        assert note.read_text() == "mine" and (runs / "result.json").exists()
        note.unlink()
    assert run_into(runs, capsys, monkeypatch, "--force")[0] == 0

    (runs / "created.txt").write_text("a diary\nresult.json\n")  # somebody's own file of that name
    assert run_into(runs, capsys, monkeypatch, "--force")[0] == 2


def test_results_do_not_take_the_place_of_their_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert run_into(run, capsys, monkeypatch)[0] == 0
    for command in (("report", str(run)), ("diff", str(run), str(run))):
        status, said = call(capsys, monkeypatch, *command, "--out", str(run), "--force")
        assert (
            status == 2 and said.strip() == f"{run}: is a run that is read here; give another --out"
        )
        assert (run / "result.json").exists()


def output_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> str:
    """Standard output of a command that ends well."""
    from accelsim.cli.main import main

    monkeypatch.setattr(sys, "argv", ["accelsim", *arguments])
    main()
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["1e3", "null", "true", "0x10", "1.5", "plain-name.v2", "-dash"])
def test_init_writes_a_name_that_is_read_back(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output_of(capsys, monkeypatch, "init", "--template", "workload-gemm", "--", name)
    assert f": workload {name}: " in output_of(capsys, monkeypatch, "check", "--", f"{name}.yaml")


@pytest.mark.parametrize("name", ["", ".yaml", "folder/", "a\nb"])
def test_init_refuses_no_name(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = call(capsys, monkeypatch, "init", name, "--template", "chip")
    assert status == 2 and len(said.splitlines()) == 1 and "is not a plain name" in said
    assert not list(tmp_path.iterdir())


def test_convert_keeps_the_file_that_it_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "products.mnk"
    table.write_text("64 96 48\n")
    (tmp_path / "link.mnk").symlink_to(table)
    for out in (table, tmp_path / "link.mnk", tmp_path / "." / "products.mnk"):
        status, said = call(capsys, monkeypatch, "convert", str(table), str(out), "--force")
        assert (
            status == 2
            and said.strip() == f"{out}: is the file that is read here; give another name"
        )
        assert table.read_text() == "64 96 48\n"


@pytest.mark.parametrize(
    ("chip", "parts"),
    [
        ("int8_edge", ["array", "SRAM"]),
        ("pcm_8level", ["crossbars", "SRAM"]),
        ("hermes_chip", ["crossbars", "SRAM"]),
    ],
)
def test_the_columns_of_a_run_add_up(
    chip: str, parts: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Energy of no operator (static power, leakage) has its own row; areas are of what they say."""
    import json

    lines = output_of(capsys, monkeypatch, "run", chip, "small_cnn").splitlines()
    whole = json.loads(output_of(capsys, monkeypatch, "run", chip, "small_cnn", "--json"))
    head = next(number for number, line in enumerate(lines) if line.startswith("small_cnn on"))
    shown = [float(line.split()[-1].replace(",", "")) for line in lines[1 : head - 1]]
    total = 1e6 * whole["energy_joules"]["chip"]
    assert sum(shown) == pytest.approx(total, abs=0.005 * len(shown) + 1e-9)
    assert lines[head - 1].startswith("total") and float(
        lines[head - 1].split()[-1].replace(",", "")
    ) == pytest.approx(total, rel=1e-3)
    area = next(line for line in lines if line.startswith("area")).split(": ", 1)[1]
    assert [part.split()[0] for part in area.split(", ")] == parts
    places = {"array": "array", "tiles": "crossbars"}
    for part in area.split(", "):
        name, printed = part.split()
        exact = sum(
            row["area"]
            for row in whole["area_square_metres"]
            if places.get(row["unit"], "SRAM") == name
        )
        assert float(printed) == pytest.approx(exact * 1e6, rel=0.01)


def test_a_full_disk_leaves_no_draft(tmp_path: Path) -> None:
    """A limit of 512 bytes a file stands for a full disk, which root feels too."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)); from accelsim.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, "init", "mine", "--template", "chip"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "mine.yaml: cannot be written: File too large; give another name"
    ]
    assert not list(tmp_path.iterdir())


def test_a_sweep_says_what_runs_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points of a store against `accelsim run` with the same values, to the last digit."""
    import csv
    import json

    monkeypatch.chdir(tmp_path)
    output_of(
        capsys,
        monkeypatch,
        "sweep",
        "array_size",
        "--store",
        "s",
        "--executor",
        "serial",
        "--limit",
        "3",
        "--export",
        "points.csv",
    )
    with open("points.csv", encoding="utf-8", newline="") as file:
        points = list(csv.DictReader(file))
    assert len(points) == 3
    for point in points:
        sets = [
            f"{key[4:]}={value}" for key, value in point.items() if key.startswith("set.") and value
        ]
        chip = {"int8": "int8_edge", "int4": "int4_edge"}[point["base"]]
        whole = json.loads(
            output_of(
                capsys,
                monkeypatch,
                "run",
                chip,
                point["workload"],
                "--json",
                *(part for one in sets for part in ("--set", one)),
            )
        )
        assert int(float(point["cycles"])) == whole["makespan_cycles"]
        assert float(point["latency_seconds"]) == whole["makespan_seconds"]
        assert float(point["utilisation"]) == whole["utilisation"]
        for name, joules in whole["energy_joules"].items():
            assert float(point[f"energy_{name}_joules"]) == joules
        area = sum(row["area"] for row in whole["area_square_metres"])
        assert float(point["area_square_metres"]) == pytest.approx(area, rel=1e-15)
        parts = sum(
            float(value) for key, value in point.items() if key.startswith("part.") and value
        )
        assert parts == pytest.approx(whole["energy_joules"]["chip"], rel=1e-12)
