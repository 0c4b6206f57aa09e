"""Two objectives against each other: which designs no other one beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.choices import measure_named
from accelsim.reports.sweeps.joint import joint_view
from accelsim.reports.sweeps.looks import (
    MOST_PANELS,
    Look,
    left_out,
    legend_above,
    log_axis,
    looks_of,
    panels,
    share_axis,
    works_of,
)
from accelsim.reports.sweeps.named import design_text, named, require_points
from accelsim.reports.sweeps.scale import (
    SHORT,
    boundary_of,
    figure_of,
    label_of,
    scale_of,
    spread_log,
)
from accelsim.reports.sweeps.statistics import front_of, spread_cells, spread_heads
from accelsim.reports.sweeps.table import Bools, Floats, Ints

MOST_DRAWN = 6_000  # dominated points of a panel, beyond which one stays in each cell of the grid
GRID = (170, 110)


class Pareto(Plot):
    """A panel a workload, and one over all of them by the sweep's joint objective; a step line for the
    front of each technology, filled marks for the common front."""

    name = "pareto"
    title = "Pareto front"
    question = "Which designs does no other one beat in both objectives?"
    options = "MEASURE,MEASURE (default: the sweep's first two objectives)"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        objectives = [measure_named(view, word) for word in options] or list(
            view.context.objectives
        )
        if len(objectives) < 2:
            raise NotDrawn("the sweep has one objective; name two: --plot pareto:energy,area")
        pair = (objectives[0], objectives[1])
        works = works_of(view, view.designs.ok)
        places = [(view, work) for work in works[:MOST_PANELS]]
        other = joint_view(view, len(named(view)))
        if other is not None and {one.lstrip("-") for one in pair} <= set(other.designs.measures):
            places = [*places[: MOST_PANELS - 1], (other, str(other.designs.work.values[0]))]
        made, axes = panels(len(places), 2.45)
        rows: list[list[str | int | float]] = []
        keys = view.varied()
        answers, notes = (
            [],
            [
                "Filled: no design is better in both; faint: dominated; lines: front of each technology"
            ],
        )
        if (view.cut & view.designs.ok).any():
            notes.append("Hollow: breaks a constraint")
        for (seen, work), place in zip(places, axes, strict=True):
            panel = _Panel(seen, work, pair)
            notes += panel.draw(place)
            rows += panel.rows(keys)
            answers.append(panel.answer())
            place.set_title(work, loc="left", pad=11)
        legend_above(made, axes)
        head = [
            "workload",
            "base",
            "technology",
            *keys,
            *(p.lstrip("-") for p in pair),
            *(one for p in pair for one in spread_heads(p.lstrip("-"))),
            "standing",
            "letter",
        ]
        drawn = {work for _, work in places}
        notes += left_out("workloads", [work for work in works if work not in drawn])
        boundary = next((b for p in pair if (b := boundary_of(p.lstrip("-")))), "")
        return Drawn(made, head, rows, " ".join(answers), boundary, list(dict.fromkeys(notes)))


class _Panel:
    """One workload. mine: its designs with measures."""

    def __init__(self, view: View, work: str, pair: tuple[str, str]) -> None:
        self.view, self.work, self.pair = view, work, pair
        d = view.designs
        self.raw = [d.measure(name.lstrip("-")) for name in pair]
        known = np.isfinite(self.raw[0]) & np.isfinite(self.raw[1])
        self.mine: Bools = d.ok & d.work.where(work) & known
        self.cost = [np.where(self.mine & ~view.cut, view.cost(name), np.nan) for name in pair]
        self.fronts = {
            analog: front_of(*(np.where(d.analog == analog, c, np.nan) for c in self.cost))
            for analog in (False, True)
        }
        either = np.flatnonzero(self.fronts[False] | self.fronts[True])
        self.front: Bools = np.zeros(len(d), bool)  # what none of either front beats
        self.front[either] = front_of(*(c[either] for c in self.cost))
        self.shown: Ints = np.zeros(0, np.int64)
        self.letters = {
            one.row: one
            for one in named(view)
            if one.work == work and self.fronts[one.analog][one.row]
        }

    def draw(self, place: Any) -> list[str]:
        """Returns notes."""
        d, notes = self.view.designs, []
        if not self.mine.any():
            place.text(0.5, 0.5, "no design has both", ha="center", transform=place.transAxes)
            return []
        scales = [
            scale_of(p.lstrip("-"), raw[self.mine])
            for p, raw in zip(self.pair, self.raw, strict=True)
        ]
        x, y = (raw * factor for raw, (factor, _) in zip(self.raw, scales, strict=True))
        logs = [spread_log(v[self.mine]) for v in (x, y)]
        either = self.fronts[False] | self.fronts[True]
        faint = np.flatnonzero(self.mine & ~either)
        if len(faint) > MOST_DRAWN:
            kept = thinned(x[faint], y[faint], d.analog[faint], self.view.cut[faint], logs)
            notes.append(
                f"{self.work}: of {len(faint):,} dominated designs one is drawn a grid cell "
                f"({len(kept):,})"
            )
            faint = faint[kept]
        self.shown = np.concatenate([np.flatnonzero(either), faint])
        for base, look in looks_of(self.view).items():
            mine, own = d.base.where(base), [factor for factor, _ in scales]
            self._draw_dominated(place, look, x, y, faint[mine[faint]], len(faint) < 1500)
            chosen = np.flatnonzero(either & mine)
            _bars(place, d, self.pair, chosen, (x, y), own, look.colour)
            self._draw_front(place, look, x, y, chosen)
        self._draw_steps(place, x, y)
        spots = [np.log(v) if log else v for v, log in zip((x, y), logs, strict=True)]
        self._say_letters(place, spots, x, y)
        for axis, log, (_, unit), name in zip("xy", logs, scales, self.pair, strict=True):
            _axis(place, axis, log, label_of(name.lstrip("-"), unit))
            share_axis(place, axis, name.lstrip("-"))
        notes += [
            f"{one.letter}: {design_text(self.view, row)}"
            for row, one in list(self.letters.items())[:8]
        ]
        return notes

    def _draw_dominated(
        self, place: Any, look: Look, x: Floats, y: Floats, rows: Ints, large: bool
    ) -> None:
        """Faint marks, hollow where a constraint is broken. large: there is room."""
        size, cut = 13 if large else 4, self.view.cut[rows]
        shared = {"marker": look.marker, "linewidth": 0.5, "rasterized": True}
        full = {"facecolor": look.colour, "edgecolor": "none", "alpha": 0.35}
        hollow = {"facecolor": "none", "edgecolor": look.colour, "alpha": 0.6}
        for mine, how in ((rows[~cut], full), (rows[cut], hollow)):
            place.scatter(x[mine], y[mine], size, **shared, **how)

    def _draw_front(self, place: Any, look: Look, x: Floats, y: Floats, rows: Ints) -> None:
        """Marks of what no design of its technology beats, with an edge where none at all does."""
        whole, part = rows[self.front[rows]], rows[~self.front[rows]]
        shared = {"marker": look.marker, "facecolor": look.colour}
        inner = {"alpha": 0.75, "edgecolor": "none", "zorder": 3}
        outer = {"edgecolor": "black", "linewidth": 0.8, "zorder": 4, "label": look.label}
        place.scatter(x[part], y[part], 22, **shared, **inner)
        place.scatter(x[whole], y[whole], 34, **shared, **outer)

    def _draw_steps(self, place: Any, x: Floats, y: Floats) -> None:
        """A line along the front of each technology."""
        for analog, colour, line in ((False, "#0072B2", "-"), (True, "#B36B00", "--")):
            rows = np.flatnonzero(self.fronts[analog])
            rows = rows[np.argsort(self.cost[0][rows], kind="stable")]
            if len(rows) > 1:
                look = {"color": colour, "linestyle": line, "linewidth": 1.0, "zorder": 2}
                place.step(x[rows], y[rows], where="post", **look)

    def _say_letters(self, place: Any, seen: Sequence[Floats], x: Floats, y: Floats) -> None:
        """Letters of named designs, each at another corner where several are near. seen: x and y as the axes have
        them."""
        spans = [float(np.ptp(v[self.mine])) or 1.0 for v in seen]
        put: list[tuple[float, float]] = []
        for row, one in self.letters.items():
            spot = (float(seen[0][row]) / spans[0], float(seen[1][row]) / spans[1])
            near = sum(abs(spot[0] - a) < 0.05 and abs(spot[1] - b) < 0.1 for a, b in put)
            put.append(spot)
            corner = ((4, 4), (4, -11), (-11, 4), (-11, -11))[near % 4]
            look = {"textcoords": "offset points", "weight": "bold", "zorder": 6}
            place.annotate(one.letter, (x[row], y[row]), corner, **look)

    def rows(self, keys: Sequence[str]) -> list[list[str | int | float]]:
        """Points of the CSV: what is drawn, front first. keys: its columns."""
        d, shown = self.view.designs, self.shown
        words = [d.base, *(d.sets[key] for key in keys)]
        columns: list[list[Any]] = [column.take(shown).texts() for column in words]
        columns += [raw[shown].tolist() for raw in self.raw]
        for name, raw in zip(self.pair, self.raw, strict=True):
            measure = name.lstrip("-")
            spread = d.spread.get(measure, np.zeros((2, len(d))))[:, shown].T
            beside = [
                spread_cells(measure, value, one)
                for value, one in zip(raw[shown].tolist(), spread, strict=True)
            ]
            columns += [[one[n] for one in beside] for n in range(len(spread_heads(measure)))]
        found: list[list[str | int | float]] = []
        for row, cells in zip(shown.tolist(), zip(*columns, strict=True), strict=True):
            standing = "front" if self.front[row] else "cut" if self.view.cut[row] else "dominated"
            technology = "PCM" if d.analog[row] else "digital"
            letter = self.letters[row].letter if row in self.letters else ""
            found.append([self.work, cells[0], technology, *cells[1:], standing, letter])
        return found

    def answer(self) -> str:
        """Which technology has the best of each objective and how much of the front."""
        d = self.view.designs
        if not self.front.any():
            return f"{self.work}: no design keeps all constraints."
        best = int(self.front.sum())
        if d.analog.all() or not d.analog.any():
            return f"{self.work}: {best} of {int(self.mine.sum()):,} designs are on the front."
        pcm = int((self.front & d.analog).sum())
        words = [f"{self.work}: {pcm} of {best} designs on the front are PCM"]
        for name, cost, raw in zip(self.pair, self.cost, self.raw, strict=True):
            pair = [np.where(d.analog == analog, cost, np.nan) for analog in (False, True)]
            if all(np.isfinite(c).any() for c in pair):
                digital, analog = (float(raw[np.nanargmin(c)]) for c in pair)
                words.append(_compared(SHORT.get(name.lstrip("-"), name), digital, analog))
        return "; ".join(words) + "."


def _compared(name: str, digital: float, pcm: float) -> str:
    if digital > 0 and pcm > 0:
        return f"best {name} of PCM {figure_of(pcm / digital)} times that of digital"
    return f"best {name}: PCM {figure_of(pcm)}, digital {figure_of(digital)}"


def _bars(
    place: Any,
    d: Any,
    pair: tuple[str, str],
    rows: Ints,
    at: tuple[Floats, Floats],
    factors: list[float],
    colour: str,
) -> None:
    """Spreads of seeds around the designs of some rows."""
    bars = [
        np.nan_to_num(d.spread[p.lstrip("-")][:, rows]) * f if p.lstrip("-") in d.spread else None
        for p, f in zip(pair, factors, strict=True)
    ]
    if any(one is not None and one.any() for one in bars):
        (x, y), look = at, {"color": colour, "elinewidth": 0.8, "capsize": 2}
        place.errorbar(x[rows], y[rows], bars[1], bars[0], linestyle="none", **look)


def _axis(place: Any, axis: str, log: bool, label: str) -> None:
    getattr(place, f"set_{axis}label")(label)
    if log:
        log_axis(place, axis)
    place.grid(True, linewidth=0.3, alpha=0.5)


def thinned(x: Floats, y: Floats, analog: Bools, cut: Bools, logs: Sequence[bool]) -> Ints:
    """Of points in one cell of a fine grid and of one standing the first, in every other cell of the other
    technology where both have one."""
    code, checker = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
    for values, log, size in zip((x, y), logs, GRID, strict=True):
        seen = np.log(values) if log else values
        low, high = float(seen.min()), float(seen.max())
        cell = np.minimum((seen - low) / ((high - low) or 1.0) * size, size - 1).astype(np.int64)
        code, checker = code * size + cell, checker + cell
    order = np.argsort(((code * 2 + cut) * 2 + (analog == (checker % 2 == 0))), kind="stable")
    _, first = np.unique((code * 2 + cut)[order], return_index=True)
    return np.sort(order[first])
