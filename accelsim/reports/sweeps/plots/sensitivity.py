"""Which varied key decides a measure: shares of its variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.choices import measure_named
from accelsim.reports.sweeps.looks import Look, bases_of, legend_above, looks_of, panels, works_of
from accelsim.reports.sweeps.named import require_points
from accelsim.reports.sweeps.scale import SHARES, SHORT, boundary_of, short_keys
from accelsim.reports.sweeps.variance import BINS, effects

MOST_MEASURES = 3
FEWEST = 4  # designs of a base, below which shares say nothing
Row = tuple[str, str, float, float]  # base, key, main, total: shares


class Sensitivity(Plot):
    """A panel a measure, a bar for each key that varies in a base; workloads are pooled, each about its
    own mean."""

    name = "sensitivity"
    title = "Sensitivity to each varied key"
    question = "Which key decides each measure?"
    options = "MEASURE,... (default: the sweep's objectives)"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        wanted = [measure_named(view, word).lstrip("-") for word in options] or [
            name.lstrip("-") for name in view.context.objectives
        ]
        found = {name: rows for name in wanted if (rows := shares(view, name))}
        if not found:
            raise NotDrawn(f"no base has {FEWEST} designs whose varied keys change a measure")
        measures = list(found)[:MOST_MEASURES]
        lines = list(
            dict.fromkeys((base, key) for name in measures for base, key, _, _ in found[name])
        )
        names = short_keys([key for _, key in lines])
        height = 0.6 + 0.2 * len(lines)
        made, axes = panels(len(measures), height, across=3, sharey=True)
        looks = looks_of(view)
        for name, place in zip(measures, axes, strict=True):
            _panel(place, found[name], lines, looks)
            place.set_title(SHORT.get(name, name), loc="left")
            place.set_xlabel("share of the variance (%)")
        axes[0].set_yticks(range(len(lines)), [f"{base}: {names[key]}" for base, key in lines])
        axes[0].invert_yaxis()
        legend_above(made, axes)
        grid = view.context.sampling == "grid"
        notes = [
            "Filled: alone (main effect); outline: with all interactions"
            if grid
            else f"Filled: alone, of {BINS} bins a key, less what chance gives; outline: with pairs",
            "Variance of the logarithm, of shares and dB of the value itself; within each base and "
            "workload, designs that break constraints included",
        ]
        if grid and (gaps := _gaps(view)):
            notes.append(
                f"The grid has gaps on {', '.join(gaps)}, so that effects of keys overlap there"
            )
        if len(found) > MOST_MEASURES:
            notes.append(f"Measures left out for room: {', '.join(list(found)[MOST_MEASURES:])}")
        points = [(name, *row) for name in found for row in found[name]]
        bounds = list(dict.fromkeys(b for name in measures if (b := boundary_of(name))))
        return Drawn(
            made,
            ["measure", "base", "key", "main effect", "total effect"],
            points,
            " ".join(_answer(name, found[name], names) for name in measures),
            ", ".join(bounds),
            notes,
        )


def shares(view: View, measure: str) -> list[Row]:
    """Shares of each base's keys, pooled over workloads; bases of few designs or without variance left out."""
    d = view.designs
    raw = d.measure(measure)
    logs = measure not in (*SHARES, "signal_to_noise_db")
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.log10(raw) if logs else raw
    usable = d.ok & np.isfinite(value)
    found: list[Row] = []
    for base in bases_of(view):
        mine = usable & d.base.where(base)
        keys = view.varied(mine)
        sums, whole = {key: [0.0, 0.0] for key in keys}, 0.0
        for work in works_of(view, mine):
            rows = np.flatnonzero(mine & d.work.where(work))
            if len(rows) < FEWEST:
                continue
            parts, total = effects(d, rows, keys, value[rows], view.context.sampling == "grid")
            if total <= 1e-18 * len(rows):
                continue
            whole += total
            for key, effect in parts.items():
                sums[key][0] += effect.main
                sums[key][1] += effect.total
        if whole > 0:
            found += [
                (base, key, min(1.0, main / whole), min(1.0, max(main, total) / whole))
                for key, (main, total) in sums.items()
            ]
    return found


def _gaps(view: View) -> list[str]:
    """Bases whose designs with measures are no full grid of their keys and workloads."""
    d = view.designs
    found = []
    for base in bases_of(view):
        mine = d.ok & d.base.where(base)
        whole = len(works_of(view, mine)) * max(1, len(np.unique(d.search.codes[mine])))
        for key in view.varied(mine):
            whole *= len(np.unique(d.sets[key].codes[mine]))
        if whole != int(mine.sum()):
            found.append(base)
    return found


def _panel(
    place: Any, rows: Sequence[Row], lines: Sequence[tuple[str, str]], looks: dict[str, Look]
) -> None:
    for base, key, main, total in rows:
        at, look = lines.index((base, key)), looks[base]
        place.barh(at, 100 * total, 0.72, facecolor="none", edgecolor="black", linewidth=0.8)
        place.barh(
            at,
            100 * main,
            0.72,
            color=look.colour,
            hatch=look.hatch,
            edgecolor="black",
            linewidth=0.4,
            label=look.label,
        )
    place.set_xlim(0, 103)
    place.grid(True, axis="x", linewidth=0.3, alpha=0.5)
    place.set_axisbelow(True)


def _answer(measure: str, rows: Sequence[Row], names: dict[str, str]) -> str:
    words = []
    for base in dict.fromkeys(row[0] for row in rows):
        top = max((row for row in rows if row[0] == base), key=lambda row: row[3])
        words.append(f"{names[top[1]]} decides {100 * top[3]:.0f} % on {base}")
    return f"{SHORT.get(measure, measure)}: {', '.join(words)}."
