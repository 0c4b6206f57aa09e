"""Computed over published figures, by tier."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from statistics import median
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
    """A line a figure, tier by tier: computed over published on a logarithmic axis, its range by assumed numbers;
    hollow where it is not counted. A dotted line is the median of a tier's counted ones."""
    shown = [one for one in found if one.figure.tier not in SHOWN and isfinite(one.computed)]
    order = sorted(shown, key=lambda one: (TIERS.index(one.figure.tier), one.chip))
    lines = _lines(order)
    made, axes = figure(max(2.0, 0.155 * (max(lines, default=0) + 1) + 0.8))
    for line, one in zip(lines, order, strict=True):
        colour, mark = LOOKS[one.figure.tier]
        ends = [one.over(one.low), one.over(one.high)]
        axes.plot(ends, [line, line], color=colour, linewidth=1)
        axes.plot(
            [one.over(one.computed)],
            [line],
            mark,
            color=colour,
            markerfacecolor=colour if one.counted else "white",
            markersize=5,
        )
    _medians(axes, order, lines)
    axes.axvline(1.0, color="#444444", linewidth=0.7, zorder=0)
    _axis(axes, order)
    _labels(axes, order, lines)
    below(
        made,
        "filled: counted; hollow: shown; lines: each assumed number at half and double; "
        "dotted: median of the counted",
    )
    made.savefig(path, dpi=200, metadata={"Software": None})


def _lines(order: Sequence[Outcome]) -> list[int]:
    """Where each figure stands, with a gap between tiers."""
    tiers = list(dict.fromkeys(one.figure.tier for one in order))
    return [number + tiers.index(one.figure.tier) for number, one in enumerate(order)]


def _medians(axes: Any, order: Sequence[Outcome], lines: Sequence[int]) -> None:
    for tier, (colour, _) in LOOKS.items():
        mine = [line for line, one in zip(lines, order, strict=True) if one.figure.tier == tier]
        ratios = [
            one.over(one.computed) for one in order if one.figure.tier == tier and one.counted
        ]
        if len(ratios) > 1:
            middle, ends = median(ratios), (mine[0] - 0.6, mine[-1] + 0.6)
            axes.plot([middle, middle], ends, ":", color=colour, linewidth=1, zorder=0)


def _axis(axes: Any, order: Sequence[Outcome]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    ends = [one.over(x) for one in order for x in (one.low, one.high) if x > 0]
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
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("computed / published, as time, bytes, energy, power or area")


def _labels(axes: Any, order: Sequence[Outcome], lines: Sequence[int]) -> None:
    """A chip is named at the first of its figures in a tier."""
    from matplotlib.lines import Line2D

    names, before = [], ("", "")
    for one in order:
        chip = (one.figure.tier, one.chip)
        names.append(one.figure.name if chip == before else f"{one.chip}: {one.figure.name}")
        before = chip
    axes.set_yticks(lines, names)
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.set_ylim(max(lines, default=0) + 0.8, -0.8)
    present = dict.fromkeys(one.figure.tier for one in order)
    handles = [
        Line2D([], [], color=LOOKS[tier][0], marker=LOOKS[tier][1], linestyle="none", label=tier)
        for tier in present
    ]
    axes.legend(handles=handles, loc="upper left", fontsize=8, framealpha=1.0)
