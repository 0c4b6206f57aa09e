"""accelsim replay CHIP TRACE."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from accelsim.cli.job_options import CHIP, TRACE, job_options
from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.chip import Chip
    from accelsim.job import Job
    from accelsim.traces import LayerRun, Trace


@click.command("replay")
@job_options("replay", CHIP, TRACE)
@click.option("--out", metavar="DIR", help="Write replay.json and layers.csv to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@memory_option
def command(job: Job, out: str | None, force: bool, as_json: bool) -> None:
    """Run the layers of TRACE on CHIP, each alone and from its own recorded inputs.

    TRACE is a folder that `accelsim run --save-trace` wrote, or a layer trace of yours with recorded
    values. Outputs are held against the recorded ones: code for code where the chip has their
    formats, as signal to noise elsewhere.
    """
    from accelsim import verbs
    from accelsim.cli.run_command import progress
    from accelsim.results.files import refuse_occupied, write_folder

    if out is not None:
        refuse_occupied(Path(out), force)
    found = verbs.replay(job, progress())
    made = verbs.replayed_files(found, job)
    if out is not None:
        write_folder(made, out, force)
    if as_json:
        click.echo(made["replay.json"], nl=False)
        return
    _show(found.chip, found.trace, found.rows)
    if out is not None:
        click.echo(f"written to {out}")


def _show(chip: Chip, trace: Trace, rows: list[LayerRun]) -> None:
    from accelsim.cli.tables import plain_table

    lines = [
        [
            row.name,
            row.kind,
            f"{row.cycles:,}",
            f"{100 * row.utilisation:.1f}" if row.macs else "-",
            f"{row.joules['chip'] * 1e6:,.4g}",
            row.difference.said() if row.difference else row.note,
        ]
        for row in rows
    ]
    plain_table(["layer", "kind", "cycles", "util %", "uJ", "against the record"], lines, (0, 1, 5))
    made_on = trace.recorded.chip.get("name")
    click.echo(
        f"{trace.workload.name}{f' recorded on {made_on}' if made_on else ''}, replayed on {chip.name}: "
        f"{len(rows)} layers, each alone; together {sum(row.cycles for row in rows):,} cycles, "
        f"{1e6 * sum(row.joules['chip'] for row in rows):,.4g} uJ"
    )
    known = [row for row in rows if row.difference is not None]
    apart = [row for row in known if row.difference is not None and not row.difference.equal]
    if apart and apart[0].difference is not None:
        click.echo(
            f"{len(apart)} of {len(known)} differ; first that differs: {apart[0].name}: "
            f"{apart[0].difference.said()}"
        )
    elif known:
        click.echo(f"equal to the record: {len(known)} of {len(known)}")
    if len(known) < len(rows):
        click.echo(f"without values: {len(rows) - len(known)}")
