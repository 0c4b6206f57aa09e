"""One measure over two keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.choices import key_named, measure_named
from accelsim.reports.sweeps.context import better_when_larger
from accelsim.reports.sweeps.looks import bases_of, left_out, log_axis, panels, works_of
from accelsim.reports.sweeps.named import require_points
from accelsim.reports.sweeps.plots.sensitivity import shares
from accelsim.reports.sweeps.scale import (
    SHORT,
    boundary_of,
    figure_of,
    label_of,
    said,
    scale_of,
    short_keys,
    spread_log,
)
from accelsim.reports.sweeps.table import Bools, Floats, Ints

MOST_MAPS = 6
MOST_STEPS = 16  # values of a key
NEAR = 0.01  # of the best: less is no difference between designs
MAP = "cividis"  # its lightness rises evenly: the same order in grey and for colour-blind readers


class Heatmap(Plot):
    """A panel a base and workload; each cell is the best over all other keys."""

    name = "heatmap"
    title = "Heat map of two keys"
    question = "How does a measure depend on two keys together?"
    options = "KEY,KEY,MEASURE (default: the two keys that matter most, the first objective)"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        objective = (
            measure_named(view, options[2]) if len(options) > 2 else view.context.objectives[0]
        )
        given = [key_named(view, word) for word in options[:2]]
        d, measure, cost = view.designs, objective.lstrip("-"), view.cost(objective)
        pairs = {
            base: pair for base in bases_of(view) if (pair := _pair(view, base, measure, given))
        }
        known = view.good & np.isfinite(cost)
        places = [
            (base, work, pair)
            for work in works_of(view, known)
            for base, pair in pairs.items()
            if (known & d.base.where(base) & d.work.where(work)).any()
        ]
        if not places:
            raise NotDrawn(
                f"no base varies {' and '.join(given)}"
                if given
                else f"no base with {SHORT.get(measure, measure)} varies two keys together"
            )
        shown = places[:MOST_MAPS]
        made, axes = panels(len(shown), 2.2)
        drawn = [
            Panel(base, work, pair, objective, cells(view, base, work, pair, objective))
            for base, work, pair in shown
        ]
        scale = scale_of(measure, np.concatenate([one.table.ravel() for one in drawn]))
        for one, place in zip(drawn, axes, strict=True):
            _draw(view, one, made, place, scale)
        best = "largest" if better_when_larger(objective) else "smallest"
        notes = [
            f"Each cell: the {best} {SHORT.get(measure, measure)} over all other keys; "
            "boxed: the best cell; dotted: cells that cannot be told from it (nearer than "
            f"{100 * NEAR:g} % or the seeds' spread), no box where that is all"
        ]
        if any(holes(one.table) for one in drawn):
            notes[0] += "; crossed out: no design" + (
                " that keeps the constraints" if view.context.constraints else " of the sweep"
            )
        notes += left_out("panels", [f"{work} on {base}" for base, work, _ in places[MOST_MAPS:]])
        return Drawn(
            made,
            ["base", "workload", "key", "value", "other key", "other value", measure],
            [row for one in drawn for row in _rows(view, one)],
            " ".join(_answer(view, one) for one in drawn),
            boundary_of(measure),
            notes,
            list(dict.fromkeys(base for base, _, _ in shown)),
        )


class Panel(NamedTuple):
    """A workload on a base over a pair of keys. table: of cells()."""

    base: str
    work: str
    pair: tuple[str, str]
    objective: str
    table: Floats

    def seen(self) -> tuple[Ints, Ints]:
        """The table's rows and columns that hold a value."""
        known = np.isfinite(self.table)
        return np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))


def _pair(view: View, base: str, measure: str, given: Sequence[str]) -> tuple[str, str] | None:
    """The two keys of a base's panel: given ones, else those with the largest total effects that vary
    together."""
    weight = {key: total for name, key, _, total in shares(view, measure) if name == base}
    keys = sorted(
        view.varied(view.good & view.designs.base.where(base)),
        key=lambda key: -weight.get(key, 0.0),
    )
    if not set(given) <= set(keys):
        return None
    order = [*given, *(key for key in keys if key not in given)]
    firsts = order[:1] if given else order
    for n, first in enumerate(firsts):
        for second in order[1:2] if len(given) > 1 else order[n + 1 :]:
            if first != second and _together(view, base, first, second):
                return first, second
    return None


def _together(view: View, base: str, first: str, second: str) -> bool:
    """Whether both keys vary where both are set, in few enough steps."""
    d = view.designs
    x, y = d.sets[first].codes, d.sets[second].codes
    both = view.good & d.base.where(base) & (x >= 0) & (y >= 0)
    return all(2 <= len(np.unique(codes[both])) <= MOST_STEPS for codes in (x, y))


def cells(view: View, base: str, work: str, pair: tuple[str, str], objective: str) -> Floats:
    """(values of the second key, values of the first) the best of the objective in each cell, NaN without one;
    over all values of both keys."""
    d = view.designs
    x, y = (d.sets[key] for key in pair)
    cost = view.cost(objective)
    rows = np.flatnonzero(
        view.good
        & d.base.where(base)
        & d.work.where(work)
        & np.isfinite(cost)
        & (x.codes >= 0)
        & (y.codes >= 0)
    )
    table = np.full((len(y.values), len(x.values)), np.inf)
    np.minimum.at(table, (y.codes[rows], x.codes[rows]), cost[rows])
    table[np.isinf(table)] = np.nan
    return -table if better_when_larger(objective) else table


