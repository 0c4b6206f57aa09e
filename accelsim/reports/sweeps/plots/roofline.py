"""What the best designs reach against their peaks and off-chip bandwidths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.reports.roofline import roofline_points, roofs
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.looks import (
    MOST_PANELS,
    left_out,
    legend_above,
    log_axis,
    looks_of,
    panels,
    works_of,
)
from accelsim.reports.sweeps.named import design_text, require_best
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
                look, result = looks[one.base], view.run(one.row)
                peak, bandwidth = roofs(result)
                points = roofline_points(result)
                seen += [p.intensity for p in points]
                place.plot(
                    [p.intensity for p in points],
                    [p.speed for p in points],
                    look.marker,
                    markersize=3,
                    color=look.colour,
                    alpha=0.45,
                    markeredgecolor="none",
                )
                x, y = whole(result)
                if x > 0:
                    seen.append(x)
                    place.plot(
                        [x],
                        [y],
                        look.marker,
                        markersize=8,
                        color=look.colour,
                        markeredgecolor="black",
                        label=look.label,
                        linestyle="none",
                        zorder=4,
                    )
                rows += [
                    [work, one.letter, one.base, p.name, p.intensity, p.speed, peak, bandwidth]
                    for p in points
                ]
                rows.append([work, one.letter, one.base, "(whole)", x, y, peak, bandwidth])
                roof = min(peak, bandwidth * x or peak)
                words.append(
                    f"{work}, {one.base}: {figure_of(100 * y / roof)} % of its roof, "
                    f"{'memory' if roof < peak else 'compute'} bound"
                )
                notes.append(f"{one.letter}: {design_text(view, one.row)}")
            low, high = (min(seen) / 2, max(seen) * 2) if seen else (1.0, 100.0)
            span = np.geomspace(low, high, 100)
            for one in mine[:MOST_DESIGNS]:
                peak, bandwidth = roofs(view.run(one.row))
                place.plot(
                    span,
                    np.minimum(peak, bandwidth * span),
                    looks[one.base].line,
                    color=looks[one.base].colour,
                    linewidth=1.0,
                    zorder=1,
                )
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
            [
                "workload",
                "letter",
                "base",
                "operator",
                "macs_per_byte",
                "gmacs_per_second",
                "peak_gmacs_per_second",
                "off_chip_gbytes_per_second",
            ],
            rows,
            "; ".join(words) + ".",
            "",
            notes,
        )


def whole(result: Result) -> tuple[float, float]:
    """(multiply-accumulates an off-chip byte, G multiply-accumulates a second) of a run; 0 without
    traffic."""
    moved = sum(row.dram_read_bytes + row.dram_written_bytes for row in result.operators)
    macs = result.workload.macs
    return (macs / moved if moved else 0.0), macs / result.seconds / 1e9 if result.seconds else 0.0
