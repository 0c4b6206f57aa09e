"""Where the joules of the best designs go, side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.reports.style import COMPONENTS, STACK, stacked
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.looks import MOST_PANELS, left_out, legend_above, panels, works_of
from accelsim.reports.sweeps.named import Named, design_text, named, require_points
from accelsim.reports.sweeps.scale import figure_of, label_of, scale_of
from accelsim.reports.sweeps.table import Floats

ENERGY = "energy_chip_joules"
MOST_BARS = 9


class Energy(Plot):
    """A panel a workload; a bar for the best design of each base in each objective."""

    name = "energy"
    title = "Energy by component of the best designs"
    question = "Where do the joules of the best designs go?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        chosen = [one for one in named(view) if np.isfinite(view.designs.measure(ENERGY)[one.row])]
        if not chosen or not view.designs.parts:
            raise NotDrawn(
                "the points have no energy by component; add energy to the sweep's measures"
            )
        works = works_of(view, view.good)
        shown = works[:MOST_PANELS]
        bars = max(sum(one.work == work for one in chosen) for work in shown)
        made, axes = panels(len(shown), 2.2, across=2 if bars <= 5 else 1)
        notes, rows, answers = [], [], []
        names = [
            n
            for n in (*STACK, *sorted(set(view.designs.parts) - set(STACK)))
            if n in view.designs.parts
        ]
        for work, place in zip(shown, axes, strict=True):
            mine = [one for one in chosen if one.work == work]
            notes += left_out("designs", [one.letter for one in mine[MOST_BARS:]])
            mine = mine[:MOST_BARS]
            rows += _bars(view, place, mine, names)
            place.set_title(work, loc="left")
            answers.append(_answer(view, work, mine, names))
        legend_above(made, axes, 4)
        notes += [
            f"{one.letter}: {design_text(view, one.row)} ({one.why})"
            for one in chosen
            if one.work in shown
        ][:8]
        notes += left_out("workloads", works[MOST_PANELS:])
        head = [
            "workload",
            "letter",
            "base",
            "technology",
            "best in",
            *(f"{n}: J" for n in names),
            "sum: J",
            "measured: J",
            "95 %: J",
        ]
        return Drawn(made, head, rows, " ".join(answers), "chip", notes)


def _heights(view: View, mine: Sequence[Named], name: str) -> Floats:
    return np.array([view.designs.parts[name][one.row] for one in mine])


def _bars(
    view: View, place: Any, mine: Sequence[Named], names: Sequence[str]
) -> list[list[str | int | float]]:
    whole = np.array([view.designs.measure(ENERGY)[one.row] for one in mine])
    factor, unit = scale_of(ENERGY, whole)
    at = np.arange(len(mine))
    heights = {name: _heights(view, mine, name) * factor for name in names}
    base = stacked(place, heights, COMPONENTS, 0.66)
    half = [
        float(view.designs.spread[ENERGY][1, one.row]) * factor
        if ENERGY in view.designs.spread
        else 0.0
        for one in mine
    ]
    if any(half):
        place.errorbar(at, base, half, linestyle="none", color="black", capsize=2, elinewidth=0.8)
    for i in range(len(mine)):
        place.annotate(
            figure_of(base[i]),
            (i, base[i] + half[i]),
            (0, 2),
            ha="center",
            textcoords="offset points",
        )
    ticks = [
        "\n".join([one.letter, *_lines(one.base), "PCM" if one.analog else "digital"])
        for one in mine
    ]
    place.set_xticks(at, ticks)
    place.set_xlim(-0.6, max(len(mine) - 0.4, 2.4))
    place.set_ylim(0, float(base.max()) * 1.14 or 1.0)
    place.set_ylabel(label_of(ENERGY, unit))
    return [
        [
            one.work,
            one.letter,
            one.base,
            "PCM" if one.analog else "digital",
            "; ".join(one.best_in),
            *(float(view.designs.parts[name][one.row]) for name in names),
            float(base[i] / factor),
            float(whole[i]),
            half[i] / factor,
        ]
        for i, one in enumerate(mine)
    ]


def _answer(view: View, work: str, mine: Sequence[Named], names: Sequence[str]) -> str:
    least = min(mine, key=lambda one: float(view.designs.measure(ENERGY)[one.row]))
    parts = {name: float(view.designs.parts[name][least.row]) for name in names}
    top = max(parts, key=lambda name: parts[name])
    share = parts[top] / (sum(parts.values()) or 1.0)
    return (
        f"{work}: least energy is {least.letter} ({design_text(view, least.row)}); its largest part is "
        f"{COMPONENTS.get(top, (top,))[0]}, {100 * share:.0f} %."
    )


def _lines(name: str) -> list[str]:
    """A base's name in two lines at most, broken behind an underscore where there is one."""
    return [line.replace("_ ", "_") for line in textwrap.wrap(name.replace("_", "_ "), 12)[:2]]
