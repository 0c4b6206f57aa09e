"""The switches of accelsim sweep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from accelsim.cli.main import cli
from accelsim.errors import InputError

SWEEP = """name: rows
bases: {int8: {chip: int8_edge}}
workloads: [small_cnn]
vary:
  - {key: units.array.rows, values: [4, 8, 16, 32, 64]}
measures: [latency, energy]
objectives: [energy_chip_joules, latency_seconds]
"""


@pytest.fixture
def sweep(tmp_path: Path) -> list[str]:
    (tmp_path / "rows.yaml").write_text(SWEEP)
    return [
        "sweep",
        str(tmp_path / "rows.yaml"),
        "--store",
        str(tmp_path / "store"),
        "--executor",
        "serial",
        "--evaluator",
        "tests.sweeps.fakes:Rows",
    ]


def ran(words: list[str], status: int = 0) -> Result:
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == status, result.output
    return result


def summary(words: list[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(ran([*words, "--json"]).stdout)
    return found


def test_json_says_what_the_table_says(sweep: list[str]) -> None:
    first = summary(sweep)
    assert (first["total"], first["held"], first["run"], first["stopped"]) == (5, 0, 5, False)
    table = ran(sweep).output
    assert "4" in table.split("measured")[1].split("\n")[0] and "internal 1" in table
    assert "0.015625" in table and "best energy_chip_joules" in table
    assert json.dumps(first).count("0.015625") >= 1


def test_the_same_again_runs_what_failed_and_fresh_runs_everything(sweep: list[str]) -> None:
    summary(sweep)
    again = summary(sweep)
    assert (again["held"], again["run"], again["failures"]) == (4, 1, {"internal": 1})
    fresh = summary([*sweep, "--fresh"])
    assert (fresh["held"], fresh["run"]) == (0, 5)


def test_fail_fast_stops_and_says_where(sweep: list[str]) -> None:
    result = CliRunner().invoke(cli, [*sweep, "--fail-fast"])
    assert isinstance(result.exception, InputError)  # one line and status 2 by cli/main.py
    text = str(result.exception)
    assert "units.array.rows=16: a bug (internal); without --fail-fast the others go on" in text
    after = summary(sweep)
    assert after["total"] == 5 and after["failed"] == 1 and after["measured"] == 4


def test_limit_and_dry_run(sweep: list[str], tmp_path: Path) -> None:
    dry = ran([*sweep, "--dry-run"]).output
    assert "5 points" in dry and not (tmp_path / "store").exists()
    assert summary([*sweep, "--limit", "2"])["run"] == 2
    assert "2 are in" in ran([*sweep, "--dry-run"]).output
