"""Accuracy as cells age, and what it costs in energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.looks import (
    age_axis,
    left_out,
    legend_above,
    log_axis,
    looks_of,
    panels,
    share_axis,
    works_of,
)
from accelsim.reports.sweeps.named import Named, best_of_bases, design_text, require_points
from accelsim.reports.sweeps.scale import SHARES, SHORT, figure_of, label_of, scale_of, spread_log
from accelsim.reports.sweeps.statistics import spread_cells, spread_heads
from accelsim.reports.sweeps.table import Bools

ENERGY = "energy_chip_joules"
MOST_WORKS = 2
ROOM = 298.15  # K: shown where a sweep has several temperatures and this one is among them


class Accuracy(Plot):
    """Two panels a workload: the best designs over age, and every design's energy against accuracy at the
    first and at the last age."""

    name = "accuracy"
    title = "Accuracy over age, and energy against accuracy"
    question = "How accurate do the designs stay as their cells age, and at what energy?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        aged = view.designs.aged.measures
        known = [name for name in aged if np.isfinite(aged[name]).any()]
        measure = min(known, key=("top1", "signal_to_noise_db").index) if known else None
        if measure is None:
            raise NotDrawn(
                "no point has values over age; add values: {input: ..., ages: [...]} to the sweep"
            )
        d = view.designs
        has = np.zeros(len(d), bool)
        has[d.aged.row] = True
        works = works_of(view, has)
        made, axes = panels(2 * len(works[:MOST_WORKS]), 2.3)
        drawing = _Drawing(view, measure)
        answers = []
        for number, work in enumerate(works[:MOST_WORKS]):
            answers.append(drawing.over_age(axes[2 * number], work))
            drawing.against_energy(axes[2 * number + 1], work)
            axes[2 * number].set_title(work, loc="left")
        legend_above(made, axes, 3)
        best = SHORT.get(drawing.objective, drawing.objective)
        bars = "the range of the seeds" if measure in SHARES else "95 % over seeds"
        notes = [
            f"Left: design of each base with the best {best}, error bars {bars}; right: all "
            "designs, joined from the first to the last age (outlined)",
            *drawing.notes,
        ]
        notes += left_out("workloads", works[MOST_WORKS:])
        return Drawn(
            made,
            [
                "workload",
                "base",
                "technology",
                "design",
                "panel",
                "age: s",
                "temperature: K",
                "energy: J",
                measure,
                *spread_heads(measure),
            ],
            drawing.rows,
            " ".join(answers),
            "chip",
            notes,
        )


class _Drawing:
    def __init__(self, view: View, measure: str) -> None:
        self.view, self.measure, self.rows = view, measure, list[list[str | int | float]]()
        self.looks = looks_of(view)
        aged = view.designs.aged
        kelvins = np.unique(aged.kelvin[np.isfinite(aged.kelvin)])
        self.kelvin = float(kelvins[np.argmin(np.abs(kelvins - ROOM))]) if len(kelvins) else ROOM
        self.notes = [f"Cells at {self.kelvin:g} K"] if len(kelvins) > 1 else []
        self.here: Bools = np.isnan(aged.kelvin) | (aged.kelvin == self.kelvin)
        self.factor, unit = scale_of(measure, aged.measures[measure])
        self.label = label_of(measure, unit)
        wanted = [objective.lstrip("-") for objective in view.context.objectives]
        self.objective = measure if measure in wanted else wanted[0]

    def series(self, row: int) -> tuple[Any, Any, Any]:
        """(ages, values, (2, ages) spreads) of a design, by age; ages NaN for digital ones."""
        aged = self.view.designs.aged
        value = aged.measures[self.measure]
        mine = np.flatnonzero((aged.row == row) & self.here & np.isfinite(value))
        mine = mine[np.argsort(aged.age[mine])]
        spread = aged.spread.get(self.measure, np.zeros((2, len(value))))
        return aged.age[mine], value[mine] * self.factor, spread[:, mine] * self.factor

    def note(self, one: tuple[int, str], panel: str, series: tuple[Any, Any, Any]) -> None:
        d, (row, work) = self.view.designs, one
        joules = d.measure(ENERGY)[row]
        ages, values, spreads = series
        for age, value, spread in zip(ages, values, spreads.T, strict=True):
            digital = not np.isfinite(age)
            self.rows.append(
                [
                    work,
                    str(d.base.at(row)),
                    "digital" if digital else "PCM",
                    design_text(self.view, row),
                    panel,
                    "" if digital else float(age),
                    "" if digital else self.kelvin,
                    float(joules) if np.isfinite(joules) else "",
                    float(value / self.factor),
                    *spread_cells(self.measure, float(value / self.factor), spread / self.factor),
                ]
            )

    def over_age(self, place: Any, work: str) -> str:
        """Best designs, in accuracy where that is an objective; digital ones as level lines. Returns the
        answer."""
        words, ages = [], list[float]()
        for one in self._chosen(work):
            age, value, spread = self.series(one.row)
            if len(value) == 0:
                continue
            look = self.looks[one.base]
            self.note((one.row, work), "over age", (age, value, spread))
            if not np.isfinite(age).any():
                place.axhline(
                    value[0],
                    color=look.colour,
                    linestyle=look.line,
                    linewidth=1.2,
                    label=look.label,
                )
                words.append(f"{one.base} {figure_of(value[0])}")
                continue
            ages += age.tolist()
            place.errorbar(
                np.maximum(age, 1.0),
                value,
                spread,
                marker=look.marker,
                linestyle=look.line,
                color=look.colour,
                markerfacecolor="white",
                capsize=2,
                label=look.label,
            )
            words.append(
                f"{one.base} {figure_of(value[0])} at first, {figure_of(value[-1])} at the last age"
            )
            self.notes.append(f"{work}: {one.letter} is {design_text(self.view, one.row)}")
        place.set_xlabel("age of the programmed cells")
        place.set_ylabel(self.label)
        share_axis(place, "y", self.measure)
        if ages:
            age_axis(place, ages)
        else:
            place.set_xticks([])
        return f"{work}, {self.label}: " + "; ".join(words) + "."

    def _chosen(self, work: str) -> list[Named]:
        return [one for one in best_of_bases(self.view, self.objective) if one.work == work]

    def against_energy(self, place: Any, work: str) -> None:
        """Every design: energy against the value at the first and last age."""
        d = self.view.designs
        joules = d.measure(ENERGY)
        rows = np.flatnonzero(self.view.good & d.work.where(work) & np.isfinite(joules))
        factor, unit = scale_of(ENERGY, joules[rows])
        if len(rows) > 400:
            self.notes.append(
                f"{work}: 400 of {len(rows):,} designs drawn against energy, evenly spaced in energy"
            )
            rows = rows[np.argsort(joules[rows])][np.linspace(0, len(rows) - 1, 400).astype(int)]
        for row in rows.tolist():
            age, value, spread = self.series(row)
            if len(value) == 0:
                continue
            look, x = self.looks[str(d.base.at(row))], joules[row] * factor
            self.note(
                (row, work),
                "against energy",
                (age[[0, -1]], value[[0, -1]], spread[:, [0, -1]])
                if len(value) > 1
                else (age, value, spread),
            )
            if len(value) > 1:
                place.plot(
                    [x, x], [value[0], value[-1]], color=look.colour, linewidth=0.7, zorder=1
                )
                place.plot(
                    [x], [value[0]], look.marker, color=look.colour, markersize=3.5, alpha=0.5
                )
            place.plot(
                [x],
                [value[-1]],
                look.marker,
                color=look.colour,
                markersize=5,
                markeredgecolor="black",
                markeredgewidth=0.5,
            )
        place.set_xlabel(label_of(ENERGY, unit))
        place.set_ylabel(self.label)
        share_axis(place, "y", self.measure)
        if spread_log(joules[rows], 5.0):
            log_axis(place, "x")
