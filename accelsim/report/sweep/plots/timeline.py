"""The best designs' units over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.report.sweep.base import Drawn, NotDrawn, Plot, View
from accelsim.report.sweep.looks import panels
from accelsim.report.sweep.named import design_text, require_best
from accelsim.report.sweep.scale import figure_of, scale_of
from accelsim.report.timeline import COLOURS, HATCHES, Span, spans
from accelsim.results.result import Result

MOST_UNITS = 10  # rows of a design; of more the first ones and the last are drawn


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
        deep = max(len(_units(result, spans(result))) for result in results)
        made, axes = panels(len(chosen), 0.95 + 0.19 * min(deep, MOST_UNITS + 1), across=1)
        rows: list[list[str | int | float]] = []
        notes, words = [], []
        for one, result, place in zip(chosen, results, axes, strict=True):
            found = spans(result)
            notes += _draw(place, result, found)
            pad = 8 + 2.3 * max((len(s.operator) for s in found), default=0)  # pt: above the names
            place.set_title(f"{one.letter}: {one.work} on {one.base} "
                            f"({'PCM' if one.analog else 'digital'})", loc="left", pad=pad)  # fmt: skip
            notes.append(f"{one.letter}: {design_text(view, one.row)}")
            hertz = result.tick_hz
            rows += [
                [one.letter, one.base, s.unit, s.operator, s.start / hertz, s.end / hertz] for s in found
            ]
            factor, unit = scale_of("latency_seconds", np.array([result.seconds]))
            words.append(f"{one.letter} takes {figure_of(result.seconds * factor)} {unit}")
        return Drawn(made, ["letter", "base", "unit", "operator", "start: s", "end: s"], rows,
                     "; ".join(words) + ".", "", [*dict.fromkeys(notes), "Colours and hatches: operators"],
                     [one.base for one in chosen], [chosen[0].work])  # fmt: skip


def _units(result: Result, found: Sequence[Span]) -> list[str]:
    seen = {span.unit for span in found}
    return list(dict.fromkeys(row.name for row in result.planned.program.units if row.name in seen))


def _draw(place: Any, result: Result, found: Sequence[Span]) -> list[str]:
    units, notes = _units(result, found), []
    core = [
        row.name
        for row in result.planned.program.units
        if result.planned.program.unit_kinds[row.kind] == result.chip.core.name
    ]
    if len(units) > MOST_UNITS:
        others = [name for name in units if name not in core]
        kept = [name for name in units if name in core][: max(1, MOST_UNITS - len(others))]
        notes.append(
            f"{len(units) - len(kept) - len(others)} of {len(core)} {result.chip.core.name} left out for room"
        )
        units = [*kept, *others[: MOST_UNITS - len(kept)]]
    names = list(dict.fromkeys(span.operator for span in sorted(found, key=lambda span: span.start)))
    whole = result.makespan / result.tick_hz
    power = 1e6 if whole < 1e-3 else 1e3
    scale = power / result.tick_hz
    for i, name in enumerate(names):
        colour, hatch = COLOURS[i % len(COLOURS)], HATCHES[i // len(COLOURS) % len(HATCHES)]
        for row, unit in enumerate(units):
            pieces = [
                (s.start * scale, (s.end - s.start) * scale)
                for s in found
                if s.operator == name and s.unit == unit
            ]
            if pieces:
                place.broken_barh(pieces, (row - 0.36, 0.72), color=colour, hatch=hatch, edgecolor="black",
                                  linewidth=0.15, rasterized=len(pieces) > 200)  # fmt: skip
    _name(place, found, [unit for unit in units if unit in core], whole * power, scale)
    place.set_yticks(range(len(units)), units)
    place.set_ylim(len(units) - 0.4, -0.6)
    place.set_xlim(0, whole * power)
    place.set_xlabel(f"time ({'us' if power == 1e6 else 'ms'})")
    return notes


def _name(place: Any, found: Sequence[Span], shown: Sequence[str], whole: float, scale: float) -> None:
    """Operators' names above what the arrays did for them, where there is room."""
    free = -1.0
    mine = [span for span in found if span.unit in shown]
    for name in dict.fromkeys(span.operator for span in sorted(mine, key=lambda span: span.start)):
        start = min(span.start for span in mine if span.operator == name) * scale
        end = max(span.end for span in mine if span.operator == name) * scale
        middle = (start + end) / 2
        if end - start > whole / 60 and middle > free:
            place.annotate(name, (middle, -0.55), (0, 1), textcoords="offset points", rotation=30, ha="left",
                           va="bottom", annotation_clip=False)  # fmt: skip
            free = middle + whole / 22
