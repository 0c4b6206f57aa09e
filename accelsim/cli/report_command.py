"""accelsim report STORE | RUN..."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from accelsim.cli.job_options import Given, collected, job_options
from accelsim.job import Job, load_job, plain_job


@dataclass(frozen=True, slots=True)
class Page:
    """Where the page is written, and what of it."""

    out: str | None
    formats: str | None
    force: bool
    trace: bool


CONTEXT = "context.json"  # of a store; runs have none


@click.command("report")
@job_options("report", Given("folders", "STORE|RUN...", "", True))
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
@collected("page", Page)
def command(job: Job, folders: tuple[str, ...], plots: tuple[str, ...], page: Page) -> None:
    """One self-contained page about a sweep's STORE, or about each RUN.

    STORE is the folder of `accelsim sweep --store`: Pareto front, digital against PCM, energy, accuracy over
    age, sensitivity and more, each with its points as CSV. RUN is a folder that `accelsim run --out` wrote:
    roofline, utilisation, energy, timeline, tables; or a job file, which is run. Without any, the options say
    what is run.
    """
    out, formats, force, trace = page.out, page.formats, page.force, page.trace
    if plain_job(job) and folders:
        raise click.UsageError("RUN is there, and options say what is run: give one of them.")
    from accelsim.errors import InputError, Problem

    stores = [folder for folder in folders if os.path.isfile(Path(folder) / CONTEXT)]
    if plots == ("list",):
        _list()
    elif not folders and not plain_job(job):
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
        _runs([load_job(one) if os.path.isfile(one) else one for one in folders] or [job], page)
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


def _runs(runs: list[str | Job], page: Page) -> None:
    from accelsim import verbs
    from accelsim.reports.page import write_report
    from accelsim.reports.perfetto import trace_json
    from accelsim.reports.sweeps.write import formats_named
    from accelsim.results import files
    from accelsim.results.load import load_run

    assert page.out is not None
    out, wanted = page.out, formats_named(page.formats or "html,png,svg")
    saved = [run for run in runs if isinstance(run, str)]
    files.refuse_source(Path(out), saved)
    files.refuse_occupied(Path(out), page.force)
    more: dict[str, bytes] = {}
    jobs = [run for run in runs if not isinstance(run, str)]

    def write(folder: Path) -> None:
        if saved or page.trace:
            write_report(results, folder, wanted)
        else:
            verbs.report(jobs, folder, wanted)

    if saved or page.trace:
        results = [load_run(run) if isinstance(run, str) else verbs.run(run) for run in runs]
        more = {"trace.json": trace_json(results[0])} if page.trace else {}
    files.write_folder(more, out, page.force, write)
    where = f"{out}/report.html" if "html" in wanted else out
    click.echo(f"{where}: {len(runs)} runs" if len(runs) > 1 else where)
    if page.trace:
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
