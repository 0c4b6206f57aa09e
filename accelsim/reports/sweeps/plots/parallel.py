"""Keys and objectives of all designs beside each other: one line a design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.context import better_when_larger
from accelsim.reports.sweeps.looks import left_out, legend_above, looks_of, panels, works_of
from accelsim.reports.sweeps.named import best_of_bases, require_best
from accelsim.reports.sweeps.scale import (
    boundary_of,
    figure_of,
    label_of,
    said,
    scale_of,
    short_keys,
    spread_log,
)
from accelsim.reports.sweeps.table import JOIN, Floats

MOST_KEYS = 6
MOST_LINES = 300
MOST_WORKS = 2


class Parallel(Plot):
    """A panel a workload. Objectives are turned so that better is up; keys rise with their values."""

    name = "parallel"
    title = "Keys and objectives, one line a design"
    question = "What do good designs have in common?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_best(view)
        d = view.designs
        keys = view.varied(view.good)[:MOST_KEYS]
        if not keys:
            raise NotDrawn("no key varies between the designs that keep the constraints")
        measures = [
            name.lstrip("-")
            for name in view.context.objectives
            if np.isfinite(view.cost(name)[view.good]).any()
        ]
        works = works_of(view, view.good)
        made, axes = panels(len(works[:MOST_WORKS]), 2.1, across=1)
        rows: list[list[str | int | float]] = []
        notes = [
            "Thick: best design of each base; an objective is better further up; a line passes below a "
            "key that its base does not vary"
        ]
        for work, place in zip(works, axes, strict=False):
            mine = np.flatnonzero(view.good & d.work.where(work))
            best = {one.row for one in best_of_bases(view) if one.work == work}
            if len(mine) > MOST_LINES:
                kept = np.linspace(0, len(mine) - 1, MOST_LINES).astype(int)
                notes.append(f"{work}: {MOST_LINES} of {len(mine):,} designs drawn, evenly spaced")
                mine = np.union1d(mine[kept], np.array(sorted(best), np.int64))
            _lines(view, place, mine, best, keys, measures)
            place.set_title(work, loc="left")
            rows += [
                [
                    work,
                    str(d.base.at(row)),
                    *(said(d.sets[key].at(row)) for key in keys),
                    *(
                        float(v) if np.isfinite(v := d.measures[name][row]) else ""
                        for name in measures
                    ),
                    int(row in best),
                ]
                for row in mine.tolist()
            ]
        legend_above(made, axes)
        notes += left_out("workloads", works[MOST_WORKS:])
        bounds = list(dict.fromkeys(b for name in measures if (b := boundary_of(name))))
        return Drawn(
            made,
            ["workload", "base", *keys, *measures, "best"],
            rows,
            _answer(view, keys),
            ", ".join(bounds),
            notes,
        )


def _lines(
    view: View, place: Any, mine: Any, best: set[int], keys: Sequence[str], measures: Sequence[str]
) -> None:
    d, names = view.designs, short_keys(keys)
    heights: list[Floats] = []
    labels = []
    for at, key in enumerate(keys):
        column = d.sets[key]
        seen = np.unique(column.codes[mine][column.codes[mine] >= 0])
        rank = np.full(len(column.values) + 1, -0.14)
        rank[seen] = np.linspace(0, 1, len(seen)) if len(seen) > 1 else 0.5
        heights.append(rank[column.codes[mine]])
        for n in seen if len(seen) <= 7 else seen[[0, -1]]:
            _mark(place, said(column.values[n]), at, rank[n])
        labels.append(names[key].replace(".", ".\n").replace(JOIN, "\n+"))
    for name in measures:
        values = d.measures[name][mine]
        factor, unit = scale_of(name, values)
        known = values[np.isfinite(values)]
        log = spread_log(known, 4.0)
        turn = np.log(values) if log else values
        low, high = float(np.nanmin(turn)), float(np.nanmax(turn))
        place01 = (turn - low) / ((high - low) or 1.0)
        if not better_when_larger(name):
            place01 = 1 - place01
        heights.append(np.nan_to_num(place01, nan=-0.14))
        for value, height in (
            (known.min(), 1.0 - better_when_larger(name)),
            (known.max(), float(better_when_larger(name))),
        ):
            _mark(place, figure_of(float(value) * factor), len(labels), height)
        labels.append(label_of(name, unit))
    whole = np.stack(heights, axis=1)
    looks = looks_of(view)
    for at, row in enumerate(mine.tolist()):
        look, top = looks[str(d.base.at(row))], row in best
        place.plot(
            range(len(labels)),
            whole[at],
            linestyle=look.line,
            color=look.colour,
            linewidth=2.2 if top else 0.6,
            alpha=1.0 if top else 0.35,
            zorder=4 if top else 2,
            label=look.label if top else None,
            marker=look.marker if top else None,
            markersize=5,
            markeredgecolor="black",
        )
    place.set_xticks(range(len(labels)), [label.replace(" (", "\n(") for label in labels])
    place.set_xlim(-0.1, len(labels) - 0.6)
    place.set_ylim(-0.2, 1.06)
    place.set_yticks([])
    place.spines["left"].set_visible(False)
    place.grid(True, axis="x", linewidth=0.8)


def _mark(place: Any, text: str, at: float, height: float) -> None:
    behind = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}
    place.annotate(
        text, (at, height), (4, 0), textcoords="offset points", va="center", zorder=6, bbox=behind
    )


def _answer(view: View, keys: Sequence[str]) -> str:
    """Values that the best designs of a base share on all workloads."""
    words, names = [], short_keys(keys)
    for base in dict.fromkeys(one.base for one in best_of_bases(view)):
        rows = [one.row for one in best_of_bases(view) if one.base == base]
        same = [
            f"{names[key]} {said(value)}"
            for key in keys
            if (value := view.designs.sets[key].at(rows[0])) is not None
            and all(view.designs.sets[key].at(row) == value for row in rows)
        ]
        words.append(f"best of {base}: {', '.join(same) or 'nothing in common'}")
    return "On all workloads " + "; ".join(words) + "."
