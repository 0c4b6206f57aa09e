"""What the figures of a sweep's bases take for granted, and where their constants come from."""

from __future__ import annotations

import dataclasses

from accelsim.chip import Chip
from accelsim.reports.sweeps.base import NotDrawn, View
from accelsim.reports.sweeps.context import BaseNote
from accelsim.reports.sweeps.looks import bases_of
from accelsim.reports.sweeps.named import best_of_bases
from accelsim.reports.sweeps.table import JOIN
from accelsim.results.breakdown import joule_shares
from accelsim.results.result import Result


def with_notes(view: View) -> View:
    """The view with technology, assumptions and constants' sources of each base, from its best design run
    again; as it is where that is not possible."""
    best = {one.base: one.row for one in reversed(best_of_bases(view))} if len(view.designs) else {}
    bases = dict(view.context.bases)
    for name in bases_of(view):
        rows = [best[name]] if name in best else []
        rows += (view.designs.ok & view.designs.base.where(name)).nonzero()[0].tolist()[:1]
        if rows and view.rerun is not None:
            try:
                bases[name] = _note(bases.get(name), name, view, view.run(rows[0]))
            except NotDrawn:
                break
    context = dataclasses.replace(view.context, bases=bases)
    made = View(view.points, context, view.rerun, view.why_no_rerun, view.letters)
    made.__dict__.update(
        {key: value for key, value in view.__dict__.items() if key in ("_held", "designs")}
    )
    return made


def _precision(chip: Chip, varied: list[str]) -> str:
    """Formats of inputs and weights; "" where a key changes them."""
    if any(key.startswith("precision") for key in varied):
        return ""
    return f"{chip.precision.input} x {chip.precision.weight}"


def _note(known: BaseNote | None, name: str, view: View, result: Result) -> BaseNote:
    chip = result.chip
    start = known or BaseNote(name, chip.crossbar is not None)
    varied = view.varied(view.designs.base.where(name))
    sources = dict.fromkeys(
        (f"{share.unit} {share.action}", share.formula)
        for share in joule_shares(result)
        if share.joules
    )
    areas = dict.fromkeys((f"{row.unit} {row.part}, area", row.source) for row in result.area)
    technology = f"{chip.technology.node * 1e9:g} nm, {chip.technology.voltage:g} V"
    return dataclasses.replace(
        start,
        technology=technology,
        description=chip.description,
        precision=_precision(chip, varied),
        weights="" if "weights" in JOIN.join(varied).split(JOIN) else chip.weights_said,
        assumptions=tuple(result.assumptions),
        sources=(*sources, *areas),
    )
