"""Eight levels by pulses: pulses, energy, and how far apart the levels stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.claims.claim import Claim, Table
from accelsim.devices import device_named, evenly_spaced, nearest
from accelsim.devices.pulses import Written, program_and_verify, pulses_named, staircase
from accelsim.noise import Stream

Floats = NDArray[np.float64]
CELLS, COUNT = 10_000, 8
AGES = (
    ("after programming", 0.0),
    ("1 h", 3600.0),
    ("1 day", 86400.0),
    ("30 days", 2.592e6),
    ("1 year", 3.1536e7),
)


def programming(levels: Floats, written: Written, joules: Floats) -> Table:
    """What each level took, and where its cells stand after it."""
    head = ["target uS", "mean uS", "deviation uS", "pulses", "reads", "failed %", "pJ"]
    rows = []
    for number, level in enumerate(levels):
        g = written.cells.conductance[number]
        rows.append(
            [
                f"{level * 1e6:.2f}",
                f"{g.mean() * 1e6:.2f}",
                f"{g.std() * 1e6:.3f}",
                f"{written.pulses[number].mean():.2f}",
                f"{written.reads[number].mean():.2f}",
                f"{100 * written.failed[number].mean():.2f}",
                f"{joules[number].mean() * 1e12:.1f}",
            ]
        )
    return Table("programming", head, rows)


def told_apart(g: Floats, levels: Floats) -> tuple[float, float, float]:
    """How far apart (levels, cells) conductances stand: the least distance of neighbours in sums of their
    deviations; parts of cells read as another level, by thresholds that follow the drift, by fixed ones."""
    mean, spread = g.mean(axis=1), g.std(axis=1)
    apart = (mean[1:] - mean[:-1]) / (spread[1:] + spread[:-1])
    truth = np.arange(len(levels))[:, None]
    following = np.searchsorted(0.5 * (mean[1:] + mean[:-1]), g.ravel()).reshape(g.shape)
    fixed = nearest(levels, g.ravel()).reshape(g.shape)
    return float(apart.min()), float((following != truth).mean()), float((fixed != truth).mean())


def compute(seed: int) -> Claim:
    """The claim's figures for one seed."""
    device, pulses = device_named("pcm_like"), pulses_named("iterative")
    levels = evenly_spaced(COUNT, device.g_max)
    stream = Stream(seed, ("levels",))
    written = program_and_verify(pulses, device, np.repeat(levels[:, None], CELLS, axis=1), stream)
    joules = written.pulses * pulses.pulse_j + written.resets * pulses.reset_j
    aged, figures = [], {}
    for name, age in AGES:
        g = device.read(written.cells, age, stream.of("read", name))
        apart, wrong, fixed = told_apart(g, levels)
        aged.append([name, f"{apart:.2f}", f"{100 * wrong:.2f}", f"{100 * fixed:.2f}"])
        figures[f"wrong {name}"], figures[f"apart {name}"] = wrong, apart
    figures |= {
        "pulses": float(written.pulses.mean()),
        "joules": float(joules.mean()),
        "reads": float(written.reads.mean()),
        "failed": float(written.failed.mean()),
    }
    verdict = (
        f"eight levels take {figures['pulses']:.2f} pulses and {figures['joules'] * 1e12:.0f} pJ a cell; "
        f"{100 * figures['wrong after programming']:.1f} % of cells read as a neighbour just after, "
        f"{100 * figures['wrong 1 year']:.0f} % after a year with thresholds that follow the drift"
    )

    def draw(folder: Path) -> None:
        from accelsim.claims import pictures

        stairs = staircase(pulses_named("staircase"), 30, 200, stream.of("staircase"))
        pictures.levels(folder, device, levels, written.cells, stream, stairs)

    return Claim(
        "levels",
        "eight levels of conductance, programmed by pulses (The Register, December 2018, on IBM); "
        "3 bits a cell held in a 64k array after 1e6 cycles (published)",
        verdict,
        figures,
        [
            programming(levels, written, joules),
            Table(
                "over time",
                [
                    "age",
                    "least distance / deviations",
                    "wrong, thresholds follow %",
                    "wrong, fixed thresholds %",
                ],
                aged,
            ),
        ],
        [
            f"device {device.name}; pulses {pulses.name}: {pulses.source}",
            f"margin {pulses.margin * 1e6:g} uS, at most {pulses.iterations} pulses, verify reads with the "
            f"device's noise",
        ],
        "counts and deviations are exact for the model; 10,000 cells a level give 1 % of a deviation",
        [
            "levels of a single cell: a pair and slices (docs/pcm.md) hold the 8 bits of a weight",
            "wear, and disturbance by neighbours",
        ],
        draw,
    )
