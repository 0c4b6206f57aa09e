"""Wrong sweep files: one clear line each with its place; hostile ones are refused quickly."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from accelsim.cli.check_command import _describe
from accelsim.errors import InputError
from tests.config.bad_sweeps import SWEEP

GOOD = Path(__file__).parent / "sweep.yaml"


@pytest.mark.parametrize(
    ("name", "old", "new", "marker", "words"), SWEEP, ids=[case[0] for case in SWEEP]
)
def test_wrong_sweeps(
    name: str, old: str, new: str, marker: str, words: str, tmp_path: Path
) -> None:
    text = GOOD.read_text()
    assert old in text, "the case no longer fits its file"
    wrong = text.replace(old, new, 1)
    path = tmp_path / "wrong.yaml"
    path.write_text(wrong)
    with pytest.raises(InputError) as refused:
        _describe(str(path), False, {})
    lines = str(refused.value).splitlines()
    assert len(lines) <= 6, lines  # one cause, no flood
    assert any(words in line for line in lines), lines
    assert all(line.startswith(str(path)) for line in lines), lines
    if marker:
        number = 1 + wrong[: wrong.index(marker)].count("\n")
        named = [line for line in lines if line.startswith(f"{path}:{number}:")]
        assert any(words in line for line in named), f"{number}: {lines}"


def test_every_problem_at_once(tmp_path: Path) -> None:
    text = GOOD.read_text()
    for old, new in (
        ("seed: 0", "seed: -1"),
        ("[cycles,", "[cicles,"),
        ("chip: int8_edge", "chip: no"),
        ("[cold, resident]", "[cold, warm]"),
        ("images: 20", "images: 0"),
    ):
        text = text.replace(old, new, 1)
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        _describe(str(path), False, {})
    said = str(refused.value)
    for word in ("-1 is outside", "cicles", "shipped chip", "'warm'", "images"):
        assert word in said, said


HEAD = "name: x\nbases: {a: int8_edge}\nworkloads: [small_gemm]\n"
AXIS = "  - {{key: {}, range: {{from: 1, to: {}, step: 1}}}}\n"
WATCHED = ("units.array.rows", "units.array.columns", "units.vector.lanes", "units.vector.latency")
HOSTILE = {
    "deep nesting": HEAD + "vary: " + "[" * 100_000 + "]" * 100_000,
    "billion laughs": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + HEAD,
    "a grid of 1e12": HEAD + "vary:\n" + "".join(AXIS.format(key, 1000) for key in WATCHED),
    "a grid of 1e12 with conditions": HEAD
    + "vary:\n"
    + "".join(AXIS.format(key, 1000) for key in WATCHED)
    + "exclude: [{"
    + ", ".join(f"{key}: 7" for key in WATCHED)
    + "}]",
    "1e9 steps": HEAD + "vary:\n" + AXIS.format(WATCHED[0], 10**9),
    "steps of nothing": HEAD
    + f"vary:\n  - {{key: {WATCHED[0]}, range: {{from: 1, to: 2, step: 1e-300}}}}",
    "huge sobol": HEAD + "vary:\n" + AXIS.format(WATCHED[0], 9) + "sample: {sobol: 1048577}",
    "a million samples of many": HEAD.replace(
        "a: int8_edge", ", ".join(f"a{i}: int8_edge" for i in range(9))
    )
    + "vary:\n"
    + AXIS.format(WATCHED[0], 9)
    + "sample: {random: 1000000}",
    "a number of a million digits": HEAD + "seed: " + "9" * 1_000_000,
    "exclusions without end": HEAD
    + "vary:\n"
    + AXIS.format(WATCHED[0], 2)
    + "exclude:\n"
    + "  - {units.array.rows: 3}\n" * 2_000,
    "bases in a long chain": "name: x\nworkloads: [small_gemm]\nbases:\n  b0: {base: b999}\n"
    + "".join(f"  b{i}: {{base: b{i - 1}}}\n" for i in range(1, 1000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sweeps_are_refused_within_a_second(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(HOSTILE[name])
    begin = time.process_time()
    with pytest.raises(InputError) as refused:
        _describe(str(path), False, {})
    assert time.process_time() - begin < 5
    lines = str(refused.value).splitlines()
    assert len(lines) <= 21 and all(
        line.startswith(str(path)) and len(line) < 600 for line in lines
    )


def test_a_grid_of_1e12_as_a_command(tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(HOSTILE["a grid of 1e12"])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "accelsim.cli.main", "check", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (
        done.returncode == 2 and "makes 1,000,000,000,000 points" in done.stderr and not done.stdout
    )
    assert after.ru_utime - before.ru_utime < 2.0
