"""Digital or PCM: who takes less energy, at each boundary and as weights are written more often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from accelsim.reports.style import blank
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.choices import key_named
from accelsim.reports.sweeps.crossing import BOUNDARIES, Crossing, crossing, side
from accelsim.reports.sweeps.looks import bases_of, left_out, works_of
from accelsim.reports.sweeps.named import require_points
from accelsim.reports.sweeps.plots.sensitivity import shares
from accelsim.reports.sweeps.scale import figure_of, said, short_keys
from accelsim.reports.sweeps.table import JOIN, Bools, Floats, Words

MOST_ROWS = 6
WRITES = np.geomspace(1e-6, 1.0, 241)  # writes of all weights an inference
MAP = "cividis"
SPAN = 8.0  # colours from 1/SPAN to SPAN
TITLES = {"device": "device", "core": "core", "chip": "chip, weights in place"}


@dataclass(frozen=True, slots=True)
class _Row:
    """Panels beside each other: a digital and a PCM base. match: values of keys that both vary."""

    base: str
    pcm: str
    work: str
    match: tuple[tuple[str, int], ...]
    text: str


class Crossover(Plot):
    """A row of panels a workload and pair of bases of equal precision: three boundaries over two PCM keys,
    then writes an inference."""

    name = "crossover"
    title = "Digital or PCM: ratio of energies"
    question = "Where does PCM take less energy than a digital chip, and until how many writes?"
    options = "KEY,KEY of PCM (default: ADC bits up and rows across, else the two that matter most)"

    def draw(self, view: View, options: Sequence[str] = ()) -> Drawn:
        require_points(view)
        d = view.designs
        known = view.good & np.isfinite(d.measure("energy_chip_joules"))
        if not (known & d.analog).any() or not (known & ~d.analog).any():
            raise NotDrawn("needs energies of both technologies' designs that keep the constraints")
        up, across = _axes(view, options)
        rows = _rows(view, up, across)
        if not rows:
            raise NotDrawn("no digital and PCM design share a workload")
        shown = rows[:MOST_ROWS]
        made, grid = _panels(len(shown))
        points: list[list[str | int | float]] = []
        answers = []
        picture = None
        for row, axes in zip(shown, grid, strict=True):
            found = _crossing(view, row, up, across)
            picture = _draw(view, axes, row, found, (up, across), row is shown[0])
            points += _points(view, row, found, (up, across))
            answers.append(_answer(view, row, found, up))
        for place in grid[:-1].ravel():
            place.set_xlabel("")
        bar = made.colorbar(
            picture,
            ax=list(grid.ravel()),
            location="right",
            shrink=0.8,
            pad=0.02,
            aspect=30,
            extend="both",
            label="energy of digital over PCM",
        )
        bar.set_ticks(
            [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8], labels=["1/8", "1/4", "1/2", "1", "2", "4", "8"]
        )
        bar.minorticks_off()
        names = {"": "other keys", **short_keys(view.varied())}
        notes = [
            "Bright: PCM takes less, dark: digital; thick line: equal. Each cell compares the best PCM "
            f"design of its {names[up]} and {names[across]} with the best digital one of the "
            "same precision, an inference each; right: energy = in place + writing x writes, best PCM "
            "design of each row"
        ]
        notes += left_out("rows", [row.text for row in rows[MOST_ROWS:]])
        head = [
            "workload",
            "digital base",
            "PCM base",
            "matched",
            "boundary",
            up,
            across or "other keys",
            "writes an inference",
            "digital over PCM",
        ]
        return Drawn(made, head, points, " ".join(answers), "device, core, chip", notes)


def _axes(view: View, options: Sequence[str]) -> tuple[str, str]:
    """The PCM keys up and across."""
    d = view.designs
    mine = view.good & d.analog
    keys = [
        key
        for key in view.varied(mine)
        if 2 <= len(np.unique(d.sets[key].codes[mine])) <= 16
        and (d.sets[key].codes[mine] >= 0).all()
    ]
    if options:
        keys = [key_named(view, word) for word in options]
    if not keys:
        raise NotDrawn("PCM designs vary no key that all of them have")
    if not options:
        weight: dict[str, float] = {}
        for _, key, _, total in shares(view, "energy_chip_joules"):
            weight[key] = max(weight.get(key, 0.0), total)
        keys.sort(
            key=lambda key: (
                not key.endswith("adc.bits"),
                not key.endswith(".rows"),
                -weight.get(key, 0.0),
            )
        )
    return keys[0], keys[1] if len(keys) > 1 else ""


def _column(view: View, key: str) -> Words:
    """A key's column; of none one value for all."""
    if key:
        return view.designs.sets[key]
    return Words(np.zeros(len(view.designs), np.int32), ("all",), np.zeros(1))


