"""The best designs as a table: what they are and what they reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.joint import joint_view
from accelsim.reports.sweeps.named import Named, design_text, named, require_points
from accelsim.reports.sweeps.scale import (
    SHARES,
    SHORT,
    boundary_of,
    figure_of,
    label_of,
    said,
    scale_of,
)
from accelsim.reports.sweeps.statistics import spread_cells, spread_heads
from accelsim.reports.sweeps.table import Floats
from accelsim.store.measures import MEASURES

HIDDEN = ("macs", "energy_band_joules", "energy_per_inference_joules")


class BestTable(Plot):
    """A line for each named design; letters are those of the pictures."""

    name = "table"
    title = "The best designs"
    question = "Which design is best in each objective, and what does it reach?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        chosen = [(view, one) for one in named(view)]
        if not chosen:
            raise NotDrawn("no design has a value of the sweep's objectives")
        other = joint_view(view, len(chosen))
        chosen += [(other, one) for one in named(other)] if other is not None else []
        known = {name for seen, _ in chosen for name in seen.designs.measures}
        names = [
            name
            for name in (*MEASURES, *sorted(known - set(MEASURES)))
            if name not in HIDDEN
            and any(np.isfinite(_value(seen, name, one)) for seen, one in chosen)
        ]
        keys = view.varied()
        units = {
            name: scale_of(name, np.array([_value(seen, name, one) for seen, one in chosen]))
            for name in names
        }
        rows: list[list[str | int | float]] = []
        lines: list[list[str]] = []
        for seen, one in chosen:
            d, technology = seen.designs, "PCM" if one.analog else "digital"
            known_by = [one.letter, one.work, one.base, technology, "; ".join(one.best_in)]
            sets = (said(d.sets[key].at(one.row)) for key in keys)
            figures = (cell for name in names for cell in _figures(seen, name, one))
            rows.append([*known_by, *sets, int(d.repeats[one.row]), *figures])
            texts = (
                _text(name, _value(seen, name, one), _spread(seen, name, one), units[name][0])
                for name in names
            )
            design = f"{design_text(seen, one.row)} ({technology})"
            lines.append([one.letter, one.work, design, one.why, *texts])
        head = [
            "letter",
            "workload",
            "base",
            "technology",
            "best in",
            *keys,
            "seeds",
            *(x for name in names for x in (name, *spread_heads(name))),
        ]
        shown = [
            "",
            "workload",
            "design",
            "best in",
            *(label_of(name, units[name][1]) for name in names),
        ]
        bounds = list(dict.fromkeys(b for name in names if (b := boundary_of(name))))
        answer = _answer(view) + (f" {_answer(other)}" if other is not None else "")
        return Drawn(None, head, rows, answer, ", ".join(bounds), (), (), (), (shown, lines))


def _figures(view: View, name: str, one: Named) -> list[str | float]:
    """A measure's value and what its seeds give beside it, empty where there is none."""
    value = _value(view, name, one)
    cells = spread_cells(name, value, _spread(view, name, one))
    return [value, *cells] if np.isfinite(value) else [""] * (1 + len(cells))


def _value(view: View, name: str, one: Named) -> float:
    return float(view.designs.measure(name)[one.row])


def _spread(view: View, name: str, one: Named) -> Floats:
    """(2,) how far the seeds lie below and above."""
    found = view.designs.spread.get(name)
    return np.zeros(2) if found is None else np.nan_to_num(found[:, one.row])


def _text(name: str, value: float, spread: Floats, factor: float) -> str:
    if not np.isfinite(value):
        return "-"
    text = figure_of(value * factor, 4)
    if not spread.any():
        return text
    if name in SHARES:
        least, most = (figure_of(x * factor, 4) for x in spread_cells(name, value, spread))
        return f"{text} ({least} to {most})"
    return f"{text} +- {figure_of(float(spread[1]) * factor, 2)}"


def _answer(view: View) -> str:
    words = []
    for one in named(view):
        if view.context.objectives[0].lstrip("-") in one.best_in:
            name = one.best_in[0]
            value = view.designs.measure(name)
            factor, unit = scale_of(name, value[[one.row]])
            words.append(
                f"{one.work} on {one.base}: {SHORT.get(name, name)} "
                f"{figure_of(float(value[one.row]) * factor)} {unit}".rstrip()
            )
    return "; ".join(words) + "."
