"""Roofline: what each operator reached against the chip's peak and its off-chip bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
#: what stands for a point in a file of points
POINT_HEAD = (
    "operator",
    "macs_per_byte",
    "gmacs_per_second",
    "peak_gmacs_per_second",
    "off_chip_gbytes_per_second",
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
    made, axes = figure(3.8)
    seen = [point.intensity for result in results for point in roofline_points(result)]
    span = np.geomspace(min([*seen, 1.0]) / 2, max([*seen, 1.0]) * 4, 200)
    for number, (result, label) in enumerate(zip(results, labels_of(results), strict=True)):
        colour, marker = RUNS[number % len(RUNS)]
        peak, bandwidth = roofs(result)
        line = {"linewidth": 1.2, "linestyle": ("-", "--", ":", "-.")[number % 4]}
        axes.plot(span, np.minimum(peak, span * bandwidth), color=colour, **line)
        points = roofline_points(result)
        x, y = [p.intensity for p in points], [p.speed for p in points]
        mark = {"markersize": 5, "markerfacecolor": "white"}
        axes.plot(x, y, marker, color=colour, label=label, **mark)
        if len(results) == 1:
            _name(axes, points)
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
        writer.writerow(["workload", "chip", *POINT_HEAD])
        for result in results:
            names, ends = (result.workload.name, result.chip.name), [*map(repr, roofs(result))]
            for p in roofline_points(result):
                writer.writerow([*names, p.name, repr(p.intensity), repr(p.speed), *ends])


def _name(axes: Any, points: list[Point]) -> None:
    """Operators' names beside their points, the slowest first, where they have room."""
    shown: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: p.speed):
        spot = (np.log10(point.intensity), np.log10(point.speed))
        if not any(abs(spot[0] - x) < 0.65 and abs(spot[1] - y) < 0.12 for x, y in shown):
            shown.append(spot)
            place = (point.intensity, point.speed)
            axes.annotate(point.name, place, (4, -9), textcoords="offset points")
