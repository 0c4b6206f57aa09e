"""accelsim device fit MEASUREMENTS.csv."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from accelsim.devices.fit import Fit


@click.group("device")
def command() -> None:
    """Make device files from measurements."""


@command.command("fit")
@click.argument("measurements", metavar="MEASUREMENTS.csv")
@click.option("--out", required=True, metavar="DEVICE.json", help="The device file to write.")
@click.option("--read-time", default="250 ns", show_default=True, help="Length of one read.")
@click.option("--picture", metavar="FILE.png", help="Also draw the fit.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def fit_command(
    measurements: str, out: str, read_time: str, picture: str | None, force: bool
) -> None:
    """Fit programming error, drift and read noise to MEASUREMENTS.csv.

    Columns g_target, g, t, cell (a number or name) and, where known, T: SI units, or the unit in the name
    (g_uS, t_h). Small reads may lie below 0, by the offset of a circuit. Prints every parameter with its
    95 % interval, what the reads cannot tell, and the residual of rows held out; the device file stands in
    a chip file as `device: DEVICE.json`.
    """
    from accelsim.cli.new_file import refuse_old, refuse_picture, write_new
    from accelsim.cli.tables import plain_table
    from accelsim.config.measurements_file import load_measurements
    from accelsim.config.quantities import quantities
    from accelsim.devices.fit import fit
    from accelsim.errors import InputError, Problem

    refuse_old(Path(out), force)
    if picture is not None:
        refuse_picture(Path(picture), force)
    data = load_measurements(measurements)
    seconds = quantities(read_time, "s", "--read-time")[0]
    try:
        found = fit(data, seconds)
    except ValueError as error:
        raise InputError(
            Problem("fit.data", str(error), "measure more cells", file=measurements)
        ) from None
    plain_table(*_parameters(found))
    click.echo(
        f"{found.rows:,} rows, {found.held_out:,} held out: their residual is {found.residual:.3f} "
        "of the deviation that the model gives them (1: as good as it says)"
    )
    for note in found.notes:
        click.echo(f"note: {note}")
    record = found.record(Path(out).stem, seconds)
    drawn = b""
    if picture is not None:
        from accelsim.reports.device_fit import draw

        drawn = draw(data, found)
    write_new(Path(out), json.dumps(record, indent=1) + "\n", force)
    click.echo(f"written to {out}")
    if picture is not None:
        write_new(Path(picture), drawn, force)
        click.echo(f"written to {picture}")


def _parameters(found: Fit) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the fitted curves, each value with its 95 % interval."""
    head = ["target uS"]
    for name in ("programming uS", "drift", "its spread", "read Q"):
        head += [name, "95 %"]
    parts = (found.programming, found.drift_mean, found.drift_sd, found.read)
    rows = []
    for i, x in enumerate(found.x):
        cells = [f"{x * found.g_max * 1e6:.3g}"]
        for part in parts:
            cells += [f"{part[i].value:.4g}", f"{part[i].low:.3g}..{part[i].high:.3g}"]
        rows.append(cells)
    return head, rows
