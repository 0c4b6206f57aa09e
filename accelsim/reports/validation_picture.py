"""Computed over published figures, by tier."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from accelsim.reports.style import below, figure
from accelsim.validation.outcomes import Outcome
from accelsim.validation.tiers import SHOWN, TIERS

#: of each tier that can count: colour and mark
LOOKS = {
    "timing": ("#0072B2", "o"),
    "traffic": ("#009E73", "s"),
    "energy": ("#D55E00", "^"),
    "power": ("#E69F00", "v"),
    "area": ("#CC79A7", "D"),
    "accuracy": ("#56B4E9", "P"),
}
WIDE = 1.15  # of a pair of figures that stand side by side on the axis


def draw(found: Sequence[Outcome], path: Path) -> None:
    """A line a figure: computed over published on a logarithmic axis, its range by assumed numbers; hollow where it is
    not counted."""
    shown = [one for one in found if one.figure.tier not in SHOWN and isfinite(one.computed)]
    order = sorted(shown, key=lambda one: (TIERS.index(one.figure.tier), one.chip))
    made, axes = figure(max(2.0, 0.145 * len(order) + 0.8))
    for line, one in enumerate(order):
        colour, mark = LOOKS[one.figure.tier]
        scale = one.figure.published
        axes.plot([one.low / scale, one.high / scale], [line, line], color=colour, linewidth=1)
        axes.plot(
            [one.computed / scale],
            [line],
            mark,
            color=colour,
            markerfacecolor=colour if one.counted else "white",
            markersize=4,
        )
    axes.axvline(1.0, color="#444444", linewidth=0.7, zorder=0)
    _axis(axes, order)
    below(
        made,
        "filled: counted; hollow: shown only; lines: each assumed number at half and at double",
    )
    made.savefig(path, dpi=200, metadata={"Software": None})


def _axis(axes: Any, order: Sequence[Outcome]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    ends = [x / one.figure.published for one in order for x in (one.low, one.high) if x > 0]
    low, high = min([0.5, *ends]) / WIDE, max([2.0, *ends]) * WIDE
    axes.set_xlim(low, high)
    ticks = [
        tick
        for power in range(-3, 4)
        for tick in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)
        if low <= tick <= high
    ]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_xlabel("computed / published")
    axes.set_yticks(range(len(order)), [f"{one.chip}: {one.figure.name}" for one in order])
    axes.tick_params(axis="y", labelsize=6, length=0)
    axes.invert_yaxis()
    present = dict.fromkeys(one.figure.tier for one in order)
    handles = [
        Line2D([], [], color=LOOKS[tier][0], marker=LOOKS[tier][1], linestyle="none", label=tier)
        for tier in present
    ]
    axes.legend(handles=handles, loc="lower right", fontsize=7)
