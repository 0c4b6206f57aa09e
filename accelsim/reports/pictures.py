"""Pictures of one run: energy by component and array time by cause, with their points as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim import resources
from accelsim.energy.components import component_of
from accelsim.errors import InputError
from accelsim.escaping import CsvWriter
from accelsim.reports.style import CAUSES, COMPONENTS, REST, below, figure, save, stacked
from accelsim.results.breakdown import arrays_of, within_operators
from accelsim.results.result import Result, peak_macs_per_cycle

MOST_BARS = 40
LONGEST_NAME = 25
ADDED = (
    " Bars: what the arrays did in the cycles that each operator adds; together they are the run. "
    "Utilisation: multiply-accumulates over the peak in those cycles."
)


def energy_points(result: Result) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Microjoules by component and operator; static energy is shared out by operators' cycles."""
    rows = [row for row in result.operators if row.ran]
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


@dataclass(frozen=True, slots=True)
class Share:
    """A share that may be merged: useful and possible multiply-accumulates of each operator."""

    useful: NDArray[np.float64]
    possible: NDArray[np.float64]

    @property
    def percent(self) -> NDArray[np.float64]:
        """Of each operator; NaN where it has none to do or adds no cycles."""
        given = (self.possible > 0) & (self.useful > 0)
        return np.where(given, 100 * self.useful / np.where(given, self.possible, 1.0), np.nan)

    def merged(self, keep: NDArray[np.intp], rest: NDArray[np.intp]) -> Share:
        """Those that are kept, and all others as one: their work over what could have been done."""
        return Share(
            *(np.append(part[keep], part[rest].sum()) for part in (self.useful, self.possible))
        )


def time_points(result: Result) -> tuple[list[str], dict[str, NDArray[np.float64]], Share]:
    """Thousands of array cycles by cause in the cycles that each operator adds, all instances added, and its
    utilisation of them. All bars together are the run times the arrays."""
    kept = [i for i, row in enumerate(result.operators) if row.ran]
    rows = [result.operators[i] for i in kept]
    arrays = arrays_of(result)
    found = within_operators(result, arrays)
    tick = result.tick_hz // result.chip.clocks[result.chip.core.clock]
    points = {name: found[name][kept] / tick / 1e3 for name in (*CAUSES, "idle")}
    points["busy"] += found["drain"][kept] / tick / 1e3
    peak = peak_macs_per_cycle(result.chip)
    return (
        [row.name for row in rows],
        points,
        Share(
            np.array([float(row.macs) for row in rows]),
            np.array([float(peak * row.cycles) for row in rows]),
        ),
    )


def caption(result: Result, boundary: str) -> str:
    """Chip, workload, technology, boundary and assumptions of a picture."""
    chip, tech = result.chip, result.chip.technology
    text = (
        f"{result.workload.name} on {chip.name}: {result.cycles:,} cycles of "
        f"{chip.clocks[chip.core.clock] / 1e6:g} MHz, {result.joules * 1e6:,.4g} uJ "
        f"(+- {result.energy.band / result.joules:.0%} from the constants). "
        f"{tech.node * 1e9:g} nm, {tech.voltage:g} V; boundary: {boundary}; "
        + "; ".join(result.assumptions[:4])
    )
    return text + "."


def draw(result: Result, folder: Path, formats: Sequence[str] = ("png", "svg")) -> None:
    """Write energy.png, energy.svg, energy_points.csv and the same of utilisation, which needs the table of commands:
    there is none where the rows of a run passed and their table would not fit."""
    text = caption(result, "chip")
    bars = Bars(*energy_points(result), None)
    _stacked(bars, Look("energy", COMPONENTS, "energy (uJ)", text), folder, formats)
    try:
        bars = Bars(*time_points(result))
    except InputError as error:
        if error.problems[0].code != resources.TOO_MUCH:
            raise
        return
    looks = {**CAUSES, "idle": REST}
    look = Look("utilisation", looks, "array time (1,000 cycles)", text + ADDED)
    _stacked(bars, look, folder, formats)


class Bars(NamedTuple):
    """A bar for each operator, of the parts by their keys; a share as a line over them."""

    names: list[str]
    points: dict[str, NDArray[np.float64]]
    share: Share | None


class Look(NamedTuple):
    """Name of the files; title, colour and hatch of each part; label of the axis; the caption."""

    stem: str
    parts: dict[str, tuple[str, str, str]]
    label: str
    text: str


def _stacked(bars: Bars, look: Look, folder: Path, formats: Sequence[str]) -> None:
    (names, points, share), (stem, looks, label, text) = bars, look
    line = None if share is None else share.percent
    with (folder / f"{stem}_points.csv").open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        extra = [] if line is None else ["utilisation_percent"]
        writer.writerow(["operator", *(f"{key}: {label}" for key in points), *extra])
        for i, name in enumerate(names):
            more = [] if line is None else ["" if np.isnan(line[i]) else repr(float(line[i]))]
            writer.writerow([name, *(repr(float(part[i])) for part in points.values()), *more])
    if len(names) > MOST_BARS:
        names, points, share = _largest(bars)
        line = None if share is None else share.percent
    made, axes = figure(3.6)
    place = np.arange(len(names))
    base = stacked(axes, {key: points[key] for key in looks}, looks, 0.78)
    axes.set_ylabel(label)
    axes.set_ylim(0, max(float(base.max(initial=0.0)) * 1.05, 1e-12))
    axes.set_xlim(-0.6, max(len(names) - 0.4, 0.6))
    turned = len(names) > 6
    axes.set_xticks(
        place,
        [in_short(name) for name in names],
        rotation=55 if turned else 0,
        ha="right" if turned else "center",
        rotation_mode="anchor" if turned else "default",
    )
    handles, labels = axes.get_legend_handles_labels()
    if line is not None:
        _line(axes, place, line, handles, labels)
    axes.legend(handles, labels, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.01))
    below(made, text)
    save(made, folder, stem, formats)


def in_short(name: str) -> str:
    """A name that leaves room for the bars: of a long one the beginning and the end."""
    half = (LONGEST_NAME - 3) // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}...{name[-half:]}"


def _line(
    axes: Any,
    place: NDArray[np.intp],
    line: NDArray[np.float64],
    handles: list[Any],
    labels: list[str],
) -> None:
    other = axes.twinx()
    other.spines["right"].set_visible(True)
    (drawn,) = other.plot(place, line, "ko", markersize=4, markerfacecolor="white")
    other.set_ylim(0, max(105.0, 1.05 * float(np.nanmax(line, initial=0.0))))
    other.set_ylabel("utilisation (%)")
    handles.append(drawn)
    labels.append("utilisation")


def _largest(bars: Bars) -> Bars:
    """The MOST_BARS - 1 largest operators in order, and the sum of the others."""
    names, points, share = bars
    total = np.sum(list(points.values()), axis=0)
    keep = np.sort(np.argsort(total)[::-1][: MOST_BARS - 1])
    rest = np.setdiff1d(np.arange(len(names)), keep)
    merged = {key: np.append(part[keep], part[rest].sum()) for key, part in points.items()}
    whole = None if share is None else share.merged(keep, rest)
    return Bars([names[i] for i in keep] + [f"{len(rest)} others"], merged, whole)
