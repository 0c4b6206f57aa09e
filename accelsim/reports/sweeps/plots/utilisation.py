"""What the arrays of the best designs do with their time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.reports.style import CAUSES, REST
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.looks import left_out, legend_above, panels
from accelsim.reports.sweeps.named import Named, design_text, require_best
from accelsim.reports.sweeps.scale import figure_of
from accelsim.reports.sweeps.table import Floats
from accelsim.results.result import Result

MOST_BARS = 12
LOOKS = {**CAUSES, "idle": REST}


class Utilisation(Plot):
    """A bar for the best design of each base and workload, cut by cause where it can be run again."""

    name = "utilisation"
    title = "Array time of the best designs"
    question = "How busy are the arrays of the best designs, and what do they wait for?"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        best = require_best(view)
        value = view.designs.measure("utilisation")
        chosen = [one for one in best if np.isfinite(value[one.row])]
        if not chosen:
            raise NotDrawn("no point has a utilisation; add latency to the sweep's measures")
        shown = chosen[:MOST_BARS]
        parts = (
            {one.row: shares(view.run(one.row)) for one in shown} if view.rerun is not None else {}
        )
        used: Floats = np.array([value[one.row] for one in shown]) * 100
        made = _bars(shown, parts, used)
        notes = [f"{one.letter}: {design_text(view, one.row)}" for one in shown][:6]
        notes += left_out("designs", [one.letter for one in chosen[MOST_BARS:]])
        if not parts:
            notes.append(f"No shares by cause: {view.why_no_rerun}")
        names = list(LOOKS)
        rows = [
            [
                one.letter,
                one.work,
                one.base,
                _technology(one),
                float(value[one.row]),
                *(float(parts[one.row].get(name, 0.0)) if parts else "" for name in names),
            ]
            for one in shown
        ]
        top = max(shown, key=lambda one: float(value[one.row]))
        return Drawn(
            made,
            ["letter", "workload", "base", "technology", "utilisation", *names],
            rows,
            f"Best used: {top.letter} ({top.work} on {top.base}), "
            f"{figure_of(100 * float(value[top.row]))} %.",
            "",
            notes,
        )


def _bars(shown: Sequence[Named], parts: dict[int, dict[str, float]], used: Floats) -> Any:
    """The figure: a bar for each design. parts: of its time by cause, row by row, or none; used: per cent."""
    made, (axes,) = panels(1, 0.55 + 0.27 * len(shown))
    at, left = np.arange(len(shown)), np.zeros(len(shown))
    box = {"edgecolor": "black", "linewidth": 0.4}
    for name, (title, colour, hatch) in LOOKS.items():
        width = np.array([parts[one.row].get(name, 0.0) if parts else 0.0 for one in shown]) * 100
        if width.any():
            axes.barh(at, width, 0.6, left, color=colour, hatch=hatch, label=title, **box)
            left += width
    if not parts:
        axes.barh(at, used, 0.6, color="#0072B2", **box)
    axes.plot(
        used,
        at,
        "D",
        color="white",
        markeredgecolor="black",
        markersize=5,
        linestyle="none",
        label="useful multiply-accumulates over the peak",
    )
    for place, number in zip(at, used, strict=True):
        axes.annotate(
            f"{figure_of(float(number))} %", (101.5, place), va="center", annotation_clip=False
        )
    axes.set_yticks(
        at, [f"{one.letter}: {one.work}, {one.base} ({_technology(one)})" for one in shown]
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the arrays' time (%); numbers: utilisation")
    legend_above(made, [axes], 3)
    return made


def _technology(one: Named) -> str:
    return "PCM" if one.analog else "digital"


def shares(result: Result) -> dict[str, float]:
    """Array time by cause, of all instances, as shares of the makespan; what is left is idle."""
    whole = float(max(1, result.cycles * result.chip.core.count))
    found = {"busy": sum(row.busy_cycles for row in result.operators if row.macs) / whole}
    for row in result.operators:
        if row.macs:
            for cause, cycles in row.stalled_cycles.items():
                found[cause] = found.get(cause, 0.0) + cycles / whole
    found["idle"] = max(0.0, 1.0 - sum(found.values()))
    return found