def _shared(view: View, up: str, across: str) -> list[str]:
    """Keys that vary in both technologies."""
    d = view.designs
    both = set(view.varied(view.good & d.analog)) & set(view.varied(view.good & ~d.analog))
    return sorted(key for key in both - {up, across} if "weights" not in key.split(JOIN))


def _rows(view: View, up: str, across: str) -> list[_Row]:
    d = view.designs
    shared, names = _shared(view, up, across), short_keys(view.varied())
    rows = []
    for work, base, pcm in product(works_of(view, view.good), bases_of(view), bases_of(view)):
        if _comparable(view, base, pcm):
            here = view.good & d.work.where(work)
            other = here & d.base.where(pcm) & d.analog
            mine = here & d.base.where(base) & ~d.analog
            found = {
                tuple(int(d.sets[key].codes[n]) for key in shared) for n in np.flatnonzero(mine)
            }
            for codes in sorted(found):
                match = tuple(zip(shared, codes, strict=True))
                if not (_matched(view, match) & other).any():
                    continue
                values = [
                    f"{names[key]} {said(d.sets[key].values[code] if code >= 0 else None)}"
                    for key, code in match
                ]
                text = ", ".join([f"{work}, {base} to {pcm}", *values])
                rows.append(_Row(base, pcm, work, match, text))
    return rows


def _comparable(view: View, digital: str, pcm: str) -> bool:
    """Bases of equal precision; one whose precision is not known goes with all."""
    known = [note.precision for name in (digital, pcm) if (note := view.context.bases.get(name))]
    return len({text for text in known if text}) < 2


def _matched(view: View, match: Sequence[tuple[str, int]]) -> Bools:
    found = np.ones(len(view.designs), bool)
    for key, code in match:
        found &= view.designs.sets[key].codes == code
    return found


def _crossing(view: View, row: _Row, up: str, across: str) -> Crossing:
    d = view.designs
    here = view.good & d.work.where(row.work) & _matched(view, row.match)
    columns = [_column(view, key) for key in (across, up)]
    placed = (columns[0].codes >= 0) & (columns[1].codes >= 0)
    digital, pcm = here & d.base.where(row.base), here & d.base.where(row.pcm) & placed
    return crossing(view, side(view, digital), side(view, pcm), columns[0], columns[1], WRITES)


def _panels(count: int) -> tuple[Any, Any]:
    made = blank(1.5 * count + 0.5)
    return made, made.subplots(count, 4, squeeze=False, sharey=True, width_ratios=[1, 1, 1, 1.35])


def _draw(
    view: View, axes: Any, row: _Row, found: Crossing, keys: tuple[str, str], first: bool
) -> Any:
    from matplotlib.colors import LogNorm

    norm, names = LogNorm(1 / SPAN, SPAN), short_keys(view.varied())
    up, across = (_column(view, key) for key in keys)
    seen = np.isfinite(found.ratio["chip"])
    deep, wide = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    picture = None
    for place, name in zip(axes, BOUNDARIES, strict=False):
        table = found.ratio[name][np.ix_(deep, wide)]
        place.set_facecolor("#EEEEEE")
        picture = place.imshow(table, cmap=MAP, norm=norm, origin="lower", aspect="auto")
        _edges(place, table)
        if len(wide) <= 4:
            _figures(place, table, norm)
        place.set_xticks(
            range(len(wide)),
            [said(across.values[n]) for n in wide],
            rotation=40 if len(wide) > 4 else 0,
        )
        place.set_xlabel(names.get(keys[1], ""))
        if first:
            place.set_title(TITLES[name], fontsize=8)
    axes[0].set_yticks(range(len(deep)), [said(up.values[n]) for n in deep])
    label = row.text.replace(" to ", "\nto ").split(", ")
    axes[0].set_ylabel("\n".join([*label, names[keys[0]]]))
    _over_writes(axes[3], found, deep, norm)
    if first:
        axes[3].set_title("chip, with writing", fontsize=8)
    return picture


