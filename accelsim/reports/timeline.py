"""The timeline of a run: when each unit worked, on which operator, and when it waited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.escaping import CsvWriter
from accelsim.reports.pictures import caption
from accelsim.reports.style import below, figure, save
from accelsim.results.breakdown import MANY, stretches, unit_groups
from accelsim.results.result import Result
from accelsim.timing.windows import covered

BINS = 560  # of a picture's width: 2 pixels each
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
HATCHES = ("", "///", "...", "xx", "\\\\\\")
WAITS, NARROW = "#E2E2E2", "#B9D6E8"  # light, so that they are not taken for work
HEIGHT = 0.8  # of a unit's row
READ_SO = (
    " Height of the full colours: the part of each moment in which the unit worked; a colour and hatch "
    "for each operator, named on top where there is room."
)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """What a unit, or all instances of a kind, did. busy: operator -> ticks in each bin, in order of the first;
    waiting: ticks in each bin, narrow: those of them within a command, for bandwidth. The rest of a bin's
    ticks, times ``count`` instances, is idle. core: whether it is what multiplies."""

    name: str
    count: int
    core: bool
    busy: dict[str, Ints]
    waiting: Ints
    narrow: Ints


@dataclass(frozen=True, slots=True)
class Moments:
    """A run in equal bins of time. edges: (bins + 1,) ticks. rows: units with commands, in the chip's order."""

    edges: Ints
    rows: list[Row]

    @property
    def operators(self) -> list[str]:
        """Every operator that a unit works on."""
        return list(dict.fromkeys(name for row in self.rows for name in row.busy))

    def lines(self, scale: float) -> list[tuple[str, str, float, float, float, float]]:
        """(unit, operator, start, end, busy, waiting) of every bin with any work or wait, in ticks times
        ``scale``; full bins in a row are one line. operator: "" of waits."""
        return [
            (row.name, name, *line)
            for row in self.rows
            for name, columns in [
                *((name, (column, None)) for name, column in row.busy.items()),
                ("", (None, row.waiting)),
            ]
            for line in _lines(self.edges, columns, row.count, scale)
        ]


