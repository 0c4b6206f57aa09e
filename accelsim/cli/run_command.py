"""accelsim run CHIP WORKLOAD."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from accelsim.cli.job_options import CHIP, WORKLOAD, collected, job_options
from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.job import Job
    from accelsim.results.result import Result


@dataclass(frozen=True, slots=True)
class Shown:
    """What becomes of a run: where it is written, and what is printed."""

    out: str | None
    force: bool
    snr: bool
    trace_folder: str | None
    reference: str | None
    as_json: bool


@click.command("run")
@job_options("run", CHIP, WORKLOAD)
@click.option("--snr", is_flag=True, help="Show the signal to noise of every layer's outputs.")
@click.option("--out", metavar="DIR", help="Write results and pictures to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option(
    "--reports",
    type=click.Choice(["scalesim"]),
    help="Write SCALE-Sim's three reports, in its own timing, instead of ours.",
)
@click.option(
    "--save-trace",
    "trace_folder",
    metavar="DIR",
    help="Save the codes of every tensor to this folder, for replay.",
)
@click.option(
    "--reference",
    metavar="TRACE",
    help="Say which operator's outputs first differ from this trace of values.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@memory_option
@collected("shown", Shown)
def command(job: Job, shown: Shown, reports: str | None) -> None:
    """Simulate WORKLOAD on CHIP (files, or names that `accelsim list` shows).

    SCALE-Sim's .cfg and topology .csv files and .onnx models are read as they are.
    An input file holds one array for each input tensor, or "images" for a single one, and
    optionally "labels"; its arrays set the batch when --batch does not. `--job FILE` reads all of it from a
    job file; options stand above it.
    """
    from accelsim import verbs
    from accelsim.results import files

    if shown.out is not None:
        files.refuse_occupied(Path(shown.out), shown.force)
    traced = shown.trace_folder is not None or shown.reference is not None
    if traced:
        from accelsim.cli.traced import refuse_without_values

        refuse_without_values(
            shown.trace_folder, shown.reference, has_values(job), reports, shown.force
        )
    if reports is not None:
        from accelsim.cli.scalesim import run_reports

        made = verbs.job_for("run", job)
        run_reports(made.chip[0], str(made.workload), made.gemm, shown.out, shown.force)
        return
    result = verbs.run(job, progress(), keep=traced)
    compared = None
    if shown.reference is not None:
        from accelsim.cli.traced import compared_with

        compared = compared_with(result, shown.reference)
    _write(result, shown)
    _say(result, shown, compared)


def has_values(job: Job) -> bool:
    """Whether a job computes values."""
    return job.values == "seeded" or (job.input is not None and job.values != "none")


def _write(result: Result, shown: Shown) -> None:
    from accelsim.results import files

    if shown.out is not None:
        from accelsim.reports import draw

        files.save(result, shown.out, shown.force, draw)
    if shown.trace_folder is not None:
        from accelsim.traces import save_trace

        save_trace(result, shown.trace_folder, shown.force)


def _say(result: Result, shown: Shown, compared: tuple[str, dict[str, Any]] | None) -> None:
    from accelsim.cli.tables import show, show_noise
    from accelsim.results import files

    if shown.as_json:
        whole = files.to_dict(result)
        more = {} if compared is None else {"reference": compared[1]}
        click.echo(json.dumps({**whole, **more}, indent=1))
        return
    show(result)
    if shown.snr:
        show_noise(result)
    if compared is not None:
        click.echo(compared[0])
    for folder in (shown.out, shown.trace_folder):
        if folder is not None:
            click.echo(f"written to {folder}")


def progress() -> Any:
    """Progress on a terminal's standard error; silent elsewhere."""
    from accelsim.escaping import raw

    if not sys.stderr.isatty():
        return None

    def show(stage: str, done: int, total: int) -> None:
        end = "\n" if done == total else ""
        click.echo(f"\r{stage}: {done} of {total} operators", raw(sys.stderr), nl=False)
        if end:
            click.echo("", err=True)

    return show
