"""The answer in the header of a shipped sweep holds the figures of its gallery, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.reports.sweeps.plots.heatmap import holes
from accelsim.sweeps.file import load_sweep

ROOT = Path(__file__).parent.parent.parent
GALLERY = ROOT / "reports" / "gallery"
NAMES = sorted(path.stem for path in GALLERY.glob("*.json"))
NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w]|\.\d)")


def answer_of(name: str) -> str:
    return load_sweep(ROOT / "configs" / "sweeps" / f"{name}.yaml").answer


def kept_of(name: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((GALLERY / f"{name}.json").read_text())
    return kept


def found(pattern: str, text: str) -> list[str]:
    """All groups of all matches, in order; at least one."""
    hits = [group for match in re.finditer(pattern, text) for group in match.groups()]
    assert hits, f"{pattern} is not in: {text}"
    return hits


def best(kept: dict[str, Any], measure: str, column: str) -> list[str]:
    """What the designs that are best in a measure have in a column, in order."""
    return [row[column] for row in kept["best"] if measure in row["best in"]]


def array_size(kept: dict[str, Any]) -> list[str]:
    rows = best(kept, "latency_seconds", "units.array.rows")
    (least,) = set(best(kept, "energy_chip_joules", "units.array.rows"))
    assert len(rows) == 2 and set(best(kept, "latency_seconds", "weights")) == {"resident"}
    bandwidth = {
        text.split()[0] for text in best(kept, "latency_seconds", "memories.dram.bandwidth")
    }
    latency = found(r"latency ([\d.]+) us", kept["answers"]["table"])
    return [rows[0], *latency, rows[1], *bandwidth, least]


def memory_or_compute(kept: dict[str, Any]) -> list[str]:
    answers = kept["answers"]
    rows = found(r"array\.rows decides (\d+) %", answers["sensitivity"])
    weights = found(r" weights decides (\d+) %", answers["sensitivity"])
    latency = found(r"latency ([\d.]+) [mu]s", answers["table"])
    place = found(r"array\.rows (\d+), dram\.bandwidth (\d+) GB/s", answers["heatmap"])
    assert place[:2] == place[2:]
    return [*rows, *weights, *latency, *place[:2]]


def pcm_or_int8_digits(kept: dict[str, Any]) -> list[str]:
    answers = kept["answers"]
    images = re.findall(
        r"images: (\d+)", (ROOT / "configs/sweeps/pcm_or_int8_digits.yaml").read_text()
    )
    bits = found(r"\(pcm, adc\.bits (\d+)\)", answers["energy"])
    top1 = found(r"int8 (\d+); pcm (\d+) at first, (\d+) at", answers["accuracy"])
    return [*bits, *images, *top1, *found(r"chip energy of PCM ([\d.]+) times", answers["pareto"])]


def digital_or_pcm(kept: dict[str, Any]) -> list[str]:
    """Least and most over the pairs of equal precision of each workload, as the picture says them."""
    figures: list[str] = []
    for work in ("resnet18", "speech_dnn batch 1"):
        hits = found(
            rf"{work}, \w+ to \w+: [^;]*?chip ([\d.]+); "
            r"PCM wins at the chip boundary below ([\d.]+) writes",
            kept["answers"]["crossover"],
        )
        ratios, writes = sorted(hits[0::2], key=float), sorted(hits[1::2], key=float)
        figures += [ratios[0], ratios[-1], *work.split()[2:], writes[0], writes[-1]]
    return figures


def pcm_over_age(kept: dict[str, Any]) -> list[str]:
    accuracy = kept["answers"]["accuracy"]
    projected = found(r"; projected ([\d.]+) at first, ([\d.]+) at", accuracy)
    assert set(projected) == set(found(r"int8 ([\d.]+);", accuracy))
    top1 = kept["answers"]["sensitivity"].split("top-1: ")[1]
    share = found(
        r"adc\.bits decides (\d+) % on plain, adc\.bits decides (\d+) % on projected", top1
    )
    return [projected[-1], *found(r"; plain ([\d.]+) at first, ([\d.]+) at", accuracy), *share]


def edge_budget(kept: dict[str, Any]) -> list[str]:
    energy = {
        row["base"]: float(row["energy_chip_joules"])
        for row in kept["best"]
        if "energy_chip_joules" in row["best in"]
    }
    fastest = min(kept["best"], key=lambda row: float(row["latency_seconds"]))
    assert fastest["base"] == "int4" and min(energy, key=lambda base: energy[base]) == "projected"
    ratio, slower = found(
        r"chip energy of PCM ([\d.]+) times .*latency of PCM ([\d.]+) times",
        kept["answers"]["pareto"],
    )
    least = [f"{energy[base] * 1e9:.0f}" for base in ("projected", "int4")]
    part = found(r"largest part is SRAM leakage, (\d+) %", kept["answers"]["energy"])
    return [least[0], ratio, least[1], slower, *part]


#: the figures of a gallery that answer its question
FIGURES = {
    "array_size": array_size,
    "memory_or_compute": memory_or_compute,
    "pcm_or_int8_digits": pcm_or_int8_digits,
    "digital_or_pcm": digital_or_pcm,
    "pcm_over_age": pcm_over_age,
    "edge_budget": edge_budget,
}


@pytest.mark.parametrize("name", NAMES)
def test_its_figures_are_those_of_the_gallery(name: str) -> None:
    text = answer_of(name)
    assert text, "a sweep with a gallery states its answer"
    assert NUMBER.findall(text) == FIGURES[name](kept_of(name)), text


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], False),
        ([[1.0, None], [3.0, 4.0]], True),
        ([[1.0, None], [3.0, None]], False),
    ],
)
def test_crossed_out_is_said_of_a_drawn_hole_only(
    held: list[list[float | None]], said: bool
) -> None:
    """A row or column without any value is not drawn, and is no hole."""
    assert holes(np.array(held, np.float64)) == said
