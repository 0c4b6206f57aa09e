"""SCALE-Sim's files from the command line: reports in its form, what is not used, a re-run."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from accelsim import api
from accelsim.cli.main import cli
from accelsim.config.scalesim_cfg import chip_of, load_cfg
from accelsim.config.scalesim_topology import load_topology
from accelsim.errors import InputError
from accelsim.results.scalesim_reports import BANDWIDTH, COMPUTE, DETAILED
from tests.scalesim.test_compatibility import GOLDEN, golden

HERE = Path(__file__).parent
CFG, CSV, GEMM = (str(HERE / name) for name in ("small.cfg", "small.csv", "small_gemm.csv"))


def run_cli(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return [[cell.strip() for cell in line] for line in csv.reader(file)]


def test_the_three_reports_have_its_headers_and_columns(tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run_cli("run", CFG, CSV, "--reports", "scalesim", "--out", str(out))
    for name, head in (
        ("COMPUTE_REPORT.csv", COMPUTE),
        ("BANDWIDTH_REPORT.csv", BANDWIDTH),
        ("DETAILED_ACCESS_REPORT.csv", DETAILED),
    ):
        lines = rows(out / name)
        assert lines[0] == [*head, ""]  # its lines end in a comma
        assert [line[0] for line in lines[1:]] == [
            str(i) for i in range(6)
        ]  # 4 channels of Conv2DP
        assert all(len(line) == len(head) + 1 for line in lines)
        assert (out / name).read_text().startswith("LayerID, ")
    assert "IfmapOffset" in text and "MemoryBanks" in text and "sparsity 2:4" in text
    assert "from our own model" in text and "Stall Cycles" in text
    compute = rows(out / "COMPUTE_REPORT.csv")
    # Conv1: K = 18, M = 6 x 6 (rounded up), N = 5: 3 x 2 folds of 36 + 2 * 8 + 4 - 2 lines
    assert int(compute[1][2]) - int(compute[1][3]) == 6 * (36 + 18) - 1


def test_gemm_files_need_their_switch(tmp_path: Path) -> None:
    text = run_cli(
        "run", CFG, GEMM, "--gemm", "--reports", "scalesim", "--out", str(tmp_path / "o")
    )
    assert "Q_2" in text and "sparsity 1:4" in text
    with pytest.raises(InputError, match="add --gemm"):
        load_topology(GEMM)
    work = load_topology(GEMM, gemm=True)
    assert [(op.m, op.n, op.k) for op in work.operators] == [(17, 9, 33), (1, 5, 8)]  # type: ignore[union-attr]


def test_reports_ask_for_what_they_need(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run_cli("run", "int8_edge", "small_gemm", "--reports", "scalesim")
    assert len(caught.value.problems) == 3
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match="is not empty"):
        run_cli("run", CFG, CSV, "--reports", "scalesim", "--out", str(tmp_path))


def test_the_default_mode_runs_the_same_layers() -> None:
    chip, work = api.load_chip(CFG), api.load_workload(CSV)
    result = api.run(chip, work)
    assert result.workload.macs == sum(op.macs for op in work.operators)
    assert "5 keys" not in run_cli("check", CFG) and "2 keys" in run_cli("check", CFG)
    text = run_cli("run", CFG, CSV)
    assert "not used" in text and "the .cfg names none of them" in text
    theirs = api.run_compatible(chip_of(load_cfg(CFG), compatible=True), work)
    assert len(theirs) == 6


def test_every_engine_times_folds_alike() -> None:
    chip, work = chip_of(load_cfg(CFG), compatible=True), api.load_workload(CSV)
    plain = api.run_compatible(chip, work, "plain")
    for engine in ("compiled", "simpy"):
        assert api.run_compatible(chip, work, engine) == plain


@pytest.mark.full
def test_a_subset_of_the_golden_figures_again(tmp_path: Path) -> None:
    """SCALE-Sim itself, in an environment of its own, gives what is committed."""
    home = tmp_path / "peer"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    done = subprocess.run(
        [str(home / "bin/python"), "-m", "pip", "install", "-q", "numpy<2.4", "scalesim==3.0.0"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip("the package index does not offer scalesim 3.0.0 here")
    script = tmp_path / "make_golden.py"
    shutil.copy(HERE / "make_golden.py", script)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        [str(home / "bin/python"), str(script), str(tmp_path), str(tmp_path / "again.csv"), "few"],
        check=True,
        env=environment,
        timeout=900,
    )
    with (tmp_path / "again.csv").open(newline="") as file:
        again = list(csv.DictReader(file))
    committed = [
        row
        for row in golden()
        if row["set"] == "gemm" and (row["rows"], row["columns"]) in (("8", "4"), ("7", "5"))
    ]
    assert len(again) == 96 and again == committed
    assert GOLDEN.exists()
