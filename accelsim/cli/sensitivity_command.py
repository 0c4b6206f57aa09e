"""accelsim sensitivity CHIP WORKLOAD."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from accelsim.cli.job_options import CHIP, WORKLOAD, job_options
from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.job import Job
    from accelsim.sensitivities import Line, Listing


@click.command("sensitivity")
@job_options("sensitivity", CHIP, WORKLOAD)
@click.option("--out", metavar="DIR", help="Write sensitivity.json and layers.csv to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print the listing as JSON.")
@memory_option
def command(job: Job, out: str | None, force: bool, as_json: bool) -> None:
    """Say which layer of WORKLOAD costs most accuracy in few bits on CHIP.

    One layer at a time has --to bits, the others what the chip (or --bits, --edges) says; on a chip with a MAC
    array and crossbars one layer at a time is on crossbars instead, the others on the array. The worst stands
    first: by top-1 where the inputs have labels, by signal to noise at the output elsewhere.
    """
    from accelsim import verbs
    from accelsim.results.files import refuse_occupied, write_folder
    from accelsim.sensitivities import listing_json

    if out is not None:
        refuse_occupied(Path(out), force)
    found = verbs.sensitivity(job)
    if out is not None:
        write_folder(verbs.listed_files(found, job), out, force)
    if as_json:
        click.echo(listing_json(found), nl=False)
        return
    _show(found)
    if out is not None:
        click.echo(f"written to {out}")


def _show(found: Listing) -> None:
    from accelsim.cli.tables import plain_table

    rows = [
        [
            _named(line),
            line.kind or "-",
            f"{line.parameters:,}",
            line.narrow,
            "-" if line.top1 is None else f"{100 * line.top1:.2f}",
            f"{line.snr_db:.1f}",
            "-" if line.layer_snr_db is None else f"{line.layer_snr_db:.1f}",
        ]
        for line in found.lines
    ]
    head = [
        "on crossbars" if found.bits is None else f"in {found.bits} bits",
        "kind",
        "weights",
        "narrow",
        "top-1 %",
        "output SNR dB",
        "own SNR dB",
    ]
    plain_table(head, rows, (0, 1, 3))
    if found.top1_float is not None:
        click.echo(f"float: top-1 {100 * found.top1_float:.2f} %")
    if found.said:
        click.echo(found.said)


def _named(line: Line) -> str:
    return {"": "no layer", "*": "every layer"}.get(line.layer, line.layer)
