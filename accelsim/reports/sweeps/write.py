"""Pictures of a sweep into a folder: each as PNG, PDF or SVG with its points as CSV, and the page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accelsim.errors import InputError, Problem
from accelsim.escaping import CsvWriter
from accelsim.reports.style import save
from accelsim.reports.sweeps.base import Drawn, NotDrawn, Plot, View
from accelsim.reports.sweeps.caption import caption

FORMATS = ("html", "png", "pdf", "svg")
DPI = 200
LINE = 0.135  # inches of a caption's line


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plot. drawn: None where the store cannot answer; reason then says why. text: the
    caption. png: the picture, empty without one. files: written, by name."""

    stem: str
    plot: Plot
    drawn: Drawn | None
    reason: str = ""
    text: str = ""
    png: bytes = b""
    files: tuple[str, ...] = ()


def formats_named(text: str) -> tuple[str, ...]:
    """ "html,png" as names; InputError for others."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [name for name in found if name not in FORMATS]
    if wrong or not found:
        raise InputError(
            Problem(
                "report.format",
                f"no format {', '.join(wrong) or text!r}",
                "write one or several of " + ",".join(FORMATS),
                file="--format",
            )
        )
    return found


def draw_all(
    view: View,
    wanted: Sequence[tuple[Plot, tuple[str, ...]]],
    folder: Path,
    formats: Sequence[str] = ("png",),
    own: Sequence[str] = (),
    dpi: int = DPI,
) -> list[Outcome]:
    """Draw plots into a folder, one after the other. own: names of plots whose bugs are ours; any other plot's
    exception is its reason for not being drawn."""
    found: list[Outcome] = []
    for plot, options in wanted:
        same = sum(one.plot.name == plot.name for one in found)
        stem = plot.name if not same else f"{plot.name}_{same + 1}"
        try:
            drawn = plot.draw(view, options)
        except NotDrawn as why:
            found.append(Outcome(stem, plot, None, str(why)))
            continue
        except InputError:
            raise
        except Exception as error:
            if plot.name in own:
                raise
            found.append(
                Outcome(stem, plot, None, f"failed: {type(error).__name__}: {error}"[:200])
            )
            continue
        found.append(_written(view, plot, stem, drawn, folder, formats, dpi))
    return found


def _written(
    view: View, plot: Plot, stem: str, drawn: Drawn, folder: Path, formats: Sequence[str], dpi: int
) -> Outcome:
    text = caption(view, drawn)
    files = [f"{stem}_points.csv"]
    (folder / files[0]).write_text(points_csv(drawn), encoding="utf-8")
    png = b""
    if drawn.figure is not None:
        wide, deep = drawn.figure.get_size_inches()
        drawn.figure.set_size_inches(wide, deep + LINE * (text.count("\n") + 1))
        drawn.figure.supxlabel(text, fontsize=8, x=0.01, ha="left")
        if {"png", "html"} & set(formats):
            out = io.BytesIO()
            drawn.figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
            png = out.getvalue()
        if "png" in formats:
            (folder / f"{stem}.png").write_bytes(png)
        save(drawn.figure, folder, stem, [name for name in formats if name in ("pdf", "svg")])
        files += [f"{stem}.{name}" for name in formats if name != "html"]
        drawn.figure = None  # a page of many pictures keeps none of them in memory
    return Outcome(stem, plot, drawn, "", text, png, tuple(files))


def points_csv(drawn: Drawn) -> str:
    """The points as CSV, floats with all digits."""
    text = io.StringIO()
    writer = CsvWriter(text)
    writer.writerow(drawn.head)
    writer.writerows(
        [repr(float(cell)) if isinstance(cell, float) else cell for cell in row]
        for row in drawn.rows
    )
    return text.getvalue()
