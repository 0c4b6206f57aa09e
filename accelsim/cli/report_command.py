"""accelsim report STORE | RUN..."""

from __future__ import annotations

import os
from pathlib import Path

import click

CONTEXT = "context.json"  # of a store; runs have none


@click.command("report")
@click.argument("folders", nargs=-1, metavar="STORE|RUN...")
@click.option(
    "--out",
    metavar="DIR",
    help="Write the page and its pictures here; of a STORE by default STORE_report.",
)
@click.option(
    "--plot",
    "plots",
    multiple=True,
    metavar="NAME[:OPTION,...]",
    help="Of a STORE only this picture; may be given again. --plot list shows them.",
)
@click.option(
    "--format",
    "formats",
    metavar="F,...",
    help="Of html, png, pdf, svg; default html,png, of a RUN with svg.",
)
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option(
    "--trace", is_flag=True, help="Add trace.json of the first RUN, which ui.perfetto.dev opens."
)
def command(
    folders: tuple[str, ...],
    out: str | None,
    plots: tuple[str, ...],
    formats: str | None,
    force: bool,
    trace: bool,
) -> None:
    """One self-contained page about a sweep's STORE, or about each RUN.

    STORE is the folder of `accelsim sweep --store`: Pareto front, digital against PCM, energy, accuracy over
    age, sensitivity and more, each with its points as CSV. RUN is a folder that `accelsim run --out` wrote:
    roofline, utilisation, energy, timeline, tables.
    """
    from accelsim.errors import InputError, Problem

    stores = [folder for folder in folders if os.path.isfile(Path(folder) / CONTEXT)]
    if plots == ("list",):
        _list()
    elif not folders:
        raise click.UsageError("Missing argument 'STORE|RUN...'.")
    elif not stores:
        if plots:
            raise InputError(
                Problem(
                    "report.plot",
                    "chooses pictures of a STORE; a RUN gets all of its own",
                    "leave it out",
                    file="--plot",
                )
            )
        if out is None:
            raise click.UsageError("Missing option '--out' for RUN.")
        _runs(folders, out, formats, force, trace)
    elif len(folders) > 1 or trace:
        what = "--trace is of a RUN" if trace else "a STORE stands alone"
        raise InputError(
            Problem(
                "report.mixed",
                f"is the store of a sweep; {what}",
                "report each on its own",
                file=stores[0],
            )
        )
    else:
        _store(stores[0], out or f"{stores[0].rstrip('/')}_report", plots, formats, force)


def _list() -> None:
    from accelsim.cli.tables import plain_table
    from accelsim.reports.sweeps.library import library

    known = library()
    rows = [[name, plot.question, plot.options] for name, plot in known.plots.items()]
    plain_table(["plot", "question", "options"], rows, (0, 1, 2))
    for name, reason in known.broken.items():
        click.echo(f"{name}: {reason}", err=True)


def _runs(runs: tuple[str, ...], out: str, formats: str | None, force: bool, trace: bool) -> None:
    from accelsim.reports.page import write_report
    from accelsim.reports.perfetto import trace_json
    from accelsim.reports.sweeps.write import formats_named
    from accelsim.results import files
    from accelsim.results.load import load_run

    wanted = formats_named(formats or "html,png,svg")
    files.refuse_source(Path(out), runs)
    files.refuse_occupied(Path(out), force)
    results = [load_run(run) for run in runs]
    more = {"trace.json": trace_json(results[0])} if trace else {}
    files.write_folder(more, out, force, lambda folder: write_report(results, folder, wanted))
    page = f"{out}/report.html" if "html" in wanted else out
    click.echo(f"{page}: {len(results)} runs" if len(results) > 1 else page)
    if trace:
        click.echo(f"{out}/trace.json: open it in ui.perfetto.dev")


def _store(store: str, out: str, plots: tuple[str, ...], formats: str | None, force: bool) -> None:
    from accelsim.reports.sweeps.base import View
    from accelsim.reports.sweeps.folder import write_sweep_report
    from accelsim.reports.sweeps.library import chosen, library
    from accelsim.reports.sweeps.stored import read_store
    from accelsim.reports.sweeps.write import Outcome, formats_named
    from accelsim.results import files
    from accelsim.store.columns import columns
    from accelsim.store.folder import context
    from accelsim.sweeps.rerun import rerun_of

    wanted = formats_named(formats or "html,png")
    known = library()
    pictures = chosen(plots, known)
    files.refuse_occupied(Path(out), force)
    table, asked = read_store(Path(store))
    for note in columns(Path(store)).head["notes"]:
        click.echo(f"note: {note}", err=True)
    rerun, reason = rerun_of(Path(store), context(Path(store)))
    outcomes: list[Outcome] = []

    def write(folder: Path) -> None:
        view = View(table, asked, rerun, reason)
        outcomes.extend(write_sweep_report(view, pictures, known, folder, wanted, not plots))

    files.write_folder({}, out, force, write)
    for one in outcomes:
        if one.drawn is None:
            click.echo(f"{one.plot.name}: not drawn: {one.reason}", err=True)
        else:
            click.echo(f"{one.plot.name}: {one.drawn.answer}")
    click.echo(f"{out}/report.html" if "html" in wanted else out)
