"""The report of a sweep: pictures, points and the page, in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from accelsim.reports.sweeps.base import Plot, View
from accelsim.reports.sweeps.library import Library
from accelsim.reports.sweeps.notes import with_notes
from accelsim.reports.sweeps.page import page
from accelsim.reports.sweeps.write import Outcome, draw_all


def write_sweep_report(
    view: View,
    wanted: Sequence[tuple[Plot, tuple[str, ...]]],
    known: Library,
    folder: Path,
    formats: Sequence[str] = ("html", "png"),
    all_plots: bool = True,
) -> list[Outcome]:
    """Draw plots into a folder that exists; report.html too where the formats have html. all_plots: the page
    says which plots of other packages are broken."""
    noted = with_notes(view)
    outcomes = draw_all(noted, wanted, folder, formats, known.own)
    if "html" in formats:
        text = page(noted, outcomes, known.broken if all_plots else {})
        (folder / "report.html").write_text(text, encoding="utf-8")
    return outcomes
