"""Names of other people's making are harmless where they leave: terminal, CSV, HTML, pictures, files."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import Problem
from accelsim.escaping import (
    CsvWriter,
    Terminal,
    cell,
    file_stem,
    is_seen,
    markup,
    uncell,
    visible,
    visible_lines,
)
from accelsim.reports import style

NASTY = "a\x1b[31m\x07\u202e\u2028\x9b\n"
TRACE = """
name: "=1+1 $a$"
inputs: {x: [1, 64]}
operators:
- {name: "=cmd $\\\\bad$", kind: gemm, input: x, n: 10}
- {name: "@b\\u202e\\x07", kind: gemm, input: "=cmd $\\\\bad$", n: 10}
- {name: "<b>c", kind: gemm, input: "@b\\u202e\\x07", n: 10}
"""


@given(st.text())
def test_what_is_shown_can_be_seen(text: str) -> None:
    assert is_seen(visible(text)) and is_seen(visible_lines(text).replace("\n", ""))
    assert is_seen(text) == (visible(text) == text)
    shown = markup(text)
    assert not set("<>\"'") & set(shown) and is_seen(shown.replace("\n", ""))


@given(st.text())
def test_a_cell_runs_nothing_and_reads_back(text: str) -> None:
    made = cell(text)
    assert uncell(made) == text
    assert not made.startswith(("=", "@", "\t", "\r")) and (
        not made.startswith(("+", "-")) or float(made.replace(",", "")) is not None
    )


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"))


@given(st.lists(st.lists(TEXTS, min_size=1), min_size=1))
@settings(max_examples=50)
def test_rows_read_back(rows: list[list[str]]) -> None:
    text = io.StringIO()
    CsvWriter(text).writerows(rows)
    again = [
        [uncell(value) for value in row]
        for row in csv.reader(io.StringIO(text.getvalue(), newline=""))
    ]
    assert [row for row in again if row] == [row for row in rows if row]


@pytest.mark.parametrize("number", ["-1", "+2.5", "-1e-05", "-1,234.5", "1"])
def test_numbers_stay_numbers(number: str) -> None:
    assert cell(number) == number and cell(float(number.replace(",", ""))) == float(
        number.replace(",", "")
    )


@given(st.text())
def test_a_name_of_a_file_stays_in_its_folder(name: str) -> None:
    made = file_stem(name)
    assert Path("folder", f"sweep_{made}").parent == Path("folder") and 0 < len(made) <= 100
    assert made.isascii() and made not in (".", "..")


def test_a_problem_is_one_line() -> None:
    text = str(Problem("x", f"{NASTY} is wrong", "mend\nit", "a\nb", "file\x1b"))
    assert is_seen(text) and "\\x1b[31m\\x07\\u202e" in text


def test_the_terminal_shows_codes_whatever_the_locale() -> None:
    raw = io.BytesIO()
    shown = Terminal(io.TextIOWrapper(raw, "ascii"))
    shown.write(f"{NASTY}é \udcff")
    shown.flush()
    assert raw.getvalue().decode() == "a\\x1b[31m\\x07\\u202e\\u2028\\x9b\né \\udcff"


def test_dollars_are_dollars_in_pictures_and_powers_stay(tmp_path: Path) -> None:
    """`$` opened a formula of matplotlib's, whose parser raised."""
    made, axes = style.figure(2)
    axes.set_xticks([0, 1], ["a$b$\\c", "$\\bad{$\x1b"])
    axes.set_yscale("log")
    axes.plot([0, 1], [1e-3, 1e3], label="$x\\q$")
    axes.legend()
    style.below(made, "caption $\\bad$ $10^{$")
    style.save(made, tmp_path, "picture")
    assert (tmp_path / "picture.png").stat().st_size > 1000
    powers = [label for label in axes.get_yticklabels() if style.POWER.fullmatch(label.get_text())]
    assert powers and all(label.get_parse_math() for label in powers)


def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **more,
    }
    return subprocess.run(
        [sys.executable, "-m", "accelsim.cli.main", *words],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_nasty_names_from_file_to_every_output(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(TRACE)
    done = run("run", "int8_edge", str(tmp_path / "net.yaml"), "--out", str(tmp_path / "run"))
    assert (
        done.returncode == 0
        and is_seen(done.stdout.replace("\n", ""))
        and "@b\\u202e\\x07" in done.stdout
    )
    rows = list(csv.DictReader((tmp_path / "run/operators.csv").open(encoding="utf-8")))
    assert [row["operator"] for row in rows] == ["'=cmd $\\bad$", "'@b\u202e\x07", "<b>c"]
    done = run("report", str(tmp_path / "run"), "--out", str(tmp_path / "page"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page/report.html").read_text(encoding="utf-8")
    assert "<b>c" not in page and "&lt;b&gt;c" in page and "\u202e" not in page


def test_another_locale_runs_names_that_it_cannot_encode(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: é\ninputs: {x: [1, 64]}\noperators: [{name: é, kind: gemm, input: x, n: 10}]\n",
        "utf-8",
    )
    posix = {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}
    done = run("run", "int8_edge", str(path), "--out", str(tmp_path / "run"), **posix)
    assert (done.returncode, done.stderr) == (0, "") and "é on int8_edge" in done.stdout
    assert run("explain", str(tmp_path / "run"), **posix).returncode == 0


@pytest.mark.parametrize(
    ("value", "said"), [("\udcff", "bytes that are no UTF-8"), ('"a\\nb"', "a line break")]
)
def test_names_of_other_kinds_are_refused(value: str, said: str) -> None:
    done = run("run", "int8_edge", "small_gemm", "--set", f"name={value}")
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1
