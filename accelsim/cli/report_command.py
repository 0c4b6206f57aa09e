"""accelsim report RUN..."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--out", required=True, metavar="DIR", help="Write the page and its pictures here.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--trace", is_flag=True,
              help="Add trace.json of the first RUN, which ui.perfetto.dev opens.")  # fmt: skip
def command(runs: tuple[str, ...], out: str, force: bool, trace: bool) -> None:
    """One self-contained page about each RUN: roofline, utilisation, energy, timeline, tables.

    RUN is a folder that `accelsim run --out` wrote.
    """
    from accelsim.report.page import write_report
    from accelsim.report.timeline import trace_json
    from accelsim.results import files
    from accelsim.results.load import load_run

    files.refuse_occupied(Path(out), force)
    results = [load_run(run) for run in runs]
    more = {"trace.json": trace_json(results[0])} if trace else {}
    files.write_folder(more, out, force, lambda folder: write_report(results, folder))
    click.echo(f"{out}/report.html: {len(results)} runs" if len(results) > 1 else
               f"{out}/report.html")  # fmt: skip
    if trace:
        click.echo(f"{out}/trace.json: open it in ui.perfetto.dev")
