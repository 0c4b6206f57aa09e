"""The page about a sweep: its question, what was found, and all that the figures rest on."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from accelsim.escaping import markup
from accelsim.reports.page import STYLE, html_table
from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.caption import constraint_text
from accelsim.reports.sweeps.looks import bases_of, works_of
from accelsim.reports.sweeps.scale import SHORT
from accelsim.reports.sweeps.write import Outcome
from accelsim.store.joint import TEXTS
from accelsim.store.spec import Joint

MOST_LINES = 200  # of a table


def page(view: View, outcomes: Sequence[Outcome], broken: dict[str, str]) -> str:
    """The whole page, with everything in it."""
    context = view.context
    title = context.name or "sweep"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{markup(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{markup(title)}</h1>",
    ]
    if context.question:
        parts.append(f"<p><b>Question.</b> {markup(context.question)}</p>")
    if context.answer:
        parts.append(f"<p><b>Answer.</b> {markup(context.answer)}</p>")
    parts.append(f"<p><b>Made again by</b> <code>{markup(context.command)}</code></p>")
    parts.append(_asked(view))
    parts += [_picture(one) for one in outcomes if one.drawn is not None]
    parts += [_failures(view), _not_drawn(outcomes, broken), _bases(view)]
    parts.append("</body></html>\n")
    return "\n".join(part for part in parts if part)


def _asked(view: View) -> str:
    c, d = view.context, view.designs
    signs = {True: "large", False: "small"}
    rows = [
        ["designs", f"{len(d):,} ({len(view.points):,} points, {c.sampling})"],
        [
            "with measures",
            f"{int(d.ok.sum()):,}, of which {int(view.good.sum()):,} keep the constraints",
        ],
        ["bases", "; ".join(f"{name}{_from(view, name)}" for name in bases_of(view))],
        [
            "workloads",
            "; ".join(f"{name} {c.works.get(name, '')}".strip() for name in works_of(view)),
        ],
        ["varied", ", ".join(view.varied()) or "nothing"],
        [
            "objectives",
            ", ".join(
                f"{SHORT.get(name.lstrip('-'), name)} {signs[name.startswith('-')]}"
                for name in c.objectives
            ),
        ],
        *([["over all workloads", joint_text(c.joint)]] if c.joint is not None else []),
        ["constraints", "; ".join(constraint_text(*one) for one in c.constraints) or "none"],
        ["accelsim", c.model],
    ]
    return html_table(["", ""], rows, (0, 1))


def joint_text(joint: Joint) -> str:
    """A joint objective in words."""
    measure = joint.of.lstrip("-")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in joint.weights)
    text = f"{TEXTS[joint.by]} of {SHORT.get(measure, measure)}"
    return f"{text} ({weights})" if weights else text


def _from(view: View, name: str) -> str:
    note = view.context.bases.get(name)
    return f" ({note.source}, {note.digest[:12]})" if note and note.source else ""


def _picture(one: Outcome) -> str:
    drawn = one.drawn
    assert drawn is not None
    parts = [
        f"<h2>{markup(one.plot.title)}</h2>",
        f'<p class="note">{markup(one.plot.question)}</p>',
        f"<p>{markup(drawn.answer)}</p>",
    ]
    if one.png:
        data = base64.b64encode(one.png).decode()
        parts.append(
            f'<figure><img alt="{markup(one.plot.title)}" src="data:image/png;base64,{data}">'
            f"<figcaption>Points in {markup(one.stem)}_points.csv</figcaption></figure>"
        )
    if drawn.table is not None:
        head, lines = drawn.table
        parts.append(
            html_table(list(head), [list(line) for line in lines[:MOST_LINES]], (0, 1, 2, 3))
        )
        parts.append(
            f'<p class="note">{markup(one.text)} All digits in {markup(one.stem)}_points.csv.</p>'
        )
    return "\n".join(parts)


def failures(view: View) -> list[tuple[str, bool, int, str]]:
    """(code, whether the design fits, points, an example's message) of points without measures, most first."""
    p = view.points
    bad = ~p.ok
    found = []
    for code, name in enumerate(p.failure.values):
        rows = bad & (p.failure.codes == code)
        if rows.any():
            told = np.flatnonzero(rows & (p.message.codes >= 0))
            example = str(p.message.at(int(told[0]))) if len(told) else ""
            fits = bool(p.fits[rows].all())
            found.append((str(name), fits, int(rows.sum()), example))
    return sorted(found, key=lambda item: -item[2])


def _failures(view: View) -> str:
    rows = [
        ["does not fit" if not fits else "failed", f"{count:,}", code, text]
        for code, fits, count, text in failures(view)
    ]
    cut = int((view.cut & view.designs.ok).sum())
    if cut:
        rows.append(["breaks a constraint", f"{cut:,}", "", "designs; drawn hollow, never named"])
    if not rows:
        return "<h2>Points without measures or cut</h2><p>None.</p>"
    table = html_table(["what", "points", "code", "for example"], rows, (0, 2, 3))
    return "<h2>Points without measures or cut</h2>" + table


def _not_drawn(outcomes: Sequence[Outcome], broken: dict[str, str]) -> str:
    rows = [[one.plot.name, one.reason] for one in outcomes if one.drawn is None]
    rows += [[name, reason] for name, reason in broken.items()]
    return "<h2>Not drawn</h2>" + html_table(["plot", "why"], rows, (0, 1)) if rows else ""


def _bases(view: View) -> str:
    parts = ["<h2>What the figures rest on</h2>"]
    for name in bases_of(view):
        note = view.context.bases.get(name)
        parts.append(f"<h3>{markup(name)}</h3>")
        if note is None or not (note.assumptions or note.sources):
            parts.append(
                '<p class="note">Unknown here: the sweep\'s chip files are not at hand.</p>'
            )
            continue
        about = ", ".join(text for text in (note.description, note.technology) if text)
        parts.append(f"<p>{markup(about)}.</p>" if about else "")
        notes = "".join(f"<li>{markup(text)}</li>" for text in note.assumptions)
        parts.append(f'<ul class="note">{notes}</ul>')
        if note.sources:
            parts.append(
                html_table(["constant", "source"], [list(pair) for pair in note.sources], (0, 1))
            )
    return "\n".join(parts)
