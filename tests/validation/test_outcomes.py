"""Figures beside what is computed: errors, ranges by assumed numbers, what counts, and the shipped chips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import accelsim
from accelsim.cli.main import cli
from accelsim.validation import Outcome, load_case, outcomes, summaries
from accelsim.validation.measures import CHIP, MEASURES
from accelsim.validation.outcomes import scaled
from accelsim.validation.reader import shipped_cases
from tests.validation.test_bad_files import GOOD, folder

LATENCY = "memories.dram.latency"


def computed(tmp_path: Path, text: str) -> list[Outcome]:
    return list(outcomes(load_case(folder(tmp_path, text))))


def cycles(latency: str) -> int:
    chip = accelsim.load_chip("int8_edge", [f"{LATENCY}={latency}"])
    return accelsim.run(chip, accelsim.load_workload("small_cnn")).cycles


def test_an_assumed_number_is_run_at_half_and_at_double(tmp_path: Path) -> None:
    one, other = computed(tmp_path, GOOD)
    assert (one.computed, one.low, one.high) == (
        cycles("100 ns"),
        cycles("50 ns"),
        cycles("200 ns"),
    )
    assert one.moved_by == LATENCY and one.error == one.computed / 4416 - 1
    assert other.low <= other.computed <= other.high  # the mapper chooses other tiles
    share = (one.high - one.computed) / one.computed
    assert one.status == ("counted" if share <= 0.15 else f"rests on {LATENCY}")


def test_what_rests_on_an_assumed_number_is_not_counted(tmp_path: Path) -> None:
    text = GOOD.replace("[memories.dram.latency]", "[memories.dram.bandwidth]")
    one, _ = computed(
        tmp_path, text.replace("{workload: small_cnn}", "{workload: small_cnn, homes: off_chip}")
    )
    assert one.status == "rests on memories.dram.bandwidth" and not one.counted


@pytest.mark.parametrize(
    ("text", "other", "status"),
    [
        ("tier: timing", "tier: peak", "peak"),
        ("tier: timing", "tier: closure", "closure"),
        ("confidence: high", "confidence: mem", "remembered"),
        ("compute: cycles", "compute: cycles\n    shapes: assumed", "shapes assumed"),
        ("compute: cycles", "compute: cycles\n    uses: [clocks.core]", "input"),
        (
            "workload: small_cnn}\n  -",
            "workload: small_cnn, set: {memories.dram.size: 1 KiB}}\n  -",
            "does not run",
        ),
    ],
)
def test_what_is_never_counted(tmp_path: Path, text: str, other: str, status: str) -> None:
    one, _ = computed(tmp_path, GOOD.replace(text, other, 1))
    assert one.status == status and not one.counted
    assert bool(one.failed) == (status == "does not run")


def test_a_row_that_came_from_a_chip_is_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelsim.constants.rows import components

    text = GOOD.replace("compute: cycles", "compute: joules").replace("unit: cycles", "unit: uJ")
    assert computed(tmp_path, text)[0].status == "counted"
    row = components()["horowitz_45nm/int8/multiply"]
    monkeypatch.setitem(row, "from", ["maker", "another"])
    assert computed(tmp_path, text)[0].status == "counted"
    assert computed(tmp_path, f"from: maker\n{text}")[0].status == "input"


def test_numbers_are_scaled_in_their_unit() -> None:
    assert scaled("100 ns", 0.5) == "50 ns" and scaled("256 KiB", 2.0) == "512 KiB"
    assert scaled(1, 0.5) == 1 and scaled(5, 0.5) == 2 and scaled(0.85, 0.5) == 0.425


def test_a_tier_is_summed_up_as_its_errors_are(tmp_path: Path) -> None:
    found = computed(tmp_path, GOOD)
    errors = [one.error for one in found if one.figure.tier == "timing" and one.counted]
    if errors:
        (timing, *_) = summaries(found)
        assert timing.median == np.median(np.abs(errors)) and timing.signed == np.median(errors)
        assert timing.worst == max(map(abs, errors)) and timing.figures == len(errors)


def test_measures_are_a_runs_own_figures() -> None:
    from dataclasses import replace

    figure = load_case(shipped_cases()[0]).figures[0]
    result = accelsim.run(accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn"))
    plain = replace(figure, operators=(), memory="", by=(), units=(), boundary="chip")

    def of(name: str, **more: object) -> float:
        return MEASURES[name].of(result, replace(plain, **more))  # type: ignore[arg-type]

    assert of("cycles") == result.cycles and of("seconds") == result.seconds
    names = tuple(row.name for row in result.operators)
    assert of("cycles", operators=names) == result.cycles
    assert of("joules") == pytest.approx(result.joules, rel=1e-12)
    assert of("joules", operators=names) == pytest.approx(result.joules, rel=1e-12)
    assert of("watts") == pytest.approx(result.joules / result.seconds)
    assert of("rate") == pytest.approx(2 * result.workload.macs / result.seconds)
    assert of("used") == pytest.approx(result.utilisation, rel=1e-3)  # of whole cycles
    assert of("efficiency") == pytest.approx(1 / of("each"))
    assert of("frames") == pytest.approx(1 / result.seconds)
    assert of("peak") == 2 * 1024 * 800e6
    assert of("area") == pytest.approx(sum(row.area for row in result.area))
    far = sum(row.dram_read_bytes + row.dram_written_bytes for row in result.operators)
    assert of("moved", memory="dram") == far
    loads = of("moved", memory="dram", by=("loads",))
    assert loads == sum(row.dram_read_bytes for row in result.operators)
    some = of("joules", operators=names[:1]) + of("joules", operators=names[1:])
    assert some == pytest.approx(result.joules)
    assert {measure.needs for measure in MEASURES.values()} >= {CHIP}


@pytest.mark.parametrize("path", shipped_cases(), ids=lambda path: path.name)
def test_shipped_chips_are_sound(path: Path) -> None:
    """Their files are read, every figure has a condition and a source, and each runs."""
    case = load_case(path)
    assert case.figures and all(figure.condition and figure.source for figure in case.figures)


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(cli, ["validate", "gupta2015", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "throughput of a long product" in done.output and "signed median" in done.output
    assert sorted(path.name for path in out.iterdir()) == [
        "created.txt",
        "validation.csv",
        "validation.json",
        "validation.png",
    ]
    whole = json.loads((out / "validation.json").read_text())
    (figure,) = whole["figures"]
    assert abs(figure["error"]) < 0.01 and figure["status"] == "counted"
    again = CliRunner().invoke(cli, ["validate", "gupta2015", "--json", "--tier", "area"])
    assert json.loads(again.output) == {"figures": [], "tiers": {}}
