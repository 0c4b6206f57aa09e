"""The best designs as a table: what they are and what they reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.report.sweep.base import Drawn, NotDrawn, Plot, View
from accelsim.report.sweep.named import design_text, named, require_points
from accelsim.report.sweep.scale import SHORT, boundary_of, figure_of, label_of, said, scale_of
from accelsim.store.measures import MEASURES

HIDDEN = ("macs", "energy_band_joules", "energy_per_inference_joules")


class BestTable(Plot):
    """A line for each named design; letters are those of the pictures."""

    name = "table"
    title = "The best designs"
    question = "Which design is best in each objective, and what does it reach?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        chosen = named(view)
        if not chosen:
            raise NotDrawn("no design has a value of the sweep's objectives")
        d = view.designs
        names = [name for name in (*MEASURES, *sorted(set(d.measures) - set(MEASURES)))
                 if name in d.measures and name not in HIDDEN
                 and any(np.isfinite(d.measures[name][one.row]) for one in chosen)]  # fmt: skip
        keys = view.varied()
        units = {
            name: scale_of(name, np.array([d.measures[name][one.row] for one in chosen])) for name in names
        }
        rows: list[list[str | int | float]] = []
        lines: list[list[str]] = []
        for one in chosen:
            values = [float(d.measures[name][one.row]) for name in names]
            halves = [
                float(np.nan_to_num(d.spread[name][one.row])) if name in d.spread else 0.0 for name in names
            ]
            rows.append([one.letter, one.work, one.base, "PCM" if one.analog else "digital",
                         "; ".join(one.best_in),
                         *(said(d.sets[key].at(one.row)) for key in keys), int(d.repeats[one.row]),
                         *(x for pair in zip((v if np.isfinite(v) else "" for v in values), halves, strict=True)
                           for x in pair)])  # fmt: skip
            lines.append([one.letter, one.work, f"{design_text(view, one.row)} "
                          f"({'PCM' if one.analog else 'digital'})", one.why,
                          *(_text(v, h, units[name][0]) for v, h, name in zip(values, halves, names,
                                                                              strict=True))])  # fmt: skip
        head = ["letter", "workload", "base", "technology", "best in", *keys, "seeds",
                *(x for name in names for x in (name, f"{name} 95 %"))]  # fmt: skip
        shown = ["", "workload", "design", "best in", *(label_of(name, units[name][1]) for name in names)]
        bounds = list(dict.fromkeys(b for name in names if (b := boundary_of(name))))
        return Drawn(None, head, rows, _answer(view), ", ".join(bounds), (), (), (), (shown, lines))


def _text(value: float, half: float, factor: float) -> str:
    if not np.isfinite(value):
        return "-"
    return figure_of(value * factor, 4) + (f" +- {figure_of(half * factor, 2)}" if half else "")


def _answer(view: View) -> str:
    words = []
    for one in named(view):
        if view.context.objectives[0].lstrip("-") in one.best_in:
            name = one.best_in[0]
            value = view.designs.measure(name)
            factor, unit = scale_of(name, value[[one.row]])
            words.append(f"{one.work} on {one.base}: {SHORT.get(name, name)} "
                         f"{figure_of(float(value[one.row]) * factor)} {unit}".rstrip())  # fmt: skip
    return "; ".join(words) + "."