def moments(result: Result, bins: int = BINS, many: int = MANY) -> Moments:
    """What every unit did in each bin. many: more units of a kind are one row."""
    program, timeline = result.program, result.timeline
    edges = np.array([result.makespan * i // bins for i in range(bins + 1)], np.int64)
    names = [*program.operators, "-"]
    number = {row.name: i for i, row in enumerate(program.units)}
    rows = []
    for label, members in unit_groups(program, many).items():
        units = np.array([number[name] for name in members])
        mine = np.flatnonzero(np.isin(program.commands.unit, units))
        if not len(mine):
            continue
        mine = mine[np.argsort(timeline.issue[mine], kind="stable")]
        owner, issue = program.commands.operator[mine], timeline.issue[mine]
        done = issue + timeline.interval[mine]
        busy = {}
        for operator in dict.fromkeys(owner.tolist()):
            of = owner == operator
            busy[names[operator]] = covered(edges, issue[of], done[of])
        parts = stretches(program, timeline, units)
        waiting = len(units) * np.diff(edges) - covered(edges, *parts["idle"]) - sum(busy.values())
        core = program.unit_kinds[program.units[units[0]].kind] in result.chip.sides
        rows.append(Row(label, len(units), core, busy, waiting, covered(edges, *parts["port"])))
    return Moments(edges, rows)


def _lines(
    edges: Ints, columns: tuple[Ints | None, Ints | None], count: int, scale: float
) -> list[tuple[float, float, float, float]]:
    """(start, end, busy, waiting) of bins with any of the one column that is given."""
    column = next(one for one in columns if one is not None)
    full = column == count * np.diff(edges)
    found: list[list[int]] = []
    for i in np.flatnonzero(column).tolist():
        if found and full[i] and full[i - 1] and found[-1][1] == edges[i]:
            found[-1][1] = int(edges[i + 1])
            found[-1][2] += int(column[i])
        else:
            found.append([int(edges[i]), int(edges[i + 1]), int(column[i])])
    works = columns[0] is not None
    return [
        (
            start * scale,
            end * scale,
            ticks * scale if works else 0.0,
            0.0 if works else ticks * scale,
        )
        for start, end, ticks in found
    ]


def draw_timeline(result: Result, folder: Path, formats: Sequence[str] = ("png", "svg")) -> None:
    """timeline.png, .svg and timeline_points.csv."""
    found = moments(result)
    made, _ = picture(result, found)
    save(made, folder, "timeline", formats)
    with (folder / "timeline_points.csv").open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        writer.writerow(["unit", "operator", "start_ms", "end_ms", "busy_ms", "waiting_ms"])
        writer.writerows(
            [*line[:2], *map(repr, line[2:])] for line in found.lines(1e3 / result.tick_hz)
        )


def picture(result: Result, found: Moments) -> tuple[Any, Any]:
    """The figure and its axes; time is in ms."""
    made, axes = figure(1.7 + 0.36 * len(found.rows))
    paint(axes, found, 1e3 / result.tick_hz)
    axes.set_xlabel("time (ms)")
    made.legend(handles=keys(), ncols=4, loc="outside upper left")
    below(made, caption(result, "none (times only)") + READ_SO)
    return made, axes


def paint(axes: Any, found: Moments, scale: float) -> None:
    """Rows of units, the first on top; scale: of the horizontal axis, from ticks."""
    looks = {
        name: (COLOURS[i % len(COLOURS)], HATCHES[i // len(COLOURS) % len(HATCHES)])
        for i, name in enumerate(found.operators)
    }
    at, named = found.edges * scale, False
    for place, row in enumerate(found.rows):
        room = np.maximum(1, row.count * np.diff(found.edges)) / HEIGHT
        base = np.full(len(room), len(found.rows) - 1 - place - HEIGHT / 2)
        for name, column in row.busy.items():
            colour, hatch = looks[name]
            top = base + column / room
            axes.stairs(
                top, at, baseline=base, fill=True, facecolor=colour, hatch=hatch, linewidth=0
            )
            base = top
        for column, colour in ((row.narrow, NARROW), (row.waiting - row.narrow, WAITS)):
            axes.stairs(
                base + column / room, at, baseline=base, fill=True, facecolor=colour, linewidth=0
            )
            base = base + column / room
        if row.core and not named:
            _names(axes, row, at, len(found.rows))
            named = True
    axes.set_yticks(range(len(found.rows)), [row.name for row in reversed(found.rows)])
    axes.set_xlim(0, at[-1])
    axes.set_ylim(-0.6, len(found.rows) - 0.4)


def _names(axes: Any, row: Row, at: NDArray[np.floating[Any]], height: int) -> None:
    """Operators' names above all rows, where the arrays work on them and there is room."""
    free = -at[-1]
    for name, column in row.busy.items():
        worked = np.flatnonzero(column)
        middle = (at[worked[0]] + at[worked[-1] + 1]) / 2 if len(worked) else 0.0
        if len(worked) and at[worked[-1] + 1] - at[worked[0]] > at[-1] / 60 and middle > free:
            axes.annotate(
                name,
                (middle, height - 0.45),
                (0, 1),
                textcoords="offset points",
                rotation=35,
                ha="left",
                va="bottom",
                annotation_clip=False,
            )
            free = middle + at[-1] / 24


def keys() -> list[Any]:
    """What the fills mean, for a legend."""
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=COLOURS[0], label="works, on one operator"),
        Patch(facecolor=NARROW, label="waits for bandwidth"),
        Patch(facecolor=WAITS, label="waits for others"),
        Patch(facecolor="white", edgecolor="black", linewidth=0.4, label="nothing left to do"),
    ]
