"""Pictures of one run: energy by component and array time by cause, with their points as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.energy.components import component_of
from accelsim.escaping import CsvWriter
from accelsim.report.style import CAUSES, COMPONENTS, below, figure, save
from accelsim.results.result import Result

MOST_BARS = 40


def energy_points(result: Result) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Microjoules by component and operator; static energy is shared out by operators' cycles."""
    rows = [row for row in result.operators if row.cycles]
    place = {row.name: i for i, row in enumerate(rows)}
    names = [op.name for op in result.workload.operators]
    share = np.array([row.cycles for row in rows], np.float64)
    share /= max(1.0, share.sum())
    points = {name: np.zeros(len(rows)) for name in COMPONENTS}
    for row in result.energy.rows:
        memory = result.chip.memories.get(row.unit)
        part = points[component_of(getattr(memory, "kind", ""), row.action)]
        if row.operator < 0:
            part += share * row.joules * 1e6
        else:
            part[place[names[row.operator]]] += row.joules * 1e6
    return [row.name for row in rows], points


def time_points(result: Result) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Thousands of array cycles by cause and MAC operator, all instances added."""
    rows = [row for row in result.operators if row.macs]
    points = {name: np.zeros(len(rows)) for name in CAUSES}
    for i, row in enumerate(rows):
        points["busy"][i] = row.busy_cycles / 1e3
        for cause, cycles in row.stalled_cycles.items():
            points[cause][i] = cycles / 1e3
    return [row.name for row in rows], points


def caption(result: Result, boundary: str) -> str:
    """Chip, workload, technology, boundary and assumptions of a picture."""
    chip, tech = result.chip, result.chip.technology
    text = (
        f"{result.workload.name} on {chip.name}: {result.cycles:,} cycles of "
        f"{chip.clocks[chip.core.clock] / 1e6:g} MHz, {result.joules * 1e6:,.1f} uJ "
        f"(+- {result.energy.band / result.joules:.0%} from the constants). "
        f"{tech.node * 1e9:g} nm, {tech.voltage:g} V; boundary: {boundary}; "
        + "; ".join(result.assumptions[:4])
    )
    return text + "."


def draw(result: Result, folder: Path, formats: Sequence[str] = ("png", "svg")) -> None:
    """Write energy.png, energy.svg, energy_points.csv and the same of utilisation."""
    names, points = energy_points(result)
    _stacked(folder, "energy", names, points, COMPONENTS, "energy (uJ)",
             caption(result, "chip"), None, formats)  # fmt: skip
    names, points = time_points(result)
    rows = [row.utilisation for row in result.operators if row.macs]
    _stacked(folder, "utilisation", names, points, CAUSES, "array time (1,000 cycles)",
             caption(result, "chip"), np.array(rows) * 100, formats)  # fmt: skip


def _stacked(folder: Path, stem: str, names: list[str], points: dict[str, NDArray[np.float64]],
             looks: dict[str, tuple[str, str, str]], label: str, text: str,
             line: NDArray[np.float64] | None, formats: Sequence[str]) -> None:  # fmt: skip
    with (folder / f"{stem}_points.csv").open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        extra = [] if line is None else ["utilisation_percent"]
        writer.writerow(["operator", *(f"{key}: {label}" for key in points), *extra])
        for i, name in enumerate(names):
            more = [] if line is None else [repr(float(line[i]))]
            writer.writerow([name, *(repr(float(part[i])) for part in points.values()), *more])
    if len(names) > MOST_BARS:
        names, points, line = _largest(names, points, line)
    made, axes, _ = figure(3.6)
    place = np.arange(len(names))
    base = np.zeros(len(names))
    for key, (title, colour, hatch) in looks.items():
        if points[key].any():
            axes.bar(place, points[key], 0.78, base, label=title, color=colour, hatch=hatch,
                     edgecolor="black", linewidth=0.4)  # fmt: skip
            base += points[key]
    axes.set_ylabel(label)
    axes.set_ylim(0, max(float(base.max(initial=0.0)) * 1.05, 1e-12))
    axes.set_xlim(-0.6, max(len(names) - 0.4, 0.6))
    turned = len(names) > 6
    axes.set_xticks(place, names, rotation=55 if turned else 0, ha="right" if turned else "center",
                    rotation_mode="anchor" if turned else "default")  # fmt: skip
    handles, labels = axes.get_legend_handles_labels()
    if line is not None:
        _line(axes, place, line, handles, labels)
    axes.legend(handles, labels, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.01))
    below(made, text)
    save(made, folder, stem, formats)


def _line(axes: Any, place: NDArray[np.intp], line: NDArray[np.float64], handles: list[Any],
          labels: list[str]) -> None:  # fmt: skip
    other = axes.twinx()
    other.spines["right"].set_visible(True)
    (drawn,) = other.plot(place, line, "ko", markersize=4, markerfacecolor="white")
    other.set_ylim(0, 105)
    other.set_ylabel("utilisation (%)")
    handles.append(drawn)
    labels.append("utilisation")


def _largest(names: list[str], points: dict[str, NDArray[np.float64]],
             line: NDArray[np.float64] | None) -> tuple[
                 list[str], dict[str, NDArray[np.float64]], NDArray[np.float64] | None]:  # fmt: skip
    """The MOST_BARS - 1 largest operators in order, and the sum of the others."""
    total = np.sum(list(points.values()), axis=0)
    keep = np.sort(np.argsort(total)[::-1][: MOST_BARS - 1])
    rest = np.setdiff1d(np.arange(len(names)), keep)
    merged = {key: np.append(part[keep], part[rest].sum()) for key, part in points.items()}
    ends = None if line is None else np.append(line[keep], line[rest].mean())
    return [names[i] for i in keep] + [f"{len(rest)} others"], merged, ends
