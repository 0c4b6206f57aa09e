"""The best designs' units over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.looks import panels
from accelsim.reports.sweeps.named import design_text, require_best
from accelsim.reports.sweeps.scale import figure_of, scale_of
from accelsim.reports.timeline import READ_SO, keys, moments, paint

MANY = 3  # more units of a kind are one row


class Timeline(Plot):
    """A panel for the best digital and the best PCM design of the sweep's first workload."""

    name = "timeline"
    title = "Timeline of the best designs"
    question = "When does each unit of the best designs work, and on what?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        best = require_best(view)
        if view.rerun is None:
            raise NotDrawn(view.without_rerun)
        objective = view.context.objectives[0]
        chosen = []
        for analog in (False, True):
            mine = [one for one in best if one.work == best[0].work and one.analog == analog]
            if mine:
                chosen.append(min(mine, key=lambda one: float(view.cost(objective)[one.row])))
        results = [view.run(one.row) for one in chosen]
        parts = [moments(result, many=MANY) for result in results]
        made, axes = panels(
            len(chosen), 0.95 + 0.24 * max(len(found.rows) for found in parts), across=1
        )
        rows: list[list[str | int | float]] = []
        notes, words = [], []
        for one, result, found, place in zip(chosen, results, parts, axes, strict=True):
            power = 1e6 if result.seconds < 1e-3 else 1e3
            paint(place, found, power / result.tick_hz)
            place.set_xlabel(f"time ({'us' if power == 1e6 else 'ms'})")
            pad = 8 + 2.7 * max(len(name) for name in found.operators)  # pt: above the names
            place.set_title(
                f"{one.letter}: {one.work} on {one.base} ({'PCM' if one.analog else 'digital'})",
                loc="left",
                pad=pad,
            )
            notes.append(f"{one.letter}: {design_text(view, one.row)}")
            rows += [[one.letter, one.base, *line] for line in found.lines(1 / result.tick_hz)]
            factor, unit = scale_of("latency_seconds", np.array([result.seconds]))
            words.append(f"{one.letter} takes {figure_of(result.seconds * factor)} {unit}")
        made.legend(handles=keys(), ncols=4, loc="outside upper left")
        return Drawn(
            made,
            ["letter", "base", "unit", "operator", "start: s", "end: s", "busy: s", "waiting: s"],
            rows,
            "; ".join(words) + ".",
            "",
            [*notes, READ_SO.strip()],
            [one.base for one in chosen],
            [chosen[0].work],
        )
