"""accelsim compare and reproduce: equal work, ordered boundaries, figures that add up, pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import accelsim
from accelsim.claims import CLAIMS, reproduce
from accelsim.cli.main import main
from accelsim.reports.comparison import stems


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["accelsim", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_chips_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    chips = ("int8_edge", "int4_edge", "pcm_8level", "pcm_projected")
    assert (
        call(
            monkeypatch,
            "compare",
            *chips,
            "-w",
            "digits_mlp",
            "--input",
            "digits",
            "--ages",
            "20 s, 1 year",
            "--programmings",
            "2",
            "--out",
            str(out),
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "pays back" in said and "top-1" in said
    whole = json.loads((out / "comparison.json").read_text())
    assert whole["batch"] == 500 and len(whole["sides"]) == 4
    for side in whole["sides"]:
        j = side["joules"]
        assert 0 < j["device"] <= j["core"] <= j["chip"]
        first = whole["sides"][0]["joules"]
        assert side["ratio"]["chip"] == pytest.approx(first["chip"] / j["chip"], rel=1e-9, abs=0.0)
        assert side["watts"] == pytest.approx(j["chip"] / side["latency_s"], rel=1e-9, abs=0.0)
        if side["analog"]:
            assert (
                side["writing_joules"] > 0 and side["cold"]["joules"] > side["resident"]["joules"]
            )
            gained = side["cold"]["joules"] - side["resident"]["joules"]
            assert 0 < side["writing_joules"] < gained  # weights are fetched too, and buffers leak
            saved = (first["chip"] - j["chip"]) / 500
            assert side["pays_back_after"] == pytest.approx(
                side["writing_joules"] / saved, rel=1e-9, abs=0.0
            )
            assert [v["age_s"] for v in side["values"]] == [20.0, 31536000.0]
            assert all(len(v["top1"]) == 2 and min(v["top1"]) > 0.9 for v in side["values"])
    for stem in ("energy", "ratio_pcm_8level", "values", "levels_pcm_8level"):
        assert (out / f"{stem}.png").stat().st_size > 10_000 and (
            out / f"{stem}_points.csv"
        ).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["int8_edge", "-w", "nothing"], "nothing"),
        (["int8_edge", "nochip", "-w", "digits_mlp"], "nochip"),
        (["int8_edge", "pcm_8level", "-w", "digits_mlp", "--ages", "1 V"], "--ages"),
        (["int8_edge", "pcm_8level", "-w", "digits_mlp", "--ages", "-1 s"], "negative"),
        (
            ["int8_edge", "pcm_8level", "-w", "digits_mlp", "--temperatures", "25 C"],
            "--temperatures",
        ),
        (["int8_edge", "-w", "digits_mlp", "--set", "units.tiles.rows=3"], "tiles"),
        (
            ["int8_edge", "pcm_8level", "-w", "digits_mlp", "--set", "units.tiles.age=-1 h"],
            "outside",
        ),
        (
            ["pcm_8level", "-w", "digits_mlp", "--input", "digits", "--temperatures", "360 K"],
            "360 K",
        ),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert call(monkeypatch, "compare", *arguments, "--out", str(out)) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and not out.exists()


#: trained or summed for long; tests/claims has them at reduced size
LONG = ("swamping", "chunked_inference", "stochastic_update", "limited_precision")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in LONG else ()) for name in CLAIMS]
)
def test_every_claim_is_computed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert call(monkeypatch, "reproduce", name.replace("_", "-"), "--out", str(out)) == 0
    said = capsys.readouterr().out
    for word in ("claim:", "computed:", "tolerance:", "assumes:", "does not show:"):
        assert word in said
    assert json.loads((out / f"{name}.json").read_text())["figures"]
    assert (out / f"{name}.png").stat().st_size > 10_000


def test_the_claims_figures() -> None:
    levels = reproduce("levels").figures
    assert 1.5 < levels["pulses"] < 3 and levels["failed"] < 0.01
    assert levels["wrong after programming"] < 0.15 < levels["wrong 1 year"]
    bits = reproduce("multiplication").figures
    for age in ("20 s", "1 h", "1 day", "1 year"):
        room = f"{age} 298.15 K affine"
        assert bits[f"projected {room}"] > 7.2 > 4.5 > bits[f"plain {room}"]
        raw, scalar, affine = (
            bits[f"projected {age} 298.15 K {how}"] for how in ("raw", "scalar", "affine")
        )
        assert raw < scalar <= affine + 1e-9
    energy = reproduce("energy33").figures
    assert 20 < energy["ratio 45 nm"] < 40 and energy["supplied mean"] == pytest.approx(
        4 * energy["cell mean"], rel=1e-9, abs=0.0
    )
    three = reproduce("digits_three").figures
    assert three["projected 1 year"] > 0.94 > three["plain 1 year"]


def test_an_unknown_claim_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "reproduce", "perpetual-motion") == 2
    assert "levels" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["pcm_8level", "pcm_projected"])
def test_writing_is_what_pulses_and_their_reads_take(name: str) -> None:
    """Of a run with cold weights: nothing else that happens meanwhile belongs to it."""
    chip, work = accelsim.load_chip(name), accelsim.load_workload("digits_mlp", 500)
    told = accelsim.compare([accelsim.load_chip("int8_edge"), chip], work).sides[1].writing[0]
    rows = accelsim.run(chip, work, weights="cold").energy.rows
    assert told == pytest.approx(
        sum(row.joules for row in rows if row.action in ("pulses", "verify_reads")),
        rel=1e-9,
        abs=0.0,
    )


def test_chips_of_one_name_have_pictures_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("int8_edge", "pcm_8level", "pcm_8level", "-w", "small_gemm")
    out = tmp_path / "out"
    assert call(monkeypatch, "compare", *words, "--out", str(out)) == 0
    assert len(list(out.glob("ratio_*.png"))) == 2
    assert stems(["a", "A", "a", "a_2"]) == ["a", "A_2", "a_3", "a_2_2"]