def _over_writes(place: Any, found: Crossing, deep: Any, norm: Any) -> None:
    """The ratio at the chip boundary over writes an inference, and where it is 1."""
    place.set_xscale("log")
    place.set_xlim(found.writes[0], found.writes[-1])
    place.set_xticks([1e-6, 1e-4, 1e-2, 1.0])
    place.minorticks_off()
    place.set_xlabel("writes an inference")
    if np.isnan(found.break_even[deep]).any():
        place.text(
            0.5,
            0.5,
            "writing not measured:\nadd it to measures",
            ha="center",
            va="center",
            transform=place.transAxes,
        )
        return
    steps = np.arange(len(deep) + 1) - 0.5
    edges = np.append(found.writes, found.writes[-1])
    place.pcolormesh(edges, steps, found.over_writes[deep], cmap=MAP, norm=norm, rasterized=True)
    even = np.repeat(np.clip(found.break_even[deep], found.writes[0], found.writes[-1]), 2)
    for colour, width in (("white", 3.2), ("black", 1.6)):
        place.plot(even, np.repeat(steps, 2)[1:-1], color=colour, linewidth=width)


def _edges(place: Any, table: Floats) -> None:
    """A thick line between cells on both sides of 1."""
    with np.errstate(invalid="ignore"):
        wins = np.where(np.isfinite(table), np.where(table > 1, 1, 0), -1)
    lines = []
    for i, j in np.ndindex(*table.shape):
        if j + 1 < table.shape[1] and {wins[i, j], wins[i, j + 1]} == {0, 1}:
            lines.append(([j + 0.5] * 2, [i - 0.5, i + 0.5]))
        if i + 1 < table.shape[0] and {wins[i, j], wins[i + 1, j]} == {0, 1}:
            lines.append(([j - 0.5, j + 0.5], [i + 0.5] * 2))
    for colour, width in (("white", 3.2), ("black", 1.6)):
        for xs, ys in lines:
            place.plot(xs, ys, color=colour, linewidth=width, solid_capstyle="projecting")


def _figures(place: Any, table: Floats, norm: Any) -> None:
    for (i, j), value in np.ndenumerate(table):
        if np.isfinite(value):
            place.text(
                j,
                i,
                figure_of(float(value), 2),
                ha="center",
                va="center",
                color="white" if norm(value) < 0.5 else "black",
            )


def _points(
    view: View, row: _Row, found: Crossing, keys: tuple[str, str]
) -> list[list[str | int | float]]:
    up, across = (_column(view, key) for key in keys)
    start = [row.work, row.base, row.pcm, ", ".join(row.text.split(", ")[2:])]
    rows: list[list[str | int | float]] = []
    for name in BOUNDARIES:
        for (i, j), value in np.ndenumerate(found.ratio[name]):
            if np.isfinite(value):
                rows.append(
                    [*start, name, said(up.values[i]), said(across.values[j]), 0.0, float(value)]
                )
    for i in range(len(up.values)):
        if np.isfinite(found.over_writes[i]).all():
            even = float(found.break_even[i])
            rows += [
                [
                    *start,
                    "chip",
                    said(up.values[i]),
                    "best",
                    float(found.writes[n]),
                    float(found.over_writes[i, n]),
                ]
                for n in range(0, len(found.writes), 40)
            ]
            if 0 < even < np.inf:
                rows.append([*start, "chip", said(up.values[i]), "best", even, 1.0])
    return rows


def _answer(view: View, row: _Row, found: Crossing, up: str) -> str:
    words = []
    for name in BOUNDARIES:
        known = found.ratio[name][np.isfinite(found.ratio[name])]
        words.append(
            f"{name} {figure_of(float(known.max()), 2)}" if len(known) else f"{name} unknown"
        )
    even = found.break_even[np.isfinite(found.ratio["chip"]).any(axis=1)]
    best = float(even.max(initial=0.0))
    until = (
        "writing is not measured"
        if np.isnan(best)
        else "PCM never wins at the chip boundary"
        if best == 0
        else "PCM wins at the chip boundary at any number of writes"
        if np.isinf(best)
        else f"PCM wins at the chip boundary below {figure_of(best, 2)} writes an inference"
    )
    return f"{row.text}: best ratio {', '.join(words)}; {until}."
