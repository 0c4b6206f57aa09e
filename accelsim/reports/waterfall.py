"""The waterfall between two runs, in cycles and in joules, with its terms as CSV."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

from accelsim.escaping import CsvWriter
from accelsim.reports.style import below, blank
from accelsim.results.difference import cycle_terms, exact_joules, joule_terms
from accelsim.results.result import Result

MOST = 12
BROKEN = 0.5  # of the highest level: smaller changes get an axis that does not begin at 0
UP, DOWN, TOTAL = ("#D55E00", "///"), ("#009E73", "..."), ("#0072B2", "")


def waterfall_csv(a: Result, b: Result) -> dict[str, bytes]:
    """All terms: cycles_terms.csv and joules_terms.csv."""
    cycles: list[list[Any]] = [["operator", "cause", "change_cycles"]]
    cycles += [[t.operator, t.cause, t.change] for t in cycle_terms(a, b)]
    joules: list[list[Any]] = [
        ["operator", "unit", "action", "change_joules", "by_count", "by_constant"]
    ]
    joules += [
        [
            t.operator,
            t.unit,
            t.action,
            *(repr(float(x)) for x in (t.change, t.by_count, t.by_constant)),
        ]
        for t in joule_terms(a, b)
    ]
    found = {}
    for name, rows in (("cycles_terms.csv", cycles), ("joules_terms.csv", joules)):
        text = io.StringIO()
        CsvWriter(text).writerows(rows)
        found[name] = text.getvalue().encode()
    return found


def draw_waterfall(a: Result, b: Result, folder: Path) -> None:
    """waterfall.png and .svg: from A's total over the operators' changes to B's."""
    figure = blank(5.2)
    upper, lower = figure.subplots(2, 1)
    _bars(upper, a.cycles / 1e3, _by_operator(cycle_terms(a, b), 1e-3), "1,000 cycles")
    _bars(lower, float(exact_joules(a)) * 1e6, _by_operator(joule_terms(a, b), 1e6), "energy (uJ)")
    below(
        figure,
        f"A: {a.workload.name} on {a.chip.name}; B: {b.workload.name} on {b.chip.name}. "
        "Boundary: chip. Bars add up to the change.",
    )
    figure.savefig(folder / "waterfall.png", dpi=200, metadata={"Software": None})
    figure.savefig(folder / "waterfall.svg", metadata={"Date": None})


def _by_operator(terms: Any, scale: float) -> list[tuple[str, float]]:
    sums: dict[str, Fraction] = {}
    for term in terms:
        sums[term.operator] = sums.get(term.operator, Fraction(0)) + term.change
    order = sorted(sums.items(), key=lambda item: -abs(item[1]))
    shown = [(name, float(value) * scale) for name, value in order[:MOST]]
    rest = sum((value for _, value in order[MOST:]), Fraction(0))
    return shown + ([(f"{len(order) - MOST} others", float(rest) * scale)] if order[MOST:] else [])


def _bars(axes: Any, start: float, terms: list[tuple[str, float]], label: str) -> None:
    names = ["A", *(name for name, _ in terms), "B"]
    level, lows = start, [start]
    axes.bar(0, start, 0.7, color=TOTAL[0], edgecolor="black", linewidth=0.4)
    for place, (_, change) in enumerate(terms, 1):
        colour, hatch = UP if change > 0 else DOWN
        axes.bar(
            place, change, 0.7, level, color=colour, hatch=hatch, edgecolor="black", linewidth=0.4
        )
        axes.plot([place - 1.35, place + 0.35], [level, level], "k-", linewidth=0.5)
        level += change
        lows.append(level)
    axes.bar(len(terms) + 1, level, 0.7, color=TOTAL[0], edgecolor="black", linewidth=0.4)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_ylabel(label)
    _scale(axes, [start, *lows])


def _scale(axes: Any, levels: list[float]) -> None:
    """The vertical axis: from 0, or broken below the lowest level where the changes would be lost above it."""
    low, high = min(levels), max(levels)
    span = high - low
    if low <= 0 or span > BROKEN * high:
        axes.set_ylim(min(0.0, low * 1.08), max(high * 1.08, 1e-12))
        return
    room = span or high * BROKEN
    bottom = max(0.0, low - room)
    axes.set_ylim(bottom, high + 0.12 * (high - bottom))
    for height in (0.06, 0.09):  # two strokes: the axis does not begin at 0
        axes.plot(
            [-0.012, 0.012],
            [height - 0.012, height + 0.012],
            "k-",
            linewidth=0.9,
            clip_on=False,
            transform=axes.transAxes,
        )
    axes.set_ylabel(f"{axes.get_ylabel()}, from {bottom:,.4g}")
