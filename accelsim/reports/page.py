"""One HTML page about one or several runs, with everything in it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from accelsim.escaping import markup
from accelsim.reports.pictures import draw
from accelsim.reports.roofline import draw_roofline
from accelsim.reports.timeline import draw_timeline
from accelsim.results.breakdown import joule_shares
from accelsim.results.labels import labels_of
from accelsim.results.result import Result
from accelsim.results.rounding import percentages

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em;
       color: #222 }
h1 { font-size: 1.5em } h2 { font-size: 1.2em; margin-top: 2em; border-top: 1px solid #ccc;
     padding-top: 1em } h3 { font-size: 1em }
table { border-collapse: collapse; font-size: 0.85em; margin: 0.6em 0; display: block;
        overflow-x: auto } td, th { padding: 0.15em 0.7em; text-align: right;
        border-bottom: 1px solid #eee } td:first-child, th:first-child { text-align: left }
th { border-bottom: 1px solid #888 } td.text { text-align: left }
img { width: 100%; max-width: 52em } figure { margin: 1em 0 } figcaption { font-size: 0.8em }
.note { font-size: 0.85em; color: #444 }
"""
PICTURES = {
    "energy": "Energy by operator and component",
    "utilisation": "Array time by cause",
    "timeline": "Timeline of the units",
    "roofline": "Roofline",
}


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
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{markup(_title(results))}</title><style>{STYLE}</style></head><body>",
        f"<h1>{markup(_title(results))}</h1>",
        _overview(results),
    ]
    if len(results) > 1:
        draw_roofline(results, folder, drawn)
        parts.append(_picture(folder / "roofline.png", "Rooflines of all runs"))
    for number, result in enumerate(results, 1):
        place = folder if len(results) == 1 else folder / f"run{number}"
        place.mkdir(exist_ok=True)
        pictures(result, place, drawn)
        parts.append(_section(result, place, labels_of(results)[number - 1]))
    parts.append("</body></html>\n")
    if "html" in formats:
        (folder / "report.html").write_text("\n".join(parts), encoding="utf-8")
    if "png" not in formats:
        for path in folder.rglob("*.png"):
            path.unlink()


def _title(results: list[Result]) -> str:
    return "; ".join(labels_of(results))


def html_table(head: list[str], rows: list[list[str]], text: tuple[int, ...] = (0,)) -> str:
    def cells(line: list[str]) -> str:
        return "".join(
            f"<td{' class=text' if i in text else ''}>{markup(cell)}</td>"
            for i, cell in enumerate(line)
        )

    top = "".join(f"<th>{markup(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{cells(line)}</tr>" for line in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _overview(results: list[Result]) -> str:
    head = [
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
    rows = []
    for label, result in zip(labels_of(results), results, strict=True):
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
    return html_table(head, rows)


def _picture(path: Path, title: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img alt="{markup(title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{markup(title)}; points in {path.stem}_points.csv</figcaption></figure>"
    )


def _section(result: Result, folder: Path, label: str) -> str:
    parts = [f"<h2>{markup(label)}</h2>"]
    if result.chip.description:
        parts.append(f"<p>{markup(result.chip.description)}.</p>")
    parts += [_picture(folder / f"{stem}.png", title) for stem, title in PICTURES.items()]
    rows = [
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
    parts.append(
        "<h3>Operators</h3>"
        + html_table(
            ["operator", "MMAC", "cycles", "utilisation %", "off-chip KiB", "uJ", "mapping"],
            rows,
            (0, 6),
        )
    )
    shares = [share for share in joule_shares(result) if share.joules]
    percent = percentages([share.joules for share in shares])
    rows = [
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
    parts.append(
        "<h3>Joules and their constants</h3>"
        + html_table(
            ["action", "count", "pJ each", "uJ", "%", "+- %", "boundary", "source"], rows, (0, 6, 7)
        )
    )
    notes = "".join(f"<li>{markup(note)}</li>" for note in result.assumptions)
    parts.append(f'<h3>Assumptions</h3><ul class="note">{notes}</ul>')
    parts.append(
        f'<p class="note">Program {result.program_digest[:16]}, chip '
        f"{result.chip.digest[:16]}, {result.commands:,} commands.</p>"
    )
    return "\n".join(parts)
