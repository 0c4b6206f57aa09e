"""Roofline: what each operator reached against the chip's peak and its off-chip bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accelsim.escaping import CsvWriter
from accelsim.reports.pictures import caption
from accelsim.reports.style import below, figure, save
from accelsim.results.labels import labels_of
from accelsim.results.result import Result, peak_macs_per_cycle

#: (colour, marker) of each run; told apart without colour too
RUNS = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
)
ABOVE = (
    " Time of an operator: what it adds to the run. One above its line had operands fetched, or worked, "
    "while the operators before it ran."
)


@dataclass(frozen=True, slots=True)
class Point:
    """One operator: multiply-accumulates an off-chip byte, and G multiply-accumulates a second in the cycles
    that it adds to the run: its utilisation of the peak."""

    name: str
    intensity: float
    speed: float


def roofline_points(result: Result) -> list[Point]:
    """A point for each MAC operator; those without off-chip traffic, or that add no cycles, are left out."""
    clock = result.chip.clocks[result.chip.core.clock]
    points = []
    for row in result.operators:
        moved = row.dram_read_bytes + row.dram_written_bytes
        if row.macs and moved and row.cycles:
            points.append(Point(row.name, row.macs / moved, row.macs / row.cycles * clock / 1e9))
    return points


def roofs(result: Result) -> tuple[float, float]:
    """(peak in G multiply-accumulates a second, off-chip G bytes a second)."""
    chip = result.chip
    peak = peak_macs_per_cycle(chip) * chip.clocks[chip.core.clock] / 1e9
    return peak, chip.dram.bandwidth * chip.dram.efficiency / 1e9


def draw_roofline(
    results: list[Result], folder: Path, formats: Sequence[str] = ("png", "svg")
) -> None:
    """roofline.png, .svg and roofline_points.csv of one or several runs."""
    made, axes, _ = figure(3.8)
    lines = []
    low, high = 1e9, 1.0
    for result in results:
        for point in roofline_points(result):
            low, high = min(low, point.intensity), max(high, point.intensity)
    low, high = min(low, 1.0) / 2, high * 4
    span = np.geomspace(low, high, 200)
    labels = labels_of(results)
    for number, result in enumerate(results):
        colour, marker = RUNS[number % len(RUNS)]
        peak, bandwidth = roofs(result)
        axes.plot(
            span,
            np.minimum(peak, span * bandwidth),
            color=colour,
            linewidth=1.2,
            linestyle=("-", "--", ":", "-.")[number % 4],
        )
        points = roofline_points(result)
        axes.plot(
            [p.intensity for p in points],
            [p.speed for p in points],
            marker,
            color=colour,
            markersize=5,
            markerfacecolor="white",
            label=labels[number],
        )
        shown: list[tuple[float, float]] = []
        for point in sorted(points, key=lambda p: p.speed):
            spot = (np.log10(point.intensity), np.log10(point.speed))
            near = any(abs(spot[0] - x) < 0.65 and abs(spot[1] - y) < 0.12 for x, y in shown)
            if len(results) == 1 and not near:
                shown.append(spot)
                axes.annotate(
                    point.name, (point.intensity, point.speed), (4, -9), textcoords="offset points"
                )
        lines += [
            [
                result.workload.name,
                result.chip.name,
                p.name,
                repr(p.intensity),
                repr(p.speed),
                repr(peak),
                repr(bandwidth),
            ]
            for p in points
        ]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("multiply-accumulates an off-chip byte")
    axes.set_ylabel("G multiply-accumulates a second")
    axes.legend(loc="lower right")
    text = (
        caption(results[0], "none (times only)")
        if len(results) == 1
        else "Lines: each chip's peak and off-chip bandwidth."
    )
    below(made, text + ABOVE)
    save(made, folder, "roofline", formats)
    with (folder / "roofline_points.csv").open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        writer.writerow(
            [
                "workload",
                "chip",
                "operator",
                "macs_per_byte",
                "gmacs_per_second",
                "peak_gmacs_per_second",
                "off_chip_gbytes_per_second",
            ]
        )
        writer.writerows(lines)
