"""The page about a sweep: its question, what was found, and all that the figures rest on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.caption import constraint_text
from accelsim.reports.sweeps.looks import bases_of, works_of
from accelsim.reports.sweeps.scale import SHORT
from accelsim.reports.sweeps.write import Outcome
from accelsim.reports.templates import filled
from accelsim.store.joint import TEXTS
from accelsim.store.spec import Joint

MOST_LINES = 200  # of a table


def page(view: View, outcomes: Sequence[Outcome], broken: dict[str, str]) -> str:
    """The whole page, with everything in it."""
    return filled(
        "sweep.html",
        title=view.context.name or "sweep",
        context=view.context,
        asked=_asked(view),
        outcomes=outcomes,
        most_lines=MOST_LINES,
        failures=_failures(view),
        not_drawn=[
            *((one.plot.name, one.reason) for one in outcomes if one.drawn is None),
            *broken.items(),
        ],
        bases=[(name, view.context.bases.get(name)) for name in bases_of(view)],
    )


def _asked(view: View) -> list[list[str]]:
    c, d = view.context, view.designs
    signs = {True: "large", False: "small"}
    return [
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


def joint_text(joint: Joint) -> str:
    """A joint objective in words."""
    measure = joint.of.lstrip("-")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in joint.weights)
    text = f"{TEXTS[joint.by]} of {SHORT.get(measure, measure)}"
    return f"{text} ({weights})" if weights else text


def _from(view: View, name: str) -> str:
    note = view.context.bases.get(name)
    return f" ({note.source}, {note.digest[:12]})" if note and note.source else ""


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


def _failures(view: View) -> list[list[str]]:
    rows = [
        ["does not fit" if not fits else "failed", f"{count:,}", code, text]
        for code, fits, count, text in failures(view)
    ]
    cut = int((view.cut & view.designs.ok).sum())
    if cut:
        rows.append(["breaks a constraint", f"{cut:,}", "", "designs; drawn hollow, never named"])
    return rows