def tied(
    view: View, where: tuple[str, str], pair: tuple[str, str], objective: str, table: Floats
) -> Bools:
    """Cells that the best one cannot be told from: nearer to it than NEAR of its value, or than the spread
    of the seeds of either cell's best design."""
    d, measure = view.designs, objective.lstrip("-")
    cost = -table if better_when_larger(objective) else table
    spread = np.zeros_like(table)
    if measure in d.spread:
        x, y = (d.sets[key].codes for key in pair)
        own = view.cost(objective)
        rows = np.flatnonzero(
            view.good & d.base.where(where[0]) & d.work.where(where[1]) & (x >= 0) & (y >= 0)
        )
        best = rows[own[rows] == cost[y[rows], x[rows]]]
        np.maximum.at(
            spread, (y[best], x[best]), np.nan_to_num(d.spread[measure]).max(axis=0)[best]
        )
    at = np.unravel_index(int(np.nanargmin(cost)), cost.shape)
    away = np.maximum(np.maximum(spread, spread[at]), NEAR * abs(float(cost[at])))
    with np.errstate(invalid="ignore"):
        found: Bools = cost - cost[at] <= away
    return found


def holes(table: Floats) -> bool:
    """Whether a cell within the drawn rows and columns has no value."""
    known = np.isfinite(table)
    return not bool(known[np.ix_(known.any(axis=1), known.any(axis=0))].all())


def _draw(view: View, one: Panel, made: Any, place: Any, scale: tuple[float, str]) -> None:
    from matplotlib.colors import LogNorm, Normalize

    deep, wide = one.seen()
    factor, unit = scale
    values = one.table[np.ix_(deep, wide)] * factor
    known = values[np.isfinite(values)]
    norm: Any = (LogNorm if spread_log(known, 4.0) else Normalize)(known.min(), known.max() or 1.0)
    picture = place.imshow(values, cmap=MAP, norm=norm, origin="lower", aspect="auto")
    _say_values(place, values, norm)
    where = (one.base, one.work)
    alike = tied(view, where, one.pair, one.objective, one.table)[np.ix_(deep, wide)]
    if not alike.all():
        _box(place, alike)
    _say_keys(view, place, one)
    place.set_title(f"{one.work} on {one.base}", loc="left")
    label = label_of(one.objective.lstrip("-"), unit)
    bar = made.colorbar(picture, ax=place, label=label, pad=0.02)
    if isinstance(norm, LogNorm):
        log_axis(bar.ax, "y")


def _say_values(place: Any, values: Floats, norm: Any) -> None:
    """Numbers in the cells where they have room; cells without a value are crossed out."""
    from matplotlib.patches import Rectangle

    empty: dict[str, Any] = {
        "facecolor": "#EEEEEE",
        "hatch": "xx",
        "edgecolor": "#888888",
        "linewidth": 0,
    }
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if not np.isfinite(value):
                place.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, **empty))
            elif values.shape[1] <= 6:
                colour = "white" if norm(value) < 0.5 else "black"
                place.text(j, i, figure_of(value), ha="center", va="center", color=colour)


def _box(place: Any, alike: Bools) -> None:
    """The best cell boxed, or dotted boxes around all that cannot be told from it."""
    from matplotlib.patches import Rectangle

    edge: dict[str, Any] = {
        "linestyle": "-" if alike.sum() == 1 else ":",
        "zorder": 4,
        "clip_on": False,
    }
    for down, right in np.argwhere(alike):
        for colour, width in (("white", 3.2), ("black", 1.4)):
            look: dict[str, Any] = {"fill": False, "edgecolor": colour, "linewidth": width, **edge}
            place.add_patch(Rectangle((right - 0.5, down - 0.5), 1, 1, **look))


def _say_keys(view: View, place: Any, one: Panel) -> None:
    """The keys and their values along both axes."""
    deep, wide = one.seen()
    x, y = (view.designs.sets[key].values for key in one.pair)
    along, up = (
        [said(values[n]).replace(", ", ",\n") for n in shown]
        for values, shown in ((x, wide), (y, deep))
    )
    names = short_keys(view.varied())
    longest = max(len(line) for label in along for line in label.split("\n"))
    turn = 40 if len(wide) > 6 or longest * len(wide) > 40 else 0
    place.set_xticks(range(len(wide)), along, rotation=turn)
    place.set_yticks(range(len(deep)), up)
    place.set_xlabel(names.get(one.pair[0], one.pair[0]))
    place.set_ylabel(names.get(one.pair[1], one.pair[1]))


def _rows(view: View, one: Panel) -> list[list[str | int | float]]:
    """Points of the CSV, cell by cell."""
    deep, wide = one.seen()
    first, second = one.pair
    x, y = (view.designs.sets[key].values for key in one.pair)
    return [
        [one.base, one.work, first, said(x[a]), second, said(y[b]), "" if value != value else value]
        for b in deep
        for a in wide
        for value in (float(one.table[b, a]),)
    ]


def _answer(view: View, one: Panel) -> str:
    pair, table, objective = one.pair, one.table, one.objective
    cost = -table if better_when_larger(objective) else table
    i, j = divmod(int(np.nanargmin(cost)), table.shape[1])
    factor, unit = scale_of(objective.lstrip("-"), table)
    names = short_keys(view.varied())
    at = [
        f"{names.get(key, key)} {said(view.designs.sets[key].values[n])}"
        for key, n in zip(pair, (j, i), strict=True)
    ]
    count = int(tied(view, (one.base, one.work), pair, objective, table).sum()) - 1
    more = f", and {count} more cells that cannot be told from it" if count else ""
    return f"{one.work} on {one.base}: best {figure_of(float(table[i, j]) * factor)} {unit} at {', '.join(at)}{more}."
