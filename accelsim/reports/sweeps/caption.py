"""The caption below a picture: chips, workload, boundary, technology, assumptions, counts, notes."""

from __future__ import annotations

import re
import textwrap

from accelsim.reports.sweeps.base import Drawn, View
from accelsim.reports.sweeps.looks import bases_of, works_of
from accelsim.reports.sweeps.scale import SHORT, figure_of, scale_of
from accelsim.reports.sweeps.table import Floats

LETTERS = 112  # of 8 pt on a line of COLUMN_INCHES
MOST_ASSUMPTIONS = 3
TIE = "\N{NO-BREAK SPACE}"  # between a number and its unit


def caption(view: View, drawn: Drawn) -> str:
    """The caption as lines."""
    context = view.context
    works = [
        f"{name} ({more})" if (more := context.works.get(name, "")) else name
        for name in (drawn.works or works_of(view))
    ]
    chips = []
    for name in drawn.chips or bases_of(view):
        rows = view.designs.base.where(name)
        note = context.bases.get(name)
        about = ["PCM" if view.designs.analog[rows].any() else "digital"]
        if note is not None and note.technology:
            about.append(note.technology.replace(" ", TIE))
        if note is not None and note.weights:
            about.append(f"weights {note.weights}")
        chips.append(f"{name}: {', '.join(about)}")
    parts = [f"{'; '.join(works)} on {'; '.join(chips)}"]
    parts.append(f"Boundary: {drawn.boundary}" if drawn.boundary else "No energy is shown")
    parts += drawn.notes
    parts.append(_counts(view))
    if context.constraints:
        parts.append(
            "Constraints: " + ", ".join(constraint_text(*one) for one in context.constraints)
        )
    assumed = shared_assumptions(view)[:MOST_ASSUMPTIONS]
    if assumed:
        parts.append(f"Assumed: {'; '.join(assumed)}; the page lists all")
    text = ". ".join(part.rstrip(".") for part in parts) + "."
    joined = re.sub(r"(?<=\d) (?=(?:nm|V|uJ|nJ|mJ|mm2|%)\b)|(?<=[a-z]\.[a-z]{4}) (?=\d)", TIE, text)
    return "\n".join(textwrap.wrap(joined, LETTERS))


def _counts(view: View) -> str:
    designs = view.designs
    words = [f"{int(designs.ok.sum()):,} of {len(designs):,} designs have measures"]
    without = int((~designs.fits).sum())
    if without:
        words.append(f"{without:,} do not fit")
    failed = int((~designs.ok & designs.fits).sum())
    if failed:
        words.append(f"{failed:,} failed")
    repeats = int(designs.repeats.max(initial=1))
    if repeats > 1:
        words.append(f"means of up to {repeats} seeds, 95 % intervals; of shares the seeds' range")
    return ", ".join(words)


def constraint_text(measure: str, sign: str, bound: float) -> str:
    """ "area <= 40 mm2"."""
    if measure == "fits":
        return "fits"
    factor, unit = scale_of(measure, _one(bound))
    return f"{SHORT.get(measure, measure)} {sign} {figure_of(bound * factor)} {unit}".rstrip()


def _one(value: float) -> Floats:
    import numpy as np

    return np.array([value], np.float64)


def shared_assumptions(view: View) -> list[str]:
    """Assumptions in order of how many bases make them, each once."""
    count: dict[str, int] = {}
    for note in view.context.bases.values():
        for text in note.assumptions:
            count[text] = count.get(text, 0) + 1
    return sorted(count, key=lambda text: -count[text])
