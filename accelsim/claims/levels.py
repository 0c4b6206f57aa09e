"""Eight levels by pulses: pulses, energy, and how far apart the levels stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accelsim.claims.claim import Claim, Table
from accelsim.devices import device_named, evenly_spaced, nearest
from accelsim.devices.pulses import program_and_verify, pulses_named, staircase
from accelsim.noise import Stream

CELLS, COUNT = 10_000, 8
AGES = (
    ("after programming", 0.0),
    ("1 h", 3600.0),
    ("1 day", 86400.0),
    ("30 days", 2.592e6),
    ("1 year", 3.1536e7),
)


def compute(seed: int) -> Claim:
    """The claim's figures for one seed."""
    device, pulses = device_named("pcm_like"), pulses_named("iterative")
    levels = evenly_spaced(COUNT, device.g_max)
    stream = Stream(seed, ("levels",))
    made = program_and_verify(pulses, device, np.repeat(levels[:, None], CELLS, axis=1), stream)
    rows = []
    joules = made.pulses * pulses.pulse_j + made.resets * pulses.reset_j
    for number, level in enumerate(levels):
        g = made.cells.conductance[number]
        rows.append(
            [
                f"{level * 1e6:.2f}",
                f"{g.mean() * 1e6:.2f}",
                f"{g.std() * 1e6:.3f}",
                f"{made.pulses[number].mean():.2f}",
                f"{made.reads[number].mean():.2f}",
                f"{100 * made.failed[number].mean():.2f}",
                f"{joules[number].mean() * 1e12:.1f}",
            ]
        )
    aged, figures = [], {}
    for name, age in AGES:
        g = device.read(made.cells, age, stream.of("read", name))
        mean, spread = g.mean(axis=1), g.std(axis=1)
        apart = (mean[1:] - mean[:-1]) / (spread[1:] + spread[:-1])
        middles = 0.5 * (mean[1:] + mean[:-1])  # thresholds that follow the drift
        told = np.searchsorted(middles, g.ravel()).reshape(g.shape)
        wrong = float((told != np.arange(COUNT)[:, None]).mean())
        fixed = float(
            (nearest(levels, g.ravel()).reshape(g.shape) != np.arange(COUNT)[:, None]).mean()
        )
        aged.append([name, f"{apart.min():.2f}", f"{100 * wrong:.2f}", f"{100 * fixed:.2f}"])
        figures[f"wrong {name}"], figures[f"apart {name}"] = wrong, float(apart.min())
    figures |= {
        "pulses": float(made.pulses.mean()),
        "joules": float(joules.mean()),
        "reads": float(made.reads.mean()),
        "failed": float(made.failed.mean()),
    }
    verdict = (
        f"eight levels take {figures['pulses']:.2f} pulses and {figures['joules'] * 1e12:.0f} pJ a cell; "
        f"{100 * figures['wrong after programming']:.1f} % of cells read as a neighbour just after, "
        f"{100 * figures['wrong 1 year']:.0f} % after a year with thresholds that follow the drift"
    )

    def draw(folder: Path) -> None:
        from accelsim.claims import pictures

        pictures.levels(
            folder,
            device,
            levels,
            made.cells,
            stream,
            staircase(pulses_named("staircase"), 30, 200, stream.of("staircase")),
        )

    return Claim(
        "levels",
        "eight levels of conductance, programmed by pulses (The Register, December 2018, on IBM); "
        "3 bits a cell held in a 64k array after 1e6 cycles (published)",
        verdict,
        figures,
        [
            Table(
                "programming",
                ["target uS", "mean uS", "deviation uS", "pulses", "reads", "failed %", "pJ"],
                rows,
            ),
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
