"""Digits on eight-level PCM at every width of weight codes, 20 s after programming."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest

from accelsim.cli.main import main


def top1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[float, str]:
    """(top-1 in percent, everything said) of a run."""
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "accelsim",
            "run",
            "pcm_8level",
            *arguments,
            "--input",
            "digits",
            "--set",
            "units.tiles.age=20 s",
        ],
    )
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
    said = capsys.readouterr().out
    return float(
        next(line for line in said.splitlines() if line.startswith("top-1")).split()[1]
    ), said


@pytest.mark.parametrize(
    ("bits", "least"),
    [
        (4, 94.5),
        *(
            pytest.param(*case, marks=pytest.mark.full)
            for case in ((5, 95.0), (6, 95.0), (8, 96.0))
        ),
    ],
)
def test_the_mlp_tells_digits_at_any_width(
    bits: int, least: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lowest slice alone would give 17.8 % at four bits."""
    right, said = top1(monkeypatch, capsys, "digits_mlp", "--bits", f"fc*=w{bits}a8")
    assert right >= least
    assert f"{bits}-bit weight codes stand in 3 of 3 slices of 8 levels, times " in said


@pytest.mark.full
def test_the_cnn_does_not_lose_by_wider_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Means of three programmings; each width lies within the widest spread of one."""
    found = []
    for bits in (4, 5, 6, 8):
        found.append(
            [
                top1(
                    monkeypatch,
                    capsys,
                    "digits_cnn",
                    "--bits",
                    f"*=w{bits}a8",
                    "--set",
                    f"units.tiles.seed={seed}",
                )[0]
                for seed in range(3)
            ]
        )
    spread = max(max(one) - min(one) for one in found)
    means = [sum(one) / 3 for one in found]
    assert min(means) > 96.0
    assert all(later >= first - spread for first, later in pairwise(means))
