"""One HTML page about one or several runs, with everything in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from accelsim.reports.pictures import draw
from accelsim.reports.roofline import draw_roofline
from accelsim.reports.templates import filled
from accelsim.reports.timeline import draw_timeline
from accelsim.results.breakdown import joule_shares
from accelsim.results.labels import labels_of
from accelsim.results.result import Result
from accelsim.results.rounding import percentages

PICTURES = {
    "energy": "Energy by operator and component",
    "utilisation": "Array time by cause",
    "timeline": "Timeline of the units",
    "roofline": "Roofline",
}


OVERVIEW = [
    "run",
    "cycles",
    "MHz",
    "ms",
    "inferences/s",
    "tokens/s",
    "utilisation %",
    "device uJ",
    "core uJ",
    "chip uJ",
    "+- uJ",
    "mW",
    "pJ a MAC",
    "top-1 %",
]


def pictures(result: Result, folder: Path, formats: Sequence[str] = ("png", "svg")) -> None:
    """Every picture of one run with its points."""
    draw(result, folder, formats)
    draw_roofline([result], folder, formats)
    draw_timeline(result, folder, formats)


def write_report(
    results: list[Result], folder: Path, formats: Sequence[str] = ("html", "png", "svg")
) -> None:
    """report.html, and each run's pictures: in the folder, or in run1/, run2/, ... of several."""
    drawn = tuple(dict.fromkeys(["png", *(name for name in formats if name != "html")]))
    labels = labels_of(results)
    rooflines = b""
    if len(results) > 1:
        draw_roofline(results, folder, drawn)
        rooflines = (folder / "roofline.png").read_bytes()
    runs = []
    for number, (label, result) in enumerate(zip(labels, results, strict=True), 1):
        place = folder if len(results) == 1 else folder / f"run{number}"
        place.mkdir(exist_ok=True)
        pictures(result, place, drawn)
        shown = [
            (stem, title, (place / f"{stem}.png").read_bytes()) for stem, title in PICTURES.items()
        ]
        runs.append(
            {
                "label": label,
                "result": result,
                "pictures": shown,
                "operators": _operators(result),
                "joules": _joules(result),
            }
        )
    if "html" in formats:
        text = filled(
            "runs.html",
            title="; ".join(labels),
            overview={"head": OVERVIEW, "rows": _overview(labels, results)},
            rooflines=rooflines,
            runs=runs,
        )
        (folder / "report.html").write_text(text, encoding="utf-8")
    if "png" not in formats:
        for path in folder.rglob("*.png"):
            path.unlink()


def _overview(labels: list[str], results: list[Result]) -> list[list[str]]:
    rows = []
    for label, result in zip(labels, results, strict=True):
        energy, chip = result.energy, result.chip
        score = (result.values.scores if result.values else result.scores).get("top1")
        rows.append(
            [
                label,
                f"{result.cycles:,}",
                f"{chip.clocks[chip.core.clock] / 1e6:g}",
                f"{result.seconds * 1e3:.4g}",
                *(
                    f"{count / result.seconds:,.4g}" if result.seconds and count else "-"
                    for count in (result.workload.inferences, result.workload.tokens)
                ),
                f"{100 * result.utilisation:.1f}",
                *(f"{energy.boundary(name) * 1e6:,.4g}" for name in ("device", "core", "chip")),
                f"{energy.band * 1e6:,.3g}",
                f"{energy.total / result.seconds * 1e3:,.4g}",
                f"{energy.total / max(1, result.workload.macs) * 1e12:.3g}",
                f"{100 * score:.2f}" if score is not None else "-",
            ]
        )
    return rows


def _operators(result: Result) -> list[list[str]]:
    return [
        [
            row.name,
            f"{row.macs / 1e6:,.2f}" if row.macs else "-",
            f"{row.cycles:,}",
            f"{100 * row.utilisation:.1f}" if row.macs and row.utilisation is not None else "-",
            f"{(row.dram_read_bytes + row.dram_written_bytes) / 1024:,.1f}",
            f"{row.joules * 1e6:,.3f}",
            row.mapping,
        ]
        for row in result.operators
        if row.ran
    ]


def _joules(result: Result) -> list[list[str]]:
    shares = [share for share in joule_shares(result) if share.joules]
    percent = percentages([share.joules for share in shares])
    return [
        [
            f"{s.unit} {s.action}",
            f"{s.count:,.4g}",
            f"{s.price * 1e12:,.4g}",
            f"{s.joules * 1e6:,.4g}",
            f"{p:.1f}",
            f"{100 * s.band:.0f}",
            s.boundary,
            s.formula,
        ]
        for s, p in zip(shares, percent, strict=True)
    ]
