"""What the best designs reach against their peaks and off-chip bandwidths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.reports.roofline import POINT_HEAD, Point, roofline_points, roofs
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.looks import (
    MOST_PANELS,
    Look,
    left_out,
    legend_above,
    log_axis,
    looks_of,
    panels,
    works_of,
)
from accelsim.reports.sweeps.named import Named, design_text, require_best
from accelsim.reports.sweeps.scale import figure_of
from accelsim.results.result import Result

MOST_DESIGNS = 6  # of a panel


class Roofline(Plot):
    """A panel a workload: each base's best design whole (large) and by operator (small)."""

    name = "roofline"
    title = "Roofline of the best designs"
    question = "Are the best designs bound by their arrays or by off-chip memory?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        best = require_best(view)
        if view.rerun is None:
            raise NotDrawn(view.without_rerun)
        works = works_of(view, view.good)
        shown = works[:MOST_PANELS]
        made, axes = panels(len(shown), 2.4)
        looks = looks_of(view)
        rows: list[list[str | int | float]] = []
        words: list[str] = []
        notes = [
            "MAC: multiply-accumulates. Large: the whole network; small: its operators; lines: peak and "
            "off-chip bandwidth"
        ]
        for work, place in zip(shown, axes, strict=True):
            mine = [one for one in best if one.work == work]
            notes += left_out("designs", [one.letter for one in mine[MOST_DESIGNS:]])
            seen: list[float] = []
            for one in mine[:MOST_DESIGNS]:
                result = view.run(one.row)
                seen += _reached(place, looks[one.base], result)
                rows += _rows(one, result)
                words.append(_bound(one, result))
                notes.append(f"{one.letter}: {design_text(view, one.row)}")
            low, high = (min(seen) / 2, max(seen) * 2) if seen else (1.0, 100.0)
            span = np.geomspace(low, high, 100)
            for one in mine[:MOST_DESIGNS]:
                peak, bandwidth = roofs(view.run(one.row))
                look, roof = looks[one.base], np.minimum(peak, bandwidth * span)
                place.plot(span, roof, look.line, color=look.colour, linewidth=1.0, zorder=1)
            for axis in "xy":
                log_axis(place, axis)
            place.set_title(work, loc="left")
            place.set_xlabel("MAC an off-chip byte")
            place.set_ylabel("GMAC/s")
            place.grid(True, linewidth=0.3, alpha=0.5)
        legend_above(made, axes)
        notes += left_out("workloads", works[MOST_PANELS:])
        return Drawn(
            made,
            ["workload", "letter", "base", *POINT_HEAD],
            rows,
            "; ".join(words) + ".",
            "",
            notes,
        )


def _reached(place: Any, look: Look, result: Result) -> list[float]:
    """Mark what a run's operators and the whole of it reached; their intensities."""
    points, (x, y) = roofline_points(result), whole(result)
    seen = [p.intensity for p in points]
    small = {"markersize": 3, "alpha": 0.45, "markeredgecolor": "none"}
    place.plot(seen, [p.speed for p in points], look.marker, color=look.colour, **small)
    if x > 0:
        large = {"markersize": 8, "markeredgecolor": "black", "linestyle": "none", "zorder": 4}
        place.plot([x], [y], look.marker, color=look.colour, label=look.label, **large)
    return [*seen, x] if x > 0 else seen


def _rows(one: Named, result: Result) -> list[list[str | int | float]]:
    """Points of the CSV: every operator, then the whole."""
    points = [Point("(whole)", *whole(result))]
    return [
        [one.work, one.letter, one.base, p.name, p.intensity, p.speed, *roofs(result)]
        for p in (*roofline_points(result), *points)
    ]


def _bound(one: Named, result: Result) -> str:
    """What the whole reached of its roof, in words."""
    (peak, bandwidth), (x, y) = roofs(result), whole(result)
    roof = min(peak, bandwidth * x or peak)
    bound = "memory" if roof < peak else "compute"
    return f"{one.work}, {one.base}: {figure_of(100 * y / roof)} % of its roof, {bound} bound"


def whole(result: Result) -> tuple[float, float]:
    """(multiply-accumulates an off-chip byte, G multiply-accumulates a second) of a run; 0 without
    traffic."""
    moved = sum(row.dram_read_bytes + row.dram_written_bytes for row in result.operators)
    macs = result.workload.macs
    return (macs / moved if moved else 0.0), macs / result.seconds / 1e9 if result.seconds else 0.0
