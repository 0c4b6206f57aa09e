"""accelsim explain RUN | JOB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from accelsim.cli.job_options import RUN, job_options, one_of
from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.job import Job


@click.command("explain")
@job_options("explain", RUN)
@click.option("--layer", metavar="NAME", help="Only this operator.")
@click.option(
    "--why",
    type=click.Choice(["cycles", "joules", "errors"]),
    help="Only cycles, joules, or the error budget of crossbars.",
)
@memory_option
def command(job: Job, runs: str | None, layer: str | None, why: str | None) -> None:
    """Say where every cycle and every joule of RUN went, and what would change it most.

    RUN is a folder that `accelsim run --out` wrote, or a job file, which is run. Without RUN, the options say
    what is run.
    """
    from accelsim import verbs
    from accelsim.reports.explanation import explanation
    from accelsim.results.load import load_run

    folder, asked = one_of(runs, job)
    if asked is None:
        click.echo(explanation(load_run(folder), layer, why), nl=False)
    else:
        click.echo(verbs.explain(asked, layer, why), nl=False)
